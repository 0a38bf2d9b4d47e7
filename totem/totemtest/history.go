package totemtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/pacesync/pacesync/totem/wire"
)

// ProcID names one life of a node: a restarted node is another process.
type ProcID int32

// MsgID names one submitted message of a run.
type MsgID int32

// noMsg is no message.
const noMsg MsgID = -1

// Lane is which of a process's two queues a message goes through: what is
// submitted between a transitional view and the end of its sync (or before the
// first view) overtakes what waits. Order between the lanes of one sender is not
// promised.
type Lane uint8

// The lanes.
const (
	LaneNormal Lane = iota
	LaneTrans
	lanes
)

// Pos is where on the wire a packet or the end of a message is.
type Pos struct {
	Ring  int32  // index in History.Rings; -1: not sent
	Seq   uint32 // counted from the ring's first packet, 1
	Index uint16 // of the message within the packet
}

// notSent is the position of what never reached the wire.
func notSent() Pos { return Pos{Ring: -1} }

func (p Pos) before(o Pos) bool { return p.Seq < o.Seq || p.Seq == o.Seq && p.Index < o.Index }

// Msg is one message that a core accepted.
type Msg struct {
	From  ProcID
	Lane  Lane
	Sync  bool  // of the sync layer, not of a service
	N     int32 // counts the sender's messages of the lane
	Size  int32
	First Pos // the packet with its first byte
	Last  Pos // the packet with its last byte
	At    time.Duration
	// After is the last message the sender had delivered when it submitted.
	After MsgID
	Tiny  uint16 // number among the node's messages that are too short for a name
	sync  syncMeta
}

// EntryKind says what a process saw.
type EntryKind uint8

// What a process can see.
const (
	EntryDeliver EntryKind = iota + 1
	EntryTransitional
	EntryRegular
)

// Entry is one upcall to the application of a process, in order.
type Entry struct {
	At   time.Duration
	Kind EntryKind
	Msg  MsgID // EntryDeliver
	View int32 // others: index in Proc.Views
}

// View is one configuration change as it was delivered.
type View struct {
	Ring    wire.RingID
	Members []wire.NodeID
	Left    []wire.NodeID
	Joined  []wire.NodeID
	Stored  uint64 // the node's ring id file at that moment
}

// Proc is one life of a node.
type Proc struct {
	Node  wire.NodeID
	Life  int
	Alive bool // to the end of the run
	Log   []Entry
	Views []View
	Sent  [lanes][]MsgID
}

// Ring is everything that was multicast in one ring.
type Ring struct {
	ID      wire.RingID
	Packets []uint64 // hash of packet Seq at [Seq-1]
	Turned  []uint64 // the same of what its sender's other byte order makes of it; 0: ours
	Begun   []uint8  // of the message that it goes on with, how many bytes came before, at most 255
	Msgs    []MsgID  // by the position of their last byte
}

// History is one run as the judges see it.
type History struct {
	Procs []Proc
	Msgs  []Msg
	Rings []Ring
	// Lax is set when a node lost its ring id file: ring ids may then repeat, and
	// what depends on them is not judged.
	Lax bool
	// Hostile is set when nodes received packets that nobody sent.
	Hostile bool
	// Quiet lists the moments at which the ring must have settled.
	Quiet []Settled
	// Complete is set when the run ended in peace: nothing may be outstanding.
	Complete bool
	found    []Violation
	rings    map[wire.RingID]int32
}

// Settled is one moment at which the network had been calm long enough: every
// group of connected nodes must hold one ring of exactly that group.
type Settled struct {
	At     time.Duration
	Groups [][]ProcID
	Views  map[ProcID]View // what each process holds then
}

// Violation is a broken promise with its evidence.
type Violation struct {
	Property string
	At       time.Duration
	Detail   string
}

func (v Violation) String() string {
	return fmt.Sprintf("%s at %.6fs: %s", v.Property, v.At.Seconds(), v.Detail)
}

// maxViolations bounds what one run reports: the first ones tell the story.
const maxViolations = 20

func (h *History) fail(property string, at time.Duration, format string, args ...any) {
	if len(h.found) < maxViolations {
		h.found = append(h.found, Violation{property, at, fmt.Sprintf(format, args...)})
	}
}

// ring returns the index of a ring, making it when it is new.
func (h *History) ring(id wire.RingID) int32 {
	if i, ok := h.rings[id]; ok {
		return i
	}
	if h.rings == nil {
		h.rings = map[wire.RingID]int32{}
	}
	i := int32(len(h.Rings))
	h.Rings = append(h.Rings, Ring{ID: id})
	h.rings[id] = i
	return i
}

func (h *History) proc(p ProcID) string {
	return fmt.Sprintf("node %d life %d", h.Procs[p].Node, h.Procs[p].Life)
}

func (h *History) msg(m MsgID) string {
	x := &h.Msgs[m]
	s := fmt.Sprintf("message %d.%d/%d.%d of %d bytes", h.Procs[x.From].Node, h.Procs[x.From].Life, x.Lane, x.N, x.Size)
	if x.Last.Ring >= 0 {
		s += fmt.Sprintf(" (ring %v seq %d.%d", h.Rings[x.Last.Ring].ID, x.Last.Seq, x.Last.Index)
		if x.First.Ring != x.Last.Ring {
			s += fmt.Sprintf(", begun in %v", h.Rings[x.First.Ring].ID)
		}
		s += ")"
	}
	return s
}

// segment is what a process delivered between two regular views.
type segment struct {
	proc  ProcID
	view  int32   // index of the regular view in Proc.Views
	ring  int32   // its ring
	trans int32   // index of the transitional view that ends it; -1: none
	next  int32   // index of the next regular view; -1: the process ended first
	msgs  []MsgID // delivered
	times []Entry // the log entries of msgs, for evidence
	split int     // how many of msgs came before the transitional view
}

// segments cuts a process's log at its regular views. Deliveries before the
// first view are not in any segment; checkViews reports them.
func (h *History) segments(p ProcID) []segment {
	var out []segment
	log := h.Procs[p].Log
	for _, e := range log {
		last := len(out) - 1
		switch e.Kind {
		case EntryRegular:
			if last >= 0 {
				out[last].next = e.View
			}
			ring := h.ring(h.Procs[p].Views[e.View].Ring)
			out = append(out, segment{proc: p, view: e.View, ring: ring, trans: -1, next: -1})
		case EntryTransitional:
			if last >= 0 {
				out[last].trans, out[last].split = e.View, len(out[last].msgs)
			}
		case EntryDeliver:
			if last >= 0 {
				out[last].msgs = append(out[last].msgs, e.Msg)
				out[last].times = append(out[last].times, e)
			}
		}
	}
	for i := range out {
		if out[i].trans < 0 {
			out[i].split = len(out[i].msgs)
		}
	}
	return out
}

// Check judges the run and returns what is broken, the earliest finds first.
func (h *History) Check() []Violation {
	segs := make([][]segment, len(h.Procs))
	for p := range h.Procs {
		segs[p] = h.segments(ProcID(p))
	}
	if !h.Lax {
		h.checkViews(segs)
		h.checkOrder(segs)
		h.checkTogether(segs)
		h.checkCausal()
	}
	if !h.Hostile {
		h.checkNoDuplicates()
		h.checkSettled()
	}
	slices.SortStableFunc(h.found, func(a, b Violation) int { return int(a.At - b.At) })
	return h.found
}
