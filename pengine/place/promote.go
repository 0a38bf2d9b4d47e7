package place

import (
	"slices"

	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/pengine/model"
)

// chooseRoles decides which instances are promoted (pcmk__set_instance_roles).
func chooseRoles(r *model.Resource) {
	for w := range r.Allowed.All {
		w.Count = 0
	}
	for _, k := range r.Children {
		setPriority(r, k)
	}
	sortForPromotion(r)
	promoted := 0
	for _, k := range r.Children {
		if chooseRole(r, k, promoted) {
			promoted++
		}
	}
}

// setPriority computes how much an instance is worth promoting
// (set_instance_priority).
func setPriority(r, k *model.Resource) {
	if k.State(true) == model.Started {
		currentUnpromoted(k)
	}
	chosen := k.Location(model.Planned)
	if chosen == nil {
		return
	}
	next := k.State(false)
	switch next {
	case model.Started, model.Unknown:
		s, isDefault := promotionScore(k, chosen)
		if k.Priority = s; isDefault {
			k.Priority = -1
		}
		k.ExplainPromotion(k.Priority, model.Why{Cause: model.CausePromotion})
	case model.Unpromoted, model.Stopped:
		k.Priority = -model.Inf
		k.ExplainPromotion(k.Priority, model.Why{Cause: model.CauseTargetRole})
	default:
		k.ExplainPromotion(k.Priority, model.Why{Cause: model.CausePromotion})
	}
	for _, owner := range []*model.Resource{k, r} {
		for i := len(owner.Locations) - 1; i >= 0; i-- {
			l := owner.Locations[i]
			if l.Role != model.Promoted {
				continue
			}
			for _, ns := range l.Nodes {
				if ns.Node == chosen {
					k.Priority = score.Add(k.Priority, ns.Score)
					k.ExplainPromotion(k.Priority, model.Why{Cause: l.Cause(), Location: l})
					break
				}
			}
		}
	}
	for _, col := range slices.Clone(k.ThisWith) {
		applyColocation(k, col.Primary, col, true)
		k.ExplainPromotion(k.Priority, model.Why{Cause: model.CauseColocation, Colocation: col})
	}
	k.SortIndex = k.Priority
	if next == model.Promoted {
		k.SortIndex = model.Inf
		k.ExplainPromotion(model.Inf, model.Why{Cause: model.CauseUnmanaged})
	}
}

func currentUnpromoted(r *model.Resource) {
	if r.Role == model.Started {
		r.Role = model.Unpromoted
	}
	for _, k := range r.Children {
		currentUnpromoted(k)
	}
}

// sortForPromotion orders the instances, the most promotable first
// (sort_promotable_instances).
func sortForPromotion(r *model.Resource) {
	if r.Clone.Constrained {
		return
	}
	r.Clone.Constrained = true
	r.Set(model.Merging)
	whole := r.Before()
	for _, k := range r.Children {
		if n := k.Location(model.Planned); n != nil && k.SortIndex >= 0 {
			if w := r.Allowed.Get(n); w != nil {
				w.Score = score.Add(k.SortIndex, w.Score)
			}
		}
	}
	explainInstances(r, &whole, model.Why{Cause: model.CauseWhole})
	for _, col := range r.ThisWith {
		if col.DependentRole == model.Promoted {
			sel := selection(0)
			if col.Score < model.Inf {
				sel = selectActive
			}
			before := r.Before()
			addColocated(col.Primary, &r.Allowed, col.NodeAttr, factor(col.Score), sel)
			explainInstances(r, &before, model.Why{Cause: model.CauseColocation, Colocation: col})
		}
	}
	for _, col := range r.WithThis {
		if col.PrimaryRole == model.Promoted && col.HasInfluence(nil) {
			before := r.Before()
			addColocated(col.Dependent, &r.Allowed, col.NodeAttr, factor(col.Score), selectActive|selectNonnegative)
			explainInstances(r, &before, model.Why{Cause: model.CauseCompany, Colocation: col})
		}
	}
	for _, use := range r.TicketUses {
		if use.Role == model.Promoted && (!use.Ticket.Granted || use.Ticket.Standby) {
			before := r.Before()
			r.AddScore(nil, -model.Inf, model.CauseNoTicket)
			explainInstances(r, &before, model.Why{Cause: model.CauseNoTicket})
		}
	}
	for _, k := range r.Children {
		n := k.Location(model.Planned)
		if !k.Is(model.Managed) && k.NextRole == model.Promoted {
			k.ExplainPromotion(model.Inf, model.Why{Cause: model.CauseUnmanaged})
			k.SortIndex = model.Inf
		} else if n != nil && k.SortIndex >= 0 {
			if w := r.Allowed.Get(n); w != nil {
				k.SortIndex = w.Score
			}
		}
	}
	model.MergeSort(r.Children, comparePromotable)
	r.Clear(model.Merging)
}

// explainInstances notes for each instance that can be promoted how what its clone
// thinks of its node changed.
func explainInstances(r *model.Resource, before *model.Table, why model.Why) {
	if !r.Cluster.Explaining {
		return
	}
	r.Explained(before, model.Why{Cause: model.CausePromotion}, nil)
	for _, k := range r.Children {
		n := k.Location(model.Planned)
		if w := r.Allowed.Get(n); w != nil && k.SortIndex >= 0 {
			k.ExplainPromotion(w.Score, why)
		}
	}
}

func comparePromotable(a, b *model.Resource) int {
	if a.SortIndex != b.SortIndex {
		return first(a.SortIndex > b.SortIndex)
	}
	if ra, rb := a.State(true), b.State(true); ra != rb {
		return first(ra > rb)
	}
	return compareInstances(a, b)
}

// chooseRole promotes an instance if it can be; it says whether it did
// (set_instance_role).
func chooseRole(r, k *model.Resource, promoted int) bool {
	showPromotion(k)
	var w *model.Weighted
	if k.SortIndex >= 0 && (promoted < r.Clone.PromotedMax || !r.Is(model.Managed)) {
		w = promotableOn(r, k)
	}
	c := r.Cluster
	if w == nil || (k.Role < model.Promoted && !c.HaveQuorum && c.Opt.NoQuorum == model.QuorumFreeze) {
		nextUnpromoted(k)
		return false
	}
	w.Count++
	nextPromoted(k)
	return true
}

// promotableOn returns the entry of the node that k would be promoted on, nil when it
// cannot be (node_to_be_promoted_on).
func promotableOn(r, k *model.Resource) *model.Weighted {
	for _, m := range k.Children {
		if promotableOn(r, m) == nil {
			return nil
		}
	}
	n := k.Location(model.Planned)
	switch {
	case n == nil:
		return nil
	case !k.Is(model.Managed):
		if k.State(true) != model.Promoted {
			return nil
		}
	case k.Priority < 0, !n.Usable(), n.IsGuest() && n.RemoteRsc.Container.Location(model.Planned) == nil:
		return nil
	}
	w := r.Allowed.Get(n)
	if w == nil || (int(w.Count) >= r.Clone.PromotedNodeMax && k.Is(model.Managed)) {
		return nil
	}
	return w
}

func nextUnpromoted(r *model.Resource) {
	if _, at := r.Locate(model.Planned); len(at) == 0 {
		r.NextRole = model.Stopped
	} else {
		r.NextRole = model.Unpromoted
	}
	for _, k := range r.Children {
		nextUnpromoted(k)
	}
}

func nextPromoted(r *model.Resource) {
	if r.NextRole == model.Unknown {
		r.NextRole = model.Promoted
	}
	for _, k := range r.Children {
		nextPromoted(k)
	}
}

// addPromotionScores makes instances prefer nodes where they are worth promoting
// (pcmk__add_promotion_scores).
func addPromotionScores(r *model.Resource) {
	if r.Clone.ScoresAdded {
		return
	}
	r.Clone.ScoresAdded = true
	for _, k := range r.Children {
		for w := range k.Allowed.All {
			if !w.Usable() {
				continue
			}
			s, _ := promotionScore(k, w.Node)
			if s > 0 {
				w.Score = score.Add(w.Score, s)
				k.Explain(w, s, model.Why{Cause: model.CausePromotion})
			}
			k.Priority = max(k.Priority, s)
		}
	}
}

// promotionScore is the promotion score of r on a node; isDefault says that there is
// none (promotion_score).
func promotionScore(r *model.Resource, n *model.Node) (s score.Score, isDefault bool) {
	if len(r.Children) > 0 {
		isDefault = true
		for _, k := range r.Children {
			ks, kd := promotionScore(k, n)
			s, isDefault = s+ks, isDefault && kd
		}
		return s, isDefault
	}
	if !promotionApplies(r, n) {
		return 0, true
	}
	name := r.ID
	if r.CloneName != "" {
		name = r.CloneName
	}
	v, ok := r.NodeAttr(n, "master-"+name)
	if !ok && !r.Is(model.Unique) {
		if base := model.BaseName(r.ID); base != r.ID {
			v, ok = r.NodeAttr(n, "master-"+base)
		}
	}
	if !ok {
		return 0, true
	}
	return score.Parse(v, r.Cluster.Opt.Health), false
}

// promotionApplies says whether the promotion score on a node is meant for this
// instance (promotion_score_applies).
func promotionApplies(r *model.Resource, n *model.Node) bool {
	id, top := model.BaseName(r.ID), r.Top()
	w := r.Allowed.Get(n)
	allowed := w != nil && w.Score >= 0
	if !r.Is(model.Unique) {
		active := activeAnonymous(top, id, n)
		if active == r || (active == nil && anonymousKnown(top, id, n)) {
			return allowed
		}
	}
	if len(r.RunningOn) == 0 && r.Known.Len() == 0 {
		return allowed
	}
	return allowed && (r.Known.Has(n) || r.RunsOn(n))
}

func activeAnonymous(top *model.Resource, id string, n *model.Node) *model.Resource {
	for _, k := range top.Children {
		if m := member(k, id, func(r *model.Resource) bool { return r.RunsOn(n) }); m != nil {
			return m
		}
	}
	return nil
}

func anonymousKnown(top *model.Resource, id string, n *model.Node) bool {
	for _, k := range top.Children {
		if m := member(k, id, nil); m != nil && m.Known.Has(n) {
			return true
		}
	}
	return false
}

// member finds the resource of that configured id in an instance.
func member(k *model.Resource, id string, ok func(*model.Resource) bool) *model.Resource {
	if (k.ID == id || k.XMLID == id) && (ok == nil || ok(k)) {
		return k
	}
	for _, c := range k.Children {
		if m := member(c, id, ok); m != nil {
			return m
		}
	}
	return nil
}

// withPromotable makes a dependent follow or avoid instances in a role
// (pcmk__update_dependent_with_promotable).
func withPromotable(dep, pri *model.Resource, k *model.Colocation) {
	var at []model.Weighted
	for _, inst := range pri.Children {
		n := inst.Location(model.Planned)
		if n == nil || inst.State(false) != k.PrimaryRole {
			continue
		}
		if k.Score < model.Inf {
			for w := range dep.Allowed.All {
				if sameValue(n, w.Node, k.NodeAttr) {
					w.Score = score.Add(w.Score, k.Score)
					dep.Explain(w, k.Score, model.Why{Cause: model.CauseColocation, Colocation: k})
				}
			}
		}
		at = append(at, chosen(inst))
	}
	if k.Score >= model.Inf && (k.DependentRole != model.Promoted || k.PrimaryRole != model.Promoted) {
		keepOnly(dep, at, true, k)
	}
}

// chosen is what the part of r that was assigned first thought of its node.
func chosen(r *model.Resource) model.Weighted {
	if len(r.Children) == 0 {
		return r.Chosen
	}
	for _, k := range r.Children {
		if k.Location(model.Planned) != nil {
			return chosen(k)
		}
	}
	return model.Weighted{}
}

// withPromotedPriority makes an instance more or less worth promoting by whether the
// primary is promoted there (pcmk__update_promotable_dependent_priority).
func withPromotedPriority(dep, pri *model.Resource, k *model.Colocation) {
	if Compatible(dep, pri, k.PrimaryRole, false) != nil {
		dep.Priority = score.Add(dep.Priority, k.Score)
	} else if k.Score >= model.Inf {
		dep.Priority = -model.Inf
	}
}
