// Package loop is the event loop of the corosync daemon: one goroutine
// with its own epoll instance that owns every socket, timer and protocol state
// of the daemon.
//
// It replaces libqb's qb_loop. The Go runtime's own poller knows none of the
// descriptors registered here: they are read by the loop alone, so that a
// token is handled without a goroutine switch; only an idle loop sleeps in it. Only
// Post and Stop may be called from other goroutines.
//
// The goroutine is not locked to its thread, which stays the same while events come.
// Locked, it would be woken by another thread each time that it slept or that the
// monitor took it off its P: a fifth of the way of a message that meets sleeping daemons.
package loop

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Priority orders the handlers that became ready in one turn.
type Priority uint8

// The ring is served before library clients, but for a moment: see order.
const (
	High Priority = iota // ring sockets
	Low                  // library clients, signals, everything else
)

// Event bits, as epoll has them.
const (
	Readable = unix.EPOLLIN
	Writable = unix.EPOLLOUT
	Hangup   = unix.EPOLLHUP | unix.EPOLLRDHUP
	Failed   = unix.EPOLLERR
)

// batch is how many ready descriptors one epoll_wait may return; more are
// picked up in the next turn.
const batch = 128

// Handler is called with the event bits of its descriptor.
type Handler func(events uint32)

type watch struct {
	fn  Handler
	pri Priority
	gen int32 // tells a reused descriptor number from its predecessor
}

// Loop is owned by the goroutine that calls Run; see the package comment for
// the two methods that others may call.
type Loop struct {
	epfd    int
	bed     bed
	wakefd  int
	watches []watch // by descriptor
	gen     int32
	events  [batch]unix.EpollEvent
	timers  timerHeap
	now     time.Time
	order   order
	last    time.Time     // when an event last came
	busy    bool          // the one before came shortly before it
	woke    time.Time     // when it last slept
	watched bool          // the monitor was called since
	idle    []func() bool // run each turn; true: more to do, do not block
	stopped bool
	shared  bool

	mu     sync.Mutex
	posted []func()
	spare  []func()
}

// New makes a loop. The caller runs it with Run and frees it with Close.
func New() (*Loop, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("loop: epoll_create1: %w", err)
	}
	bed, err := newBed(epfd)
	if err != nil {
		unix.Close(epfd)
		return nil, fmt.Errorf("loop: %w", err)
	}
	wakefd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		bed.close()
		unix.Close(epfd)
		return nil, fmt.Errorf("loop: eventfd: %w", err)
	}
	l := &Loop{epfd: epfd, bed: bed, wakefd: wakefd, now: time.Now()}
	l.bed.look = l.lookOnce
	if err := l.Add(wakefd, Readable, Low, l.drainWake); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// Close frees the descriptors of the loop itself.
func (l *Loop) Close() {
	unix.Close(l.wakefd)
	l.bed.close()
	unix.Close(l.epfd)
}

// Shared makes Run give its P away whenever it waits, also while it is busy: for
// programs that have other goroutines and no token to hand on. Call it before Run.
func (l *Loop) Shared() { l.shared = true }

// Add watches fd. fn runs on the loop whenever one of events is there.
func (l *Loop) Add(fd int, events uint32, pri Priority, fn Handler) error {
	for fd >= len(l.watches) {
		l.watches = append(l.watches, watch{})
	}
	l.gen++
	ev := unix.EpollEvent{Events: events, Fd: int32(fd), Pad: l.gen}
	if err := unix.EpollCtl(l.epfd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("loop: watch descriptor %d: %w", fd, err)
	}
	l.watches[fd] = watch{fn: fn, pri: pri, gen: l.gen}
	return nil
}

// Modify changes what fd is watched for.
func (l *Loop) Modify(fd int, events uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(fd), Pad: l.watches[fd].gen}
	if err := unix.EpollCtl(l.epfd, unix.EPOLL_CTL_MOD, fd, &ev); err != nil {
		return fmt.Errorf("loop: change watch of descriptor %d: %w", fd, err)
	}
	return nil
}

// Remove stops watching fd; call it before closing fd. Events of fd that this
// turn has already collected are not delivered.
func (l *Loop) Remove(fd int) {
	if fd < 0 || fd >= len(l.watches) || l.watches[fd].fn == nil {
		return
	}
	l.watches[fd] = watch{}
	// The only errors left are those of a descriptor that is gone already.
	_ = unix.EpollCtl(l.epfd, unix.EPOLL_CTL_DEL, fd, nil)
}

// Now is the time at which the current turn woke up (monotonic).
func (l *Loop) Now() time.Time { return l.now }

// EachTurn runs fn at the end of every turn, before the loop waits. While fn
// returns true the loop does not block.
func (l *Loop) EachTurn(fn func() (more bool)) { l.idle = append(l.idle, fn) }

// Post runs fn on the loop, soon. Any goroutine may call it.
func (l *Loop) Post(fn func()) {
	l.mu.Lock()
	l.posted = append(l.posted, fn)
	l.mu.Unlock()
	one := [8]byte{0: 1}
	// EAGAIN means that the counter is full, and so a wake-up is under way.
	_, _ = unix.Write(l.wakefd, one[:])
}

// Stop ends Run after the current turn. Any goroutine may call it.
func (l *Loop) Stop() { l.Post(func() { l.stopped = true }) }

// Run serves events on the calling goroutine until Stop.
func (l *Loop) Run() error {
	more := true // what was begun before Run, EachTurn may have to finish
	for !l.stopped {
		timeout := l.timeout()
		if more {
			timeout = 0
		}
		n, err := l.wait(timeout)
		if err != nil {
			return fmt.Errorf("loop: epoll_wait: %w", err)
		}
		l.now = time.Now()
		l.noteEvents(n)
		l.runTimers()
		l.dispatch(n)
		more = false
		for _, fn := range l.idle {
			more = fn() || more
		}
	}
	return nil
}

// dispatch calls the handlers of the first n events: the urgent ones first, or, while
// the ring waits, the others alone. What is left out, epoll tells again.
func (l *Loop) dispatch(n int) {
	if l.order.ringNow(l.now, l.ready(n, High), l.ready(n, Low)) {
		l.call(n, High)
		l.order.ringServed(time.Now())
	}
	l.call(n, Low)
}

// live returns the watch of an event; nil: it has ended since.
func (l *Loop) live(ev *unix.EpollEvent) *watch {
	if w := &l.watches[ev.Fd]; w.fn != nil && w.gen == ev.Pad {
		return w
	}
	return nil
}

// ready says whether one of the events has this priority.
func (l *Loop) ready(n int, pri Priority) bool {
	for i := range n {
		if w := l.live(&l.events[i]); w != nil && w.pri == pri {
			return true
		}
	}
	return false
}

func (l *Loop) call(n int, pri Priority) {
	for i := range n {
		ev := &l.events[i]
		if w := l.live(ev); w != nil && w.pri == pri {
			w.fn(ev.Events)
		}
	}
}

func (l *Loop) drainWake(uint32) {
	var buf [8]byte
	// Nonblocking: an empty counter is no error here.
	_, _ = unix.Read(l.wakefd, buf[:])
	l.mu.Lock()
	l.posted, l.spare = l.spare[:0], l.posted
	todo := l.spare
	l.mu.Unlock()
	for i, fn := range todo {
		todo[i] = nil
		fn()
	}
}
