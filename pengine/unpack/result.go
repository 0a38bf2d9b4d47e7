package unpack

import (
	"strconv"

	"strings"

	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// opState is what is known while the operations of a resource on a node are read.
type opState struct {
	r           *model.Resource
	n           *model.Node
	lastFailure *model.HistoryOp
	onFail      model.OnFail
}

// result draws the conclusions from one operation (unpack_rsc_op).
func (u *unpacker) result(st *opState, o *model.HistoryOp) {
	r, n := st.r, st.n
	if !o.HasTask || o.Status < model.ExecPending || o.Status > model.ExecMax || o.Task == model.NotifyTask || o.Task == "meta-data" {
		return
	}
	parent := r
	if !r.Is(model.Unique) {
		parent = r.Top()
	}
	target := plan.TargetRC(o)
	expired := o.Status != model.ExecNotInstalled && u.expired(st, o)
	rc, status := u.remap(st, o, target)
	masked := !r.Bundled() && o.MaskedProbe()
	if expired && masked && o.RC != target {
		if r.Role <= model.Stopped {
			r.Role = model.Unknown
		}
		return
	}
	if expired && rc != target {
		if o.IntervalMS == 0 {
			return
		}
		if n.Online && !n.Unclean {
			o.RestartDigest, o.HasRestartDigest = "calculated-failure-timeout", true
			return
		}
	}
	if masked {
		u.succeeded(st, o, target)
		u.recordFailed(st, o)
		parent.AddScore(n, -model.Inf, model.CauseNotHere)
		return
	}
	switch status {
	case model.ExecCancelled:
		return
	case model.ExecPending:
		u.pending(st, o)
		return
	case model.ExecDone:
		u.succeeded(st, o, rc)
		return
	case model.ExecNotInstalled:
		if u.failureStrategy(r, o) == model.FailIgnore {
			st.onFail = model.FailMigrate
		}
		parent.AddScore(n, -model.Inf, model.CauseHardError)
		u.failed(st, o, rc)
		return
	case model.ExecNotConnected:
		if n.Kind == model.Remote && n.RemoteRsc != nil && n.RemoteRsc.Is(model.Managed) {
			n.RemoteRsc.Set(model.Failed | model.StopOnFail)
		}
	case model.ExecNoFenceDevice, model.ExecNoSecrets:
		status = model.ExecErrorHard
	}
	u.failedOrIgnored(st, o, parent, target, rc, status)
}

func (u *unpacker) failedOrIgnored(st *opState, o *model.HistoryOp, parent *model.Resource, target, rc, status int) {
	strategy := u.failureStrategy(st.r, o)
	container := strategy == model.FailRestartContainer && o.Task == model.Stop
	if strategy == model.FailIgnore || container {
		u.c.Report(model.LogWarn, "unpack_rsc_op", "Pretending failed "+o.Task+" ("+resultText(o, rc)+") of "+st.r.ID+" on "+st.n.Name+
			" at "+u.lastChange(o)+" succeeded | rc="+strconv.Itoa(rc)+" id="+o.ID)
		u.succeeded(st, o, target)
		st.r.Set(model.FailureIgnored)
		u.recordFailed(st, o)
		if strategy == model.FailRestartContainer && compareOnFail(st.onFail, model.FailRecover) <= 0 {
			st.onFail = strategy
		}
		return
	}
	u.failed(st, o, rc)
	switch status {
	case model.ExecErrorHard:
		parent.AddScore(st.n, -model.Inf, model.CauseHardError)
	case model.ExecErrorFatal:
		parent.AddScore(nil, -model.Inf, model.CauseFatalError)
	}
}

func (u *unpacker) pending(st *opState, o *model.HistoryOp) {
	r := st.r
	switch {
	case o.Task == model.Start:
		r.Set(model.StartPending)
		setActive(r)
	case o.Task == model.Promote:
		r.Role = model.Promoted
	case o.Task == model.MigrateTo && st.n.Unclean:
		if t := u.c.Node(o.MigrateTarget); t != nil {
			plan.Stop(r, t, false)
		}
	}
	if r.PendingTask == "" && (o.IntervalMS != 0 || o.Task != model.Monitor) {
		r.PendingTask, r.PendingNode = o.Task, st.n
	}
}

func (u *unpacker) failureStrategy(r *model.Resource, o *model.HistoryOp) model.OnFail {
	return plan.Draft(u.c, plan.Spec{Rsc: r, Key: o.Key, Task: o.Task}).OnFail
}

// recordFailed puts a failure into the list that status displays show, once for a
// key on a node; those without a key count as one.
func (u *unpacker) recordFailed(st *opState, o *model.HistoryOp) {
	if !st.n.Online {
		return
	}
	for _, f := range u.c.Failed {
		if f.Node == st.n && f.HasKey == o.HasKey && (!o.HasKey || strings.EqualFold(f.Key, o.Key)) {
			return
		}
	}
	u.c.Failed = append(u.c.Failed, o)
}

// remap turns result and status into what they mean here (remap_operation).
func (u *unpacker) remap(st *opState, o *model.HistoryOp, target int) (rc, status int) {
	r, n := st.r, st.n
	rc, status = o.RC, o.Status
	if o.Task == model.Monitor && (rc == model.RCDegraded || rc == model.RCDegradedProm) {
		if !n.Shutdown || n.Online {
			u.recordFailed(st, o)
		}
		if rc == model.RCDegraded {
			rc = model.RCOk
		} else {
			rc = model.RCPromoted
		}
	}
	probe := o.IsProbe()
	if !r.Bundled() && o.MaskedProbe() {
		rc, status = model.RCNotRunning, model.ExecDone
	}
	if status != model.ExecDone && status != model.ExecError {
		return rc, status
	}
	status = model.ExecDone
	if target < 0 || target != rc {
		status = model.ExecError
	}
	switch rc {
	case model.RCOk:
		if probe && target == model.RCNotRunning {
			status = model.ExecDone
		}
	case model.RCNotRunning:
		if probe || target == rc || !r.Is(model.Managed) {
			status = model.ExecDone
			r.Role, r.NextRole = model.Stopped, model.Unknown
			st.onFail = model.FailIgnore
		}
	case model.RCPromoted:
		if probe && rc != target {
			status = model.ExecDone
		}
		r.Role = model.Promoted
	case model.RCDegradedProm, model.RCFailedPromoted:
		r.Role, status = model.Promoted, model.ExecError
	case model.RCNotConfigured:
		status = model.ExecErrorFatal
	case model.RCUnimplemented:
		status = model.ExecNotSupported
		if o.IntervalMS == 0 {
			u.blockFailedStop(st, o, probe)
			status = model.ExecErrorHard
		}
	case model.RCNotInstalled, model.RCInvalidParam, model.RCPrivilege:
		u.blockFailedStop(st, o, probe)
		status = model.ExecErrorHard
	default:
		if status == model.ExecDone {
			status = model.ExecError
		}
	}
	return rc, status
}

// blockFailedStop blocks a resource whose stop failed where nothing can be done about
// it (check_recoverable).
func (u *unpacker) blockFailedStop(st *opState, o *model.HistoryOp, probe bool) {
	if !probe && o.Task == model.Stop && !plan.CanFence(u.c, st.n) {
		u.c.Report(model.ProcErr, "check_recoverable", "No further recovery can be attempted for "+st.r.ID+" because "+o.Task+" on "+st.n.Name+
			" failed ("+resultText(o, o.RC)+") at "+u.lastChange(o)+" | rc="+strconv.Itoa(o.RC)+" id="+o.ID)
		st.r.Clear(model.Managed)
		st.r.Set(model.Block)
	}
}

// expired says whether a failure is too old to matter, and has old failures forgotten
// (check_operation_expiry).
func (u *unpacker) expired(st *opState, o *model.HistoryOp) bool {
	r, n, c := st.r, st.n, u.c
	lastFailure := strings.HasSuffix(o.ID, "_last_failure_0")
	expired, count := false, false
	if r.FailureTimeout > 0 && o.HasLastChange {
		if c.Now.Unix >= o.LastChange+r.FailureTimeout && !u.keepFailure(r, o) {
			expired = true
		}
		k, last := plan.Failures(n, r, plan.Effective, o)
		if last += r.FailureTimeout + 1; k != 0 && c.Now.Unix < last {
			c.Recheck(last)
		}
		count = k != 0
	}
	clear := ""
	if expired {
		if k, _ := plan.Failures(n, r, 0, o); k != 0 {
			if !count {
				clear = "it expired"
			} else {
				expired = false
			}
		} else if lastFailure && r.ReconnectMS != 0 {
			clear = "reconnect interval is set"
		}
	}
	if !expired && lastFailure && u.paramsChanged(st, o) {
		clear = "resource parameters have changed"
	}
	if clear != "" {
		a := plan.ClearFailures(r, n, clear)
		if c.Opt.StonithEnabled && r.ReconnectMS != 0 {
			if rn := c.Node(r.ID); rn != nil {
				model.Link(plan.FenceOp(c, rn, plan.Fencing{Optional: true}), a, model.ImpliesThen)
			}
		}
	}
	if expired && o.IntervalMS == 0 && o.Task == model.Monitor {
		switch o.RC {
		case model.RCOk, model.RCNotRunning, model.RCPromoted, model.RCDegraded, model.RCDegradedProm:
			expired = false
		}
	}
	return expired
}

// keepFailure says whether a failure must not expire because the node has to be
// fenced first (should_ignore_failure_timeout).
func (u *unpacker) keepFailure(r *model.Resource, o *model.HistoryOp) bool {
	if r.ReconnectMS == 0 || !u.c.Opt.StonithEnabled || o.IntervalMS == 0 || o.Task != model.Monitor {
		return false
	}
	n := u.c.Node(r.ID)
	return n != nil && !n.WasFenced
}

// paramsChanged says whether a failed operation ran with other parameters than it
// would now (should_clear_for_param_change).
func (u *unpacker) paramsChanged(st *opState, o *model.HistoryOp) bool {
	if o.Task != model.Start && o.Task != model.Monitor {
		return false
	}
	if plan.NeedsAddr(st.r) {
		u.c.ParamChecks = append(u.c.ParamChecks, model.ParamCheck{Op: o, Rsc: st.r, Node: st.n, LastFailure: true})
		return false
	}
	switch plan.CompareDigest(st.r, o, st.n).Result {
	case model.DigestUnknown, model.DigestMatch:
		return false
	}
	return true
}

// succeeded draws the conclusions from an operation that did what it should
// (update_resource_state).
func (u *unpacker) succeeded(st *opState, o *model.HistoryOp, rc int) {
	r, forget := st.r, false
	switch {
	case rc == model.RCNotInstalled || (!r.Bundled() && o.MaskedProbe()):
		r.Role = model.Stopped
	case rc == model.RCNotRunning:
		forget = true
	case o.Task == model.Monitor:
		forget = st.lastFailure != nil && strings.EqualFold(o.Key, st.lastFailure.Key)
		if r.Role < model.Started {
			setActive(r)
		}
	case o.Task == model.Start, o.Task == model.MigrateFrom:
		r.Role, forget = model.Started, true
	case o.Task == model.Stop:
		r.Role, forget = model.Stopped, true
	case o.Task == model.Promote:
		r.Role, forget = model.Promoted, true
	case o.Task == model.Demote:
		r.Role, forget = model.Unpromoted, st.onFail == model.FailDemote
	case o.Task == model.MigrateTo:
		u.migrated(r, st.n, o)
	case r.Role < model.Started:
		setActive(r)
	}
	if !forget {
		return
	}
	switch st.onFail {
	case model.FailStop, model.FailFence, model.FailMigrate, model.FailStandby:
	case model.FailResetRemote:
		if r.ReconnectMS == 0 {
			st.onFail, r.NextRole = model.FailIgnore, model.Unknown
		}
	default:
		st.onFail, r.NextRole = model.FailIgnore, model.Unknown
	}
}

// failed draws the conclusions from a failure (unpack_rsc_op_failure).
func (u *unpacker) failed(st *opState, o *model.HistoryOp, rc int) {
	r, c := st.r, u.c
	st.lastFailure = o
	probe := o.IsProbe()
	if c.Opt.Symmetric || rc != model.RCNotInstalled {
		task := o.Task
		if probe {
			task = "probe"
		}
		c.Report(model.LogWarn, "unpack_rsc_op_failure", "Unexpected result ("+resultText(o, rc)+") was recorded for "+task+" of "+r.ID+
			" on "+st.n.Name+" at "+u.lastChange(o)+" | rc="+strconv.Itoa(rc)+" id="+o.ID)
		u.recordFailed(st, o)
	}
	a := plan.Draft(c, plan.Spec{Rsc: r, Key: o.Key, Task: o.Task})
	if compareOnFail(st.onFail, a.OnFail) < 0 {
		st.onFail = a.OnFail
	}
	switch o.Task {
	case model.Stop:
		r.AddScore(st.n, -model.Inf, model.CauseStopFailed)
	case model.MigrateTo:
		u.migrateToFailed(r, st.n, o)
	case model.MigrateFrom:
		u.migrateFromFailed(r, st.n, o)
	case model.Promote:
		r.Role = model.Promoted
	case model.Demote:
		switch {
		case a.OnFail == model.FailBlock:
			r.Role, r.NextRole = model.Promoted, model.Stopped
		case rc == model.RCNotRunning:
			r.Role = model.Stopped
		default:
			r.Role = model.Unpromoted
		}
	}
	if probe && rc == model.RCNotInstalled {
		r.Role = model.Stopped
	} else if r.Role < model.Started {
		setActive(r)
	}
	if a.FailRole != model.Started && r.NextRole < a.FailRole {
		r.NextRole = a.FailRole
	}
	if a.FailRole == model.Stopped {
		ban := r
		if top := r.Top(); r.Parent != nil && top.IsClone() && !top.Is(model.Unique) {
			ban = top
		}
		u.banEverywhere(ban, model.CauseFailStop)
	}
}

// compareOnFail orders reactions by severity (cmp_on_fail).
func compareOnFail(a, b model.OnFail) int { return severity(a) - severity(b) }

func severity(f model.OnFail) int {
	switch f {
	case model.FailIgnore:
		return 0
	case model.FailDemote:
		return 1
	case model.FailRecover:
		return 2
	case model.FailResetRemote:
		return 3
	case model.FailRestartContainer:
		return 4
	}
	return 3 + int(f)
}
