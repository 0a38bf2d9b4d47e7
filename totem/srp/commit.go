package srp

import "github.com/pacesync/pacesync/totem/wire"

// commit: the ring is proposed. The commit token goes round once to collect
// what everybody has of the old rings.
type commit struct{}

func (commit) id() StateID { return Commit }

func (commit) onToken(r *Ring, t *wire.Token) {
	r.ignore("the new ring's first token is repeated until we are in RECOVERY")
}

func (commit) onMcast(r *Ring, m *wire.Mcast, _ []byte) {
	r.drop(m.From, "message while a ring is being formed")
}

func (commit) onMergeDetect(r *Ring, _ *wire.MergeDetect) { r.ignore("first this ring") }

// onJoin: a member of the ring being formed starts over, so we do.
func (commit) onJoin(r *Ring, j *wire.Join) {
	if r.joinInterrupts(j) {
		r.enterGather(CauseJoinDuringCommit)
	}
}

// onCommitToken: on its second visit everybody has filled in its entry.
// Upstream compares the ring's number only.
func (commit) onCommitToken(r *Ring, t *wire.CommitToken) {
	if t.Ring != r.member.ring || t.Index != len(t.Addr) || !r.member.newMemb.same(t.Addr) {
		r.refuse(t.Node, "commit token in COMMIT: repeated, or of another ring")
		return
	}
	r.enterRecovery(t)
}

func (commit) onTokenLoss(r *Ring) {
	r.enterGather(CauseTokenLostCommit)
	r.stats.CommitTokenLost++
}

func (commit) onRetransmit(r *Ring) { r.retransmitToken() }
func (commit) onHold(r *Ring)       { r.ignore("there is no token") }
func (commit) onMerge(r *Ring)      { r.ignore("not armed: enterGather cancelled it") }
func (commit) onJoinTimer(r *Ring)  { r.ignore("not armed: enterCommit cancelled it") }
func (commit) onConsensus(r *Ring)  { r.ignore("not armed: enterCommit cancelled it") }

// joinInterrupts takes over what a join message tells if a member of the ring
// being formed sent it after that started (totemsrp.c: message_handler_memb_join).
func (r *Ring) joinInterrupts(j *wire.Join) bool {
	if !r.member.newMemb.has(j.From) || j.RingSeq < r.member.ring.Seq {
		r.ignore("from before this ring was proposed, or of a stranger: later")
		return false
	}
	return r.learn(j) != learnedTooMuch
}

// createCommitToken proposes the ring (totemsrp.c: memb_state_commit_token_create).
func (r *Ring) createCommitToken() {
	r.trace(Trace{Kind: TraceCommitToken})
	wanted := r.wanted()
	t := &r.commit
	t.Header = wire.Header{Type: wire.TypeCommitToken, Node: r.self}
	t.TokenSeq, t.RetransFlag, t.Index = 0, 0, 0
	t.Ring = wire.RingID{Rep: r.self, Seq: r.member.highSeq + 4}
	t.Addr = append(t.Addr[:0], wanted...)
	t.Entry = t.Entry[:0]
	for range wanted {
		t.Entry = append(t.Entry, wire.CommitEntry{})
	}
}

// enterCommit fills in our entry of r.commit and passes it on. The ring's
// number is stored first: we must never take part in a ring with a smaller one
// again (totemsrp.c: memb_state_commit_enter).
func (r *Ring) enterCommit() {
	mb, o := &r.member, &r.order
	if !o.saved {
		o.saved = true
		mb.oldRing = mb.ring
	}
	o.savedAru, o.savedHigh = o.aru, o.high
	r.fillEntry()
	mb.newMemb.set(r.commit.Addr)
	mb.ring = r.commit.Ring
	mb.highSeq = mb.ring.Seq
	r.out.Persist, r.out.RingSeq = true, mb.ring.Seq

	r.timers.cancel(timerJoin, timerJoinSend, timerConsensus)
	r.flow = flowState{}
	r.setState(commit{})
	r.armToken()
	r.stats.CommitEntered++
	r.stats.ContinuousGather = 0
	r.passCommitToken(&r.commit)
}

// fillEntry tells what we have of our old ring, and corrects who of the same
// ring lacks something that another has (totemsrp.c:
// memb_state_commit_token_update).
func (r *Ring) fillEntry() {
	o, t := &r.order, &r.commit
	mine := &t.Entry[t.Index]
	*mine = wire.CommitEntry{
		Ring:          r.member.oldRing,
		Aru:           o.aru,
		HighDelivered: o.delivered,
		Received:      o.aru == o.high,
	}
	highest := mine.Aru
	for _, e := range t.Entry[:t.Index+1] {
		if e.Ring == mine.Ring && highest.Before(e.Aru) {
			highest = e.Aru
		}
	}
	for i := range t.Entry[:t.Index+1] {
		if e := &t.Entry[i]; e.Ring == mine.Ring && e.Aru.Before(highest) {
			e.Received = false
		}
	}
	o.received = mine.Received
	t.Index++
}

// passCommitToken sends it to the member behind us and keeps it for repetition.
func (r *Ring) passCommitToken(t *wire.CommitToken) {
	t.TokenSeq++
	t.Node = r.self
	r.stats.MembCommitTokenTx++
	r.storeToken(t)
	r.sendStoredToken()
	r.armRetransmit()
}

// next is the member of the ring being formed, or of the ring, behind us.
func (r *Ring) next() wire.NodeID {
	ring := r.member.newMemb
	for _, id := range ring {
		if id > r.self {
			return id
		}
	}
	return ring[0]
}
