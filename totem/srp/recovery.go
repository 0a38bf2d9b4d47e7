package srp

import "github.com/pacesync/pacesync/totem/wire"

// recovery: the new ring's token goes round, but only to bring everybody who
// comes from the same old ring to the same messages of it.
type recovery struct{}

func (recovery) id() StateID { return Recovery }

func (recovery) onToken(r *Ring, t *wire.Token) { r.handleToken(t) }

// onMcast takes messages of the new ring: recovered ones, and those that a
// member sends who became operational before us; both stay in order in one
// queue. Upstream puts the latter among the old ring's messages.
func (recovery) onMcast(r *Ring, m *wire.Mcast, raw []byte) {
	if m.Ring != r.member.ring {
		r.drop(m.From, "message of another ring in RECOVERY")
		return
	}
	r.keep(r.order.recovery, m, raw)
}

func (recovery) onMergeDetect(r *Ring, _ *wire.MergeDetect) { r.ignore("first this ring") }

// onJoin: a member of the new ring starts over, so we do. Upstream goes through
// up to three membership rounds here, one within the other.
func (recovery) onJoin(r *Ring, j *wire.Join) {
	if r.wasFinished(j) {
		// As if we had been through with the ring too. With the old blame we would
		// talk the others into leaving out again whom they are about to let in, and
		// two rings can break each other's recovery that way for ever. Upstream does.
		r.member.proc.set(r.member.newMemb)
		r.member.failed = r.member.failed[:0]
	}
	if r.joinInterrupts(j) {
		r.stats.RecoveryTokenLost++
		r.enterGather(CauseJoinDuringRecovery)
	}
}

// wasFinished reports whether the sender of a join message has been OPERATIONAL
// in the ring that we still recover. All members began it with the same failed
// list, and only OPERATIONAL empties that: who blames fewer was there.
func (r *Ring) wasFinished(j *wire.Join) bool {
	mb := &r.member
	if !mb.newMemb.has(j.From) || j.RingSeq < mb.ring.Seq {
		return false
	}
	for _, id := range mb.failed {
		if !nodeListed(j.Failed, id) {
			return true
		}
	}
	return false
}

// onCommitToken: when it has come round the second time, all members are in
// RECOVERY and the representative starts the token. TokenSeq counts sendings, so
// a late repetition of the first round is told apart; upstream takes it, and then
// no longer repeats the commit token to a member that missed it.
func (recovery) onCommitToken(r *Ring, t *wire.CommitToken) {
	if r.self != r.member.ring.Rep || r.member.originated || t.Ring != r.member.ring || int(t.TokenSeq) <= len(t.Addr) {
		r.refuse(t.Node, "commit token in RECOVERY: repeated, or not for us")
		return
	}
	r.member.originated = true
	r.trace(Trace{Kind: TraceFirstToken})
	r.sendFirstToken()
	r.armToken()
	r.armRetransmit()
}

func (recovery) onTokenLoss(r *Ring) {
	r.enterGather(CauseTokenLostRecovery)
	r.stats.RecoveryTokenLost++
}

func (recovery) onRetransmit(r *Ring) { r.retransmitToken() }
func (recovery) onHold(r *Ring)       { r.sendStoredToken() }
func (recovery) onMerge(r *Ring)      { r.ignore("first this ring") }
func (recovery) onJoinTimer(r *Ring)  { r.ignore("not armed: COMMIT cancelled it") }
func (recovery) onConsensus(r *Ring)  { r.ignore("not armed: COMMIT cancelled it") }

// enterRecovery learns from the full commit token who comes along from the old
// ring, passes it on and queues what others of the old ring may lack
// (totemsrp.c: memb_state_recovery_enter).
func (r *Ring) enterRecovery(t *wire.CommitToken) {
	mb, o := &r.member, &r.order
	r.clearRetrans()
	o.recovery.reset(r.cfg.SeqStart, &r.pool)
	r.passCommitToken(t)
	r.token = tokenState{seq: r.cfg.TokenSeqStart - 1, stored: r.token.stored, lastAru: r.cfg.SeqStart}

	mb.trans = mb.trans[:0]
	complete := true
	for i, id := range t.Addr {
		e := t.Entry[i]
		if e.Ring == mb.oldRing && mb.memb.has(id) {
			mb.trans.add(id)
			complete = complete && e.Received
		}
		r.trace(Trace{Kind: TraceCommitEntry, Node: id, Ring: e.Ring, Seq: e.Aru, Seq2: e.HighDelivered, Up: e.Received})
	}
	if !complete {
		r.queueOldMessages(t)
	}
	o.aru, o.high = r.cfg.SeqStart, r.cfg.SeqStart
	r.idle = idleState{lastSeq: r.idle.lastSeq}
	r.armToken()
	r.armRetransmit()
	r.setState(recovery{})
	r.stats.RecoveryEntered++
	r.stats.ContinuousGather = 0
}

// queueOldMessages queues all messages of the old ring that we have and some
// member of the transitional ring may lack, each within a message of the new ring.
func (r *Ring) queueOldMessages(t *wire.CommitToken) {
	mb, o := &r.member, &r.order
	low := o.savedHigh
	for i, id := range t.Addr {
		if mb.trans.has(id) && t.Entry[i].Aru.Before(low) {
			low = t.Entry[i].Aru
		}
	}
	if o.savedHigh-low >= sortQueueSize {
		// Upstream asserts. What is out of our queue we cannot send.
		low = o.savedHigh - (sortQueueSize - 1)
	}
	for seq := low + 1; seq.BeforeEq(o.savedHigh); seq++ {
		old := o.regular.get(seq)
		if old == nil {
			continue
		}
		pkt := r.newPacket(len(old.B), wire.Encapsulated)
		pkt.B = append(pkt.B, old.B...)
		r.retrans.push(pkt)
	}
	r.trace(Trace{Kind: TraceRecoverySends, Seq: low + 1, Seq2: o.savedHigh, N: r.retrans.len})
}

// takeRecovered sorts the recovered messages into the old ring's queue
// (totemsrp.c: deliver_messages_from_recovery_to_regular).
func (r *Ring) takeRecovered() {
	o := &r.order
	for seq := r.cfg.SeqStart + 1; seq.BeforeEq(o.aru); seq++ {
		pkt := o.recovery.get(seq)
		if pkt == nil || pkt.B[4] != wire.Encapsulated {
			continue
		}
		inner := pkt.B[wire.McastLen:]
		var m wire.Mcast
		if err := wire.ParseMcast(inner, &m); err != nil {
			r.drop(0, err.Error())
			continue
		}
		if m.Ring != r.member.oldRing || !o.regular.inRange(m.Seq) || o.regular.get(m.Seq) != nil {
			continue
		}
		old := r.pool.get(len(inner))
		old.B = append(old.B, inner...)
		o.regular.add(m.Seq, old)
		if o.savedHigh.Before(m.Seq) {
			o.savedHigh = m.Seq
		}
	}
}

// restoreOld makes aru and high those of the old ring again, because its
// recovery did not come to its end.
func (r *Ring) restoreOld() {
	o := &r.order
	o.aru, o.high = o.savedAru, o.savedHigh
	r.clearRetrans()
	r.trace(Trace{Kind: TraceRestored, Seq: o.aru, Seq2: o.high})
}

func (r *Ring) clearRetrans() {
	for r.retrans.len > 0 {
		r.pool.put(r.retrans.pop())
	}
}

// recoveryRotation notes one visit of the token during recovery and ends it when
// all have sent all, and all have received all, for long enough that everybody
// knows (totemsrp.c: message_handler_orf_token).
func (r *Ring) recoveryRotation(t *wire.Token) {
	k := &r.token
	if r.retrans.len > 0 {
		if t.RetransFlag == 0 {
			t.RetransFlag = 1
			k.setRetransFlag = true
		}
	} else if t.RetransFlag == 1 && k.setRetransFlag {
		t.RetransFlag = 0
		k.setRetransFlag = false
	}
	if t.RetransFlag == 0 {
		k.quiet++
	} else {
		k.quiet = 0
	}
	if k.quiet == 2 {
		k.installSeq = t.Seq
	}
	if k.quiet >= 2 && k.installSeq.BeforeEq(r.order.aru) {
		r.order.received = true
	}
	if k.quiet >= 3 && k.installSeq.BeforeEq(t.Aru) {
		k.settled++
	} else {
		k.settled = 0
	}
	if k.settled == 2 {
		r.enterOperational()
	}
}
