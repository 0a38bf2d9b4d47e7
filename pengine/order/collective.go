package order

import (
	"strings"

	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/place"
	"github.com/pacesync/pacesync/pengine/plan"
)

func reason(a *model.Action, f model.ActionFlag) string { return plan.Reason(a, f) }

// Flags returns the flags of an action as they follow from the actions of what a
// collective is made of, and updates it (cmds->action_flags).
func Flags(a *model.Action, n *model.Node) model.ActionFlag {
	switch a.Rsc.Variant {
	case model.Group:
		return groupFlags(a, n)
	case model.Clone:
		return summary(a, a.Rsc.Children, n)
	case model.Bundle:
		return bundleFlags(a, n)
	}
	return a.Flags
}

// atomic returns the task of a resource that a task of its collective means
// (get_complex_task); empty for those without number.
func atomic(r *model.Resource, task string) string {
	if r.Variant == model.Primitive {
		switch task {
		case model.StoppedTask:
			return model.Stop
		case model.Running:
			return model.Start
		case model.Demoted:
			return model.Demote
		case model.PromotedTask:
			return model.Promote
		}
	}
	switch task {
	case model.Stop, model.StoppedTask, model.Start, model.Running, model.Monitor, model.NotifyTask, model.Notified, model.Promote,
		model.PromotedTask, model.Demote, model.Demoted, model.Shutdown, model.Fence:
		return task
	}
	return "no_action"
}

func groupFlags(a *model.Action, n *model.Node) model.ActionFlag {
	f := model.Optional | model.Runnable | model.Pseudo
	for _, k := range a.Rsc.Children {
		task := atomic(k, a.Task)
		ka := k.First("", task, n)
		if ka == nil {
			if task != model.Stop && task != model.Demote {
				f &^= model.Runnable
			}
			continue
		}
		kf := Flags(ka, n)
		if f&model.Optional != 0 && kf&model.Optional == 0 {
			f &^= model.Optional
			a.Clear(model.Optional)
		}
		if task != a.Task && f&model.Runnable != 0 && kf&model.Runnable == 0 {
			f &^= model.Runnable
			a.Clear(model.Runnable)
		}
	}
	return f
}

// instanceTask is the task of instances that an action of a clone means
// (clone_child_action).
func instanceTask(a *model.Action) string {
	k := a.Rsc.Children[0]
	if a.Task == model.NotifyTask || a.Task == model.Notified {
		i := strings.LastIndexByte(a.Key, '_')
		if i > 0 {
			if j := strings.LastIndexByte(a.Key[:i], '_'); j >= 0 {
				return atomic(k, a.Key[j+1:i])
			}
		}
	}
	return atomic(k, a.Task)
}

// summary derives the flags of an action of a clone from its instances
// (summary_action_flags).
func summary(a *model.Action, instances []*model.Resource, n *model.Node) model.ActionFlag {
	f := model.Optional | model.Runnable | model.Pseudo
	runnable := false
	if len(a.Rsc.Children) == 0 {
		return f
	}
	task := instanceTask(a)
	for _, k := range instances {
		at := n
		if len(k.Children) > 0 {
			at = nil
		}
		ka := k.First("", task, at)
		if ka == nil {
			continue
		}
		kf := Flags(ka, n)
		if f&model.Optional != 0 && kf&model.Optional == 0 {
			f &^= model.Optional
			a.Clear(model.Optional)
		}
		runnable = runnable || kf&model.Runnable != 0
	}
	if !runnable {
		f &^= model.Runnable
		if n == nil {
			a.Clear(model.Runnable)
		}
	}
	return f
}

func bundleFlags(a *model.Action, n *model.Node) model.ActionFlag {
	if child := a.Rsc.Bundle.Child; child != nil {
		switch atomic(child, a.Task) {
		case "no_action", model.NotifyTask, model.Notified, model.Promote, model.PromotedTask, model.Demote, model.Demoted:
			return summary(a, child.Children, n)
		}
	}
	return summary(a, place.Instances(a.Rsc), n)
}

func updateGroup(first, then *model.Action, n *model.Node, flags, filter model.ActionFlag, t model.Order) changed {
	ch := updatePair(first, then, flags, filter, t)
	if then.Rsc == nil {
		return ch
	}
	for _, k := range then.Rsc.Children {
		if ka := k.First("", then.Task, n); ka != nil {
			ch |= updateFor(k, first, ka, n, flags, filter, t)
		}
	}
	return ch
}

// updateMulti is pcmk__multi_update_actions.
func updateMulti(first, then *model.Action, n *model.Node, flags, filter model.ActionFlag, t model.Order) changed {
	if interleaves(first, then) {
		return updateInterleaved(first, then, n, filter, t)
	}
	if then.Rsc == nil {
		return 0
	}
	ch := updatePair(first, then, flags, filter, t)
	for _, k := range place.Instances(then.Rsc) {
		ka := k.First("", then.Task, n)
		if ka == nil || Flags(ka, n)&model.Runnable == 0 {
			continue
		}
		kc := updateFor(k, first, ka, n, flags, filter, t)
		ch |= kc
		if kc&changedThen != 0 {
			for i := len(ka.After) - 1; i >= 0; i-- {
				update(ka.After[i].Then)
			}
		}
	}
	return ch
}

// interleaves says whether two collectives are ordered instance by instance
// (can_interleave_actions).
func interleaves(first, then *model.Action) bool {
	if first.Rsc == nil || then.Rsc == nil || first.Rsc == then.Rsc || first.Rsc.Variant < model.Clone || then.Rsc.Variant < model.Clone {
		return false
	}
	r := then.Rsc
	if strings.HasSuffix(then.Key, "_stop_0") || strings.HasSuffix(then.Key, "_demote_0") {
		r = first.Rsc
	}
	return model.True(r.Meta["interleave"])
}

// updateInterleaved orders the instances that share a node
// (multi_update_interleave_actions).
func updateInterleaved(first, then *model.Action, n *model.Node, filter model.ActionFlag, t model.Order) changed {
	var ch changed
	current := strings.HasSuffix(first.Key, "_stopped_0") || strings.HasSuffix(first.Key, "_demoted_0")
	for _, tk := range place.Instances(then.Rsc) {
		fk := place.Compatible(tk, first.Rsc, model.Unknown, current)
		if fk == nil {
			if !current && t&(model.RunnableLeft|model.ImpliesThen) != 0 && place.Unplace(tk) {
				tk.NoPartner = first.Rsc
				ch |= changedThen
			}
			continue
		}
		task := instanceTask(first)
		fa := fk.First("", task, n)
		if rep := replicaOf(first.Rsc, fk, n); strings.Contains(first.Task, "stop") && rep != nil {
			fa = rep.Child.First("", task, n)
		}
		ta := tk.First("", then.Task, n)
		if rep := replicaOf(then.Rsc, tk, n); strings.Contains(then.Task, "mote") && rep != nil {
			ta = rep.Child.First("", then.Task, n)
		}
		if fa == nil || ta == nil {
			continue
		}
		if model.Link(fa, ta, t) {
			ch |= changedFirst | changedThen
		}
		ch |= updateFor(tk, fa, ta, n, Flags(fa, n), filter, t)
	}
	return ch
}

// replicaOf returns the replica of a container whose guest node is n
// (replica_for_container).
func replicaOf(r, container *model.Resource, n *model.Node) *model.Replica {
	if r.Bundle == nil || n == nil {
		return nil
	}
	for _, rep := range r.Bundle.Replicas {
		if rep.Child != nil && rep.Container == container && rep.Node == n {
			return rep
		}
	}
	return nil
}
