package srp

import "github.com/pacesync/pacesync/totem/wire"

// join does what is common to all states with a received join message: notice
// a pause of the process, note the ring number and who said goodbye
// (totemsrp.c: message_handler_memb_join).
func (r *Ring) join(j *wire.Join) {
	if j.From == r.self {
		r.ignore("our own copy: handled when it was sent")
		return
	}
	if j.RingSeq > maxRingSeq {
		r.refuse(j.From, "join message with a ring number that cannot be")
		return
	}
	if r.paused() {
		r.trace(Trace{Kind: TraceJoinFlushed, Node: j.From, Leave: j.IsLeave()})
		return
	}
	r.member.highSeq = max(r.member.highSeq, j.RingSeq)
	r.st.onJoin(r, j)
}

// maxRingSeq bounds the ring numbers believed: a number grows by a few in each
// membership round, and must never wrap.
const maxRingSeq = 1 << 60

// learned is what a join message had to tell.
type learned uint8

const (
	learnedSame    learned = iota // the same as we say
	learnedNothing                // less than we know, or of a node we gave up
	learnedMore                   // our lists have grown: everybody must be told
	learnedTooMuch                // the lists would outgrow what a ring can have
)

// learn compares a join message with our opinion and takes over what is new
// (totemsrp.c: memb_join_process).
func (r *Ring) learn(j *wire.Join) learned {
	mb := &r.member
	if j.IsLeave() && len(j.Failed) > 0 {
		gone := j.Failed[len(j.Failed)-1]
		r.trace(Trace{Kind: TraceLeaveReceived, Node: gone})
		if mb.left.unionLen([]wire.NodeID{gone}) <= wire.MaxNodes {
			mb.left.add(gone)
		}
	}
	switch {
	case mb.proc.same(j.Proc) && mb.failed.same(j.Failed):
		return learnedSame
	case mb.proc.hasAll(j.Proc) && mb.failed.hasAll(j.Failed):
		return learnedNothing
	case mb.failed.has(j.From):
		return learnedNothing
	case mb.proc.unionLen(j.Proc) > wire.MaxNodes || mb.failed.unionLen(j.Failed) > wire.MaxNodes:
		return learnedTooMuch
	}
	known := len(mb.proc) + len(mb.failed)
	mb.proc.add(j.Proc...)
	switch {
	case nodeListed(j.Failed, r.self):
		// It does not hear us; together we can form no ring.
		mb.failed.add(j.From)
	case mb.memb.has(j.From):
		// Only a node of our own ring can tell us who of it failed.
		mb.failed.add(j.Failed...)
	}
	if len(mb.proc)+len(mb.failed) == known {
		// Its failed list is longer and we do not take that over. Upstream starts
		// over nevertheless: two nodes from different rings then answer each other's
		// joins without end, three of them in ever more copies, and as every answer
		// starts the consensus timeout anew, only loss ends it.
		return learnedNothing
	}
	return learnedMore
}

// addProc notes a node that was heard; false if it was known or there are too many.
func (mb *membership) addProc(id wire.NodeID) bool {
	if mb.proc.has(id) || len(mb.proc) >= wire.MaxNodes {
		return false
	}
	mb.proc.add(id)
	return true
}

// wanted are the nodes of the ring we would form.
func (r *Ring) wanted() nodeSet { return r.member.proc.minus(r.member.failed) }

// agreed reports whether all wanted nodes say what we say. A node that cannot
// receive agrees on having nobody; otherwise that cannot be, and where upstream
// asserts (totemsrp.c: memb_consensus_agreed) there is simply no agreement.
func (r *Ring) agreed() bool {
	wanted := r.wanted()
	return r.member.consensus.hasAll(wanted) && (len(wanted) > 0 || r.member.failedToReceive)
}

// tryCommit forms the ring if all agree and it is ours to form: we are the
// lowest, or we will be alone because we cannot receive.
func (r *Ring) tryCommit() {
	mb := &r.member
	if !r.agreed() {
		return
	}
	if mb.failedToReceive {
		mb.failedToReceive = false
		mb.proc = append(mb.proc[:0], r.self)
		mb.failed = mb.failed[:0]
	} else if r.wanted()[0] != r.self {
		return
	}
	r.createCommitToken()
	r.enterCommit()
}
