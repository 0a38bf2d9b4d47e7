package qbipc

import (
	"time"

	"github.com/pacesync/pacesync/internal/corosync/loop"
	"golang.org/x/sys/unix"
)

// Poller is the event loop that owns a Server: every callback runs on one
// thread of control. Events are epoll's bits.
type Poller interface {
	Add(fd int, events uint32, fn func(events uint32)) error
	Modify(fd int, events uint32) error
	// Remove is called before fd is closed; collected events of fd are dropped.
	Remove(fd int)
	// NewTimer makes a timer that is not armed.
	NewTimer(fn func()) Timer
	Now() time.Time
}

// Timer is a reusable timer of a Poller.
type Timer interface {
	Reset(at time.Time)
	Stop() bool
}

// Event bits that a server asks for and understands.
const (
	pollIn   = unix.EPOLLIN
	pollOut  = unix.EPOLLOUT
	pollGone = unix.EPOLLHUP | unix.EPOLLRDHUP | unix.EPOLLERR
)

// OnLoop makes a loop of the corosync daemon's kind a Poller. Clients are
// served after everything urgent.
func OnLoop(l *loop.Loop) Poller { return loopPoller{l} }

type loopPoller struct{ *loop.Loop }

func (p loopPoller) Add(fd int, events uint32, fn func(uint32)) error {
	return p.Loop.Add(fd, events, loop.Low, fn)
}

func (p loopPoller) NewTimer(fn func()) Timer { return p.Loop.NewTimer(fn) }
