package unpack

import (
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// nodeHistory reads what was recorded on one node (unpack_node_lrm).
func (u *unpacker) nodeHistory(x *xmltree.Node, n *model.Node) {
	list := x.Path("lrm", "lrm_resources")
	fillers := false
	list.Each("lrm_resource", func(l *xmltree.Node) {
		r := u.resourceHistory(l, n)
		fillers = fillers || (r != nil && r.Is(model.OrphanFiller))
	})
	if !fillers {
		return
	}
	list.Each("lrm_resource", func(l *xmltree.Node) {
		h := u.recorded[l]
		if !h.HasContainer {
			return
		}
		k, r := u.c.Find(h.Container), u.c.Find(h.ID)
		if k != nil && r != nil && r.Is(model.OrphanFiller) && r.Container == nil {
			r.Container = k
			k.Fillers = append(k.Fillers, r)
		}
	})
}

// resourceHistory reads what was recorded about one resource on one node
// (unpack_lrm_resource).
func (u *unpacker) resourceHistory(x *xmltree.Node, n *model.Node) *model.Resource {
	c, h := u.c, u.recorded[x]
	if h.ID == "" || (len(h.Ops) == 0 && !c.Opt.ShutdownLock) {
		return nil
	}
	r := u.findRecorded(n, h.ID)
	if r == nil {
		if len(h.Ops) == 0 {
			return nil
		}
		if r = u.orphan(x, h); r == nil {
			return nil
		}
	}
	if c.Opt.ShutdownLock && h.ShutdownLock != 0 {
		if limit := c.Opt.ShutdownLockLimit; limit > 0 && c.Now.Unix > h.ShutdownLock+limit {
			plan.ClearHistory(r, n)
		} else {
			r.LockNode, r.LockTime = n, h.ShutdownLock
		}
	}
	saved := r.Role
	r.Role = model.Unknown
	ops := SortedOps(h)
	st := opState{r: r, n: n}
	for _, o := range ops {
		o.Node, o.Rsc = n, r
		u.result(&st, o)
	}
	start, stop := ActiveOps(ops)
	recurring(n, r, start, stop, ops)
	u.settle(r, n, st.onFail)
	if role, ok := TargetRole(r); ok && (r.NextRole == model.Unknown || role < r.NextRole) {
		r.NextRole = role
	}
	r.Role = max(r.Role, saved)
	return r
}

// SortedOps returns the operations in the order in which they happened.
func SortedOps(h *model.History) []*model.HistoryOp {
	ops := slices.Clone(h.Ops)
	slices.Reverse(ops)
	model.MergeSort(ops, func(a, b *model.HistoryOp) int { return compareOps(a, b, true) })
	return ops
}

// ActiveOps returns where in a sorted history the present activity begins and where
// it was last stopped, -1 for never (calculate_active_ops).
func ActiveOps(ops []*model.HistoryOp) (start, stop int) {
	start, stop = -1, -1
	monitor, clone := -1, -1
	for i, o := range ops {
		switch {
		case o.Task == model.Stop && o.StatusText == "0":
			stop = i
		case o.Task == model.Start, o.Task == model.MigrateFrom:
			start = i
		case monitor <= stop && o.Task == model.Monitor:
			if o.RCText == "0" || o.RCText == "8" {
				monitor = i
			}
		case o.Task == model.Promote, o.Task == model.Demote:
			clone = i
		}
	}
	if start == -1 {
		if start = clone; start == -1 {
			start = monitor
		}
	}
	return start, stop
}

// recurring notes the recurring operations that run (process_recurring).
func recurring(n *model.Node, r *model.Resource, start, stop int, ops []*model.HistoryOp) {
	if !n.Online {
		return
	}
	for i, o := range ops {
		if (start < stop && i <= stop) || i < start || o.IntervalMS == 0 || o.StatusText == "-1" {
			continue
		}
		plan.Action(r.Cluster, plan.Spec{Rsc: r, Task: o.Task, Interval: o.IntervalMS, Node: n})
	}
}

// Newer says whether a happened after b, both on the same node.
func Newer(a, b *model.HistoryOp) bool { return compareOps(a, b, true) > 0 }

// compareOps orders two recorded operations by when they happened (pe__is_newer_op).
func compareOps(a, b *model.HistoryOp, sameNode bool) int {
	if a.OnNode != "" && b.OnNode != "" {
		sameNode = strings.EqualFold(a.OnNode, b.OnNode)
	}
	switch {
	case sameNode && a.ID == b.ID:
		return 0
	case a.CallID == -1 && b.CallID == -1:
		return 0
	case sameNode && a.CallID >= 0 && a.CallID < b.CallID:
		return -1
	case sameNode && b.CallID >= 0 && a.CallID > b.CallID:
		return 1
	case a.CallID >= 0 && b.CallID >= 0 && (!sameNode || a.CallID == b.CallID):
		la, lb := change(a), change(b)
		switch {
		case la >= 0 && la < lb:
			return -1
		case lb >= 0 && la > lb:
			return 1
		}
		return 0
	}
	return comparePending(a, b)
}

func change(o *model.HistoryOp) int64 {
	if o.HasLastChange {
		return o.LastChange
	}
	return -1
}

// comparePending orders two operations of which one is pending, by transition.
func comparePending(a, b *model.HistoryOp) int {
	_, ka, okA := strings.Cut(a.TransitionMagic, ";")
	_, kb, okB := strings.Cut(b.TransitionMagic, ";")
	if !okA || !okB {
		return 0
	}
	x, okA := plan.ParseTransitionKey(ka)
	y, okB := plan.ParseTransitionKey(kb)
	if !okA || !okB {
		return 0
	}
	switch {
	case !strings.EqualFold(x.UUID, y.UUID) || x.Transition == y.Transition:
		if b.CallID == -1 {
			return -1
		}
		return 1
	case (x.Transition >= 0 && x.Transition < y.Transition) || y.Transition == -1:
		return -1
	}
	return 1
}

// findRecorded finds the resource that a record on a node means; for an anonymous
// clone that is the instance that fits (unpack_find_resource).
func (u *unpacker) findRecorded(n *model.Node, id string) *model.Resource {
	r := u.c.Find(id)
	var parent *model.Resource
	switch {
	case r == nil:
		if zero := u.c.Find(model.BaseName(id) + ":0"); zero != nil && !zero.Is(model.Unique) {
			r, parent = zero, zero.Top()
		}
	case r.Variant != model.Primitive:
		return nil
	default:
		parent = r.Top()
	}
	if parent.IsAnonClone() {
		if parent.Bundled() {
			r = nil
			for _, rep := range parent.Parent.Bundle.Replicas {
				if rep.Node == n {
					r = rep.Child
				}
			}
		} else {
			r = u.anonymous(n, parent, model.BaseName(id))
		}
	}
	if r != nil && !strings.EqualFold(id, r.ID) && !strings.EqualFold(id, r.CloneName) {
		u.c.Rename(r, id)
	}
	return r
}

// anonymous picks the instance for a record of an anonymous clone
// (find_anonymous_clone).
func (u *unpacker) anonymous(n *model.Node, parent *model.Resource, base string) *model.Resource {
	var r, idle *model.Resource
	skip := false
	for _, k := range parent.Children {
		if r != nil {
			break
		}
		_, at := k.Locate(model.NowOrPending)
		if len(at) > 0 {
			if at[0] == n {
				if r = inClone(k, base); r != nil && len(r.RunningOn) > 0 {
					skip, r = true, nil
				}
			}
			continue
		}
		if !skip && idle == nil && !k.Is(model.Block) {
			idle = inClone(k, base)
			if idle != nil && idle.PendingNode != nil && idle.PendingNode != n {
				idle = nil
			}
		}
	}
	if r == nil && !skip {
		r = idle
	}
	if r != nil && !r.Is(model.NeedsFencing) && (!n.Online || n.Unclean) && !n.IsGuest() && parent.Clone.Max != len(u.c.Nodes) {
		r = nil
	}
	if r == nil {
		if k := parent.Clone.NewChild(); k != nil {
			u.c.Register(k)
			r = inClone(k, base)
		}
	}
	return r
}

// inClone finds the resource of that configured id in an instance.
func inClone(k *model.Resource, id string) *model.Resource {
	if k.ID == id || k.XMLID == id {
		return k
	}
	for _, m := range k.Children {
		if r := inClone(m, id); r != nil {
			return r
		}
	}
	return nil
}

// orphan makes a resource for a record that the configuration does not explain
// (process_orphan_resource).
func (u *unpacker) orphan(l *xmltree.Node, h *model.History) *model.Resource {
	c := u.c
	x := xmltree.New("primitive")
	x.Attrs = slices.Clone(l.Attrs)
	r := u.resource(x, "", nil)
	if r == nil {
		return nil
	}
	c.Register(r)
	if isRemoteXML(x) {
		n := c.Node(r.ID)
		if n == nil {
			n = c.AddNode(r.ID, r.ID, model.Remote, 0)
		}
		u.linkRemote(r)
		n.Shutdown = true
	}
	if h.HasContainer {
		r.Set(model.OrphanFiller)
	}
	r.Set(model.Orphan)
	c.Resources = append(c.Resources, r)
	if !c.Opt.StopOrphanResources {
		r.Clear(model.Managed)
	} else {
		r.AddScore(nil, -model.Inf, model.CauseOrphan)
	}
	return r
}

// addRunning notes that r is active on n and what follows if that is one node too
// many (native_add_running).
func (u *unpacker) addRunning(r *model.Resource, n *model.Node, failed bool) {
	if r.RunsOn(n) {
		return
	}
	r.RunningOn = append(r.RunningOn, n)
	if r.Variant == model.Primitive {
		n.Running = append(n.Running, r)
		addPriority(r, n, failed)
		if n.Maintenance {
			r.Clear(model.Managed)
		}
	}
	if !r.Is(model.Managed) {
		r.AddScore(n, model.Inf, model.CauseUnmanaged)
		for p := r.Parent; p != nil && n.Online; p = p.Parent {
			p.RunningOn = append(p.RunningOn, n)
		}
		return
	}
	_, all, clean := r.ActiveOn()
	if !r.Is(model.NeedsFencing) {
		all = clean
	}
	if r.Variant == model.Primitive && all > 1 {
		u.multiplyActive(r)
	}
	if r.Parent != nil {
		u.addRunning(r.Parent, n, false)
	}
}

// addPriority adds to the worth of a node in a fencing duel (native_priority_to_node).
func addPriority(r *model.Resource, n *model.Node, failed bool) {
	if r.Priority == 0 || failed {
		return
	}
	p := int(r.Priority)
	if r.Role == model.Promoted {
		p++
	}
	n.Priority += p
	if n.RemoteRsc != nil && n.RemoteRsc.Container != nil {
		for _, host := range n.RemoteRsc.Container.RunningOn {
			host.Priority += p
		}
	}
}

func (u *unpacker) multiplyActive(r *model.Resource) {
	switch r.Recovery {
	case model.RecoverStopOnly:
		u.banEverywhere(r, model.CauseMultiple)
	case model.RecoverBlock:
		r.Clear(model.Managed)
		r.Set(model.Block)
		p := r.Parent
		if p != nil && (p.Variant == model.Group || p.Variant == model.Bundle) && p.Recovery == model.RecoverBlock {
			for _, k := range p.Children {
				k.Clear(model.Managed)
				k.Set(model.Block)
			}
		}
	}
}

// banEverywhere forgets every preference of r and bans it from all nodes.
func (u *unpacker) banEverywhere(r *model.Resource, cause model.Cause) {
	r.Allowed = model.Table{}
	for _, n := range u.c.Nodes {
		w := r.Allowed.Put(model.Weighted{Node: n, Discover: n.Discover})
		r.Ban(w, model.Why{Cause: cause})
	}
}
