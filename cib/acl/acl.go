// Package acl decides what of a CIB a user may read and change.
//
// The rules lie in the CIB itself: roles of permissions that name elements by
// XPath, reference or type, given to users and groups. The CIB daemon and the
// tools that work on files ask this package; it replaces lib/common/acl.c. All
// nodes of a cluster carry out the same requests, so they must come to the same
// answers, with the original's oddities.
package acl

import (
	"strings"

	"github.com/pacesync/pacesync/cib/patch"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/internal/xpath"
)

// Required says whether rules apply to a user at all: root, the daemons' own
// user and requests without a user are free (acl.c: pcmk_acl_required).
func Required(user string) bool { return user != "" && user != "hacluster" && user != "root" }

// mode is what a rule allows, as bits, since several rules may meet one node.
type mode uint8

const (
	read mode = 1 << iota
	write
	deny
)

type rule struct {
	mode mode
	expr string
}

// List is what a user may do, by one CIB. Immutable.
type List struct{ rules []rule }

// Empty says that there is no rule for the user, who then may do nothing.
func (l *List) Empty() bool { return len(l.rules) == 0 }

// For collects the rules of a user in the order they stand in. inGroup says
// whether a user is in a group of the system.
func For(cib *xmltree.Node, user string, inGroup func(user, group string) bool) *List {
	l := new(List)
	found, err := xpath.Find(cib, "//acls")
	if err != nil || len(found) != 1 {
		return l
	}
	acls := found[0]
	acls.Elements(func(c *xmltree.Node) {
		name, ok := c.Get("name")
		if !ok {
			name, ok = c.Get("id")
		}
		switch c.Name {
		case "acl_target", "acl_user":
			ok = ok && name == user
		case "acl_group":
			ok = ok && inGroup(user, name)
		default:
			return
		}
		if ok {
			l.entry(acls, c, 0)
		}
	})
	return l
}

// entry adds the rules of a target, group or role.
func (l *List) entry(acls, entry *xmltree.Node, depth int) {
	if depth > 16 { // roles that name each other
		return
	}
	entry.Elements(func(c *xmltree.Node) {
		kind := c.Name
		if kind == "acl_permission" {
			kind = c.Attr("kind")
		}
		switch kind {
		case "role", "role_ref":
			id, ok := c.Get("id")
			for role := acls.Child("acl_role"); role != nil && ok; role = role.NextNamed() {
				if role.ID() == id {
					l.entry(acls, role, depth+1)
					break
				}
			}
		case "read":
			l.permission(c, read)
		case "write":
			l.permission(c, write)
		case "deny":
			l.permission(c, deny)
		}
	})
}

// permission turns a permission into an XPath (acl.c: create_acl).
func (l *List) permission(c *xmltree.Node, m mode) {
	get := func(names ...string) (string, bool) {
		for _, n := range names {
			if v, ok := c.Get(n); ok {
				return v, true
			}
		}
		return "", false
	}
	tag, hasTag := get("object-type", "tag")
	ref, hasRef := get("reference", "ref")
	attr, hasAttr := c.Get("attribute")
	expr, hasXPath := c.Get("xpath")
	if !hasTag && !hasRef && !hasXPath {
		return
	}
	if !hasXPath {
		if !hasTag {
			tag = "*"
		}
		expr = "//" + tag
		switch {
		case hasRef && hasAttr:
			expr += "[@id='" + ref + "' and @" + attr + "]"
		case hasRef:
			expr += "[@id='" + ref + "']"
		case hasAttr:
			expr += "[@" + attr + "]"
		}
	}
	l.rules = append(l.rules, rule{m, expr})
}

// marks are the modes of the nodes that rules speak of.
type marks map[*xmltree.Node]mode

// mark applies the rules to a document. A rule whose XPath is none, or costs too
// much, says nothing.
func (l *List) mark(root *xmltree.Node) marks {
	m := marks{}
	for _, r := range l.rules {
		found, err := xpath.Find(root, r.expr)
		if err != nil {
			continue
		}
		for _, n := range found {
			m[n] |= r.mode
		}
	}
	return m
}

// readable is a node's own mark (acl.c: test_acl_mode for reading).
func (m marks) readable(n *xmltree.Node) bool { return m[n]&deny == 0 && m[n]&(read|write) != 0 }

// Filter returns what a user may read of a CIB: a copy in which elements that
// may not be read are gone, or bare but for their id where something below them
// may. nil: nothing at all (acl.c: xml_acl_filtered_copy).
func (l *List) Filter(cib *xmltree.Node) *xmltree.Node {
	if len(l.rules) == 0 {
		return nil
	}
	top := cib.Copy()
	m := l.mark(top)
	for _, r := range l.rules {
		if r.mode != deny {
			continue
		}
		found, err := xpath.Find(top, r.expr)
		if err != nil {
			continue
		}
		for _, n := range found {
			if !m.purge(n) && n == top {
				return nil
			}
		}
	}
	if !m.purge(top) {
		return nil
	}
	return top
}

// purge takes out what may not be read; false: nothing may and n is gone
// (acl.c: purge_xml_attributes).
func (m marks) purge(n *xmltree.Node) bool {
	if m.readable(n) {
		return true
	}
	id, hasID := n.Get("id")
	n.Attrs = nil
	if hasID {
		n.Set("id", id)
	}
	kept := false
	for c := n.First; c != nil; {
		next := c.Next
		if c.Kind == xmltree.Element || c.Kind == xmltree.Comment {
			kept = m.purge(c) || kept
		}
		c = next
	}
	if !kept {
		n.Remove()
	}
	return kept
}

// Permit says whether a user may make a change. Changes of what was there count
// by the marks of the document it was in, unless replaced says that the document
// was exchanged as a whole: then by those of the new one, as in the original.
func (l *List) Permit(old, now *xmltree.Node, d *patch.Diff, replaced bool) bool {
	var before, after marks
	marksOf := func(m *marks, root *xmltree.Node) marks {
		if *m == nil {
			*m = l.mark(root)
		}
		return *m
	}
	ok := true
	d.Each(func(c patch.Change) {
		switch {
		case !ok:
		case c.New == nil:
			ok = marksOf(&before, old).mayWrite(c.Old)
		case c.Old == nil && len(l.rules) == 0:
			ok = len(c.New.Attrs) == 0 && c.New.First == nil // who has no rules may not even set an id
		case c.Old == nil:
			ok = marksOf(&after, now).mayCreate(c.New)
		case !c.Attrs:
		case replaced:
			ok = marksOf(&after, now).mayWrite(c.New)
		default:
			ok = marksOf(&before, old).mayWrite(c.Old)
		}
	})
	return ok
}

// mayWrite and mayRead look for the nearest mark upwards that decides (acl.c:
// pcmk__check_acl).
func (m marks) mayWrite(n *xmltree.Node) bool { return m.allowed(n, write) }
func (m marks) mayRead(n *xmltree.Node) bool  { return m.allowed(n, read|write) }

func (m marks) allowed(n *xmltree.Node, by mode) bool {
	for ; n != nil; n = n.Parent {
		switch {
		case m[n]&deny != 0:
			return false
		case m[n]&by != 0:
			return true
		}
	}
	return false
}

// mayCreate checks a new element and all in it (acl.c: pcmk__apply_creation_acl).
func (m marks) mayCreate(n *xmltree.Node) bool {
	if n.Kind != xmltree.Element && n.Kind != xmltree.Comment {
		return true
	}
	if !scaffolding(n) && !m.mayWrite(n) {
		return false
	}
	for c := n.First; c != nil; c = c.Next {
		if !m.mayCreate(c) {
			return false
		}
	}
	return true
}

// scaffolding is what anybody may create outside the ACLs: an element without
// attributes but its id, which others need as a place (acl.c: implicitly_allowed).
func scaffolding(n *xmltree.Node) bool {
	for _, a := range n.Attrs {
		if a.Name != "id" {
			return false
		}
	}
	for p := n.Parent; p != nil; p = p.Parent {
		if p.Name == "acls" && p.Parent != nil {
			return false
		}
	}
	// The original looks for /acls/ in the element's path, which ids are part of.
	return !strings.Contains(n.ID(), "/acls/")
}
