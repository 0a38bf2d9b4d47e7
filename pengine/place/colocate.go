package place

import (
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/pengine/model"
)

// selection says which colocations count and how.
type selection uint8

const (
	selectThisWith    selection = 1 << iota // follow primaries instead of dependents
	selectNonnegative                       // a positive score never becomes negative
	selectActive                            // give up where nothing is available
)

// excluded marks a score that must stay as it is (INFINITY_HACK).
const excluded = model.Inf * -100

// addColocated adds to the scores in t what r, and what is colocated with it, think
// of the nodes (pcmk__add_colocated_node_scores). A nil table in t.start means: begin
// with what r thinks.
func addColocated(r *model.Resource, t *model.Table, attr string, f float32, sel selection) {
	if out, ok := colocated(r, t, attr, f, sel); ok {
		*t = out
	}
}

// colocatedFrom is addColocated that begins with what r itself thinks.
func colocatedFrom(r *model.Resource, f float32, sel selection) model.Table {
	out, _ := colocated(r, nil, "", f, sel)
	return out
}

// maxConsulted is how often resources are asked in one decision for what others
// think that are colocated with them. Where each of many is colocated with each
// other, the ways along them are without number, and the original follows them all.
const maxConsulted = 3_000_000

func mayConsult(r *model.Resource) bool {
	r.Cluster.Consulted++
	if r.Cluster.Consulted <= maxConsulted {
		return true
	}
	r.Cluster.ReportOnce(model.LogWarn, "pcmk__add_colocated_node_scores",
		"Some colocations do not count for the scores, because too many resources are colocated with each other in circles")
	return false
}

func colocated(r *model.Resource, t *model.Table, attr string, f float32, sel selection) (work model.Table, ok bool) {
	if r.Is(model.Merging) || !mayConsult(r) {
		return work, false
	}
	r.Set(model.Merging)
	defer r.Clear(model.Merging)
	switch {
	case r.Variant == model.Group:
		if len(r.Children) == 0 {
			return work, false
		}
		work, ok = groupColocated(r, t, attr, f, sel)
		if !ok {
			return work, false
		}
	case t == nil:
		work = r.Allowed.Copy()
	default:
		work = t.Copy()
		addMatching(&work, r, attr, f, sel&selectNonnegative != 0)
	}
	if work.AnyAvailable() {
		followColocations(r, &work, f, sel)
	} else if sel&selectActive != 0 {
		return work, false
	}
	if sel&selectNonnegative != 0 {
		for w := range work.All {
			if w.Score == excluded {
				w.Score = 1
			}
		}
	}
	return work, true
}

func groupColocated(r *model.Resource, t *model.Table, attr string, f float32, sel selection) (model.Table, bool) {
	if t == nil {
		return colocated(r.LastChild(), nil, attr, f, sel)
	}
	work := t.Copy()
	addColocated(r.Children[0], &work, attr, f, sel)
	return work, true
}

func followColocations(r *model.Resource, work *model.Table, f float32, sel selection) {
	mult := float32(1)
	if f < 0 {
		mult = -1
	}
	list := r.WithThis
	switch {
	case sel&selectThisWith != 0:
		list = r.ThisWith
	case r.Variant == model.Group:
		list = r.LastChild().WithThis
	}
	for _, k := range list {
		other := k.Dependent
		if sel&selectThisWith != 0 {
			other = k.Primary
		} else if !k.HasInfluence(nil) {
			continue
		}
		addColocated(other, work, k.NodeAttr, mult*float32(k.Score)/float32(model.Inf), sel|selectActive)
	}
}

// addMatching adds to each node what r thinks best of any node with the same value of
// an attribute (add_node_scores_matching_attr).
func addMatching(t *model.Table, r *model.Resource, attr string, f float32, onlyPositive bool) {
	best := bestByAttr(r, attr)
	for w := range t.All {
		s := best(w.Node)
		if (f < 0 && s < 0) || w.Score == excluded {
			continue
		}
		wf := f * float32(s)
		var add score.Score
		if wf < 0 {
			add = score.Score(float64(wf) - 0.5)
		} else {
			add = score.Score(float64(wf) + 0.5)
		}
		if add == 0 && s != 0 {
			if f > 0 {
				add = 1
			} else if f < 0 {
				add = -1
			}
		}
		sum := score.Add(add, w.Score)
		switch {
		case onlyPositive && sum < 0 && w.Score > 0:
			w.Score = excluded
		case onlyPositive && sum < 0 && w.Score == 0:
		default:
			w.Score = sum
		}
	}
}

// bestByAttr returns the best score that r has for any usable node with the same
// value of attr as the one asked for.
func bestByAttr(r *model.Resource, attr string) func(*model.Node) score.Score {
	if attr == "" || attr == "#uname" {
		nameless := -model.Inf
		for w := range r.Allowed.All {
			if w.Usable() && !named(w.Node) {
				nameless = max(nameless, w.Score)
			}
		}
		return func(n *model.Node) score.Score {
			if !named(n) {
				return nameless
			}
			if w := r.Allowed.Get(n); w != nil && w.Usable() && w.Score > -model.Inf {
				return w.Score
			}
			return -model.Inf
		}
	}
	best := map[string]score.Score{}
	for w := range r.Allowed.All {
		k := attrKey(w.Node, attr)
		if old, have := best[k]; w.Usable() && (!have || w.Score > old) {
			best[k] = w.Score
		}
	}
	return func(n *model.Node) score.Score {
		if s, have := best[attrKey(n, attr)]; have {
			return s
		}
		return -model.Inf
	}
}

// attrKey is the value of an attribute for comparison; nodes without it are equal.
func attrKey(n *model.Node, attr string) string {
	if v, ok := n.Attrs[attr]; ok {
		return "=" + strings.ToLower(v)
	}
	return ""
}

// named says whether a node has the attributes #uname and #id, which stand for
// itself. Remote and guest nodes get them with their first status; until then
// they all have the same name in a colocation, none (unpack.c: add_node_attrs).
func named(n *model.Node) bool {
	_, ok := n.Attrs["#uname"]
	return ok
}

// sameValue says whether two nodes agree in an attribute, by default in being the same.
func sameValue(a, b *model.Node, attr string) bool {
	if attr == "" {
		return a == b || !named(a) && !named(b)
	}
	return attrKey(a, attr) == attrKey(b, attr)
}

type effect uint8

const (
	affectsNothing effect = iota
	affectsLocation
	affectsRole
)

// affects says what a colocation means for the dependent now; preview asks before
// anything is assigned (pcmk__colocation_affects).
func affects(dep, pri *model.Resource, k *model.Colocation, preview bool) effect {
	switch {
	case !preview && pri.Is(model.Provisional):
		return affectsNothing
	case k.DependentRole >= model.Unpromoted && dep.Parent != nil && dep.Parent.Is(model.Promotable) && !dep.Is(model.Provisional):
		return affectsRole
	case !preview && !dep.Is(model.Provisional):
		return affectsNothing
	case k.Score > 0 && k.DependentRole != model.Unknown && k.DependentRole != dep.NextRole,
		k.Score > 0 && k.PrimaryRole != model.Unknown && k.PrimaryRole != pri.NextRole,
		k.Score < 0 && k.DependentRole != model.Unknown && k.DependentRole == dep.NextRole,
		k.Score < 0 && k.PrimaryRole != model.Unknown && k.PrimaryRole == pri.NextRole:
		return affectsNothing
	}
	return affectsLocation
}

// applyColocation applies a colocation, first as the dependent's kind asks, then as
// the primary's does (cmds->apply_coloc_score).
func applyColocation(dep, pri *model.Resource, k *model.Colocation, forDependent bool) {
	if forDependent {
		switch dep.Variant {
		case model.Group:
			colocateGroup(dep, pri, k)
			return
		case model.Clone, model.Bundle:
			// Instances are colocated, never the whole; fall through to the primary's view.
		}
		forDependent = false
	}
	switch pri.Variant {
	case model.Group:
		withGroup(dep, pri, k)
	case model.Clone:
		withClone(dep, pri, k)
	case model.Bundle:
		withBundle(dep, pri, k)
	default:
		switch affects(dep, pri, k, false) {
		case affectsRole:
			applyToPriority(dep, pri, k)
		case affectsLocation:
			applyToScores(dep, pri, k)
		}
	}
}

// applyToScores makes the dependent want or avoid where the primary is
// (pcmk__apply_coloc_to_weights).
func applyToScores(dep, pri *model.Resource, k *model.Colocation) {
	if pri.Assigned == nil && k.Score < 0 {
		return
	}
	work, before := dep.Allowed.Copy(), dep.Before()
	for w := range work.All {
		switch {
		case pri.Assigned == nil:
			w.Score = score.Add(-k.Score, w.Score)
		case sameValue(w.Node, pri.Assigned, k.NodeAttr):
			if k.Score < model.Inf {
				w.Score = score.Add(k.Score, w.Score)
			}
		case k.Score >= model.Inf:
			w.Score = score.Add(-k.Score, w.Score)
		}
	}
	if k.Score <= -model.Inf || k.Score >= model.Inf || work.AnyAvailable() {
		dep.Allowed = work
		dep.Explained(&before, model.Why{Cause: model.CauseColocation, Colocation: k}, func(n *model.Node) bool {
			here := pri.Assigned != nil && sameValue(n, pri.Assigned, k.NodeAttr)
			return !here && k.Score >= model.Inf || here && k.Score <= -model.Inf
		})
	}
}

// applyToPriority makes the dependent more or less worth promoting
// (pcmk__apply_coloc_to_priority).
func applyToPriority(dep, pri *model.Resource, k *model.Colocation) {
	if pri.Assigned == nil || dep.Assigned == nil {
		return
	}
	if !sameValue(dep.Assigned, pri.Assigned, k.NodeAttr) {
		if k.Score == model.Inf && k.DependentRole == model.Promoted {
			dep.Priority = -model.Inf
		}
		return
	}
	if k.PrimaryRole != model.Unknown && k.PrimaryRole != pri.NextRole {
		return
	}
	s := k.Score
	if k.DependentRole == model.Unpromoted {
		s = -s
	}
	dep.Priority = score.Add(s, dep.Priority)
}

func colocateGroup(dep, pri *model.Resource, k *model.Colocation) {
	switch {
	case len(dep.Children) == 0:
	case dep.GroupColocated:
		applyColocation(dep.Children[0], pri, k, true)
	case k.Score >= model.Inf:
		dep.Cluster.Report(model.ConfigErr, "colocate_group_with", dep.ID+": Cannot perform mandatory colocation between non-colocated group and "+pri.ID)
	default:
		for _, m := range dep.Children {
			applyColocation(m, pri, k, true)
		}
	}
}

func withGroup(dep, pri *model.Resource, k *model.Colocation) {
	switch {
	case pri.Is(model.Provisional), len(pri.Children) == 0:
	case pri.GroupColocated && k.Score >= model.Inf:
		applyColocation(dep, pri.LastChild(), k, false)
	case pri.GroupColocated:
		applyColocation(dep, pri.Children[0], k, false)
	case k.Score >= model.Inf:
		dep.Cluster.Report(model.ConfigErr, "colocate_with_group", dep.ID+": Cannot perform mandatory colocation with non-colocated group "+pri.ID)
	default:
		for _, m := range pri.Children {
			applyColocation(dep, m, k, false)
		}
	}
}

// withClone is pcmk__clone_apply_coloc_score.
func withClone(dep, pri *model.Resource, k *model.Colocation) {
	if dep.Variant != model.Primitive || pri.Is(model.Provisional) {
		return
	}
	if pri.Is(model.Promotable) && k.PrimaryRole != model.Unknown {
		if dep.Is(model.Provisional) {
			withPromotable(dep, pri, k)
			return
		}
		if k.DependentRole == model.Promoted {
			withPromotedPriority(dep, pri, k)
			return
		}
	}
	if k.Dependent.Variant > model.Group && model.True(k.Dependent.Meta["interleave"]) {
		if copiesPerNode(k.Dependent) == copiesPerNode(k.Primary) {
			interleave(dep, Compatible(dep, pri, model.Unknown, false), k)
			return
		}
		dep.Cluster.Report(model.ConfigErr, "pcmk__clone_apply_coloc_score", "Cannot interleave "+k.Dependent.ID+" and "+k.Primary.ID+" because they do not support the same number of instances per node")
	}
	if k.Score < model.Inf {
		for _, inst := range pri.Children {
			applyColocation(dep, inst, k, false)
		}
		return
	}
	var at []model.Weighted
	for _, inst := range pri.Children {
		if inst.Location(model.Planned) != nil && !inst.Any(model.Block) {
			at = append(at, chosen(inst))
		}
	}
	keepOnly(dep, at, false, k)
}

// interleave applies a colocation to the instance on the same node, if there is one.
func interleave(dep, inst *model.Resource, k *model.Colocation) {
	if inst != nil {
		applyColocation(dep, inst, k, true)
	} else if k.Score >= model.Inf {
		Unplace(dep)
		dep.NoPartner = k.Primary
	}
}

// withBundle is pcmk__bundle_apply_coloc_score.
func withBundle(dep, pri *model.Resource, k *model.Colocation) {
	if pri.Is(model.Provisional) {
		return
	}
	if k.Dependent.Variant > model.Group {
		interleave(dep, Compatible(dep, pri, model.Unknown, false), k)
		return
	}
	var at []model.Weighted
	for _, rep := range pri.Bundle.Replicas {
		if k.Score < model.Inf {
			applyColocation(dep, rep.Container, k, false)
			continue
		}
		if rep.Container.Location(model.Planned) == nil || rep.Container.Any(model.Block) {
			continue
		}
		if k.PrimaryRole >= model.Promoted && (rep.Child == nil || rep.Child.NextRole < model.Promoted) {
			continue
		}
		at = append(at, chosen(rep.Container))
	}
	if k.Score >= model.Inf {
		keepOnly(dep, at, false, k)
	}
}

// keepOnly bans all nodes but those listed, whose scores are added if add says so. One
// that dep did not know is banned too, but known: as the listed one has it, a guest
// that is only for who lives in it is looked at from now on (node_list_exclude).
func keepOnly(dep *model.Resource, at []model.Weighted, add bool, k *model.Colocation) {
	t, before := &dep.Allowed, dep.Before()
	slices.Reverse(at) // the last is the first of the original's list
	listed := func(n *model.Node) int {
		return slices.IndexFunc(at, func(w model.Weighted) bool { return w.Node == n })
	}
	for w := range t.All {
		switch i := listed(w.Node); {
		case i < 0:
			w.Score = -model.Inf
		case add:
			w.Score = score.Add(w.Score, at[i].Score)
		}
	}
	for _, w := range at {
		if t.Get(w.Node) == nil {
			t.Put(model.Weighted{Node: w.Node, Score: -model.Inf, Discover: w.Discover})
		}
	}
	dep.Explained(&before, model.Why{Cause: model.CauseColocation, Colocation: k}, func(n *model.Node) bool { return listed(n) < 0 })
}

func copiesPerNode(r *model.Resource) int {
	switch r.Variant {
	case model.Clone:
		if v, ok := r.Meta["clone-node-max"]; ok {
			return model.Int(v, 0)
		}
	case model.Bundle:
		return r.Bundle.PerHost
	}
	return 1
}

// Instances returns what a clone or bundle is made of: instances or containers.
func Instances(r *model.Resource) []*model.Resource {
	if r.Variant == model.Bundle {
		return containersOf(r)
	}
	return r.Children
}

// Compatible returns the instance of r on the same node as local, or where local may
// go best (find_compatible_child).
func Compatible(local, r *model.Resource, role model.Role, current bool) *model.Resource {
	when := model.Planned
	if current {
		when = model.Now
	}
	if n := local.Location(when); n != nil {
		return compatibleOn(n, r, role, current)
	}
	nodes := ranked(local.Cluster, &local.Allowed, nil)
	for _, w := range nodes {
		if k := compatibleOn(w.Node, r, role, current); k != nil {
			return k
		}
	}
	return nil
}

func compatibleOn(n *model.Node, r *model.Resource, role model.Role, current bool) *model.Resource {
	when := model.Planned
	if current {
		when = model.Now
	}
	for _, k := range Instances(r) {
		if role != model.Unknown && k.State(current) != role {
			continue
		}
		if !k.Any(model.Block) && k.Location(when) == n {
			return k
		}
	}
	return nil
}
