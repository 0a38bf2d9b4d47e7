package schema

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// maxShown bounds the alternatives that a message lists.
const maxShown = 12

// String is the fault on one line: where, then what.
func (f Fault) String() string {
	var b strings.Builder
	if f.Line > 0 {
		b.WriteString("line " + strconv.Itoa(int(f.Line)) + ": ")
	}
	b.WriteString("<" + f.Element)
	if f.ID != "" {
		b.WriteString(` id=` + quote(f.ID))
	}
	b.WriteString("> " + f.Text)
	return b.String()
}

func atLine(n *xmltree.Node) string {
	if n.Line == 0 {
		return ""
	}
	return " at line " + strconv.Itoa(int(n.Line))
}

// quote shows a text of a document, cut where it is long.
func quote(s string) string {
	const most = 60
	if r := []rune(s); len(s) > most && len(r) > most {
		s = string(r[:most]) + "..."
	}
	return strconv.Quote(s)
}

// oneOf lists alternatives.
func oneOf(words []string) string {
	slices.Sort(words)
	words = slices.Compact(words)
	if len(words) > maxShown {
		more := len(words) - maxShown
		words = append(slices.Clone(words[:maxShown]), strconv.Itoa(more)+" others")
	}
	switch n := len(words); n {
	case 0:
		return "nothing"
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " or " + words[n-1]
	}
}

// expectChildren lists the elements that may come next.
func (s *Schema) expectChildren(p pid) string {
	var words []string
	s.next(p, func(q *pattern) {
		switch q.kind {
		case kElement:
			words = append(words, "<"+s.classes[s.elems[q.leaf].class].text(s)+">")
		case kText, kData, kValue, kList:
			words = append(words, "text")
		}
	})
	return oneOf(words)
}

func (c *class) text(s *Schema) string {
	if c.kind != classChoice {
		return c.label
	}
	var words []string
	for _, k := range c.kids {
		words = append(words, s.classes[k].text(s))
	}
	return strings.Join(words, "|")
}

// needChildren says what is missing at the end of an element.
func (s *Schema) needChildren(p pid) string {
	if p == pNever {
		return "its parts do not go together"
	}
	return "expected " + s.expectChildren(p)
}

func (s *Schema) expectText(p pid) string {
	var words []string
	s.next(p, func(q *pattern) {
		switch q.kind {
		case kData, kValue:
			words = append(words, s.describe(q))
		case kElement:
			words = append(words, "<"+s.classes[s.elems[q.leaf].class].text(s)+">")
		case kText, kList:
			words = append(words, "text")
		}
	})
	return oneOf(words)
}

func (s *Schema) describe(q *pattern) string {
	switch q.kind {
	case kValue:
		return quote(s.values[q.leaf].text)
	case kData:
		d := &s.datas[q.leaf]
		text := d.typ.describe()
		if d.except != pNever {
			text += " other than " + s.expectText(d.except)
		}
		if len(d.match) > 0 {
			text += " of the form " + strings.TrimSuffix(strings.TrimPrefix(d.match[0].String(), "^(?s:"), ")$")
		}
		return text
	}
	return "text"
}

// badValue says what an attribute should have held.
func (s *Schema) badValue(a *xmltree.Attr, leaves []int32) string {
	var words []string
	for _, leaf := range leaves {
		s.next(s.attrs[leaf].content, func(q *pattern) { words = append(words, s.describe(q)) })
	}
	return a.Name + "=" + quote(a.Value) + " is not allowed, expected " + oneOf(words)
}

// misplacedAttribute says why an attribute is not accepted: the element never
// has it, or it does not go with what came before.
func (s *Schema) misplacedAttribute(whole, left pid, n *xmltree.Node, name string) string {
	known := false
	s.allAttributes(whole, func(leaf int32) {
		known = known || s.classes[s.attrs[leaf].class].label == name
	})
	if known {
		return "attribute " + name + " does not go together with the other attributes here"
	}
	var words []string
	s.allAttributes(left, func(leaf int32) {
		label := s.classes[s.attrs[leaf].class].text(s)
		if _, has := n.Get(label); !has {
			words = append(words, label)
		}
	})
	if len(words) == 0 {
		return "attribute " + name + " is not allowed here, no further attribute is"
	}
	return "attribute " + name + " is not allowed here, only " + oneOf(words)
}

// missingAttributes says which attributes p wants.
func (s *Schema) missingAttributes(p pid) string {
	return "lacks attribute " + s.wants(p, 0)
}

// wants describes the attributes without which p cannot be.
func (s *Schema) wants(p pid, depth int) string {
	q := &s.pats[p]
	if depth > 8 {
		return "..."
	}
	switch {
	case q.kind == kAttribute:
		return s.classes[s.attrs[q.leaf].class].text(s)
	case q.kind == kChoice:
		var words []string
		for _, k := range q.kids {
			if s.pats[k].attrs {
				words = append(words, s.wants(k, depth+1))
			}
		}
		return oneOf(words)
	}
	var words []string
	for _, k := range q.kids {
		if s.closed(k) == pNever {
			words = append(words, s.wants(k, depth+1))
		}
	}
	return strings.Join(words, " and ")
}

// misplacedElement says why a child is not accepted.
func (s *Schema) misplacedElement(parent elementPattern, left pid, k *xmltree.Node) string {
	in := "<" + k.Parent.Name + ">"
	if id := k.Parent.ID(); id != "" {
		in = "<" + k.Parent.Name + " id=" + quote(id) + ">"
	}
	known := false
	name := s.find(resolve(k, k.Name, false))
	s.below(parent.content, func(q *pattern) {
		known = known || q.kind == kElement && s.classes[s.elems[q.leaf].class].has(s, name)
	})
	expected := s.expectChildren(left)
	switch {
	case known && expected == "nothing":
		return "is one too many in " + in
	case known:
		return "is not allowed at this place in " + in + ", expected " + expected
	case expected == "nothing":
		return "is not allowed in " + in
	}
	return "is not allowed in " + in + ", only " + expected
}

// below calls f for all leaves of p.
func (s *Schema) below(p pid, f func(*pattern)) {
	q := &s.pats[p]
	if len(q.kids) == 0 {
		f(q)
	}
	for _, k := range q.kids {
		s.below(k, f)
	}
}
