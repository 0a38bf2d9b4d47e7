// Package place decides where resources go: it adds up what nodes are worth for each
// and assigns, best first.
//
// pengine.Run calls Criteria and then All; order calls Unplace when an order makes
// a place impossible. It replaces lib/pacemaker/pcmk_sched_{allocate,nodes,
// primitive,group,clone,bundle,promotable,colocation,utilization,resource}.c as far
// as they choose nodes and roles.
package place

import (
	"strconv"

	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// Criteria applies what is known about nodes to all resources: locks, location
// constraints, stickiness, failures, exclusive discovery (apply_node_criteria).
func Criteria(c *model.Cluster) {
	if c.Opt.ShutdownLock {
		for _, r := range c.Resources {
			lock(r)
		}
	}
	for i := len(c.Locations) - 1; i >= 0; i-- {
		applyLocation(c.Locations[i].Rsc, c.Locations[i], false)
	}
	for _, r := range c.Resources {
		stick(r)
	}
	for _, n := range c.Nodes {
		for _, r := range c.Resources {
			banFailed(r, n)
			banUndiscovered(r, n)
		}
	}
}

// applyLocation adds the scores of a constraint to a resource and what is in it.
// zero adds nothing but the discovery mode.
func applyLocation(r *model.Resource, l *model.Location, zero bool) {
	applyHere(r, l, zero)
	switch r.Variant {
	case model.Group:
		for _, k := range r.Children {
			applyLocation(k, l, zero)
			zero = zero || r.GroupColocated
		}
	case model.Clone:
		for _, k := range r.Children {
			applyLocation(k, l, zero)
		}
	case model.Bundle:
		for _, rep := range r.Bundle.Replicas {
			applyLocation(rep.Container, l, zero)
			if rep.IP != nil {
				applyLocation(rep.IP, l, zero)
			}
		}
		if child := r.Bundle.Child; child != nil && (l.Role == model.Unpromoted || l.Role == model.Promoted) {
			applyLocation(child, l, zero)
			child.Locations = append(child.Locations, l)
		}
	}
}

func applyHere(r *model.Resource, l *model.Location, zero bool) {
	if l.Role > model.Unknown && l.Role != r.NextRole {
		return
	}
	for _, ns := range l.Nodes {
		s := ns.Score
		if zero {
			s = 0
		}
		w := r.Allowed.Get(ns.Node)
		if w == nil {
			w = r.Allowed.Put(model.Weighted{Node: ns.Node, Score: s, Discover: ns.Node.Discover})
		} else {
			w.Score = score.Add(w.Score, s)
		}
		if s != 0 {
			r.Explain(w, s, model.Why{Cause: l.Cause(), Location: l})
		}
		if w.Discover < l.Discover {
			if l.Discover == model.DiscoverExclusive {
				r.ExclusiveDiscover = true
			}
			w.Discover = l.Discover
		}
	}
}

// stick keeps active resources where they are (apply_stickiness).
func stick(r *model.Resource) {
	if len(r.Children) > 0 {
		for _, k := range r.Children {
			stick(k)
		}
		return
	}
	if !r.Is(model.Managed) || r.Stickiness < 1 || len(r.RunningOn) != 1 {
		return
	}
	n := r.RunningOn[0]
	if r.Cluster.Opt.Symmetric || r.Allowed.Get(n) != nil {
		r.AddScore(n, r.Stickiness, model.CauseStickiness)
	}
}

// banFailed bans resources from nodes where they failed too often
// (check_failure_threshold).
func banFailed(r *model.Resource, n *model.Node) {
	if len(r.Children) > 0 {
		for _, k := range r.Children {
			banFailed(k, n)
		}
		return
	}
	if len(r.ActionsExactly(model.Key(r.ID, model.ClearFailures, 0), n)) > 0 {
		return
	}
	if ban := overThreshold(r, n); ban != nil {
		ban.AddScore(n, -model.Inf, model.CauseFailures)
	}
}

// overThreshold returns what has to leave a node because r failed too often there,
// nil for nothing (pcmk__threshold_reached).
func overThreshold(r *model.Resource, n *model.Node) *model.Resource {
	if r.MigrationThreshold == 0 || r.Is(model.FailureIgnored) {
		return nil
	}
	count, _ := plan.Failures(n, r, plan.Effective|plan.Fillers, nil)
	if count <= 0 || r.MigrationThreshold-count > 0 {
		return nil
	}
	ban := r
	if !r.Is(model.Unique) {
		ban = r.Top()
	}
	r.Cluster.Report(model.LogWarn, "pcmk__threshold_reached", ban.ID+" cannot run on "+n.Name+" due to reaching migration threshold "+
		"(clean up resource to allow again)| failures="+strconv.Itoa(int(count))+" migration-threshold="+strconv.Itoa(int(r.MigrationThreshold)))
	return ban
}

func banUndiscovered(r *model.Resource, n *model.Node) {
	if !r.ExclusiveDiscover && !r.Top().ExclusiveDiscover {
		return
	}
	for _, k := range r.Children {
		banUndiscovered(k, n)
	}
	if w := r.Allowed.Get(n); w != nil && w.Discover != model.DiscoverExclusive {
		r.Ban(w, model.Why{Cause: model.CauseUndiscovered})
	}
}

// lock keeps resources of a node that left cleanly from starting elsewhere
// (pcmk__primitive_shutdown_lock).
func lock(r *model.Resource) {
	if r.Variant == model.Group {
		for _, k := range r.Children {
			lock(k)
		}
		return
	}
	c := r.Cluster
	if r.Variant != model.Primitive || r.Class == "" || r.Class == "stonith" || plan.IsRemoteConn(r) {
		return
	}
	if r.LockNode != nil {
		if len(r.RunningOn) > 0 {
			plan.ClearHistory(r, r.LockNode)
			r.LockNode, r.LockTime = nil, 0
		}
	} else if len(r.RunningOn) == 1 {
		if n := r.RunningOn[0]; n.Shutdown && !n.Unclean {
			r.LockNode, r.LockTime = n, shutdownTime(n, c.Now.Unix)
		}
	}
	if r.LockNode == nil {
		return
	}
	if c.Opt.ShutdownLockLimit > 0 {
		c.Recheck(r.LockTime + c.Opt.ShutdownLockLimit + 1)
	}
	for _, n := range c.Nodes {
		if n.Name != r.LockNode.Name {
			r.AddScore(n, -model.Inf, model.CauseLock)
		}
	}
}

func shutdownTime(n *model.Node, now int64) int64 {
	if v, ok := score.LeadingInt(n.Attrs["shutdown"]); ok && v != 0 {
		return v
	}
	return now
}

// All assigns every resource (allocate_resources).
func All(c *model.Cluster) {
	if c.Opt.Strategy != "default" {
		sortResources(c)
	}
	showCapacities(c, "Original")
	if c.HaveRemote {
		for _, r := range c.Resources {
			if r.IsRemoteConn {
				Assign(r, r.PartialTarget)
			}
		}
	}
	for _, r := range c.Resources {
		if !r.IsRemoteConn {
			Assign(r, nil)
		}
	}
	showCapacities(c, "Remaining")
}

// Assign chooses a node for a resource, once; prefer is taken when it is as good as
// any (cmds->assign).
func Assign(r *model.Resource, prefer *model.Node) *model.Node {
	switch r.Variant {
	case model.Group:
		return assignGroup(r, prefer)
	case model.Clone:
		assignClone(r, prefer)
		return nil
	case model.Bundle:
		assignBundle(r, prefer)
		return nil
	}
	return assignPrimitive(r, prefer)
}
