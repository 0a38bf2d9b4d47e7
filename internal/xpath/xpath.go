// Package xpath evaluates XPath 1.0 expressions on internal/xmltree.
//
// The CIB daemon finds with it what requests and ACLs address, the tools what
// their users ask for. The whole language of the recommendation is there but for
// variables and namespaces: a name with a prefix is the name the document
// holds, and declarations of namespaces are no attributes. It replaces
// libxml2's xpath.c and lib/common/xpath.c, whose results it reproduces, in
// document order. An Expr is immutable; one evaluation belongs to one goroutine.
package xpath

import (
	"errors"
	"fmt"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Limits of expressions and of the work one may cause. Real ones have some
// dozens of terms; a document of 50 MB has about a million nodes.
const (
	maxLength  = 64 << 10
	maxNesting = 256
	maxVisits  = 16 << 20
)

// ErrWork is the error of an expression that would visit too many nodes.
var ErrWork = errors.New("xpath: the expression visits too many nodes: make it name the elements on the way")

// SyntaxError is a fault of an expression.
type SyntaxError struct {
	Expr   string
	Offset int // bytes before the place where it was noticed
	Text   string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("xpath: %q, column %d: %s", e.Expr, e.Offset+1, e.Text)
}

// Expr is a compiled expression.
type Expr struct {
	source string
	top    node
	limit  int // of nodes visited
}

// String is the text the expression was made of.
func (e *Expr) String() string { return e.source }

// Item is a node as XPath sees it: an element, text or comment, one of its
// attributes, or the document above the root element.
type Item struct {
	Node *xmltree.Node // for the document its root element
	Attr int32         // index into Node.Attrs, or one of the constants below
}

// What an Item is when it is no attribute.
const (
	Self     int32 = -1 // Node itself
	Document int32 = -2
)

// Element is the element that stands for an item where elements are wanted:
// an attribute's or text's own element, the root for the document. nil: there is
// none (xpath.c: getXpathResult).
func (it Item) Element() *xmltree.Node {
	switch {
	case it.Attr == Document || it.Attr >= 0 || it.Node.Kind == xmltree.Element:
		return it.Node
	}
	return it.Node.Parent
}

// Nodes evaluates the expression with the document as context; one that is no
// set of nodes is an error. Each node comes once, in document order.
func (e *Expr) Nodes(root *xmltree.Node) ([]Item, error) {
	v, err := e.Eval(Item{root, Document})
	if err != nil {
		return nil, err
	}
	if v.Kind != NodeSet {
		return nil, fmt.Errorf("xpath: %q is a %s and not a set of nodes", e.source, v.Kind)
	}
	return v.Nodes, nil
}

// Eval evaluates the expression with a node as context.
func (e *Expr) Eval(at Item) (Value, error) {
	ev := &evaluator{root: top(at.Node), limit: e.limit}
	v := e.top.eval(ev, context{at, 1, 1})
	if ev.err != nil {
		return Value{}, ev.err
	}
	return v, nil
}

func top(n *xmltree.Node) *xmltree.Node {
	for n.Parent != nil {
		n = n.Parent
	}
	return n
}

// Find compiles and evaluates an expression and returns the elements it leads
// to, in document order. An element comes once for each attribute or text of it
// that is found, as in the original.
func Find(root *xmltree.Node, expr string) ([]*xmltree.Node, error) {
	e, err := Compile(expr)
	if err != nil {
		return nil, err
	}
	items, err := e.Nodes(root)
	if err != nil {
		return nil, err
	}
	out := make([]*xmltree.Node, 0, len(items))
	for _, it := range items {
		if n := it.Element(); n != nil {
			out = append(out, n)
		}
	}
	return out, nil
}
