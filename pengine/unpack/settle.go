package unpack

import (
	"strings"

	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// settle draws the conclusions from the history of r on n (process_rsc_state).
func (u *unpacker) settle(r *model.Resource, n *model.Node, onFail model.OnFail) {
	if r.Role != model.Unknown {
		for p := r; p != nil; p = p.Parent {
			p.Known.Add(n)
			if p.Is(model.Unique) {
				break
			}
		}
	}
	if r.Role > model.Stopped && !n.Online && !n.Maintenance && r.Is(model.Managed) {
		u.fenceForActive(r, n)
	}
	failed := onFail != model.FailIgnore
	if n.Unclean {
		onFail = model.FailIgnore
	}
	u.react(r, n, onFail)
	if r.Is(model.Failed) && r.IsRemoteConn {
		if rn := u.c.Node(r.ID); rn != nil && rn.Unclean {
			rn.Unseen = false
		}
	}
	switch {
	case r.Role != model.Stopped && r.Role != model.Unknown:
		u.reportOrphan(r, n)
		u.addRunning(r, n, failed)
		switch onFail {
		case model.FailIgnore:
		case model.FailDemote, model.FailBlock:
			r.Set(model.Failed)
		default:
			r.Set(model.Failed | model.StopOnFail)
		}
	case strings.Contains(r.CloneName, ":"):
		r.CloneName = ""
	default:
		for _, a := range r.ActionsFor(model.Key(r.ID, model.Stop, 0), n) {
			a.Set(model.Optional)
		}
	}
	if r.Role == model.Stopped && r.PartialSource == n && r.PartialTarget != nil && len(r.RunningOn) > 0 {
		r.Role = model.Started
	}
}

func (u *unpacker) fenceForActive(r *model.Resource, n *model.Node) {
	reason := ""
	switch {
	case n.IsGuest():
		r.Set(model.Failed | model.StopOnFail)
	case !u.c.Opt.StonithEnabled:
		return
	case n.IsRemote() && n.RemoteRsc != nil && !n.RemoteRsc.Is(model.Failed):
		n.Unseen = true
		reason = r.ID + " is active there (fencing will be revoked if remote connection can be re-established elsewhere)"
	}
	if reason == "" {
		reason = r.ID + " is thought to be active there"
	}
	plan.FenceNode(u.c, n, reason, false)
}

// react does what on-fail asks for.
func (u *unpacker) react(r *model.Resource, n *model.Node, onFail model.OnFail) {
	active := r.Role != model.Stopped && r.Role != model.Unknown
	switch onFail {
	case model.FailDemote:
		r.Set(model.Failed)
		plan.Action(u.c, plan.Spec{Rsc: r, Task: model.Demote, Node: n, Required: true})
	case model.FailFence:
		plan.FenceNode(u.c, n, r.ID+" failed there", false)
	case model.FailStandby:
		n.Standby, n.StandbyOnFail = true, true
	case model.FailBlock:
		r.Clear(model.Managed)
		r.Set(model.Block)
	case model.FailMigrate:
		r.AddScore(n, -model.Inf, model.CauseOnFail)
	case model.FailStop:
		r.NextRole = model.Stopped
	case model.FailRecover:
		if active {
			r.Set(model.Failed | model.StopOnFail)
			plan.Stop(r, n, false)
		}
	case model.FailRestartContainer:
		r.Set(model.Failed | model.StopOnFail)
		switch {
		case r.Container != nil && r.Bundled():
			u.c.StopNeeded = append(u.c.StopNeeded, r.Container)
		case r.Container != nil:
			plan.Stop(r.Container, n, false)
		case active:
			plan.Stop(r, n, false)
		}
	case model.FailResetRemote:
		u.resetRemote(r, n)
	}
}

func (u *unpacker) resetRemote(r *model.Resource, n *model.Node) {
	r.Set(model.Failed | model.StopOnFail)
	if u.c.Opt.StonithEnabled && r.IsRemoteConn {
		if rn := u.c.Node(r.ID); rn != nil && rn.IsRemote() && !rn.WasFenced {
			plan.FenceNode(u.c, rn, "remote connection is unrecoverable", false)
		}
	}
	if r.Role > model.Stopped {
		plan.Stop(r, n, false)
	}
	if r.ReconnectMS != 0 {
		r.NextRole = model.Stopped
	}
}

// setActive gives an active resource the role that it has at least.
func setActive(r *model.Resource) {
	r.Role = model.Started
	if r.Top().Is(model.Promotable) {
		r.Role = model.Unpromoted
	}
}
