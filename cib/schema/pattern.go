package schema

import (
	"encoding/binary"
	"slices"
)

// pid names a pattern; equal patterns have equal pids, so comparing and
// remembering them costs nothing.
type pid int32

// The patterns every schema has, by position.
const (
	pEmpty pid = iota
	pNever     // RelaxNG's notAllowed
	pText
)

type kind uint8

const (
	kEmpty kind = iota
	kNever
	kText
	kChoice     // one of kids, sorted, no two equal
	kInterleave // kids in any order, sorted
	kGroup      // kids in order
	kMore       // kids[0] once or more
	kElement    // leaf: index of elements
	kAttribute  // leaf: index of attributes
	kData       // leaf: index of datas
	kValue      // leaf: index of values
	kList       // kids[0] over the words of a text
)

// pattern is one hash-consed node. The flags say what is found below it
// without crossing an element or attribute.
type pattern struct {
	kind     kind
	nullable bool
	attrs    bool // holds an attribute
	texts    bool // holds data, value or list: text is compared, not skipped
	leaf     int32
	size     int32 // nodes of the pattern as a tree, shared ones counted again
	kids     []pid
}

// store makes patterns and finds equal ones. Owned by one Schema.
type store struct {
	pats []pattern
	seen map[string]pid
	key  []byte // scratch of intern
	base int    // patterns below it came from the schema, the rest from documents
	over bool   // a pattern was too large
}

// maxPatterns bounds the memory of a schema, with what documents added to it;
// a pattern is about 150 bytes.
const maxPatterns = 1 << 20

// maxSize bounds one pattern as a tree, and so the work of everything that
// walks it; the largest of Pacemaker's schemas has some hundreds of nodes.
const maxSize = 1 << 16

func newStore() *store {
	s := &store{seen: map[string]pid{}}
	s.intern(pattern{kind: kEmpty, nullable: true})
	s.intern(pattern{kind: kNever})
	s.intern(pattern{kind: kText, nullable: true})
	return s
}

// full says that the next pattern could be one too many.
func (s *store) full() bool { return s.over || len(s.pats) >= maxPatterns }

func (s *store) intern(p pattern) pid {
	s.key = append(s.key[:0], byte(p.kind))
	s.key = binary.AppendVarint(s.key, int64(p.leaf))
	for _, k := range p.kids {
		s.key = binary.AppendVarint(s.key, int64(k))
	}
	if id, ok := s.seen[string(s.key)]; ok {
		return id
	}
	p.size = 1
	for _, k := range p.kids {
		if p.size += s.pats[k].size; p.size > maxSize {
			break
		}
	}
	if p.size > maxSize || len(s.pats) >= maxPatterns {
		s.over = true
		return pNever
	}
	p.kids = slices.Clone(p.kids)
	id := pid(len(s.pats))
	s.pats = append(s.pats, p)
	s.seen[string(s.key)] = id
	return id
}

// forget drops the patterns that documents added.
func (s *store) forget() {
	for k, id := range s.seen {
		if int(id) >= s.base {
			delete(s.seen, k)
		}
	}
	clear(s.pats[s.base:])
	s.over = false
	s.pats = s.pats[:s.base]
}

func (s *store) leaf(k kind, leaf int32) pid {
	return s.intern(pattern{kind: k, leaf: leaf, attrs: k == kAttribute, texts: k == kData || k == kValue})
}

func (s *store) choice(kids ...pid) pid {
	flat := make([]pid, 0, len(kids))
	for _, k := range kids {
		switch p := &s.pats[k]; p.kind {
		case kNever:
		case kChoice:
			flat = append(flat, p.kids...)
		default:
			flat = append(flat, k)
		}
	}
	if len(flat) > maxSize {
		s.over = true
		return pNever
	}
	slices.Sort(flat)
	flat = slices.Compact(flat)
	if len(flat) > 1 && flat[0] == pEmpty && slices.ContainsFunc(flat[1:], func(k pid) bool { return s.pats[k].nullable }) {
		flat = flat[1:] // something else already allows nothing
	}
	switch len(flat) {
	case 0:
		return pNever
	case 1:
		return flat[0]
	}
	p := pattern{kind: kChoice, kids: flat}
	for _, k := range flat {
		q := &s.pats[k]
		p.nullable = p.nullable || q.nullable
		p.attrs = p.attrs || q.attrs
		p.texts = p.texts || q.texts
	}
	return s.intern(p)
}

func (s *store) group(kids ...pid) pid      { return s.all(kGroup, kids) }
func (s *store) interleave(kids ...pid) pid { return s.all(kInterleave, kids) }

// all is a group or an interleave: everything of kids.
func (s *store) all(k kind, kids []pid) pid {
	flat := make([]pid, 0, len(kids))
	for _, c := range kids {
		switch p := &s.pats[c]; p.kind {
		case kNever:
			return pNever
		case kEmpty:
		case k:
			flat = append(flat, p.kids...)
		default:
			flat = append(flat, c)
		}
	}
	if len(flat) > maxSize {
		s.over = true
		return pNever
	}
	if k == kInterleave {
		slices.Sort(flat)
	}
	switch len(flat) {
	case 0:
		return pEmpty
	case 1:
		return flat[0]
	}
	p := pattern{kind: k, kids: flat, nullable: true}
	for _, c := range flat {
		q := &s.pats[c]
		p.nullable = p.nullable && q.nullable
		p.attrs = p.attrs || q.attrs
		p.texts = p.texts || q.texts
	}
	return s.intern(p)
}

func (s *store) more(a pid) pid {
	p := s.pats[a]
	switch p.kind {
	case kEmpty, kNever, kText, kMore:
		return a
	}
	return s.intern(pattern{kind: kMore, kids: []pid{a}, nullable: p.nullable, attrs: p.attrs, texts: p.texts})
}

func (s *store) optional(a pid) pid { return s.choice(pEmpty, a) }

func (s *store) list(a pid) pid {
	return s.intern(pattern{kind: kList, kids: []pid{a}, texts: true})
}
