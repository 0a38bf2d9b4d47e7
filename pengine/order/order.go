// Package order turns wished orders into orders between actions and lets them
// settle: what is required makes other things required, what cannot be done keeps
// others from being done.
//
// pengine.Run calls Apply; graph asks Counts and CountsInput. It replaces
// lib/pacemaker/pcmk_sched_{ordering,actions,probes}.c as far as they order, and the
// action_flags and update_ordered_actions of each variant. It is the only package
// that changes flags of actions after they are made.
package order

import (
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// Apply resolves all orders (pcmk__apply_orderings).
func Apply(c *model.Cluster) {
	for _, o := range c.Orderings {
		switch {
		case o.FirstRsc != nil:
			fromResource(c, o)
		case o.ThenRsc != nil:
			toResource(o.First, o.ThenRsc, o)
		default:
			model.Link(o.First, o.Then, o.Type)
		}
	}
	each(c, func(a *model.Action) { blockDependents(a) })
	orderProbes(c)
	each(c, func(a *model.Action) { update(a) })
	disableInvalid(c)
}

// each calls f for all actions that there are now, newest first.
func each(c *model.Cluster, f func(*model.Action)) {
	for i := len(c.Actions) - 1; i >= 0; i-- {
		f(c.Actions[i])
	}
}

// byKey finds the actions that a key means, also when it was made for another name of
// the resource (find_actions_by_task).
func byKey(r *model.Resource, key string) []*model.Action {
	if found := r.ActionsFor(key, nil); found != nil {
		return found
	}
	if _, task, ms, ok := model.SplitKey(key); ok {
		if own := model.Key(r.ID, task, ms); own != key {
			return r.ActionsFor(own, nil)
		}
	}
	return nil
}

// fromResource resolves an order whose first action belongs to a resource
// (rsc_order_first).
func fromResource(c *model.Cluster, o *model.Ordering) {
	var firsts []*model.Action
	if o.First != nil {
		firsts = []*model.Action{o.First}
	} else {
		firsts = byKey(o.FirstRsc, o.FirstKey)
	}
	if firsts == nil && o.FirstRsc != o.ThenRsc {
		if a := missing(c, o); a != nil {
			firsts = []*model.Action{a}
		}
	}
	then := o.ThenRsc
	if then == nil {
		if o.Then == nil {
			return
		}
		then = o.Then.Rsc
	}
	for _, a := range firsts {
		if then == nil {
			model.Link(a, o.Then, o.Type)
		} else {
			toResource(a, then, o)
		}
	}
}

// missing makes the first action of an order when it might still matter.
func missing(c *model.Cluster, o *model.Ordering) *model.Action {
	r := o.FirstRsc
	_, task, ms, _ := model.SplitKey(o.FirstKey)
	if (task == model.Stop && r.State(true) == model.Stopped) || (task == model.Demote && r.State(true) == model.Unpromoted) {
		return nil
	}
	return plan.Action(c, plan.Spec{Rsc: r, Task: task, Interval: ms})
}

// toResource orders an action before those of a resource
// (order_resource_actions_after).
func toResource(first *model.Action, r *model.Resource, o *model.Ordering) {
	t := o.Type
	thens := []*model.Action{o.Then}
	if o.Then == nil {
		thens = byKey(r, o.ThenKey)
	}
	if first != nil && first.Rsc == r && first.Is(model.Dangle) {
		t &^= model.ImpliesThen
	}
	if first == nil && t&model.ImpliesThen == 0 {
		return
	}
	for _, a := range thens {
		if first != nil {
			model.Link(first, a, t)
		} else {
			a.Clear(model.Runnable)
		}
	}
}

// disableInvalid removes orders that would lock things up (pcmk__disable_invalid_orderings).
func disableInvalid(c *model.Cluster) {
	each(c, func(a *model.Action) {
		for i := len(a.Before) - 1; i >= 0; i-- {
			e := a.Before[i]
			f := e.First
			guest := e.Type&model.Preserve == 0 && f.Rsc != nil && isGuestOf(a.Rsc, f.Node)
			if guest {
				c.Report(model.LogWarn, "ordering_is_invalid", "Invalid ordering constraint between "+f.Rsc.ID+" and "+a.Rsc.ID)
			}
			if guest || (e.Type == model.OrderLoad && a.Rsc != nil && a.Task == model.MigrateTo && hasLoop(a, a, e)) {
				e.Type = 0
			}
		}
	})
}

// isGuestOf says whether r contains the guest node n (pcmk__rsc_corresponds_to_guest).
func isGuestOf(r *model.Resource, n *model.Node) bool {
	return r != nil && len(r.Fillers) > 0 && n != nil && n.RemoteRsc != nil && n.RemoteRsc.Container == r
}

// blockDependents keeps what must be with r from starting when r cannot
// (pcmk__block_colocation_dependents).
func blockDependents(a *model.Action) {
	if a.Is(model.Runnable) || (a.Task != model.Start && a.Task != model.Promote) || a.Rsc == nil {
		return
	}
	r := a.Rsc.Top()
	if r.Parent != nil {
		r = r.Parent
	}
	if len(r.WithThis) == 0 {
		return
	}
	for _, k := range r.Children {
		if ka := k.First("", a.Task, nil); ka == nil || ka.Is(model.Runnable) {
			return
		}
	}
	for _, k := range r.WithThis {
		if k.Score < model.Inf || (a.Task != model.Start && k.PrimaryRole != model.Promoted) {
			continue
		}
		task := model.Start
		if k.DependentRole == model.Promoted {
			task = model.Promote
		}
		blockTask(k.Dependent, task, a.Rsc)
	}
}

func blockTask(r *model.Resource, task string, because *model.Resource) {
	for i := len(r.Actions) - 1; i >= 0; i-- {
		if a := r.Actions[i]; a.Is(model.Runnable) && a.Task == task {
			a.Clear(model.Runnable)
			a.Because("colocation with "+because.ID, false)
			blockDependents(a)
			update(a)
		}
	}
	for _, k := range r.Children {
		blockTask(k, task, because)
	}
}
