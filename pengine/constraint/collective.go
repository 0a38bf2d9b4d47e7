package constraint

import (
	"github.com/pacesync/pacesync/pengine/model"
)

// group orders and colocates the members (pcmk__group_internal_constraints).
func group(r *model.Resource) {
	OrderTasks(r, model.Stop, r, model.StoppedTask, model.RunnableLeft)
	OrderTasks(r, model.StoppedTask, r, model.Start, model.OrderOptional)
	OrderTasks(r, model.Start, r, model.Running, model.RunnableLeft)
	m := memberOrder{promotable: r.Top().Is(model.Promotable), group: r}
	for _, k := range r.Children {
		m.add(k)
	}
}

type memberOrder struct {
	group            *model.Resource
	promotable       bool
	previous, active *model.Resource
}

// add orders one member (member_internal_constraints).
func (m *memberOrder) add(k *model.Resource) {
	g := m.group
	internal(k)
	down, after := model.ImpliesFirstPrinted, model.ImpliesThenPrinted
	if m.previous == nil {
		if g.GroupOrdered {
			down |= model.OrderOptional
			after = model.ImpliesThen
		}
	} else if g.GroupColocated {
		Colocate(g.Cluster, model.Colocation{ID: "group:internal_colocation", Score: model.Inf, Dependent: k, Primary: m.previous, Influence: k.Is(model.Critical)})
	}
	up := model.RunnableLeft | model.ImpliesThen | model.ImpliesThenPrinted
	if m.promotable {
		OrderTasks(g, model.Demote, k, model.Demote, down)
		OrderTasks(k, model.Demote, g, model.Demoted, after)
		OrderTasks(k, model.Promote, g, model.PromotedTask, up)
		OrderTasks(g, model.Promote, k, model.Promote, model.ImpliesFirstPrinted)
	}
	orderStops(g, k, down)
	OrderTasks(k, model.Stop, g, model.StoppedTask, after)
	orderStarts(g, k, model.ImpliesFirstPrinted)
	OrderTasks(k, model.Start, g, model.Running, up)
	m.sequence(k)
	if len(k.RunningOn) > 0 {
		if g.GroupOrdered && m.previous != nil && len(m.previous.RunningOn) == 0 && m.active != nil {
			orderStops(k, m.active, model.OrderOptional)
		}
		m.active = k
	}
	m.previous = k
}

// sequence orders a member after the one before it.
func (m *memberOrder) sequence(k *model.Resource) {
	g := m.group
	switch {
	case !g.GroupOrdered:
		t := model.ImpliesThen | model.RunnableLeft | model.ImpliesFirstPrinted
		orderStarts(g, k, t)
		if m.promotable {
			OrderTasks(g, model.Promote, k, model.Promote, t)
		}
	case m.previous == nil:
		orderStarts(g, k, 0)
		if m.promotable {
			OrderTasks(g, model.Promote, k, model.Promote, 0)
		}
	default:
		orderStarts(m.previous, k, model.ImpliesThen|model.RunnableLeft)
		orderStops(k, m.previous, model.OrderOptional|model.OrderRestart)
		if m.promotable {
			OrderTasks(m.previous, model.Promote, k, model.Promote, model.ImpliesThen|model.RunnableLeft)
			OrderTasks(k, model.Demote, m.previous, model.Demote, model.OrderOptional)
		}
	}
}

// clone orders the instances against the clone, and among themselves where it is
// ordered (clone_internal_constraints).
func clone(r *model.Resource) {
	OrderTasks(r, model.StoppedTask, r, model.Start, model.OrderOptional)
	OrderTasks(r, model.Start, r, model.Running, model.RunnableLeft)
	OrderTasks(r, model.Stop, r, model.StoppedTask, model.RunnableLeft)
	if r.Is(model.Promotable) {
		OrderTasks(r, model.Demoted, r, model.Stop, model.OrderOptional)
		OrderTasks(r, model.Running, r, model.Promote, model.RunnableLeft)
	}
	if r.Clone.Ordered {
		model.MergeSort(r.Children, model.CompareInstances)
	}
	var last *model.Resource
	for _, k := range r.Children {
		internal(k)
		orderStarts(r, k, model.RunnableLeft|model.ImpliesFirstPrinted)
		OrderTasks(k, model.Start, r, model.Running, model.ImpliesThenPrinted)
		if r.Clone.Ordered && last != nil {
			orderStarts(last, k, model.OrderOptional)
		}
		orderStops(r, k, model.ImpliesFirstPrinted)
		OrderTasks(k, model.Stop, r, model.StoppedTask, model.ImpliesThenPrinted)
		if r.Clone.Ordered && last != nil {
			orderStops(k, last, model.OrderOptional)
		}
		last = k
	}
	if r.Is(model.Promotable) {
		promotable(r)
	}
}

// restartOrder orders the steps of a promotable clone (pcmk__promotable_restart_ordering).
func restartOrder(r *model.Resource) {
	for _, p := range [...][2]string{{model.StoppedTask, model.Start}, {model.StoppedTask, model.Promote}, {model.Demoted, model.Stop},
		{model.Demoted, model.Start}, {model.Demoted, model.Promote}, {model.Running, model.Promote}, {model.Demote, model.Demoted}} {
		OrderTasks(r, p[0], r, p[1], model.OrderOptional)
	}
}

// promotable orders promotions and demotions (pcmk__order_promotable_instances).
func promotable(r *model.Resource) {
	restartOrder(r)
	var last *model.Resource
	for _, k := range r.Children {
		OrderTasks(k, model.Demote, k, model.Promote, model.OrderOptional)
		OrderTasks(r, model.Promote, k, model.Promote, model.OrderOptional)
		OrderTasks(k, model.Promote, r, model.PromotedTask, model.OrderOptional)
		if last != nil && r.Clone.Ordered {
			OrderTasks(last, model.Promote, k, model.Promote, model.OrderOptional)
		}
		OrderTasks(r, model.Demote, k, model.Demote, model.ImpliesFirstPrinted)
		OrderTasks(k, model.Demote, r, model.Demoted, model.ImpliesThenPrinted)
		if last != nil && r.Clone.Ordered {
			OrderTasks(k, model.Demote, last, model.Demote, model.OrderOptional)
		}
		last = k
	}
}

// bundle ties containers, addresses, connections and what runs inside together
// (pcmk__bundle_internal_constraints).
func bundle(r *model.Resource) {
	child := r.Bundle.Child
	if child != nil {
		OrderTasks(r, model.Start, child, model.Start, model.ImpliesFirstPrinted)
		OrderTasks(r, model.Stop, child, model.Stop, model.ImpliesFirstPrinted)
		OrderTasks(child, model.Running, r, model.Running, model.ImpliesThenPrinted)
		OrderTasks(child, model.StoppedTask, r, model.StoppedTask, model.ImpliesThenPrinted)
	}
	for _, rep := range r.Bundle.Replicas {
		replica(r, rep)
	}
	if child == nil {
		return
	}
	internal(child)
	if child.Is(model.Promotable) {
		restartOrder(r)
		OrderTasks(child, model.Demoted, r, model.Demoted, model.ImpliesThenPrinted)
		OrderTasks(r, model.Demote, child, model.Demote, model.ImpliesFirstPrinted)
		OrderTasks(child, model.PromotedTask, r, model.PromotedTask, model.ImpliesThenPrinted)
		OrderTasks(r, model.Promote, child, model.Promote, model.ImpliesFirstPrinted)
	}
}

func replica(r *model.Resource, rep *model.Replica) {
	k := rep.Container
	internal(k)
	orderStarts(r, k, model.RunnableLeft|model.ImpliesFirstPrinted)
	if rep.Child != nil {
		orderStops(r, rep.Child, model.ImpliesFirstPrinted)
	}
	orderStops(r, k, model.ImpliesFirstPrinted)
	OrderTasks(k, model.Start, r, model.Running, model.ImpliesThenPrinted)
	OrderTasks(k, model.Stop, r, model.StoppedTask, model.ImpliesThenPrinted)
	if rep.IP != nil {
		internal(rep.IP)
		orderStarts(rep.IP, k, model.RunnableLeft|model.Preserve)
		orderStops(k, rep.IP, model.ImpliesFirst|model.Preserve)
		Colocate(r.Cluster, model.Colocation{ID: "ip-with-docker", Score: model.Inf, Dependent: rep.IP, Primary: k, Influence: true})
	}
	if rep.Remote != nil {
		internal(rep.Remote)
	}
}
