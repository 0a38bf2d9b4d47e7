package pg

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

// Group is the name of a message group.
type Group string

// The two groups that Corosync uses.
const (
	GroupService Group = "a"    // executive messages of the services
	GroupSync    Group = "sync" // the sync layer
)

// MaxMessage is the largest message, header and body together
// (totempg.h: MESSAGE_SIZE_MAX, 1 MiB).
const MaxMessage = 1024 * 1024

// ErrQueueFull tells that there is no room now; try again after the next token.
var ErrQueueFull = errors.New("totem: send queue full")

// ErrTooBig tells that the message is larger than MaxMessage.
var ErrTooBig = errors.New("totem: message larger than 1 MiB")

// ErrNoGroup tells that the group is not one of the two.
var ErrNoGroup = errors.New("totem: unknown group")

// Level is how full the send queue is, with hysteresis (totempg.h:
// totem_queue_level).
type Level uint8

// Queue levels; flow control of library requests hangs on them.
const (
	LevelLow Level = iota
	LevelGood
	LevelHigh
	LevelCritical
)

// Upcall is one thing delivered in total order: a message or a view.
type Upcall struct {
	View    *srp.View // nil: a message
	From    wire.NodeID
	Group   Group
	Data    []byte // the message; valid until the next Step
	Swapped bool   // the sender's byte order is not ours
}

// Output is what a Step (or Mcast, TransAck) wants done, in this order.
type Output struct {
	// Persist: RingSeq must be on disk before anything of Send leaves.
	Persist bool
	RingSeq uint64
	Send    []srp.Datagram
	Up      []Upcall
	// TokenRotated: a token of our ring was handled; the sync layer may send.
	TokenRotated bool
	Trace        []srp.Trace
	// DropQueued: the process was paused; drop every datagram that waits in
	// the receive sockets now, they are stale (totemsrp.c: pause_flush).
	DropQueued bool
	// More: carry this out, then call Take again, before the next Step. Messages
	// behind a regular view or one of the sync layer wait until that was handled,
	// because TransAck may be called on it, and that changes how they are read.
	More bool
}

func (o *Output) reset() {
	clear(o.Send)
	clear(o.Up)
	clear(o.Trace)
	*o = Output{Send: o.Send[:0], Up: o.Up[:0], Trace: o.Trace[:0]}
}

// Stats are the ring's counters and the queue's.
type Stats struct {
	srp.Stats
	MsgReserved   uint32 // stats.pg.msg_reserved
	MsgQueueAvail uint32 // stats.pg.msg_queue_avail
}

// Engine is the protocol of one node. Owned by the loop: all methods are
// called from one goroutine.
type Engine struct {
	cfg   srp.Config
	ring  *srp.Ring
	pack  [2]packer // by srp.Lane
	asm   assemblies
	level Level
	stats Stats

	out     [2]Output
	cur     int            // the Output being filled
	pending []srp.Delivery // from the ring, not handed up yet
	next    int            // the first of them
}

// New returns the engine of a node. storedRingSeq is the number in the node's
// ring id file, 0 when there was none.
func New(cfg srp.Config, storedRingSeq uint64, rng *rand.Rand) *Engine {
	e := &Engine{cfg: cfg, ring: srp.New(cfg, storedRingSeq, rng)}
	e.asm.trans = true
	for i := range e.pack {
		e.pack[i].nextFragment = 1
	}
	return e
}

// Step handles one event.
func (e *Engine) Step(now time.Time, ev srp.Event) {
	if e.next < len(e.pending) {
		panic("pg: Step before the last Output was taken to its end (Output.More)")
	}
	e.asm.reclaim()
	switch ev.Kind {
	case srp.EvPacket:
		if t, ok := wire.PeekType(ev.Data); ok && t == wire.TypeToken {
			// What is packed so far goes with this token (totempg.c:
			// callback_token_received_fn).
			e.flush(srp.LaneNormal)
			e.flush(srp.LaneTrans)
		}
	case srp.EvReconfigure:
		e.cfg = *ev.Config
	}
	e.ring.Step(now, ev)
	e.collect()
}

// collect takes over what the ring wants done.
func (e *Engine) collect() {
	from, to := e.ring.Output(), &e.out[e.cur]
	if from.Persist {
		to.Persist, to.RingSeq = true, from.RingSeq
	}
	to.Send = append(to.Send, from.Send...)
	to.TokenRotated = to.TokenRotated || from.TokenRotated
	to.DropQueued = to.DropQueued || from.DropQueued
	to.Trace = append(to.Trace, from.Trace...)
	if e.next == len(e.pending) {
		e.pending, e.next = e.pending[:0], 0
	}
	e.pending = append(e.pending, from.Up...)
	for _, d := range from.Up {
		if d.View != nil && d.View.Kind == srp.ViewRegular {
			e.restartCut()
		}
	}
	from.Empty()
}

// Take returns what is to be done and empties it; call it until More is false.
// What it returned is valid until the next Take or Step: Mcast, TransAck and
// Room, which services call while they are handed the Up list, add to the next
// Output and leave this one alone. So after them Take must be called too.
func (e *Engine) Take() *Output {
	o := &e.out[e.cur]
	for e.next < len(e.pending) {
		d := e.pending[e.next]
		e.next++
		if d.View != nil {
			if e.view(d.View, o); d.View.Kind == srp.ViewRegular {
				break // who has nothing to sync acknowledges here
			}
		} else if e.message(d, o) && e.asm.trans {
			break // it may be the one that ends the sync
		}
	}
	o.More = e.next < len(e.pending)
	e.cur = 1 - e.cur
	e.out[e.cur].reset()
	return o
}

// view hands up a configuration change. Fragments of those who left are of no
// use. From the regular view on fragments are collected anew, until TransAck: the
// messages of the sync overtake what waits. Upstream once did so from the
// transitional view on, and lost what was recovered behind it (corosync#660).
func (e *Engine) view(v *srp.View, o *Output) {
	if v.Kind == srp.ViewTransitional {
		e.asm.forget(v.Left)
	} else {
		e.asm.trans = true
	}
	o.Up = append(o.Up, Upcall{View: v})
}

// Deadline is when Step wants an EvTimer; zero: never.
func (e *Engine) Deadline() time.Time { return e.ring.Deadline() }

// TransAck ends the time after a transitional view in which only the messages
// of the sync are sent: the services' queue flows again. It must be called while
// the message is handled that ends the sync, at the same place in the order on
// all nodes.
func (e *Engine) TransAck(now time.Time) {
	if !e.ring.Waiting() && !e.asm.trans {
		return
	}
	e.asm.trans = false
	if e.viewPending() {
		// The sync that ends is that of a ring the node has left since: its last
		// message was recovered. The next sync has its own acknowledgement.
		return
	}
	e.flush(srp.LaneNormal)
	e.flush(srp.LaneTrans)
	e.ring.TransAck()
	e.ring.CancelHold(now)
	e.collect()
}

// viewPending reports whether a view waits to be handed up.
func (e *Engine) viewPending() bool {
	for _, d := range e.pending[e.next:] {
		if d.View != nil {
			return true
		}
	}
	return false
}

// CancelHold makes the representative let an idle ring's token go, because the
// caller waits for TokenRotated (totemsrp.c: totemsrp_callback_token_create).
func (e *Engine) CancelHold(now time.Time) {
	e.ring.CancelHold(now)
	e.collect()
}

// Stats are the current counters; the pointer stays the same.
func (e *Engine) Stats() *Stats {
	e.ring.Stats(&e.stats.Stats)
	e.stats.MsgReserved = reserved + 1 // the request that asks for it
	e.stats.MsgQueueAvail = uint32(e.ring.Avail(e.lane()))
	return &e.stats
}

// ClearStats sets the ring's counters to zero.
func (e *Engine) ClearStats() { e.ring.ClearStats() }

// Ring is the current ring id, or that of the ring being formed, and the
// members of the last view; valid until the next Step.
func (e *Engine) Ring() (wire.RingID, []wire.NodeID) { return e.ring.ID(), e.ring.Members() }

// Idle reports whether everything that was queued has been sent.
func (e *Engine) Idle() bool {
	return len(e.pack[srp.LaneNormal].lens) == 0 && len(e.pack[srp.LaneTrans].lens) == 0 &&
		e.ring.Queued(srp.LaneNormal) == 0 && e.ring.Queued(srp.LaneTrans) == 0
}

// State is the state of the membership algorithm.
func (e *Engine) State() srp.StateID { return e.ring.State() }

// Reachable reports whether the node answers now (cfg node status).
func (e *Engine) Reachable(id wire.NodeID) bool { return e.ring.Reachable(id) }

// TimersDue is the set of timers, by bit, that an EvTimer at now would fire.
func (e *Engine) TimersDue(now time.Time) uint32 { return e.ring.TimersDue(now) }

// Check tells what of the core's own state cannot be; nil when all is well.
// Tests call it after each Step.
func (e *Engine) Check() error { return e.ring.Check() }
