// Package action decides what has to be done so that resources come to where and
// what they were assigned: starts, stops, role changes, probes, monitors, fencing.
//
// pengine.Run calls CheckConfig before placement and Create and those after it. It
// replaces lib/pacemaker/pcmk_sched_{actions,primitive,group,clone,bundle,probes,
// recurring,migration,fencing,remote}.c as far as they make actions, and
// lib/pengine/pe_notif.c.
package action

import (
	"slices"

	"github.com/pacesync/pacesync/pengine/constraint"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// Create schedules what resources need (schedule_resource_actions).
func Create(c *model.Cluster) {
	for i := len(c.ParamChecks) - 1; i >= 0; i-- {
		checkParams(&c.ParamChecks[i])
	}
	c.ParamChecks = nil
	if c.Opt.StartupProbes {
		probes(c)
	}
	if c.Opt.StopOrphanResources {
		for _, r := range c.Resources {
			forgetOrphan(r)
		}
	}
	for _, r := range c.Resources {
		create(r)
	}
}

func checkParams(p *model.ParamCheck) {
	if !p.LastFailure {
		if checkOp(p.Rsc, p.Node, p.Op) {
			forgetFailures(p.Rsc, p.Node, "action definition changed")
		}
		return
	}
	switch plan.CompareDigest(p.Rsc, p.Op, p.Node).Result {
	case model.DigestUnknown, model.DigestMatch:
	default:
		plan.ClearFailures(p.Rsc, p.Node, "resource parameters have changed")
	}
}

func forgetFailures(r *model.Resource, n *model.Node, why string) {
	if k, _ := plan.Failures(n, r, plan.Effective, nil); k != 0 {
		plan.ClearFailures(r, n, why)
	}
}

func forgetOrphan(r *model.Resource) {
	if !r.Is(model.Orphan) {
		return
	}
	for _, n := range r.Cluster.Nodes {
		if k, _ := plan.Failures(n, r, plan.Effective, nil); !n.Online || k == 0 {
			continue
		}
		a := plan.ClearFailures(r, n, "it is orphaned")
		constraint.Order(r.Cluster, model.Ordering{First: a, ThenRsc: r, ThenKey: model.Key(r.ID, model.Stop, 0), Type: model.OrderOptional})
	}
}

func create(r *model.Resource) {
	switch r.Variant {
	case model.Group:
		createGroup(r)
	case model.Clone:
		createClone(r)
	case model.Bundle:
		createBundle(r)
	default:
		createPrimitive(r)
	}
}

func createGroup(r *model.Resource) {
	for _, k := range r.Children {
		create(k)
	}
	tasks := []string{model.Start, model.Running, model.Stop, model.StoppedTask}
	if model.True(r.Meta["promotable"]) {
		tasks = append(tasks, model.Demote, model.Demoted, model.Promote, model.PromotedTask)
	}
	for _, t := range tasks {
		plan.Action(r.Cluster, plan.Spec{Rsc: r, Task: t}).Set(model.Pseudo | model.Runnable)
	}
}

func createClone(r *model.Resource) {
	k := r.Clone
	pseudoForInstances(r, slices.Clone(r.Children), &k.StartNotify, &k.StopNotify)
	orderInstances(r)
	if r.Is(model.Promotable) {
		promoting, demoting := false, false
		for _, inst := range r.Children {
			create(inst)
			roleChanges(inst, &demoting, &promoting)
		}
		pseudoForRoles(r, promoting, demoting)
		for _, inst := range r.Children {
			inst.Priority = r.Priority
		}
	}
}

// pseudoForInstances makes the points of a clone or bundle around the starts and
// stops of its instances (clone_create_pseudo_actions).
func pseudoForInstances(r *model.Resource, instances []*model.Resource, startNotify, stopNotify **model.NotifyData) {
	active, starting, stopping, migratable := false, false, false, true
	for _, k := range instances {
		create(k)
		var up, down bool
		activity(k, &down, &up, &active)
		if up && down {
			migratable = false
		}
		starting, stopping = starting || up, stopping || down
	}
	start := plan.PseudoFor(r, model.Start, !starting, true)
	running := plan.PseudoFor(r, model.Running, !starting, false)
	running.Priority = model.Inf
	if active || starting {
		running.Set(model.Runnable)
	}
	if startNotify != nil && *startNotify == nil {
		*startNotify = notifyPoints(r, model.Start, start, running)
	}
	stop := plan.PseudoFor(r, model.Stop, !stopping, true)
	stopped := plan.PseudoFor(r, model.StoppedTask, !stopping, true)
	stopped.Priority = model.Inf
	if migratable {
		stop.Set(model.MigrateRunnable)
	}
	if stopNotify != nil && *stopNotify == nil {
		*stopNotify = notifyPoints(r, model.Stop, stop, stopped)
		if *startNotify != nil && *stopNotify != nil {
			model.Link((*stopNotify).PostDone, (*startNotify).Pre, model.OrderOptional)
		}
	}
}

// activity notes whether an instance is active, starts or stops
// (clone_update_pseudo_status).
func activity(r *model.Resource, stopping, starting, active *bool) {
	if len(r.Children) > 0 {
		for _, k := range r.Children {
			activity(k, stopping, starting, active)
		}
		return
	}
	*active = *active || len(r.RunningOn) > 0
	for _, a := range r.Actions {
		if a.Is(model.Optional) || a.Flags&(model.Pseudo|model.Runnable) == 0 {
			continue
		}
		switch a.Task {
		case model.Stop:
			*stopping = true
		case model.Start:
			*starting = *starting || a.Is(model.Runnable)
		}
	}
}

func roleChanges(r *model.Resource, demoting, promoting *bool) {
	for _, k := range r.Children {
		roleChanges(k, demoting, promoting)
	}
	if len(r.Children) > 0 {
		return
	}
	for _, a := range r.Actions {
		if !a.Is(model.Optional) {
			*demoting = *demoting || a.Task == model.Demote
			*promoting = *promoting || a.Task == model.Promote
		}
	}
}

// orderInstances makes the instances of an ordered clone start and stop one after
// another (child_ordering_constraints).
func orderInstances(r *model.Resource) {
	if !r.Clone.Ordered {
		return
	}
	model.MergeSort(r.Children, model.CompareInstances)
	var lastStop, lastStart *model.Action
	for _, k := range r.Children {
		if a := onlyRequired(k, model.Stop); a != nil {
			model.Link(a, lastStop, model.OrderOptional)
			lastStop = a
		}
		if a := onlyRequired(k, model.Start); a != nil {
			model.Link(lastStart, a, model.OrderOptional)
			lastStart = a
		}
	}
}

// onlyRequired returns the one required action of that task, nil when there is none or
// several.
func onlyRequired(r *model.Resource, task string) *model.Action {
	var found *model.Action
	for _, a := range r.ActionsFor(model.Key(r.ID, task, 0), nil) {
		if a.Is(model.Optional) {
			continue
		}
		if found != nil {
			return nil
		}
		found = a
	}
	return found
}

// pseudoForRoles makes the points of a promotable clone around promotions and
// demotions (pe__create_promotable_pseudo_ops).
func pseudoForRoles(r *model.Resource, promoting, demoting bool) {
	k := r.Clone
	promote := plan.PseudoFor(r, model.Promote, !promoting, true)
	promoted := plan.PseudoFor(r, model.PromotedTask, !promoting, true)
	promoted.Priority = model.Inf
	if k.PromoteNotify == nil {
		k.PromoteNotify = notifyPoints(r, model.Promote, promote, promoted)
	}
	demote := plan.PseudoFor(r, model.Demote, !demoting, true)
	demoted := plan.PseudoFor(r, model.Demoted, !demoting, true)
	demoted.Priority = model.Inf
	if k.DemoteNotify != nil {
		return
	}
	k.DemoteNotify = notifyPoints(r, model.Demote, demote, demoted)
	if k.PromoteNotify == nil {
		return
	}
	model.Link(k.StopNotify.PostDone, k.PromoteNotify.Pre, model.OrderOptional)
	model.Link(k.StartNotify.PostDone, k.PromoteNotify.Pre, model.OrderOptional)
	model.Link(k.DemoteNotify.PostDone, k.PromoteNotify.Pre, model.OrderOptional)
	model.Link(k.DemoteNotify.PostDone, k.StartNotify.Pre, model.OrderOptional)
	model.Link(k.DemoteNotify.PostDone, k.StopNotify.Pre, model.OrderOptional)
}

func createBundle(r *model.Resource) {
	var containers []*model.Resource
	for _, rep := range r.Bundle.Replicas {
		containers = append(containers, rep.Container)
		for _, k := range []*model.Resource{rep.IP, rep.Container, rep.Remote} {
			if k != nil {
				create(k)
			}
		}
	}
	pseudoForInstances(r, containers, nil, nil)
	child := r.Bundle.Child
	if child == nil {
		return
	}
	create(child)
	if !child.Is(model.Promotable) {
		return
	}
	plan.PseudoFor(r, model.Promote, true, true)
	plan.PseudoFor(r, model.PromotedTask, true, true).Priority = model.Inf
	plan.PseudoFor(r, model.Demote, true, true)
	plan.PseudoFor(r, model.Demoted, true, true).Priority = model.Inf
}
