package history

import (
	"maps"
	"slices"
	"strings"

	"github.com/pacesync/pacesync/crmd/transition"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Exit reasons that users see.
const (
	reasonShutdown   = "Not attempting start due to shutdown in progress"
	reasonState      = "Controller cannot attempt actions at this time"
	reasonDefinition = "Invalid resource definition"
	reasonRegister   = "Could not register resource with executor"
	reasonFail       = "Simulated failure"
	reasonUnknown    = "Cannot fail unknown resource"
	reasonPrivilege  = "Unprivileged user cannot fail resources"
)

// longDelay is the start delay from which an operation is confirmed at once.
const longDelay = 5 * 60 * 1000

// request takes a request (do_lrm_invoke).
func (k *Keeper) request(r *Request) {
	switch {
	case r.Verb == "lrm_refresh":
		k.notef(Notice, "Ignoring refresh request from Pacemaker Remote 1.1.9 node")
	case r.Verb == "probe_again" || r.Task == "probe_again":
		k.reprobe(r)
	case r.Rsc == "":
		k.notef(Err, "Ignoring request for the executor without a resource: %s", r.Verb)
	case k.isKnown(r):
		k.run(r)
	default:
		k.parked[r.Rsc] = append(k.parked[r.Rsc], step{r})
		if len(k.parked[r.Rsc]) == 1 {
			k.emit(QueryInfo{Rsc: r.Rsc})
		}
	}
}

// isKnown says whether the executor has the resource, by its name or the name of the
// instance (get_lrm_resource).
func (k *Keeper) isKnown(r *Request) bool {
	if len(k.parked[r.Rsc]) > 0 {
		return false // not before what came earlier
	}
	if _, ok := k.known[r.Rsc]; ok {
		return true
	}
	_, ok := k.known[r.LongID]
	if ok && r.LongID != "" {
		r.Rsc = r.LongID
		return true
	}
	return false
}

// info takes what the executor knows of a resource, and registers it if need be.
func (k *Keeper) info(in Info) {
	if in.Known {
		k.known[in.Rsc] = in.Agent
		k.unpark(in.Rsc)
		return
	}
	waiting := k.parked[in.Rsc]
	for i, s := range waiting {
		if k.creates(s.r) {
			// Requests before the first that needs the resource find nothing.
			k.parked[in.Rsc] = waiting[i:]
			for _, before := range waiting[:i] {
				k.absent(before.r)
			}
			k.register(s.r)
			return
		}
	}
	delete(k.parked, in.Rsc)
	for _, s := range waiting {
		k.absent(s.r)
	}
}

func (k *Keeper) creates(r *Request) bool { return r.Task != taskDelete || r.Verb == "lrm_fail" }

// register makes a resource known to the executor, unless its definition is bad.
func (k *Keeper) register(r *Request) {
	if r.Agent.Class == "" || r.Agent.Type == "" {
		k.notef(Err, "Could not register resource %s with the executor on %s: Invalid argument", r.Rsc, k.node)
		k.refuse(r.Rsc, pcmk.RC(22))
		return
	}
	k.emit(Register{Rsc: r.Rsc, Agent: r.Agent})
}

func (k *Keeper) registered(in Registered) {
	waiting := k.parked[in.Rsc]
	if len(waiting) == 0 {
		return
	}
	if in.RC == pcmk.OK {
		k.known[in.Rsc] = waiting[0].r.Agent
		k.unpark(in.Rsc)
		return
	}
	k.notef(Err, "Could not register resource %s with the executor on %s: %v | rc=%d", in.Rsc, k.node, in.RC, in.RC)
	if !k.remote {
		k.emit(Broken{Why: "resource " + in.Rsc + " cannot be registered"})
	}
	k.refuse(in.Rsc, in.RC)
}

// refuse fails all that waits for a resource that cannot be registered.
func (k *Keeper) refuse(rsc string, rc pcmk.RC) {
	waiting := k.parked[rsc]
	delete(k.parked, rsc)
	for _, s := range waiting {
		switch {
		case s.r.Verb == "lrm_fail":
			k.failUnknown(s.r)
		case rc == pcmk.RC(22):
			k.notef(Err, "Invalid resource definition for %s", rsc)
			k.fake(s.r, pcmk.ExecError, pcmk.OCFNotConfigured, reasonDefinition)
		default:
			k.notef(Err, "Could not register resource '%s' with executor: %v | rc=%d", rsc, rc, rc)
			k.fake(s.r, pcmk.ExecError, pcmk.OCFInvalidParam, reasonRegister)
		}
	}
}

func (k *Keeper) unpark(rsc string) {
	waiting := k.parked[rsc]
	delete(k.parked, rsc)
	for i, s := range waiting {
		if _, ok := k.known[rsc]; !ok { // the one before removed it
			k.parked[rsc] = waiting[i:]
			k.emit(QueryInfo{Rsc: rsc})
			return
		}
		k.run(s.r)
	}
}

// run takes a request whose resource the executor has.
func (k *Keeper) run(r *Request) {
	switch {
	case r.Verb == "lrm_fail":
		k.fail(r)
	case r.Task == taskCancel:
		k.cancel(r)
	case r.Task == taskDelete:
		k.deleteRsc(r)
	default:
		k.describe(r)
	}
}

// describe makes sure that the agent's description is known, then begins the operation.
// It is read anew before each start, since the agent may have been replaced.
func (k *Keeper) describe(r *Request) {
	agent := k.known[r.Rsc]
	m := k.agents[agent.Key()]
	if r.Task == taskStart {
		m = nil
	}
	if m != nil || !needsMetadata(agent.Class, r.Task) {
		k.execute(r, m)
		return
	}
	k.notef(Inform, "Retrieving metadata for %s (%s) asynchronously", r.Rsc, agent.Key())
	t := k.token(nil)
	k.opens[t] = r
	k.emit(Describe{Token: t, Rsc: r.Rsc, Agent: agent})
}

func (k *Keeper) described(in Described) {
	if in.Meta != nil {
		k.agents[in.Agent.Key()] = in.Meta
	}
	if r := k.opens[in.Token]; r != nil {
		delete(k.opens, in.Token)
		k.execute(r, in.Meta)
	}
}

// execute begins an operation (do_lrm_rsc_op).
func (k *Keeper) execute(r *Request, m *Metadata) {
	task := r.Task
	if r.Key == "" {
		k.notef(Err, "Missing transition number")
	}
	if task == taskReload || task == taskReloadAgent {
		task = taskReloadAgent
		if m != nil && m.LegacyReload {
			task = taskReload
		}
	}
	o := k.op(r, r.Rsc, task)
	if o.Interval == 0 && task != taskMonitor && task != taskNotify {
		// What watches the resource ends before its state changes.
		if n := k.stopRecurring(r.Rsc, ""); n > 0 {
			k.notef(Debug, "Stopped %d recurring operations in preparation for %s", n, o.opKey())
		}
	}
	k.notef(Notice, "Requesting local execution of %s operation for %s on %s | transition_key=%s op_key=%s",
		actionText(task, o.Interval), r.Rsc, k.node, r.Key, o.opKey())
	if why := k.nack(task); why != "" {
		k.notef(Notice, "Discarding attempt to perform action %s on %s in state %s (shutdown=%t)", task, r.Rsc, k.state.Name, k.state.Leaving)
		o.Status, o.RC, o.Reason = pcmk.ExecInvalid, pcmk.OCFError, why
		k.answer("", "", r.Rsc, &o)
		return
	}
	k.recordPending(&o)
	if o.Interval > 0 {
		k.cancelKey(o.Rsc, o.opKey(), false) // so that it can begin anew
	}
	t := k.token(nil)
	k.exec[t] = &starting{r, o}
	k.emit(Exec{Token: t, Op: o})
}

// nack says why an operation cannot be begun now, empty when it can.
func (k *Keeper) nack(task string) string {
	switch {
	case k.state.Leaving && strings.EqualFold(task, taskStart):
		k.emit(NoStart{})
		return reasonShutdown
	case !k.state.Execute && !strings.EqualFold(task, taskStop):
		return reasonState
	}
	return ""
}

// recordPending writes that an operation began (record_pending_op).
func (k *Keeper) recordPending(o *Op) {
	if !transition.Recordable(o.Task) {
		return
	}
	if v, ok := o.meta("record-pending"); ok && !pcmk.IsTrue(v) {
		return
	}
	p := *o
	p.CallID, p.Status, p.RC, p.Reason = -1, pcmk.ExecPending, pcmk.OCFUnknown, ""
	p.RunAt, p.ChangedAt = k.now.Unix(), k.now.Unix()
	k.notef(Debug, "Recording pending op %s on %s in the CIB", p.opKey(), k.node)
	k.update(&p, k.known[p.Rsc], 0)
}

// started takes the number that the executor gave an operation.
func (k *Keeper) started(in Started) {
	s := k.exec[in.Token]
	if s == nil {
		return
	}
	delete(k.exec, in.Token)
	o := s.op
	if in.RC != pcmk.OK {
		where := "locally"
		if k.remote {
			where = "remotely on " + k.node
		}
		k.notef(Err, "Could not initiate %s action for resource %s %s: %v | rc=%d", o.Task, o.Rsc, where, in.RC, in.RC)
		k.pretend(&o, pcmk.ExecNotConnected, pcmk.OCFError, in.RC.Error())
		k.result(&o, nil)
		if !k.remote {
			k.emit(Broken{Why: "the executor did not take an operation"})
		}
		return
	}
	o.CallID = in.CallID
	k.pending[stopID(o.Rsc, o.CallID)] = &active{op: o, lock: s.r.Lock}
	if o.Interval > 0 && o.StartDelay > longDelay {
		k.notef(Inform, "Faking confirmation of %s: execution postponed for over 5 minutes", o.opKey())
		f := o
		f.Status, f.RC, f.Reason = pcmk.ExecDone, f.TargetRC(), ""
		k.answer("", "", f.Rsc, &f)
	}
	k.replay()
}

// replay takes the results that came before their operations had numbers.
func (k *Keeper) replay() {
	early := k.early
	k.early = nil
	for _, e := range early {
		k.event(e)
	}
}

// stopRecurring cancels what recurs, of one resource or of all, and returns how many
// there were that the executor has yet to confirm.
func (k *Keeper) stopRecurring(rsc, when string) int {
	n := 0
	for _, id := range slices.Sorted(maps.Keys(k.pending)) {
		p := k.pending[id]
		if p.op.Interval == 0 || rsc != "" && p.op.Rsc != rsc {
			continue
		}
		n++
		k.notef(Debug, "Cancelling op %d for %s (%s)", p.op.CallID, p.op.Rsc, id)
		k.cancelOp(id, false, nil)
	}
	if when != "" && n > 0 {
		k.notef(Notice, "Stopped %d recurring operations at %s (%d remaining)", n, when, len(k.pending)-n)
	}
	return n
}

// fake fails an operation without running it (synthesize_lrmd_failure). Notifications
// cannot fail.
func (k *Keeper) fake(r *Request, status pcmk.ExecStatus, rc pcmk.OCF, reason string) {
	if r.Rsc == "" || r.Task == "" {
		k.notef(Inform, "Can't fake %s failure (%d) on %s without resource configuration", r.OpKey, rc, r.Target)
		return
	}
	o := k.op(r, r.Rsc, r.Task)
	if strings.EqualFold(r.Task, taskNotify) {
		status, rc, reason = pcmk.ExecDone, pcmk.OCFOK, ""
	}
	k.pretend(&o, status, rc, reason)
	k.notef(Inform, "Faking %s result (%d) on %s", o.opKey(), o.RC, r.Target)
	k.result(&o, r)
}

// pretend gives an operation a result that it does not have, newer than any other of
// its resource (fake_op_status).
func (k *Keeper) pretend(o *Op, status pcmk.ExecStatus, rc pcmk.OCF, reason string) {
	o.CallID = 999999999
	if e := k.entries[o.Rsc]; e != nil {
		o.CallID = e.lastCall + 1
	}
	o.RunAt, o.ChangedAt = k.now.Unix(), k.now.Unix()
	o.Status, o.RC, o.Reason = status, rc, reason
}

// fail makes a resource look failed, as a user asked (fail_lrm_resource).
func (k *Keeper) fail(r *Request) {
	o := k.op(r, r.Rsc, "asyncmon")
	o.Key, o.Interval = "", 0
	if r.User != "" && r.User != "root" && r.User != pcmk.User {
		k.notef(Err, "%s does not have permission to fail %s", r.User, r.Rsc)
		k.pretend(&o, pcmk.ExecError, pcmk.OCFInsufficientPriv, reasonPrivilege)
		k.answer(r.FromHost, r.FromSys, r.Rsc, &o)
		return
	}
	k.notef(Inform, "Failing resource %s...", r.Rsc)
	k.pretend(&o, pcmk.ExecDone, pcmk.OCFError, reasonFail)
	k.result(&o, r)
	o.RC = pcmk.OCFOK // the request itself succeeded
	k.answer(r.FromHost, r.FromSys, r.Rsc, &o)
}

func (k *Keeper) failUnknown(r *Request) {
	k.notef(Inform, "Cannot find/create resource in order to fail it...")
	o := k.op(r, r.Rsc, "asyncmon")
	o.Key, o.Interval = "", 0
	k.pretend(&o, pcmk.ExecError, pcmk.OCFError, reasonUnknown)
	k.answer(r.FromHost, r.FromSys, r.Rsc, &o)
}

// answer tells a result without the CIB (controld_ack_event_directly).
func (k *Keeper) answer(host, sys, rsc string, o *Op) {
	if sys == "" {
		sys = transitioner
	}
	const origin = "controld_ack_event_directly"
	state := xmltree.New("node_state", xmltree.Attr{Name: "id", Value: k.id}, xmltree.Attr{Name: "uname", Value: k.node},
		xmltree.Attr{Name: "crm-debug-origin", Value: origin})
	x := state.AddNew("lrm", xmltree.Attr{Name: "id", Value: k.id}).AddNew("lrm_resources").
		AddNew("lrm_resource", xmltree.Attr{Name: "id", Value: rsc})
	o.Enter(x, Write{Node: k.node, Origin: origin, Metadata: k.metadata(rsc, o.Task)})
	k.notef(Debug, "ACK'ing resource op %s from %s", o.opKey(), o.Key)
	k.emit(Answer{Host: host, Sys: sys, State: state, Ref: o.opKey()})
}

// metadata is the description of a resource's agent, if entries of the task need it.
func (k *Keeper) metadata(rsc, task string) *Metadata {
	a, ok := k.known[rsc]
	if !ok {
		if e := k.entries[rsc]; e != nil {
			a = e.agent
		}
	}
	if !needsMetadata(a.Class, task) {
		return nil
	}
	return k.agents[a.Key()]
}

// actionText is a task in words (crm_action_str).
func actionText(task string, ms uint32) string {
	if ms == 0 && strings.EqualFold(task, taskMonitor) {
		return "probe"
	}
	return task
}
