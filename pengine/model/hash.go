package model

import (
	"math/bits"
	"slices"
)

// The original keeps nodes and utilization in GLib hash tables and in a few places
// takes the first that fits, so what it decides depends on the order of the table.
// This is that order: open addressing with growing steps, sizes powers of two,
// places by a prime just below (glib/ghash.c).

// primes are the moduli by log2 of the size.
var primes = [...]uint32{1, 2, 3, 7, 13, 31, 61, 127, 251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521,
	131071, 262139, 524287, 1048573}

const minShift = 3

// hashTable holds numbers of keys with their hashes; 0 is a free place.
type hashTable struct {
	shift  int
	used   int
	hashes []uint32
	keys   []int
}

// HashOrder returns the indexes of keys in the order in which a table with them,
// inserted one after the other, yields them.
func HashOrder(keys []string) []int {
	hashes := make([]uint32, len(keys))
	for i, k := range keys {
		hashes[i] = hashString(k)
	}
	return hashOrder(hashes)
}

func hashOrder(hashes []uint32) []int {
	t := hashTable{shift: minShift, hashes: make([]uint32, 1<<minShift), keys: make([]int, 1<<minShift)}
	for i, h := range hashes {
		t.insert(h, i)
	}
	out := make([]int, 0, len(hashes))
	for i, h := range t.hashes {
		if h != 0 {
			out = append(out, t.keys[i])
		}
	}
	return out
}

// hashString is pcmk__str_hash; 0 and 1 mean something else in the table.
func hashString(s string) uint32 {
	h := uint32(0)
	for i := 0; i < len(s); i++ {
		h = h*31 + uint32(int32(int8(s[i])))
	}
	return max(h, 2)
}

// place walks from where a hash belongs to the first place that is not taken.
func (t *hashTable) place(h uint32, taken func(i uint32) bool) uint32 {
	mask := uint32(1)<<t.shift - 1
	i := h * 11 % primes[t.shift]
	for step := uint32(1); taken(i); step++ {
		i = (i + step) & mask
	}
	return i
}

func (t *hashTable) insert(h uint32, key int) {
	i := t.place(h, func(i uint32) bool { return t.hashes[i] != 0 })
	t.hashes[i], t.keys[i] = h, key
	t.used++
	if size := 1 << t.shift; size <= t.used+t.used/16 && t.shift+1 < len(primes) {
		t.grow()
	}
}

// grow moves every entry to its new place; one that is in the way moves next.
func (t *hashTable) grow() {
	old := len(t.hashes)
	t.shift = max(minShift, bits.Len(uint(float64(t.used)*1.333)))
	for len(t.hashes) < 1<<t.shift {
		t.hashes, t.keys = append(t.hashes, 0), append(t.keys, 0)
	}
	moved := make([]bool, len(t.hashes))
	for i := range old {
		h, key := t.hashes[i], t.keys[i]
		if h == 0 || moved[i] {
			continue
		}
		t.hashes[i] = 0
		for h != 0 {
			j := t.place(h, func(i uint32) bool { return moved[i] })
			moved[j] = true
			h, t.hashes[j] = t.hashes[j], h
			key, t.keys[j] = t.keys[j], key
		}
	}
}

// Hashed returns the entries in the order of the original's table: what was added
// first takes its place first, and a copy is filled in the order of what it is made of.
func (t *Table) Hashed() []*Weighted {
	in := make([]*Weighted, 0, len(t.w))
	hashes := make([]uint32, 0, len(t.w))
	for _, i := range t.came {
		if i >= 0 {
			in, hashes = append(in, &t.w[i]), append(hashes, hashString(t.w[i].ID))
			continue
		}
		for ; i < 0 && reorder(in, hashes); i++ {
		}
	}
	reorder(in, hashes)
	return in
}

// reorder brings the entries into the order in which a table yields them that they
// were added to one after the other, and says whether they stood in another.
func reorder(in []*Weighted, hashes []uint32) bool {
	order := hashOrder(hashes)
	if slices.IsSorted(order) {
		return false
	}
	was, old := slices.Clone(in), slices.Clone(hashes)
	for i, j := range order {
		in[i], hashes[i] = was[j], old[j]
	}
	return true
}
