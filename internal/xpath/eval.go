package xpath

import (
	"math"
	"slices"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// context is what an expression is evaluated in.
type context struct {
	at        Item
	pos, size int
}

// evaluator is one evaluation.
type evaluator struct {
	root   *xmltree.Node
	order  map[*xmltree.Node]int32 // place in the document, made when first needed
	visits int
	limit  int
	err    error
}

// visit counts the work; false ends it.
func (ev *evaluator) visit() bool {
	if ev.visits++; ev.visits > ev.limit && ev.err == nil {
		ev.err = ErrWork
	}
	return ev.err == nil
}

// node is a part of an expression.
type node interface {
	eval(*evaluator, context) Value
	kind() Kind
	numeric() bool    // its value is a number, so as a predicate it is a position
	positional() bool // it asks for position or size of the context
}

type literalNode struct{ v Value }

func (n literalNode) eval(*evaluator, context) Value { return n.v }
func (n literalNode) kind() Kind                     { return n.v.Kind }
func (n literalNode) numeric() bool                  { return n.v.Kind == Number }
func (n literalNode) positional() bool               { return false }

type negateNode struct {
	n   node
	odd bool
}

func (n *negateNode) eval(ev *evaluator, c context) Value {
	f := n.n.eval(ev, c).Float()
	if n.odd {
		f = -f
	}
	return Value{Kind: Number, Num: f}
}
func (n *negateNode) kind() Kind       { return Number }
func (n *negateNode) numeric() bool    { return true }
func (n *negateNode) positional() bool { return n.n.positional() }

type binaryNode struct {
	op          string
	left, right node
}

func (n *binaryNode) kind() Kind {
	switch n.op {
	case "|":
		return NodeSet
	case "+", "-", "*", "div", "mod":
		return Number
	}
	return Boolean
}
func (n *binaryNode) numeric() bool    { return n.kind() == Number }
func (n *binaryNode) positional() bool { return n.left.positional() || n.right.positional() }

func (n *binaryNode) eval(ev *evaluator, c context) Value {
	a := n.left.eval(ev, c)
	switch n.op {
	case "or":
		return Value{Kind: Boolean, Bool: a.True() || n.right.eval(ev, c).True()}
	case "and":
		return Value{Kind: Boolean, Bool: a.True() && n.right.eval(ev, c).True()}
	}
	b := n.right.eval(ev, c)
	switch n.op {
	case "|":
		if a.Kind != NodeSet || b.Kind != NodeSet {
			ev.fail("| joins sets of nodes only")
			return Value{}
		}
		return Value{Nodes: ev.sorted(append(slices.Clone(a.Nodes), b.Nodes...))}
	case "=", "!=", "<", "<=", ">", ">=":
		return Value{Kind: Boolean, Bool: compare(ev, n.op, a, b)}
	}
	x, y := a.Float(), b.Float()
	switch n.op {
	case "+":
		x += y
	case "-":
		x -= y
	case "*":
		x *= y
	case "div":
		x /= y
	default:
		x = math.Mod(x, y)
	}
	return Value{Kind: Number, Num: x}
}

// attrEquals is @name='text'.
type attrEquals struct{ name, value string }

func (n *attrEquals) kind() Kind       { return Boolean }
func (n *attrEquals) numeric() bool    { return false }
func (n *attrEquals) positional() bool { return false }

func (n *attrEquals) eval(_ *evaluator, c context) Value {
	if c.at.Attr != Self || c.at.Node.Kind != xmltree.Element {
		return Value{Kind: Boolean}
	}
	v, ok := c.at.Node.Get(n.name)
	return Value{Kind: Boolean, Bool: ok && v == n.value}
}

func (ev *evaluator) fail(text string) {
	if ev.err == nil {
		ev.err = &SyntaxError{Text: text}
	}
}

// compare is §3.4 of the recommendation.
func compare(ev *evaluator, op string, a, b Value) bool {
	switch {
	case a.Kind == NodeSet && b.Kind == NodeSet:
		for _, x := range a.Nodes {
			left := Value{Kind: String, Str: x.Text()}
			for _, y := range b.Nodes {
				if !ev.visit() {
					return false
				}
				if compareScalars(op, left, Value{Kind: String, Str: y.Text()}) {
					return true
				}
			}
		}
		return false
	case a.Kind == NodeSet:
		if b.Kind == Boolean {
			return compareScalars(op, Value{Kind: Boolean, Bool: a.True()}, b)
		}
		for _, x := range a.Nodes {
			if compareScalars(op, Value{Kind: String, Str: x.Text()}, b) {
				return true
			}
		}
		return false
	case b.Kind == NodeSet:
		return compare(ev, mirrored(op), b, a)
	}
	return compareScalars(op, a, b)
}

func mirrored(op string) string {
	switch op {
	case "<":
		return ">"
	case "<=":
		return ">="
	case ">":
		return "<"
	case ">=":
		return "<="
	}
	return op
}

func compareScalars(op string, a, b Value) bool {
	if op == "=" || op == "!=" {
		var same bool
		switch {
		case a.Kind == Boolean || b.Kind == Boolean:
			same = a.True() == b.True()
		case a.Kind == Number || b.Kind == Number:
			same = a.Float() == b.Float()
		default:
			same = a.Str == b.Str
		}
		return same == (op == "=")
	}
	x, y := a.Float(), b.Float()
	switch op {
	case "<":
		return x < y
	case "<=":
		return x <= y
	case ">":
		return x > y
	}
	return x >= y
}

// filterNode is a primary expression with predicates.
type filterNode struct {
	n     node
	preds []node
}

func (n *filterNode) kind() Kind       { return NodeSet }
func (n *filterNode) numeric() bool    { return false }
func (n *filterNode) positional() bool { return n.n.positional() }

func (n *filterNode) eval(ev *evaluator, c context) Value {
	v := n.n.eval(ev, c)
	if v.Kind != NodeSet {
		ev.fail("predicates apply to sets of nodes only")
		return Value{}
	}
	items := v.Nodes
	for _, p := range n.preds {
		items = ev.filter(slices.Clone(items), p)
	}
	return Value{Nodes: items}
}

// filter keeps, in items itself, those for which a predicate holds.
func (ev *evaluator) filter(items []Item, p node) []Item {
	size := len(items)
	kept := items[:0]
	for i, it := range items {
		if !ev.visit() {
			return nil
		}
		v := p.eval(ev, context{it, i + 1, size})
		if v.Kind == Number && v.Num == float64(i+1) || v.Kind != Number && v.True() {
			kept = append(kept, it)
		}
	}
	return kept
}

// sorted puts items into document order, each once.
func (ev *evaluator) sorted(items []Item) []Item {
	if len(items) < 2 {
		return items
	}
	if ev.order == nil {
		ev.order = map[*xmltree.Node]int32{}
		ev.number(ev.root)
	}
	slices.SortFunc(items, func(a, b Item) int {
		switch {
		case a.Attr == Document || b.Attr == Document:
			return int(min(a.Attr, Self)) - int(min(b.Attr, Self))
		case a.Node != b.Node:
			return int(ev.order[a.Node]) - int(ev.order[b.Node])
		}
		return int(a.Attr) - int(b.Attr)
	})
	return slices.Compact(items)
}

func (ev *evaluator) number(n *xmltree.Node) {
	ev.order[n] = int32(len(ev.order))
	for c := n.First; c != nil; c = c.Next {
		ev.number(c)
	}
}
