package srp

import "github.com/pacesync/pacesync/totem/wire"

// operational: the ring works. The token goes round, messages are sent and
// delivered in order.
type operational struct{}

func (operational) id() StateID { return Operational }

func (operational) onToken(r *Ring, t *wire.Token) { r.handleToken(t) }

// onMcast takes a message of the ring; one of another ring means that there is
// another ring (totemsrp.c: message_handler_mcast).
func (operational) onMcast(r *Ring, m *wire.Mcast, raw []byte) {
	if m.Ring == r.member.ring {
		if m.Encapsulated == wire.Encapsulated {
			// All members have all recovered messages, or we would not be here.
			r.drop(m.From, "recovery message after recovery")
			return
		}
		r.flow.others = r.now
		r.keep(r.order.regular, m, raw)
		r.deliver(false, r.order.high)
		return
	}
	if r.stale(m.From, m.Ring) {
		r.drop(m.From, "message of a ring that its sender has left")
		return
	}
	r.noteForeign(m)
	r.member.addProc(m.From)
	r.enterGather(CauseForeignOperational)
}

func (operational) onMergeDetect(r *Ring, m *wire.MergeDetect) {
	if r.stale(m.From, m.Ring) {
		r.refuse(m.From, "merge detect of a ring that its sender has left")
		return
	}
	r.foreign.note(r.now, m.From, m.Ring.Seq)
	r.member.addProc(m.From)
	r.enterGather(CauseMergeOperational)
}

// onJoin: somebody gathers. Two kinds are not for us (totemsrp.c:
// ignore_join_under_operational): one that does not want us, and one that a
// member sent before this ring was formed.
func (operational) onJoin(r *Ring, j *wire.Join) {
	if nodeListed(j.Failed, r.self) {
		r.refuse(j.From, "join message of a node that counts us as failed")
		return
	}
	if r.member.memb.has(j.From) && j.RingSeq < r.member.ring.Seq {
		r.refuse(j.From, "join message from before this ring")
		return
	}
	switch r.learn(j) {
	case learnedMore:
		r.enterGather(CauseMergeDuringJoin)
	case learnedTooMuch:
		r.refuse(j.From, "join message would make more than 384 nodes")
	default:
		r.enterGather(CauseJoinDuringOperational)
	}
}

func (operational) onCommitToken(r *Ring, t *wire.CommitToken) {
	r.refuse(t.Node, "commit token in OPERATIONAL: repeated, or for others")
}

func (operational) onTokenLoss(r *Ring) {
	r.trace(Trace{Kind: TraceTokenLost, Dur: r.cfg.Token, Dur2: r.cfg.Consensus})
	r.enterGather(CauseTokenLostOperational)
	r.stats.OperationalTokenLost++
}

func (operational) onRetransmit(r *Ring) { r.retransmitToken() }
func (operational) onHold(r *Ring)       { r.sendStoredToken() }

// onMerge: the ring is idle, so its representative looks for others.
func (operational) onMerge(r *Ring) {
	if r.member.ring.Rep != r.self {
		return
	}
	m := wire.MergeDetect{Header: wire.Header{Node: r.self}, From: r.self, Ring: r.member.ring}
	r.stats.MembMergeDetectTx++
	r.stats.countRx(wire.TypeMergeDetect)
	r.send(0, r.out.build(&m))
}

func (operational) onJoinTimer(r *Ring) { r.ignore("not armed: COMMIT cancelled it") }
func (operational) onConsensus(r *Ring) { r.ignore("not armed: COMMIT cancelled it") }

// enterOperational finishes what is left of the old ring, tells of the change
// and starts the new ring (totemsrp.c: memb_state_operational_enter).
func (r *Ring) enterOperational() {
	mb, o := &r.member, &r.order
	mb.originated = false
	mb.consensus = mb.consensus[:0]
	r.takeRecovered()

	// The old ring's messages up to the first gap belong to the old view, those
	// behind it to the transitional one.
	left, joined := mb.memb.minus(mb.trans), mb.newMemb.minus(mb.trans)
	r.deliver(false, o.savedHigh)
	mb.memb.set(mb.newMemb)
	r.token.setRetransFlag = false
	r.deliverView(&View{Kind: ViewTransitional, Members: mb.trans.clone(), Left: left.clone(), Ring: mb.ring})
	r.deliver(true, o.savedHigh)
	r.waiting = true
	r.deliverView(&View{Kind: ViewRegular, Members: mb.memb.clone(), Joined: joined.clone(), Ring: mb.ring})
	r.switchQueues()
	mb.proc.set(mb.newMemb)
	mb.failed = mb.failed[:0]
	o.saved, o.received = false, true

	r.trace(Trace{Kind: TraceMembership, Ring: mb.ring, Joined: joined.clone(), Left: left.clone()})
	if missed := left.minus(mb.left); len(missed) > 0 {
		r.trace(Trace{Kind: TraceLeaveMissed, Left: missed.clone()})
	}
	mb.left = mb.left[:0]
	r.setState(operational{})
	r.stats.OperationalEntered++
	r.hasty.since = r.now
	r.stats.ContinuousGather = 0
}

// switchQueues makes the recovery queue the regular one and gives back what is
// over: the whole old ring, and the recovery messages of the new one.
//
// Upstream goes back from the highest number received and takes all below as
// delivered. A member that became operational a rotation before us may have
// sent a message already; ours ends at the last recovery message, so that one is
// delivered.
func (r *Ring) switchQueues() {
	o := &r.order
	o.regular.reset(r.cfg.SeqStart, &r.pool)
	o.regular, o.recovery = o.recovery, o.regular
	o.delivered = r.cfg.SeqStart
	for seq := r.cfg.SeqStart + 1; seq.BeforeEq(o.aru); seq++ {
		if pkt := o.regular.get(seq); pkt != nil && pkt.B[4] == wire.Encapsulated {
			o.delivered = seq
		}
	}
	o.regular.release(o.delivered, &r.pool)
	r.token.lastAru = r.cfg.SeqStart
}

// stale reports whether a message of another ring was sent before its sender
// came into this one: a member cannot be in a ring with a smaller number any
// more, since it stored ours. Upstream has this rule for join messages only and
// starts a membership round for every old packet that comes late.
func (r *Ring) stale(from wire.NodeID, ring wire.RingID) bool {
	return from == r.self || r.member.memb.has(from) && ring.Seq < r.member.ring.Seq
}
