package order

import (
	"strings"

	"github.com/pacesync/pacesync/pengine/model"
)

// changed says which side of an order changed.
type changed uint8

const (
	changedFirst changed = 1 << iota
	changedThen
)

// update lets the orders before an action take effect, and then those that depend on
// what changed (pcmk__update_action_for_orderings).
func update(then *model.Action) {
	var ch changed
	last := then.Flags
	if then.Is(model.RequiresAny) {
		then.RunnableBefore = 0
		then.RequiredRunnable = max(then.RequiredRunnable, 1)
		then.Clear(model.Runnable)
	}
	for i := len(then.Before) - 1; i >= 0; i-- {
		ch = updateEdge(then, then.Before[i], ch)
	}
	if then.Is(model.RequiresAny) {
		if ch &^= changedThen; last != then.Flags {
			ch |= changedThen
		}
	}
	if ch&changedThen == 0 {
		return
	}
	if last&model.Runnable != 0 && !then.Is(model.Runnable) {
		blockDependents(then)
	}
	update(then)
	for i := len(then.After) - 1; i >= 0; i-- {
		update(then.After[i].Then)
	}
}

func updateEdge(then *model.Action, e *model.Edge, ch changed) changed {
	first := e.First
	firstNode, thenNode := groupNode(first), groupNode(then)
	if e.Type&model.SameNode != 0 && firstNode != nil && thenNode != nil && firstNode != thenNode {
		e.Type = 0
		return ch
	}
	ch &^= changedFirst
	if first.Rsc != nil && e.Type&model.ThenCancelsFirst != 0 && !then.Is(model.Optional) {
		first.Set(model.Optional)
		if first.Task == model.ReloadTask {
			first.Rsc.Clear(model.Reload)
		}
	}
	if first.Rsc != nil && then.Rsc != nil && first.Rsc != then.Rsc && !then.Rsc.Within(first.Rsc) {
		first = completion(first)
	}
	if first == e.First {
		ff := flagsFor(first, thenNode)
		tf := flagsFor(then, firstNode)
		ch |= applyEdge(e, first, then, ff, tf)
	} else if model.Link(first, then, e.Type) {
		ch |= changedThen
		e.Type = 0
	}
	if ch&changedFirst != 0 {
		for i := len(first.After) - 1; i >= 0; i-- {
			update(first.After[i].Then)
		}
		update(first)
	}
	return ch
}

// groupNode is where an action happens; the start of a group happens where the group is.
func groupNode(a *model.Action) *model.Node {
	if a.Rsc != nil && a.Rsc.Variant == model.Group && a.Task == model.Start {
		return a.Rsc.Location(model.Planned)
	}
	return a.Node
}

// flagsFor returns the flags of an action as they count for orders with one on a node
// (action_flags_for_ordering).
func flagsFor(a *model.Action, n *model.Node) model.ActionFlag {
	if a.Rsc == nil {
		return a.Flags
	}
	f := Flags(a, nil)
	if n == nil || !a.Rsc.IsClone() {
		return f
	}
	runnable := f & model.Runnable
	return Flags(a, n) | runnable
}

// completion returns the action that tells that a is done: for a collective not the
// action itself but the point after it (action_for_ordering).
func completion(a *model.Action) *model.Action {
	r := a.Rsc
	if r.Variant == model.Primitive || strings.Contains(a.Key, "notify") {
		return a
	}
	id, task, ms, ok := model.SplitKey(a.Key)
	if !ok || ms > 0 {
		return a
	}
	done := ""
	switch task {
	case model.Stop, model.StoppedTask:
		done = model.StoppedTask
	case model.Start, model.Running:
		done = model.Running
	case model.NotifyTask, model.Notified:
		done = model.Notified
	case model.Promote, model.PromotedTask:
		done = model.PromotedTask
	case model.Demote, model.Demoted:
		done = model.Demoted
	default:
		return a
	}
	key := model.Key(id, done, 0)
	if r.Is(model.Notify) && (r.Parent == nil || (r.IsClone() && r.Parent.Variant == model.Bundle)) {
		key = model.NotifyKey(id, "confirmed-post", done)
	}
	if found := r.First(key, "", nil); found != nil {
		return found
	}
	return a
}

// applyEdge lets one order take effect (update_action_for_ordering_flags).
func applyEdge(e *model.Edge, first, then *model.Action, ff, tf model.ActionFlag) changed {
	var ch changed
	n := then.Node
	if e.Type&model.ImpliesThenOnNode != 0 {
		e.Type = e.Type&^model.ImpliesThenOnNode | model.ImpliesThen
		n = first.Node
	}
	if e.Type&model.ImpliesThen != 0 {
		if then.Rsc != nil {
			ch |= updateThen(first, then, n, ff&model.Optional, model.Optional, model.ImpliesThen)
		} else if ff&model.Optional == 0 && then.Is(model.Optional) {
			then.Clear(model.Optional)
			ch |= changedThen
		}
	}
	if e.Type&model.OrderRestart != 0 && then.Rsc != nil {
		ch |= updateThen(first, then, n, ff, model.Optional|model.Runnable, model.OrderRestart)
	}
	if e.Type&model.ImpliesFirst != 0 {
		if first.Rsc != nil {
			ch |= updateFor(first.Rsc, first, then, n, ff, model.Optional, model.ImpliesFirst)
		} else if ff&model.Optional == 0 && first.Is(model.Runnable) {
			first.Clear(model.Runnable)
			ch |= changedFirst
		}
	}
	if e.Type&model.PromotedImpliesFirst != 0 && then.Rsc != nil {
		ch |= updateThen(first, then, n, ff&model.Optional, model.Optional, model.PromotedImpliesFirst)
	}
	ch |= applyRunnable(e, first, then, n, ff)
	for _, t := range [...]struct {
		order  model.Order
		filter model.ActionFlag
	}{{model.ImpliesFirstMigratable, model.Optional}, {model.PseudoLeft, model.Optional}, {model.OrderOptional, model.Runnable},
		{model.Asymmetrical, model.Runnable}} {
		if e.Type&t.order != 0 && then.Rsc != nil {
			ch |= updateThen(first, then, n, ff, t.filter, t.order)
		}
	}
	if first.Is(model.Runnable) && e.Type&model.ImpliesThenPrinted != 0 && ff&model.Optional == 0 {
		then.Set(model.PrintAlways)
	}
	if e.Type&model.ImpliesFirstPrinted != 0 && tf&model.Optional == 0 {
		first.Set(model.PrintAlways)
	}
	if e.Type&(model.ImpliesThen|model.ImpliesFirst|model.OrderRestart) != 0 && blockedStop(first) && then.Is(model.Runnable) {
		then.Clear(model.Runnable)
		ch |= changedThen
	}
	return ch
}

// blockedStop says whether a is a stop that a block makes impossible.
func blockedStop(a *model.Action) bool {
	return a.Rsc != nil && !a.Rsc.Is(model.Managed) && a.Rsc.Is(model.Block) && !a.Is(model.Runnable) && a.Task == model.Stop
}

// applyRunnable lets the orders take effect that hand on whether something can be done.
func applyRunnable(e *model.Edge, first, then *model.Action, n *model.Node, ff model.ActionFlag) changed {
	var ch changed
	if e.Type&model.OneOrMore != 0 {
		if then.Rsc != nil {
			ch |= updateThen(first, then, n, ff, model.Runnable, model.OneOrMore)
		} else if ff&model.Runnable != 0 {
			then.RunnableBefore++
			if then.RunnableBefore >= then.RequiredRunnable && !then.Is(model.Runnable) {
				then.Set(model.Runnable)
				ch |= changedThen
			}
		}
	}
	if e.Type&model.OrderProbe != 0 && then.Rsc != nil {
		if ff&model.Runnable == 0 && len(first.Rsc.RunningOn) > 0 {
			e.Type = 0
		} else {
			ch |= updateThen(first, then, n, ff, model.Runnable, model.RunnableLeft)
		}
	}
	if e.Type&model.RunnableLeft != 0 {
		if then.Rsc != nil {
			ch |= updateThen(first, then, n, ff, model.Runnable, model.RunnableLeft)
		} else if ff&model.Runnable == 0 && then.Is(model.Runnable) {
			then.Clear(model.Runnable)
			ch |= changedThen
		}
	}
	return ch
}

func updateThen(first, then *model.Action, n *model.Node, flags, filter model.ActionFlag, t model.Order) changed {
	return updateFor(then.Rsc, first, then, n, flags, filter, t)
}

// updateFor lets one kind of order take effect as the variant of r asks
// (cmds->update_ordered_actions).
func updateFor(r *model.Resource, first, then *model.Action, n *model.Node, flags, filter model.ActionFlag, t model.Order) changed {
	switch r.Variant {
	case model.Group:
		return updateGroup(first, then, n, flags, filter, t)
	case model.Clone, model.Bundle:
		return updateMulti(first, then, n, flags, filter, t)
	}
	return updatePair(first, then, flags, filter, t)
}

// updatePair is pcmk__update_ordered_actions.
func updatePair(first, then *model.Action, flags, filter model.ActionFlag, t model.Order) changed {
	tf, ff := then.Flags, first.Flags
	if t&model.Asymmetrical != 0 {
		asymmetric(first, then)
	}
	impliesFirst(first, then, flags, filter, t, tf, ff)
	if t&model.PseudoLeft != 0 && filter&model.Optional != 0 && !first.Is(model.Runnable) {
		clear(then, model.MigrateRunnable, first)
		then.Clear(model.Pseudo)
	}
	if t&model.RunnableLeft != 0 && filter&model.Runnable != 0 && then.Is(model.Runnable) && flags&model.Runnable == 0 {
		clear(then, model.Runnable, first)
		clear(then, model.MigrateRunnable, first)
	}
	if t&model.ImpliesThen != 0 && filter&model.Optional != 0 && then.Is(model.Optional) && flags&model.Optional == 0 && !first.Is(model.MigrateRunnable) {
		clear(then, model.Optional, first)
	}
	if t&model.OrderRestart != 0 {
		restart(first, then, filter)
	}
	var ch changed
	if tf != then.Flags {
		ch |= changedThen
		if then.Rsc != nil && then.Rsc.Parent != nil {
			update(then)
		}
	}
	if ff != first.Flags {
		ch |= changedFirst
	}
	return ch
}

// impliesFirst handles orders by which the second action makes the first required.
func impliesFirst(first, then *model.Action, flags, filter model.ActionFlag, t model.Order, tf, ff model.ActionFlag) {
	optional := filter&model.Optional != 0
	if t&model.ImpliesFirst != 0 && tf&model.Optional == 0 {
		if optional && flags&model.Optional == 0 && ff&model.Optional != 0 {
			clear(first, model.Optional, then)
		}
		if flags&model.MigrateRunnable != 0 && !then.Is(model.MigrateRunnable) {
			clear(first, model.MigrateRunnable, then)
		}
	}
	if t&model.PromotedImpliesFirst != 0 && then.Rsc != nil && then.Rsc.Role == model.Promoted && optional && !then.Is(model.Optional) {
		clear(first, model.Optional, then)
		if first.Is(model.MigrateRunnable) && !then.Is(model.MigrateRunnable) {
			clear(first, model.MigrateRunnable, then)
		}
	}
	if t&model.ImpliesFirstMigratable != 0 && optional {
		if !then.Is(model.MigrateRunnable | model.Runnable) {
			clear(first, model.Runnable, then)
		}
		if !then.Is(model.Optional) {
			clear(first, model.Optional, then)
		}
	}
}

// clear takes a flag from an action because of another and says so
// (clear_action_flag_because).
func clear(a *model.Action, f model.ActionFlag, because *model.Action) {
	if !a.Is(f) {
		return
	}
	a.Clear(f)
	if a.Rsc != because.Rsc {
		a.Because(reason(because, f), f == model.MigrateRunnable)
	}
}

func asymmetric(first, then *model.Action) {
	r := then.Rsc
	if r == nil {
		return
	}
	role := r.State(true)
	switch {
	case role == model.Stopped && then.Task == model.Stop:
		return
	case role >= model.Started && then.Is(model.Optional) && then.Node != nil && len(r.RunningOn) == 1 && then.Node == r.RunningOn[0] &&
		then.Task == model.Start:
		return
	}
	if !first.Is(model.Runnable) {
		clear(then, model.Optional, first)
		clear(then, model.Runnable, first)
	}
}

func restart(first, then *model.Action, filter model.ActionFlag) {
	up := filter&model.Optional != 0 && !then.Is(model.Optional)
	down := filter&model.Runnable != 0 && !then.Is(model.Runnable) && then.Rsc.Is(model.Managed) && first.Rsc == then.Rsc
	if !up && !down {
		return
	}
	if first.Is(model.Runnable) {
		clear(first, model.Optional, then)
	}
	if !then.Is(model.Optional) {
		clear(first, model.Optional, then)
	}
	if !then.Is(model.MigrateRunnable) {
		clear(first, model.MigrateRunnable, then)
	}
	if !first.Is(model.Optional) && !first.Is(model.Runnable) {
		clear(then, model.Runnable, first)
	}
}
