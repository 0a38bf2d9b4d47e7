package schema

import "strings"

// The derivatives of a pattern (J. Clark, "An algorithm for RELAX NG
// validation"): what is left to be matched after something was seen. Elements
// and attributes are judged apart from the pattern they stand in, so a
// derivative is by one element or attribute pattern of the schema. There are
// few of them and they repeat, which is why remembering them pays.

// memo keeps derivatives by pattern and leaf, or pattern and name.
type memo struct {
	child, attr   map[uint64]pid
	close, text   map[pid]pid
	elems, byAttr map[uint64][]int32
}

func newMemo() memo {
	return memo{
		child: map[uint64]pid{}, attr: map[uint64]pid{},
		close: map[pid]pid{}, text: map[pid]pid{},
		elems: map[uint64][]int32{}, byAttr: map[uint64][]int32{},
	}
}

func pair(p pid, x int32) uint64 { return uint64(uint32(p))<<32 | uint64(uint32(x)) }

// elements lists the element patterns that may come next in p and whose name
// class holds name.
func (s *Schema) elements(p pid, name nameID) []int32 {
	key := pair(p, int32(name))
	if got, ok := s.memo.elems[key]; ok {
		return got
	}
	var out []int32
	s.next(p, func(q *pattern) {
		if q.kind == kElement && s.classes[s.elems[q.leaf].class].has(s, name) {
			out = addNew(out, q.leaf)
		}
	})
	s.memo.elems[key] = out
	return out
}

// attributes lists the attribute patterns in p whose name class holds name.
func (s *Schema) attributes(p pid, name nameID) []int32 {
	key := pair(p, int32(name))
	if got, ok := s.memo.byAttr[key]; ok {
		return got
	}
	var out []int32
	s.allAttributes(p, func(leaf int32) {
		if s.classes[s.attrs[leaf].class].has(s, name) {
			out = addNew(out, leaf)
		}
	})
	s.memo.byAttr[key] = out
	return out
}

func addNew(list []int32, x int32) []int32 {
	for _, y := range list {
		if x == y {
			return list
		}
	}
	return append(list, x)
}

// next calls f for the leaves of p that may be seen next among children.
func (s *Schema) next(p pid, f func(*pattern)) {
	q := &s.pats[p]
	switch q.kind {
	case kChoice, kInterleave:
		for _, k := range q.kids {
			s.next(k, f)
		}
	case kGroup:
		for _, k := range q.kids {
			s.next(k, f)
			if !s.pats[k].nullable {
				return
			}
		}
	case kMore:
		s.next(q.kids[0], f)
	default:
		f(q)
	}
}

func (s *Schema) allAttributes(p pid, f func(leaf int32)) {
	q := &s.pats[p]
	if !q.attrs {
		return
	}
	if q.kind == kAttribute {
		f(q.leaf)
		return
	}
	for _, k := range q.kids {
		s.allAttributes(k, f)
	}
}

// afterChild is what is left of p when an element that matches the element
// pattern leaf was seen. p holds no attributes.
func (s *Schema) afterChild(p pid, leaf int32) pid {
	key := pair(p, leaf)
	if d, ok := s.memo.child[key]; ok {
		return d
	}
	d := s.derive(p, func(q *pattern) bool { return q.kind == kElement && q.leaf == leaf },
		func(k pid) pid { return s.afterChild(k, leaf) }, true)
	s.memo.child[key] = d
	return d
}

// afterAttr is what is left of p when an attribute that matches the attribute
// pattern leaf was seen. Order does not count.
func (s *Schema) afterAttr(p pid, leaf int32) pid {
	key := pair(p, leaf)
	if d, ok := s.memo.attr[key]; ok {
		return d
	}
	d := pNever
	if s.pats[p].attrs {
		d = s.derive(p, func(q *pattern) bool { return q.kind == kAttribute && q.leaf == leaf },
			func(k pid) pid { return s.afterAttr(k, leaf) }, false)
	}
	s.memo.attr[key] = d
	return d
}

// derive is the derivative by whatever hit says a leaf to be; sub is itself
// for a smaller pattern. ordered says whether a group is a sequence.
func (s *Schema) derive(p pid, hit func(*pattern) bool, sub func(pid) pid, ordered bool) pid {
	if s.full() {
		return pNever // the run notices and says so
	}
	q := s.pats[p] // a copy: the store may move
	switch q.kind {
	case kChoice:
		var alts []pid
		for _, k := range q.kids {
			alts = append(alts, sub(k))
		}
		return s.choice(alts...)
	case kMore:
		return s.group(sub(q.kids[0]), s.optional(p))
	case kGroup, kInterleave:
		var alts []pid
		for i, k := range q.kids {
			if d := sub(k); d != pNever {
				alts = append(alts, s.without(&q, i, d, ordered && q.kind == kGroup))
			}
			if ordered && q.kind == kGroup && !s.pats[k].nullable {
				break
			}
		}
		return s.choice(alts...)
	}
	if hit(&q) {
		return pEmpty
	}
	return pNever
}

// without is q with its kid i replaced by d; drop leaves out the kids before.
func (s *Schema) without(q *pattern, i int, d pid, drop bool) pid {
	kids := make([]pid, 0, len(q.kids))
	if !drop {
		kids = append(kids, q.kids[:i]...)
	}
	kids = append(kids, d)
	return s.all(q.kind, append(kids, q.kids[i+1:]...))
}

// closed is what is left of p once all attributes were seen: those that p
// still wants are missing.
func (s *Schema) closed(p pid) pid {
	if !s.pats[p].attrs {
		return p
	}
	if d, ok := s.memo.close[p]; ok {
		return d
	}
	d := s.replaceAttributes(p, pNever, s.closed)
	s.memo.close[p] = d
	return d
}

// forgiven is closed with the missing attributes taken as seen, to go on after
// a fault was noted.
func (s *Schema) forgiven(p pid) pid {
	if !s.pats[p].attrs {
		return p
	}
	return s.replaceAttributes(p, pEmpty, s.forgiven)
}

func (s *Schema) replaceAttributes(p, by pid, sub func(pid) pid) pid {
	q := s.pats[p]
	if q.kind == kAttribute {
		return by
	}
	kids := make([]pid, len(q.kids))
	for i, k := range q.kids {
		kids[i] = sub(k)
	}
	switch q.kind {
	case kChoice:
		return s.choice(kids...)
	case kMore:
		return s.more(kids[0])
	}
	return s.all(q.kind, kids)
}

// afterText is what is left of p after a text.
func (s *Schema) afterText(p pid, text string) pid {
	if s.pats[p].texts {
		return s.deriveText(p, text, func(k pid) pid { return s.afterText(k, text) })
	}
	if d, ok := s.memo.text[p]; ok {
		return d
	}
	d := s.deriveText(p, "", func(k pid) pid { return s.afterText(k, "") })
	s.memo.text[p] = d
	return d
}

func (s *Schema) deriveText(p pid, text string, sub func(pid) pid) pid {
	switch q := s.pats[p]; q.kind {
	case kText:
		return pText
	case kData, kValue, kList:
		if s.matches(p, text) {
			return pEmpty
		}
		return pNever
	case kEmpty, kNever, kElement, kAttribute:
		return pNever
	}
	return s.derive(p, func(*pattern) bool { return false }, sub, true)
}

// matches says whether a whole text, as the value of an attribute, matches p.
func (s *Schema) matches(p pid, text string) bool {
	q := &s.pats[p]
	switch q.kind {
	case kText:
		return true
	case kEmpty:
		return trimSpace(text) == ""
	case kData:
		return s.datas[q.leaf].accepts(s, text)
	case kValue:
		return s.values[q.leaf].equals(text)
	case kChoice:
		for _, k := range q.kids {
			if s.matches(k, text) {
				return true
			}
		}
		return false
	case kMore:
		return s.matches(q.kids[0], text)
	case kList:
		left := q.kids[0]
		for _, word := range strings.FieldsFunc(text, isSpace) {
			left = s.afterText(left, word)
		}
		return s.pats[left].nullable
	case kGroup, kInterleave:
		return s.matchesAll(q.kids, text)
	}
	return false
}

// matchesAll says whether one kid takes the text and the others nothing.
func (s *Schema) matchesAll(kids []pid, text string) bool {
	for i, k := range kids {
		if !s.matches(k, text) {
			continue
		}
		rest := true
		for j, o := range kids {
			rest = rest && (i == j || s.pats[o].nullable)
		}
		if rest {
			return true
		}
	}
	return false
}
