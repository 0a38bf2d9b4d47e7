package action

import (
	"slices"
	"strings"

	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// notifyPoints makes the points before and after an action of a clone at which its
// instances are notified, nil when they do not want it (pe__clone_notif_pseudo_ops).
func notifyPoints(r *model.Resource, task string, act, complete *model.Action) *model.NotifyData {
	if !r.Is(model.Notify) {
		return nil
	}
	d := &model.NotifyData{Action: task}
	if act != nil {
		d.Pre = notifyPoint(r, act, task, model.NotifyTask, "pre", "pre")
		d.Pre.Set(model.Runnable)
		d.PreDone = notifyPoint(r, act, task, model.Notified, "confirmed-pre", "pre")
		d.PreDone.Set(model.Runnable)
		model.Link(d.Pre, d.PreDone, model.OrderOptional)
		model.Link(d.PreDone, act, model.OrderOptional)
	}
	if complete != nil {
		d.Post = notifyPoint(r, complete, task, model.NotifyTask, "post", "post")
		d.PostDone = notifyPoint(r, complete, task, model.Notified, "confirmed-post", "post")
		for _, p := range []*model.Action{d.Post, d.PostDone} {
			p.Priority = model.Inf
			p.Clear(model.Runnable)
			if complete.Is(model.Runnable) {
				p.Set(model.Runnable)
			}
		}
		model.Link(complete, d.Post, model.ImpliesThen)
		model.Link(d.Post, d.PostDone, model.ImpliesThen)
	}
	if act != nil && complete != nil {
		model.Link(d.PreDone, d.Post, model.OrderOptional)
	}
	return d
}

func notifyPoint(r *model.Resource, a *model.Action, op, task, keyType, typ string) *model.Action {
	p := plan.Action(r.Cluster, plan.Spec{Rsc: r, Key: model.NotifyKey(r.ID, keyType, a.Task), Task: task, Required: !a.Is(model.Optional)})
	p.Set(model.Pseudo)
	plan.AddMeta(p, "notify_key_type", keyType)
	plan.AddMeta(p, "notify_key_operation", a.Task)
	plan.AddMeta(p, "notify_type", typ)
	plan.AddMeta(p, "notify_operation", op)
	return p
}

// Notifications makes the notify actions of a clone once it is known what happens
// (pe__create_notifications).
func Notifications(r *model.Resource, d *model.NotifyData) {
	if d == nil {
		return
	}
	collect(r, d, true)
	describeNotify(r, d)
	notifyInstances(r, d)
}

// notifyAfterFencing notifies the others of what stopped because its node was fenced
// (pe__order_notifs_after_fencing).
func notifyAfterFencing(stop *model.Action, r *model.Resource, f *model.Action) {
	d := notifyPoints(r, model.Stop, nil, f)
	if d == nil {
		return
	}
	collect(r, d, false)
	d.Keys = append(d.Keys, model.Pair{Name: "notify_stop_resource", Value: r.ID}, model.Pair{Name: "notify_stop_uname", Value: stop.Node.Name})
	notifyInstances(r.Top(), d)
}

// collect lists who is in which state and, with activity, what happens to whom
// (collect_resource_data).
func collect(r *model.Resource, d *model.NotifyData, activity bool) {
	if d.Allowed == nil {
		d.Allowed = &r.Allowed
	}
	if len(r.Children) > 0 {
		for _, k := range r.Children {
			collect(k, d, activity)
		}
		return
	}
	e := model.NotifyEntry{Rsc: r}
	if len(r.RunningOn) > 0 {
		e.Node = r.RunningOn[0]
	}
	switch r.Role {
	case model.Stopped:
		d.Inactive = append(d.Inactive, e)
	case model.Started:
		d.Active = append(d.Active, e)
	case model.Unpromoted:
		d.Unpromoted, d.Active = append(d.Unpromoted, e), append(d.Active, e)
	case model.Promoted:
		d.Promoted, d.Active = append(d.Promoted, e), append(d.Active, e)
	}
	if !activity {
		return
	}
	for i := len(r.Actions) - 1; i >= 0; i-- {
		a := r.Actions[i]
		if a.Is(model.Optional) || a.Node == nil || (!a.Is(model.Runnable) && (a.Task != model.Stop || !a.Node.Unclean)) {
			continue
		}
		e := model.NotifyEntry{Rsc: r, Node: a.Node}
		switch a.Task {
		case model.Start:
			d.Start = append(d.Start, e)
		case model.Stop:
			d.Stop = append(d.Stop, e)
		case model.Promote:
			d.Promote = append(d.Promote, e)
		case model.Demote:
			d.Demote = append(d.Demote, e)
		}
	}
}

// entries writes resources and nodes of a list, sorted; nodes only says that an entry
// without node does not count.
func entries(list []model.NotifyEntry, withNodes bool) (rscs, nodes string) {
	s := slices.Clone(list)
	slices.SortStableFunc(s, func(a, b model.NotifyEntry) int {
		if d := strings.Compare(a.Rsc.ID, b.Rsc.ID); d != 0 {
			return d
		}
		switch {
		case a.Node == nil && b.Node == nil:
			return 0
		case a.Node == nil:
			return 1
		case b.Node == nil:
			return -1
		}
		return strings.Compare(a.Node.ID, b.Node.ID)
	})
	var ids, names []string
	last := ""
	for _, e := range s {
		if (withNodes && e.Node == nil) || e.Rsc.ID == last {
			continue
		}
		last = e.Rsc.ID
		ids = append(ids, e.Rsc.ID)
		if withNodes {
			names = append(names, e.Node.Name)
		}
	}
	return words(ids), words(names)
}

func words(s []string) string {
	if len(s) == 0 {
		return " "
	}
	return strings.Join(s, " ")
}

// describeNotify puts into words what instances are told (add_notif_keys).
func describeNotify(r *model.Resource, d *model.NotifyData) {
	add := func(name, value string) { d.Keys = append(d.Keys, model.Pair{Name: name, Value: value}) }
	required := false
	for _, l := range []struct {
		name, task string
		list       []model.NotifyEntry
	}{{"stop", model.Stop, d.Stop}, {"start", model.Start, d.Start}, {"demote", model.Demote, d.Demote}, {"promote", model.Promote, d.Promote},
		{"active", "", d.Active}, {"unpromoted", "", d.Unpromoted}, {"slave", "", d.Unpromoted}, {"promoted", "", d.Promoted}, {"master", "", d.Promoted}} {
		rscs, nodes := entries(l.list, true)
		add("notify_"+l.name+"_resource", rscs)
		add("notify_"+l.name+"_uname", nodes)
		required = required || (len(l.list) > 0 && d.Action == l.task)
	}
	rscs, _ := entries(d.Inactive, false)
	add("notify_inactive_resource", rscs)
	c := r.Cluster
	var available, all, hosts []string
	for _, n := range c.Nodes {
		if d.Allowed.Get(n) != nil {
			available = append(available, n.Name)
		}
		all = append(all, n.Name)
		host := n
		if n.IsGuest() && len(n.RemoteRsc.Container.RunningOn) > 0 {
			host = n.RemoteRsc.Container.Current()
		}
		hosts = append(hosts, host.Name)
	}
	add("notify_available_uname", words(available))
	if r.Meta["container-attribute-target"] == "host" {
		add("notify_all_hosts", words(hosts))
	}
	add("notify_all_uname", words(all))
	if required {
		for _, p := range []*model.Action{d.Pre, d.PreDone, d.Post, d.PostDone} {
			if p != nil {
				p.Clear(model.Optional)
			}
		}
	}
}

func tell(a *model.Action, d *model.NotifyData) {
	for i := len(d.Keys) - 1; i >= 0; i-- {
		plan.AddMeta(a, d.Keys[i].Name, d.Keys[i].Value)
	}
}

// notifyInstances makes the notify actions of each instance (create_notify_actions).
func notifyInstances(r *model.Resource, d *model.NotifyData) {
	if len(r.Children) > 0 {
		for _, k := range r.Children {
			notifyInstances(k, d)
		}
		return
	}
	for _, a := range r.Actions {
		if !a.Is(model.Optional) && a.Node != nil {
			switch a.Task {
			case model.Start, model.Stop, model.Promote, model.Demote:
				tell(a, d)
			}
		}
	}
	switch d.Action {
	case model.Start:
		if len(d.Start) == 0 {
			return
		}
	case model.Promote:
		if len(d.Promote) == 0 {
			return
		}
	case model.Demote:
		if len(d.Demote) == 0 {
			return
		}
	}
	down := d.Action == model.Stop || d.Action == model.Demote
	if r.Role != model.Stopped && down {
		notifyDown(r, d)
	}
	if r.NextRole != model.Stopped && !down {
		notifyUp(r, d)
	}
}

func notifyDown(r *model.Resource, d *model.NotifyData) {
	stop := r.First("", model.Stop, nil)
	for _, n := range r.RunningOn {
		if stop != nil && stop.Is(model.Pseudo) && (n.Unclean || n.RequiresReset) {
			continue
		}
		notifyOn(r, n, d.Pre, d.PreDone, d)
		if d.Action == model.Demote || stop == nil || stop.Is(model.Optional) {
			notifyAfter(r, n, d)
		}
	}
}

func notifyUp(r *model.Resource, d *model.NotifyData) {
	start := r.First("", model.Start, nil)
	if start != nil && start.Node != nil && start.Node.RemoteRsc != nil {
		if rs := start.Node.RemoteRsc.First("", model.Start, nil); rs != nil && !rs.Is(model.Runnable) {
			return
		}
	}
	if r.Assigned == nil {
		return
	}
	if d.Action != model.Start || start == nil || start.Is(model.Optional) {
		notifyOn(r, r.Assigned, d.Pre, d.PreDone, d)
	}
	notifyAfter(r, r.Assigned, d)
}

// notifyOn notifies one instance between two points (new_notify_action).
func notifyOn(r *model.Resource, n *model.Node, op, done *model.Action, d *model.NotifyData) *model.Action {
	if op == nil || done == nil || !n.Online || !op.Is(model.Runnable) {
		return nil
	}
	a := plan.Action(r.Cluster, plan.Spec{Rsc: r, Key: model.NotifyKey(r.ID, op.Meta["notify_type"], op.Meta["notify_operation"]),
		Task: op.Task, Node: n, Required: !op.Is(model.Optional)})
	for k, v := range op.Meta {
		if _, have := a.Meta[k]; !have {
			a.Meta[k] = v
		}
	}
	tell(a, d)
	model.Link(op, a, model.OrderOptional)
	model.Link(a, done, model.OrderOptional)
	return a
}

// notifyAfter notifies one instance after the fact; its recurring operations wait
// (new_post_notify_action).
func notifyAfter(r *model.Resource, n *model.Node, d *model.NotifyData) {
	if a := notifyOn(r, n, d.Post, d.PostDone, d); a != nil {
		a.Priority = model.Inf
	}
	if d.PostDone == nil {
		return
	}
	for i := len(r.Actions) - 1; i >= 0; i-- {
		mon := r.Actions[i]
		if ms, ok := mon.Meta["interval"]; ok && ms != "0" && mon.Task != model.Cancel {
			model.Link(d.PostDone, mon, model.OrderOptional)
		}
	}
}
