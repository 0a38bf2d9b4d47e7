package constraint

import (
	"strings"

	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
)

// Colocate makes a colocation constraint and files it with both ends
// (pcmk__new_colocation). Resources that must be apart also stop before the other
// starts.
func Colocate(c *model.Cluster, k model.Colocation) {
	if k.Score == 0 || k.Dependent == nil || k.Primary == nil {
		return
	}
	if k.DependentRole == model.Started {
		k.DependentRole = model.Unknown
	}
	if k.PrimaryRole == model.Started {
		k.PrimaryRole = model.Unknown
	}
	AddThisWith(k.Dependent, &k)
	AddWithThis(k.Primary, &k)
	c.Colocations = append(c.Colocations, &k)
	if k.Score <= -model.Inf {
		antiOrder(k.Dependent, k.DependentRole, k.Primary, k.PrimaryRole)
		antiOrder(k.Primary, k.PrimaryRole, k.Dependent, k.DependentRole)
	}
}

// AddThisWith files a colocation with its dependent, more important primaries first.
func AddThisWith(r *model.Resource, k *model.Colocation) {
	r.ThisWith = model.InsertSorted(r.ThisWith, k, func(a, b *model.Colocation) int { return compare(a.Primary, b.Primary) })
}

// AddWithThis files a colocation with its primary, more important dependents first.
func AddWithThis(r *model.Resource, k *model.Colocation) {
	r.WithThis = model.InsertSorted(r.WithThis, k, func(a, b *model.Colocation) int { return compare(a.Dependent, b.Dependent) })
}

// compare orders by priority, then collectives, promotable first, then id
// (cmp_dependent_priority, cmp_primary_priority).
func compare(a, b *model.Resource) int {
	switch {
	case a.Priority != b.Priority:
		return int(b.Priority) - int(a.Priority)
	case a.Variant != b.Variant:
		return int(b.Variant) - int(a.Variant)
	case a.Variant == model.Clone && a.Is(model.Promotable) != b.Is(model.Promotable):
		if a.Is(model.Promotable) {
			return -1
		}
		return 1
	}
	return strings.Compare(a.ID, b.ID)
}

func antiOrder(first *model.Resource, firstRole model.Role, then *model.Resource, thenRole model.Role) {
	firsts, thens := []string{model.Stop}, []string{model.Start}
	switch firstRole {
	case model.Promoted:
		firsts = []string{model.Demote}
	case model.Unpromoted:
		firsts = append(firsts, model.Promote)
	}
	switch thenRole {
	case model.Promoted:
		thens = []string{model.Promote}
	case model.Unpromoted:
		thens = append(thens, model.Demote)
	}
	for _, f := range firsts {
		for _, t := range thens {
			OrderTasks(first, f, then, t, model.AntiColocation)
		}
	}
}

// colocation reads a colocation constraint (pcmk__unpack_colocation).
func (b *builder) colocation(n *xmltree.Node) {
	s := b.score(n.Attr("score"))
	sets, ok := b.sets(n, true, side{"rsc", "rsc-role", "role"}, side{"with-rsc", "with-rsc-role", "role"})
	influence, hasInfluence := n.Get("influence")
	cs := colocSpec{b: b, id: n.ID(), score: s, influence: influence, has: hasInfluence}
	var last *set
	for _, st := range sets {
		cs.within(st)
		if last != nil {
			cs.between(last, st)
		}
		last = st
	}
	if last == nil && ok {
		cs.simple(n)
	}
}

// role is the role that a set speaks of.
func (b *builder) role(s *set) model.Role {
	v, given := s.n.Get("role")
	return b.c.RoleAttr(v, given)
}

// named is the resource that an attribute of a colocation names, nil for one that
// does not exist.
func (b *builder) named(n *xmltree.Node, attr string) *model.Resource {
	id, given := n.Get(attr)
	r := b.resource(id)
	if r == nil {
		if !given {
			id = "(null)"
		}
		b.c.Report(model.ConfigErr, "unpack_simple_colocation", "Ignoring constraint '"+n.ID()+"' because resource '"+id+"' does not exist")
	}
	return r
}

type colocSpec struct {
	b         *builder
	id        string
	score     score.Score
	influence string
	has       bool
}

func (s *colocSpec) influences(r *model.Resource) bool {
	if s.has {
		if v, ok := model.Bool(s.influence); ok {
			return v
		}
		s.b.c.Report(model.ConfigErr, "unpack_influence", "Constraint '"+s.id+"' has invalid value for influence (using default)")
	}
	return r.Is(model.Critical)
}

func (s *colocSpec) simple(n *xmltree.Node) {
	b := s.b
	dep, pri := b.named(n, "rsc"), b.named(n, "with-rsc")
	if dep == nil || pri == nil {
		return
	}
	if dep, pri = b.instance(n, dep, "rsc-instance"), b.instance(n, pri, "with-rsc-instance"); dep == nil || pri == nil {
		return
	}
	if model.True(n.Attr("symmetrical")) {
		b.c.Report(model.ConfigWarn, "unpack_simple_colocation", "The colocation constraint 'symmetrical' attribute has been removed")
	}
	depRole, hasDep := n.Get("rsc-role")
	priRole, hasPri := n.Get("with-rsc-role")
	Colocate(b.c, model.Colocation{ID: s.id, NodeAttr: n.Attr("node-attribute"), Score: s.score, Dependent: dep, Primary: pri,
		DependentRole: b.c.RoleAttr(depRole, hasDep), PrimaryRole: b.c.RoleAttr(priRole, hasPri), Influence: s.influences(dep)})
}

func (s *colocSpec) add(id string, value score.Score, dep, pri *model.Resource, depRole, priRole model.Role, influence bool) {
	Colocate(s.b.c, model.Colocation{ID: id, Score: value, Dependent: dep, Primary: pri, DependentRole: depRole, PrimaryRole: priRole, Influence: influence})
}

// within colocates the members of a set (unpack_colocation_set).
func (s *colocSpec) within(st *set) {
	value := s.score
	if v, ok := st.n.Get("score"); ok {
		value = s.b.score(v)
	}
	if value == 0 || !st.flag("sequential", true) {
		return
	}
	role := s.b.role(st)
	rs, _ := s.b.resources(st)
	ordering := st.attr("ordering")
	for i, r := range rs {
		switch {
		case value < 0:
			s.apart(st, r, role, value, rs)
		case i == 0:
		case ordering == "" || strings.EqualFold(ordering, "group"):
			s.add(st.id, value, r, rs[i-1], role, role, s.influences(r))
		default:
			s.add(st.id, value, rs[i-1], r, role, role, s.influences(rs[i-1]))
		}
	}
}

// apart keeps r away from the members listed before it. A member named by an
// instance stands for the whole clone and is found nowhere in the list, which keeps
// it away from all the others too, as in the original.
func (s *colocSpec) apart(st *set, r *model.Resource, role model.Role, value score.Score, rs []*model.Resource) {
	for i, with := range rs {
		if strings.EqualFold(st.refs[i], r.ID) {
			return
		}
		s.add(st.id, value, r, with, role, role, s.influences(r))
	}
}

// between colocates a set with the next one (colocate_rsc_sets).
func (s *colocSpec) between(a, z *set) {
	if s.score == 0 {
		return
	}
	roleA, roleZ := s.b.role(a), s.b.role(z)
	if a.flag("sequential", true) && len(a.refs) > 0 {
		a = a.only(0)
	}
	if z.flag("sequential", true) && len(z.refs) > 0 {
		z = z.only(len(z.refs) - 1)
	}
	s.b.pairs(a, z, func(dep, pri *model.Resource) {
		s.add(s.id, s.score, dep, pri, roleA, roleZ, s.influences(dep))
	})
}
