package srp

import (
	"slices"
	"time"

	"github.com/pacesync/pacesync/totem/wire"
)

// gather: nodes tell each other whom they see, until all those that answer say
// the same.
type gather struct{}

func (gather) id() StateID { return Gather }

func (gather) onToken(r *Ring, t *wire.Token) {
	r.ignore("a token of the ring we gave up (totemsrp.c: orf_token_discard)")
}

// onMcast still takes messages of the old ring: the more of them we have, the
// less must be recovered. One of a node we do not know makes it known.
func (gather) onMcast(r *Ring, m *wire.Mcast, raw []byte) {
	if m.Ring == r.regularRing() && m.Encapsulated == wire.Plain {
		r.keep(r.order.regular, m, raw)
		return
	}
	if m.From == r.self || m.Ring == r.member.ring || r.member.proc.has(m.From) {
		r.ignore("of a node that gathers with us")
		return
	}
	r.noteForeign(m)
	if r.member.addProc(m.From) {
		r.enterGather(CauseForeignGather)
	}
}

func (gather) onMergeDetect(r *Ring, m *wire.MergeDetect) {
	if r.member.proc.has(m.From) {
		r.ignore("of a node that gathers with us")
		return
	}
	r.foreign.note(r.now, m.From, m.Ring.Seq)
	if r.member.addProc(m.From) {
		r.enterGather(CauseMergeGather)
	}
}

// onJoin is the heart of the agreement (totemsrp.c: memb_join_process).
func (gather) onJoin(r *Ring, j *wire.Join) {
	if r.foreign.outdates(r.now, r.cfg.Consensus, j.From, j.RingSeq) {
		r.refuse(j.From, "join message from before the ring that its sender was heard in since")
		return
	}
	switch r.learn(j) {
	case learnedSame:
		if !j.IsLeave() {
			r.member.consensus.add(j.From)
		}
		r.tryCommit()
	case learnedMore:
		r.enterGather(CauseMergeDuringJoin)
	case learnedTooMuch:
		r.refuse(j.From, "join message would make more than 384 nodes")
	case learnedNothing:
		r.ignore("an older or narrower opinion, or of a node we gave up")
	}
}

// onCommitToken accepts the ring that the representative proposes if it is
// exactly the one we agreed to (totemsrp.c: message_handler_memb_commit_token).
// Upstream does not look whether the token is ours to fill in.
func (gather) onCommitToken(r *Ring, t *wire.CommitToken) {
	switch {
	case !r.wanted().same(t.Addr):
		r.refuse(t.Node, "commit token of a ring with other members than agreed")
	case t.Ring.Seq <= r.member.ring.Seq || t.Ring.Seq > maxRingSeq:
		r.refuse(t.Node, "commit token of an older ring, or with a number that cannot be")
	case t.Index >= len(t.Addr) || t.Addr[t.Index] != r.self:
		r.refuse(t.Node, "commit token is not ours to fill in")
	default:
		r.commit.CopyFrom(t)
		r.enterCommit()
	}
}

// onTokenLoss: all agreed, but the representative sent no commit token.
func (gather) onTokenLoss(r *Ring) {
	r.trace(Trace{Kind: TraceConsensusExpired, Dur: r.cfg.Consensus})
	r.blame()
	r.enterGather(CauseConsensusExpired)
	r.stats.GatherTokenLost++
}

func (gather) onRetransmit(r *Ring) { r.ignore("not armed: enterGather cancelled it") }
func (gather) onHold(r *Ring)       { r.ignore("there is no token") }
func (gather) onMerge(r *Ring)      { r.ignore("not armed: enterGather cancelled it") }

func (gather) onJoinTimer(r *Ring) {
	r.sendJoin()
	r.timers.arm(timerJoin, r.now, r.cfg.Join)
}

// onConsensus blames who did not answer; if all did, the representative gets
// one more token timeout to form the ring (totemsrp.c:
// memb_state_consensus_timeout_expired).
func (gather) onConsensus(r *Ring) {
	if r.blame() {
		r.enterGather(CauseConsensusTimeout)
		return
	}
	r.armToken()
}

// blame puts everybody who did not answer on the failed list, and reports
// whether there was somebody. If all agreed, agreement starts again.
func (r *Ring) blame() bool {
	mb := &r.member
	r.stats.ConsensusTimeouts++
	if r.agreed() {
		mb.consensus = append(mb.consensus[:0], r.self)
		return false
	}
	for _, id := range mb.proc {
		if !mb.consensus.has(id) {
			mb.failed.add(id)
		}
	}
	return true
}

// enterGather asks everybody again (totemsrp.c: memb_state_gather_enter).
func (r *Ring) enterGather(cause Cause) {
	mb := &r.member
	switch r.st.id() {
	case Recovery:
		r.restoreOld()
	case Operational:
		r.hasty.note(r.now, r.cfg.Join)
	default:
	}
	mb.originated = false
	mb.proc.add(r.self)
	if mb.failed.has(r.self) && !mb.failedToReceive {
		// Nobody but we can put us there, and only with failedToReceive. Upstream
		// ends in an assertion then (totemsrp.c: memb_consensus_agreed); we start over.
		mb.failed.remove(r.self)
	}
	mb.consensus = append(mb.consensus[:0], r.self)
	r.timers.cancel(timerRetransmit, timerToken, timerWarning, timerMerge, timerHold, timerHeartbeat)
	r.timers.arm(timerJoin, r.now, r.cfg.Join)
	r.timers.arm(timerConsensus, r.now, r.cfg.Consensus)
	r.token.held = false
	r.trace(Trace{Kind: TraceGather, Cause: cause})
	r.st = gather{}
	r.stats.GatherEntered++
	if cause == CauseConsensusExpired {
		r.stats.ContinuousGather++
	}
	r.sendJoin()
}

// hastyState counts rings that were given up as soon as they were formed. On a
// network without jitter nodes can do that in step for ever, each acting on what
// another said one ring earlier; a random delay of the join messages ends it.
type hastyState struct {
	rings int       // in a row
	since time.Time // of the last ring
}

// hastyLimit is how many such rings may follow each other before joins are
// delayed: a cold start has one or two.
const hastyLimit = 4

// note counts the end of a ring.
func (h *hastyState) note(now time.Time, join time.Duration) {
	if now.Sub(h.since) < join {
		h.rings++
	} else {
		h.rings = 0
	}
}

// sendJoin sends our opinion, after the random delay if one is configured.
func (r *Ring) sendJoin() {
	limit := r.cfg.SendJoin
	if r.hasty.rings >= hastyLimit {
		limit = max(limit, r.cfg.Join)
	}
	if limit <= 0 {
		r.sendJoinNow()
		return
	}
	if !r.timers.armed(timerJoinSend) {
		r.timers.arm(timerJoinSend, r.now, time.Duration(r.rng.Int64N(int64(limit))))
	}
}

func (r *Ring) sendJoinNow() {
	if r.st.id() != Gather {
		return // agreed while it was delayed
	}
	mb := &r.member
	j := wire.Join{Header: wire.Header{Node: r.self}, From: r.self, RingSeq: mb.ring.Seq, Proc: mb.proc, Failed: mb.failed}
	r.stats.MembJoinTx++
	r.send(0, r.out.build(&j))
	mb.joinAgain = true
}

// ownJoin handles our own join message, which the network would bring back. A
// node alone needs it to agree with itself.
func (r *Ring) ownJoin() {
	if !r.member.joinAgain {
		return
	}
	r.member.joinAgain = false
	if r.st.id() == Gather {
		r.stats.MembJoinRx++
		r.tryCommit()
	}
}

// leave says goodbye: our id goes from proc to the end of failed, and the node
// id of the header is 0 (totemsrp.c: memb_leave_message_send).
func (r *Ring) leave() {
	mb := &r.member
	proc := mb.proc.minus(nodeSet{r.self})
	failed := append(mb.failed.minus(nodeSet{r.self}), r.self)
	j := wire.Join{From: r.self, RingSeq: mb.ring.Seq, Proc: proc, Failed: failed}
	r.stats.MembJoinTx++
	r.send(0, r.out.build(&j))
	r.trace(Trace{Kind: TraceLeaving})
	r.timers = timers{}
	r.st = off{}
}

// nodeListed reports whether a list of the wire, in any order, has id.
func nodeListed(ids []wire.NodeID, id wire.NodeID) bool { return slices.Contains(ids, id) }
