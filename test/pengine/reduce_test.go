package pengine

import (
	"testing"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// reduce returns a small CIB that still is as interesting as root: it leaves out
// elements in ever smaller bundles, then attributes, until none can be left out
// (delta debugging on the tree). root is changed.
func reduce(root *xmltree.Node, interesting func(*xmltree.Node) bool) *xmltree.Node {
	for {
		before := root.String()
		root = leaveOut(root, elements, interesting)
		root = leaveOut(root, attributes, interesting)
		if root.String() == before {
			return root
		}
	}
}

// leaveOut tries to do without bundles of parts, larger ones first.
func leaveOut(root *xmltree.Node, parts func(*xmltree.Node) []func(), interesting func(*xmltree.Node) bool) *xmltree.Node {
	for size := max(1, len(parts(root))/2); ; size /= 2 {
		for at := 0; ; {
			candidate := root.Copy()
			all := parts(candidate)
			if at >= len(all) {
				break
			}
			for _, remove := range all[at:min(at+size, len(all))] {
				remove()
			}
			if interesting(candidate) {
				root = candidate
			} else {
				at += size
			}
		}
		if size == 1 {
			return root
		}
	}
}

// elements returns what removes each element, in document order.
func elements(root *xmltree.Node) (out []func()) {
	var walk func(*xmltree.Node)
	walk = func(n *xmltree.Node) {
		out = append(out, func() {
			if n.Parent != nil {
				n.Remove()
			}
		})
		n.Elements(walk)
	}
	root.Elements(walk)
	return out
}

// attributes returns what removes each attribute below the root, in document order:
// those of the root say which schema the CIB has to conform to.
func attributes(root *xmltree.Node) (out []func()) {
	var walk func(*xmltree.Node)
	walk = func(n *xmltree.Node) {
		for _, a := range n.Attrs {
			out = append(out, func() { n.Unset(a.Name) })
		}
		n.Elements(walk)
	}
	root.Elements(walk)
	return out
}

// TestReduce finds the two elements and the attribute that matter among many.
func TestReduce(t *testing.T) {
	root, err := xmltree.ParseString(`<a x="1"><b/><c y="2" z="3"><d/><e><f/></e></c><g/><h><i/></h><j/></a>`, xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	got := reduce(root, func(n *xmltree.Node) bool {
		asked++
		return n.Path("c", "e") != nil && n.Path("h", "i") != nil && n.Child("c").Attr("z") == "3"
	})
	if want := `<a x="1"><c z="3"><e/></c><h><i/></h></a>`; got.String() != want {
		t.Errorf("%s, not %s", got, want)
	}
	if asked > 100 {
		t.Errorf("asked %d times", asked)
	}
}
