// Package constraint reads the constraints section and adds what the engine itself
// wants: the wishes that placement and ordering then weigh.
//
// pengine.Run calls Build and, when scores are applied, Internal. It replaces
// lib/pacemaker/pcmk_sched_{constraints,location,colocation,ordering,tickets}.c as
// far as they make constraints, and the internal_constraints of each variant.
package constraint

import (
	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/unpack"
)

type builder struct {
	c   *model.Cluster
	doc *unpack.Doc
}

// Build reads the constraints section (pcmk__unpack_constraints).
func Build(c *model.Cluster, doc *unpack.Doc) {
	b := &builder{c, doc}
	doc.Root.Path("configuration", "constraints").Elements(func(n *xmltree.Node) {
		if _, ok := n.Get("id"); !ok {
			c.Report(model.ConfigErr, "pcmk__unpack_constraints", "Ignoring <"+n.Name+"> constraint without id")
			return
		}
		if life := n.Child("lifetime"); life != nil && !b.lives(life) {
			return
		}
		switch n.Name {
		case "rsc_order":
			b.order(n)
		case "rsc_colocation":
			b.colocation(n)
		case "rsc_location":
			b.location(n)
		case "rsc_ticket":
			b.ticket(n)
		default:
			c.Report(model.PeErr, "pcmk__unpack_constraints", "Unsupported constraint type: "+n.Name)
		}
	})
}

// lives evaluates the rules of a lifetime, a deprecated element.
func (b *builder) lives(n *xmltree.Node) bool {
	var next rules.Change
	ok := rules.PassAny(rules.ParseRules(n, b.doc.Lookup), &rules.Env{Now: b.c.Now, Next: &next})
	if next.Set {
		b.c.Recheck(next.At.Unix)
	}
	return ok
}

func (b *builder) score(s string) score.Score { return score.Parse(s, b.c.Opt.Health) }

// resource finds what a constraint names; an instance stands for its clone
// (pcmk__find_constraint_resource).
func (b *builder) resource(id string) *model.Resource {
	r := b.c.Find(id)
	if r != nil && r.ID != id {
		r = r.Top()
	}
	return r
}

// tag finds a template or tag that a constraint names (find_constraint_tag).
func (b *builder) tag(id string) *model.Tag {
	if t, ok := b.c.Templates[id]; ok {
		return t
	}
	return b.c.Tags[id]
}

// set is a resource set of a constraint with its tags resolved.
type set struct {
	id   string
	refs []string
	n    *xmltree.Node // its attributes
}

func (s *set) attr(name string) string { return s.n.Attr(name) }

// flag reads a boolean attribute of the set, def when it has none.
func (s *set) flag(name string, def bool) bool {
	if v, ok := s.n.Get(name); ok {
		return model.True(v)
	}
	return def
}

// resources resolves the members; ok is false when one does not exist.
func (b *builder) resources(s *set) (out []*model.Resource, ok bool) {
	for _, id := range s.refs {
		r := b.resource(id)
		if r == nil {
			b.c.Report(model.ConfigErr, "unpack_colocation_set", s.id+": No resource found for "+id)
			return out, false
		}
		out = append(out, r)
	}
	return out, true
}

// side is one end of a constraint that names two: the attributes that hold the
// resource and what is said about it, and the name of the latter in a set.
type side struct{ rsc, about, inSet string }

// sets returns the resource sets of a constraint: those written, or those that
// stand for templates and tags named as its ends. ok is false when an end does not
// exist.
func (b *builder) sets(n *xmltree.Node, convert bool, sides ...side) (out []*set, ok bool) {
	ok = true
	n.Each("resource_set", func(x *xmltree.Node) {
		expanded := b.doc.Expand(x)
		if expanded == nil {
			ok = false
			return
		}
		s := &set{id: expanded.ID(), n: expanded}
		expanded.Each("resource_ref", func(ref *xmltree.Node) {
			if b.resource(ref.ID()) == nil {
				if t := b.tag(ref.ID()); t != nil {
					s.refs = append(s.refs, t.Refs...)
					return
				}
			}
			s.refs = append(s.refs, ref.ID())
		})
		out = append(out, s)
	})
	if len(out) > 0 || !ok {
		return out, ok
	}
	return b.endsAsSets(n, convert, sides)
}

func (b *builder) endsAsSets(n *xmltree.Node, convert bool, sides []side) (out []*set, ok bool) {
	tags := 0
	for _, sd := range sides {
		id, has := n.Get(sd.rsc)
		if !has {
			return nil, true
		}
		if b.resource(id) != nil {
			continue
		}
		if b.tag(id) == nil {
			b.c.Report(model.ConfigErr, "unpack_colocation_tags", "Ignoring constraint '"+n.ID()+"' because '"+id+"' is not a valid resource or tag")
			return nil, false
		}
		tags++
	}
	if tags == 0 {
		return nil, true
	}
	if tags == 2 && sides[0].rsc == "rsc" {
		b.c.Report(model.ConfigErr, "unpack_colocation_tags", "Ignoring constraint '"+n.ID()+"' because two templates or tags cannot be colocated")
		return nil, false
	}
	for _, sd := range sides {
		id := n.Attr(sd.rsc)
		s := &set{id: id, n: xmltree.New("resource_set")}
		if b.resource(id) != nil {
			if !convert {
				continue
			}
			s.refs = []string{id}
		} else {
			s.refs = b.tag(id).Refs
			s.n.Set("sequential", "false")
		}
		if v, has := n.Get(sd.about); has {
			s.n.Set(sd.inSet, v)
		}
		out = append(out, s)
	}
	return out, true
}

// instance narrows a clone to one instance, as old constraints can; nil when there
// is none.
func (b *builder) instance(n *xmltree.Node, r *model.Resource, attr string) *model.Resource {
	num, has := n.Get(attr)
	if !has || r == nil {
		return r
	}
	if !r.IsClone() {
		b.c.Report(model.ConfigErr, "unpack_simple_colocation", "Ignoring constraint '"+n.ID()+"' because resource '"+r.ID+"' is not a clone but instance '"+num+"' was requested")
		return nil
	}
	for _, k := range r.Children {
		if k.ID == r.Clone.ChildID+":"+num {
			return k
		}
	}
	return nil
}
