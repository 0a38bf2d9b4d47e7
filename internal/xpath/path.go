package xpath

import (
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
)

type axis uint8

const (
	axisChild axis = iota
	axisAttribute
	axisDescendant
	axisDescendantOrSelf
	axisSelf
	axisParent
	axisAncestor
	axisAncestorOrSelf
	axisFollowing
	axisFollowingSibling
	axisPreceding
	axisPrecedingSibling
	axisNamespace
)

func axisOf(name string) (axis, bool) {
	switch name {
	case "child":
		return axisChild, true
	case "attribute":
		return axisAttribute, true
	case "descendant":
		return axisDescendant, true
	case "descendant-or-self":
		return axisDescendantOrSelf, true
	case "self":
		return axisSelf, true
	case "parent":
		return axisParent, true
	case "ancestor":
		return axisAncestor, true
	case "ancestor-or-self":
		return axisAncestorOrSelf, true
	case "following":
		return axisFollowing, true
	case "following-sibling":
		return axisFollowingSibling, true
	case "preceding":
		return axisPreceding, true
	case "preceding-sibling":
		return axisPrecedingSibling, true
	case "namespace":
		return axisNamespace, true
	}
	return 0, false
}

type test uint8

const (
	testName      test = iota // an element or attribute of a name
	testPrincipal             // *
	testPrefix                // prefix:*
	testNode                  // node()
	testText
	testComment
	testInstruction // never there: the parser drops instructions
)

func nodeType(name string) (test, bool) {
	switch name {
	case "node":
		return testNode, true
	case "text":
		return testText, true
	case "comment":
		return testComment, true
	case "processing-instruction":
		return testInstruction, true
	}
	return 0, false
}

type step struct {
	axis       axis
	test       test
	name       string
	preds      []node
	positional bool // a predicate asks for the position
}

// pathNode is a location path, from the context, the document or a set of nodes.
type pathNode struct {
	from     node
	absolute bool
	steps    []*step
}

func (n *pathNode) kind() Kind       { return NodeSet }
func (n *pathNode) numeric() bool    { return false }
func (n *pathNode) positional() bool { return n.from != nil && n.from.positional() }

// add appends a step. //name is one walk over everything below, unless a
// predicate counts positions, which it does among the children of each node.
func (n *pathNode) add(s *step) {
	if last := len(n.steps) - 1; last >= 0 && s.axis == axisChild && !s.positional {
		if b := n.steps[last]; b.axis == axisDescendantOrSelf && b.test == testNode && b.preds == nil {
			s.axis = axisDescendant
			n.steps[last] = s
			return
		}
	}
	n.steps = append(n.steps, s)
}

func (n *pathNode) eval(ev *evaluator, c context) Value {
	items := []Item{c.at}
	flat := true
	switch {
	case n.from != nil:
		v := n.from.eval(ev, c)
		if v.Kind != NodeSet {
			ev.fail("a path starts from a set of nodes only")
			return Value{}
		}
		items, flat = v.Nodes, len(v.Nodes) < 2
	case n.absolute:
		items[0] = Item{ev.root, Document}
	}
	for _, s := range n.steps {
		items, flat = ev.step(s, items, flat)
	}
	return Value{Nodes: items}
}

// step follows one step from every item. flat says that no item lies within
// another: then results of forward axes come in order and without repetition.
func (ev *evaluator) step(s *step, from []Item, flat bool) ([]Item, bool) {
	var out []Item
	w := walker{ev: ev, s: s}
	nested := false
	for _, it := range from {
		w.out, w.nested = w.out[:0], false
		if len(s.preds) == 0 {
			w.out = out
		}
		w.walk(it)
		if ev.err != nil {
			return nil, true
		}
		nested = nested || w.nested
		if len(s.preds) == 0 {
			out = w.out
			continue
		}
		found := w.out
		for _, p := range s.preds {
			found = ev.filter(found, p)
		}
		out = append(out, found...)
	}
	switch s.axis {
	case axisSelf:
		return out, flat
	case axisChild, axisAttribute:
		if flat {
			return out, true
		}
	case axisDescendant, axisDescendantOrSelf:
		if flat {
			return out, !nested
		}
	case axisFollowingSibling:
		if len(from) == 1 {
			return out, true
		}
	}
	return ev.sorted(out), len(out) < 2
}

// walker collects the nodes of an axis that pass the node test, in the axis' order.
type walker struct {
	ev     *evaluator
	s      *step
	out    []Item
	nested bool // a node was found within another one
}

func (w *walker) take(it Item) bool {
	if !w.ev.visit() {
		return false
	}
	if !w.s.matches(it) {
		return false
	}
	w.out = append(w.out, it)
	return true
}

// matches is the node test.
func (s *step) matches(it Item) bool {
	switch s.test {
	case testNode:
		return true
	case testText:
		return it.Attr == Self && (it.Node.Kind == xmltree.Text || it.Node.Kind == xmltree.CData)
	case testComment:
		return it.Attr == Self && it.Node.Kind == xmltree.Comment
	case testInstruction:
		return false
	}
	name := it.Node.Name
	switch {
	case it.Attr >= 0:
		if s.axis != axisAttribute {
			return false // elements are meant on every other axis
		}
		name = it.Node.Attrs[it.Attr].Name
	case it.Attr == Document || it.Node.Kind != xmltree.Element || s.axis == axisAttribute:
		return false
	}
	switch s.test {
	case testName:
		return name == s.name
	case testPrefix:
		return strings.HasPrefix(name, s.name)
	}
	return true
}

func (w *walker) walk(it Item) {
	n := it.Node
	switch w.s.axis {
	case axisSelf:
		w.take(it)
	case axisChild:
		switch it.Attr {
		case Document:
			w.take(Item{n, Self})
		case Self:
			w.siblings(firstChild(n), false)
		}
	case axisAttribute:
		if it.Attr == Self && n.Kind == xmltree.Element {
			for i := range n.Attrs {
				if name := n.Attrs[i].Name; name != "xmlns" && !strings.HasPrefix(name, "xmlns:") {
					w.take(Item{n, int32(i)})
				}
			}
		}
	case axisDescendantOrSelf:
		inside := w.take(it)
		w.descend(it, inside)
	case axisDescendant:
		w.descend(it, false)
	case axisParent:
		if up, ok := it.parent(); ok {
			w.take(up)
		}
	case axisAncestorOrSelf:
		w.take(it)
		w.ancestors(it)
	case axisAncestor:
		w.ancestors(it)
	case axisFollowingSibling:
		if it.Attr == Self {
			w.siblings(n.Next, false)
		}
	case axisPrecedingSibling:
		if it.Attr == Self {
			w.siblings(n.Prev, true)
		}
	case axisFollowing:
		w.following(it)
	case axisPreceding:
		w.preceding(it)
	}
}

// firstChild is nil for text and comments, which have no children.
func firstChild(n *xmltree.Node) *xmltree.Node {
	if n.Kind != xmltree.Element {
		return nil
	}
	return n.First
}

func (w *walker) siblings(n *xmltree.Node, back bool) {
	for n != nil && w.ev.err == nil {
		w.take(Item{n, Self})
		if back {
			n = n.Prev
		} else {
			n = n.Next
		}
	}
}

// descend takes everything below it in document order; inside says that a node
// around it was taken.
func (w *walker) descend(it Item, inside bool) {
	if it.Attr == Document {
		taken := w.take(Item{it.Node, Self})
		w.nested = w.nested || taken && inside
		w.below(it.Node, inside || taken)
	} else if it.Attr == Self {
		w.below(it.Node, inside)
	}
}

func (w *walker) below(n *xmltree.Node, inside bool) {
	for c := firstChild(n); c != nil && w.ev.err == nil; c = c.Next {
		taken := w.take(Item{c, Self})
		w.nested = w.nested || taken && inside
		if c.First != nil {
			w.below(c, inside || taken)
		}
	}
}

func (w *walker) ancestors(it Item) {
	for up, ok := it.parent(); ok && w.ev.err == nil; up, ok = up.parent() {
		w.take(up)
	}
}

func (it Item) parent() (Item, bool) {
	switch {
	case it.Attr == Document:
		return Item{}, false
	case it.Attr >= 0:
		return Item{it.Node, Self}, true
	case it.Node.Parent == nil:
		return Item{it.Node, Document}, true
	}
	return Item{it.Node.Parent, Self}, true
}

// following takes what begins after the end of it; for an attribute, as libxml2
// has it, after the end of its element.
func (w *walker) following(it Item) {
	for n := it.Node; n != nil && it.Attr != Document; n = n.Parent {
		for s := n.Next; s != nil && w.ev.err == nil; s = s.Next {
			w.take(Item{s, Self})
			w.below(s, false)
		}
	}
}

// preceding takes what ended before it begins, the nearest first.
func (w *walker) preceding(it Item) {
	for n := it.Node; n != nil && it.Attr != Document; n = n.Parent {
		for s := n.Prev; s != nil && w.ev.err == nil; s = s.Prev {
			w.backwards(s)
		}
	}
}

func (w *walker) backwards(n *xmltree.Node) {
	if n.Kind == xmltree.Element {
		for c := n.Last; c != nil && w.ev.err == nil; c = c.Prev {
			w.backwards(c)
		}
	}
	w.take(Item{n, Self})
}
