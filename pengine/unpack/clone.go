package unpack

import (
	"strconv"

	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
)

// clone reads a clone and makes its instances (clone_unpack).
func (u *unpacker) clone(r *model.Resource, n *xmltree.Node) bool {
	k := &model.CloneInfo{NodeMax: 1, Max: max(1, len(u.c.Nodes)), Ordered: model.True(r.Meta["ordered"])}
	r.Clone = k
	if r.Is(model.Promotable) {
		k.PromotedMax = metaInt(r, 1, "promoted-max", "master-max")
		k.PromotedNodeMax = metaInt(r, 1, "promoted-node-max", "master-node-max")
	}
	k.NodeMax = metaInt(r, k.NodeMax, "clone-node-max")
	k.Max = u.bounded(r, metaInt(r, k.Max, "clone-max"), maxInstances)
	if !r.Is(model.Unique) && k.NodeMax > 1 {
		u.c.Report(model.ConfigErr, "clone_unpack", "Ignoring promoted-max for "+r.ID+" because anonymous clones support only one instance per node")
		k.NodeMax = 1
	}
	var child *xmltree.Node
	n.Elements(func(x *xmltree.Node) {
		if child == nil && (x.Name == "primitive" || x.Name == "group") {
			child = x
		}
	})
	if child == nil {
		u.c.Report(model.ConfigErr, "clone_unpack", r.ID+" has nothing to clone")
		return false
	}
	k.ChildID = child.ID()
	k.NewChild = func() *model.Resource { return u.instance(r, child) }
	if _, have := r.Meta["resource-stickiness"]; !have {
		r.Meta["resource-stickiness"] = "1"
	}
	if _, have := r.Meta["globally-unique"]; !have {
		r.Meta["globally-unique"] = strconv.FormatBool(r.Is(model.Unique))
	}
	if k.Max <= 0 {
		return u.instance(r, child) != nil
	}
	for i := 0; i < k.Max; i++ {
		if u.instance(r, child) == nil {
			return false
		}
	}
	return true
}

// maxInstances and maxReplicas are far above what a cluster can run, and keep a
// slip in one number from taking all memory; the original has no limits. Each
// replica of a bundle is a node too, so that theirs counts twice.
const (
	maxInstances = 4000
	maxReplicas  = 200
)

func (u *unpacker) bounded(r *model.Resource, n, most int) int {
	if n > most {
		u.c.Errorf("Using " + strconv.Itoa(most) + " instances of " + r.ID + " instead of " + strconv.Itoa(n))
	}
	return min(n, most)
}

func metaInt(r *model.Resource, def int, names ...string) int {
	for _, name := range names {
		if v, ok := r.Meta[name]; ok {
			return r.Cluster.MinInt(v, 0)
		}
	}
	return def
}

// instance makes the next instance of a clone, an orphan when there are enough
// (pe__create_clone_child).
func (u *unpacker) instance(r *model.Resource, child *xmltree.Node) *model.Resource {
	orphan := r.Clone.Total >= r.Clone.Max
	limit := strconv.Itoa(r.Clone.Max)
	k := u.resource(child, strconv.Itoa(r.Clone.Total), r)
	if k == nil {
		return nil
	}
	r.Clone.Total++
	r.Children = append(r.Children, k)
	if orphan {
		k.SetAll(model.Orphan)
	}
	if _, have := k.Meta["clone-max"]; !have {
		k.Meta["clone-max"] = limit
	}
	return k
}
