package action

import (
	"github.com/pacesync/pacesync/pengine/constraint"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// probes asks every node about every resource whose state there is not known
// (pcmk__schedule_probes).
func probes(c *model.Cluster) {
	for _, n := range c.Nodes {
		if !n.Online {
			if n.IsRemote() && n.RemoteRsc != nil && remoteState(n) == connFailed {
				plan.FenceNode(c, n, "the connection is unrecoverable", false)
			}
			continue
		}
		if n.Unclean || n.NoDiscovery {
			continue
		}
		if v, ok := n.Attrs["probe_complete"]; ok && !model.True(v) {
			a := plan.Action(c, plan.Spec{Key: "probe_again-" + n.Name, Task: "probe_again", Node: n, Required: true})
			plan.AddMeta(a, "op_no_wait", "true")
			continue
		}
		for _, r := range c.Resources {
			probe(r, n)
		}
	}
}

// probe schedules the probes of r on n; it says whether there is any
// (cmds->create_probe).
func probe(r *model.Resource, n *model.Node) bool {
	switch r.Variant {
	case model.Clone:
		return probeClone(r, n)
	case model.Bundle:
		return probeBundle(r, n)
	}
	c := r.Cluster
	if !c.Opt.StartupProbes {
		return false
	}
	if n.Kind == model.Remote && (r.Class == "stonith" || (n.IsGuest() && plan.GuestIn(r) != nil) || r.IsRemoteConn) {
		return false
	}
	if len(r.Children) > 0 {
		any := false
		for _, k := range r.Children {
			any = probe(k, n) || any
		}
		return any
	}
	if (r.Container != nil && !r.IsRemoteConn) || r.Is(model.Orphan) || r.Known.Has(n) {
		return false
	}
	top := r.Top()
	w := r.Allowed.Get(n)
	if (r.ExclusiveDiscover || top.ExclusiveDiscover) && (w == nil || w.Discover != model.DiscoverExclusive) {
		return false
	}
	mode := n.Discover
	if w != nil {
		mode = w.Discover
	}
	if mode == model.DiscoverNever || (n.IsGuest() && !probeGuest(r, top, n)) {
		return false
	}
	probePrimitive(r, top, n)
	return true
}

// probeGuest says whether a guest node is there to be asked; if not it orders what
// has to come first.
func probeGuest(r, top *model.Resource, n *model.Node) bool {
	k := n.RemoteRsc.Container
	if k.Role == model.Stopped {
		if k.Assigned != nil && !k.Known.Has(k.Assigned) {
			constraint.OrderTasks(k, model.Monitor, top, model.Start, model.OrderOptional)
		}
		return false
	}
	if n.RequiresReset || n.Unclean || k.Is(model.Failed) || k.NextRole == model.Stopped ||
		(k.Role > model.Stopped && k.Assigned != nil && !k.RunsOn(k.Assigned)) {
		constraint.OrderTasks(k, model.Stop, top, model.Start, model.OrderOptional)
		return false
	}
	return true
}

func probePrimitive(r, top *model.Resource, n *model.Node) {
	c := r.Cluster
	a := plan.Action(c, plan.Spec{Rsc: r, Task: model.Monitor, Node: n, Required: true})
	a.Clear(model.Optional)
	vsUnfence(r, n, a, model.OrderOptional)
	if !r.RunsOn(n) {
		plan.Expect(a, model.RCNotRunning)
	} else if r.Role == model.Promoted {
		plan.Expect(a, model.RCPromoted)
	}
	if (r.Is(model.FenceDevice) && c.Opt.EnableUnfencing) || !top.IsClone() {
		top = r
	}
	t := model.OrderOptional
	if !a.Is(model.Runnable) && len(r.RunningOn) == 0 {
		t |= model.RunnableLeft
	}
	constraint.Order(c, model.Ordering{First: a, ThenRsc: top, ThenKey: model.Key(top.ID, model.Start, 0), Type: t})
	constraint.Order(c, model.Ordering{First: a, ThenRsc: top, ThenKey: model.Key(r.ID, model.ReloadTask, 0), Type: model.OrderOptional})
}

// probeClone is clone_create_probe.
func probeClone(r *model.Resource, n *model.Node) bool {
	model.MergeSort(r.Children, model.CompareInstances)
	if len(r.Children) == 0 {
		return false
	}
	if r.ExclusiveDiscover {
		if w := r.Allowed.Get(n); w != nil && w.Discover != model.DiscoverExclusive {
			r.Allowed.Delete(n)
			return false
		}
	}
	if r.Is(model.Unique) {
		any := false
		for _, k := range r.Children {
			any = probe(k, n) || any
		}
		return any
	}
	for _, k := range r.Children {
		if knownOn(k, n) {
			return probe(k, n)
		}
	}
	for _, k := range r.Children {
		if k.Location(model.Planned) == n {
			return probe(k, n)
		}
	}
	return probe(r.Children[0], n)
}

func knownOn(r *model.Resource, n *model.Node) bool {
	for _, k := range r.Children {
		if knownOn(k, n) {
			return true
		}
	}
	return len(r.Children) == 0 && r.Known.Has(n)
}

// probeBundle is pcmk__bundle_create_probe.
func probeBundle(r *model.Resource, n *model.Node) bool {
	any := false
	for _, rep := range r.Bundle.Replicas {
		if rep.IP != nil {
			any = probe(rep.IP, n) || any
		}
		if rep.Child != nil && rep.Node == n {
			any = probe(rep.Child, n) || any
		}
		if probe(rep.Container, n) {
			any = true
			for _, other := range r.Bundle.Replicas {
				if other != rep && r.Bundle.PerHost == 1 {
					constraint.OrderTasks(rep.Container, model.Monitor, other.Container, model.Start, model.OrderOptional|model.SameNode)
				}
			}
		}
		if rep.Remote != nil && probe(rep.Remote, n) {
			if p := rep.Remote.First(model.Key(rep.Remote.ID, model.Monitor, 0), "", n); p != nil {
				any = true
				constraint.Order(r.Cluster, model.Ordering{FirstRsc: rep.Container, FirstKey: model.Key(rep.Container.ID, model.Start, 0),
					ThenRsc: rep.Remote, Then: p, Type: model.OrderProbe})
			}
		}
	}
	return any
}
