package schema

import (
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Fault is one reason why a document does not conform.
type Fault struct {
	Line    int32  // of the element, 0 when it was not read from a text
	Element string // name of the element at fault
	ID      string // its id, empty when it has none
	Text    string // what is wrong and what was expected
}

// Limits of a validation.
const (
	maxFaults = 50  // further ones help nobody
	maxDepth  = 512 // nesting of elements, above what xmltree reads
)

// Valid says whether the document conforms.
func (s *Schema) Valid(root *xmltree.Node) bool { return len(s.Validate(root)) == 0 }

// Validate returns the faults of a document, none for one that conforms. After
// a fault it goes on as if the document had been right there.
func (s *Schema) Validate(root *xmltree.Node) []Fault {
	if s.over || len(s.pats) > s.base+maxPatterns/4 {
		s.forget()
		s.memo = newMemo()
	}
	r := run{s: s, ids: map[string]identity{}}
	cands := s.elements(s.start, r.name(root, root.Name, false))
	if len(cands) == 0 {
		r.fault(root, "is not a root element of this schema; expected "+s.expectChildren(s.start))
		return r.faults
	}
	ok, faults := r.element(root, cands, 0)
	if len(ok) == 0 {
		r.faults = faults
	} else {
		r.checkReferences()
	}
	if s.full() {
		r.faults = nil
		r.fault(root, "the document is too varied to be validated")
	}
	return r.faults
}

// run is one validation.
type run struct {
	s      *Schema
	faults []Fault
	ids    map[string]identity
	refs   []reference
	spaces bool // a namespace was declared or a prefix used
}

// identity is the attribute that an ID was seen in.
type identity struct {
	node *xmltree.Node
	attr string
}

type reference struct {
	node       *xmltree.Node
	attr, name string
}

func faultOf(n *xmltree.Node, text string) Fault {
	return Fault{Line: n.Line, Element: n.Name, ID: n.ID(), Text: text}
}

func (r *run) fault(n *xmltree.Node, text string) {
	if len(r.faults) < maxFaults {
		r.faults = append(r.faults, faultOf(n, text))
	}
}

// name finds the number of the name of n or of an attribute of n.
func (r *run) name(n *xmltree.Node, name string, attr bool) nameID {
	if !attr && !r.spaces {
		for i := range n.Attrs {
			r.spaces = r.spaces || isDeclaration(n.Attrs[i].Name)
		}
	}
	if !r.spaces && strings.IndexByte(name, ':') < 0 {
		return r.s.find(qname{"", name})
	}
	return r.s.find(resolve(n, name, attr))
}

// trial is one element pattern tried on an element.
type trial struct {
	leaf   int32
	left   pid
	faults []Fault
}

func (t *trial) fault(n *xmltree.Node, text string) {
	if len(t.faults) < maxFaults {
		t.faults = append(t.faults, faultOf(n, text))
	}
}

// element tries the element patterns cands on n and returns those that match.
// When none does, it returns the faults of the one that came closest.
func (r *run) element(n *xmltree.Node, cands []int32, depth int) (ok []int32, faults []Fault) {
	var one [1]trial
	trials := one[:0]
	for _, leaf := range cands {
		trials = append(trials, trial{leaf: leaf, left: r.s.elems[leaf].content})
	}
	if depth > maxDepth {
		return nil, []Fault{faultOf(n, "is nested too deeply")}
	}
	for i := range trials {
		r.attributes(n, &trials[i])
	}
	r.children(n, trials, depth)
	for i := range trials {
		t := &trials[i]
		if !r.s.pats[t.left].nullable {
			t.fault(n, "is incomplete: "+r.s.needChildren(t.left))
		}
		if len(t.faults) == 0 {
			ok = addNew(ok, t.leaf)
		}
	}
	if len(ok) > 0 {
		return ok, nil
	}
	return nil, closest(trials)
}

// closest are the faults of the trial whose first fault is furthest inside the
// document, then of the one with fewest.
func closest(trials []trial) []Fault {
	best := trials[0].faults
	for _, t := range trials[1:] {
		if len(t.faults) < len(best) {
			best = t.faults
		}
	}
	return best
}

func (r *run) attributes(n *xmltree.Node, t *trial) {
	s := r.s
	for i := range n.Attrs {
		a := &n.Attrs[i]
		if isDeclaration(a.Name) {
			continue
		}
		leaves := s.attributes(t.left, r.name(n, a.Name, true))
		if len(leaves) == 0 {
			t.fault(n, s.misplacedAttribute(s.elems[t.leaf].content, t.left, n, a.Name))
			continue
		}
		next, fits := pNever, false
		for _, leaf := range leaves {
			if s.matches(s.attrs[leaf].content, a.Value) {
				next, fits = s.choice(next, s.afterAttr(t.left, leaf)), true
				r.note(n, a, &s.attrs[leaf])
			}
		}
		if !fits {
			t.fault(n, s.badValue(a, leaves))
			for _, leaf := range leaves {
				next = s.choice(next, s.afterAttr(t.left, leaf))
			}
		}
		t.left = next
	}
	left := s.closed(t.left)
	if left == pNever && t.left != pNever {
		t.fault(n, s.missingAttributes(t.left))
		left = s.forgiven(t.left)
	}
	t.left = left
}

// note remembers IDs and references for when the document is read.
func (r *run) note(n *xmltree.Node, a *xmltree.Attr, p *attributePattern) {
	switch {
	case p.id:
		id := trimSpace(a.Value)
		if _, dup := r.ids[id]; !dup {
			r.ids[id] = identity{n, a.Name}
		} else if old := r.ids[id]; old.node != n || old.attr != a.Name {
			r.fault(n, a.Name+`="`+id+`" is already the id of <`+old.node.Name+`>`+atLine(old.node))
		}
	case p.ref:
		r.refs = append(r.refs, reference{n, a.Name, trimSpace(a.Value)})
	}
}

func (r *run) checkReferences() {
	seen := map[reference]bool{}
	for _, ref := range r.refs {
		if _, ok := r.ids[ref.name]; !ok && !seen[ref] {
			seen[ref] = true
			r.fault(ref.node, ref.attr+`="`+ref.name+`": nothing has this id`)
		}
	}
}

// children moves the trials over the children of n.
func (r *run) children(n *xmltree.Node, trials []trial, depth int) {
	text, only := "", true
	for k := n.First; k != nil; k = k.Next {
		switch k.Kind {
		case xmltree.Element:
			r.text(n, trials, text, false)
			text, only = "", false
			r.child(k, trials, depth)
		case xmltree.Text, xmltree.CData:
			if text == "" {
				text = k.Name
			} else {
				text += k.Name
			}
		}
	}
	r.text(n, trials, text, only)
}

// text moves the trials over a text. Blanks count only where they are all the
// content and a value is compared; so does no text at all.
func (r *run) text(n *xmltree.Node, trials []trial, text string, only bool) {
	blank := trimSpace(text) == ""
	if blank && !only {
		return
	}
	for i := range trials {
		t := &trials[i]
		if blank && (!r.s.pats[t.left].texts || r.s.pats[t.left].nullable) {
			continue
		}
		left := r.s.afterText(t.left, text)
		switch {
		case left != pNever:
			t.left = left
		case r.s.pats[t.left].texts:
			t.fault(n, "holds the text "+quote(text)+", expected "+r.s.expectText(t.left))
			t.left = pEmpty
		case !blank:
			t.fault(n, "holds the text "+quote(text)+", none is allowed here")
		}
	}
}

// child moves the trials over the element k.
func (r *run) child(k *xmltree.Node, trials []trial, depth int) {
	name := r.name(k, k.Name, false)
	if len(trials) == 1 {
		t := &trials[0]
		cands := r.s.elements(t.left, name)
		ok, faults := r.tryChild(k, cands, depth)
		r.advance(k, t, cands, ok, faults)
		return
	}
	var all []int32
	for i := range trials {
		for _, leaf := range r.s.elements(trials[i].left, name) {
			all = addNew(all, leaf)
		}
	}
	ok, faults := r.tryChild(k, all, depth)
	for i := range trials {
		r.advance(k, &trials[i], r.s.elements(trials[i].left, name), ok, faults)
	}
}

func (r *run) tryChild(k *xmltree.Node, cands []int32, depth int) (ok []int32, faults []Fault) {
	if len(cands) == 0 {
		return nil, nil
	}
	return r.element(k, cands, depth+1)
}

// advance moves one trial over the child k, for which cands were possible, and
// of all that were tried ok matched.
func (r *run) advance(k *xmltree.Node, t *trial, cands, ok []int32, faults []Fault) {
	if len(cands) == 0 {
		t.fault(k, r.s.misplacedElement(r.s.elems[t.leaf], t.left, k))
		return
	}
	next, fits := pNever, false
	for _, leaf := range cands {
		if contains(ok, leaf) {
			next, fits = r.s.choice(next, r.s.afterChild(t.left, leaf)), true
		}
	}
	if !fits {
		if len(faults) == 0 { // it fits another trial only
			t.fault(k, "does not fit here")
		}
		for _, f := range faults {
			if len(t.faults) < maxFaults {
				t.faults = append(t.faults, f)
			}
		}
		for _, leaf := range cands {
			next = r.s.choice(next, r.s.afterChild(t.left, leaf))
		}
	}
	t.left = next
}

func contains(list []int32, x int32) bool {
	for _, y := range list {
		if x == y {
			return true
		}
	}
	return false
}
