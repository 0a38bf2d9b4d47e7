package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Node is one machine of a lab. It is safe for concurrent use; it holds no
// state but its name, everything else is asked from files and /proc.
type Node struct {
	lab *Lab
	st  nodeState
	dir string
}

// Name is the node's host name.
func (n *Node) Name() string { return n.st.Name }

// ID is the node id in corosync.conf and the last byte of the node's addresses.
func (n *Node) ID() int { return n.st.ID }

// IsHost says that the node is no member of the cluster.
func (n *Node) IsHost() bool { return n.st.Host }

// Corosync says whose corosync the node runs.
func (n *Node) Corosync() Impl { return n.st.Corosync }

// Pacemaker says whose pacemaker the node runs.
func (n *Node) Pacemaker() Impl { return n.st.Pacemaker }

// Dir is the node's folder on the machine: disk/, layer/, the output of its daemons.
func (n *Node) Dir() string { return n.dir }

// Addr is the node's address on a network.
func (n *Node) Addr(net int) string { return Addr(net, n.st.ID) }

// Addr6 is the node's IPv6 address on a network (see IPv6).
func (n *Node) Addr6(net int) string { return Addr6(net, n.st.ID) }

func (n *Node) mark() string { return n.lab.name + "/" + n.st.Name }

// PID is the node's PID 1 as the machine sees it; 0 when the power is off. The
// file holds its start time too: a process id may be used again, and the
// environment cannot be read while a process executes another program.
func (n *Node) PID() int {
	b, err := os.ReadFile(filepath.Join(n.dir, "pid"))
	if err != nil {
		return 0
	}
	var pid int
	var started uint64
	if _, err := fmt.Sscan(string(b), &pid, &started); err != nil {
		return 0
	}
	if state, since := stat(pid); state == 0 || state == 'Z' || state == 'X' || since != started {
		return 0
	}
	return pid
}

// On says whether the node has power.
func (n *Node) On() bool { return n.PID() != 0 }

// PowerOn boots the node: fresh /run and /dev/shm, the disk as it was, the
// cables plugged. It starts no daemon. A node that is on is left alone.
func (n *Node) PowerOn(ctx context.Context) error {
	if n.On() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	pid, err := n.boot(ctx)
	if err != nil {
		return fmt.Errorf("lab: %s does not boot: %w", n.st.Name, err)
	}
	_, started := stat(pid)
	if err := os.WriteFile(filepath.Join(n.dir, "pid"), fmt.Appendf(nil, "%d %d\n", pid, started), 0o644); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	networks := n.lab.Networks()
	n.unplug(networks)
	return n.plug(pid, networks)
}

// PowerOff ends every process of the node at once and returns when the last is
// gone. The kernel does it: PID 1 of a namespace becomes a zombie only after
// all other processes in it have ended (pid_namespaces(7)).
func (n *Node) PowerOff(ctx context.Context) error {
	pid := n.PID()
	if pid == 0 {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("lab: %s: power off: %w", n.st.Name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	if err := Wait(ctx, "the last process of "+n.st.Name+" to end", func() bool { return !alive(pid) }); err != nil {
		return err
	}
	n.unplug(n.lab.Networks())
	return nil
}

// boot starts PID 1 in new namespaces and returns its process id once the boot
// script has said that it is done.
func (n *Node) boot(ctx context.Context) (int, error) {
	script, err := n.bootScript()
	if err != nil {
		return 0, err
	}
	said, ready, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer said.Close()
	out, err := os.Create(filepath.Join(n.dir, "boot.out"))
	if err != nil {
		ready.Close()
		return 0, err
	}
	defer out.Close()
	cmd := exec.Command("sh", "-e", "-c", script)
	cmd.Env, cmd.Dir = environment(n.mark()), "/"
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = out, out, []*os.File{ready}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Setsid:     true,
	}
	err = cmd.Start()
	ready.Close()
	if err != nil {
		return 0, err
	}
	go cmd.Wait() // reaps it, whenever it ends
	deadline, _ := ctx.Deadline()
	said.SetReadDeadline(deadline)
	answer, err := io.ReadAll(said) // to the end of file: the script closes it, or dies
	if string(answer) != "ready\n" {
		syscall.Kill(cmd.Process.Pid, syscall.SIGKILL)
		text, _ := os.ReadFile(out.Name())
		return 0, fmt.Errorf("boot script: %s (%v)", strings.TrimSpace(string(text)), err)
	}
	return cmd.Process.Pid, nil
}

// bootScript is what PID 1 of the node runs before it goes to sleep. Orphans
// are reaped by the kernel because SIGCHLD is ignored (a zombie would answer
// `kill -0` in resource agents).
func (n *Node) bootScript() (string, error) {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	overlays, err := n.overlays()
	if err != nil {
		return "", err
	}
	p("mount -n --make-rprivate /")
	p("mount -n -t proc proc /proc")
	// A node that panics resets itself: by reboot(2), which ends its namespace, and
	// not the machine by the kernel's own trigger.
	p("[ ! -e /proc/sysrq-trigger ] || mount -n --bind /dev/null /proc/sysrq-trigger")
	p("echo %s > /proc/sys/kernel/hostname", n.st.Name)
	p("mount -n -t sysfs sysfs /sys 2>/dev/null || :") // of this network namespace; not all containers allow it
	p("mount -n -t tmpfs -o mode=755 run %s/run", n.dir)
	p("mkdir -p %[1]s/run/lab %[1]s/run/lock %[1]s/run/resource-agents %[1]s/run/crm", n.dir)
	p("chown hacluster:haclient %s/run/crm 2>/dev/null || :", n.dir)
	p("mount -n --bind %s %s/run/lab", n.lab.Shared(), n.dir)
	for _, d := range overlays {
		p("mount -n -t overlay -o lowerdir=%s:%s lab %s", n.layer(d), d, d)
	}
	for _, d := range diskMounts() {
		p("mount -n --bind %s %s", n.Path(d), d)
	}
	p("[ ! -e /etc/hosts ] || mount -n --bind %s/hosts /etc/hosts", n.dir)
	p("mount -n -t tmpfs -o mode=1777 shm /dev/shm")
	p("mount -n --move %s/run /run", n.dir)
	p("echo ready >&3")
	p("exec 3>&-")
	p("exec env --ignore-signal=CHLD sleep infinity")
	return b.String(), nil
}

// Args wraps a command so that it runs inside the node.
func (n *Node) Args(args ...string) ([]string, error) {
	pid := n.PID()
	if pid == 0 {
		return nil, fmt.Errorf("lab: %s is switched off", n.st.Name)
	}
	return append([]string{"nsenter", "-t", strconv.Itoa(pid), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--"}, args...), nil
}

// Command prepares a program inside the node, for callers that want its pipes.
// Its process is nsenter's, which waits for the program; both are in one
// process group, which cancelling ctx kills.
func (n *Node) Command(ctx context.Context, args ...string) (*exec.Cmd, error) {
	full, err := n.Args(args...)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, full[0], full[1:]...)
	cmd.Env, cmd.Dir = environment(n.mark()), "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // a daemonised child may keep the pipes
	return cmd, nil
}

// Become returns the program, arguments and environment with which a process
// replaces itself by a command inside the node (execve), terminal and all.
func (n *Node) Become(args ...string) (argv, env []string, err error) {
	full, err := n.Args(args...)
	if err != nil {
		return nil, nil, err
	}
	full[0] = lookPath(full[0])
	return full, environment(n.mark()), nil
}

// Result is what a program said. Immutable.
type Result struct {
	Stdout, Stderr string
	Code           int // exit status; -1 when it was killed or never ran
}

// Exec runs a program inside the node to its end. A status other than 0 is an
// error too, with what the program said on standard error; Result is filled in
// any case.
func (n *Node) Exec(ctx context.Context, args ...string) (Result, error) {
	return n.ExecInput(ctx, "", args...)
}

// ExecInput is Exec with standard input.
func (n *Node) ExecInput(ctx context.Context, input string, args ...string) (Result, error) {
	cmd, err := n.Command(ctx, args...)
	if err != nil {
		return Result{Code: -1}, err
	}
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &errs
	err = cmd.Run()
	res := Result{Stdout: out.String(), Stderr: errs.String(), Code: cmd.ProcessState.ExitCode()}
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		said := strings.TrimSpace(res.Stderr)
		if said == "" {
			said = strings.TrimSpace(res.Stdout)
		}
		return res, fmt.Errorf("lab: %s: %s: %w: %s", n.st.Name, strings.Join(args, " "), err, said)
	}
	return res, nil
}
