package patch

import (
	"fmt"
	"strings"

	"github.com/pacesync/pacesync/cib/digest"
	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Format 1 tells of a change by two copies of the tree, cut down to what is gone
// and to what is new. The original still makes it of documents without
// crm_feature_set, so crm_diff does of most that are no CIB of a cluster, and it
// applies it. It loses what it cannot say: the order of children, and attributes that
// are gone, which are among the new ones by an oversight that is part of the format.

// marker says that an element is gone or new with all that is in it.
const (
	marker     = "__crm_diff_marker__"
	removedTop = "removed:top"
	addedTop   = "added:top"
)

// featureSet is in patchsets of format 1 (CRM_FEATURE_SET).
const featureSet = "3.16.1"

// notUnique is ENOTUNIQ: more than one tree in a patchset of format 1.
const notUnique Code = 76

// Format is the format of a patchset; one that says nothing is of format 1.
func Format(patch *xmltree.Node) int {
	if s, ok := patch.Get("format"); ok {
		return Int(s)
	}
	return 1
}

// Document is the patchset in the format that the original chooses for the source: 1
// up to feature set 3.0.8, and where it has none (xml_create_patchset).
func (d *Diff) Document() *xmltree.Node {
	if v := d.source.Attr("crm_feature_set"); v != "" && rules.CompareVersions("3.0.8", v) < 0 {
		return d.Patch()
	}
	return d.Patch1()
}

// Patch1 writes the difference as a patchset of format 1, with its digest, nil when
// there is none (patchset.c: xml_create_patchset_v1).
func (d *Diff) Patch1() *xmltree.Node {
	if !d.changed {
		return nil
	}
	marked := d.target.Copy()
	addGone(d.source, marked)
	p := xmltree.New("diff", xmltree.Attr{Name: "crm_feature_set", Value: featureSet})
	removed, added := p.AddNew("diff-removed"), p.AddNew("diff-added")
	subtract(removed, d.source, d.target, false, removedTop)
	subtract(added, marked, d.source, true, addedTop)
	if removed.First == nil && added.First == nil {
		return nil
	}
	d.addVersions(removed, added, marked)
	p.Set("format", "1")
	p.Set("digest", digest.Versioned(d.target, d.source.Attr("crm_feature_set")))
	return p
}

// addVersions writes the versions of both sides, twice (xml_repair_v1_diff).
func (d *Diff) addVersions(removed, added, target *xmltree.Node) {
	for _, n := range []*xmltree.Node{removed, added} {
		if n.Child("cib") == nil {
			n.AddNew("cib")
		}
	}
	for i, name := range versionNames {
		if v, ok := d.source.Get(name); ok {
			removed.Set(name, v)
			if d.ConfigChanged() || i == 2 {
				removed.Child("cib").Set(name, v)
			}
		}
		if v, ok := target.Get(name); ok {
			added.Set(name, v)
		}
	}
	for _, a := range target.Attrs {
		added.Child("cib").Set(a.Name, a.Value)
	}
}

// StripVersions removes the version from a patchset, so that it fits any
// (crm_diff.c: strip_patch_cib_version).
func StripVersions(p *xmltree.Node) {
	if Format(p) == 2 {
		if v := p.Child("version"); v != nil {
			v.Remove()
		}
		return
	}
	for _, name := range []string{"diff-removed", "diff-added"} {
		n := p.Child(name)
		if n == nil {
			continue
		}
		for _, v := range versionNames {
			n.Unset(v)
			if cib := n.Child("cib"); cib != nil {
				cib.Unset(v)
			}
		}
	}
}

// addGone gives elements the attributes that they lost, as the original's tracking
// of changes has them until the change is accepted (mark_xml_changes).
func addGone(was, is *xmltree.Node) {
	for _, a := range was.Attrs {
		if _, have := is.Get(a.Name); !have {
			is.Set(a.Name, a.Value)
		}
	}
	was.Elements(func(c *xmltree.Node) {
		if m := match(is, c); m != nil {
			addGone(c, m)
		}
	})
	is.Elements(func(c *xmltree.Node) {
		if m := match(was, c); m != nil {
			addGone(m, c)
		}
	})
}

// match is the first child that corresponds to n (pcmk__xml_match).
func match(parent, n *xmltree.Node) *xmltree.Node {
	for c := parent.First; c != nil; c = c.Next {
		switch {
		case c.Kind != n.Kind:
		case c.Kind == xmltree.Comment:
			if strings.EqualFold(c.Name, n.Name) {
				return c
			}
		case c.Kind == xmltree.Element && c.Name == n.Name:
			if id, ok := n.Get("id"); !ok || c.ID() == id {
				return c
			}
		}
	}
	return nil
}

// subtract adds to parent what left has and right has not, and says whether there
// was any; with full, elements that differ come with all their attributes
// (subtract_xml_object).
func subtract(parent, left, right *xmltree.Node, full bool, mark string) (changed bool) {
	switch {
	case left.Kind == xmltree.Comment:
		if right != nil {
			return false // they match by their text
		}
		parent.Add(left.Copy())
		return true
	case left.Kind != xmltree.Element:
		return false
	case right == nil:
		parent.Add(left.Copy()).Set(marker, mark)
		return true
	case right.Attr(marker) == removedTop:
		return true
	}
	diff := parent.AddNew(left.Name)
	for c := left.First; c != nil; c = c.Next {
		if c.Kind == xmltree.Element || c.Kind == xmltree.Comment {
			changed = subtract(diff, c, match(right, c), full, mark) || changed
		}
	}
	if !(changed && full) {
		for _, a := range left.Attrs {
			if a.Name == "id" {
				diff.Set("id", a.Value)
				continue
			}
			if v, ok := right.Get(a.Name); digest.Filtered(a.Name) || ok && v == a.Value {
				continue
			}
			if changed = true; full {
				break
			}
			diff.Set(a.Name, a.Value)
		}
	}
	if !changed {
		diff.Remove()
		return false
	}
	if full {
		for _, a := range left.Attrs {
			diff.Set(a.Name, a.Value)
		}
	}
	return true
}

// apply1 applies a patchset of format 1 (patchset.c: apply_v1_patchset).
func apply1(root, patch *xmltree.Node) error {
	if c, err := only(patch, "diff-removed"); err != nil {
		return err
	} else if c != nil {
		if corresponding(root, c) && c.Attr(marker) == removedTop {
			return &Error{Code: DiffFailed, Path: "/" + root.Name, Text: "the root cannot be deleted"}
		}
		remove1(root, c)
	}
	if c, err := only(patch, "diff-added"); err != nil {
		return err
	} else if c != nil {
		add1(root, c)
	}
	purge(root)
	return nil
}

// only is the one tree of a part of a patchset.
func only(patch *xmltree.Node, part string) (tree *xmltree.Node, err error) {
	n := patch.Child(part)
	if n == nil {
		return nil, nil
	}
	count := 0
	for c := n.First; c != nil; c = c.Next {
		if c.Kind == xmltree.Element {
			if count++; count == 1 {
				tree = c
			}
		}
	}
	if count > 1 {
		return nil, &Error{Code: notUnique, Text: fmt.Sprintf("%s holds %d trees, it may hold one", part, count)}
	}
	return tree, nil
}

// corresponding says whether a patch is about an element.
func corresponding(target, patch *xmltree.Node) bool {
	return strings.EqualFold(target.Name, patch.Name) && strings.EqualFold(target.ID(), patch.ID())
}

// remove1 removes what a patch marks; single attributes it does not (process_v1_removals).
func remove1(target, patch *xmltree.Node) {
	if !corresponding(target, patch) {
		return
	}
	if patch.Attr(marker) == removedTop {
		target.Remove()
		return
	}
	for c := target.First; c != nil; {
		next := c.Next
		if c.Kind == xmltree.Element {
			if m := match(patch, c); m != nil {
				remove1(c, m)
			}
		}
		c = next
	}
}

// add1 sets the attributes of a patch and adds what it marks (process_v1_additions).
func add1(target, patch *xmltree.Node) {
	if !corresponding(target, patch) {
		return
	}
	for _, a := range patch.Attrs {
		target.Unset(a.Name) // their order is that of the patch
		target.Set(a.Name, a.Value)
	}
	for c := patch.First; c != nil; c = c.Next {
		if c.Kind != xmltree.Element {
			continue
		}
		if m := match(target, c); m != nil {
			add1(m, c)
		} else if c.Attr(marker) == addedTop {
			target.Add(c.Copy())
		}
	}
}

func purge(n *xmltree.Node) {
	n.Unset(marker)
	n.Elements(purge)
}
