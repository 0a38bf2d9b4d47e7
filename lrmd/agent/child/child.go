// Package child runs agents as child processes: in a process group of their own,
// with pipes for what they write, a timeout, normal scheduling, and nothing of
// the daemon's but its environment. lrmd's agents and alerts use it.
//
// A child costs no thread while it runs: its pidfd and its pipes wait in the
// runtime's poller.
//
// It replaces lib/services/services_linux.c: services__execute_file and the
// child handling of lib/common/mainloop.c.
package child

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// MaxOutput bounds what is kept of each stream: agents' meta-data is some 100 KiB
// at most, and results travel in IPC messages.
const MaxOutput = 4 << 20

// killGrace is how long a killed child may take to be gone before that is told.
const killGrace = 5 * time.Second

// Spec says what to run.
type Spec struct {
	Path    string
	Args    []string // with the name
	Env     []string
	User    *User         // nil: as we are
	Timeout time.Duration // 0: none
	// LeaveGroup: at a timeout kill the child alone and leave what it started.
	LeaveGroup bool
	// Stubborn is called when a killed child is still there after a while.
	Stubborn func(pid int)
}

// User is whom a child becomes, without supplementary groups.
type User struct{ UID, GID uint32 }

// Exit is how a child ended. Err, an errno, means that it could not be started;
// nothing else is set then.
type Exit struct {
	Err            error
	PID            int
	Code           int
	Signal         syscall.Signal // 0: it exited with Code
	TimedOut       bool           // it was killed because its time was over
	Killed         bool           // Kill was called
	Stdout, Stderr string
}

// Child is one run. Safe for concurrent use.
type Child struct {
	spec *Spec

	mu     sync.Mutex
	pid    int // 0: not started or gone
	killed bool
}

// New prepares a run. The specification may still be completed until Run.
func New(s *Spec) *Child { return &Child{spec: s} }

// Kill kills the child and what it started, also when it has not begun yet.
func (c *Child) Kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killed = true
	c.kill()
}

// kill needs the lock: a pid is only used while the child has not been reaped.
func (c *Child) kill() {
	if c.pid == 0 {
		return
	}
	if c.spec.LeaveGroup {
		_ = unix.Kill(c.pid, unix.SIGKILL)
	} else {
		_ = unix.Kill(-c.pid, unix.SIGKILL)
	}
}

// Run starts the child and waits for its end. It is called once.
func (c *Child) Run() Exit {
	var out, errs stream
	if err := out.open(); err != nil {
		return Exit{Err: err}
	}
	defer out.close()
	if err := errs.open(); err != nil {
		return Exit{Err: err}
	}
	defer errs.close()
	pidfd := -1
	attr := &syscall.ProcAttr{
		Env:   c.spec.Env,
		Files: []uintptr{0, uintptr(out.w), uintptr(errs.w)},
		Sys:   &syscall.SysProcAttr{Setpgid: true, PidFD: &pidfd},
	}
	if u := c.spec.User; u != nil {
		attr.Sys.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID}
	}
	pid, err := fork(c.spec.Path, c.spec.Args, attr)
	if err != nil {
		return Exit{Err: err}
	}
	c.mu.Lock()
	c.pid = pid
	if c.killed {
		c.kill()
	}
	c.mu.Unlock()
	out.read()
	errs.read()
	x := c.wait(pid, pidfd)
	x.PID, x.Stdout, x.Stderr = pid, out.finish(), errs.finish()
	c.mu.Lock()
	x.Killed = c.killed
	c.mu.Unlock()
	return x
}

// wait waits for the child, killing it when its time is over. A child that
// exits by itself meanwhile has not timed out.
func (c *Child) wait(pid, pidfd int) Exit {
	w := newWaiter(pid, pidfd)
	defer w.close()
	if c.spec.Timeout > 0 {
		w.deadline(time.Now().Add(c.spec.Timeout))
	}
	status, ok := w.wait(c.reaped)
	timedOut := false
	if !ok {
		timedOut = true
		c.mu.Lock()
		c.kill()
		c.mu.Unlock()
		w.deadline(time.Now().Add(killGrace))
		if status, ok = w.wait(c.reaped); !ok {
			if c.spec.Stubborn != nil {
				c.spec.Stubborn(pid)
			}
			w.deadline(time.Time{})
			status, _ = w.wait(c.reaped)
		}
	}
	if status.Signaled() {
		return Exit{Signal: status.Signal(), TimedOut: timedOut}
	}
	return Exit{Code: status.ExitStatus()}
}

// reaped reaps the child if it is gone; its pid is not used from then on.
func (c *Child) reaped(pid int) (unix.WaitStatus, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var st unix.WaitStatus
	for {
		got, err := unix.Wait4(pid, &st, unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case got == 0 && err == nil:
			return 0, false
		}
		c.pid = 0
		if err != nil {
			st = unix.WaitStatus(unix.SIGCHLD) // somebody else reaped it
		}
		return st, true
	}
}

// fork starts the process. A thread whose scheduling is not the normal one does
// not pass it on: the fork is made by a thread of its own that has shed it
// (services_linux.c: action_launch_child). A file without an interpreter line
// is a shell script, as for execvp(3).
func fork(path string, args []string, attr *syscall.ProcAttr) (int, error) {
	start := func() (int, error) {
		pid, err := syscall.ForkExec(path, args, attr)
		if errors.Is(err, syscall.ENOEXEC) {
			pid, err = syscall.ForkExec("/bin/sh", append([]string{"/bin/sh", path}, args[1:]...), attr)
		}
		return pid, err
	}
	if normalScheduling() {
		return start()
	}
	type result struct {
		pid int
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL}, 0)
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 0)
		pid, err := start()
		done <- result{pid, err}
	}()
	r := <-done
	return r.pid, r.err
}

// normalScheduling is found out once: a daemon's scheduling does not change.
var normalScheduling = sync.OnceValue(func() bool {
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return true
	}
	prio, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	return attr.Policy == unix.SCHED_NORMAL && (err != nil || prio == 20) // the system call answers 20 - nice
})

// waiter waits for a child's end by its pidfd; on kernels without it (before
// 5.4) by a thread that blocks in wait4.
type waiter struct {
	pid  int
	f    *os.File
	raw  syscall.RawConn
	old  chan struct{}
	till time.Time
}

func newWaiter(pid, pidfd int) *waiter {
	w := &waiter{pid: pid}
	if pidfd >= 0 && unix.SetNonblock(pidfd, true) == nil {
		w.f = os.NewFile(uintptr(pidfd), "pidfd")
		if raw, err := w.f.SyscallConn(); err == nil && w.f.SetReadDeadline(time.Time{}) == nil {
			w.raw = raw
			return w
		}
	}
	w.old = make(chan struct{})
	go func() {
		var info unix.Siginfo
		for errors.Is(unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
		}
		close(w.old)
	}()
	return w
}

func (w *waiter) deadline(t time.Time) {
	w.till = t
	if w.raw != nil {
		_ = w.f.SetReadDeadline(t)
	}
}

// wait returns false when the deadline passed first.
func (w *waiter) wait(reap func(pid int) (unix.WaitStatus, bool)) (st unix.WaitStatus, ok bool) {
	if w.raw != nil {
		_ = w.raw.Read(func(uintptr) bool {
			st, ok = reap(w.pid)
			return ok
		})
		return st, ok
	}
	var over <-chan time.Time
	if !w.till.IsZero() {
		over = time.After(time.Until(w.till))
	}
	select {
	case <-w.old:
		return reap(w.pid)
	case <-over:
		return 0, false
	}
}

func (w *waiter) close() {
	if w.f != nil {
		_ = w.f.Close()
	}
}

// Seal keeps descriptors that we inherited ourselves from children
// (pcmk__close_fds_in_child). A daemon calls it once at its start.
func Seal() {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, d := range names {
		fd := 0
		for _, c := range []byte(d.Name()) {
			fd = fd*10 + int(c-'0')
		}
		if fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}
