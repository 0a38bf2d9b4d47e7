package pg

import (
	"time"

	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

// packer collects the messages of one lane until the packet is full or the
// token comes (totempg.c: mcast_msg). Upstream has one for both lanes; a packet
// begun before a membership change could then go out among the sync's messages.
type packer struct {
	lens         []uint16
	data         []byte
	continuation uint8 // the packet begins with the rest of a message
	nextFragment uint8
}

// reserved is upstream's totempg_reserved: one packet is always kept free.
const reserved = 1

// packOverhead is what upstream takes off the MTU when it counts how many
// packets a message needs: pack header and some lengths (totempg.c:
// byte_count_send_ok).
const packOverhead = wire.PackLen + 16

// lane is the one that new messages go to.
func (e *Engine) lane() srp.Lane {
	if e.ring.Waiting() {
		return srp.LaneTrans
	}
	return srp.LaneNormal
}

func (e *Engine) packetsFor(n int) int { return n/(e.cfg.NetMTU-packOverhead) + 1 }

// Room says whether a message of n bytes would be taken now.
func (e *Engine) Room(n int) bool {
	return n <= MaxMessage && e.ring.Avail(e.lane())-reserved > e.packetsFor(n+maxGroupHeader)
}

// Mcast queues a message, hdr followed by body, for all members, this node
// included. Both are copied. It can produce output (cancelling a held token).
func (e *Engine) Mcast(now time.Time, group Group, hdr, body []byte) error {
	var buf [maxGroupHeader]byte
	gh, err := appendGroup(buf[:0], group)
	if err != nil {
		return err
	}
	if len(hdr)+len(body) > MaxMessage {
		return ErrTooBig
	}
	l := e.lane()
	p := &e.pack[l]
	total := len(gh) + len(hdr) + len(body)
	if e.ring.Avail(l) <= e.packetsFor(total+2*len(p.lens)) {
		return ErrQueueFull
	}
	e.ring.CancelHold(now)
	full := e.cfg.NetMTU - wire.PackLen - 2*(len(p.lens)+1) // reached only when the MTU has become smaller
	if len(p.data) > 0 && (len(p.data) >= full || len(p.data)+total > e.ring.Share()) {
		e.emit(l, 0)
	}
	p.lens = append(p.lens, 0)
	for _, part := range [...][]byte{gh, hdr, body} {
		for len(part) > 0 {
			if len(p.lens) == 0 { // the packet before was full
				p.lens = append(p.lens, 0)
			}
			n := e.add(l, part, total)
			part, total = part[n:], total-n
		}
	}
	e.collect()
	return nil
}

// add packs what fits of part, of a message that still has total bytes to go,
// and sends the packet if it is full.
func (e *Engine) add(l srp.Lane, part []byte, total int) int {
	p := &e.pack[l]
	room := e.cfg.NetMTU - wire.PackLen - 2*len(p.lens)
	last := len(p.lens) - 1
	if total+len(p.data) < room-2 {
		// All of it, and room for another length and at least one byte.
		p.data = append(p.data, part...)
		p.lens[last] += uint16(len(part))
		p.nextFragment = 1
		return len(part)
	}
	n := min(len(part), room-len(p.data))
	p.data = append(p.data, part[:n]...)
	p.lens[last] += uint16(n)
	if len(p.data) < room && n < total {
		return n // the next part goes on filling this packet
	}
	if n == total {
		e.emit(l, 0)
		return n
	}
	id := p.nextFragment
	p.nextFragment++
	if p.nextFragment == 0 {
		p.nextFragment = 1
	}
	e.emit(l, id)
	return n
}

// emit moves the collected packet to the ring's queue. fragmented is the id of
// the rest of its last message, 0 if that is complete.
func (e *Engine) emit(l srp.Lane, fragmented uint8) {
	p := &e.pack[l]
	pkt := e.ring.NewPacket(wire.PackLen + 2*len(p.lens) + len(p.data))
	pkt.B = wire.AppendPack(pkt.B, fragmented, p.continuation, p.lens)
	pkt.B = append(pkt.B, p.data...)
	span := srp.SpanWhole
	if fragmented != 0 {
		span = srp.SpanBegins
		if p.continuation != 0 && len(p.lens) == 1 {
			span = srp.SpanMiddle
		}
	}
	e.ring.Enqueue(l, pkt, span)
	p.lens, p.data, p.continuation = p.lens[:0], p.data[:0], fragmented
}

// flush sends the packet that is begun, if there is one and room.
func (e *Engine) flush(l srp.Lane) {
	if len(e.pack[l].lens) > 0 && e.ring.Avail(l) > 0 {
		e.emit(l, 0)
	}
}

// restartCut sends those messages anew that the membership change cut: begun
// on the old ring, not yet sent to the end. Who came along has the beginning, who
// joined has not; only so all get the whole message or none of it. A packet that
// continues nothing anybody waits for makes receivers forget the beginning, the
// original's included. Upstream sends the rest only, and who joined loses it and
// what shares a packet with it.
func (e *Engine) restartCut() {
	for _, l := range [...]srp.Lane{srp.LaneNormal, srp.LaneTrans} {
		sent := e.ring.PartlySent(l)
		if len(sent) == 0 {
			continue
		}
		o := &e.out[e.cur]
		o.Trace = append(o.Trace, srp.Trace{Kind: srp.TraceRestarted, N: len(sent)})
		for i := len(sent) - 1; i > 0; i-- {
			e.requeue(l, sent[i].Payload(), srp.SpanMiddle)
		}
		first, last := lastPiece(sent[0].Payload()), mustParse(sent[len(sent)-1].Payload())
		e.requeue(l, first, srp.SpanBegins)
		e.requeue(l, resetPacket(last.Fragmented), srp.SpanWhole)
		e.ring.ForgetSent(l)
	}
}

func (e *Engine) requeue(l srp.Lane, payload []byte, span srp.Span) {
	pkt := e.ring.NewPacket(len(payload))
	pkt.B = append(pkt.B, payload...)
	e.ring.Requeue(l, pkt, span)
}

// lastPiece is a packet with only the last, unfinished message of another.
func lastPiece(payload []byte) []byte {
	p := mustParse(payload)
	var piece []byte
	for i := range p.Count {
		piece = p.Next(i)
	}
	out := wire.AppendPack(nil, p.Fragmented, 0, []uint16{uint16(len(piece))})
	return append(out, piece...)
}

// resetPacket continues a fragment that is neither pending nor 0, so it fits
// nobody; what it carries is dropped (totempg.c: totempg_deliver_fn).
func resetPacket(pending uint8) []byte {
	other := pending + 1
	if other == 0 {
		other = 1
	}
	return append(wire.AppendPack(nil, 0, other, []uint16{1}), 0)
}

// mustParse reads a packet that we packed.
func mustParse(payload []byte) wire.Pack {
	p, err := wire.ParsePack(payload, false)
	if err != nil {
		panic("pg: own packet: " + err.Error())
	}
	return p
}

// QueueLevel is how full the send queue is, with hysteresis (totempg.c:
// check_q_level).
func (e *Engine) QueueLevel() Level {
	free := max(e.ring.Avail(e.lane())-reserved, 0)
	used := 100 - free*100/e.ring.QueueMax()
	switch {
	case used >= 75:
		e.level = LevelCritical
	case used < 30:
		e.level = LevelLow
	case used > 40 && used < 50:
		e.level = LevelGood
	case used > 60 && used < 70:
		e.level = LevelHigh
	}
	return e.level
}
