package srp

import (
	"fmt"
	"slices"

	"github.com/pacesync/pacesync/totem/wire"
)

// Check tells what of the ring's own state cannot be; nil when all is well. It
// changes nothing and is meant to be called after each Step in tests.
func (r *Ring) Check() error {
	if r.st.id() == Off {
		return nil
	}
	for _, check := range [...]func() error{r.checkOrder, r.checkMembers, r.checkTimers, r.checkQueues} {
		if err := check(); err != nil {
			return fmt.Errorf("srp: node %d in %s: %w", r.self, r.st.id(), err)
		}
	}
	return nil
}

// checkOrder: Invariant: head-1 <= aru <= high, with no gap up to aru and one
// behind it; in OPERATIONAL delivered == aru.
func (r *Ring) checkOrder() error {
	o, q := &r.order, r.ringQueue()
	switch {
	case o.high.Before(o.aru):
		return fmt.Errorf("aru %x is above high %x", o.aru, o.high)
	case o.aru.Before(q.head - 1):
		return fmt.Errorf("aru %x is below what was given back, %x", o.aru, q.head-1)
	case q.head.BeforeEq(o.aru) && q.get(o.aru) == nil:
		return fmt.Errorf("aru %x is missing", o.aru)
	case o.aru != o.high && q.get(o.aru+1) != nil:
		return fmt.Errorf("aru %x could be higher", o.aru)
	case o.aru != o.high && q.get(o.high) == nil:
		return fmt.Errorf("high %x is missing", o.high)
	case r.st.id() == Operational && o.delivered != o.aru:
		return fmt.Errorf("delivered %x but have %x", o.delivered, o.aru)
	case o.regular.head-1 != o.delivered && o.delivered.Before(o.regular.head-1):
		return fmt.Errorf("gave back %x, delivered %x", o.regular.head-1, o.delivered)
	}
	return nil
}

func (r *Ring) checkMembers() error {
	m := &r.member
	for _, s := range []nodeSet{m.proc, m.failed, m.consensus, m.memb, m.newMemb, m.trans} {
		if !slices.IsSorted(s) || len(s) > wire.MaxNodes || s.has(0) {
			return fmt.Errorf("node set %v", s)
		}
	}
	switch {
	case !m.proc.has(r.self):
		return fmt.Errorf("not in proc %v", m.proc)
	case m.failed.has(r.self) && !m.failedToReceive:
		return fmt.Errorf("in failed %v", m.failed)
	case m.highSeq < m.ring.Seq:
		return fmt.Errorf("highest ring number %d, ours %d", m.highSeq, m.ring.Seq)
	}
	switch r.st.id() {
	case Operational:
		if !m.memb.has(r.self) || !slices.Equal(m.memb, m.newMemb) || !slices.Equal(m.memb, m.proc) || len(m.failed) > 0 {
			return fmt.Errorf("members %v, new %v, proc %v, failed %v", m.memb, m.newMemb, m.proc, m.failed)
		}
	case Gather:
		if !m.consensus.has(r.self) {
			return fmt.Errorf("does not agree with itself: %v", m.consensus)
		}
	case Commit, Recovery:
		if !m.newMemb.has(r.self) || !r.order.saved {
			return fmt.Errorf("new members %v, old ring saved %v", m.newMemb, r.order.saved)
		}
	}
	return nil
}

// checkTimers: some timer must always get the ring on.
func (r *Ring) checkTimers() error {
	t := &r.timers
	ok := t.armed(timerPause)
	switch r.st.id() {
	case Gather:
		ok = ok && t.armed(timerJoin) && (t.armed(timerConsensus) || t.armed(timerToken)) && !t.armed(timerRetransmit)
	case Operational, Commit, Recovery:
		ok = ok && t.armed(timerToken) && t.armed(timerRetransmit) && !t.armed(timerJoin) && !t.armed(timerConsensus)
	}
	if !ok {
		return fmt.Errorf("timers %v", t.at)
	}
	return nil
}

func (r *Ring) checkQueues() error {
	if r.retrans.len > 0 && r.st.id() != Recovery {
		return fmt.Errorf("%d recovery messages outside of it", r.retrans.len)
	}
	for l := range r.lane {
		q := &r.lane[l]
		for i := range q.len {
			if p := q.at(i).pkt; p == nil || p.refs < 1 {
				return fmt.Errorf("lane %d: packet %d was given back", l, i)
			}
		}
		for i, p := range q.sent {
			if p.refs < 1 {
				return fmt.Errorf("lane %d: sent packet %d was given back", l, i)
			}
		}
	}
	q := r.ringQueue()
	for seq := q.head; seq.BeforeEq(r.order.high); seq++ {
		if p := q.get(seq); p != nil && p.refs < 1 {
			return fmt.Errorf("message %x was given back", seq)
		}
	}
	return nil
}
