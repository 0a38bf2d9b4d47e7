package transition

import (
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/pengine/model"
)

// Result is an entry of the history of a resource that appeared or changed.
type Result struct {
	OpKey  string // operation_key
	Key    string // transition-key, empty for an entry that says nothing new
	Magic  string
	Origin string // crm-debug-origin
	OnNode string // name of the node that ran it
	NodeID string // id of the node whose history it is in
	Status pcmk.ExecStatus
	RC     pcmk.OCF
	CallID int
	Cause  *Cause
}

// verdict is what an Engine makes of a result.
type verdict struct {
	graph, action int
	target        pcmk.OCF
	why           string // why it is not the result of an action that is waited for
	ignore        bool   // the failure does not count
}

// result takes the result of an operation (process_graph_event): the action that asked
// for it has ended, or, when none did, the transition is out of date.
func (e *Engine) result(now time.Time, r *Result) {
	if r.Key == "" || r.Status == pcmk.ExecPending || e.graph == nil {
		return
	}
	rc := effective(r.RC)
	k, ok := ParseKey(r.Key)
	if !ok {
		e.notef(Err, "Can't process action %s result: Incompatible versions? | call-id=%d", r.OpKey, r.CallID)
		e.aborted("Bad event", r.Cause, "process_graph_event:426")
		return
	}
	v := verdict{graph: k.Transition, action: k.Action, target: pcmk.OCF(k.TargetRC)}
	if e.judge(r, k, rc, &v) {
		e.tell(now, r, rc, v)
	}
}

// missed takes what ended while no change of the CIB was told: the results of the
// transition under execution. All else of a history is known already, or a failure
// that must not count twice.
func (e *Engine) missed(now time.Time, results []Result) {
	for i := range results {
		k, ok := ParseKey(results[i].Key)
		if ok && e.graph != nil && !e.graph.complete && k.UUID == e.uuid && k.Transition == e.graph.ID && k.Action >= 0 {
			e.result(now, &results[i])
		}
	}
}

// judge finds the action that a result belongs to; false means that nothing is left to say.
func (e *Engine) judge(r *Result, k Key, rc pcmk.OCF, v *verdict) bool {
	switch {
	case k.Transition == Outside:
		v.why = "initiated outside of the cluster"
		e.aborted("Unexpected event", r.Cause, "process_graph_event:433")
	case k.Action < 0 || k.UUID != e.uuid:
		v.why = "initiated by a different DC"
		e.aborted("Foreign event", r.Cause, "process_graph_event:438")
	case k.Transition != e.graph.ID || e.graph.complete:
		return e.late(r, k, v)
	default:
		return e.expected(r, k, rc, v)
	}
	return true
}

// late takes a result of an action of another transition, or of one that is over.
// Recurring operations carry the number of the transition that began them.
func (e *Engine) late(r *Result, k Key, v *verdict) bool {
	_, _, ms, ok := model.SplitKey(r.OpKey)
	switch {
	case ok && ms != 0 && r.Status == pcmk.ExecCancelled:
		e.confirmCancel(r.OpKey, r.NodeID)
		return false
	case ok && ms != 0:
		v.why = "arrived after initial scheduling"
		e.aborted("Change in recurring result", r.Cause, "process_graph_event:458")
	case k.Transition != e.graph.ID:
		v.why = "arrived really late"
		e.aborted("Old event", r.Cause, "process_graph_event:463")
	default:
		v.why = "arrived late"
		e.aborted("Inactive graph", r.Cause, "process_graph_event:466")
	}
	return true
}

// expected takes the result of an action of the transition under execution.
func (e *Engine) expected(r *Result, k Key, rc pcmk.OCF, v *verdict) bool {
	a := e.graph.Action(k.Action)
	switch {
	case a == nil:
		v.why = "unknown"
		e.aborted("Unknown event", r.Cause, "process_graph_event:477")
		return true
	case a.confirmed:
		// An operation that failed is in the history twice, as the last and as the last
		// failure: it must count once.
		return false
	case strings.EqualFold(a.Meta("on-fail"), "ignore"):
		v.ignore = true
	case int(rc) != k.TargetRC:
		a.failed = true
	}
	a.deadline = time.Time{}
	e.confirm(a)
	if a.failed {
		e.abort(Abort{a.synapse.Priority + 1, Restart, "Event failed", r.Cause, "process_graph_event:507"})
	}
	return true
}

// tell logs a result and counts a failure.
func (e *Engine) tell(now time.Time, r *Result, rc pcmk.OCF, v verdict) {
	id, on := r.OpKey, r.OnNode
	if id == "" {
		id = "unknown action"
	}
	if on == "" {
		on = "unknown node"
	}
	switch {
	case r.Status == pcmk.ExecInvalid:
		e.notef(Info, "Transition %d action %d (%s on %s): %s", v.graph, v.action, id, on, r.Status)
	case v.why != "" && e.countFailure(now, r, rc, v):
		e.notef(Notice, "Transition %d action %d (%s on %s): expected '%s' but got '%s' | target-rc=%d rc=%d call-id=%d event='%s'",
			v.graph, v.action, id, on, v.target, rc, v.target, rc, r.CallID, v.why)
	case v.why != "":
		e.notef(Info, "Transition %d action %d (%s on %s): %s | rc=%d target-rc=%d call-id=%d", v.graph, v.action, id, on, v.why, rc, v.target, r.CallID)
	case rc == v.target:
		e.notef(Info, "Transition %d action %d (%s on %s) confirmed: %s | rc=%d call-id=%d", v.graph, v.action, id, on, rc, rc, r.CallID)
	default:
		e.countFailure(now, r, rc, v)
		e.notef(Notice, "Transition %d action %d (%s on %s): expected '%s' but got '%s' | target-rc=%d rc=%d call-id=%d",
			v.graph, v.action, id, on, v.target, rc, v.target, rc, r.CallID)
	}
}

// countFailure counts a failed operation against its resource, and says whether it
// did fail now (update_failcount).
func (e *Engine) countFailure(now time.Time, r *Result, rc pcmk.OCF, v verdict) bool {
	if rc == v.target {
		return false
	}
	if strings.EqualFold(r.Origin, "build_active_RAs") {
		e.notef(Debug, "No update for %s (rc=%d) on %s: Old failure from lrm status refresh", r.OpKey, rc, r.NodeID)
		return false
	}
	rsc, task, ms, ok := model.SplitKey(r.OpKey)
	if !ok {
		e.notef(Err, "Couldn't parse: %s", r.OpKey)
		return true
	}
	update, value := v.graph == Outside, ""
	switch {
	case ms > 0, strings.EqualFold(task, taskPromote), strings.EqualFold(task, taskDemote):
		update = true
	case strings.EqualFold(task, taskStart):
		update, value = true, e.startOffset
	case strings.EqualFold(task, taskStop):
		update, value = true, e.stopOffset
	}
	if value != "INFINITY" && value != "+INFINITY" {
		value = "value++"
	}
	if !update {
		return true
	}
	what, count := "failcount", value
	if v.ignore {
		what, count = "last failure", ""
	}
	e.notef(Info, "Updating %s for %s on %s after failed %s: rc=%d (update=%s, time=%d)", what, rsc, e.nameOf(r), task, rc, value, now.Unix())
	e.emit(Failed{NodeID: r.NodeID, Rsc: rsc, Task: task, Interval: ms, Count: count, At: now.Unix()})
	return true
}

func (e *Engine) nameOf(r *Result) string {
	if e.env.Name != nil {
		if n := e.env.Name(r.NodeID); n != "" {
			return n
		}
	}
	return r.OnNode
}

// confirmCancel ends the action that cancels a recurring operation, if there is one
// (confirm_cancel_action).
func (e *Engine) confirmCancel(opKey, nodeID string) bool {
	a := e.cancelAction(opKey, nodeID)
	if a == nil {
		return false
	}
	a.deadline = time.Time{}
	e.confirm(a)
	e.notef(Info, "Cancellation of %s on %s confirmed (action %d)", a.OpKey, a.Node, a.ID)
	return true
}

func (e *Engine) cancelAction(opKey, nodeID string) *Action {
	for _, s := range e.graph.Synapses {
		for _, a := range s.Actions {
			if strings.EqualFold(a.Task, taskCancel) && strings.EqualFold(a.OpKey, opKey) && (nodeID == "" || strings.EqualFold(a.NodeID, nodeID)) {
				return a
			}
		}
	}
	return nil
}

// effective is a result code as far as success and failure go (pcmk__effective_rc).
func effective(rc pcmk.OCF) pcmk.OCF {
	switch rc {
	case pcmk.OCFDegraded:
		return pcmk.OCFOK
	case pcmk.OCFDegradedPromoted:
		return pcmk.OCFPromoted
	}
	return rc
}
