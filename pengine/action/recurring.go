package action

import (
	"strconv"

	"github.com/pacesync/pacesync/pengine/constraint"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// recurringActions schedules the recurring operations of r
// (pcmk__create_recurring_actions).
func recurringActions(r *model.Resource) {
	if r.Is(model.Block) || r.Is(model.InMaintenance) {
		return
	}
	var up *model.Action
	if r.Assigned != nil && !r.Assigned.Maintenance && (r.NextRole != model.Stopped || !r.Is(model.Managed)) {
		up = plan.Start(r, r.Assigned, true)
	}
	for _, op := range r.Ops {
		role, ok := recurs(r, op)
		if !ok {
			continue
		}
		key := model.Key(r.ID, op.Name, op.IntervalMS)
		if role == model.Stopped {
			recurInactive(r, op, key)
		} else if up != nil {
			recurActive(r, up, op, role, key)
		}
	}
}

// recurs says whether an operation is a valid recurring one, and in which role
// (is_recurring_history).
func recurs(r *model.Resource, op *model.Op) (model.Role, bool) {
	if op.IntervalMS == 0 || op.ID == "" {
		return 0, false
	}
	switch op.Name {
	case model.Stop, model.Start, model.Demote, model.Promote, model.ReloadTask, model.MigrateTo, model.MigrateFrom:
		r.Cluster.Report(model.ConfigErr, "is_recurring_history", "Ignoring "+op.ID+" because "+op.Name+" action cannot be recurring")
		return 0, false
	}
	first := ""
	for _, o := range r.Ops {
		if o.Name != op.Name || o.IntervalMS != op.IntervalMS || o.ID == "" {
			continue
		}
		if first != "" {
			r.Cluster.Report(model.ConfigErr, "is_op_dup", "Operation "+o.ID+" is duplicate of "+first+
				" (do not use same name and interval combination more than once per resource)")
			return 0, false
		}
		first = o.ID
	}
	if plan.FindOp(r, model.Key(r.ID, op.Name, op.IntervalMS), false) == nil {
		return 0, false
	}
	role := r.Cluster.RoleAttr(op.Role, op.HasRole)
	if op.HasRole && role == model.Unknown {
		r.Cluster.Report(model.ConfigErr, "is_recurring_history", "Ignoring "+op.ID+" because "+op.Role+" is not a valid role")
	}
	return role, true
}

// recurActive schedules an operation where r will be active (recurring_op_for_active).
func recurActive(r *model.Resource, up *model.Action, op *model.Op, role model.Role, key string) {
	n, c := r.Assigned, r.Cluster
	optional := alreadyRuns(r, n, key, up)
	if (role != model.Unknown && r.NextRole != role) || (role == model.Unknown && r.NextRole == model.Promoted) {
		if optional {
			cancelForRole(r, op, n)
		}
		return
	}
	mon := plan.Action(c, plan.Spec{Rsc: r, Key: key, Task: op.Name, Node: n, Required: !optional})
	if !up.Is(model.Runnable) || !n.Online || n.Unclean {
		mon.Clear(model.Runnable)
	}
	if r.NextRole == model.Promoted {
		plan.Expect(mon, model.RCPromoted)
	}
	if !r.Is(model.Managed) {
		return
	}
	after := func(task string, t model.Order) {
		constraint.Order(c, model.Ordering{FirstRsc: r, FirstKey: model.Key(r.ID, task, 0), Then: mon, Type: t})
	}
	after(model.Start, model.ImpliesThen|model.RunnableLeft)
	after(model.ReloadTask, model.ImpliesThen|model.RunnableLeft)
	if r.NextRole == model.Promoted {
		after(model.Promote, model.OrderOptional|model.RunnableLeft)
	} else if r.Role == model.Promoted {
		after(model.Demote, model.OrderOptional|model.RunnableLeft)
	}
}

func alreadyRuns(r *model.Resource, n *model.Node, key string, up *model.Action) bool {
	if !up.Is(model.Optional) {
		return false
	}
	found := r.ActionsExactly(key, n)
	for _, a := range found {
		if a.Is(model.Reschedule) {
			return false
		}
	}
	return len(found) > 0
}

// cancelForRole cancels an operation that belongs to another role.
func cancelForRole(r *model.Resource, op *model.Op, n *model.Node) {
	a := newCancel(r, op.Name, op.IntervalMS, n)
	task := ""
	switch r.Role {
	case model.Unpromoted, model.Started:
		switch r.NextRole {
		case model.Promoted:
			task = model.Promote
		case model.Stopped:
			task = model.Stop
		}
	case model.Promoted:
		task = model.Demote
	}
	if task != "" {
		constraint.Order(r.Cluster, model.Ordering{First: a, ThenRsc: r, ThenKey: model.Key(r.ID, task, 0), Type: model.RunnableLeft})
	}
}

// recurInactive schedules an operation where r will not be active
// (recurring_op_for_inactive).
func recurInactive(r *model.Resource, op *model.Op, key string) {
	if !r.Is(model.Unique) {
		return
	}
	for _, n := range r.Cluster.Nodes {
		if n == r.Assigned {
			cancelIfRunning(r, op, key, n)
			continue
		}
		optional := len(r.ActionsExactly(key, n)) > 0
		mon := plan.Action(r.Cluster, plan.Spec{Rsc: r, Key: key, Task: op.Name, Node: n, Required: !optional})
		plan.Expect(mon, model.RCNotRunning)
		if r.Is(model.Managed) {
			for _, p := range r.ActionsFor(model.Key(r.ID, model.Monitor, 0), n) {
				model.Link(p, mon, model.RunnableLeft)
			}
		}
		afterStops(r, n, mon)
		if !n.Online || n.Unclean {
			mon.Clear(model.Runnable)
		}
	}
}

func cancelIfRunning(r *model.Resource, op *model.Op, key string, n *model.Node) {
	if len(r.ActionsExactly(key, n)) == 0 {
		return
	}
	a := newCancel(r, op.Name, op.IntervalMS, n)
	if r.NextRole == model.Started || r.NextRole == model.Unpromoted {
		constraint.Order(r.Cluster, model.Ordering{First: a, ThenRsc: r, ThenKey: model.Key(r.ID, model.Start, 0), Type: model.RunnableLeft})
	}
}

func afterStops(r *model.Resource, n *model.Node, mon *model.Action) {
	for _, s := range r.ActionsExactly(model.Key(r.ID, model.Stop, 0), n) {
		if !s.Is(model.Optional) && !mon.Is(model.Optional) && !r.Is(model.Managed) {
			mon.Set(model.Optional)
		}
		if !s.Is(model.Runnable) {
			mon.Clear(model.Runnable)
		}
		if r.Is(model.Managed) {
			constraint.Order(r.Cluster, model.Ordering{FirstRsc: r, FirstKey: model.Key(r.ID, model.Stop, 0), First: s, Then: mon,
				Type: model.ImpliesThen | model.RunnableLeft})
		}
	}
}

func newCancel(r *model.Resource, task string, ms uint32, n *model.Node) *model.Action {
	a := plan.Action(r.Cluster, plan.Spec{Rsc: r, Key: model.Key(r.ID, task, ms), Task: model.Cancel, Node: n, Required: true})
	a.Task, a.CancelTask = model.Cancel, task
	plan.AddMeta(a, "operation", task)
	plan.AddMeta(a, "interval", strconv.FormatUint(uint64(ms), 10))
	return a
}

// scheduleCancel ends a recurring operation that runs (pcmk__schedule_cancel).
func scheduleCancel(r *model.Resource, o *model.HistoryOp, n *model.Node) {
	a := newCancel(r, o.Task, o.IntervalMS, n)
	if o.HasCallID {
		plan.AddMeta(a, "call-id", strconv.Itoa(o.CallID))
	}
	constraint.Order(r.Cluster, model.Ordering{FirstRsc: r, FirstKey: model.Key(r.ID, model.Stop, 0), ThenRsc: r, Then: a, Type: model.OrderOptional})
}
