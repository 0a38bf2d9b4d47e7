// Package servicetest runs service engines without a daemon: a Host that
// records what an engine does, clients that record what they were told, and a
// Cluster of such hosts with one total order and the sync rounds of a
// membership change. Tests of the service packages call it.
//
// Upstream has nothing like it; the order of events follows exec/sync.c and
// exec/main.c: confchg_fn.
package servicetest

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Host is a service.Host for tests. Owned by the test's goroutine. The zero
// clock starts at a fixed instant, so tests are the same every day.
type Host struct {
	ID      uint32
	Clock   time.Time
	RingNow service.RingID
	Members []uint32
	// Sent holds each multicast message as one slice, oldest first, until the
	// test or the Cluster takes it.
	Sent [][]byte
	// Full makes Mcast fail with ErrTryAgain and Room answer false.
	Full bool
	// Ended is set by Shutdown.
	Ended  bool
	Status int
	Left   bool

	timers []*timer
	nexth  uint64
}

// NewHost is a host that is alone in its ring.
func NewHost(id uint32) *Host {
	return &Host{
		ID: id, Clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		RingNow: service.RingID{Rep: id, Seq: 4}, Members: []uint32{id},
	}
}

func (h *Host) NodeID() uint32                   { return h.ID }
func (h *Host) Room(n int) bool                  { return !h.Full }
func (h *Host) Now() time.Time                   { return h.Clock }
func (h *Host) Ring() (service.RingID, []uint32) { return h.RingNow, h.Members }

// Mcast records the message.
func (h *Host) Mcast(hdr, body []byte) error {
	if h.Full {
		return service.ErrTryAgain
	}
	h.Sent = append(h.Sent, slices.Concat(hdr, body))
	return nil
}

// Shutdown records the first request.
func (h *Host) Shutdown(status int, leave bool) {
	if !h.Ended {
		h.Ended, h.Status, h.Left = true, status, leave
	}
}

// Take returns and forgets what was sent.
func (h *Host) Take() [][]byte {
	out := h.Sent
	h.Sent = nil
	return out
}

type timer struct {
	h  *Host
	at time.Time
	fn func()
}

// Stop implements service.Timer.
func (t *timer) Stop() bool {
	i := slices.Index(t.h.timers, t)
	if i < 0 {
		return false
	}
	t.h.timers = slices.Delete(t.h.timers, i, i+1)
	return true
}

// After implements service.Host; the timer fires in Advance.
func (h *Host) After(d time.Duration, fn func()) service.Timer {
	t := &timer{h: h, at: h.Clock.Add(d), fn: fn}
	h.timers = append(h.timers, t)
	return t
}

// Pending is the number of armed timers.
func (h *Host) Pending() int { return len(h.timers) }

// Advance moves the clock by d and runs what falls due, in order of time.
func (h *Host) Advance(d time.Duration) {
	end := h.Clock.Add(d)
	for {
		var next *timer
		for _, t := range h.timers {
			if !t.at.After(end) && (next == nil || t.at.Before(next.at)) {
				next = t
			}
		}
		if next == nil {
			break
		}
		if next.at.After(h.Clock) {
			h.Clock = next.at
		}
		next.Stop()
		next.fn()
	}
	h.Clock = end
}

// Conn is a service.Conn that keeps every reply and event as one slice.
// Owned by the test's goroutine.
type Conn struct {
	H             uint64
	Pid, Uid, Gid uint32
	Replies       [][]byte
	Events        [][]byte
	state         any
}

// NewConn is a client with a fresh handle, uid 0 and pid 1000 + handle.
func (h *Host) NewConn() *Conn {
	h.nexth++
	return &Conn{H: h.nexth, Pid: 1000 + uint32(h.nexth)}
}

func (c *Conn) Handle() uint64         { return c.H }
func (c *Conn) PID() uint32            { return c.Pid }
func (c *Conn) UID() uint32            { return c.Uid }
func (c *Conn) GID() uint32            { return c.Gid }
func (c *Conn) Reply(hdr, body []byte) { c.Replies = append(c.Replies, slices.Concat(hdr, body)) }
func (c *Conn) Event(hdr, body []byte) { c.Events = append(c.Events, slices.Concat(hdr, body)) }
func (c *Conn) State() any             { return c.state }
func (c *Conn) SetState(v any)         { c.state = v }

// TakeReplies returns and forgets the replies.
func (c *Conn) TakeReplies() [][]byte {
	out := c.Replies
	c.Replies = nil
	return out
}

// TakeEvents returns and forgets the events.
func (c *Conn) TakeEvents() [][]byte {
	out := c.Events
	c.Events = nil
	return out
}

// Header is the id, size and, for replies and events, the error of a message.
func Header(msg []byte) (id, size int32, err service.Error) {
	le := binary.LittleEndian
	id, size = int32(le.Uint32(msg)), int32(le.Uint32(msg[8:]))
	if len(msg) >= 20 {
		err = service.Error(int32(le.Uint32(msg[16:])))
	}
	return id, size, err
}

// Request is a library request: 16-byte header and body.
func Request(id int32, body ...byte) []byte {
	msg := make([]byte, 16, 16+len(body))
	binary.LittleEndian.PutUint32(msg, uint32(id))
	binary.LittleEndian.PutUint32(msg[8:], uint32(16+len(body)))
	return append(msg, body...)
}
