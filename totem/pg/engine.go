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
	// behind one of the sync layer wait until it was handled, because it may be
	// the one on which TransAck is called, and that changes how they are read.
	More bool
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
	out Output
}

// New returns the engine of a node. storedRingSeq is the number in the node's
// ring id file, 0 when there was none.
func New(cfg srp.Config, storedRingSeq uint64, rng *rand.Rand) *Engine { return &Engine{} }

// Step handles one event.
func (e *Engine) Step(now time.Time, ev srp.Event) {}

// Take returns what is to be done and empties it; call it until More is false.
// What it returned is valid until the next Take or Step: Mcast, TransAck and
// Room, which services call while they are handed the Up list, add to the next
// Output and leave this one alone. So after them Take must be called too.
func (e *Engine) Take() *Output { return &e.out }

// Deadline is when Step wants an EvTimer; zero: never.
func (e *Engine) Deadline() time.Time { return time.Time{} }

// Mcast queues a message, hdr followed by body, for all members, this node
// included. Both are copied. It can produce output (cancelling a held token).
func (e *Engine) Mcast(now time.Time, group Group, hdr, body []byte) error { return ErrQueueFull }

// Room says whether a message of n bytes would be taken now.
func (e *Engine) Room(n int) bool { return false }

// QueueLevel is how full the send queue is.
func (e *Engine) QueueLevel() Level { return LevelLow }

// TransAck ends the time after a transitional view in which only the messages
// of the sync are sent: the services' queue flows again.
func (e *Engine) TransAck(now time.Time) {}

// CancelHold makes the representative let an idle ring's token go, because the
// caller waits for TokenRotated (totemsrp.c: totemsrp_callback_token_create).
func (e *Engine) CancelHold(now time.Time) {}

// Stats are the current counters; the pointer stays the same.
func (e *Engine) Stats() *Stats { return &Stats{} }

// Ring is the current ring id and its members.
func (e *Engine) Ring() (wire.RingID, []wire.NodeID) { return wire.RingID{}, nil }
