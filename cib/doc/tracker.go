package doc

import "github.com/pacesync/pacesync/internal/xmltree"

// tracker makes the changes of modify and create and notes what of them counts
// as a change. The version depends on it, so nodes must agree, and the original
// does not count alike: an attribute that gets another value is a change of all
// it lies in, the copy of an element put in is a change of the CIB but not of its
// configuration, and an element made anew is none until it gets an attribute
// (xml.c: pcmk__mark_xml_created does nothing for nodes just allocated).
type tracker struct {
	cib    *xmltree.Node
	dirty  bool // something changed
	config bool // something in the configuration
	// replaced: cib is a document of its own, and the comparison alone tells what changed.
	replaced bool
}

// set gives n an attribute (nvpair.c: crm_xml_add).
func (t *tracker) set(n *xmltree.Node, name, value string) {
	if old, ok := n.Get(name); ok && old == value {
		return
	}
	n.Set(name, value)
	t.dirty = true
	t.config = t.config || within(n, t.cib.Child("configuration"))
}

// merge gives n attributes, with name++ and name+=N carried out
// (nvpair.c: copy_in_properties).
func (t *tracker) merge(n *xmltree.Node, attrs []xmltree.Attr) {
	for _, a := range attrs {
		t.set(n, a.Name, expand(n, a.Name, a.Value))
	}
}

// copy appends c, a copy of something, and returns it (xml.c: add_node_copy).
func (t *tracker) copy(parent, c *xmltree.Node) *xmltree.Node {
	t.dirty = true
	return parent.Add(c)
}

// remove takes n out (xml.c: free_xml).
func (t *tracker) remove(n *xmltree.Node) {
	t.dirty = true
	t.config = t.config || within(n, t.cib.Child("configuration"))
	n.Remove()
}

// within says whether n is part of the tree below top, top included.
func within(n, top *xmltree.Node) bool {
	for ; n != nil && top != nil; n = n.Parent {
		if n == top {
			return true
		}
	}
	return false
}
