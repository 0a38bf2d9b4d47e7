package action

import (
	"github.com/pacesync/pacesync/pengine/constraint"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// conn is the state of the connection to a remote node.
type conn uint8

const (
	connUnknown conn = iota
	connAlive
	connResting
	connFailed
	connStopped
)

// remoteState says what becomes of the connection to a remote node
// (get_remote_node_state).
func remoteState(n *model.Node) conn {
	r := n.RemoteRsc
	host := r.Current()
	if r.NextRole == model.Stopped || r.Assigned == nil {
		switch {
		case host != nil && host.Unclean:
			return connFailed
		case !r.Is(model.Failed):
			return connStopped
		case r.NextRole == model.Stopped && r.ReconnectMS != 0 && n.WasFenced && !n.ShutdownRequested():
			return connUnknown
		}
		return connFailed
	}
	switch {
	case host == nil:
		return connUnknown
	case host.Unclean || !host.Online:
		return connResting
	case len(r.RunningOn) > 1 && r.PartialSource != nil && r.PartialTarget != nil:
		return connResting
	}
	return connAlive
}

// OrderRemote orders actions on remote and guest nodes against their connections
// (pcmk__order_remote_connection_actions).
func OrderRemote(c *model.Cluster) {
	if !c.HaveRemote {
		return
	}
	for i := len(c.Actions) - 1; i >= 0; i-- {
		a := c.Actions[i]
		if a.Rsc == nil {
			continue
		}
		if a.Rsc.IsRemoteConn && a.Task == model.ClearFailures {
			constraint.Order(c, model.Ordering{First: a, ThenRsc: a.Rsc, ThenKey: model.Key(a.Rsc.ID, model.Start, 0), Type: model.OrderOptional})
			continue
		}
		if a.Node == nil || a.Node.Kind != model.Remote || a.Is(model.Pseudo) || a.Node.RemoteRsc == nil {
			continue
		}
		remote := a.Node.RemoteRsc
		if a.Task == model.Start {
			for j := len(a.Rsc.Actions) - 1; j >= 0; j-- {
				if s := a.Rsc.Actions[j]; s.Node != a.Node && s.Task == model.Stop {
					constraint.Order(c, model.Ordering{FirstRsc: remote, FirstKey: model.Key(remote.ID, model.Start, 0), Then: s, Type: model.OrderOptional})
				}
			}
		}
		if remote.Container != nil {
			orderGuest(c, a)
		} else {
			orderRemote(c, a)
		}
	}
}

func afterStart(r *model.Resource, a *model.Action, t model.Order) {
	constraint.Order(r.Cluster, model.Ordering{FirstRsc: r, FirstKey: model.Key(r.ID, model.Start, 0), ThenRsc: a.Rsc, Then: a,
		Type: model.Preserve | model.RunnableLeft | t})
}

func beforeStop(a *model.Action, r *model.Resource, t model.Order) {
	constraint.Order(r.Cluster, model.Ordering{First: a, ThenRsc: r, ThenKey: model.Key(r.ID, model.Stop, 0), Type: model.Preserve | t})
}

// orderRemote is apply_remote_ordering.
func orderRemote(c *model.Cluster, a *model.Action) {
	r, state := a.Node.RemoteRsc, remoteState(a.Node)
	switch a.Task {
	case model.Start, model.Promote:
		t := model.Order(0)
		if state == connFailed {
			t = model.ImpliesThen
		}
		afterStart(r, a, t)
	case model.Stop, model.MigrateTo, model.MigrateFrom:
		switch {
		case state == connAlive:
			beforeStop(a, r, model.ImpliesFirst)
		case state == connFailed:
			plan.FenceNode(c, a.Node, "resources are active but connection is unrecoverable", false)
		case r.NextRole == model.Stopped:
			beforeStop(a, r, model.ImpliesFirst)
		default:
			afterStart(r, a, 0)
		}
	case model.Demote:
		if state == connResting || state == connUnknown {
			afterStart(r, a, 0)
		}
	default:
		if plan.Interval(a) > 0 {
			afterStart(r, a, model.ImpliesThen)
			return
		}
		if a.Task == model.Monitor && state == connFailed {
			plan.FenceNode(c, a.Node, "resources are in unknown state and connection is unrecoverable", false)
		}
		if r.Current() != nil && state == connStopped {
			beforeStop(a, r, model.RunnableLeft)
		} else {
			afterStart(r, a, 0)
		}
	}
}

// orderGuest is apply_container_ordering.
func orderGuest(c *model.Cluster, a *model.Action) {
	r := a.Node.RemoteRsc
	k := r.Container
	if k.Is(model.Failed) {
		plan.FenceNode(c, a.Node, "container failed", false)
	}
	switch a.Task {
	case model.Start, model.Promote:
		afterStart(k, a, model.ImpliesThen)
		afterStart(r, a, 0)
	case model.Stop, model.Demote, model.MigrateTo, model.MigrateFrom:
		if !k.Is(model.Failed) {
			beforeStop(a, r, 0)
		}
	default:
		if plan.Interval(a) == 0 {
			afterStart(r, a, 0)
		} else if known(a.Task) {
			afterStart(r, a, model.ImpliesThen)
		}
	}
}

// known says whether the original has a number for a task (text2task).
func known(task string) bool {
	switch task {
	case model.Stop, model.StoppedTask, model.Start, model.Running, model.Shutdown, model.Fence, model.Monitor, model.NotifyTask,
		model.Notified, model.Promote, model.Demote, model.PromotedTask, model.Demoted:
		return true
	}
	return false
}
