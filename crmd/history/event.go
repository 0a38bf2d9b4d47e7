package history

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/crmd/transition"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// event takes a result of the executor (lrm_op_callback).
func (k *Keeper) event(in Event) {
	o := in.Op
	if o.Rsc == "" {
		return
	}
	if k.pending[stopID(o.Rsc, o.CallID)] == nil {
		for _, s := range k.exec {
			if s.op.Rsc == o.Rsc && s.op.Task == o.Task && s.op.Interval == o.Interval && len(k.early) < 1024 {
				k.early = append(k.early, in) // its number is on the way
				return
			}
		}
	}
	k.result(&o, nil)
}

// result takes the result of an operation, real or made up (process_lrm_event).
func (k *Keeper) result(o *Op, r *Request) {
	id, key := stopID(o.Rsc, o.CallID), o.opKey()
	agent, known := k.known[o.Rsc]
	if !known && r != nil {
		if known = r.Agent.Class != "" && r.Agent.Type != ""; known {
			agent = r.Agent
		} else {
			k.notef(Err, "Can't process %s result because %s agent information not cached or in XML", key, o.Rsc)
		}
	}
	p := k.pending[id]
	if o.Status == pcmk.ExecError {
		switch o.RC {
		case pcmk.OCFNotRunning, pcmk.OCFPromoted, pcmk.OCFDegraded, pcmk.OCFDegradedPromoted:
			o.Status = pcmk.ExecDone // whether that is an error the policy engine knows
		}
	}
	updated := false
	if o.Status != pcmk.ExecCancelled {
		updated = k.store(o, p, agent, known, key)
	} else if k.unanswered(o, p, key) {
		k.answer("", "", o.Rsc, o)
	}
	confirmed := false
	if o.Interval == 0 || o.Status == pcmk.ExecCancelled {
		_, confirmed = k.pending[id]
		confirmed = confirmed || o.Interval != 0
		delete(k.pending, id)
	}
	k.logResult(o, key, updated, confirmed)
	if !strings.EqualFold(o.Task, taskMetadata) {
		k.emit(Alert{*o})
	}
	if o.Deleted {
		k.notef(Inform, "Deletion of resource '%s' complete after %s", o.Rsc, key)
		k.drop(nil, o.Rsc, pcmk.OK, "")
	}
	k.emit(Changed{})
	if known {
		k.remember(o, agent)
	}
}

// store writes a result to the CIB, or answers with it when it does not belong there.
func (k *Keeper) store(o *Op, p *active, agent Agent, known bool, key string) bool {
	switch {
	case !transition.Recordable(o.Task):
	case known:
		lock := int64(0)
		if p != nil {
			lock = p.lock
		}
		k.update(o, agent, lock)
		return true
	case o.Deleted:
		k.notef(Notice, "Not recording %s result in CIB because resource information was removed since it was initiated", key)
	default:
		k.notef(Err, "Unable to record %s result in CIB: No resource information", key)
	}
	k.answer("", "", o.Rsc, o)
	return false
}

// unanswered says whether a cancelled operation has to be answered, since its entry in
// the CIB does not tell.
func (k *Keeper) unanswered(o *Op, p *active, key string) bool {
	switch {
	case o.Interval == 0:
		return true // removed with its resource before it began
	case p == nil:
		return false // nobody waits for it
	case o.Key == "":
		k.notef(Err, "Recurring operation %s was cancelled without transition information", key)
		return false
	case p.remove:
		k.eraseOp(o)
		// The entry of a failure stays, so its removal cannot confirm the cancellation.
		e := k.entries[o.Rsc]
		return e != nil && e.failed != nil && strings.EqualFold(e.failed.Task, p.op.Task) && e.failed.Interval == p.op.Interval
	case o.Deleted:
		k.notef(Debug, "Recurring op %s was cancelled due to resource deletion", key)
		return true
	}
	return false
}

// update writes an operation to the CIB (do_update_resource).
func (k *Keeper) update(o *Op, agent Agent, lock int64) {
	const origin = "do_update_resource"
	status := xmltree.New("status")
	state := status.AddNew("node_state")
	if k.remote {
		state.Set("remote_node", "true")
	}
	state.Set("id", k.id)
	state.Set("uname", k.node)
	state.Set("crm-debug-origin", origin)
	x := state.AddNew("lrm", xmltree.Attr{Name: "id", Value: k.id}).AddNew("lrm_resources").
		AddNew("lrm_resource", xmltree.Attr{Name: "id", Value: o.Rsc})
	o.Enter(x, Write{Node: k.node, Origin: origin, Metadata: k.metadata(o.Rsc, o.Task)})
	agent.describe(x)
	if lock != 0 {
		if !k.keepsLock(o) {
			lock = 0
		}
		x.Set("shutdown-lock", strconv.FormatInt(lock, 10))
	}
	if c, ok := o.meta("container"); ok {
		x.Set("container", c)
	}
	k.emit(Update{Status: status, Op: o.opKey()})
}

func (a Agent) describe(x *xmltree.Node) {
	x.Set("type", a.Type)
	x.Set("class", a.Class)
	if a.Provider != "" {
		x.Set("provider", a.Provider)
	}
}

// keepsLock says whether a resource that is locked to the node stays so (should_preserve_lock).
func (k *Keeper) keepsLock(o *Op) bool {
	return k.state.LockRscs && (o.Task == taskStop && o.RC == pcmk.OCFOK || o.Task == taskMonitor && o.RC == pcmk.OCFNotRunning)
}

// logResult tells a result (log_executor_event).
func (k *Keeper) logResult(o *Op, key string, updated, confirmed bool) {
	level, text := Err, o.Status.String()
	switch o.Status {
	case pcmk.ExecDone:
		level, text = Notice, o.RC.String()
	case pcmk.ExecTimeout:
		text += " after " + iso8601.ReadableMS(int64(o.Timeout))
	case pcmk.ExecCancelled:
		level = Inform
	}
	if o.Reason != "" && (o.Status != pcmk.ExecDone || o.RC != pcmk.OCFOK) {
		text += " (" + o.Reason + ")"
	}
	cib, un, rc := "", "un", ""
	if updated {
		cib = " CIB update,"
	}
	if confirmed {
		un = ""
	}
	if o.Status == pcmk.ExecDone {
		rc = fmt.Sprintf(" rc=%d", o.RC)
	}
	k.notef(level, "Result of %s operation for %s on %s: %s |%s graph action %sconfirmed; call=%d key=%s%s",
		actionText(o.Task, o.Interval), o.Rsc, k.node, text, cib, un, o.CallID, key, rc)
	if o.Output != "" && o.RC != pcmk.OCFOK {
		for line := range strings.Lines(strings.TrimRight(o.Output, "\n")) {
			k.notef(Notice, "%s@%s output [ %s ]", key, k.node, strings.TrimRight(line, "\n"))
		}
	}
}

// remember keeps a result for the time that it is asked for (update_history_cache).
func (k *Keeper) remember(o *Op, agent Agent) {
	if o.Deleted {
		k.notef(Debug, "Purged history for '%s' after %s", o.Rsc, o.Task)
		k.emit(Delete{Rsc: o.Rsc, Path: k.rscPath(o.Rsc)})
		return
	}
	if strings.EqualFold(o.Task, taskNotify) {
		return
	}
	e := k.entries[o.Rsc]
	if e == nil {
		e = &record{agent: agent}
		k.entries[o.Rsc] = e
	}
	e.lastCall = o.CallID
	c := *o
	c.Output = ""
	switch {
	case o.Status == pcmk.ExecCancelled && o.Interval > 0:
		e.forget(o)
		return
	case o.Status == pcmk.ExecCancelled:
	case o.Failed():
		e.failed = &c // a stop must not make it forgotten
	case o.Interval == 0:
		e.last = &c
		if c.Params != nil && startsWith(o.Task) {
			e.stopParams = map[string]string{}
			for name, v := range c.Params {
				if !strings.Contains(name, "CRM_meta_") {
					e.stopParams[name] = v
				}
			}
		}
	}
	if o.Interval > 0 {
		e.forget(o)
		e.recurring = slices.Insert(e.recurring, 0, c)
	} else if !strings.EqualFold(o.Task, taskMonitor) {
		e.recurring = nil
	}
}

// startsWith says whether a resource runs with the parameters of such an operation.
func startsWith(task string) bool {
	switch strings.ToLower(task) {
	case taskStart, taskReload, taskReloadAgent, taskMonitor:
		return true
	}
	return false
}

func (e *record) forget(o *Op) {
	e.recurring = slices.DeleteFunc(e.recurring, func(x Op) bool { return x.Interval == o.Interval && strings.EqualFold(x.Task, o.Task) })
}

// Resources writes the whole history, as a node tells it when it joins
// (controld_query_executor_state, build_active_RAs).
func (k *Keeper) Resources() *xmltree.Node {
	lrm := xmltree.New("lrm", xmltree.Attr{Name: "id", Value: k.id})
	all := lrm.AddNew("lrm_resources")
	for _, rsc := range slices.Sorted(maps.Keys(k.entries)) {
		e := k.entries[rsc]
		x := all.AddNew("lrm_resource", xmltree.Attr{Name: "id", Value: rsc})
		e.agent.describe(x)
		if e.last != nil {
			if c, ok := e.last.meta("container"); ok {
				x.Set("container", c)
			}
		}
		for _, o := range []*Op{e.failed, e.last} {
			if o != nil {
				k.enter(o, x)
			}
		}
		for i := range e.recurring {
			k.enter(&e.recurring[i], x)
		}
	}
	return lrm
}

func (k *Keeper) enter(o *Op, x *xmltree.Node) {
	o.Enter(x, Write{Node: k.node, Origin: "build_active_RAs", Metadata: k.metadata(o.Rsc, o.Task)})
}
