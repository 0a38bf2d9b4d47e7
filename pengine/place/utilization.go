package place

import (
	"slices"
	"strconv"

	"github.com/pacesync/pacesync/pengine/model"
)

func amount(s string) int { return model.Int(s, -1<<31) }

func amountOr(m map[string]string, k string) int {
	v, ok := m[k]
	if !ok {
		return 0
	}
	if n := amount(v); n != -1<<31 {
		return n
	}
	return 0
}

// compareCapacity says which node has more room: negative when it is a
// (pcmk__compare_node_capacities).
func compareCapacity(a, b *model.Node) int {
	result := 0
	compare := func(x, y int) {
		switch {
		case x > y:
			result--
		case x < y:
			result++
		}
	}
	for k := range a.Utilization {
		compare(amountOr(a.Utilization, k), amountOr(b.Utilization, k))
	}
	for k := range b.Utilization {
		if _, both := a.Utilization[k]; !both {
			compare(0, amountOr(b.Utilization, k))
		}
	}
	return result
}

// consume takes what a resource needs from a node's capacity.
func consume(capacity, need map[string]string) {
	for k := range need {
		left := 0
		if _, have := capacity[k]; have {
			left = amountOr(capacity, k) - amountOr(need, k)
		}
		capacity[k] = strconv.Itoa(left)
	}
}

// release gives it back; with an empty map it also adds up needs.
func release(capacity, need map[string]string) {
	for k := range need {
		capacity[k] = strconv.Itoa(amountOr(capacity, k) + amountOr(need, k))
	}
}

func fits(n *model.Node, need map[string]string) bool {
	for k := range need {
		if amountOr(need, k) > amountOr(n.Utilization, k) {
			return false
		}
	}
	return true
}

// banFull bans a resource from nodes that lack room for it and what must go with it;
// where no node has room for all, it returns the one with most
// (pcmk__ban_insufficient_capacity).
func banFull(r *model.Resource) *model.Node {
	if r.Cluster.Opt.Strategy == "default" {
		return nil
	}
	together := colocatedWith(r, nil, nil)
	if len(together) == 0 {
		return nil
	}
	if !slices.Contains(together, r) {
		together = append(together, r)
	}
	need := map[string]string{}
	for _, k := range together {
		addUtilization(k, together, need)
	}
	any := false
	var most *model.Node
	for _, w := range r.Allowed.Hashed() {
		if !w.Available() {
			continue
		}
		any = any || fits(w.Node, need)
		if most == nil || compareCapacity(w.Node, most) < 0 {
			most = w.Node
		}
	}
	if !any {
		need = r.Utilization
	}
	for _, n := range r.Cluster.Nodes {
		if w := r.Allowed.Get(n); w != nil && w.Node == n && w.Available() && !fits(n, need) {
			r.AddScore(n, -model.Inf, model.CauseCapacity)
		}
	}
	if any {
		return nil
	}
	return most
}

// colocatedWith returns r and everything that must be on the same node
// (pcmk__colocated_resources).
func colocatedWith(r, orig *model.Resource, list []*model.Resource) []*model.Resource {
	if orig == nil {
		orig = r
	}
	if r.Variant == model.Group {
		members := r.Children
		if !r.GroupColocated && !r.Parent.IsClone() && len(members) > 0 {
			members = members[:1]
		}
		for _, m := range members {
			list = colocatedWith(m, orig, list)
		}
	}
	if slices.Contains(list, r) {
		return list
	}
	list = append(list, r)
	for _, k := range r.ThisWith {
		if k.Primary != orig && k.Score == model.Inf && affects(r, k.Primary, k, true) == affectsLocation {
			list = colocatedWith(k.Primary, orig, list)
		}
	}
	for _, k := range r.WithThis {
		if k.Dependent == orig || (r.IsClone() && !k.Dependent.IsClone()) {
			continue
		}
		if k.Score == model.Inf && affects(k.Dependent, r, k, true) == affectsLocation {
			list = colocatedWith(k.Dependent, orig, list)
		}
	}
	return list
}

// addUtilization adds what an unassigned resource needs (cmds->add_utilization).
func addUtilization(r *model.Resource, all []*model.Resource, need map[string]string) {
	if !r.Is(model.Provisional) {
		return
	}
	switch r.Variant {
	case model.Group:
		members := r.Children
		if !r.GroupColocated && !r.Parent.IsClone() && len(members) > 0 {
			members = members[:1]
		}
		for _, m := range members {
			if m.Is(model.Provisional) && !slices.Contains(all, m) {
				addUtilization(m, all, need)
			}
		}
	case model.Clone:
		addCloneUtilization(r, all, need)
	case model.Bundle:
		if len(r.Bundle.Replicas) > 0 {
			addUtilization(r.Bundle.Replicas[0].Container, all, need)
		}
	default:
		release(need, r.Utilization)
	}
}

func addCloneUtilization(r *model.Resource, all []*model.Resource, need map[string]string) {
	existing := false
	for _, k := range r.Children {
		if slices.Contains(all, k) {
			existing = true
			continue
		}
		for _, m := range k.Children {
			if slices.Contains(all, m) {
				addUtilization(k, all, need)
				existing = true
				break
			}
		}
	}
	if !existing && len(r.Children) > 0 {
		addUtilization(r.Children[0], all, need)
	}
}
