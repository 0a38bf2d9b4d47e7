package action

import (
	"strconv"

	"github.com/pacesync/pacesync/pengine/constraint"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// FenceAndShutDown schedules fencing and shutdown of nodes and orders them, the DC
// last (schedule_fencing_and_shutdowns).
func FenceAndShutDown(c *model.Cluster) {
	managed := false
	for _, r := range c.Resources {
		managed = managed || r.Any(model.Managed)
	}
	var dcDown *model.Action
	var fences, shutdowns []*model.Action
	lost := false
	for _, n := range c.Nodes {
		if n.IsGuest() {
			if n.RequiresReset && managed && plan.CanFence(c, n) {
				fenceGuest(c, n)
			}
			continue
		}
		switch {
		case managed && n.Unclean && plan.CanFence(c, n):
			f := plan.FenceOp(c, n, plan.Fencing{Reason: "node is unclean"})
			c.Report(model.PeWarn, "schedule_fencing", "Scheduling node "+n.Name+" for fencing")
			vsFence(c, f)
			if n.IsDC {
				dcDown = f
				continue
			}
			if !c.Opt.ConcurrentFencing && len(fences) > 0 {
				model.Link(fences[len(fences)-1], f, model.OrderOptional)
			}
			fences = append(fences, f)
		case n.Kind != model.Remote && n.Online && n.Shutdown:
			s := shutDown(c, n)
			if n.IsDC {
				dcDown = s
			} else {
				shutdowns = append(shutdowns, s)
			}
		}
		if n.Unclean && !(managed && plan.CanFence(c, n)) {
			lost = true
			c.Report(model.PeWarn, "schedule_fencing_and_shutdowns", "Node "+n.Name+" is unclean but cannot be fenced")
		}
	}
	if lost {
		reportIntegrityLost(c)
	}
	if dcDown == nil {
		return
	}
	if dcDown.Task == model.Shutdown {
		linkAll(shutdowns, dcDown)
	}
	if c.Opt.ConcurrentFencing {
		linkAll(fences, dcDown)
	} else if len(fences) > 0 {
		model.Link(fences[len(fences)-1], dcDown, model.OrderOptional)
	}
}

func linkAll(before []*model.Action, after *model.Action) {
	for i := len(before) - 1; i >= 0; i-- {
		model.Link(before[i], after, model.OrderOptional)
	}
}

// shutDown lets a node leave after its resources stopped (pcmk__new_shutdown_action).
func shutDown(c *model.Cluster, n *model.Node) *model.Action {
	s := plan.Action(c, plan.Spec{Key: model.Shutdown + "-" + n.Name, Task: model.Shutdown, Node: n, Required: true})
	for i := len(c.Actions) - 1; i >= 0; i-- {
		a := c.Actions[i]
		if a.Rsc == nil || a.Node != n || a.Task != model.Stop || a.Rsc.Is(model.InMaintenance) || n.Maintenance ||
			a.Rsc.Flags&(model.Managed|model.Block) == 0 {
			continue
		}
		a.Clear(model.Optional)
		constraint.Order(c, model.Ordering{First: a, Then: s, ThenKey: model.Shutdown, Type: model.OrderOptional | model.RunnableLeft})
	}
	plan.AddMeta(s, "op_no_wait", "true")
	return s
}

// fenceGuest makes a guest node count as fenced once its container has stopped
// (pcmk__fence_guest).
func fenceGuest(c *model.Cluster, n *model.Node) {
	k := n.RemoteRsc.Container
	op := "off"
	down := k.First("", model.Stop, nil)
	if k.First("", model.Start, nil) != nil {
		op = "reboot"
	}
	f := plan.FenceOp(c, n, plan.Fencing{Op: op, Reason: "guest is unclean"})
	f.Set(model.Pseudo | model.Runnable)
	switch {
	case down != nil && down.Is(model.Pseudo):
		host := plan.FenceOp(c, down.Node, plan.Fencing{})
		model.Link(host, f, model.RunnableLeft|model.ImpliesThen)
	case down != nil:
		model.Link(down, f, model.RunnableLeft|model.ImpliesThen)
	default:
		if down = n.RemoteRsc.First("", model.Stop, nil); down != nil {
			model.Link(down, f, model.OrderOptional)
		}
	}
	vsFence(c, f)
}

// vsFence orders all resources against the fencing of a node (pcmk__order_vs_fence).
func vsFence(c *model.Cluster, f *model.Action) {
	for _, r := range c.Resources {
		rscVsFence(r, f)
	}
}

func rscVsFence(r *model.Resource, f *model.Action) {
	if len(r.Children) > 0 {
		for _, k := range r.Children {
			rscVsFence(k, f)
		}
		return
	}
	if r.Is(model.Managed) {
		startVsFence(r, f)
		stopVsFence(r, f)
	}
}

func startVsFence(r *model.Resource, f *model.Action) {
	for i := len(r.Actions) - 1; i >= 0; i-- {
		switch a := r.Actions[i]; a.Needs {
		case model.NeedsStonith:
			model.Link(f, a, model.OrderOptional)
		case model.NeedsQuorumOnly:
			if a.Task == model.Start && r.Allowed.Get(f.Node) != nil && !knownThere(r, f.Node) {
				model.Link(f, a, model.OrderOptional|model.RunnableLeft)
			}
		}
	}
}

func knownThere(r *model.Resource, n *model.Node) bool {
	return r.Known.Has(n) || (r.Variant == model.Primitive && r.Parent.IsAnonClone() && r.Parent.Known.Has(n))
}

// stopVsFence makes stops and demotes on a fenced node happen by the fencing
// (order_stop_vs_fencing).
func stopVsFence(r *model.Resource, f *model.Action) {
	n := f.Node
	implicit := r.Is(model.NeedsFencing) || n.IsGuest()
	stops := r.ActionsFor(model.Key(r.ID, model.Stop, 0), n)
	var parent *model.Action
	if len(stops) > 0 && implicit {
		parent = r.Top().First("", model.Stop, nil)
	}
	for _, a := range stops {
		a.Set(model.Pseudo | model.Runnable)
		if implicit {
			a.Set(model.ImpliedByFencing)
			if !r.Bundled() {
				model.Link(f, a, model.Preserve)
			}
			model.Link(f, parent, model.Preserve)
		}
		if r.Is(model.Notify) {
			notifyAfterFencing(a, r, f)
		}
	}
	for _, a := range r.ActionsFor(model.Key(r.ID, model.Demote, 0), n) {
		if a.Node.Online && !a.Node.Unclean && !r.Is(model.Failed) {
			continue
		}
		a.Set(model.Pseudo | model.Runnable)
		if !r.Bundled() && implicit {
			model.Link(f, a, model.Preserve|model.OrderOptional)
		}
	}
}

// vsUnfence makes an action wait for the unfencing of its node where that matters
// (pcmk__order_vs_unfence).
func vsUnfence(r *model.Resource, n *model.Node, a *model.Action, t model.Order) {
	c := r.Cluster
	if (!r.Is(model.FenceDevice) || !c.Opt.EnableUnfencing) && !r.Is(model.NeedsUnfencing) {
		return
	}
	if n == nil {
		return
	}
	u := plan.FenceOp(c, n, plan.Fencing{Op: "on", Optional: true})
	model.Link(u, a, t)
	if !plan.Unfenced(n) {
		plan.Unfence(c, nil, n, "required by "+r.ID+" "+a.Task)
	}
}

func reportIntegrityLost(c *model.Cluster) {
	if !c.Opt.StonithEnabled {
		c.Report(model.PeWarn, "schedule_fencing_and_shutdowns", "Resource functionality and data integrity cannot be guaranteed "+
			"(configure, enable, and test fencing to correct this)")
	}
}

// reportMultiple tells of a resource that is active on too many nodes.
func reportMultiple(r *model.Resource, nodes int) {
	class := r.Class
	if class == "" {
		class = "Untyped"
	}
	recovery := [...]string{model.RecoverStopStart: "attempting recovery", model.RecoverStopOnly: "shutting it down",
		model.RecoverBlock: "waiting for an administrator", model.RecoverStopUnexpected: "stopping unexpected instances"}[r.Recovery]
	r.Cluster.Report(model.ProcErr, "pcmk__primitive_create_actions", class+" resource "+r.ID+" might be active on "+strconv.Itoa(nodes)+" nodes ("+recovery+")")
}
