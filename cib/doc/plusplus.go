package doc

import (
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// expand returns the value an attribute gets: name++ and name+=N add to the
// score-like number it has; without one they stand as they are
// (xml.c: expand_plus_plus).
func expand(n *xmltree.Node, name, value string) string {
	old, ok := n.Get(name)
	if !ok {
		return value
	}
	offset, ok := increment(name, value)
	if !ok {
		return value
	}
	return sum(int(score.Parse(old, score.Health{})), offset)
}

// expandAll expands what has nothing to add to: the attributes of the result
// that still hold a request to add (xml.c: fix_plus_plus_recursive).
func expandAll(t *tracker, n *xmltree.Node) {
	expandOwn(t, n)
	n.Elements(func(c *xmltree.Node) { expandAll(t, c) })
}

// expandOwn is expandAll for the attributes of n alone.
func expandOwn(t *tracker, n *xmltree.Node) {
	for _, a := range n.Attrs {
		if offset, ok := increment(a.Name, a.Value); ok {
			t.set(n, a.Name, sum(0, offset))
		}
	}
}

// wantsIncrement says whether an attribute of an element holds a request to add.
func wantsIncrement(n *xmltree.Node) bool {
	if n.Kind != xmltree.Element {
		return false
	}
	for i := range n.Attrs {
		if _, ok := increment(n.Attrs[i].Name, n.Attrs[i].Value); ok {
			return true
		}
	}
	return false
}

// increment reads name++ or name+=N. What follows the second plus does not count.
func increment(name, value string) (int, bool) {
	rest, ok := strings.CutPrefix(value, name)
	switch {
	case !ok:
	case strings.HasPrefix(rest, "++"):
		return 1, true
	case strings.HasPrefix(rest, "+="):
		return int(score.Parse(rest[2:], score.Health{})), true
	}
	return 0, false
}

func sum(a, b int) string { return strconv.Itoa(min(a+b, int(score.Infinity))) }
