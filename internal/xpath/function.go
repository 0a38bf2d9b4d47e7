package xpath

import (
	"math"
	"strings"
	"unicode/utf8"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// function is one of the core library (XPath 1.0 §4).
type function struct {
	min, max int // arguments, max -1: any number
	result   Kind
	sets     bool // the first argument must be a set of nodes
	call     func(ev *evaluator, c context, args []Value) Value
}

type callNode struct {
	name string
	f    function
	args []node
}

func (n *callNode) kind() Kind    { return n.f.result }
func (n *callNode) numeric() bool { return n.f.result == Number }
func (n *callNode) positional() bool {
	if n.name == "position" || n.name == "last" {
		return true
	}
	for _, a := range n.args {
		if a.positional() {
			return true
		}
	}
	return false
}

func (n *callNode) eval(ev *evaluator, c context) Value {
	args := make([]Value, len(n.args))
	for i, a := range n.args {
		args[i] = a.eval(ev, c)
	}
	if ev.err != nil {
		return Value{Kind: n.f.result}
	}
	return n.f.call(ev, c, args)
}

func textOf(s string) Value     { return Value{Kind: String, Str: s} }
func numberOf(f float64) Value  { return Value{Kind: Number, Num: f} }
func booleanOf(b bool) Value    { return Value{Kind: Boolean, Bool: b} }
func lengthOf(s string) float64 { return float64(utf8.RuneCountInString(s)) }

// orContext is the first argument, or else the context node.
func orContext(c context, args []Value) Value {
	if len(args) > 0 {
		return args[0]
	}
	return Value{Nodes: []Item{c.at}}
}

func functionOf(name string) (function, bool) {
	if f, ok := nodeFunction(name); ok {
		return f, true
	}
	if f, ok := stringFunction(name); ok {
		return f, true
	}
	switch name {
	case "boolean":
		return function{1, 1, Boolean, false, func(_ *evaluator, _ context, a []Value) Value { return booleanOf(a[0].True()) }}, true
	case "not":
		return function{1, 1, Boolean, false, func(_ *evaluator, _ context, a []Value) Value { return booleanOf(!a[0].True()) }}, true
	case "true":
		return function{0, 0, Boolean, false, func(*evaluator, context, []Value) Value { return booleanOf(true) }}, true
	case "false":
		return function{0, 0, Boolean, false, func(*evaluator, context, []Value) Value { return booleanOf(false) }}, true
	case "lang":
		return function{1, 1, Boolean, false, func(_ *evaluator, c context, a []Value) Value { return booleanOf(lang(c.at, a[0].Text())) }}, true
	case "number":
		return function{0, 1, Number, false, func(_ *evaluator, c context, a []Value) Value { return numberOf(orContext(c, a).Float()) }}, true
	case "sum":
		return function{1, 1, Number, true, func(_ *evaluator, _ context, a []Value) Value {
			total := 0.0
			for _, it := range a[0].Nodes {
				total += parseNumber(it.Text())
			}
			return numberOf(total)
		}}, true
	case "floor":
		return function{1, 1, Number, false, func(_ *evaluator, _ context, a []Value) Value { return numberOf(math.Floor(a[0].Float())) }}, true
	case "ceiling":
		return function{1, 1, Number, false, func(_ *evaluator, _ context, a []Value) Value { return numberOf(math.Ceil(a[0].Float())) }}, true
	case "round":
		return function{1, 1, Number, false, func(_ *evaluator, _ context, a []Value) Value { return numberOf(round(a[0].Float())) }}, true
	}
	return function{}, false
}

func round(f float64) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return f
	}
	return math.Floor(f + 0.5)
}

func nodeFunction(name string) (function, bool) {
	switch name {
	case "last":
		return function{0, 0, Number, false, func(_ *evaluator, c context, _ []Value) Value { return numberOf(float64(c.size)) }}, true
	case "position":
		return function{0, 0, Number, false, func(_ *evaluator, c context, _ []Value) Value { return numberOf(float64(c.pos)) }}, true
	case "count":
		return function{1, 1, Number, true, func(_ *evaluator, _ context, a []Value) Value { return numberOf(float64(len(a[0].Nodes))) }}, true
	case "id":
		return function{1, 1, NodeSet, false, func(ev *evaluator, _ context, a []Value) Value { return Value{Nodes: byXMLID(ev, a[0])} }}, true
	case "name":
		return function{0, 1, String, true, func(_ *evaluator, c context, a []Value) Value { return textOf(orContext(c, a).name()) }}, true
	case "local-name":
		return function{0, 1, String, true, func(_ *evaluator, c context, a []Value) Value {
			n := orContext(c, a).name()
			return textOf(n[strings.IndexByte(n, ':')+1:])
		}}, true
	case "namespace-uri":
		return function{0, 1, String, true, func(*evaluator, context, []Value) Value { return textOf("") }}, true
	}
	return function{}, false
}

func (v Value) name() string {
	if len(v.Nodes) == 0 {
		return ""
	}
	switch it := v.Nodes[0]; {
	case it.Attr >= 0:
		return it.Node.Attrs[it.Attr].Name
	case it.Attr == Self && it.Node.Kind == xmltree.Element:
		return it.Node.Name
	}
	return ""
}

// byXMLID finds elements by xml:id: without a document type no other attribute
// is an ID to XPath.
func byXMLID(ev *evaluator, v Value) []Item {
	wanted := map[string]bool{}
	add := func(s string) {
		for _, id := range strings.Fields(s) {
			wanted[id] = true
		}
	}
	if v.Kind == NodeSet {
		for _, it := range v.Nodes {
			add(it.Text())
		}
	} else {
		add(v.Text())
	}
	var out []Item
	ev.root.Find(func(n *xmltree.Node) bool {
		if id, ok := n.Get("xml:id"); ok && wanted[id] {
			out = append(out, Item{n, Self})
			delete(wanted, id)
		}
		return !ev.visit()
	})
	return out
}

func lang(at Item, want string) bool {
	n := at.Node
	if n.Kind != xmltree.Element {
		n = n.Parent
	}
	for ; n != nil; n = n.Parent {
		if v, ok := n.Get("xml:lang"); ok {
			return len(v) >= len(want) && strings.EqualFold(v[:len(want)], want) && (len(v) == len(want) || v[len(want)] == '-')
		}
	}
	return false
}

func stringFunction(name string) (function, bool) {
	switch name {
	case "string":
		return function{0, 1, String, false, func(_ *evaluator, c context, a []Value) Value { return textOf(orContext(c, a).Text()) }}, true
	case "concat":
		return function{2, -1, String, false, func(_ *evaluator, _ context, a []Value) Value {
			var b strings.Builder
			for _, v := range a {
				b.WriteString(v.Text())
			}
			return textOf(b.String())
		}}, true
	case "starts-with":
		return function{2, 2, Boolean, false, func(_ *evaluator, _ context, a []Value) Value {
			return booleanOf(strings.HasPrefix(a[0].Text(), a[1].Text()))
		}}, true
	case "contains":
		return function{2, 2, Boolean, false, func(_ *evaluator, _ context, a []Value) Value {
			return booleanOf(strings.Contains(a[0].Text(), a[1].Text()))
		}}, true
	case "substring-before":
		return function{2, 2, String, false, func(_ *evaluator, _ context, a []Value) Value {
			s, _, ok := strings.Cut(a[0].Text(), a[1].Text())
			if !ok {
				s = ""
			}
			return textOf(s)
		}}, true
	case "substring-after":
		return function{2, 2, String, false, func(_ *evaluator, _ context, a []Value) Value {
			_, s, _ := strings.Cut(a[0].Text(), a[1].Text())
			return textOf(s)
		}}, true
	case "substring":
		return function{2, 3, String, false, func(_ *evaluator, _ context, a []Value) Value { return textOf(substring(a)) }}, true
	case "string-length":
		return function{0, 1, Number, false, func(_ *evaluator, c context, a []Value) Value { return numberOf(lengthOf(orContext(c, a).Text())) }}, true
	case "normalize-space":
		return function{0, 1, String, false, func(_ *evaluator, c context, a []Value) Value {
			return textOf(strings.Join(strings.FieldsFunc(orContext(c, a).Text(), func(r rune) bool {
				return r == ' ' || r == '\t' || r == '\n' || r == '\r'
			}), " "))
		}}, true
	case "translate":
		return function{3, 3, String, false, func(_ *evaluator, _ context, a []Value) Value {
			return textOf(translate(a[0].Text(), a[1].Text(), a[2].Text()))
		}}, true
	}
	return function{}, false
}

// substring counts characters from 1 and rounds its numbers (§4.2).
func substring(a []Value) string {
	from := round(a[1].Float())
	to := math.Inf(1)
	if len(a) == 3 {
		to = from + round(a[2].Float())
	}
	s, b, pos := a[0].Text(), strings.Builder{}, 0.0
	for _, r := range s {
		if pos++; pos >= from && pos < to {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func translate(s, from, to string) string {
	src, dst := []rune(from), []rune(to)
	return strings.Map(func(r rune) rune {
		for i, f := range src {
			if f == r {
				if i < len(dst) {
					return dst[i]
				}
				return -1
			}
		}
		return r
	}, s)
}
