package place

import (
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/pengine/constraint"
	"github.com/pacesync/pacesync/pengine/model"
)

// finalize records where a resource goes; chosen is nil for nowhere. Unless forced, a
// node that cannot run it counts as nowhere. It says whether there is a place
// (pcmk__finalize_assignment).
func finalize(r *model.Resource, chosen *model.Weighted, force bool) bool {
	if !force && chosen != nil && (chosen.Score < 0 || (!chosen.Available() && !chosen.IsGuest())) {
		r.NextRole = model.Stopped
		chosen = nil
	}
	unassign(r)
	r.Clear(model.Provisional)
	if chosen == nil {
		r.NextRole = model.Stopped
		for _, a := range r.Actions {
			switch {
			case a.Task == model.Stop:
				a.Clear(model.Optional)
			case a.Task == model.Start:
				a.Clear(model.Runnable)
			default:
				if ms, ok := a.Meta["interval"]; ok && ms != "0" && a.Meta["op_target_rc"] != "7" {
					a.Clear(model.Runnable)
				}
			}
		}
		return false
	}
	r.Assigned, r.Chosen = chosen.Node, *chosen
	chosen.NumResources++
	chosen.Count++
	consume(chosen.Utilization, r.Utilization)
	showUtilization(r, chosen.Node)
	return true
}

func unassign(r *model.Resource) {
	if r.Assigned == nil {
		return
	}
	r.Set(model.Provisional)
	r.Assigned.NumResources--
	release(r.Assigned.Utilization, r.Utilization)
	r.Assigned = nil
}

// Unplace takes a resource and all in it off their nodes; it says whether anything
// changed (pcmk__assign_resource without node).
func Unplace(r *model.Resource) bool {
	if len(r.Children) == 0 {
		changed := r.Assigned != nil
		finalize(r, nil, true)
		return changed
	}
	changed := false
	for _, k := range r.Children {
		changed = Unplace(k) || changed
	}
	return changed
}

// assignPrimitive is pcmk__primitive_assign.
func assignPrimitive(r *model.Resource, prefer *model.Node) *model.Node {
	if r.Parent != nil && !r.Parent.Is(model.Allocating) {
		Assign(r.Parent, prefer)
	}
	if !r.Is(model.Provisional) {
		return r.Assigned
	}
	if r.Is(model.Allocating) {
		return nil
	}
	r.Set(model.Allocating)
	for _, k := range r.ThisWith {
		thisWith(r, k)
	}
	heed(r, selectActive)
	c := r.Cluster
	if r.NextRole == model.Stopped {
		r.AddScore(nil, -model.Inf, model.CauseTargetRole)
	} else if r.NextRole > r.Role && !c.HaveQuorum && c.Opt.NoQuorum == model.QuorumFreeze {
		r.NextRole = r.Role
	}
	r.Weighed()
	showScores(r, "pcmk__primitive_assign")
	if c.Opt.StonithEnabled && !c.Opt.HaveStonith {
		r.Clear(model.Managed)
	}
	switch {
	case !r.Is(model.Managed):
		r.NextRole = r.Role
		stay(r)
	case c.Opt.StopEverything:
		finalize(r, nil, true)
	case r.Is(model.Provisional):
		assignBest(r, prefer)
	}
	r.Clear(model.Allocating)
	if r.IsRemoteConn {
		connectionAssigned(r)
	}
	return r.Assigned
}

// stay leaves an unmanaged resource where it is.
func stay(r *model.Resource) {
	n := r.Current()
	if n == nil {
		finalize(r, nil, true)
		return
	}
	finalize(r, &model.Weighted{Node: n, Score: n.Score}, true)
}

func connectionAssigned(r *model.Resource) {
	n := r.Cluster.Node(r.ID)
	switch {
	case n == nil:
	case r.Assigned != nil && r.NextRole != model.Stopped:
		n.Online = true
		if n.Unseen {
			n.Unclean = false
		}
	default:
		n.Shutdown = true
	}
}

// thisWith applies a colocation to its dependent (apply_this_with).
func thisWith(r *model.Resource, k *model.Colocation) {
	var backup *model.Table
	known := len(r.Why)
	if k.DependentRole >= model.Promoted || (k.Score < 0 && k.Score > -model.Inf) {
		t := r.Allowed.Copy()
		backup = &t
	}
	Assign(k.Primary, nil)
	applyColocation(r, k.Primary, k, true)
	if backup != nil && !r.Allowed.AnyAvailable() {
		r.Allowed = *backup
		r.Why = r.Why[:known]
	}
}

// heed makes a resource want to go where those want to be that are to be with it.
func heed(r *model.Resource, sel selection) {
	for _, k := range r.WithThis {
		if k.HasInfluence(nil) {
			before := r.Before()
			addColocated(k.Dependent, &r.Allowed, k.NodeAttr, factor(k.Score), sel)
			r.Explained(&before, model.Why{Cause: model.CauseCompany, Colocation: k}, nil)
		}
	}
}

// assignBest takes the best node (assign_best_node).
func assignBest(r *model.Resource, prefer *model.Node) bool {
	if free := banFull(r); prefer == nil {
		prefer = free
	}
	if !r.Is(model.Provisional) {
		return r.Assigned != nil
	}
	nodes := ranked(r.Cluster, &r.Allowed, r.Current())
	if len(nodes) == 0 {
		return finalize(r, nil, false)
	}
	best, by := nodes[0], model.ByPrefer
	chosen := r.Allowed.Get(prefer)
	if chosen == nil || chosen.Score < best.Score || !chosen.Available() {
		chosen, by = best, model.ByRank
		if !r.Parent.IsUniqueClone() && best.Score > 0 && best.Usable() {
			if running := r.Current(); running != nil && running.Usable() && running.Score >= 0 {
				for _, w := range nodes[1:] {
					if w.Score != best.Score {
						break
					}
					if w.Node == running {
						chosen, by = w, model.ByRunning
					}
				}
			}
		}
	}
	contest(r, nodes, chosen, by)
	return finalize(r, chosen, false)
}

// contest notes how a node was chosen.
func contest(r *model.Resource, nodes []*model.Weighted, chosen *model.Weighted, by model.ChosenBy) {
	if !r.Cluster.Explaining {
		return
	}
	r.Contest = &model.Contest{By: by}
	for _, w := range nodes {
		room := 0
		if r.Cluster.Opt.Strategy == "balanced" {
			room = compareCapacity(w.Node, chosen.Node)
		}
		r.Contest.Ranked = append(r.Contest.Ranked, model.Contender{Node: w.Node, Score: w.Score, Usable: w.Usable(), Load: w.NumResources, Room: room})
	}
}

// assignGroup is pcmk__group_assign.
func assignGroup(r *model.Resource, prefer *model.Node) *model.Node {
	if !r.Is(model.Provisional) {
		return r.Assigned
	}
	if r.Is(model.Allocating) {
		return nil
	}
	if len(r.Children) == 0 {
		r.Clear(model.Provisional)
		return nil
	}
	r.Set(model.Allocating)
	r.Role = r.Children[0].Role
	handDown(r)
	r.Weighed()
	showScores(r, "pcmk__group_assign")
	var first *model.Node
	for _, k := range r.Children {
		if n := Assign(k, prefer); first == nil {
			first = n
		}
	}
	r.NextRole = r.Children[0].NextRole
	r.Clear(model.Allocating | model.Provisional)
	if !r.GroupColocated {
		return nil
	}
	return first
}

// handDown gives the colocations of a group to its members
// (expand_group_colocations).
func handDown(r *model.Resource) {
	first, last := r.Children[0], r.LastChild()
	for _, k := range r.ThisWith {
		constraint.AddThisWith(first, k)
	}
	unmanaged := !first.Is(model.Managed)
	for _, m := range r.Children[1:] {
		if !unmanaged {
			unmanaged = !m.Is(model.Managed)
			continue
		}
		for _, k := range r.ThisWith {
			if k.Score == model.Inf {
				constraint.AddThisWith(m, k)
			}
		}
	}
	for _, k := range r.WithThis {
		constraint.AddWithThis(last, k)
	}
	r.ThisWith, r.WithThis = nil, nil
}

// maxNested is how often the assignment of a bundle may come back to it through
// colocations. The original knows no limit and runs out of stack where the
// bundle's clone is in the loop.
const maxNested = 4

// assignBundle is pcmk__bundle_allocate.
func assignBundle(r *model.Resource, prefer *model.Node) {
	if r.Bundle.Assigning == maxNested {
		return
	}
	r.Bundle.Assigning++
	defer func() { r.Bundle.Assigning-- }()
	r.Set(model.Allocating)
	containers := containersOf(r)
	r.Weighed()
	showScores(r, "pcmk__bundle_allocate")
	nodes := ranked(r.Cluster, &r.Allowed, nil)
	model.MergeSort(containers, compareInstances)
	distribute(containers, nodes, r.Bundle.NReplicas, r.Bundle.PerHost)
	for _, rep := range r.Bundle.Replicas {
		assignReplica(r, rep, prefer)
	}
	if child := r.Bundle.Child; child != nil {
		before := child.Before()
		for w := range child.Allowed.All {
			w.Score = -model.Inf
			for _, rep := range r.Bundle.Replicas {
				if rep.Node == w.Node {
					w.Score = 0
				}
			}
		}
		child.Explained(&before, model.Why{Cause: model.CauseContainer}, nil)
		Assign(child, prefer)
	}
	r.Clear(model.Allocating | model.Provisional)
}

func assignReplica(r *model.Resource, rep *model.Replica, prefer *model.Node) {
	if rep.IP != nil {
		Assign(rep.IP, prefer)
	}
	if host := rep.Container.Assigned; rep.Remote != nil && host != nil && host.Kind == model.Remote {
		constraint.Colocate(r.Cluster, model.Colocation{ID: "child-remote-with-docker-remote", Score: model.Inf, Dependent: rep.Remote,
			Primary: host.RemoteRsc, Influence: true})
	}
	if rep.Remote != nil {
		Assign(rep.Remote, prefer)
	}
	k := rep.Child
	if k == nil {
		return
	}
	before := k.Before()
	for w := range k.Allowed.All {
		if w.Node != rep.Node {
			w.Score = -model.Inf
		} else if overThreshold(k, w.Node) == nil {
			w.Score = model.Inf
		}
	}
	k.Explained(&before, model.Why{Cause: model.CauseContainer}, nil)
	k.Parent.Set(model.Allocating)
	Assign(k, rep.Node)
	k.Parent.Clear(model.Allocating)
}

func containersOf(r *model.Resource) []*model.Resource {
	var out []*model.Resource
	for _, rep := range r.Bundle.Replicas {
		out = append(out, rep.Container)
	}
	return out
}

func factor(s score.Score) float32 { return float32(s) / float32(model.Inf) }
