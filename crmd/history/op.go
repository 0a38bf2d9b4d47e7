package history

import (
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/crmd/transition"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/plan"
)

// Tasks of resources (crm/crm.h: CRMD_ACTION_*).
const (
	taskStart       = "start"
	taskStop        = "stop"
	taskMonitor     = "monitor"
	taskNotify      = "notify"
	taskReload      = "reload"
	taskReloadAgent = "reload-agent"
	taskMigrateTo   = "migrate_to"
	taskMigrateFrom = "migrate_from"
	taskDelete      = "delete"
	taskCancel      = "cancel"
	taskMetadata    = "meta-data"
)

// noTransition marks operations that no transition asked for (FAKE_TE_ID).
const noTransition = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"

// Agent is what runs a resource.
type Agent struct{ Class, Provider, Type string }

// Key names an agent: class[:provider]:type (crm_generate_ra_key).
func (a Agent) Key() string {
	if a.Provider != "" {
		return a.Class + ":" + a.Provider + ":" + a.Type
	}
	return a.Class + ":" + a.Type
}

// Op is an operation of a resource and what came of it (lrmd_event_data_t). A copy is a
// snapshot: Params is never changed once set.
type Op struct {
	Rsc, Task  string
	Interval   uint32 // milliseconds
	Timeout    int    // milliseconds
	StartDelay int    // milliseconds
	Key        string // transition key, empty when no transition asked for it
	CallID     int
	Status     pcmk.ExecStatus
	RC         pcmk.OCF
	Reason     string // why it failed, in the agent's words
	Output     string
	Params     map[string]string // nil when not known
	RunAt      int64             // when it began, in seconds
	ChangedAt  int64             // when its result last changed
	ExecTime   int               // milliseconds
	QueueTime  int
	Deleted    bool // the executor removed the resource meanwhile
}

// OpKey is RESOURCE_TASK_INTERVAL (pcmk__op_key).
func OpKey(rsc, task string, ms uint32) string {
	return rsc + "_" + task + "_" + strconv.FormatUint(uint64(ms), 10)
}

func (o *Op) opKey() string { return OpKey(o.Rsc, o.Task, o.Interval) }

// stopID names an operation of a resource by its number (make_stop_id).
func stopID(rsc string, call int) string { return rsc + ":" + strconv.Itoa(call) }

// TargetRC is the result that was expected (rsc_op_expected_rc).
func (o *Op) TargetRC() pcmk.OCF {
	k, ok := transition.ParseKey(o.Key)
	if !ok {
		return pcmk.OCFOK
	}
	return pcmk.OCF(k.TargetRC)
}

// Failed says whether the operation failed (did_rsc_op_fail).
func (o *Op) Failed() bool {
	switch o.Status {
	case pcmk.ExecCancelled, pcmk.ExecPending:
		return false
	case pcmk.ExecNotSupported, pcmk.ExecTimeout, pcmk.ExecError, pcmk.ExecNotConnected,
		pcmk.ExecNoFenceDevice, pcmk.ExecNoSecrets, pcmk.ExecInvalid:
		return true
	}
	return o.TargetRC() != o.RC
}

// meta returns a meta attribute among the parameters.
func (o *Op) meta(name string) (string, bool) {
	v, ok := o.Params["CRM_meta_"+strings.ReplaceAll(name, "-", "_")]
	return v, ok
}

// Write is how an operation is entered into the history of its resource.
type Write struct {
	Node     string    // name of the node that ran it
	Origin   string    // which part of the controller writes, for debugging
	Metadata *Metadata // of the agent, nil when not known or not needed
}

// Enter writes an operation into an element lrm_resource: an entry, or two when it is
// both the last operation and the last failure (pcmk__create_history_xml,
// build_operation_update). It may change the result of a notification, which cannot fail.
func (o *Op) Enter(parent *xmltree.Node, w Write) {
	version := o.Params["crm_feature_set"]
	if version == "" {
		version = pcmk.FeatureSet
	}
	task := o.Task
	if task == taskReload || task == taskReloadAgent {
		// The policy engine reads a reload as a start, and one that failed as a monitor.
		task = taskMonitor
		if o.Status == pcmk.ExecDone {
			task = taskStart
		}
	}
	key := OpKey(o.Rsc, task, o.Interval)
	ids, reason := o.entries(key, task)
	var x *xmltree.Node
	for _, id := range ids {
		x = entry(parent, id)
		o.common(x, id, key, task, reason, version, w)
	}
	if o.Params != nil && w.Metadata != nil {
		w.Metadata.restart(o, x)
		w.Metadata.secure(o, x)
	}
}

// entries are the ids that an operation is entered under, and the reason that is told.
func (o *Op) entries(key, task string) (ids []string, reason string) {
	last, failure := OpKey(o.Rsc, "last", 0), OpKey(o.Rsc, "last_failure", 0)
	switch {
	case task == taskNotify:
		typ, _ := o.meta("notify_type")
		op, _ := o.meta("notify_operation")
		if o.Status != pcmk.ExecPending {
			o.Status, o.RC, o.Reason = pcmk.ExecDone, pcmk.OCFOK, ""
		}
		return []string{o.Rsc + "_" + typ + "_notify_" + op + "_0"}, ""
	case o.Task == taskMigrateTo || o.Task == taskMigrateFrom:
		return []string{key}, ""
	case o.Failed() && o.Interval == 0:
		return []string{failure, last}, o.Reason
	case o.Failed():
		return []string{failure}, o.Reason
	case o.Interval > 0:
		return []string{key}, ""
	}
	return []string{last}, ""
}

func entry(parent *xmltree.Node, id string) *xmltree.Node {
	for x := parent.Child("lrm_rsc_op"); x != nil; x = x.NextNamed() {
		if x.ID() == id {
			return x
		}
	}
	return parent.AddNew("lrm_rsc_op")
}

// common writes what every entry has.
func (o *Op) common(x *xmltree.Node, id, key, task, reason, version string, w Write) {
	asked := o.Key
	if asked == "" {
		asked = transition.Key{Action: o.CallID, Transition: transition.Outside, TargetRC: int(o.TargetRC()), UUID: noTransition}.String()
	}
	status, rc := strconv.Itoa(int(o.Status)), strconv.Itoa(int(o.RC))
	x.Set("id", id)
	x.Set("operation_key", key)
	x.Set("operation", task)
	x.Set("crm-debug-origin", w.Origin)
	x.Set("crm_feature_set", version)
	x.Set("transition-key", asked)
	x.Set("transition-magic", status+":"+rc+";"+asked)
	x.Set("exit-reason", reason)
	if w.Node != "" {
		x.Set("on_node", w.Node)
	}
	x.Set("call-id", strconv.Itoa(o.CallID))
	x.Set("rc-code", rc)
	x.Set("op-status", status)
	x.Set("interval", strconv.FormatUint(uint64(o.Interval), 10))
	timed := o.RunAt != 0 || o.ChangedAt != 0 || o.ExecTime != 0 || o.QueueTime != 0
	if timed && rules.CompareVersions("2.1", version) <= 0 {
		at := o.RunAt
		if o.Interval != 0 && o.ChangedAt != 0 {
			at = o.ChangedAt // its result may have changed after the first run
		}
		x.Set("last-rc-change", strconv.FormatInt(at, 10))
		x.Set("exec-time", strconv.Itoa(o.ExecTime))
		x.Set("queue-time", strconv.Itoa(o.QueueTime))
	}
	if o.Task == taskMigrateTo || o.Task == taskMigrateFrom {
		for _, name := range []string{"migrate_source", "migrate_target"} {
			if v, ok := o.meta(name); ok {
				x.Set(name, v)
			}
		}
	}
	if o.Params != nil {
		x.Set("op-digest", plan.ParamsDigest(filtered(o.Params)))
	}
}
