package action

import (
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/pengine/constraint"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
	"github.com/pacesync/pacesync/pengine/unpack"
)

// CheckConfig compares what runs with what is configured and schedules restarts,
// reloads and cancellations where they differ (pcmk__handle_rsc_config_changes).
func CheckConfig(c *model.Cluster) {
	for _, n := range c.Nodes {
		if !n.Maintenance && !n.Usable() {
			continue
		}
		for _, h := range c.Histories[n.Name] {
			if len(h.Ops) == 0 {
				continue
			}
			for _, r := range c.Matching(h.ID) {
				if r.Variant == model.Primitive {
					checkHistory(h, r, n)
				}
			}
		}
	}
}

// checkHistory looks at what was recorded about r on a node (process_rsc_history).
func checkHistory(h *model.History, r *model.Resource, n *model.Node) {
	if r.Is(model.Orphan) {
		if !r.Top().IsAnonClone() {
			cleanup(r, n, false)
		}
		return
	}
	active := r.RunsOn(n)
	if agentChanged(h, r, n, active) {
		cleanup(r, n, false)
	}
	if !active {
		return
	}
	ops := unpack.SortedOps(h)
	start, stop := unpack.ActiveOps(ops)
	if start < stop {
		return
	}
	for i, o := range ops {
		if i < start {
			continue
		}
		switch {
		case o.IntervalMS > 0 && (r.Is(model.InMaintenance) || n.Maintenance):
			scheduleCancel(r, o, n)
			continue
		case o.IntervalMS > 0:
		case o.Task == model.Monitor, o.Task == model.Start, o.Task == model.Promote, o.Task == model.MigrateFrom:
		default:
			continue
		}
		if plan.NeedsAddr(r) {
			r.Cluster.ParamChecks = append(r.Cluster.ParamChecks, model.ParamCheck{Op: o, Rsc: r, Node: n})
		} else if checkOp(r, n, o) {
			forgetFailures(r, n, "action definition changed")
		}
	}
}

// agentChanged says whether another agent is configured than the one that runs
// (pcmk__rsc_agent_changed).
func agentChanged(h *model.History, r *model.Resource, n *model.Node, active bool) bool {
	changed := false
	for _, same := range []bool{r.Type == h.Type, r.Class == h.Class, r.Prov == h.Prov && r.HasProv == h.HasProv} {
		if !same {
			changed = true
			plan.Unfence(r.Cluster, r, n, "Device definition changed")
		}
	}
	if changed && active {
		plan.Stop(r, n, false)
		r.Set(model.StartPending)
	}
	return changed
}

// checkOp compares the parameters of one operation; it says whether they changed
// (pcmk__check_action_config).
func checkOp(r *model.Resource, n *model.Node, o *model.HistoryOp) bool {
	c := r.Cluster
	if o.IntervalMS > 0 && plan.FindOp(r, model.Key(r.ID, o.Task, o.IntervalMS), false) == nil {
		if c.Opt.StopOrphanActions {
			scheduleCancel(r, o, n)
		}
		return true
	}
	task := o.Task
	if o.IntervalMS == 0 && (task == model.Monitor || task == model.MigrateFrom || task == model.Promote) {
		task = model.Start
	}
	d := plan.CompareDigest(r, o, n)
	if c.Sanitized && d.Result != model.DigestMatch && o.SecureDigest != "" && d.Secure == o.SecureDigest {
		if c.Shown != nil {
			c.Shown.Info("Only 'private' parameters to " + iso8601.ReadableMS(int64(o.IntervalMS)) + "-interval " + task + " for " + r.ID + " on " + n.Name + " changed: " + o.TransitionMagic)
		}
		return false
	}
	switch d.Result {
	case model.DigestMatch:
		return false
	case model.DigestRestart:
		forceRestart(r, task, o.IntervalMS, n)
	case model.DigestAll, model.DigestUnknown:
		switch {
		case o.IntervalMS > 0:
			plan.Unfence(c, r, n, "Device parameters changed (reschedule)")
			plan.Action(c, plan.Spec{Rsc: r, Task: task, Interval: o.IntervalMS, Node: n}).Set(model.Reschedule)
		case o.HasRestartDigest:
			plan.Unfence(c, r, n, "Device parameters changed (reload)")
			reload(r, n)
		default:
			forceRestart(r, task, o.IntervalMS, n)
		}
	}
	return true
}

func forceRestart(r *model.Resource, task string, ms uint32, n *model.Node) {
	plan.Action(r.Cluster, plan.Spec{Rsc: r, Task: task, Interval: ms, Required: true}).Because("resource definition change", true)
	plan.Unfence(r.Cluster, r, n, "Device parameters changed")
}

// reload has an agent take over parameters without restart (schedule_reload).
func reload(r *model.Resource, n *model.Node) {
	if !r.Is(model.Managed) || r.Is(model.Failed) {
		return
	}
	if r.Is(model.StartPending) {
		plan.Stop(r, n, false)
		return
	}
	r.Set(model.Reload)
	a := plan.Action(r.Cluster, plan.Spec{Rsc: r, Task: model.ReloadTask, Node: n, Required: true})
	a.Because("resource definition change", false)
	for _, task := range []string{model.Stop, model.Demote} {
		constraint.Order(r.Cluster, model.Ordering{First: a, ThenRsc: r, ThenKey: model.Key(r.ID, task, 0),
			Type: model.OrderOptional | model.ThenCancelsFirst})
	}
}
