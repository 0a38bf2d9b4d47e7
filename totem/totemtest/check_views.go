package totemtest

import (
	"slices"

	"github.com/pacesync/pacesync/totem/wire"
)

// checkViews judges the configuration changes: well-formed lists, one member
// list per ring id for ever, numbers that only grow and were stored first, and
// transitional views that hold exactly those who came along.
func (h *History) checkViews(segs [][]segment) {
	rings := map[wire.RingID]viewSeen{}
	grown := map[wire.NodeID]wire.RingID{}
	for p := range h.Procs {
		h.checkViewForm(ProcID(p))
		proc := &h.Procs[p]
		for i := range proc.Log {
			e := &proc.Log[i]
			if e.Kind != EntryRegular {
				continue
			}
			v := &proc.Views[e.View]
			if old, ok := grown[proc.Node]; ok && v.Ring.Seq <= old.Seq {
				h.fail("ring id grows", e.At, "%s installs ring %v after ring %v", h.proc(ProcID(p)), v.Ring, old)
			}
			grown[proc.Node] = v.Ring
			if v.Stored < v.Ring.Seq {
				h.fail("ring id stored first", e.At, "%s installs ring %v with %d in its file", h.proc(ProcID(p)), v.Ring, v.Stored)
			}
			h.checkRingMembers(rings, ProcID(p), e, v)
		}
	}
	for p := range segs {
		for k := range segs[p] {
			h.checkTransitional(segs, &segs[p][k])
		}
	}
}

// viewSeen is the first sight of a ring: later ones must agree.
type viewSeen struct {
	members []wire.NodeID
	by      []ProcID
}

func (h *History) checkRingMembers(rings map[wire.RingID]viewSeen, p ProcID, e *Entry, v *View) {
	seen, ok := rings[v.Ring]
	if !ok {
		rings[v.Ring] = viewSeen{v.Members, []ProcID{p}}
		return
	}
	if !slices.Equal(seen.members, v.Members) {
		h.fail("ring id names one member set", e.At, "%s has ring %v with %v, %s has it with %v",
			h.proc(p), v.Ring, v.Members, h.proc(seen.by[0]), seen.members)
	}
	for _, q := range seen.by {
		if h.Procs[q].Node == h.Procs[p].Node {
			h.fail("ring id never reused", e.At, "%s installs ring %v that %s had", h.proc(p), v.Ring, h.proc(q))
		}
	}
	seen.by = append(seen.by, p)
	rings[v.Ring] = seen
}

// checkViewForm judges one process's views by themselves: a transitional view
// before every regular one and only there, lists ascending, itself in both,
// nothing delivered before the first.
func (h *History) checkViewForm(p ProcID) {
	proc := &h.Procs[p]
	var trans *View
	var members []wire.NodeID // of the last regular view
	for i := range proc.Log {
		e := &proc.Log[i]
		if e.Kind == EntryDeliver {
			if members == nil {
				h.fail("delivered within a view", e.At, "%s delivers %s before its first view", h.proc(p), h.msg(e.Msg))
				return
			}
			continue
		}
		v := &proc.Views[e.View]
		for _, list := range [][]wire.NodeID{v.Members, v.Left, v.Joined} {
			if !ascending(list) {
				h.fail("view lists ascend", e.At, "%s: ring %v: %v", h.proc(p), v.Ring, list)
			}
		}
		// A process begins as a member of nothing: its first transitional view is empty.
		if !slices.Contains(v.Members, proc.Node) && !(e.Kind == EntryTransitional && members == nil) {
			h.fail("own view contains oneself", e.At, "%s: ring %v has members %v", h.proc(p), v.Ring, v.Members)
		}
		if e.Kind == EntryTransitional {
			if trans != nil {
				h.fail("views alternate", e.At, "%s: two transitional views in a row, %v and %v", h.proc(p), trans.Ring, v.Ring)
			}
			trans = v
			h.checkTransLists(p, e, v, members)
			continue
		}
		if trans == nil {
			h.fail("views alternate", e.At, "%s: regular view %v without a transitional one", h.proc(p), v.Ring)
		} else {
			h.checkRegularLists(p, e, v, trans)
		}
		trans, members = nil, v.Members
	}
}

// checkTransLists judges a transitional view against the view before it.
func (h *History) checkTransLists(p ProcID, e *Entry, v *View, before []wire.NodeID) {
	if extra := without(v.Members, before); len(extra) > 0 {
		h.fail("transitional view within the old one", e.At, "%s: ring %v: %v were not in %v", h.proc(p), v.Ring, extra, before)
	}
	if left := without(before, v.Members); !slices.Equal(left, v.Left) {
		h.fail("left list", e.At, "%s: ring %v says %v left, %v did (before %v, transitional %v)", h.proc(p), v.Ring, v.Left, left, before, v.Members)
	}
	if len(v.Joined) > 0 {
		h.fail("left list", e.At, "%s: ring %v: a transitional view with joined %v", h.proc(p), v.Ring, v.Joined)
	}
}

// checkRegularLists judges a regular view against its transitional one.
func (h *History) checkRegularLists(p ProcID, e *Entry, v, trans *View) {
	if v.Ring != trans.Ring {
		h.fail("views alternate", e.At, "%s: transitional view of ring %v before regular view %v", h.proc(p), trans.Ring, v.Ring)
	}
	if gone := without(trans.Members, v.Members); len(gone) > 0 {
		h.fail("transitional view within the new one", e.At, "%s: ring %v: %v came along but are not in %v", h.proc(p), v.Ring, gone, v.Members)
	}
	if joined := without(v.Members, trans.Members); !slices.Equal(joined, v.Joined) || len(v.Left) > 0 {
		h.fail("joined list", e.At, "%s: ring %v says %v joined and %v left, %v did", h.proc(p), v.Ring, v.Joined, v.Left, joined)
	}
}

// checkTransitional judges the transitional view that ends a segment against
// what the others did: those in it came from the same ring, those of the new
// ring who came from the same ring are in it.
func (h *History) checkTransitional(segs [][]segment, s *segment) {
	if s.trans < 0 || s.next < 0 {
		return
	}
	trans, ring := &h.Procs[s.proc].Views[s.trans], h.Procs[s.proc].Views[s.next].Ring
	for q := range segs {
		if ProcID(q) == s.proc {
			continue
		}
		for k := range segs[q] {
			if h.Rings[segs[q][k].ring].ID != ring {
				continue
			}
			from := int32(-1)
			if k > 0 {
				from = segs[q][k-1].ring
			}
			in := slices.Contains(trans.Members, h.Procs[q].Node)
			at := h.viewTime(s.proc, s.trans)
			if in && from != s.ring {
				h.fail("transitional view: came from the same ring", at, "%s goes %v -> %v with %v, but %s came from %s",
					h.proc(s.proc), h.Rings[s.ring].ID, ring, trans.Members, h.proc(ProcID(q)), h.ringName(from))
			}
			if !in && from == s.ring {
				h.fail("transitional view: all who came along", at, "%s goes %v -> %v with %v, but %s came from there too",
					h.proc(s.proc), h.Rings[s.ring].ID, ring, trans.Members, h.proc(ProcID(q)))
			}
		}
	}
}

func (h *History) ringName(i int32) string {
	if i < 0 {
		return "no ring"
	}
	return "ring " + h.Rings[i].ID.String()
}

// checkSettled judges the calm moments: one ring per connected group.
func (h *History) checkSettled() {
	for _, s := range h.Quiet {
		for _, group := range s.Groups {
			want := make([]wire.NodeID, 0, len(group))
			for _, p := range group {
				want = append(want, h.Procs[p].Node)
			}
			slices.Sort(want)
			first := s.Views[group[0]]
			for _, p := range group {
				v := s.Views[p]
				if !slices.Equal(v.Members, want) {
					h.fail("one ring per partition", s.At, "%s holds ring %v with %v, connected are %v", h.proc(p), v.Ring, v.Members, want)
				} else if v.Ring != first.Ring {
					h.fail("one ring per partition", s.At, "%s holds ring %v, %s of the same partition %v",
						h.proc(p), v.Ring, h.proc(group[0]), first.Ring)
				}
			}
		}
	}
}

func ascending(list []wire.NodeID) bool {
	for i := 1; i < len(list); i++ {
		if list[i-1] >= list[i] {
			return false
		}
	}
	return true
}

// without returns what is in a and not in b, nil when that is nothing.
func without(a, b []wire.NodeID) []wire.NodeID {
	var out []wire.NodeID
	for _, n := range a {
		if !slices.Contains(b, n) {
			out = append(out, n)
		}
	}
	return out
}
