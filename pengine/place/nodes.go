package place

import (
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/pengine/model"
)

// ranked returns the nodes of a table, the best first (pcmk__sort_nodes).
func ranked(c *model.Cluster, t *model.Table, active *model.Node) []*model.Weighted {
	var nodes []*model.Weighted
	if c.Opt.Strategy == "balanced" || c.SameNames {
		// Capacities are not totally ordered, nor are namesakes: the result depends on where it starts.
		nodes = t.Hashed()
		slices.Reverse(nodes)
	} else {
		nodes = t.List()
	}
	sortNodes(c, nodes, active)
	return nodes
}

func sortNodes(c *model.Cluster, nodes []*model.Weighted, active *model.Node) {
	model.MergeSort(nodes, func(a, b *model.Weighted) int { return compareNodes(c, a, b, active) })
}

func compareNodes(c *model.Cluster, a, b *model.Weighted, active *model.Node) int {
	sa, sb := a.Score, b.Score
	if !a.Usable() {
		sa = -model.Inf
	}
	if !b.Usable() {
		sb = -model.Inf
	}
	if sa != sb {
		return first(sa > sb)
	}
	if c.Opt.Strategy != "minimal" {
		if c.Opt.Strategy == "balanced" {
			if d := compareCapacity(a.Node, b.Node); d != 0 {
				return d
			}
		}
		switch {
		case a.NumResources != b.NumResources:
			return a.NumResources - b.NumResources
		case active != nil && active == a.Node:
			return -1
		case active != nil && active == b.Node:
			return 1
		}
	}
	return strings.Compare(a.Name, b.Name)
}

// sortResources orders resources by who should be assigned first, for placement by
// utilization (pcmk__sort_resources).
func sortResources(c *model.Cluster) {
	nodes := make([]*model.Weighted, 0, len(c.Nodes))
	for _, n := range c.Nodes {
		nodes = append(nodes, &model.Weighted{Node: n, Score: n.Score})
	}
	sortNodes(c, nodes, nil)
	tables := map[*model.Resource]*model.Table{}
	table := func(r *model.Resource) *model.Table {
		t := tables[r]
		if t == nil {
			v := colocatedFrom(r, 1, selectThisWith)
			t = &v
			tables[r] = t
		}
		return t
	}
	model.MergeSort(c.Resources, func(a, b *model.Resource) int {
		if a.Priority != b.Priority {
			return first(a.Priority > b.Priority)
		}
		ta, tb := table(a), table(b)
		if d := compareScores(scoreOn(ta, a.Current()), scoreOn(tb, b.Current())); d != 0 {
			return d
		}
		for _, w := range nodes {
			if d := compareScores(scoreOn(ta, w.Node), scoreOn(tb, w.Node)); d != 0 {
				return d
			}
		}
		return 0
	})
}

func compareScores(a, b score.Score) int {
	switch {
	case a > b:
		return -1
	case a < b:
		return 1
	}
	return 0
}

func scoreOn(t *model.Table, n *model.Node) score.Score {
	if w := t.Get(n); w != nil {
		return w.Score
	}
	return -model.Inf
}
