package doc

import (
	"strings"

	"github.com/pacesync/pacesync/cib/digest"
	"github.com/pacesync/pacesync/cib/patch"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// underConfiguration says whether a section is one of the configuration's.
func underConfiguration(section string) bool {
	switch section {
	case "crm_config", "nodes", "resources", "constraints", "op_defaults", "rsc_defaults",
		"acls", "fencing-topology", "tags", "alerts":
		return true
	}
	return false
}

// find returns the element of a section, nil when it is not there or there more
// than once. An unknown name stands for the CIB itself (lib/common/cib.c:
// pcmk_find_cib_element, xpath.c: get_xpath_object).
func find(cib *xmltree.Node, section string) *xmltree.Node {
	if cib.Name != "cib" {
		return nil
	}
	var found []*xmltree.Node
	note := func(n *xmltree.Node) { found = append(found, n) }
	switch {
	case section == "status", section == "configuration":
		cib.Each(section, note)
	case underConfiguration(section):
		cib.Each("configuration", func(c *xmltree.Node) { c.Each(section, note) })
	default:
		return cib
	}
	if len(found) != 1 {
		return nil
	}
	return found[0]
}

func query(cib *xmltree.Node, r Request) (*xmltree.Node, error) {
	if r.XPath {
		return queryXPath(cib, r)
	}
	n := find(cib, r.Section)
	if n == nil {
		return nil, &Error{Code: NoSuch, Text: "there is no section " + r.Section}
	}
	if r.NoChildren {
		return xmltree.New(n.Name, append([]xmltree.Attr(nil), n.Attrs...)...), nil
	}
	return n, nil
}

// modify merges the input into the element of its name and id
// (cib_ops.c: cib_process_modify).
func modify(t *tracker, r Request) error {
	cib := t.cib
	root := find(cib, r.Section)
	if root == nil {
		parent := cib
		if underConfiguration(r.Section) {
			parent = cib.Child("configuration")
		}
		if parent == nil {
			return &Error{Code: patch.Invalid, Text: "there is no configuration to hold the section " + r.Section}
		}
		t.copy(parent, xmltree.New(r.Section))
		if root = find(cib, r.Section); root == nil {
			return &Error{Code: patch.Invalid, Text: "there is more than one section " + r.Section}
		}
	}
	if !mergeFirst(t, root, r.Input) {
		if !r.CanCreate {
			return &Error{Code: NoSuch, Text: "there is no " + describe(r.Input) + " to modify"}
		}
		t.copy(root, r.Input.Copy())
	}
	if r.MixedUpdate {
		for marked := findMarked(cib); marked != nil; marked = findMarked(cib) {
			if marked == cib {
				return &Error{Code: patch.Invalid, Text: "the CIB itself cannot be deleted"}
			}
			t.remove(marked)
		}
	}
	return nil
}

func findMarked(cib *xmltree.Node) *xmltree.Node {
	return cib.Find(func(n *xmltree.Node) bool { _, ok := n.Get("__delete__"); return ok })
}

func describe(n *xmltree.Node) string {
	if id, ok := n.Get("id"); ok {
		return "<" + n.Name + " id=" + id + ">"
	}
	return "<" + n.Name + ">"
}

// mergeFirst merges input into the first element of its name and id
// (xml.c: update_xml_child).
func mergeFirst(t *tracker, root, input *xmltree.Node) bool {
	n := root.Find(func(n *xmltree.Node) bool { return n.Name == input.Name && sameID(n, input) })
	if n == nil {
		return false
	}
	mergeTree(t, n, input)
	return true
}

func sameID(a, b *xmltree.Node) bool {
	x, okA := a.Get("id")
	y, okB := b.Get("id")
	return x == y && okA == okB
}

// mergeTree makes n hold the attributes and children of input, besides what it
// has (xml.c: pcmk__xml_update).
func mergeTree(t *tracker, n, input *xmltree.Node) {
	t.merge(n, input.Attrs)
	for c := input.First; c != nil; c = c.Next {
		switch c.Kind {
		case xmltree.Comment:
			if !hasComment(n, c.Name) {
				t.copy(n, c.Copy())
			}
		case xmltree.Element:
			key, value, ok := "id", "", false
			if value, ok = c.Get("id"); !ok {
				key = "id-ref"
				value, ok = c.Get("id-ref")
			}
			target := childBy(n, c.Name, key, value, ok)
			if target == nil {
				target = t.add(n, c.Name)
			}
			mergeTree(t, target, c)
		}
	}
}

func hasComment(n *xmltree.Node, text string) bool {
	for c := n.First; c != nil; c = c.Next {
		if c.Kind == xmltree.Comment && strings.EqualFold(c.Name, text) {
			return true
		}
	}
	return false
}

// childBy is the first child element of a name with, if asked, a value of an attribute.
func childBy(n *xmltree.Node, name, key, value string, byKey bool) *xmltree.Node {
	for c := n.First; c != nil; c = c.Next {
		if c.Kind != xmltree.Element || c.Name != name {
			continue
		}
		if got, ok := c.Get(key); !byKey || ok && got == value {
			return c
		}
	}
	return nil
}

// create adds the input, which must not be there yet
// (cib_ops.c: cib_process_create).
func create(t *tracker, r Request) error {
	if r.Section == "" || r.Section == "all" || r.Section == "cib" || r.Input.Name == "cib" {
		r.Section = ""
		return modify(t, r)
	}
	root := find(t.cib, r.Section)
	inputs := []*xmltree.Node{r.Input}
	if r.Input.Name == r.Section {
		inputs = inputs[:0]
		for c := r.Input.First; c != nil; c = c.Next {
			if c.Kind == xmltree.Element || c.Kind == xmltree.Comment {
				inputs = append(inputs, c)
			}
		}
	}
	for _, in := range inputs {
		e := createOne(t, root, in)
		if e == nil && r.Access != nil && r.Access.Empty() { // others are judged by what comes of it
			e = &Error{Code: Denied, Text: "the user may not make this change"}
		}
		if e != nil {
			e.Failed = failed(in, r.Op, e.Code)
			return e
		}
	}
	return nil
}

func createOne(t *tracker, parent, in *xmltree.Node) *Error {
	if parent == nil {
		return &Error{Code: patch.Invalid, Text: "there is no section to create " + describe(in) + " in"}
	}
	if counterpart(parent, in) != nil {
		return &Error{Code: Exists, Text: describe(in) + " exists already"}
	}
	place(t, parent, in)
	return nil
}

// elementName is the name the original's code sees: a comment has one too.
func elementName(n *xmltree.Node) string {
	if n.Kind == xmltree.Comment {
		return "comment"
	}
	return n.Name
}

// counterpart is the child with the name and id of in, or the name alone where
// in has no id.
func counterpart(parent, in *xmltree.Node) *xmltree.Node {
	name := elementName(in)
	id, byID := in.Get("id")
	for c := parent.First; c != nil; c = c.Next {
		if c.Kind != xmltree.Element && c.Kind != xmltree.Comment || elementName(c) != name {
			continue
		}
		if got, ok := c.Get("id"); !byID || ok && got == id {
			return c
		}
	}
	return nil
}

// place merges in into its counterpart below parent, made if it is missing
// (cib_ops.c: update_cib_object). As in the original a comment that is not there
// becomes an element named comment, which schemas refuse: nodes must agree.
func place(t *tracker, parent, in *xmltree.Node) {
	n := counterpart(parent, in)
	if n == nil {
		n = t.add(parent, elementName(in))
	}
	attrs := in.Attrs
	if list, ok := in.Get("replace"); ok {
		for item := range strings.SplitSeq(list, ",") {
			if c := n.Child(item); item != "" && c != nil {
				t.remove(c)
			}
		}
		attrs = nil
		for _, a := range in.Attrs {
			if a.Name != "replace" {
				attrs = append(attrs, a)
			}
		}
		n.Unset("replace")
	}
	t.merge(n, attrs)
	for c := in.First; c != nil; c = c.Next {
		if c.Kind == xmltree.Element || c.Kind == xmltree.Comment {
			place(t, n, c)
		}
	}
}

// failed is the answer that says why something was not created
// (cib_ops.c: update_results).
func failed(in *xmltree.Node, op Op, code Code) *xmltree.Node {
	reason := "Invalid argument"
	switch code {
	case Exists:
		reason = "File exists"
	case Denied:
		reason = "Permission denied"
	}
	f := xmltree.New("failed")
	u := f.AddNew("failed_update")
	u.Add(in.Copy())
	if id, ok := in.Get("id"); ok {
		u.Set("id", id)
	}
	u.Set("object_type", elementName(in))
	u.Set("operation", string(op))
	u.Set("reason", reason)
	return f
}

// replace puts the input in the place of the element of its name and id, or of
// the whole CIB (cib_ops.c: cib_process_replace).
func replace(cib, next *xmltree.Node, r Request) (*xmltree.Node, error) {
	if strings.EqualFold(r.Input.Name, "cib") {
		if r.Digest != "" && !digest.Same(r.Digest, digest.Versioned(r.Input, r.DigestVersion)) {
			return nil, &Error{Code: patch.OldData, Text: "the digest of the replacement is not " + r.Digest}
		}
		old, now := patch.VersionOf(cib), patch.VersionOf(r.Input)
		if now.Compare(old) < 0 {
			return nil, &Error{Code: patch.OldData, Text: "the replacement is at " + now.String() + ", the CIB at " + old.String()}
		}
		return r.Input.Copy(), nil
	}
	section := r.Section
	if section == "all" || strings.EqualFold(r.Input.Name, section) {
		section = ""
	}
	root := find(next, section)
	n := findBelow(root, r.Input, false)
	if n == nil {
		return nil, &Error{Code: NoSuch, Text: "there is no " + describe(r.Input) + " to replace"}
	}
	n.AddAfter(r.Input.Copy())
	n.Remove()
	return next, nil
}

// remove takes out what is like the input; what is not there is as good as
// deleted (cib_ops.c: cib_process_delete).
func remove(cib *xmltree.Node, r Request) {
	root := find(cib, r.Section)
	if !strings.EqualFold(r.Input.Name, r.Section) {
		if n := findBelow(root, r.Input, true); n != nil {
			n.Remove()
		}
		return
	}
	r.Input.Elements(func(c *xmltree.Node) {
		if n := findBelow(root, c, true); n != nil {
			n.Remove()
		}
	})
}

// findBelow returns the first element below root, not root itself, with the name
// of like, its id if it has one and, when deleting, all its attributes; values
// then in any case of letters (xml.c: replace_xml_child).
func findBelow(root, like *xmltree.Node, deleting bool) *xmltree.Node {
	if root == nil {
		return nil
	}
	id, byID := like.Get("id")
	return root.Find(func(n *xmltree.Node) bool {
		if n == root || !strings.EqualFold(n.Name, like.Name) {
			return false
		}
		if got, ok := n.Get("id"); byID && (!ok || got != id) {
			return false
		}
		if deleting {
			for _, a := range like.Attrs {
				if got, ok := n.Get(a.Name); !ok || !strings.EqualFold(got, a.Value) {
					return false
				}
			}
		}
		return true
	})
}
