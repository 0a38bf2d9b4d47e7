package totemtest

import (
	"slices"
	"time"
)

// lookup finds a process's segment of a ring.
type lookup [][]int32 // [proc][ring] = index of the segment, -1: never installed

func (h *History) lookup(segs [][]segment) lookup {
	out := make(lookup, len(segs))
	flat := make([]int32, len(segs)*len(h.Rings))
	for i := range flat {
		flat[i] = -1
	}
	for p := range segs {
		out[p] = flat[p*len(h.Rings) : (p+1)*len(h.Rings)]
		for k := range segs[p] {
			out[p][segs[p][k].ring] = int32(k)
		}
	}
	return out
}

// deliverable tells whether p can put m together: all its packets were
// multicast in the ring of its last byte, or p went with the sender through
// every view from the first packet on. Upstream keeps half a message across a
// view, so a node that joins in between sees only the end of it and drops it
// (totempg.c: throw_away_mode).
func (h *History) deliverable(segs [][]segment, at lookup, p ProcID, m *Msg) bool {
	if m.First.Ring == m.Last.Ring {
		return true
	}
	si, sj := at[m.From][m.First.Ring], at[m.From][m.Last.Ring]
	pi, pj := at[p][m.First.Ring], at[p][m.Last.Ring]
	if si < 0 || sj < 0 || pi < 0 || pj < 0 || sj-si != pj-pi {
		return false
	}
	for k := range sj - si {
		s, q := &segs[m.From][si+k], &segs[p][pi+k]
		if s.ring != q.ring || q.trans < 0 {
			return false
		}
		if !slices.Contains(h.Procs[p].Views[q.trans].Members, h.Procs[m.From].Node) {
			return false
		}
	}
	return true
}

// checkOrder judges every segment against its ring: what was delivered belongs
// to that ring, comes from its members, in the ring's order and, before the
// transitional view, without a hole.
func (h *History) checkOrder(segs [][]segment) {
	at := h.lookup(segs)
	for p := range segs {
		for k := range segs[p] {
			s := &segs[p][k]
			if !h.checkBelongs(s, at) {
				continue
			}
			h.checkNoHole(segs, at, s)
			h.checkKept(segs, at, s)
		}
	}
	if h.Complete {
		h.checkAllSent()
	}
}

// checkBelongs judges sender, ring and order of each delivery of a segment.
func (h *History) checkBelongs(s *segment, at lookup) bool {
	view := &h.Procs[s.proc].Views[s.view]
	last := Pos{}
	for i, id := range s.msgs {
		m, when := &h.Msgs[id], s.times[i].At
		switch {
		case m.Last.Ring != s.ring:
			h.fail("delivered in the ring it was sent in", when, "%s delivers %s in ring %v", h.proc(s.proc), h.msg(id), view.Ring)
			return false
		case at[m.From][s.ring] < 0:
			h.fail("sender is in the view", when, "%s delivers %s in ring %v, which the sender never installed", h.proc(s.proc), h.msg(id), view.Ring)
			return false
		case !slices.Contains(view.Members, h.Procs[m.From].Node):
			h.fail("sender is in the view", when, "%s delivers %s in ring %v of %v", h.proc(s.proc), h.msg(id), view.Ring, view.Members)
			return false
		case !last.before(m.Last):
			h.fail("total order", when, "%s delivers %s after %s", h.proc(s.proc), h.msg(id), h.msg(s.msgs[i-1]))
			return false
		case i >= s.split && !slices.Contains(h.Procs[s.proc].Views[s.trans].Members, h.Procs[m.From].Node):
			h.fail("transitional delivery from those who came along", when, "%s delivers %s after the transitional view of %v",
				h.proc(s.proc), h.msg(id), h.Procs[s.proc].Views[s.trans].Members)
			return false
		}
		last = m.Last
	}
	return true
}

// checkNoHole judges that before the transitional view nothing was left out
// that the process could have delivered.
func (h *History) checkNoHole(segs [][]segment, at lookup, s *segment) {
	if s.split == 0 {
		return
	}
	end := h.Msgs[s.msgs[s.split-1]].Last
	i := 0
	for _, id := range h.Rings[s.ring].Msgs {
		m := &h.Msgs[id]
		if end.before(m.Last) {
			return
		}
		if i < s.split && s.msgs[i] == id {
			i++
			continue
		}
		if h.deliverable(segs, at, s.proc, m) {
			h.fail("no hole", s.times[i].At, "%s delivers %s but not the earlier %s", h.proc(s.proc), h.msg(s.msgs[i]), h.msg(id))
			return
		}
	}
}

// checkKept judges what a process must have delivered when its segment ends:
// everything from those it goes on with (itself among them), and when the run
// ends in peace, everything.
func (h *History) checkKept(segs [][]segment, at lookup, s *segment) {
	atEnd := s.next < 0
	if atEnd && !(h.Complete && h.Procs[s.proc].Alive) {
		return
	}
	i := 0
	for _, id := range h.Rings[s.ring].Msgs {
		if i < len(s.msgs) && s.msgs[i] == id {
			i++
			continue
		}
		m := &h.Msgs[id]
		kept := atEnd || slices.Contains(h.Procs[s.proc].Views[s.trans].Members, h.Procs[m.From].Node)
		if !kept || !h.deliverable(segs, at, s.proc, m) {
			continue
		}
		property := "nothing lost among those who stay together"
		if m.From == s.proc {
			property = "self delivery"
		}
		h.fail(property, h.segmentEnd(s), "%s leaves ring %v without %s", h.proc(s.proc), h.Rings[s.ring].ID, h.msg(id))
		return
	}
}

// checkTogether judges virtual synchrony: processes that go from one ring to
// the same next ring together delivered the same in the old one, with the
// transitional view at the same place.
func (h *History) checkTogether(segs [][]segment) {
	at := h.lookup(segs)
	for p := range segs {
		for k := range segs[p] {
			s := &segs[p][k]
			if s.next < 0 || s.trans < 0 {
				continue
			}
			for q := range p {
				j := at[q][s.ring]
				if j < 0 {
					continue
				}
				o := &segs[q][j]
				if o.next < 0 || h.nextRing(o) != h.nextRing(s) {
					continue
				}
				h.compareSegments(segs, at, s, o)
			}
		}
	}
}

func (h *History) nextRing(s *segment) int32 {
	return h.ring(h.Procs[s.proc].Views[s.next].Ring)
}

// compareSegments walks two segments side by side, leaving out what the other
// process could not have put together.
func (h *History) compareSegments(segs [][]segment, at lookup, a, b *segment) {
	i, j := 0, 0
	for i < len(a.msgs) || j < len(b.msgs) {
		switch {
		case i < len(a.msgs) && j < len(b.msgs) && a.msgs[i] == b.msgs[j]:
			if (i < a.split) != (j < b.split) {
				h.fail("transitional view at the same place", a.times[i].At, "ring %v: %s delivers %s before=%v the transitional view, %s before=%v",
					h.Rings[a.ring].ID, h.proc(a.proc), h.msg(a.msgs[i]), i < a.split, h.proc(b.proc), j < b.split)
				return
			}
			i++
			j++
		case i < len(a.msgs) && !h.deliverable(segs, at, b.proc, &h.Msgs[a.msgs[i]]):
			i++
		case j < len(b.msgs) && !h.deliverable(segs, at, a.proc, &h.Msgs[b.msgs[j]]):
			j++
		default:
			h.fail("same messages between the same views", h.segmentEnd(a), "ring %v -> %v: %s has %s where %s has %s",
				h.Rings[a.ring].ID, h.Rings[h.nextRing(a)].ID, h.proc(a.proc), h.msgAt(a, i), h.proc(b.proc), h.msgAt(b, j))
			return
		}
	}
}

func (h *History) msgAt(s *segment, i int) string {
	if i >= len(s.msgs) {
		return "nothing"
	}
	return h.msg(s.msgs[i])
}

// segmentEnd is when the segment's next view came, or its last delivery.
func (h *History) segmentEnd(s *segment) time.Duration {
	if s.next >= 0 {
		return h.viewTime(s.proc, s.next)
	}
	if n := len(s.times); n > 0 {
		return s.times[n-1].At
	}
	return h.viewTime(s.proc, s.view)
}

func (h *History) viewTime(p ProcID, view int32) time.Duration {
	for _, e := range h.Procs[p].Log {
		if e.Kind != EntryDeliver && e.View == view {
			return e.At
		}
	}
	return 0
}

// checkNoDuplicates judges that no process delivers a message twice.
func (h *History) checkNoDuplicates() {
	seen := make([]ProcID, len(h.Msgs)) // last process that delivered it, plus one
	for p := range h.Procs {
		for _, e := range h.Procs[p].Log {
			if e.Kind != EntryDeliver {
				continue
			}
			if seen[e.Msg] == ProcID(p)+1 {
				h.fail("no duplicates", e.At, "%s delivers %s again", h.proc(ProcID(p)), h.msg(e.Msg))
				break
			}
			seen[e.Msg] = ProcID(p) + 1
		}
	}
}

// checkCausal judges that a message comes after what its sender had delivered
// when it submitted it.
func (h *History) checkCausal() {
	for id := range h.Msgs {
		m := &h.Msgs[id]
		if m.After == noMsg || m.First.Ring < 0 {
			continue
		}
		a := &h.Msgs[m.After]
		if a.Last.Ring == m.First.Ring && a.Last.Seq >= m.First.Seq {
			h.fail("causal order", m.At, "%s was submitted after the delivery of %s but starts at seq %d", h.msg(MsgID(id)), h.msg(m.After), m.First.Seq)
		}
	}
}

// checkAllSent judges that what a core accepted it also sent, when the process
// lived to the end of a run that ended in peace.
func (h *History) checkAllSent() {
	for p := range h.Procs {
		if !h.Procs[p].Alive {
			continue
		}
		for c := range h.Procs[p].Sent {
			for _, id := range h.Procs[p].Sent[c] {
				if h.Msgs[id].Last.Ring < 0 {
					h.fail("what was accepted is sent", h.Msgs[id].At, "%s accepted %s and never sent all of it", h.proc(ProcID(p)), h.msg(id))
					break
				}
			}
		}
	}
}
