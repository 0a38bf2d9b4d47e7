package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
)

const (
	copiedSet   = "_cibtr-2_"  // before the id of a set that is the copy of another
	copiedChild = "__cibtr-2_" // before the ids within it, with the set's
	maxUnfolded = 1 << 20      // nodes: far above any CIB, as copies within copies grow without end
)

// isSet says that an element is a set of name-value pairs that may refer to
// another one of the same name.
func isSet(n *xmltree.Node) bool {
	return n.Kind == xmltree.Element && (n.Name == propertyElement || n.Name == instanceElement || n.Name == metaElement)
}

// refs finds sets by name and id.
type refs struct {
	sets    map[xmltree.Attr][]*xmltree.Node
	count   int
	remarks []Remark
}

func newRefs(root *xmltree.Node) *refs {
	r := &refs{sets: map[xmltree.Attr][]*xmltree.Node{}}
	root.Find(func(n *xmltree.Node) bool {
		if id, ok := n.Get("id"); ok && isSet(n) {
			key := xmltree.Attr{Name: n.Name, Value: id}
			r.sets[key] = append(r.sets[key], n)
		}
		return false
	})
	return r
}

// unfold copies the CIB and puts copies of sets for the references to them. An
// error means that a reference has no target, or several.
func unfold(root *xmltree.Node) (*xmltree.Node, error) {
	r, box := newRefs(root), xmltree.New("")
	if err := r.unfold(box, root, "", 0); err != nil {
		return nil, err
	}
	box.First.Parent = nil
	return box.First, nil
}

func (r *refs) unfold(parent, n *xmltree.Node, prefix string, depth int) error {
	if r.count++; r.count > maxUnfolded || depth > maxDepth {
		return errors.New("references to sets are nested too deep")
	}
	if n.Kind != xmltree.Element {
		parent.Add(&xmltree.Node{Name: n.Name, Kind: n.Kind, Line: n.Line})
		return nil
	}
	c := parent.AddNew(n.Name)
	c.Line = n.Line
	ref, isRef := n.Get("id-ref")
	if isRef && isSet(n) {
		found := r.sets[xmltree.Attr{Name: n.Name, Value: ref}]
		if len(found) != 1 {
			return fmt.Errorf("%s: id-ref %q: %d elements of this name have the id", n.Name, ref, len(found))
		}
		n, prefix = found[0], copiedChild+ref+"__"
		c.Set("id", copiedSet+ref)
	}
	for _, a := range n.Attrs {
		if a.Name == "id" {
			if isRef && isSet(n) {
				continue
			}
			if n.Name != "resource_ref" {
				a.Value = prefix + a.Value
			}
		}
		c.Attrs = append(c.Attrs, a)
	}
	for k := n.First; k != nil; k = k.Next {
		if err := r.unfold(c, k, prefix, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// fold copies the CIB and turns copies of sets back into references where the
// two are still the same.
func fold(root *xmltree.Node) (*xmltree.Node, []Remark, error) {
	r, box := newRefs(root), xmltree.New("")
	if err := r.fold(box, root, 0); err != nil {
		return nil, r.remarks, err
	}
	box.First.Parent = nil
	return box.First, r.remarks, nil
}

func (r *refs) fold(parent, n *xmltree.Node, depth int) error {
	if n.Kind != xmltree.Element || depth > maxDepth {
		parent.Add(n.Copy())
		return nil
	}
	c := parent.AddNew(n.Name, slices.Clone(n.Attrs)...)
	c.Line = n.Line
	if of, ok := strings.CutPrefix(n.ID(), copiedSet); ok && isSet(n) {
		switch found := r.sets[xmltree.Attr{Name: n.Name, Value: of}]; {
		case len(found) == 0:
			r.remarks = append(r.remarks, Remark{Severity: Debug, Text: n.Name + ": original element pointed to with @id-ref (" + of + ") disappeared during upgrade"})
		case len(found) > 1:
			return fmt.Errorf("%s: %d elements of this name have the id %q", n.Name, len(found), of)
		case text(found[0]) == text(n):
			c.Attrs = []xmltree.Attr{{Name: "id-ref", Value: of}}
			return nil
		}
	}
	for k := n.First; k != nil; k = k.Next {
		if err := r.fold(c, k, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// text is all of an element but the ids, to compare by.
func text(n *xmltree.Node) string {
	var b strings.Builder
	var write func(n *xmltree.Node)
	write = func(n *xmltree.Node) {
		for _, a := range n.Attrs {
			if a.Name != "id" {
				b.WriteString("A(" + a.Name + "=" + a.Value + "),")
			}
		}
		for k := n.First; k != nil; k = k.Next {
			switch k.Kind {
			case xmltree.Element:
				b.WriteString("E(" + k.Name + ",")
				write(k)
				b.WriteString("),")
			case xmltree.Comment:
				b.WriteString("C(" + k.Name + "),")
			default:
				b.WriteString("T(" + k.Name + "),")
			}
		}
	}
	write(n)
	return b.String()
}
