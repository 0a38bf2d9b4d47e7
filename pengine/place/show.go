package place

import (
	"slices"
	"strings"

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
		if w := r.Allowed.Get(n); w != nil {
			s.Item(fn + ": " + r.ID + " allocation score on " + n.Name + ": " + w.Score.String())
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
	name := "none"
	if n := k.Location(model.Planned); n != nil {
		name = n.Name
	}
	s.Item(k.ID + " promotion score on " + name + ": " + k.SortIndex.String())
}

func showCapacities(c *model.Cluster, when string) {
	if c.Shown == nil || !c.Shown.Utilization {
		return
	}
	for _, n := range c.Nodes {
		c.Shown.Item(when + ": " + n.Name + " capacity:" + amounts(n.Utilization))
	}
}

func showUtilization(r *model.Resource, n *model.Node) {
	if s := r.Cluster.Shown; s != nil && s.Utilization {
		s.Item("pcmk__finalize_assignment: " + r.ID + " utilization on " + n.Name + ":" + amounts(r.Utilization))
	}
}

// amounts writes utilization in the order of the original's hash table.
func amounts(m map[string]string) string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var b strings.Builder
	for _, i := range model.HashOrder(keys) {
		b.WriteString(" " + keys[i] + "=" + m[keys[i]])
	}
	return b.String()
}
