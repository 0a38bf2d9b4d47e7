// Package unpack turns a CIB into the typed model: what is configured and what is
// known to be going on.
//
// pengine.Run calls Parse first. It replaces lib/pengine/{unpack,complex,status,
// group,clone,bundle,remote}.c as far as they read XML. It is the only package of
// the engine, besides constraint, that sees XML.
package unpack

import (
	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
)

// Input is what Parse reads.
type Input struct {
	CIB       *xmltree.Node // is not changed
	Now       iso8601.Time
	Sanitized bool
	Shown     *model.Shown
	Explain   bool // note why scores change
}

// Doc finds elements of a CIB by id.
type Doc struct {
	Root *xmltree.Node
	ids  map[[2]string]*xmltree.Node
	rsc  map[*model.Resource]element
}

// element is where a resource comes from.
type element struct{ expanded, raw *xmltree.Node }

// Resource returns the element of a resource with its template merged in, and as
// it was written. Instances of a clone share theirs.
func (d *Doc) Resource(r *model.Resource) (expanded, raw *xmltree.Node) {
	e := d.rsc[r]
	return e.expanded, e.raw
}

// NewDoc prepares lookups in a CIB.
func NewDoc(root *xmltree.Node) *Doc { return &Doc{Root: root} }

// Lookup returns the first element of that name and id, nil when there is none.
func (d *Doc) Lookup(tag, id string) *xmltree.Node {
	if d.ids == nil {
		d.ids = map[[2]string]*xmltree.Node{}
		d.index(d.Root)
	}
	return d.ids[[2]string{tag, id}]
}

func (d *Doc) index(n *xmltree.Node) {
	if id, ok := n.Get("id"); ok {
		k := [2]string{n.Name, id}
		if d.ids[k] == nil {
			d.ids[k] = n
		}
	}
	n.Elements(d.index)
}

// Expand follows id-ref; nil when it leads nowhere.
func (d *Doc) Expand(n *xmltree.Node) *xmltree.Node {
	if ref, ok := n.Get("id-ref"); ok {
		return d.Lookup(n.Name, ref)
	}
	return n
}

// section returns the first element of that name in document order.
func (d *Doc) section(name string) *xmltree.Node {
	return d.Root.Find(func(n *xmltree.Node) bool { return n.Name == name })
}

type unpacker struct {
	c        *model.Cluster
	doc      *Doc
	recorded map[*xmltree.Node]*model.History
	conf     map[*xmltree.Node]*config
	metaOf   map[*model.Resource]*config
	ping     bool // that ping nodes are deprecated was told
}

// Parse reads a CIB (cluster_status).
func Parse(in Input) (*model.Cluster, *Doc) {
	c := model.New()
	d := NewDoc(in.CIB)
	d.rsc = map[*model.Resource]element{}
	u := &unpacker{c: c, doc: d, conf: map[*xmltree.Node]*config{}, recorded: map[*xmltree.Node]*model.History{}}
	c.Now, c.Sanitized, c.Shown, c.Explaining = in.Now, in.Sanitized, in.Shown, in.Explain
	c.DCUUID = in.CIB.Attr("dc-uuid")
	c.FeatureSet = in.CIB.Attr("crm_feature_set")
	c.HaveQuorum = model.True(in.CIB.Attr("have-quorum"))
	c.Panic = leading(in.CIB.Attr("no-quorum-panic")) != 0
	c.OpDefaults = u.sets(d.section("op_defaults"), "meta_attributes")
	defaults := d.section("rsc_defaults")
	c.RscDefaults = u.sets(defaults, "meta_attributes")
	c.RscParams = u.sets(defaults, "instance_attributes")
	u.options(d.section("crm_config"))
	if !c.HaveQuorum && c.Opt.NoQuorum != model.QuorumIgnore {
		c.Report(model.LogWarn, "cluster_status", "Fencing and resource management disabled due to lack of quorum")
	}
	u.nodes(d.section("nodes"))
	resources := d.section("resources")
	u.resources(u.withImplicitRemotes(resources))
	u.tags(d.section("tags"))
	u.status(d.section("status"))
	for _, r := range c.Resources {
		count(r)
	}
	return c, d
}

func (u *unpacker) sets(n *xmltree.Node, tag string) []rules.Set {
	if n == nil {
		return nil
	}
	return rules.ParseSets(n, tag, "", u.doc.Lookup)
}

func (u *unpacker) score(s string) score.Score { return u.c.Score(s) }

func (u *unpacker) tags(n *xmltree.Node) {
	n.Each("tag", func(tag *xmltree.Node) {
		if _, ok := tag.Get("id"); !ok {
			u.c.Report(model.ConfigErr, "unpack_tags", "Ignoring <tag> without id")
			return
		}
		tag.Each("obj_ref", func(ref *xmltree.Node) {
			if id, ok := ref.Get("id"); ok {
				model.AddTag(u.c.Tags, tag.ID(), id)
			} else {
				u.c.Report(model.ConfigErr, "unpack_tags", "Ignoring <obj_ref> for tag '"+tag.ID()+"' without id")
			}
		})
	})
}

// count counts instances for the header of a status display (pe__count_common).
func count(r *model.Resource) {
	if r.Bundle != nil {
		for _, rep := range r.Bundle.Replicas {
			for _, k := range []*model.Resource{rep.IP, rep.Child, rep.Container, rep.Remote} {
				if k != nil {
					count(k)
				}
			}
		}
		return
	}
	if len(r.Children) > 0 {
		for _, k := range r.Children {
			count(k)
		}
		return
	}
	if r.Is(model.Orphan) && r.Role <= model.Stopped {
		return
	}
	r.Cluster.Instances++
	if r.IsDisabled() {
		r.Cluster.Disabled++
	}
	if r.Is(model.Block) {
		r.Cluster.Blocked++
	}
}

// leading is the integer that s begins with, 0 for none.
func leading(s string) int64 {
	v, _ := score.LeadingInt(s)
	return v
}
