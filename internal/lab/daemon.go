package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Part is a part of a node that can be started and killed on its own.
type Part string

const (
	PartCorosync  Part = "corosync"
	PartPacemaker Part = "pacemaker" // pacemakerd and everything below it
	PartAll       Part = "all"       // for signals: every process but PID 1
)

// daemon is the program that a part is started with.
func (p Part) daemon() []string {
	switch p {
	case PartCorosync:
		return []string{"/usr/sbin/corosync", "-f"}
	case PartPacemaker:
		return []string{"/usr/sbin/pacemakerd"}
	}
	return nil
}

// Start starts a part and returns when its daemon runs; it need not serve yet
// (WaitRing, WaitDC). PartAll is corosync, then pacemaker. What runs is left alone.
func (n *Node) Start(ctx context.Context, part Part, env ...string) error {
	if part == PartAll {
		return errors.Join(n.Start(ctx, PartCorosync, env...), n.Start(ctx, PartPacemaker, env...))
	}
	args := part.daemon()
	if args == nil {
		return fmt.Errorf("lab: start %q: want corosync, pacemaker or all", part)
	}
	if n.Daemon(part) != 0 {
		return nil
	}
	full, err := n.Args(args...)
	if err != nil {
		return err
	}
	outPath := filepath.Join(n.dir, filepath.Base(args[0])+".out")
	out, err := os.OpenFile(outPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	defer out.Close()
	cmd := exec.Command(full[0], full[1:]...)
	cmd.Env, cmd.Dir = append(environment(n.mark()), env...), "/"
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // outlives its starter
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("lab: %s: %s: %w", n.st.Name, args[0], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var gone error
	err = Wait(ctx, args[0]+" on "+n.st.Name, func() bool {
		if childOf(cmd.Process.Pid, args[0]) {
			return true
		}
		select {
		case err := <-ended:
			text, _ := os.ReadFile(outPath)
			gone = fmt.Errorf("lab: %s: %s ended at once: %v: %s", n.st.Name, args[0], err, lastLines(string(text), 5))
			return true
		default:
			return false
		}
	})
	return errors.Join(err, gone)
}

// childOf says that the only child of pid runs exe: nsenter has forked and
// executed what it was told to.
func childOf(pid int, exe string) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return false
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return false
	}
	link, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", child))
	return link == exe
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Daemon is the machine's process id of a part's daemon; 0 when it does not run.
func (n *Node) Daemon(part Part) int {
	args := part.daemon()
	if args == nil {
		return 0
	}
	ps := n.Ps()
	for _, p := range ps {
		// The daemon itself and not a child of it that has yet to execute its own program.
		if p.Exe == args[0] && !slices.ContainsFunc(ps, func(q Process) bool { return q.PID == p.Parent && q.Exe == args[0] }) {
			return p.PID
		}
	}
	return 0
}

// userHz is the unit of processor times in /proc on every Linux this runs on.
const userHz = 100

// CPU is the processor time that a part's daemon has used so far, without its children.
func (n *Node) CPU(part Part) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.Daemon(part)))
	if err != nil {
		return 0, fmt.Errorf("lab: %s: %s does not run: %w", n.st.Name, part, err)
	}
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var sum time.Duration
	for _, i := range []int{11, 12} { // utime, stime: proc(5)
		ticks, err := strconv.ParseInt(f[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("lab: /proc/PID/stat: %w", err)
		}
		sum += time.Duration(ticks) * time.Second / userHz
	}
	return sum, nil
}

// processes returns the processes that a signal to the part goes to.
func (n *Node) processes(part Part) []Process {
	ps := n.Ps()
	if part == PartAll {
		return slices.DeleteFunc(ps, func(p Process) bool { return p.NSPID == 1 })
	}
	in := map[int]bool{}
	if pid := n.Daemon(part); pid != 0 {
		in[pid] = true
	}
	for grown := true; grown; {
		grown = false
		for _, p := range ps {
			if in[p.Parent] && !in[p.PID] {
				in[p.PID], grown = true, true
			}
		}
	}
	return slices.DeleteFunc(ps, func(p Process) bool { return !in[p.PID] })
}

// Signal sends a signal to all processes of a part and says how many there were.
func (n *Node) Signal(part Part, sig syscall.Signal) int {
	ps := n.processes(part)
	for _, p := range ps {
		syscall.Kill(p.PID, sig)
	}
	return len(ps)
}

// Kill ends a part by SIGKILL and returns when its processes are gone.
func (n *Node) Kill(ctx context.Context, part Part) error {
	ps := n.processes(part)
	if len(ps) == 0 {
		return fmt.Errorf("lab: %s: no process of %s to kill", n.st.Name, part)
	}
	for _, p := range ps {
		p.kill()
	}
	return Wait(ctx, fmt.Sprintf("%s on %s to be killed", part, n.st.Name), func() bool {
		return !slices.ContainsFunc(ps, func(p Process) bool { return alive(p.PID) })
	})
}

// Stop ends a part's daemon by SIGTERM, the orderly way, and returns when it is gone.
func (n *Node) Stop(ctx context.Context, part Part) error {
	parts := []Part{part}
	if part == PartAll {
		parts = []Part{PartPacemaker, PartCorosync}
	}
	for _, p := range parts {
		pid := n.Daemon(p)
		if pid == 0 {
			continue
		}
		syscall.Kill(pid, syscall.SIGTERM)
		if err := Wait(ctx, fmt.Sprintf("%s on %s to stop", p, n.st.Name), func() bool { return !alive(pid) }); err != nil {
			return err
		}
	}
	return nil
}

// Pause stops all processes of a part (SIGSTOP): they keep everything and answer nothing.
func (n *Node) Pause(part Part) int { return n.Signal(part, syscall.SIGSTOP) }

// Resume ends Pause.
func (n *Node) Resume(part Part) int { return n.Signal(part, syscall.SIGCONT) }
