// Package constraint reads the constraints section and adds what the engine itself
// wants: the wishes that placement and ordering then weigh.
//
// pengine.Run calls Build and, when scores are applied, Internal. It replaces
// lib/pacemaker/pcmk_sched_{constraints,location,colocation,ordering,tickets}.c as
// far as they make constraints, and the internal_constraints of each variant.
package constraint

import (
	"slices"

	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/unpack"
)

type builder struct {
	c   *model.Cluster
	doc *unpack.Doc

	toldInstance, toldOrderInstance bool // that constraints on instances are deprecated
}

// Build reads the constraints section (pcmk__unpack_constraints).
func Build(c *model.Cluster, doc *unpack.Doc) {
	b := &builder{c: c, doc: doc}
	doc.Root.Path("configuration", "constraints").Elements(func(n *xmltree.Node) {
		if _, ok := n.Get("id"); !ok {
			c.Report(model.ConfigErr, "pcmk__unpack_constraints", "Ignoring <"+n.Name+"> constraint without id")
			return
		}
		if life := n.Child("lifetime"); life != nil {
			c.Report(model.ConfigWarn, "pcmk__unpack_constraints", "Support for 'lifetime' attribute (in "+n.ID()+") is deprecated "+
				"(the rules it contains should instead be direct descendents of the constraint object)")
			if !b.lives(life) {
				return
			}
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
	ok := rules.PassAny(rules.ParseRules(n, b.doc.Lookup), &rules.Env{Now: b.c.Now, Problem: b.c.RuleProblem, Next: &next})
	if next.Set {
		b.c.Recheck(next.At.Unix)
	}
	return ok
}

func (b *builder) score(s string) score.Score { return b.c.Score(s) }

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
	t, ok := b.c.Templates[id]
	switch {
	case t != nil:
		return t
	case ok:
		b.warn("No resource is derived from template '" + id + "'")
		return nil
	}
	if t = b.c.Tags[id]; t == nil {
		b.warn("No template or tag named '" + id + "'")
	}
	return t
}

func (b *builder) warn(text string) { b.c.Report(model.LogWarn, "find_constraint_tag", text) }

// reader names the kind of a constraint as the original's functions are called.
func reader(n *xmltree.Node) string {
	switch n.Name {
	case "rsc_location":
		return "location"
	case "rsc_colocation":
		return "colocation"
	case "rsc_order":
		return "order"
	}
	return "rsc_ticket"
}

// set is a resource set of a constraint with its tags resolved.
type set struct {
	id   string
	refs []string
	n    *xmltree.Node // its attributes
	of   string        // kind of constraint that it is part of
}

func (s *set) attr(name string) string { return s.n.Attr(name) }

// flag reads a boolean attribute of the set, def when it has none.
func (s *set) flag(name string, def bool) bool {
	if v, ok := model.Bool(s.attr(name)); ok {
		return v
	}
	return def
}

// only is the set with one of its members.
func (s *set) only(i int) *set { return &set{id: s.id, n: s.n, refs: s.refs[i : i+1], of: s.of} }

// pairs calls f with each member of a and each of z until it meets one that does not
// exist; then it returns false.
func (b *builder) pairs(a, z *set, f func(x, y *model.Resource)) bool {
	as, okA := b.resources(a)
	for _, x := range as {
		zs, okZ := b.resources(z)
		for _, y := range zs {
			f(x, y)
		}
		if !okZ {
			return false
		}
	}
	return okA
}

// resources resolves the members up to the first that does not exist; ok is false
// when there is such a one.
func (b *builder) resources(s *set) (out []*model.Resource, ok bool) {
	for _, id := range s.refs {
		r := b.resource(id)
		if r == nil {
			b.c.Report(model.ConfigErr, "unpack_"+s.of+"_set", s.id+": No resource found for "+id)
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
// stand for templates and tags named as its ends. ok is false when an end or the
// set after those returned does not exist.
//
// After a set that refers to another by id-ref follow that one's siblings, as in the
// original (the loops over expand_idref); a set that comes again ends the list, the
// original never ends.
func (b *builder) sets(n *xmltree.Node, convert bool, sides ...side) (out []*set, ok bool) {
	first := n.Child("resource_set")
	if first == nil {
		return b.endsAsSets(n, convert, sides)
	}
	refs := b.refsExpanded(n)
	seen := map[*xmltree.Node]bool{}
	for x := first; x != nil && !seen[x]; x = x.NextNamed() {
		seen[x] = true
		ref := x
		if x = b.doc.Expand(x); x == nil {
			b.dangling(ref)
			return out, false
		}
		out = append(out, &set{id: x.ID(), n: x, refs: refs(x), of: reader(n)})
	}
	return out, true
}

// dangling reports a reference that leads nowhere (expand_idref).
func (b *builder) dangling(n *xmltree.Node) {
	path := "No match for //" + n.Name + "[@id='" + n.Attr("id-ref") + "'] "
	b.c.Report(model.LogErr, "get_xpath_object", path+"in /cib")
	b.c.Report(model.LogErr, "expand_idref", path+"found in /cib: Invalid configuration")
}

// refsExpanded returns what lists the members of a set: with templates and tags
// resolved where the set is under n and all members of all sets there exist, else as
// written (pcmk__expand_tags_in_sets).
func (b *builder) refsExpanded(n *xmltree.Node) func(set *xmltree.Node) []string {
	expanded, missing := map[*xmltree.Node][]string{}, ""
	valid, room := true, maxMembers
	n.Each("resource_set", func(x *xmltree.Node) {
		refs := written(x)
		if valid {
			expanded[x], missing, valid = b.expandTags(refs, nil, &room)
		}
	})
	if !valid {
		b.c.Report(model.ConfigErr, "pcmk__expand_tags_in_sets",
			"Ignoring resource sets for constraint '"+n.ID()+"' because '"+missing+"' is not a valid resource or tag")
	}
	return func(x *xmltree.Node) []string {
		if refs, under := expanded[x]; under && valid {
			return refs
		}
		return written(x)
	}
}

// written returns the members of a set as they are written.
func written(set *xmltree.Node) (refs []string) {
	set.Each("resource_ref", func(ref *xmltree.Node) { refs = append(refs, ref.ID()) })
	return refs
}

// maxMembers is how many tags the sets of a constraint can name, counting those under
// others each time: tags of tags of tags would double without end.
const maxMembers = 1 << 16

// expandTags replaces templates and tags by what is under them, tags too. within
// are the tags that refs are under: one within itself, on which the original never
// ends, is no valid one.
func (b *builder) expandTags(refs, within []string, room *int) (out []string, missing string, ok bool) {
	for _, id := range refs {
		if b.resource(id) != nil {
			out = append(out, id)
			continue
		}
		*room--
		t := b.tag(id)
		if t == nil || *room < 0 || slices.Contains(within, id) {
			return nil, id, false
		}
		under, missing, ok := b.expandTags(t.Refs, append(slices.Clone(within), id), room)
		if !ok {
			return nil, missing, false
		}
		out = append(out, under...)
	}
	return out, "", true
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
			b.c.Report(model.ConfigErr, "unpack_"+reader(n)+"_tags", "Ignoring constraint '"+n.ID()+"' because '"+id+"' is not a valid resource or tag")
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
		s := &set{id: id, n: xmltree.New("resource_set"), of: reader(n)}
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
	by := instanceReader(n)
	b.oldInstance(by, attr)
	if !r.IsClone() {
		b.c.Report(model.ConfigErr, by.name, "Ignoring constraint '"+n.ID()+"' because resource '"+r.ID+"' is not a clone but instance '"+num+"' was requested")
		return nil
	}
	for _, k := range r.Children {
		if k.ID == r.Clone.ChildID+":"+num {
			return k
		}
	}
	b.c.Report(by.missing, by.name, "Ignoring constraint '"+n.ID()+"' because resource '"+r.ID+"' does not have an instance '"+num+"'")
	return nil
}

// instanceWords is how the original speaks of instances in a kind of constraint.
type instanceWords struct {
	name    string
	missing model.Gravity // of an instance that does not exist
}

func instanceReader(n *xmltree.Node) instanceWords {
	switch n.Name {
	case "rsc_order":
		return instanceWords{"get_ordering_resource", model.ConfigErr}
	case "rsc_colocation":
		return instanceWords{"unpack_simple_colocation", model.ConfigWarn}
	}
	return instanceWords{"unpack_simple_rsc_ticket", model.ConfigWarn}
}

// oldInstance warns, once for orders and once for the others.
func (b *builder) oldInstance(by instanceWords, attr string) {
	told := &b.toldInstance
	if by.missing == model.ConfigErr {
		told = &b.toldOrderInstance
	}
	if !*told {
		*told = true
		b.c.Report(model.PeWarn, by.name, "Support for "+by.words(attr)+" deprecated and will be removed in a future release.")
	}
}

// words are those in which an attribute is deprecated.
func (w instanceWords) words(attr string) string {
	if w.name == "get_ordering_resource" {
		return "first-instance and then-instance is"
	}
	return attr + " is"
}
