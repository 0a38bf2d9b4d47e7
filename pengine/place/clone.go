package place

import (
	"slices"

	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/pengine/constraint"
	"github.com/pacesync/pacesync/pengine/model"
)

// assignClone is pcmk__clone_allocate.
func assignClone(r *model.Resource, prefer *model.Node) {
	if !r.Is(model.Provisional) || r.Is(model.Allocating) {
		return
	}
	if r.Is(model.Promotable) {
		addPromotionScores(r)
	}
	r.Set(model.Allocating)
	for _, k := range r.ThisWith {
		Assign(k.Primary, prefer)
	}
	heed(r, selectActive|selectNonnegative)
	r.Weighed()
	showScores(r, "pcmk__clone_allocate")
	nodes := ranked(r.Cluster, &r.Allowed, nil)
	model.MergeSort(r.Children, compareInstances)
	distribute(slices.Clone(r.Children), nodes, r.Clone.Max, r.Clone.NodeMax)
	if r.Is(model.Promotable) {
		chooseRoles(r)
	}
	r.Clear(model.Provisional | model.Allocating)
}

// topAllowed returns what the collective that r is an instance of thinks of a node
// (pcmk__top_allowed_node).
func topAllowed(r *model.Resource, n *model.Node) *model.Weighted {
	if r.Parent != nil {
		return r.Parent.Allowed.Get(n)
	}
	return r.Allowed.Get(n)
}

// distribute assigns instances: active ones first stay, then the others
// (distribute_children).
func distribute(instances []*model.Resource, nodes []*model.Weighted, limit, perNode int) {
	available := 0
	for _, w := range nodes {
		w.Count = 0
		if w.Usable() {
			available++
		}
	}
	all := limit < available
	fair := int32(1)
	if available > 0 {
		fair = int32(max(1, limit/available))
	}
	done := 0
	for _, k := range instances {
		if done >= limit {
			break
		}
		if len(k.RunningOn) == 0 || !k.Is(model.Provisional) || k.Is(model.Failed) {
			continue
		}
		n := k.Current()
		w := topAllowed(k, n)
		if !n.Usable() || n.Score < 0 || (w != nil && w.Count >= fair) {
			continue
		}
		if assignInstance(k, n, all, int32(perNode)) != nil {
			done++
		}
	}
	for _, k := range instances {
		switch {
		case !k.Is(model.Provisional):
		case done >= limit:
			k.AddScore(nil, -model.Inf, model.CauseCloneMax)
		case assignInstance(k, nil, all, int32(perNode)) != nil:
			done++
		}
	}
}

// assignInstance assigns one instance, to prefer or not at all when it is given
// (allocate_instance).
func assignInstance(k *model.Resource, prefer *model.Node, all bool, perNode int32) *model.Node {
	if !k.Is(model.Provisional) {
		return k.Location(model.Planned)
	}
	if k.Is(model.Allocating) {
		return nil
	}
	inheritColocations(k.Parent, k, all)
	if prefer != nil {
		if w := k.Allowed.Get(prefer); w == nil || w.Score < 0 {
			return nil
		}
	}
	for _, n := range k.Cluster.Nodes {
		if w := k.Allowed.Get(n); w != nil && w.Node == n {
			limitInstance(k, n, perNode)
		}
	}
	backup, known := k.Allowed.Copy(), len(k.Why)
	chosen := Assign(k, prefer)
	if chosen != nil && prefer != nil && chosen != prefer {
		k.Allowed = backup
		k.Why = k.Why[:known]
		unassign(k)
		return nil
	}
	if chosen != nil {
		if w := topAllowed(k, chosen); w != nil {
			w.Count++
		}
	}
	return chosen
}

// limitInstance bans an instance from a node that is full or unfit
// (can_run_instance).
func limitInstance(k *model.Resource, n *model.Node, perNode int32) {
	cause := model.CauseUnusable
	if k.Is(model.Orphan) {
		cause = model.CauseOrphan
	} else if n.Usable() {
		w := topAllowed(k, n)
		cause = model.CauseCloneBan
		switch {
		case w == nil:
		case w.Score < 0:
			addBelow(k, n, w.Score, cause)
		case w.Count < perNode:
			return
		default:
			cause = model.CauseNodeMax
		}
	}
	addBelow(k, n, -model.Inf, cause)
}

// addBelow adds to what a resource and those in it think of a node they know
// (common_update_score).
func addBelow(r *model.Resource, n *model.Node, s score.Score, cause model.Cause) {
	if w := r.Allowed.Get(n); w != nil {
		w.Score = score.Add(w.Score, s)
		r.Explain(w, s, model.Why{Cause: cause})
	}
	for _, k := range r.Children {
		addBelow(k, n, s, cause)
	}
}

// inheritColocations gives an instance the colocations of its clone
// (append_parent_colocation).
func inheritColocations(r, k *model.Resource, all bool) {
	for _, col := range r.ThisWith {
		if all || col.Score < 0 || col.Score == model.Inf {
			constraint.AddThisWith(k, col)
		}
	}
	for _, col := range r.WithThis {
		if col.HasInfluence(k) && (all || col.Score < 0) {
			constraint.AddWithThis(k, col)
		}
	}
}

// compareInstances orders instances by who should be assigned first
// (pcmk__cmp_instance).
func compareInstances(a, b *model.Resource) int {
	na, ka, _ := a.ActiveOn()
	nb, kb, _ := b.ActiveOn()
	if ka > 0 && kb > 0 && ka != kb {
		return ka - kb
	}
	na, okA := allowedNode(a, na)
	nb, okB := allowedNode(b, nb)
	switch {
	case okA != okB:
		return first(okA)
	case a.Priority != b.Priority:
		return int(b.Priority) - int(a.Priority)
	case na == nil && nb == nil:
		return 0
	case na == nil || nb == nil:
		return first(na != nil)
	}
	if ua, ub := na.Usable(), nb.Usable(); ua != ub {
		return first(ua)
	}
	wa, wb := topAllowed(a, na), topAllowed(b, nb)
	switch {
	case wa == nil && wb == nil:
		return 0
	case wa == nil || wb == nil:
		return first(wa != nil)
	case wa.Count != wb.Count:
		return int(wa.Count) - int(wb.Count)
	}
	if fa, fb := a.Any(model.Failed), b.Any(model.Failed); fa != fb {
		return first(!fa)
	}
	if d := int(colocatedScore(b)) - int(colocatedScore(a)); d != 0 {
		return d
	}
	return model.CompareInstances(a, b)
}

func first(a bool) int {
	if a {
		return -1
	}
	return 1
}

func allowedNode(r *model.Resource, n *model.Node) (*model.Node, bool) {
	if n != nil {
		if w := r.Allowed.Get(n); w == nil || w.Score < 0 {
			return nil, false
		}
	}
	return n, true
}

// colocatedScore is what those colocated with the clone of an active instance think of
// where it is (cmp_instance_by_colocation).
func colocatedScore(k *model.Resource) score.Score {
	n := k.Current()
	var t model.Table
	t.Put(model.Weighted{Node: n, Score: n.Score, Discover: n.Discover})
	for _, col := range k.Parent.ThisWith {
		addColocated(col.Primary, &t, col.NodeAttr, factor(col.Score), 0)
	}
	for _, col := range k.Parent.WithThis {
		if col.HasInfluence(k) {
			addColocated(col.Dependent, &t, col.NodeAttr, factor(col.Score), selectNonnegative)
		}
	}
	return t.Get(n).Score
}
