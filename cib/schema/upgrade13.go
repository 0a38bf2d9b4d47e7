package schema

import (
	"slices"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// UpgradeTo20 brings a CIB of pacemaker-1.3 to pacemaker-2.0: only the ACLs
// changed (upgrade-1.3.xsl). It returns a new tree and remarks for the log,
// worded as operators know them from the stylesheet.
func UpgradeTo20(root *xmltree.Node) (*xmltree.Node, []Remark) {
	var u upgrade13
	box := xmltree.New("")
	u.node(box, root, 0)
	up := box.First
	up.Remove()
	return up, u.remarks
}

type upgrade13 struct{ remarks []Remark }

func (u *upgrade13) remark(what string) {
	u.remarks = append(u.remarks, Remark{Severity: Warning, Plain: true, Text: "ACLs: @attribute " + what})
}

// node adds what becomes of n to parent.
func (u *upgrade13) node(parent, n *xmltree.Node, depth int) {
	if n.Kind != xmltree.Element || depth > maxDepth {
		parent.Add(n.Copy())
		return
	}
	switch n.Name {
	case "cib":
		c := u.renamed(parent, n, n.Name, depth)
		c.Set(attrValidation, "pacemaker-2.0")
	case "role_ref":
		u.renamed(parent, n, "role", depth)
	case "read", "write", "deny":
		u.permission(parent, n)
	case "acl_user":
		u.user(parent, n, depth)
	default:
		u.renamed(parent, n, n.Name, depth)
	}
}

// renamed adds n under a new name with all that it has.
func (u *upgrade13) renamed(parent, n *xmltree.Node, name string, depth int) *xmltree.Node {
	c := parent.AddNew(name, slices.Clone(n.Attrs)...)
	for k := n.First; k != nil; k = k.Next {
		u.node(c, k, depth+1)
	}
	return c
}

// permission is what becomes of read, write and deny: one element with the
// kind as attribute. Only one way to say which objects is left, ref wins over
// tag over xpath.
func (u *upgrade13) permission(parent, n *xmltree.Node) {
	p := parent.AddNew("acl_permission")
	if id, ok := n.Get("id"); ok {
		p.Set("id", id)
	}
	p.Set("kind", n.Name)
	ref, hasRef := n.Get("ref")
	tag, hasTag := n.Get("tag")
	xpath, hasXPath := n.Get("xpath")
	attr, hasAttr := n.Get("attribute")
	switch {
	case hasRef:
		p.Set("reference", ref)
		if hasAttr {
			u.remark("cannot accompany @ref for upgrade-1.3.xsl purposes, ignoring")
		}
	case hasTag:
		p.Set("object-type", tag)
		if hasAttr {
			p.Set("attribute", attr)
			u.remark("(with @tag) handling generalized a bit for upgrade-1.3.xsl purposes")
		}
	case hasAttr:
		p.Set("xpath", xpath+"[@"+attr+"]")
		u.remark("(with @xpath) handling generalized a bit for upgrade-1.3.xsl purposes")
	case hasXPath:
		p.Set("xpath", xpath)
	}
}

// user is what becomes of an acl_user: a target, whose own permissions move
// into a role made for it.
func (u *upgrade13) user(parent, n *xmltree.Node, depth int) {
	if n.Child("role_ref") != nil {
		u.renamed(parent, n, "acl_target", depth)
		return
	}
	target := parent.AddNew("acl_target", slices.Clone(n.Attrs)...)
	if n.Child("read") == nil && n.Child("write") == nil && n.Child("deny") == nil {
		return
	}
	own := "auto-" + n.ID()
	target.AddNew("role", xmltree.Attr{Name: "id", Value: own})
	role := parent.AddNew("acl_role", xmltree.Attr{Name: "id", Value: own})
	n.Elements(func(k *xmltree.Node) { u.node(role, k, depth+1) })
}
