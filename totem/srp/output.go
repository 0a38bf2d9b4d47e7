package srp

import "github.com/pacesync/pacesync/totem/wire"

// Datagram is one packet to send.
type Datagram struct {
	// To is the destination; 0 is every configured node. A datagram to the node
	// itself (the token of a one-node ring) must come back as EvPacket on a later
	// turn. Copies of a To 0 datagram need not come back: the ring has already
	// handled its own copy, and drops another one.
	To   wire.NodeID
	Data []byte // valid until the next Step
}

// ViewKind is transitional or regular.
type ViewKind uint8

// The two configuration changes of extended virtual synchrony: first the
// transitional view (those who came along from the old ring), then the regular one.
const (
	ViewTransitional ViewKind = iota + 1
	ViewRegular
)

func (k ViewKind) String() string {
	if k == ViewTransitional {
		return "transitional"
	}
	return "regular"
}

// View is one configuration change. All lists ascend.
type View struct {
	Kind    ViewKind
	Members []wire.NodeID
	Left    []wire.NodeID
	Joined  []wire.NodeID
	Ring    wire.RingID // the new ring, in both kinds
}

// Delivery is one mcast payload or one view, in order.
type Delivery struct {
	View    *View // nil: a message
	From    wire.NodeID
	Payload []byte // valid until the next Step
	Swapped bool   // the sender's byte order is not ours
}

// Output is what a call wants done, in this order.
type Output struct {
	// Persist: RingSeq must be on disk before anything of Send leaves.
	Persist      bool
	RingSeq      uint64
	Send         []Datagram
	Up           []Delivery
	TokenRotated bool // a token of our ring was handled
	DropQueued   bool // the process was paused: what waits in the sockets is stale
	Trace        []Trace

	arena []byte     // memory of the datagrams built in this turn
	seqs  []wire.Seq // memory of the traces of this turn
}

// Empty forgets what was carried out or copied; the memory that it refers to
// stays until the next Step.
func (o *Output) Empty() {
	o.Persist, o.TokenRotated, o.DropQueued = false, false, false
	clear(o.Send)
	clear(o.Up)
	clear(o.Trace)
	o.Send, o.Up, o.Trace = o.Send[:0], o.Up[:0], o.Trace[:0]
}

// reset gives back the memory too.
func (o *Output) reset() {
	o.Empty()
	o.arena, o.seqs = o.arena[:0], o.seqs[:0]
}

// appender is a message that can write itself.
type appender interface{ Append(b []byte) []byte }

// build writes a message into memory that lives until the next Step.
func (o *Output) build(m appender) []byte {
	start := len(o.arena)
	o.arena = m.Append(o.arena)
	return o.arena[start:len(o.arena):len(o.arena)]
}

// send queues a datagram; data must live until the next Step.
func (r *Ring) send(to wire.NodeID, data []byte) {
	r.out.Send = append(r.out.Send, Datagram{to, data})
}
