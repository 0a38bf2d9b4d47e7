package srp

import (
	"slices"

	"github.com/pacesync/pacesync/totem/wire"
)

// nodeSet is a set of nodes, ascending. Upstream keeps arrays in order of
// arrival and compares them as sets; a kept order makes that cheap and every
// run the same. Methods that return a set return memory of its own.
type nodeSet []wire.NodeID

func (s nodeSet) has(id wire.NodeID) bool {
	_, ok := slices.BinarySearch(s, id)
	return ok
}

// add puts ids in, whatever their order.
func (s *nodeSet) add(ids ...wire.NodeID) {
	for _, id := range ids {
		if i, ok := slices.BinarySearch(*s, id); !ok {
			*s = slices.Insert(*s, i, id)
		}
	}
}

func (s *nodeSet) remove(id wire.NodeID) {
	if i, ok := slices.BinarySearch(*s, id); ok {
		*s = slices.Delete(*s, i, i+1)
	}
}

// set makes s a copy of ids, which ascend.
func (s *nodeSet) set(ids []wire.NodeID) { *s = append((*s)[:0], ids...) }

// minus are the nodes of s that are not in o.
func (s nodeSet) minus(o nodeSet) nodeSet {
	out := make(nodeSet, 0, len(s))
	for _, id := range s {
		if !o.has(id) {
			out = append(out, id)
		}
	}
	return out
}

// hasAll reports whether every id, in whatever order, is in s.
func (s nodeSet) hasAll(ids []wire.NodeID) bool {
	for _, id := range ids {
		if !s.has(id) {
			return false
		}
	}
	return true
}

// same reports whether ids, in whatever order and without repetition, are
// exactly the nodes of s.
func (s nodeSet) same(ids []wire.NodeID) bool { return len(s) == len(ids) && s.hasAll(ids) }

// clone is a copy to hand out; nil stays nil.
func (s nodeSet) clone() []wire.NodeID { return slices.Clone([]wire.NodeID(s)) }

// unionLen is how many nodes s would have with ids added.
func (s nodeSet) unionLen(ids []wire.NodeID) int {
	n := len(s)
	for i, id := range ids {
		if !s.has(id) && !slices.Contains(ids[:i], id) {
			n++
		}
	}
	return n
}
