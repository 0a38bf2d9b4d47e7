package plan

import (
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/pengine/model"
)

// IsRemoteConn says whether r is the connection of a remote node (not a guest).
func IsRemoteConn(r *model.Resource) bool {
	if r == nil || !r.IsRemoteConn {
		return false
	}
	n := r.Cluster.Node(r.ID)
	return n != nil && n.IsRemote()
}

// GuestIn returns the connection of a guest node that r contains, nil if none.
func GuestIn(r *model.Resource) *model.Resource {
	if r == nil || !r.Cluster.HaveRemote {
		return nil
	}
	for _, f := range r.Fillers {
		if f.IsRemoteConn {
			return f
		}
	}
	return nil
}

// CanFence says whether a node can be fenced now, with quorum and devices at hand
// (pe_can_fence). A guest node is fenced by its container, so it can be where the
// container's hosts can; history may have a container on a guest within itself,
// which nobody can fence.
func CanFence(c *model.Cluster, n *model.Node) bool { return canFence(c, n, len(c.Nodes)) }

// canFence goes through at most so many guest nodes.
func canFence(c *model.Cluster, n *model.Node, guests int) bool {
	if n != nil && n.IsGuest() {
		if guests == 0 {
			return false
		}
		for _, host := range n.RemoteRsc.Container.RunningOn {
			if !host.Online && !canFence(c, host, guests-1) {
				return false
			}
		}
		return true
	}
	if !c.Opt.StonithEnabled || !c.Opt.HaveStonith {
		return false
	}
	return c.HaveQuorum || c.Opt.NoQuorum == model.QuorumIgnore || (n != nil && n.Online)
}

// FenceNode records that a node has to be fenced, and why (pe_fence_node).
func FenceNode(c *model.Cluster, n *model.Node, reason string, priorityDelay bool) {
	r := n.RemoteRsc
	switch {
	case n.IsGuest():
		if k := r.Container; !k.Is(model.Failed) && k.Is(model.Managed) {
			c.Report(model.LogWarn, "pe_fence_node", "Guest node "+n.Name+" will be fenced (by recovering its guest resource "+k.ID+"): "+reason)
			n.RequiresReset = true
			k.Set(model.Failed | model.StopOnFail)
		}
	case n.Kind == model.Remote && r != nil && r.Container == nil && r.Is(model.OrphanFiller):
		r.Set(model.Failed | model.StopOnFail)
	case n.IsRemote():
		if (r == nil || r.Is(model.Managed)) && !n.RequiresReset {
			c.Report(model.LogWarn, "pe_fence_node", "Remote node "+n.Name+" "+fate(c, n)+": "+reason)
			n.RequiresReset = true
		}
		n.Unclean = true
		FenceOp(c, n, Fencing{Optional: true, Reason: reason})
	case !n.Unclean:
		c.Report(model.LogWarn, "pe_fence_node", "Cluster node "+n.Name+" "+fate(c, n)+": "+reason)
		n.Unclean = true
		FenceOp(c, n, Fencing{Optional: true, Reason: reason, PriorityDelay: priorityDelay})
	}
}

func fate(c *model.Cluster, n *model.Node) string {
	if CanFence(c, n) {
		return "will be fenced"
	}
	return "is unclean"
}

// Fencing says how a node is to be fenced.
type Fencing struct {
	Op            string // default: stonith-action
	Optional      bool
	Reason        string
	PriorityDelay bool
}

// FenceOp returns the fencing of a node (pe_fence_op).
func FenceOp(c *model.Cluster, n *model.Node, f Fencing) *model.Action {
	if f.Op == "" {
		f.Op = c.Opt.StonithAction
	}
	key := model.Fence + "-" + n.Name + "-" + f.Op
	a := c.Single(key)
	if a == nil {
		a = Action(c, Spec{Key: key, Task: model.Fence, Node: n})
		AddMeta(a, "on_node", n.Name)
		AddMeta(a, "on_node_uuid", n.ID)
		AddMeta(a, "stonith_action", f.Op)
		if c.Opt.EnableUnfencing && unfencingDigests(c, a, n) {
			f.Optional = false
		}
	}
	if _, have := a.Meta["priority-fencing-delay"]; c.Opt.PriorityFencingDelay > 0 && (f.PriorityDelay || have) {
		a.Meta["priority-fencing-delay"] = strconv.Itoa(priorityDelay(c, n))
	}
	if !f.Optional && CanFence(c, n) {
		a.Clear(model.Optional)
		a.Because(f.Reason, false)
	} else if f.Reason != "" && a.Reason == "" {
		a.Reason = f.Reason
	}
	return a
}

// unfencingDigests adds to a fencing what the devices that unfence are configured
// like; it says whether one of them changed.
func unfencingDigests(c *model.Cluster, a *model.Action, n *model.Node) bool {
	var all, secure strings.Builder
	changed := false
	devices := unfencers(c.Resources, nil)
	for i := len(devices) - 1; i >= 0; i-- {
		d := devices[i]
		agent := d.Meta["type"]
		dig := compareFencing(d, agent, n)
		if dig.Result == model.DigestAll {
			changed = true
			notice(c, "notice: Unfencing Pacemaker Remote node "+n.Name+" because the definition of "+d.ID+" changed")
		}
		all.WriteString(d.ID + ":" + agent + ":" + dig.All + ",")
		secure.WriteString(d.ID + ":" + agent + ":" + dig.Secure + ",")
	}
	a.Meta["digests-all"] = all.String()
	a.Meta["digests-secure"] = secure.String()
	return changed
}

func notice(c *model.Cluster, text string) {
	if c.Shown != nil {
		c.Shown.Info(text)
	}
}

func unfencers(rs, out []*model.Resource) []*model.Resource {
	for _, r := range rs {
		switch {
		case len(r.Children) > 0:
			out = unfencers(r.Children, out)
		case !r.Is(model.FenceDevice):
		case r.Is(model.NeedsUnfencing), strings.EqualFold(r.Meta["provides"], "unfencing"):
			out = append(out, r)
		}
	}
	return out
}

// priorityDelay is the delay of fencing a lost node that matters more than the
// others, so that it wins a duel (node_priority_fencing_delay).
func priorityDelay(c *model.Cluster, n *model.Node) int {
	if n.Kind != model.Member || n.Online {
		return 0
	}
	members, online, top, low := 0, 0, 0, 0
	for _, m := range c.Nodes {
		if m.Kind != model.Member {
			continue
		}
		if members++; members == 1 {
			top, low = m.Priority, m.Priority
		}
		top, low = max(top, m.Priority), min(low, m.Priority)
		if m.Online {
			online++
		}
	}
	if online > members/2 || low == top || n.Priority < top {
		return 0
	}
	return c.Opt.PriorityFencingDelay
}

// Unfence schedules the unfencing of a node if that is how this cluster works;
// r is the device that changed, nil for another cause (trigger_unfencing).
func Unfence(c *model.Cluster, r *model.Resource, n *model.Node, reason string) {
	if !c.Opt.EnableUnfencing || (r != nil && !r.Is(model.FenceDevice)) {
		return
	}
	if n != nil && n.Online && !n.Unclean && !n.Shutdown {
		FenceOp(c, n, Fencing{Op: "on", Reason: reason})
		return
	}
	if r == nil {
		return
	}
	for w := range r.Allowed.All {
		if w.Online && !w.Unclean && !w.Shutdown {
			Unfence(c, r, w.Node, reason)
		}
	}
}

// Unfenced says whether a node has been unfenced since it joined.
func Unfenced(n *model.Node) bool {
	v, ok := n.Attrs["#node-unfenced"]
	return ok && v != "0"
}
