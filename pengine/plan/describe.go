package plan

import (
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/pengine/model"
)

const defaultTimeout = 20000 // CRM_DEFAULT_OP_TIMEOUT_S

// describe fills in what the configuration says about an action: meta attributes,
// timeout, what it needs and what its failure means (unpack_operation).
func describe(c *model.Cluster, a *model.Action, ms uint32) {
	r := a.Rsc
	env := rules.Env{Agent: &rules.Agent{Class: r.Class, Provider: r.Prov, Type: r.Type},
		Op: &rules.Op{Name: a.Task, IntervalMS: ms}}
	c.Apply(c.OpDefaults, env, a.Meta, false)
	probe := a.Task == model.Monitor && ms == 0
	if probe {
		if op := fastestMonitor(r); op != nil && op.Timeout != "" {
			a.Meta["timeout"] = op.Timeout
		}
	}
	if a.Op != nil {
		c.Apply(a.Op.Meta, env, a.Meta, true)
		for _, p := range a.Op.Attrs {
			a.Meta[p.Name] = p.Value
		}
	}
	delete(a.Meta, "id")
	if ms > 0 {
		a.Meta["interval"] = strconv.FormatUint(uint64(ms), 10)
	} else {
		delete(a.Meta, "interval")
	}
	if strings.EqualFold(r.Class, "stonith") && (a.Task == model.Start || probe) {
		if v, ok := r.Params(a.Node)["pcmk_monitor_timeout"]; ok {
			a.Meta["timeout"] = v
		}
	}
	timeout, ok := iso8601.MSec(a.Meta["timeout"])
	if !ok || timeout < 0 {
		timeout = defaultTimeout
	}
	a.Meta["timeout"] = strconv.FormatInt(int64(int32(timeout)), 10)
	describeNeeds(a)
	describeFailure(c, a, ms)
	describeDelay(c, a, ms)
}

func fastestMonitor(r *model.Resource) *model.Op {
	var best *model.Op
	for _, op := range r.Ops {
		if !op.Disabled && op.Name == model.Monitor && op.IntervalMS > 0 && (best == nil || op.IntervalMS < best.IntervalMS) {
			best = op
		}
	}
	return best
}

func describeNeeds(a *model.Action) {
	switch {
	case a.Task != model.Start && a.Task != model.Promote:
	case a.Rsc.Is(model.NeedsFencing):
		a.Needs = model.NeedsStonith
	case a.Rsc.Is(model.NeedsQuorum):
		a.Needs = model.NeedsQuorumOnly
	}
}

// describeFailure decides on-fail and the role after a failure.
func describeFailure(c *model.Cluster, a *model.Action, ms uint32) {
	value, r := configuredOnFail(a), a.Rsc
	known := true
	switch strings.ToLower(value) {
	case "block":
		a.OnFail = model.FailBlock
		a.Meta["on-fail"] = "block"
	case "fence":
		a.OnFail = model.FailFence
		if !c.Opt.StonithEnabled {
			c.Report(model.ConfigErr, "unpack_operation", "Resetting 'on-fail' for operation '"+a.Key+"' to 'stop' because 'fence' is not valid when fencing is disabled")
			a.OnFail, a.FailRole = model.FailStop, model.Stopped
		}
	case "standby":
		a.OnFail = model.FailStandby
	case "ignore", "nothing":
		a.OnFail = model.FailIgnore
	case "migrate":
		a.OnFail = model.FailMigrate
	case "stop":
		a.OnFail, a.FailRole = model.FailStop, model.Stopped
	case "restart":
		a.OnFail = model.FailRecover
	case "restart-container":
		known = r.Container != nil
		if known {
			a.OnFail = model.FailRestartContainer
		}
	case "demote":
		a.OnFail = model.FailDemote
	default:
		known = false
		if value != "" {
			c.Report(model.PeErr, "unpack_operation", "Resource "+r.ID+": Unknown failure type ("+value+")")
		}
	}
	defaultOnFail(c, a, ms, known)
	if v, ok := a.Meta["role_after_failure"]; ok && a.Op != nil {
		c.ReportOnce(model.PeWarn, "unpack_operation", "Support for role_after_failure is deprecated and will be removed in a future release")
		if a.FailRole == model.Unknown {
			a.FailRole = c.ParseRole(v)
		}
	}
	if a.FailRole == model.Unknown {
		a.FailRole = model.Started
		if a.Task == model.Promote {
			a.FailRole = model.Unpromoted
		}
	}
}

func defaultOnFail(c *model.Cluster, a *model.Action, ms uint32, known bool) {
	r := a.Rsc
	switch {
	case !known && r.Container != nil:
		a.OnFail = model.FailRestartContainer
	case (!known || !r.Is(model.Managed)) && IsRemoteConn(r) && (a.Task != model.Monitor || ms != 0) && a.Task != model.Start:
		if !r.Is(model.Managed) {
			a.OnFail, a.FailRole = model.FailStop, model.Stopped
			return
		}
		if r.ReconnectMS != 0 {
			a.FailRole = model.Stopped
		}
		a.OnFail = model.FailResetRemote
	case known:
	case a.Task == model.Stop && c.Opt.StonithEnabled:
		a.OnFail = model.FailFence
	case a.Task == model.Stop:
		a.OnFail = model.FailBlock
	default:
		a.OnFail = model.FailRecover
	}
}

// configuredOnFail returns on-fail as configured where it makes sense
// (unpack_operation_on_fail).
func configuredOnFail(a *model.Action) string {
	value, has := a.Meta["on-fail"]
	low := strings.ToLower(value)
	switch {
	case a.Task == model.Stop && (low == "standby" || low == "demote" || low == "stop"):
		a.Rsc.Cluster.Report(model.ConfigErr, "unpack_operation_on_fail", "Resetting 'on-fail' for "+a.Rsc.ID+" stop action to default value because '"+value+"' is not allowed for stop")
		return ""
	case a.Task == model.Demote && !has:
		for _, op := range a.Rsc.Ops {
			if op.OnFail != "" && !op.Disabled && promotedMonitor(op) && !strings.EqualFold(op.OnFail, "demote") {
				return op.OnFail
			}
		}
	case a.Task == model.LRMDelete:
		return "ignore"
	case low == "demote":
		if a.Op == nil || (!strings.EqualFold(a.Op.Name, model.Promote) && !promotedMonitor(a.Op)) {
			name := "(null)" // where only a default says so
			if a.Op != nil {
				name = a.Op.Name
			}
			a.Rsc.Cluster.Report(model.ConfigErr, "unpack_operation_on_fail", "Resetting 'on-fail' for "+a.Rsc.ID+" "+name+" action to default value because 'demote' is not allowed for it")
			return ""
		}
	}
	return value
}

func promotedMonitor(op *model.Op) bool {
	return strings.EqualFold(op.Name, model.Monitor) && op.IntervalMS > 0 && rules.ParseRole(op.Role) == model.Promoted
}

// describeDelay sets start-delay, given or computed from interval-origin.
func describeDelay(c *model.Cluster, a *model.Action, ms uint32) {
	if v, ok := a.Meta["start-delay"]; ok {
		delay, valid := iso8601.MSec(v)
		if !valid || int32(delay) < 0 {
			delay = 0
		}
		a.Meta["start-delay"] = strconv.FormatInt(int64(int32(delay)), 10)
		return
	}
	v, ok := a.Meta["interval-origin"]
	if !ok || ms < 1000 {
		return
	}
	origin, err := iso8601.Parse(v, c.Now)
	if err != nil {
		return
	}
	interval := int64(ms / 1000)
	past := (c.Now.Unix - origin.Unix) % interval
	if past <= 0 {
		past = -past
	} else {
		past = interval - past
	}
	a.Meta["start-delay"] = strconv.FormatInt(past*1000, 10)
}
