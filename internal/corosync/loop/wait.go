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

// noteEvents decides after a wait that found n events whether the loop is busy. Turns
// without events (a timer, work that EachTurn goes on with) change nothing at once.
func (l *Loop) noteEvents(n int) {
	soon := !l.shared && l.now.Sub(l.last) < wakeful
	if n > 0 {
		l.busy, l.last = soon, l.now
	} else if !soon {
		l.busy = false
	}
}

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
// and that watches the loop's own while the loop sleeps. Otherwise each packet would
// wake the poller's thread, too.
type bed struct {
	fd      int
	epfd    int      // of the loop
	file    *os.File // fd's owner
	raw     syscall.RawConn
	look    func(uintptr) bool // lookOnce, which leaves what it found here
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
	b = bed{fd: fd, epfd: epfd, file: os.NewFile(uintptr(fd), "epoll"), covered: unix.EpollEvent{Events: unix.EPOLLIN}}
	if b.raw, err = b.file.SyscallConn(); err != nil {
		b.file.Close()
	}
	return b, err
}

// waitAsleep waits in the runtime's poller. A thread that blocks in a system call of
// its own keeps the monitor looking at it every 20 us for 10 ms, which is most of what
// an idle daemon costs.
func (l *Loop) waitAsleep(timeout time.Duration) (n int, err error) {
	b := &l.bed
	deadline := time.Time{} // none
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	if err := b.file.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	if err := unix.EpollCtl(b.fd, unix.EPOLL_CTL_ADD, b.epfd, &b.covered); err != nil {
		return 0, err
	}
	b.found, b.failed = 0, nil
	err = b.raw.Read(b.look)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return b.found, errors.Join(err, b.failed, unix.EpollCtl(b.fd, unix.EPOLL_CTL_DEL, b.epfd, nil))
}

// lookOnce is what the poller calls until it says true; made once, so that a wait
// allocates nothing.
func (l *Loop) lookOnce(uintptr) bool {
	l.bed.found, l.bed.failed = l.waitAwake(0)
	return l.bed.found != 0 || l.bed.failed != nil
}
