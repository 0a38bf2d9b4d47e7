package srp

import "github.com/pacesync/pacesync/totem/wire"

// keep stores a received message of the ring that q belongs to, unless it is
// known (totemsrp.c: message_handler_mcast).
func (r *Ring) keep(q *sortQueue, m *wire.Mcast, raw []byte) {
	if !q.inRange(m.Seq) || q.get(m.Seq) != nil {
		r.ignore("a repeated message")
		return
	}
	pkt := r.pool.get(len(raw))
	pkt.B = append(pkt.B, raw...)
	q.add(m.Seq, pkt)
	if r.order.high.Before(m.Seq) {
		r.order.high = m.Seq
	}
	r.growAru()
}

// ringQueue is the queue that aru and high are about.
func (r *Ring) ringQueue() *sortQueue {
	if r.st.id() == Recovery {
		return r.order.recovery
	}
	return r.order.regular
}

// regularRing is the ring whose messages the regular queue holds.
func (r *Ring) regularRing() wire.RingID {
	if r.order.saved {
		return r.member.oldRing
	}
	return r.member.ring
}

// growAru moves aru up to the next gap (totemsrp.c: update_aru).
func (r *Ring) growAru() {
	q, o := r.ringQueue(), &r.order
	for o.aru != o.high && q.get(o.aru+1) != nil {
		o.aru++
	}
}

// serveRtr sends the messages that the token asks for and we have, and takes
// them off the list (totemsrp.c: orf_token_rtr). It returns how many.
func (r *Ring) serveRtr(t *wire.Token, allowed int) int {
	if t.NRtr == 0 {
		return 0
	}
	r.traceRtr(t)
	q, resent := r.ringQueue(), 0
	for i := 0; resent < allowed && i < t.NRtr; {
		var pkt *Packet
		if item := t.Rtr[i]; item.Ring == r.member.ring && q.inRange(item.Seq) {
			pkt = q.get(item.Seq)
		}
		if pkt == nil {
			i++
			continue
		}
		r.stats.countRx(wire.TypeMcast)
		r.send(0, pkt.B)
		t.RemoveRtr(i)
		r.stats.McastRetx++
		resent++
	}
	return resent
}

func (r *Ring) traceRtr(t *wire.Token) {
	start := len(r.out.seqs)
	for _, item := range t.Rtr[:t.NRtr] {
		r.out.seqs = append(r.out.seqs, item.Seq)
	}
	r.trace(Trace{Kind: TraceRetransmitList, Seqs: r.out.seqs[start:len(r.out.seqs):len(r.out.seqs)]})
}

// requestMissing puts on the list what we lack since several rotations; it may
// only be late (totemsrp.c: orf_token_rtr, second half).
func (r *Ring) requestMissing(t *wire.Token) {
	q := r.ringQueue()
	for seq := r.order.aru + 1; seq.BeforeEq(t.Seq) && t.NRtr < wire.MaxRtr && q.inRange(seq); seq++ {
		if q.get(seq) != nil {
			continue
		}
		if q.missed(seq) >= min(r.cfg.MissCountConst, maxMissed) && !t.HasRtr(seq) {
			t.AddRtr(r.member.ring, seq)
		}
	}
}

// free gives back the messages that all members have: they were below the aru
// in two visits of the token (totemsrp.c: messages_free).
func (r *Ring) free(tokenAru wire.Seq) {
	to := tokenAru
	if r.token.lastAru.Before(to) {
		to = r.token.lastAru
	}
	if r.order.delivered.Before(to) {
		to = r.order.delivered
	}
	r.order.regular.release(to, &r.pool)
}
