package simulate

import (
	"slices"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// settle does to the state of a node what the original's way of storing it does:
// the whole of it is merged into the CIB, where an element is looked for by its
// name and id. Of twins, which no daemon writes, the first takes in the others; an
// element made beside them does not stay.
func (x *Execution) settle(state, made *xmltree.Node) {
	if !x.twins[state] {
		return
	}
	blend(state, made)
	if made != nil && made.Parent == nil {
		id := made.ID()
		x.known[state][id] = slices.DeleteFunc(x.known[state][id], func(h *xmltree.Node) bool { return h == made })
	}
}

func blend(n, made *xmltree.Node) {
	for c := n.First; c != nil; {
		next := c.Next
		if c.Kind == xmltree.Element {
			if first := twin(n, c); first == c {
				blend(c, made)
			} else {
				absorb(first, c)
				if c == made {
					c.Remove()
				}
			}
		}
		c = next
	}
}

func absorb(into, n *xmltree.Node) {
	for _, a := range n.Attrs {
		into.Set(a.Name, a.Value)
	}
	n.Elements(func(c *xmltree.Node) {
		if first := twin(into, c); first != nil {
			absorb(first, c)
		} else {
			into.Add(c.Copy())
		}
	})
}

// twin is the first child with the name and id of an element, without an id the
// first of that name (xml.c: find_entity).
func twin(parent, n *xmltree.Node) *xmltree.Node {
	id, hasID := n.Get("id")
	for c := parent.Child(n.Name); c != nil; c = c.NextNamed() {
		if !hasID || c.ID() == id {
			return c
		}
	}
	return nil
}

// hasTwins says whether there are any below n.
func hasTwins(n *xmltree.Node) bool {
	type key struct{ name, id string }
	seen := map[key]bool{}
	for c := n.First; c != nil; c = c.Next {
		if c.Kind != xmltree.Element {
			continue
		}
		k := key{c.Name, c.ID()}
		if seen[k] || hasTwins(c) {
			return true
		}
		seen[k] = true
	}
	return false
}
