package doc

import (
	"github.com/pacesync/pacesync/cib/patch"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/internal/xpath"
)

// search finds elements by XPath. An expression that is none, or costs too much,
// finds nothing, as in the original.
func search(root *xmltree.Node, expr string) []*xmltree.Node {
	found, err := xpath.Find(root, expr)
	if err != nil {
		return nil
	}
	return found
}

// queryXPath answers a query by XPath (cib_ops.c: cib_process_xpath).
func queryXPath(cib *xmltree.Node, r Request) (*xmltree.Node, error) {
	found := search(cib, r.Section)
	if len(found) == 0 {
		return nil, &Error{Code: NoSuch, Text: "nothing matches " + r.Section}
	}
	var answer *xmltree.Node
	if len(found) > 1 {
		answer = xmltree.New("xpath-query")
	}
	for _, n := range found {
		switch {
		case r.NoChildren:
			shallow := xmltree.New(n.Name, append([]xmltree.Attr(nil), n.Attrs...)...)
			if answer == nil {
				answer = shallow
			} else {
				answer.Add(shallow)
			}
		case r.XPathAddress:
			if answer == nil {
				answer = xmltree.New("xpath-query")
			}
			answer.AddNew("xpath-query-path", xmltree.Attr{Name: "id", Value: Address(n)})
		case answer == nil:
			answer = n
		default:
			answer.Add(n.Copy())
		}
	}
	return answer, nil
}

// Address is the XPath of an element by names and ids, as requests are answered
// with and patchsets use.
func Address(n *xmltree.Node) string {
	path := ""
	for ; n != nil; n = n.Parent {
		step := "/" + n.Name
		if id, ok := n.Get("id"); ok {
			step += "[@id='" + id + "']"
		}
		path = step + path
	}
	return path
}

// byXPath changes what an XPath finds (cib_ops.c: cib_process_xpath). What is
// not there is as good as deleted, and an error for other operations.
func byXPath(t *tracker, r Request) error {
	found := search(t.cib, r.Section)
	if len(found) == 0 && r.Op != Delete {
		return &Error{Code: NoSuch, Text: "nothing matches " + r.Section}
	}
	done := map[*xmltree.Node]bool{}
	for _, n := range found {
		if done[n] || r.Op == Delete && r.Multiple && inside(n, found) {
			continue // it goes with what it lies in, or is gone
		}
		done[n] = true
		switch r.Op {
		case Delete:
			if n == t.cib {
				return &Error{Code: patch.Invalid, Text: "the CIB itself cannot be deleted"}
			}
			t.remove(n)
		case Modify:
			if !mergeFirst(t, n, r.Input) {
				return &Error{Code: NoSuch, Text: "there is no " + describe(r.Input) + " in what matches " + r.Section}
			}
		case Replace:
			if n == t.cib {
				return &Error{Code: patch.Invalid, Text: "the CIB itself cannot be replaced by XPath"}
			}
			parent := n.Parent
			t.remove(n)
			if r.Input != nil {
				t.copy(parent, r.Input.Copy())
			}
		}
		if !r.Multiple {
			break
		}
	}
	return nil
}

// inside says whether a node lies within another one that was found.
func inside(n *xmltree.Node, found []*xmltree.Node) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		for _, f := range found {
			if f == p {
				return true
			}
		}
	}
	return false
}
