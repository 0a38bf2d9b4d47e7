package schema

import (
	"slices"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// resource adds a primitive or template. Its operations' requires becomes a
// meta-attribute of its own.
func (u *upgrade210) resource(parent, n *xmltree.Node, depth int) {
	c := parent.AddNew(n.Name, slices.Clone(n.Attrs)...)
	for k := n.First; k != nil; k = k.Next {
		switch {
		case k.Kind != xmltree.Element:
			c.Add(k.Copy())
		case k.Name == "operations":
			u.operations(c, k, depth+1)
		case k.Name == instanceElement:
			u.set(c, k, depth+1, setRule{changes: &instanceChanges, context: (*xmltree.Node).ID, twice: true})
		case k.Name == metaElement:
			u.set(c, k, depth+1, setRule{changes: &metaChanges, twice: true, hidden: shadowed,
				context: func(p *xmltree.Node) string { return n.ID() + " (meta=" + p.Parent.ID() + ")" }})
		default:
			u.same(c, k, depth+1)
		}
	}
	u.requires(c, n, depth+1)
}

// shadowed says that a changed meta-attribute is left out, so that its new name
// does not come twice: one that is the same by then follows in this set or in a
// later one, without a rule. The stylesheet recognises the pair itself only when it
// is the first of all that stay, so another one before it makes it vanish.
func shadowed(pair *xmltree.Node) bool {
	with := metaChanges.find(pair.Attr("name"), pair.Attr("value")).with
	var first *xmltree.Node
	clash := false
	for s := pair.Parent; s != nil; s = s.NextNamed() {
		if !isPlain(s, metaElement) {
			continue
		}
		s.Each(pairElement, func(k *xmltree.Node) {
			ch := metaChanges.find(k.Attr("name"), k.Attr("value"))
			if ch != nil && ch.leaves() {
				return
			}
			if first == nil {
				first = k
			}
			clash = clash || ch != nil && ch.with == with
		})
	}
	return clash && first != pair
}

func (u *upgrade210) operations(parent, n *xmltree.Node, depth int) {
	c := parent.AddNew(n.Name, slices.Clone(n.Attrs)...)
	for k := n.First; k != nil; k = k.Next {
		if k.Kind == xmltree.Element && k.Name == "op" {
			u.op(c, k, depth+1)
		} else {
			u.same(c, k, depth+1)
		}
	}
}

// op adds an operation. What its instance attributes have that is not the
// agent's moves to its meta-attributes: to the first set without a rule, or to
// that of the same rule.
func (u *upgrade210) op(parent, n *xmltree.Node, depth int) {
	u.opRemarks(n)
	c := parent.AddNew(n.Name)
	for _, a := range n.Attrs {
		if opChanges.find(a.Name, n.Attr("name")) == nil {
			c.Attrs = append(c.Attrs, a)
		}
	}
	moved := xmltree.New(metaElement, xmltree.Attr{Name: "id", Value: newID + n.ID() + "-meta"})
	n.Each(instanceElement, func(s *xmltree.Node) {
		if isPlain(s, instanceElement) {
			toMeta(moved, s)
		}
	})
	waiting := moved.First != nil
	for k := n.First; k != nil; k = k.Next {
		switch {
		case k.Kind == xmltree.Element && k.Name == instanceElement:
			u.set(c, k, depth+1, setRule{changes: &opInstanceChanges, by: n.Attr("name")})
		case k.Kind == xmltree.Element && k.Name == metaElement:
			before := c.Last
			u.set(c, k, depth+1, setRule{changes: &opChanges, by: n.Attr("name")})
			if !waiting || !isPlain(k, metaElement) {
				continue
			}
			if c.Last == before {
				c.AddNew(k.Name, slices.Clone(k.Attrs)...)
			}
			for m := moved.First; m != nil; m = m.Next {
				c.Last.Add(m.Copy())
			}
			waiting = false
		default:
			u.same(c, k, depth+1)
		}
	}
	if waiting {
		c.Add(moved)
	}
	n.Each(instanceElement, func(s *xmltree.Node) {
		if isPlain(s, instanceElement) {
			return
		}
		pairs := xmltree.New("")
		if toMeta(pairs, s); pairs.First != nil {
			u.again(c, s, pairs, depth+1)
		}
	})
}

// toMeta adds the pairs of an operation's instance attributes s that move to its
// meta-attributes: not where the resource has the name, nor where a later set of
// the operation, without a rule, has it.
func toMeta(set, s *xmltree.Node) {
	rsc := s.Parent.Parent.Parent
	s.Each(pairElement, func(k *xmltree.Node) {
		ch := opInstanceChanges.find(k.Attr("name"), s.Parent.Attr("name"))
		if ch == nil || ch.where != toOpMeta || plainHas(rsc, ch.with) {
			return
		}
		for later := s.NextNamed(); later != nil; later = later.NextNamed() {
			if isPlain(later, instanceElement) && hasPair(later, ch.what) {
				return
			}
		}
		comments(set, k)
		set.AddNew(k.Name, slices.Clone(k.Attrs)...)
	})
}

// again adds a set of meta-attributes that is like s, under an id of its own, with
// these pairs for s's.
func (u *upgrade210) again(parent, s, pairs *xmltree.Node, depth int) {
	c := parent.AddNew(metaElement, slices.Clone(s.Attrs)...)
	c.Unset("id")
	c.Set("id", newID+s.ID())
	for k := s.First; k != nil; k = k.Next {
		if k.Kind != xmltree.Element || k.Name != pairElement {
			u.node(c, k, depth+1)
		}
	}
	for k := pairs.First; k != nil; k = k.Next {
		c.Add(k.Copy())
	}
}

// opRemarks tells of the changes in the sets of an operation.
func (u *upgrade210) opRemarks(n *xmltree.Node) {
	tell := func(s *xmltree.Node, list *changes) {
		s.Each(pairElement, func(k *xmltree.Node) {
			u.changed(list, k.Attr("name"), n.Attr("name"), n.ID()+" (rsc="+n.Parent.Parent.ID()+", meta="+s.ID()+")")
		})
	}
	for _, plain := range []bool{true, false} {
		n.Each(instanceElement, func(s *xmltree.Node) {
			if isPlain(s, instanceElement) == plain {
				tell(s, &opInstanceChanges)
			}
		})
		if plain {
			n.Each(metaElement, func(s *xmltree.Node) { tell(s, &opChanges) })
		}
	}
}

// requires makes requires of the operations start and promote the resource's:
// the attribute of the last of them, else from the meta-attributes, else from
// the instance attributes, in all cases the last one, and not where the
// resource has it already.
func (u *upgrade210) requires(c, rsc *xmltree.Node, depth int) {
	own := plainHas(rsc, "requires")
	set := xmltree.New(metaElement, xmltree.Attr{Name: "id", Value: newID + rsc.ID() + "-meta"})
	rsc.Each("operations", func(ops *xmltree.Node) {
		var last *xmltree.Node
		ops.Each("op", func(op *xmltree.Node) {
			for _, a := range op.Attrs {
				u.changed(&opChanges, a.Name, op.Attr("name"), op.ID()+" (rsc="+rsc.ID()+")")
			}
			if _, ok := op.Get("requires"); ok && movesRequires(op) && !own {
				last = op
			}
		})
		if last != nil {
			set.AddNew(pairElement, xmltree.Attr{Name: "id", Value: newID + last.ID() + "-meta-requires"},
				xmltree.Attr{Name: "name", Value: "requires"}, xmltree.Attr{Name: "value", Value: last.Attr("requires")})
		}
	})
	if set.First != nil {
		c.Add(set)
	}
	if own {
		return
	}
	rsc.Each("operations", func(ops *xmltree.Node) {
		ops.Each("op", func(op *xmltree.Node) {
			op.Elements(func(s *xmltree.Node) {
				if s.Name != metaElement && s.Name != instanceElement || !movesRequires(op) || attributeWins(ops) || laterRequires(s) {
					return
				}
				pairs := xmltree.New("")
				s.Each(pairElement, func(k *xmltree.Node) {
					if k.Attr("name") == "requires" {
						pairs.AddNew(k.Name, slices.Clone(k.Attrs)...)
					}
				})
				if pairs.First != nil {
					u.again(c, s, pairs, depth)
				}
			})
		})
	})
}

// movesRequires says that the operation's requires means the resource.
func movesRequires(op *xmltree.Node) bool {
	return opChanges.find("requires", op.Attr("name")).where != ""
}

// attributeWins says that one of the operations has requires as attribute, which
// comes before any in a set.
func attributeWins(ops *xmltree.Node) bool {
	for op := ops.Child("op"); op != nil; op = op.NextNamed() {
		if _, ok := op.Get("requires"); ok && movesRequires(op) {
			return true
		}
	}
	return false
}

// laterRequires says that another set has a requires that is to be preferred to
// that in s.
func laterRequires(s *xmltree.Node) bool {
	has := func(op, set *xmltree.Node, name string) bool {
		return isPlain(set, name) && movesRequires(op) && hasPair(set, "requires")
	}
	any := func(op *xmltree.Node, name string) bool {
		for k := op.Child(name); k != nil; k = k.NextNamed() {
			if has(op, k, name) {
				return true
			}
		}
		return false
	}
	op := s.Parent
	for k := s.NextNamed(); k != nil; k = k.NextNamed() {
		if has(op, k, s.Name) {
			return true
		}
	}
	for o := op.NextNamed(); o != nil; o = o.NextNamed() {
		if any(o, s.Name) {
			return true
		}
	}
	if s.Name == instanceElement {
		for o := op.Parent.Child("op"); o != nil; o = o.NextNamed() {
			if any(o, metaElement) {
				return true
			}
		}
	}
	return false
}
