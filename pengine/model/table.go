package model

import (
	"slices"

	"github.com/pacesync/pacesync/internal/score"
)

// Weighted is a node with what one resource thinks of it.
type Weighted struct {
	*Node
	Score    score.Score
	Count    int32 // instances assigned here, for clones
	Discover Discover
}

// Available says whether the resource may run there: usable and not banned
// (pcmk__node_available).
func (w *Weighted) Available() bool { return w.Node.Usable() && w.Score >= 0 }

// Table holds what a resource thinks of nodes; two with one id have one entry. The zero
// value is empty.
type Table struct {
	w []Weighted
	// came has the index of each entry in the order in which they were added, and -n
	// where the table was copied n times (see Hashed).
	came []int32
}

// Get returns the entry of a node, nil when there is none. It stays valid until
// the next Put.
func (t *Table) Get(n *Node) *Weighted {
	if n == nil || n.entry >= len(t.w) || t.w[n.entry].Node == nil {
		return nil
	}
	return &t.w[n.entry]
}

// Put adds or replaces an entry and returns it.
func (t *Table) Put(w Weighted) *Weighted {
	for w.entry >= len(t.w) {
		t.w = append(t.w, Weighted{})
	}
	if t.w[w.entry].Node == nil {
		t.came = append(t.came, int32(w.entry))
	}
	t.w[w.entry] = w
	return &t.w[w.entry]
}

// Ensure returns the entry of a node, made from the node when it is new.
func (t *Table) Ensure(n *Node) *Weighted {
	if w := t.Get(n); w != nil {
		return w
	}
	return t.Put(Weighted{Node: n, Score: n.Score, Discover: n.Discover})
}

// Delete removes the entry of a node.
func (t *Table) Delete(n *Node) {
	if w := t.Get(n); w != nil {
		*w = Weighted{}
		t.came = slices.DeleteFunc(t.came, func(i int32) bool { return i == int32(n.entry) })
	}
}

// All yields the entries in the order in which nodes were made.
func (t *Table) All(yield func(*Weighted) bool) {
	for i := range t.w {
		if t.w[i].Node != nil && !yield(&t.w[i]) {
			return
		}
	}
}

// List returns pointers to all entries.
func (t *Table) List() []*Weighted {
	out := make([]*Weighted, 0, len(t.w))
	for w := range t.All {
		out = append(out, w)
	}
	return out
}

// Len is the number of entries.
func (t *Table) Len() int {
	n := 0
	for range t.All {
		n++
	}
	return n
}

// Copy returns a table of its own with the counts at zero (pcmk__copy_node_table).
func (t *Table) Copy() Table {
	out := Table{w: slices.Clone(t.w), came: slices.Clone(t.came)}
	for i := range out.w {
		out.w[i].Count = 0
	}
	if n := len(out.came); n > 0 && out.came[n-1] < 0 {
		out.came[n-1]--
	} else if n > 0 {
		out.came = append(out.came, -1)
	}
	return out
}

// AnyAvailable says whether the resource could run somewhere.
func (t *Table) AnyAvailable() bool {
	for w := range t.All {
		if w.Available() {
			return true
		}
	}
	return false
}

// NodeSet is a set of nodes.
type NodeSet struct {
	in []bool
	n  int
}

// Add puts a node into the set.
func (s *NodeSet) Add(n *Node) {
	for n.Index >= len(s.in) {
		s.in = append(s.in, false)
	}
	if !s.in[n.Index] {
		s.in[n.Index] = true
		s.n++
	}
}

// Has says whether a node is in the set.
func (s *NodeSet) Has(n *Node) bool { return n != nil && n.Index < len(s.in) && s.in[n.Index] }

// Len is the number of nodes in the set.
func (s *NodeSet) Len() int { return s.n }

// MergeSort sorts as GLib's g_list_sort: stable, the first half of n has n/2
// elements. The algorithm matters where cmp is not a strict order.
func MergeSort[T any](s []T, cmp func(a, b T) int) {
	if len(s) < 2 {
		return
	}
	mergeSort(s, make([]T, len(s)), cmp)
}

func mergeSort[T any](s, tmp []T, cmp func(a, b T) int) {
	if len(s) < 2 {
		return
	}
	h := len(s) / 2
	mergeSort(s[:h], tmp[:h], cmp)
	mergeSort(s[h:], tmp[h:], cmp)
	copy(tmp, s)
	a, b := tmp[:h], tmp[h:len(s)]
	for i := range s {
		switch {
		case len(b) == 0 || (len(a) > 0 && cmp(a[0], b[0]) <= 0):
			s[i], a = a[0], a[1:]
		default:
			s[i], b = b[0], b[1:]
		}
	}
}

// InsertSorted inserts v before the first element that is not less, as
// g_list_insert_sorted does.
func InsertSorted[T any](s []T, v T, cmp func(a, b T) int) []T {
	i := 0
	for i < len(s) && cmp(v, s[i]) > 0 {
		i++
	}
	s = append(s, v)
	copy(s[i+1:], s[i:])
	s[i] = v
	return s
}
