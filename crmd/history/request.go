package history

import (
	"errors"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/crmd/transition"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// transitioner is the subsystem whose requests come from a transition (CRM_SYSTEM_TENGINE).
const transitioner = "tengine"

// Request asks for something of the executor: an operation, or what tools do.
type Request struct {
	Verb      string // lrm_invoke, lrm_delete, lrm_fail, lrm_refresh, probe_again
	Task      string // operation, as in the graph
	OpKey     string
	Rsc       string // empty when the request names none
	LongID    string
	Agent     Agent
	Key       string // transition key
	Target    string // node, empty for this one
	Params    map[string]string
	Lock      int64 // when the resource was locked to the node, 0 for never
	FromSys   string
	FromHost  string
	User      string
	Reference string
}

// Origin is who sent a request.
type Origin struct{ Sys, Host, User, Reference string }

// DecodeRequest reads a request: its verb and the element that came with it, which may
// be missing (do_lrm_invoke).
func DecodeRequest(verb string, x *xmltree.Node, from Origin) (Request, error) {
	r := Request{Verb: verb, FromSys: from.Sys, FromHost: from.Host, User: from.User, Reference: from.Reference}
	if from.Sys == transitioner {
		r.FromHost = "" // its answers go to the DC, whoever that is then
	}
	if x != nil {
		r.Task, r.OpKey, r.Key, r.Target = x.Attr("operation"), x.Attr("operation_key"), x.Attr("transition-key"), x.Attr("on_node")
		r.Lock, _ = strconv.ParseInt(x.Attr("shutdown-lock"), 10, 64)
		r.Params = transition.Params(x)
		if p := x.Find(func(n *xmltree.Node) bool { return n.Name == "primitive" }); p != nil {
			r.Rsc, r.LongID, r.Agent = p.ID(), p.Attr("long-id"), Agent{p.Attr("class"), p.Attr("provider"), p.Attr("type")}
		}
	}
	if verb == "lrm_delete" {
		r.Task = taskDelete
	}
	if verb == "" && r.Task == "" {
		return r, errors.New("request for the executor without an operation")
	}
	return r, nil
}

func (r *Request) meta(name string) string { return r.Params["CRM_meta_"+name] }

// op makes the operation that a request asks for (construct_op). A resource is stopped
// with the parameters that it was started with.
func (k *Keeper) op(r *Request, rsc, task string) Op {
	o := Op{
		Rsc: rsc, Task: task, Key: r.Key, Status: pcmk.ExecPending, RC: pcmk.OCFUnknown,
		StartDelay: max(0, number(r.meta("start_delay"))), Timeout: max(0, number(r.meta("timeout"))),
	}
	if ms, err := strconv.ParseUint(r.meta("interval"), 10, 32); err == nil {
		o.Interval = uint32(ms)
	}
	if t, ok := r.Params["pcmk_monitor_timeout"]; ok && r.Agent.Class == "stonith" && strings.EqualFold(task, taskMonitor) && o.Interval > 0 {
		ms, _ := iso8601.MSec(t)
		o.Timeout = int(min(max(ms, 0), 1<<31-1))
	}
	o.Params = map[string]string{}
	var was map[string]string
	if e := k.entries[rsc]; e != nil && strings.EqualFold(task, taskStop) {
		was = e.stopParams
	}
	for name, v := range r.Params {
		if name != "CRM_meta_op_target_rc" && (was == nil || strings.Contains(name, "CRM_meta_")) {
			o.Params[name] = v
		}
	}
	for name, v := range was {
		o.Params[name] = v
	}
	if o.Timeout <= 0 {
		o.Timeout = int(min(o.Interval, 1<<31-1))
	}
	if o.Interval != 0 && (strings.EqualFold(task, taskStart) || strings.EqualFold(task, taskStop)) {
		k.notef(Err, "Start and Stop actions cannot have an interval: %d", o.Interval)
		o.Interval = 0
	}
	return o
}

func number(s string) int {
	n, _ := score.LeadingInt(s)
	return int(min(max(n, -1<<31), 1<<31-1))
}
