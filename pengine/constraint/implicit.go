package constraint

import (
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// Internal adds what follows from how resources are built
// (pcmk__create_internal_constraints).
func Internal(c *model.Cluster) {
	for _, r := range c.Resources {
		internal(r)
	}
}

func internal(r *model.Resource) {
	switch r.Variant {
	case model.Group:
		group(r)
	case model.Clone:
		clone(r)
	case model.Bundle:
		bundle(r)
	default:
		primitive(r)
	}
}

// primitive orders the actions of a resource among themselves and against what it
// lives in (pcmk__primitive_internal_constraints).
func primitive(r *model.Resource) {
	if !r.Is(model.Managed) {
		return
	}
	c := r.Cluster
	OrderTasks(r, model.Stop, r, model.Start, model.OrderOptional|model.ImpliesThen|model.OrderRestart)
	if r.Top().Is(model.Promotable) || r.Role > model.Unpromoted {
		OrderTasks(r, model.Demote, r, model.Stop, model.PromotedImpliesFirst)
		OrderTasks(r, model.Start, r, model.Promote, model.RunnableLeft)
	}
	OrderTasks(r, model.LRMDelete, r, model.Monitor, model.SameNode|model.ThenCancelsFirst)
	var allowed []*model.Node
	for _, n := range c.Nodes {
		if r.Allowed.Get(n) != nil {
			allowed = append(allowed, n)
		}
	}
	if !r.Is(model.FenceDevice) && c.Opt.EnableUnfencing && r.Is(model.NeedsUnfencing) {
		for _, n := range allowed {
			restartVsUnfence(r, n)
		}
	}
	if len(r.Utilization) > 0 && c.Opt.Strategy != "default" {
		utilization(r, allowed)
	}
	if r.Container != nil {
		inContainer(r)
	}
	if r.IsRemoteConn || r.Is(model.FenceDevice) {
		avoidRemotes(r)
	}
}

func restartVsUnfence(r *model.Resource, n *model.Node) {
	u := plan.FenceOp(r.Cluster, n, plan.Fencing{Op: "on", Optional: true})
	Order(r.Cluster, model.Ordering{FirstRsc: r, FirstKey: model.Key(r.ID, model.Stop, 0), Then: u, Type: model.OrderOptional | model.SameNode})
	Order(r.Cluster, model.Ordering{First: u, ThenRsc: r, ThenKey: model.Key(r.ID, model.Start, 0), Type: model.ImpliesThenOnNode | model.SameNode})
}

// utilization makes starts wait until what leaves a node has left
// (pcmk__create_utilization_constraints).
func utilization(r *model.Resource, allowed []*model.Node) {
	c := r.Cluster
	for _, n := range r.RunningOn {
		Order(c, model.Ordering{FirstRsc: r, FirstKey: model.Key(r.ID, model.Stop, 0), Then: loadStopped(c, n), Type: model.OrderLoad})
	}
	for _, n := range allowed {
		ls := loadStopped(c, n)
		Order(c, model.Ordering{First: ls, ThenRsc: r, ThenKey: model.Key(r.ID, model.Start, 0), Type: model.OrderLoad})
		Order(c, model.Ordering{First: ls, ThenRsc: r, ThenKey: model.Key(r.ID, model.MigrateTo, 0), Type: model.OrderLoad})
	}
}

func loadStopped(c *model.Cluster, n *model.Node) *model.Action {
	a := plan.PseudoOp(c, "load_stopped_"+n.Name)
	if a.Node == nil {
		a.Node = n
		a.Clear(model.Optional)
	}
	return a
}

func avoidRemotes(r *model.Resource) {
	for w := range r.Allowed.All {
		if w.RemoteRsc != nil {
			r.Ban(w, model.Why{Cause: model.CauseRemote})
		}
	}
}

// inContainer ties a resource to the one that it lives in.
func inContainer(r *model.Resource) {
	k := r.Container
	var remote *model.Resource
	switch {
	case r.IsRemoteConn:
		if !r.Is(model.AllowRemoteRemotes) {
			avoidRemotes(k)
		}
		OrderTasks(k, model.Monitor, r, model.Stop, model.OrderOptional)
	case k.IsRemoteConn:
		remote = k
	default:
		remote = plan.GuestIn(k)
	}
	if remote != nil {
		for w := range r.Allowed.All {
			if w.RemoteRsc != remote {
				r.Ban(w, model.Why{Cause: model.CauseContainer})
			}
		}
		return
	}
	OrderTasks(k, model.Start, r, model.Start, model.ImpliesThen|model.RunnableLeft)
	OrderTasks(r, model.Stop, k, model.Stop, model.ImpliesFirst)
	s := model.Inf
	if r.Is(model.AllowRemoteRemotes) {
		s = score.Score(10000)
	}
	Colocate(r.Cluster, model.Colocation{ID: "resource-with-container", Score: s, Dependent: r, Primary: k, Influence: true})
}
