package lab

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Process is one process of a node, as seen once in /proc. Immutable.
type Process struct {
	PID    int    // on the machine
	NSPID  int    // inside the node
	Parent int    // on the machine
	Name   string // /proc/PID/comm
	Exe    string // where /proc/PID/exe points; "" when it cannot be read
	Args   []string
	State  byte // R, S, T, …
	RSS    int  // KiB
}

func (p Process) kill() { syscall.Kill(p.PID, syscall.SIGKILL) }

// Ps lists the processes of the node, PID 1 first; none when it is off.
// Zombies are left out.
func (n *Node) Ps() []Process {
	pid := n.PID()
	if pid == 0 {
		return nil
	}
	ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err != nil {
		return nil
	}
	var ps []Process
	for _, p := range machinePIDs() {
		if link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", p)); err == nil && link == ns {
			if proc, ok := readProcess(p); ok {
				ps = append(ps, proc)
			}
		}
	}
	slices.SortFunc(ps, func(a, b Process) int { return a.NSPID - b.NSPID })
	return ps
}

// machinePIDs lists every process of the machine.
func machinePIDs() []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func readProcess(pid int) (Process, bool) {
	p := Process{PID: pid}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return p, false
	}
	for line := range strings.Lines(string(status)) {
		key, val, _ := strings.Cut(strings.TrimSpace(line), ":")
		val = strings.TrimSpace(val)
		fields := strings.Fields(val)
		if len(fields) == 0 {
			continue
		}
		switch key {
		case "Name":
			p.Name = val
		case "State":
			p.State = val[0]
		case "PPid":
			p.Parent, _ = strconv.Atoi(val)
		case "NSpid":
			p.NSPID, _ = strconv.Atoi(fields[len(fields)-1])
		case "VmRSS":
			p.RSS, _ = strconv.Atoi(fields[0])
		}
	}
	if p.State == 'Z' || p.State == 'X' {
		return p, false
	}
	p.Exe, _ = os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	p.Args = strings.Split(strings.TrimRight(string(cmdline), "\x00"), "\x00")
	return p, true
}

// alive says that a process exists and is no zombie.
func alive(pid int) bool {
	state, _ := stat(pid)
	return state != 0 && state != 'Z' && state != 'X'
}

// stat returns a process's state, 0 when there is none, and its start time in
// clock ticks since the boot of the machine (proc(5): /proc/PID/stat, fields 3 and 22).
func stat(pid int) (state byte, started uint64) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	i := bytes.LastIndexByte(b, ')') // the name before it may hold anything
	f := strings.Fields(string(b[i+1:]))
	if i < 0 || len(f) < 20 {
		return 0, 0
	}
	started, _ = strconv.ParseUint(f[19], 10, 64)
	return f[0][0], started
}

// markOf returns the lab and node that a process belongs to by its environment.
func markOf(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return ""
	}
	for v := range bytes.SplitSeq(b, []byte{0}) {
		if val, ok := bytes.CutPrefix(v, []byte(marker+"=")); ok {
			return string(val)
		}
	}
	return ""
}

// marked lists the living processes of a lab wherever they are. A process that
// wrote over its environment is missed; it ends with its node's PID 1.
func marked(lab string) []Process {
	self := os.Getpid()
	var ps []Process
	for _, pid := range machinePIDs() {
		if pid != self && strings.HasPrefix(markOf(pid), lab+"/") && alive(pid) {
			ps = append(ps, Process{PID: pid})
		}
	}
	return ps
}

// Origin says whose program a process is, by the content of its executable:
// neither its name nor its path can lie about it. Other is a program that
// is neither our binary nor what the machine has under that path.
func (n *Node) Origin(p Process) Origin {
	sum, err := fileSum(fmt.Sprintf("/proc/%d/exe", p.PID))
	if err != nil {
		return OriginOther
	}
	if ours, err := fileSum(n.lab.path("ours", "pacesync")); err == nil && sum == ours {
		return OriginOurs
	}
	if installed, err := fileSum(p.Exe); err == nil && sum == installed {
		return OriginInstalled
	}
	return OriginOther
}

// Origin is the answer of Node.Origin.
type Origin uint8

const (
	OriginOther Origin = iota
	OriginInstalled
	OriginOurs
)

func (o Origin) String() string {
	return [...]string{"other", "installed", "ours"}[o]
}

func fileSum(path string) ([sha256.Size]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return [sha256.Size]byte{}, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// CheckOrigins proves that every running daemon of the node is the one that was
// asked for: by content, by the path in /proc/PID/exe and by its name. It fails
// when the original runs on a node of ours under whatever name, and the other
// way round.
func (n *Node) CheckOrigins() error {
	for _, p := range n.Ps() {
		origin := n.Origin(p)
		if origin == OriginOther || strings.HasPrefix(p.Exe, "/usr/bin/") || strings.HasPrefix(p.Exe, "/usr/local/") {
			continue
		}
		if halfOf(p.Exe) == tools {
			continue
		}
		want := OriginInstalled
		if _, err := os.Stat(n.layer(p.Exe)); n.st.takes(p.Exe) && err == nil {
			want = OriginOurs // as far as we have such a program
		}
		if origin != want {
			return fmt.Errorf("lab: %s: process %d %s (%s) is %s, want %s", n.st.Name, p.PID, p.Name, p.Exe, origin, want)
		}
		name := filepath.Base(p.Exe)
		if p.Name != name[:min(len(name), 15)] { // TASK_COMM_LEN
			return fmt.Errorf("lab: %s: process %d runs %s under the name %q", n.st.Name, p.PID, p.Exe, p.Name)
		}
	}
	return nil
}

// Program finds a process of the node by its program's file name, such as
// pacemaker-attrd; ok is false when none runs.
func (n *Node) Program(name string) (p Process, ok bool) {
	for _, p := range n.Ps() {
		if filepath.Base(p.Exe) == name {
			return p, true
		}
	}
	return Process{}, false
}
