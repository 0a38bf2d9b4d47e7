package srp

import "github.com/pacesync/pacesync/totem/wire"

// sortQueueSize is how far apart the oldest and the newest message kept can be
// (totemsrp.c: QUEUE_RTR_ITEMS_SIZE_MAX).
const sortQueueSize = 16384

// sortQueue keeps the messages of one ring by number, from the first that some
// member may still lack (include/corosync/sq.h).
//
// Invariant: an occupied slot's number is in [head, head+sortQueueSize).
type sortQueue struct {
	head  wire.Seq // the oldest number that may be kept
	slots []sortSlot
}

type sortSlot struct {
	pkt  *Packet
	seq  wire.Seq
	miss uint16 // rotations this number has been missing
}

func newSortQueue() *sortQueue { return &sortQueue{slots: make([]sortSlot, sortQueueSize)} }

func (q *sortQueue) slot(seq wire.Seq) *sortSlot { return &q.slots[seq%sortQueueSize] }

func (q *sortQueue) inRange(seq wire.Seq) bool { return seq-q.head < sortQueueSize }

// get returns the message, nil if it is missing or out of range.
func (q *sortQueue) get(seq wire.Seq) *Packet {
	if s := q.slot(seq); s.pkt != nil && s.seq == seq {
		return s.pkt
	}
	return nil
}

// add keeps a message, whose reference it takes over; the number must be in
// range and missing.
func (q *sortQueue) add(seq wire.Seq, pkt *Packet) {
	s := q.slot(seq)
	if s.pkt != nil || !q.inRange(seq) {
		panic("srp: sort queue slot is taken or out of range")
	}
	*s = sortSlot{pkt: pkt, seq: seq}
}

// maxMissed is how far missed counts.
const maxMissed = 1 << 15

// missed counts one more rotation without the message.
func (q *sortQueue) missed(seq wire.Seq) int {
	s := q.slot(seq)
	if s.seq != seq {
		*s = sortSlot{seq: seq}
	}
	if s.miss < maxMissed {
		s.miss++
	}
	return int(s.miss)
}

// release gives back everything up to and including seq.
func (q *sortQueue) release(seq wire.Seq, p *pool) {
	for ; q.head.BeforeEq(seq); q.head++ {
		s := q.slot(q.head)
		if s.pkt != nil {
			p.put(s.pkt)
		}
		*s = sortSlot{}
	}
}

// reset empties the queue; the first number will be start+1.
func (q *sortQueue) reset(start wire.Seq, p *pool) {
	for i := range q.slots {
		if pkt := q.slots[i].pkt; pkt != nil {
			p.put(pkt)
		}
		q.slots[i] = sortSlot{}
	}
	q.head = start + 1
}
