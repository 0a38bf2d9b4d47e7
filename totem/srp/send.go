package srp

import (
	"github.com/pacesync/pacesync/totem/wire"
)

// messageQueueBytes is how much may wait in one lane, counted in full packets
// (totemsrp.h: MESSAGE_QUEUE_MAX, four messages of 1 MiB).
const messageQueueBytes = 4 * 1024 * 1024

// QueueMax is how many packets a lane takes.
func (r *Ring) QueueMax() int { return messageQueueBytes / r.cfg.NetMTU }

// Avail is how many more packets the lane takes now.
func (r *Ring) Avail(l Lane) int { return max(r.QueueMax()-r.lane[l].len, 0) }

// Queued is the number of packets of a lane that wait for the token.
func (r *Ring) Queued(l Lane) int { return r.lane[l].len }

// Waiting reports whether only LaneTrans is sent: from the start or a
// transitional view until TransAck.
func (r *Ring) Waiting() bool { return r.waiting }

// TransAck ends the waiting (totemsrp.c: totemsrp_trans_ack). What is left in
// LaneTrans is sent behind what waits in LaneNormal; upstream leaves it until the
// next sync.
func (r *Ring) TransAck() {
	r.waiting = false
	trans, normal := &r.lane[LaneTrans], &r.lane[LaneNormal]
	for trans.len > 0 {
		normal.push(trans.pop())
	}
	r.clearSent(trans)
}

// NewPacket returns a packet of this node with room for n bytes of payload,
// which the caller appends to B before Enqueue or Requeue.
func (r *Ring) NewPacket(n int) *Packet { return r.newPacket(n, wire.Plain) }

func (r *Ring) newPacket(n int, encapsulated uint8) *Packet {
	pkt := r.pool.get(wire.McastLen + n)
	m := wire.Mcast{Header: wire.Header{Node: r.self, Encapsulated: encapsulated}, From: r.self}
	pkt.B = m.Append(pkt.B)
	return pkt
}

// Payload is what the caller of NewPacket appended.
func (p *Packet) Payload() []byte { return p.B[wire.McastLen:] }

// Span says how a packet's last message goes on.
type Span uint8

// A message that does not fit one packet begins in one, may fill some in the
// middle, and ends in one that counts as Whole again.
const (
	SpanWhole  Span = iota // the last message ends here
	SpanBegins             // it begins here and goes on
	SpanMiddle             // it fills the packet and goes on
)

// Enqueue puts a packet at the end of a lane, which must have room.
func (r *Ring) Enqueue(l Lane, pkt *Packet, span Span) {
	r.stats.McastTx++
	r.lane[l].push(outgoing{pkt, span})
}

// Requeue puts a packet at the front of a lane; there is always room.
func (r *Ring) Requeue(l Lane, pkt *Packet, span Span) {
	r.stats.McastTx++
	r.lane[l].pushFront(outgoing{pkt, span})
}

// PartlySent are the packets of a message whose end still waits in the lane,
// oldest first; they stay valid until ForgetSent.
func (r *Ring) PartlySent(l Lane) []*Packet { return r.lane[l].sent }

// ForgetSent gives up the packets of PartlySent.
func (r *Ring) ForgetSent(l Lane) { r.clearSent(&r.lane[l]) }

func (r *Ring) clearSent(q *laneQueue) {
	for i, pkt := range q.sent {
		r.pool.put(pkt)
		q.sent[i] = nil
	}
	q.sent = q.sent[:0]
}

// noteSent remembers the packets of a message that is not sent to its end.
func (q *laneQueue) noteSent(out outgoing, p *pool) {
	if out.span != SpanMiddle {
		for i, pkt := range q.sent {
			p.put(pkt)
			q.sent[i] = nil
		}
		q.sent = q.sent[:0]
	}
	if out.span != SpanWhole {
		out.pkt.refs++
		q.sent = append(q.sent, out.pkt)
	}
}
