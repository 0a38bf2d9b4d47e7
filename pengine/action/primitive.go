package action

import (
	"github.com/pacesync/pacesync/pengine/constraint"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// step is what takes a resource from one role to the next.
type step uint8

const (
	nothing step = iota
	doStop
	doStart
	doPromote
	doDemote
	impossible
)

// nextRole returns the role on the way from one to another
// (rsc_state_matrix).
func nextRole(from, to model.Role) model.Role {
	const (
		u = model.Unknown
		s = model.Stopped
		r = model.Started
		d = model.Unpromoted
		p = model.Promoted
	)
	return [5][5]model.Role{
		u: {u, s, s, s, s},
		s: {s, s, r, d, d},
		r: {s, s, r, d, p},
		d: {s, s, s, d, p},
		p: {s, d, d, d, p},
	}[from][to]
}

// stepTo returns what brings a resource from one role to the adjacent one
// (rsc_action_matrix).
func stepTo(from, to model.Role) step {
	return [5][5]step{
		model.Unknown:    {impossible, doStop, impossible, impossible, impossible},
		model.Stopped:    {impossible, nothing, doStart, doStart, impossible},
		model.Started:    {impossible, doStop, nothing, nothing, doPromote},
		model.Unpromoted: {impossible, doStop, doStop, nothing, doPromote},
		model.Promoted:   {impossible, doDemote, doDemote, doDemote, nothing},
	}[from][to]
}

func take(s step, r *model.Resource, n *model.Node, optional bool) {
	switch s {
	case doStop:
		stop(r, optional)
	case doStart:
		start(r, n, optional)
	case doPromote:
		promote(r, n, optional)
	case doDemote:
		demote(r, optional)
	}
}

// createPrimitive schedules what one resource needs (pcmk__primitive_create_actions).
func createPrimitive(r *model.Resource) {
	if r.NextRole == model.Unknown {
		r.NextRole = model.Started
		if r.Assigned == nil {
			r.NextRole = model.Stopped
		}
	}
	current, all, clean := r.ActiveOn()
	for _, n := range r.Dangling {
		abortMigration(r, n)
	}
	moving := current != nil && r.Assigned != nil && current != r.Assigned && r.NextRole >= model.Started
	migrate := moving && canMigrate(r, current)
	needStop := moving
	multiple := false
	switch {
	case r.PartialSource != nil && r.PartialTarget != nil && migrate && all == 2 && current == r.PartialSource && r.Assigned == r.PartialTarget:
	case r.PartialSource != nil || r.PartialTarget != nil:
		needStop, migrate = true, false
		r.PartialSource, r.PartialTarget = nil, nil
	case r.Is(model.NeedsFencing):
		multiple = all > 1
	default:
		multiple = clean > 1
	}
	if multiple {
		reportMultiple(r, all)
		needStop = needStop || r.Recovery == model.RecoverStopStart || r.Recovery == model.RecoverStopUnexpected
		if r.Recovery == model.RecoverStopUnexpected {
			r.Set(model.StopUnexpected)
		}
	} else {
		r.Clear(model.StopUnexpected)
	}
	if r.Is(model.StartPending) {
		plan.Start(r, r.Assigned, true).Set(model.PrintAlways)
	}
	needPromote := false
	switch {
	case moving:
	case r.Is(model.Failed):
		if r.Is(model.StopOnFail) {
			needStop = true
		} else if r.NextRole == model.Promoted {
			needPromote = true
		}
	case r.Is(model.Block):
		needStop = true
	case r.Role > model.Started && current != nil && r.Assigned != nil:
		if !plan.Start(r, r.Assigned, true).Is(model.Optional) {
			needStop = true
		}
	}
	restart(r, current, needStop, needPromote)
	for role := r.Role; role != r.NextRole; {
		next := nextRole(role, r.NextRole)
		s := stepTo(role, next)
		if s == nothing {
			break
		}
		take(s, r, r.Assigned, false)
		role = next
	}
	recurringActions(r)
	if migrate {
		createMigration(r, current)
	}
}

// restart schedules, required or just in case, the way down and up again
// (schedule_restart_actions).
func restart(r *model.Resource, current *model.Node, needStop, needPromote bool) {
	r.Set(model.Restarting)
	role := r.Role
	for role != model.Stopped {
		next := nextRole(role, model.Stopped)
		s := stepTo(role, next)
		if s == nothing {
			break
		}
		take(s, r, current, !needStop)
		role = next
	}
	for r.Role <= r.NextRole && role != r.Role && !r.Is(model.Block) {
		next := nextRole(role, r.Role)
		required := needStop || (next == model.Promoted && needPromote)
		s := stepTo(role, next)
		if s == nothing {
			break
		}
		take(s, r, r.Assigned, !required)
		role = next
	}
	r.Clear(model.Restarting)
}

// expected says whether r is only stopped elsewhere while this node is where it should
// be (is_expected_node).
func expected(r *model.Resource, n *model.Node) bool {
	return r.Is(model.StopUnexpected|model.Restarting) && r.NextRole > model.Stopped && r.Assigned != nil && r.Assigned == n
}

func stop(r *model.Resource, optional bool) {
	for _, n := range r.RunningOn {
		if expected(r, n) {
			continue
		}
		if r.PartialTarget != nil {
			if n == r.PartialTarget && n == r.Assigned {
				continue
			}
			optional = false
		}
		a := plan.Stop(r, n, optional)
		if r.Assigned == nil {
			a.Because("node availability", true)
		} else if r.Is(model.Restarting | model.StopUnexpected) {
			a.Because("being multiply active", true)
		}
		if !r.Is(model.Managed) {
			a.Clear(model.Runnable)
		}
		if r.Cluster.Opt.RemoveAfterStop {
			cleanup(r, n, optional)
		}
		if r.Is(model.NeedsUnfencing) {
			u := plan.FenceOp(r.Cluster, n, plan.Fencing{Op: "on", Optional: true})
			model.Link(a, u, model.ImpliesFirst)
		}
	}
}

func start(r *model.Resource, n *model.Node, optional bool) {
	a := plan.Start(r, n, true)
	vsUnfence(r, n, a, model.ImpliesThen)
	if a.Is(model.Runnable) && !optional {
		a.Clear(model.Optional)
	}
	if expected(r, n) {
		a.Set(model.Pseudo)
	}
}

func promote(r *model.Resource, n *model.Node, optional bool) {
	runnable := true
	for _, a := range r.ActionsExactly(model.Key(r.ID, model.Start, 0), n) {
		runnable = runnable && a.Is(model.Runnable)
	}
	if !runnable {
		for _, a := range r.ActionsExactly(model.Key(r.ID, model.Promote, 0), n) {
			a.Clear(model.Runnable)
		}
		return
	}
	a := plan.Action(r.Cluster, plan.Spec{Rsc: r, Task: model.Promote, Node: n, Required: !optional})
	if expected(r, n) {
		a.Set(model.Pseudo)
	}
}

func demote(r *model.Resource, optional bool) {
	for _, n := range r.RunningOn {
		if !expected(r, n) {
			plan.Action(r.Cluster, plan.Spec{Rsc: r, Task: model.Demote, Node: n, Required: !optional})
		}
	}
}

// cleanup has the executor forget a resource between stop and start
// (pcmk__schedule_cleanup).
func cleanup(r *model.Resource, n *model.Node, optional bool) {
	if r.Is(model.Failed) || n.Unclean || !n.Online {
		return
	}
	t := model.OrderOptional
	if optional {
		t = model.ImpliesThen
	}
	plan.Action(r.Cluster, plan.Spec{Rsc: r, Task: model.Delete, Node: n, Required: !optional})
	constraint.OrderTasks(r, model.Stop, r, model.Delete, t)
	constraint.OrderTasks(r, model.Delete, r, model.Start, t)
}
