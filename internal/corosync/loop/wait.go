package loop

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// wakeful is for how long the loop waits awake for the next event, when the last two
// came within that time, too. A busy ring always has one; an idle one sleeps.
const wakeful = 5 * time.Millisecond

// alone is for how long a loop that woke runs without the runtime's monitor, which sleeps
// while all do. Only the monitor sees to it that the poller and the other goroutines
// have their turn beside a goroutine that goes on and on.
const alone = 10 * time.Millisecond

// noteEvents decides after a wait that found n events whether the loop is busy. Turns
// without events (a timer, work that EachTurn goes on with) change nothing at once.
func (l *Loop) noteEvents(n int) {
	soon := !l.shared && l.now.Sub(l.last) < wakeful
	if n > 0 {
		l.busy, l.last = soon, l.now
	} else if !soon {
		l.busy = false
	}
	if !l.watched && l.now.Sub(l.woke) > alone {
		l.watched = true
		callMonitor()
	}
}

// callMonitor wakes the runtime's monitor if it sleeps, as every system call does that
// is not a raw one.
func callMonitor() { _, _, _ = unix.Syscall(unix.SYS_GETPID, 0, 0, 0) }

// wait collects ready descriptors, for timeout at most (negative: no limit): a
// busy loop first awake, then, when nothing comes, asleep.
func (l *Loop) wait(timeout time.Duration) (n int, err error) {
	if l.busy || timeout == 0 {
		awake := wakeful
		if timeout >= 0 {
			awake = min(timeout, wakeful)
		}
		if n, err = l.waitAwake(awake); n != 0 || err != nil || timeout == awake {
			return n, err
		}
		timeout -= awake // no limit stays none
	}
	return l.waitAsleep(timeout)
}

// waitAwake is a raw system call although it blocks: the thread keeps its P, so
// that a datagram is handled without the scheduler (no P to find, no monitor thread
// to wake; measured as a third of the daemon's CPU at full load). The collector is
// not held up: it stops a thread by a signal, which ends the wait. The price is a
// P that nobody else can use, and a signal from the monitor every 10 ms.
func (l *Loop) waitAwake(timeout time.Duration) (n int, err error) {
	ms := int((timeout + time.Millisecond - 1) / time.Millisecond)
	r, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epfd), uintptr(unsafe.Pointer(&l.events)), batch, uintptr(ms), 0, 0)
	switch errno {
	case 0:
		return int(r), nil
	case unix.EINTR:
		return 0, nil
	default:
		return 0, errno
	}
}

// bed is where an idle loop sleeps: an epoll instance that the runtime's poller watches,
// and that watches the loop's own while the loop sleeps, otherwise each packet would
// wake the poller's thread, too. Its alarm is a timerfd: a deadline of the runtime's
// would wake two more threads each time that it is set.
//
// What the loop does between two sleeps are raw system calls where possible: the first
// other one wakes the runtime's monitor, which then takes part, every 20 us at first.
type bed struct {
	fd      int
	epfd    int      // of the loop
	alarm   int      // timerfd
	set     bool     // the alarm is
	file    *os.File // fd's owner
	raw     syscall.RawConn
	look    func(uintptr) bool // lookOnce, which leaves what it found here
	until   time.Time          // zero: no limit
	found   int
	failed  error
	covered unix.EpollEvent
}

func newBed(epfd int) (b bed, err error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return b, fmt.Errorf("epoll_create1: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // or the poller leaves it alone
		unix.Close(fd)
		return b, fmt.Errorf("epoll descriptor: %w", err)
	}
	b = bed{fd: fd, epfd: epfd, alarm: -1, file: os.NewFile(uintptr(fd), "epoll")}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.alarm, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return b, fmt.Errorf("timerfd_create: %w", err)
	}
	for _, w := range []struct {
		fd     int
		events uint32
	}{{b.alarm, unix.EPOLLIN}, {epfd, 0}} {
		if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, w.fd, &unix.EpollEvent{Events: w.events}); err != nil {
			return b, fmt.Errorf("epoll_ctl: %w", err)
		}
	}
	b.raw, err = b.file.SyscallConn()
	return b, err
}

func (b *bed) close() {
	if b.alarm >= 0 {
		unix.Close(b.alarm)
	}
	b.file.Close()
}

// waitAsleep waits in the runtime's poller. A thread that blocks in a system call of
// its own keeps the monitor looking at it every 20 us for 10 ms, which is most of what
// an idle daemon costs.
func (l *Loop) waitAsleep(timeout time.Duration) (n int, err error) {
	b := &l.bed
	if err := b.setAlarm(timeout); err != nil {
		return 0, err
	}
	if err := b.cover(Readable); err != nil {
		return 0, err
	}
	b.found, b.failed = 0, nil
	err = b.raw.Read(b.look)
	l.woke, l.watched = time.Now(), false
	return b.found, errors.Join(err, b.failed, b.cover(0))
}

// setAlarm ends the next sleep after a time; negative: no limit. What rang before is
// forgotten.
func (b *bed) setAlarm(timeout time.Duration) error {
	if timeout < 0 && !b.set {
		return nil
	}
	b.set, b.until = timeout >= 0, time.Time{}
	var at unix.ItimerSpec // zero: never
	if b.set {
		timeout = max(timeout, 1)
		b.until = time.Now().Add(timeout)
		at.Value = unix.NsecToTimespec(int64(timeout))
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(b.alarm), 0, uintptr(unsafe.Pointer(&at)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("timerfd_settime: %w", errno)
	}
	return nil
}

// cover says which events of the loop's descriptors end its sleep.
func (b *bed) cover(events uint32) error {
	b.covered.Events = events
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(b.fd), unix.EPOLL_CTL_MOD, uintptr(b.epfd), uintptr(unsafe.Pointer(&b.covered)), 0, 0)
	if errno != 0 {
		return fmt.Errorf("epoll_ctl: %w", errno)
	}
	return nil
}

// lookOnce is what the poller calls until it says true; made once, so that a wait
// allocates nothing.
func (l *Loop) lookOnce(uintptr) bool {
	b := &l.bed
	b.found, b.failed = l.waitAwake(0)
	return b.found != 0 || b.failed != nil || b.set && !time.Now().Before(b.until)
}
