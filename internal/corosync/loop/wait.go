package loop

import (
	"errors"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// wakeful is for how long the loop waits awake for the next event, when the last two
// came within that time, too. A busy ring always has one; an idle one sleeps.
const wakeful = 5 * time.Millisecond

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

// waitAsleep waits in the runtime's poller. A thread that blocks in a system call of
// its own keeps the monitor looking at it every 20 us for 10 ms, which is most of what
// an idle daemon costs.
func (l *Loop) waitAsleep(timeout time.Duration) (n int, err error) {
	deadline := time.Time{} // none
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	if err := l.file.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	l.found, l.failed = 0, nil
	err = l.raw.Read(l.look)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return l.found, errors.Join(err, l.failed)
}

// lookOnce is what the poller calls until it says true; made once, as New's l.look, so
// that a wait allocates nothing.
func (l *Loop) lookOnce(uintptr) bool {
	l.found, l.failed = l.waitAwake(0)
	return l.found != 0 || l.failed != nil
}
