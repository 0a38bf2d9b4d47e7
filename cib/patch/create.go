package patch

import (
	"strconv"

	"github.com/pacesync/pacesync/cib/digest"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Patch writes the difference as a patchset of format 2, nil when there is none
// (patchset.c: xml_create_patchset_v2). Deletions come first, then the rest in
// the order of the target.
func (d *Diff) Patch() *xmltree.Node {
	if !d.changed {
		return nil
	}
	p := xmltree.New("diff", xmltree.Attr{Name: "format", Value: "2"})
	v := p.AddNew("version")
	addVersion(v.AddNew("source"), d.source)
	addVersion(v.AddNew("target"), d.target)
	for _, gone := range d.deleted {
		c := addChange(p, "delete", pathOf(gone.node, d.source))
		if gone.position >= 0 {
			c.Set("position", strconv.Itoa(gone.position))
		}
	}
	d.root.add(p, d.target)
	return p
}

// AddDigest gives a patchset the digest of the target, which whoever applies it
// compares its own result with (patchset.c: patchset_process_digest).
func (d *Diff) AddDigest(p *xmltree.Node) {
	p.Set("digest", digest.Versioned(d.target, d.source.Attr("crm_feature_set")))
}

// addVersion copies the version; a missing number is written as 1.
func addVersion(n, cib *xmltree.Node) {
	for _, name := range versionNames {
		value, ok := cib.Get(name)
		if !ok {
			value = "1"
		}
		n.Set(name, value)
	}
}

func addChange(p *xmltree.Node, op, path string) *xmltree.Node {
	return p.AddNew("change", xmltree.Attr{Name: "operation", Value: op}, xmltree.Attr{Name: "path", Value: path})
}

func (t *delta) add(p, top *xmltree.Node) {
	if t.created {
		c := addChange(p, "create", pathOf(t.node.Parent, top))
		c.Set("position", strconv.Itoa(t.index))
		c.Add(t.node.Copy())
		return
	}
	if len(t.attrs) > 0 {
		t.addModify(p, top)
	}
	for _, c := range t.children {
		c.add(p, top)
	}
	if t.moved {
		addChange(p, "move", pathOf(t.node, top)).Set("position", strconv.Itoa(t.index))
	}
}

func (t *delta) addModify(p, top *xmltree.Node) {
	c := addChange(p, "modify", pathOf(t.node, top))
	list := c.AddNew("change-list")
	for _, a := range t.attrs {
		e := list.AddNew("change-attr", xmltree.Attr{Name: "name", Value: a.name})
		if a.unset {
			e.Set("operation", "unset")
		} else {
			e.Set("operation", "set")
			e.Set("value", a.value)
		}
	}
	result := c.AddNew("change-result").AddNew(t.node.Name)
	result.Attrs = append(result.Attrs, t.node.Attrs...)
}
