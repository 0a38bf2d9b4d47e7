package constraint

import (
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

type kind uint8

const (
	optional kind = iota
	mandatory
	serialize
)

type symmetry uint8

const (
	asymmetric symmetry = iota
	symmetric
	inverse
)

// Order files an order between actions that may not exist yet, and what it means for
// migrations (pcmk__new_ordering).
func Order(c *model.Cluster, o model.Ordering) {
	if o.First != nil {
		if o.FirstRsc == nil {
			o.FirstRsc = o.First.Rsc
		}
		if o.FirstKey == "" {
			o.FirstKey = o.First.Key
		}
	}
	if o.Then != nil {
		if o.ThenRsc == nil {
			o.ThenRsc = o.Then.Rsc
		}
		if o.ThenKey == "" {
			o.ThenKey = o.Then.Key
		}
	}
	p := &o
	c.Orderings = append(c.Orderings, p)
	forMigration(c, p)
}

// OrderTasks orders a task of one resource before a task of another.
func OrderTasks(first *model.Resource, firstTask string, then *model.Resource, thenTask string, t model.Order) {
	Order(first.Cluster, model.Ordering{FirstRsc: first, FirstKey: model.Key(first.ID, firstTask, 0), ThenRsc: then,
		ThenKey: model.Key(then.ID, thenTask, 0), Type: t})
}

func orderStarts(first, then *model.Resource, t model.Order) {
	OrderTasks(first, model.Start, then, model.Start, t)
}

func orderStops(first, then *model.Resource, t model.Order) {
	OrderTasks(first, model.Stop, then, model.Stop, t)
}

// forMigration adds the orders that a migration of one of the two needs
// (pcmk__order_migration_equivalents).
func forMigration(c *model.Cluster, o *model.Ordering) {
	f, t := o.FirstRsc, o.ThenRsc
	if f == nil || t == nil || f == t || f.Within(t) || t.Within(f) {
		return
	}
	fm, tm := f.Is(model.AllowMigrate), t.Is(model.AllowMigrate)
	if !fm && !tm {
		return
	}
	ft, tt := orderTask(o.First, o.FirstKey), orderTask(o.Then, o.ThenKey)
	flags := model.OrderOptional
	switch {
	case ft == model.Start && tt == model.Start:
		if fm && tm {
			OrderTasks(f, model.MigrateFrom, t, model.MigrateTo, flags)
			flags |= model.OrderFirstNonMigratable
		}
		if tm {
			OrderTasks(f, model.Start, t, model.MigrateTo, flags)
		}
	case !tm:
	case ft == model.Stop && tt == model.Stop:
		if fm {
			flags |= model.OrderFirstNonMigratable
		}
		OrderTasks(f, model.Stop, t, model.MigrateTo, flags)
		if t.PartialTarget != nil {
			OrderTasks(f, model.Stop, t, model.MigrateFrom, flags)
		}
	case ft == model.Promote && tt == model.Start:
		OrderTasks(f, model.Promote, t, model.MigrateTo, flags)
	case ft == model.Demote && tt == model.Stop:
		OrderTasks(f, model.Demote, t, model.MigrateTo, flags)
		if t.PartialTarget != nil {
			OrderTasks(f, model.Demote, t, model.MigrateFrom, flags)
		}
	}
}

func orderTask(a *model.Action, key string) string {
	if a != nil {
		return a.Task
	}
	_, task, _, _ := model.SplitKey(key)
	return task
}

// order reads an order constraint (pcmk__unpack_ordering).
func (b *builder) order(n *xmltree.Node) {
	k := b.kind(n)
	sym := b.symmetry(n, k, "", false)
	parentSym, hasSym := n.Get("symmetrical")
	sets, ok := b.sets(n, true, side{"first", "first-action", "action"}, side{"then", "then-action", "action"})
	var last *set
	for _, s := range sets {
		if !b.orderWithin(s, k, parentSym, hasSym) {
			return
		}
		if last != nil {
			if !b.orderBetween(n.ID(), last, s, k, sym) {
				return
			}
			if sym == symmetric && !b.orderBetween(n.ID(), s, last, k, inverse) {
				return
			}
		}
		last = s
	}
	if last == nil && ok {
		b.orderPair(n, k, sym)
	}
}

func (b *builder) kind(n *xmltree.Node) kind {
	v, has := n.Get("kind")
	if !has {
		s, scored := n.Get("score")
		if !scored {
			return mandatory
		}
		zero := b.score(s) == 0
		b.c.ReportOnce(model.PeWarn, "get_ordering_type", "Support for 'score' in rsc_order is deprecated and will be removed in a future release (use 'kind' instead)")
		if zero {
			return optional
		}
		return mandatory
	}
	switch strings.ToLower(v) {
	case "mandatory":
	case "optional":
		return optional
	case "serialize":
		return serialize
	default:
		b.c.Report(model.ConfigErr, "get_ordering_type", "Resetting 'kind' for constraint "+n.ID()+" to 'Mandatory' because '"+v+"' is not valid")
	}
	return mandatory
}

func (b *builder) symmetry(n *xmltree.Node, parent kind, parentSym string, hasParent bool) symmetry {
	k := parent
	_, hasKind := n.Get("kind")
	_, hasScore := n.Get("score")
	if hasKind || hasScore {
		k = b.kind(n)
	}
	v, has := n.Get("symmetrical")
	on, valid := model.Bool(v)
	if has && !valid {
		has = false
	}
	if !has && hasParent {
		on, has = model.True(parentSym), true
	}
	if has && on && k == serialize {
		b.c.Report(model.ConfigWarn, "get_ordering_symmetry", "Ignoring symmetrical for '"+n.ID()+"' because not valid with kind of 'Serialize'")
	}
	switch {
	case has && on && k != serialize:
		return symmetric
	case has || k == serialize:
		return asymmetric
	}
	return symmetric
}

func orderFlags(k kind, first string, sym symmetry) model.Order {
	flags := model.OrderOptional
	switch {
	case k == serialize:
		flags |= model.SerializeOnly
	case k == optional:
	case sym == asymmetric:
		flags |= model.Asymmetrical
	case sym == inverse:
		flags |= model.ImpliesFirst
	default:
		flags |= model.ImpliesThen
		if first == model.Start || first == model.Promote {
			flags |= model.RunnableLeft
		}
	}
	return flags
}

func invert(task string) string {
	pairs := [...][2]string{{model.Start, model.Stop}, {model.Promote, model.Demote}, {model.PromotedTask, model.Demoted}, {model.Running, model.StoppedTask}}
	for _, p := range pairs {
		switch {
		case strings.EqualFold(task, p[0]):
			return p[1]
		case strings.EqualFold(task, p[1]):
			return p[0]
		}
	}
	return ""
}

// inverse is invert that reports what it does not know (invert_action).
func (b *builder) inverse(task string) string {
	out := invert(task)
	if out == "" {
		b.c.Report(model.LogWarn, "invert_action", "Unknown action '"+task+"' specified in order constraint")
	}
	return out
}

// orderPair reads a constraint between two resources (unpack_simple_rsc_order).
func (b *builder) orderPair(n *xmltree.Node, k kind, sym symmetry) {
	first := b.instance(n, b.orderEnd(n, "first"), "first-instance")
	if first == nil {
		return
	}
	then := b.instance(n, b.orderEnd(n, "then"), "then-instance")
	if then == nil {
		return
	}
	ft := orDefault(n.Attr("first-action"), model.Start)
	tt := orDefault(n.Attr("then-action"), ft)
	flags := orderFlags(k, ft, sym)
	if k == optional && then.RestartDependents {
		flags |= model.ImpliesThen
	}
	if least := minInstances(first, n); least > 0 {
		b.orderMin(n.ID(), first, ft, then, tt, flags, least)
	} else {
		b.orderTasks(n.ID(), first, ft, then, tt, flags)
	}
	if sym != symmetric {
		return
	}
	tt, ft = b.inverse(tt), b.inverse(ft)
	if ft == "" || tt == "" {
		b.c.Report(model.ConfigWarn, "inverse_ordering", "Cannot invert constraint '"+n.ID()+"' (please specify inverse manually)")
		return
	}
	flags = orderFlags(k, ft, inverse)
	if k == optional && then.RestartDependents {
		flags |= model.ImpliesFirst
	}
	b.orderTasks(n.ID(), then, tt, first, ft, flags)
}

// orderTasks is OrderTasks for a constraint of the configuration.
func (b *builder) orderTasks(id string, first *model.Resource, firstTask string, then *model.Resource, thenTask string, t model.Order) {
	Order(b.c, model.Ordering{ID: id, FirstRsc: first, FirstKey: model.Key(first.ID, firstTask, 0), ThenRsc: then,
		ThenKey: model.Key(then.ID, thenTask, 0), Type: t})
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

func (b *builder) orderEnd(n *xmltree.Node, attr string) *model.Resource {
	id, has := n.Get(attr)
	if !has {
		b.c.Report(model.ConfigErr, "get_ordering_resource", "Ignoring constraint '"+n.ID()+"' without "+attr)
		return nil
	}
	r := b.resource(id)
	if r == nil {
		b.c.Report(model.ConfigErr, "get_ordering_resource", "Ignoring constraint '"+n.ID()+"' because resource '"+id+"' does not exist")
	}
	return r
}

// minInstances is how many instances of first must be up, 0 for all
// (get_minimum_first_instances).
func minInstances(r *model.Resource, n *xmltree.Node) int {
	if !r.IsClone() {
		return 0
	}
	if v, ok := r.Meta["clone-min"]; ok {
		return model.Int(v, 0)
	}
	if v, ok := n.Get("require-all"); ok {
		r.Cluster.ReportOnce(model.PeWarn, "get_minimum_first_instances", "Support for require-all in ordering constraints is deprecated "+
			"and will be removed in a future release (use clone-min clone meta-attribute instead)")
		if all, valid := model.Bool(v); valid && !all {
			return 1
		}
	}
	return 0
}

func (b *builder) orderMin(id string, first *model.Resource, ft string, then *model.Resource, tt string, flags model.Order, least int) {
	met := plan.PseudoOp(b.c, "clone-one-or-more:"+id)
	met.RequiredRunnable = least
	met.Set(model.RequiresAny)
	for _, k := range first.Children {
		Order(b.c, model.Ordering{ID: id, FirstRsc: k, FirstKey: model.Key(k.ID, ft, 0), Then: met, Type: model.OneOrMore | model.ImpliesThenPrinted})
	}
	Order(b.c, model.Ordering{ID: id, First: met, ThenRsc: then, ThenKey: model.Key(then.ID, tt, 0), Type: flags | model.RunnableLeft})
}

// orderWithin orders the members of a set (unpack_order_set).
func (b *builder) orderWithin(s *set, parent kind, parentSym string, hasSym bool) bool {
	k := parent
	if _, has := s.n.Get("kind"); has {
		k = b.kind(s.n)
	}
	task := orDefault(s.attr("action"), model.Start)
	v, given := s.n.Get("sequential")
	sequential := !given || model.True(v)
	sym := b.symmetry(s.n, parent, parentSym, hasSym)
	flags := orderFlags(k, task, sym)
	rs, ok := b.resources(s)
	if !ok {
		return false
	}
	if len(rs) == 1 {
		return true
	}
	for i, r := range rs {
		switch {
		case k == serialize:
			for _, then := range rs[i+1:] {
				b.orderTasks(s.id, r, task, then, task, flags)
			}
		case sequential && i > 0:
			b.orderTasks(s.id, rs[i-1], task, r, task, flags)
		}
	}
	if sym == asymmetric || !sequential {
		return true
	}
	task = invert(task)
	flags = orderFlags(k, task, inverse)
	for i := 1; i < len(rs); i++ {
		b.orderTasks(s.id, rs[i], task, rs[i-1], task, flags)
	}
	return true
}

// orderBetween orders one set before another (order_rsc_sets).
func (b *builder) orderBetween(id string, s1, s2 *set, k kind, sym symmetry) bool {
	t1, t2 := orDefault(s1.attr("action"), model.Start), orDefault(s2.attr("action"), model.Start)
	all := s1.flag("require-all", true)
	if sym == inverse {
		t1, t2 = invert(t1), invert(t2)
	}
	if t1 == model.Stop || t1 == model.Demote {
		all = true
	}
	flags := orderFlags(k, t2, sym)
	if !all {
		return b.orderAny(id, s1, s2, t1, t2, flags)
	}
	if s1.flag("sequential", false) && len(s1.refs) > 0 {
		if sym == inverse {
			s1 = s1.only(0)
		} else {
			s1 = s1.only(len(s1.refs) - 1)
		}
	}
	if s2.flag("sequential", false) && len(s2.refs) > 0 {
		if sym == inverse {
			s2 = s2.only(len(s2.refs) - 1)
		} else {
			s2 = s2.only(0)
		}
	}
	return b.pairs(s1, s2, func(f, t *model.Resource) { b.orderTasks(id, f, t1, t, t2, flags) })
}

// orderAny orders a set after any member of another, by way of a pseudo-action.
func (b *builder) orderAny(id string, s1, s2 *set, t1, t2 string, flags model.Order) bool {
	any := plan.PseudoOp(b.c, "one-or-more:"+s1.id)
	any.Set(model.RequiresAny)
	r1, ok := b.resources(s1)
	for _, r := range r1 {
		Order(b.c, model.Ordering{ID: id, FirstRsc: r, FirstKey: model.Key(r.ID, t1, 0), Then: any, Type: model.OneOrMore | model.ImpliesThenPrinted})
	}
	if !ok {
		return false
	}
	r2, ok := b.resources(s2)
	for _, r := range r2 {
		Order(b.c, model.Ordering{ID: id, First: any, ThenRsc: r, ThenKey: model.Key(r.ID, t2, 0), Type: flags | model.RunnableLeft})
	}
	return ok
}
