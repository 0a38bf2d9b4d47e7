package place

import (
	"slices"

	"github.com/pacesync/pacesync/pengine/model"
)

// showScores lists what a resource and those in it think of nodes; fn is the name of
// the original's function, which is part of the text.
func showScores(r *model.Resource, fn string) {
	if s := r.Cluster.Shown; s != nil && s.Scores {
		showBelow(s, r, fn)
	}
}

func showBelow(s *model.Shown, r *model.Resource, fn string) {
	if r.Is(model.Orphan) {
		return
	}
	for _, n := range r.Cluster.Nodes {
		if w := r.Allowed.Get(n); w != nil && w.Node == n {
			s.Add(model.ShownLine{Kind: model.ShownScore, By: fn, Rsc: r.ID, Node: n.Name, Score: w.Score.String()})
		}
	}
	for _, k := range r.Children {
		showBelow(s, k, fn)
	}
}

func showPromotion(k *model.Resource) {
	s := k.Cluster.Shown
	if s == nil || !s.Scores {
		return
	}
	name := ""
	if n := k.Location(model.Planned); n != nil {
		name = n.Name
	}
	s.Add(model.ShownLine{Kind: model.ShownPromotion, Rsc: k.ID, Node: name, Score: k.SortIndex.String()})
}

func showCapacities(c *model.Cluster, when string) {
	if c.Shown == nil || !c.Shown.Utilization {
		return
	}
	for _, n := range c.Nodes {
		c.Shown.Add(model.ShownLine{Kind: model.ShownCapacity, By: when, Node: n.Name, Amounts: amounts(n.Utilization)})
	}
}

func showUtilization(r *model.Resource, n *model.Node) {
	if s := r.Cluster.Shown; s != nil && s.Utilization {
		s.Add(model.ShownLine{Kind: model.ShownUtilization, By: "pcmk__finalize_assignment", Rsc: r.ID, Node: n.Name, Amounts: amounts(r.Utilization)})
	}
}

// amounts lists utilization in the order of the original's hash table.
func amounts(m map[string]string) (out [][2]string) {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, i := range model.HashOrder(keys) {
		out = append(out, [2]string{keys[i], m[keys[i]]})
	}
	return out
}
