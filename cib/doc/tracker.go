package doc

import (
	"slices"

	"github.com/pacesync/pacesync/cib/patch"
	"github.com/pacesync/pacesync/internal/xmltree"
)

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
	edits    *patch.Edits // nil: cib is a copy
	before   *patch.Diff  // what changed before requests to add were carried out, nil: there were none
}

// edit makes the tracker note what it does, so that it can be told and undone:
// the tree is the CIB itself and not a copy.
func (t *tracker) edit() {
	t.edits = &patch.Edits{
		Root:    &xmltree.Node{Name: t.cib.Name, Attrs: slices.Clone(t.cib.Attrs)},
		Attrs:   map[*xmltree.Node][]xmltree.Attr{},
		Created: map[*xmltree.Node]bool{},
	}
}

// undo takes back what was noted.
func (t *tracker) undo() {
	for n := range t.edits.Created {
		n.Remove()
	}
	for n, attrs := range t.edits.Attrs {
		n.Attrs = attrs
	}
}

// fresh says whether n is part of what was added.
func (t *tracker) fresh(n *xmltree.Node) bool {
	for ; n != nil; n = n.Parent {
		if t.edits.Created[n] {
			return true
		}
	}
	return false
}

// add appends a new element, which counts for nothing yet.
func (t *tracker) add(parent *xmltree.Node, name string) *xmltree.Node {
	n := parent.AddNew(name)
	if t.edits != nil && !t.fresh(parent) {
		t.edits.Created[n] = true
	}
	return n
}

// set gives n an attribute (nvpair.c: crm_xml_add).
func (t *tracker) set(n *xmltree.Node, name, value string) {
	if old, ok := n.Get(name); ok && old == value {
		return
	}
	if t.edits != nil {
		if _, noted := t.edits.Attrs[n]; !noted && !t.fresh(n) {
			t.edits.Attrs[n] = slices.Clone(n.Attrs)
		}
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
	if t.edits != nil && !t.fresh(parent) {
		t.edits.Created[c] = true
	}
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
