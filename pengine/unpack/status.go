package unpack

import (
	"strings"

	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// status reads the status section (unpack_status).
func (u *unpacker) status(n *xmltree.Node) {
	c := u.c
	var states []*xmltree.Node
	n.Each("node_state", func(x *xmltree.Node) { states = append(states, x) })
	u.indexHistory(states)
	n.Elements(func(x *xmltree.Node) {
		switch x.Name {
		case "tickets":
			x.Each("ticket_state", u.ticket)
		case "node_state":
			u.nodeState(x)
		}
	})
	for u.histories(states, false) {
	}
	u.histories(states, c.Opt.StonithEnabled)
	for i := len(c.StopNeeded) - 1; i >= 0; i-- {
		if n := c.StopNeeded[i].Current(); n != nil {
			plan.Stop(c.StopNeeded[i], n, false)
		}
	}
	c.StopNeeded = nil
	for _, n := range c.Nodes {
		if n.Kind != model.Remote {
			continue
		}
		if n.Shutdown && n.RemoteRsc != nil {
			n.RemoteRsc.NextRole = model.Stopped
		}
		if !n.Unpacked {
			remoteOnline(n)
		}
	}
}

func (u *unpacker) ticket(x *xmltree.Node) {
	if x.ID() == "" {
		return
	}
	t := u.c.Ticket(x.ID())
	for _, a := range x.Attrs {
		if a.Name != "id" {
			t.State[a.Name] = a.Value
		}
	}
	t.Granted, t.Standby = model.True(t.State["granted"]), model.True(t.State["standby"])
}

// nodeState reads what the cluster knows about a node (unpack_node_state).
func (u *unpacker) nodeState(x *xmltree.Node) {
	c := u.c
	id, ok1 := x.Get("id")
	name, ok2 := x.Get("uname")
	if !ok1 || !ok2 {
		missing := "uname"
		if !ok1 {
			missing = "id"
		}
		c.Report(model.LogWarn, "unpack_node_state", "Ignoring malformed node_state entry without "+missing)
		return
	}
	n := c.NodeAny(id, name)
	if n == nil {
		c.Report(model.ConfigWarn, "unpack_node_state", "Ignoring recorded node state for '"+name+"' because it is no longer in the configuration")
		return
	}
	if n.Kind == model.Remote {
		n.WasFenced = model.Int(x.Attr("node_fenced"), 0) != 0
		return
	}
	u.nodeAttrs(x.Child("transient_attributes"), n, true)
	if model.True(n.Attrs["standby"]) {
		n.Standby = true
	}
	if model.True(n.Attrs["maintenance"]) {
		n.Maintenance = true
	}
	n.Unclean, n.Unseen = false, false
	u.online(x, n)
	if !c.HaveQuorum && n.Online && c.Opt.NoQuorum == model.QuorumSuicide {
		plan.FenceNode(c, n, "cluster does not have quorum", false)
	}
}

// online decides whether a cluster node is online (determine_online_status).
func (u *unpacker) online(x *xmltree.Node, n *model.Node) {
	n.Shutdown, n.ExpectedUp = false, false
	if n.ShutdownRequested() {
		n.Shutdown = true
	} else if strings.EqualFold(x.Attr("expected"), "member") {
		n.ExpectedUp = true
	}
	up := false
	switch {
	case n.Kind == model.Ping:
		n.Unclean = false
	case !u.c.Opt.StonithEnabled:
		up = u.onlineUnfenced(x, n)
	default:
		up = u.onlineFenced(x, n)
	}
	if up {
		n.Online = true
	}
	if !up || n.Shutdown {
		n.Score = -model.Inf
	}
	if n.Unclean {
		u.c.Report(model.ProcWarn, "determine_online_status", n.Name+" is unclean")
	}
}

func (u *unpacker) onlineUnfenced(x *xmltree.Node, n *model.Node) bool {
	switch {
	case !model.True(x.Attr("in_ccm")):
	case strings.EqualFold(x.Attr("crmd"), "online"):
		return strings.EqualFold(x.Attr("join"), "member")
	case n.ExpectedUp:
		plan.FenceNode(u.c, n, "peer is unexpectedly down", false)
	}
	return false
}

func (u *unpacker) onlineFenced(x *xmltree.Node, n *model.Node) bool {
	inCCM, seen := x.Get("in_ccm")
	join := strings.ToLower(x.Attr("join"))
	expected, ok := x.Get("expected")
	if !ok {
		expected = "down"
	}
	terminate := n.Attrs["terminate"]
	kill := model.True(terminate) || (terminate != "" && terminate[0] >= '1' && terminate[0] <= '9')
	member := model.True(inCCM)
	process := strings.EqualFold(x.Attr("crmd"), "online")
	down := strings.EqualFold(expected, "down")
	fence := func(reason string, delay bool) { plan.FenceNode(u.c, n, reason, delay) }
	switch {
	case n.Shutdown:
		return process
	case !seen:
		fence("peer has not been seen by the cluster", false)
	case join == "banned":
		fence("peer failed Pacemaker membership criteria", false)
	case !kill && down:
		if member || process {
			n.Standby, n.Pending = true, true
		}
	case kill && join == "down" && !member && !process:
		return false
	case !member:
		fence("peer is no longer part of the cluster", true)
	case !process:
		fence("peer process is no longer available", false)
	case kill:
		fence("termination was requested", false)
	case join == "member":
	case join == "pending", join == "down":
		n.Standby, n.Pending = true, true
	default:
		fence("peer was in an unknown state", false)
	}
	return member
}

// remoteOnline decides whether a remote or guest node is online
// (determine_remote_online_status).
func remoteOnline(n *model.Node) {
	r := n.RemoteRsc
	if r == nil {
		n.Online = false
		return
	}
	k := r.Container
	var host *model.Node
	if k != nil && len(r.RunningOn) == 1 {
		host = r.RunningOn[0]
	}
	if r.Role == model.Started {
		n.Online = true
		if r.NextRole == model.Stopped {
			n.Shutdown = true
		}
	}
	switch {
	case k != nil && k.Is(model.Failed):
		n.Online, n.RequiresReset = false, true
	case r.Is(model.Failed):
		n.Online = false
	case r.Role == model.Stopped || (k != nil && k.Role == model.Stopped):
		n.Online, n.RequiresReset = false, false
	case host != nil && !host.Online && host.Unclean:
		n.Online, n.RequiresReset = false, true
	}
}

// remoteAttrs reads the transient attributes of a remote or guest node
// (unpack_handle_remote_attrs).
func (u *unpacker) remoteAttrs(x *xmltree.Node, n *model.Node) {
	n.RemoteMaintenance = model.Int(x.Attr("node_in_maintenance"), 0)
	if !n.RequiresReset {
		n.Unclean, n.Unseen = false, false
	}
	u.nodeAttrs(x.Child("transient_attributes"), n, true)
	if n.ShutdownRequested() {
		n.Shutdown = true
	}
	if model.True(n.Attrs["standby"]) {
		n.Standby = true
	}
	if model.True(n.Attrs["maintenance"]) || (n.RemoteRsc != nil && !n.RemoteRsc.Is(model.Managed)) {
		n.Maintenance = true
	}
	if v := n.Attrs["resource-discovery-enabled"]; v != "" && !model.True(v) && (!n.IsRemote() || u.c.Opt.StonithEnabled) {
		n.NoDiscovery = true
	}
}

// histories reads the operation histories of nodes whose state is known by now; it
// says whether there was any, so that what they told can be used for others
// (unpack_node_history).
func (u *unpacker) histories(states []*xmltree.Node, fence bool) bool {
	c, any := u.c, false
	for _, x := range states {
		n := c.NodeAny(x.Attr("id"), x.Attr("uname"))
		if x.ID() == "" || x.Attr("uname") == "" || n == nil || n.Unpacked {
			continue
		}
		r := n.RemoteRsc
		switch {
		case fence:
		case n.IsGuest():
			if r == nil || r.Role != model.Started || r.Container.Role != model.Started {
				continue
			}
		case n.IsRemote():
			if r == nil || (!c.Opt.ShutdownLock && r.Role != model.Started) {
				continue
			}
		case !c.Opt.StonithEnabled && !c.Opt.ShutdownLock && !n.Online:
			continue
		}
		if n.Kind == model.Remote {
			remoteOnline(n)
			u.remoteAttrs(x, n)
		}
		n.Unpacked = true
		u.nodeHistory(x, n)
		any = true
	}
	return any
}

func (u *unpacker) indexHistory(states []*xmltree.Node) {
	for _, x := range states {
		name := x.Attr("uname")
		m := u.c.History[name]
		if m == nil {
			m = map[string]*model.History{}
			u.c.History[name] = m
		}
		x.Path("lrm", "lrm_resources").Each("lrm_resource", func(l *xmltree.Node) {
			h := readHistory(l)
			u.recorded[l] = h
			u.c.Histories[name] = append(u.c.Histories[name], h)
			if m[l.ID()] == nil {
				m[l.ID()] = h
			}
		})
	}
}

func readHistory(x *xmltree.Node) *model.History {
	h := &model.History{ID: x.ID()}
	h.Class, h.HasClass = x.Get("class")
	h.Prov, h.HasProv = x.Get("provider")
	h.Type, h.HasType = x.Get("type")
	h.Container, h.HasContainer = x.Get("container")
	h.ShutdownLock, _ = score.LeadingInt(x.Attr("shutdown-lock"))
	x.Each("lrm_rsc_op", func(o *xmltree.Node) { h.Ops = append(h.Ops, readOp(o)) })
	return h
}

func readOp(x *xmltree.Node) *model.HistoryOp {
	num := func(name string, def int) int {
		if v, ok := score.LeadingInt(x.Attr(name)); ok {
			return int(v)
		}
		return def
	}
	o := &model.HistoryOp{ID: x.ID(), OnNode: x.Attr("on_node"), CallID: num("call-id", -1), RC: num("rc-code", 0),
		Status: num("op-status", model.ExecUnknown), StatusText: x.Attr("op-status"), RCText: x.Attr("rc-code"),
		TransitionKey: x.Attr("transition-key"), TransitionMagic: x.Attr("transition-magic"),
		MigrateSource: x.Attr("migrate_source"), MigrateTarget: x.Attr("migrate_target"), FeatureSet: x.Attr("crm_feature_set"),
		Digest: x.Attr("op-digest"), SecureDigest: x.Attr("op-secure-digest")}
	o.CallText, o.IntervalText = x.Attr("call-id"), x.Attr("interval")
	o.ExecTime, o.QueueTime = x.Attr("exec-time"), x.Attr("queue-time")
	o.ExitReason, o.HasExitReason = x.Get("exit-reason")
	if o.Key, o.HasKey = x.Get("operation_key"); !o.HasKey {
		o.Key = o.ID
	}
	o.Task, o.HasTask = x.Get("operation")
	if v, ok := score.LeadingInt(x.Attr("interval")); ok {
		o.IntervalMS = uint32(v)
	}
	o.LastChange, o.HasLastChange = score.LeadingInt(x.Attr("last-rc-change"))
	_, o.HasCallID = x.Get("call-id")
	o.RestartDigest, o.HasRestartDigest = x.Get("op-restart-digest")
	o.ForceRestart, o.HasForceRestart = x.Get("op-force-restart")
	o.SecureParams, o.HasSecureParams = x.Get("op-secure-params")
	return o
}
