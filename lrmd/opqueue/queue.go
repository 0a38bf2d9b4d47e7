// Package opqueue decides what the executor runs and when: a queue of operations
// for each resource, recurring operations and their intervals, start delays,
// merging of duplicates, cancelling, and what clients are told. It runs nothing
// itself: Take says which agent to start or kill, Finished brings the result
// back. The daemon (package lrmd) is its only caller.
//
// It replaces daemons/execd/execd_commands.c and the bookkeeping of
// lib/services/services.c.
//
// Life of an operation:
//
//	Exec ─▶ pending ─▶ running ─▶ Done, and for a recurring one ─▶ waiting ─▶ running ─▶ …
//	            (start delay)  └ blocked while another operation of its resource runs
package opqueue

import (
	"slices"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/lrmd/wire"
)

// Classes of agents that the queue itself tells apart.
const (
	Stonith = "stonith"
	Systemd = "systemd"
)

// Token names one run of an agent.
type Token uint64

// Command is an operation that a client wants.
type Command struct {
	Client   string // id of the client
	CallID   int
	Options  wire.Options
	RscID    string
	Action   string
	UserData string
	Interval uint32 // ms, 0: once
	Timeout  int    // ms
	Delay    int    // ms until it may start
	Params   wire.Params
}

// Result is how a run ended, with the agent's status already as an OCF status.
type Result struct {
	RC     pcmk.OCF
	Status pcmk.ExecStatus
	Reason string
	Output string
	PID    int
	// Class is the class of the agent that ran; class service becomes lsb or systemd.
	Class string
	// Final says that there is no such agent, so that repeating is pointless.
	Final bool
}

func (r Result) ok() bool { return r.RC == pcmk.OCFOK && r.Status == pcmk.ExecDone }

// Start is a run to begin now.
type Start struct {
	Token      Token
	CallID     int
	Rsc        wire.Rsc
	Action     string
	Interval   uint32 // ms
	Timeout    int    // ms
	Params     wire.Params
	Fence      bool // by the fencer
	LeaveGroup bool // at a timeout kill the agent alone and leave its process group
}

// Done is the end of an operation, or of one round of a recurring one.
type Done struct {
	Event  wire.Notify
	PID    int
	Client string // who asked
	// OrigOnly: only that client gets the event. Silent: nobody gets it, for the result
	// is the same as before and the client wants changes alone.
	OrigOnly, Silent bool
}

// Output is what the caller does next, in this order.
type Output struct {
	Start []Start
	Kill  []Token // these were cancelled; Finished is still expected
	Done  []Done
	Trace []Trace
}

// Queue is owned by the daemon's loop.
type Queue struct {
	rscs     map[string]*resource
	runs     map[Token]*op
	inflight map[string]*op // by folded resource id: what runs, except fence devices' operations
	blocked  []*op          // in order of arrival
	timers   timers
	last     Token
	dirty    []string // ids of resources whose head of the queue may be able to run
	out      Output
}

type resource struct {
	wire.Rsc
	opts      wire.Options
	active    *op
	pending   []*op
	recurring []*op
	probe     Result // what a probe of a fence device answers
}

func (r *resource) stonith() bool { return strings.EqualFold(r.Class, Stonith) }

// op is one operation. cmd does not change but for what a duplicate brings.
type op struct {
	cmd       Command
	rsc       wire.Rsc
	action    string // what runs; differs from cmd.Action while a systemd job is followed
	following bool   // start or stop has been asked for, and its end is awaited by monitors
	timeout   int    // ms, of the next run
	delay     int    // ms

	queued, firstQueued time.Time
	ran, firstRan       time.Time
	runEpoch, rcEpoch   int64

	token     Token // running
	waiting   bool  // between two rounds
	delayed   bool  // start delay not over
	timer     uint64
	cancelled bool
	deleted   bool

	lastRC     pcmk.OCF // of the round before
	notified   bool
	toldRC     pcmk.OCF
	toldStatus pcmk.ExecStatus
}

// New returns an empty queue.
func New() *Queue {
	return &Queue{rscs: map[string]*resource{}, runs: map[Token]*op{}, inflight: map[string]*op{}}
}

// Take empties the output.
func (q *Queue) Take() Output {
	out := q.out
	q.out = Output{}
	return out
}

// Abandon returns the runs of recurring operations, to be killed when the daemon
// ends; operations that run once are left to finish.
func (q *Queue) Abandon() []Token {
	var out []Token
	for t, o := range q.runs {
		if o.cmd.Interval != 0 {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return out
}

// Len is the number of registered resources.
func (q *Queue) Len() int { return len(q.rscs) }

// Running is the number of runs that have not ended.
func (q *Queue) Running() int { return len(q.runs) }

// Answers to requests: negative errno values of Linux.
const (
	errNoDev       = -19  // ENODEV: no such resource
	errInvalid     = -22  // EINVAL: no id or action
	errNoSuchOp    = -95  // EOPNOTSUPP: nothing to cancel
	errStillActive = -115 // EINPROGRESS: an operation runs
)

// Rsc returns a registered resource.
func (q *Queue) Rsc(id string) (wire.Rsc, bool) {
	r, ok := q.rscs[id]
	if !ok {
		return wire.Rsc{}, false
	}
	return r.Rsc, true
}

// Register makes a resource known. The same one again changes nothing; another
// agent under the id replaces the first, whose operations are cancelled.
func (q *Queue) Register(now time.Time, rsc wire.Rsc, opts wire.Options) int {
	if rsc.ID == "" {
		return errInvalid
	}
	old := q.rscs[rsc.ID]
	if old != nil && old.SameAgent(rsc) {
		q.trace(Trace{Kind: TraceDuplicateRsc, Rsc: rsc.ID})
		return 0
	}
	q.rscs[rsc.ID] = &resource{Rsc: rsc, opts: opts, probe: Result{RC: pcmk.OCFError, Status: pcmk.ExecNoFenceDevice}}
	if old != nil {
		q.forget(now, old)
	}
	q.trace(Trace{Kind: TraceRegistered, Rsc: rsc.ID})
	return 0
}

// Unregister forgets a resource; unknown ones are fine. It answers -EINPROGRESS
// while an operation runs, whose end will be told.
func (q *Queue) Unregister(now time.Time, id string) int {
	if id == "" {
		return errNoDev
	}
	r := q.rscs[id]
	if r == nil {
		q.trace(Trace{Kind: TraceUnknownRsc, Rsc: id})
		return 0
	}
	rc := 0
	if r.active != nil {
		rc = errStillActive
	}
	delete(q.rscs, id)
	q.forget(now, r)
	q.settle(now)
	return rc
}

// forget cancels what a resource that is gone has left (execd_commands.c: free_rsc).
func (q *Queue) forget(now time.Time, r *resource) {
	for _, o := range slices.Clone(r.pending) {
		o.cancelled = true
		q.stopTimer(o)
		q.finalize(now, o, nil, Result{Status: pcmk.ExecCancelled})
	}
	for _, o := range slices.Clone(r.recurring) {
		switch {
		case !r.stonith():
			q.cancelRecurring(now, o, nil)
		case r.active == o:
			o.cancelled = true
		default:
			o.cancelled = true
			q.stopTimer(o)
			q.finalize(now, o, nil, Result{Status: pcmk.ExecCancelled})
		}
	}
}

// Exec queues an operation. It answers the call id, or a negative errno.
func (q *Queue) Exec(now time.Time, c Command) int {
	if c.RscID == "" {
		return errInvalid
	}
	r := q.rscs[c.RscID]
	if r == nil {
		q.trace(Trace{Kind: TraceNoRsc, Rsc: c.RscID, Count: len(q.rscs)})
		return errNoDev
	}
	o := &op{cmd: c, rsc: r.Rsc, action: c.Action, timeout: c.Timeout, delay: c.Delay, lastRC: pcmk.OCFError}
	q.schedule(now, r, o)
	q.settle(now)
	return c.CallID
}

// schedule puts o at the end of its resource's queue (schedule_lrmd_cmd).
func (q *Queue) schedule(now time.Time, r *resource, o *op) {
	if q.merge(now, r, o) {
		return
	}
	// The controller relies on this: no monitor outlives a stop.
	if strings.EqualFold(o.action, "stop") {
		q.cancelAll(now, r, "")
	}
	r.pending = append(r.pending, o)
	o.queue(now)
	if o.delay > 0 {
		o.delayed = true
		q.startTimer(o, now.Add(time.Duration(o.delay)*time.Millisecond))
	}
	q.touch(r.ID)
}

func (o *op) queue(now time.Time) {
	o.queued = now
	if o.firstQueued.IsZero() {
		o.firstQueued = now
	}
}

func (o *op) matches(action string, interval uint32) bool {
	return o.cmd.Interval == interval && strings.EqualFold(o.action, action)
}

// merge joins a recurring operation with the equal one that is there already,
// which takes over its call id and runs now (merge_recurring_duplicate).
func (q *Queue) merge(now time.Time, r *resource, o *op) bool {
	if o.cmd.Interval == 0 {
		return false
	}
	same := func(d *op) bool { return d.matches(o.action, o.cmd.Interval) && !d.cancelled }
	dup, pending := pick(r.pending, same), true
	if dup == nil {
		dup, pending = pick(r.recurring, same), false
	}
	if dup == nil {
		return false
	}
	q.trace(Trace{Kind: TraceMerged, Rsc: r.ID, Action: Normalize(r.Class, dup.action), Interval: dup.cmd.Interval})
	dup.notified = false
	dup.cmd.UserData, dup.cmd.CallID = o.cmd.UserData, o.cmd.CallID
	if !pending && dup.waiting {
		q.stopTimer(dup)
		q.again(now, r, dup)
	}
	return true
}

func pick(list []*op, ok func(*op) bool) *op {
	if i := slices.IndexFunc(list, ok); i >= 0 {
		return list[i]
	}
	return nil
}

// Normalize is the action's name as the agents of a class know it: those of
// services have status for monitor.
func Normalize(class, action string) string {
	if strings.EqualFold(action, "monitor") && serviceClass(class) {
		return "status"
	}
	return action
}

func serviceClass(class string) bool {
	for _, c := range [...]string{Systemd, "service", "lsb", "upstart"} {
		if strings.EqualFold(class, c) {
			return true
		}
	}
	return false
}

// Cancel ends a recurring operation, or one that has not begun. It answers 0,
// -ENODEV or -EOPNOTSUPP when there is nothing to cancel.
func (q *Queue) Cancel(now time.Time, id, action string, interval uint32) int {
	if id == "" || action == "" {
		return errInvalid
	}
	r := q.rscs[id]
	if r == nil {
		return errNoDev
	}
	rc := q.cancel(now, r, action, interval)
	q.settle(now)
	return rc
}

func (q *Queue) cancel(now time.Time, r *resource, action string, interval uint32) int {
	if o := pick(r.pending, func(o *op) bool { return o.matches(action, interval) }); o != nil {
		o.cancelled = true
		q.stopTimer(o)
		q.finalize(now, o, r, Result{Status: pcmk.ExecCancelled})
		return 0
	}
	if r.stonith() {
		o := pick(r.recurring, func(o *op) bool { return o.matches(action, interval) })
		if o == nil {
			return errNoSuchOp
		}
		o.cancelled = true
		if r.active != o {
			q.stopTimer(o)
			q.finalize(now, o, r, Result{Status: pcmk.ExecCancelled})
		}
		return 0
	}
	name := Normalize(r.Class, action)
	o := pick(r.recurring, func(o *op) bool {
		return o.cmd.Interval == interval && !o.cancelled && strings.EqualFold(Normalize(r.Class, o.action), name)
	})
	if o == nil {
		return errNoSuchOp
	}
	q.cancelRecurring(now, o, r)
	return 0
}

// cancelRecurring ends a recurring operation: at once when it waits, else when
// its agent has been killed (services.c: services_action_cancel).
func (q *Queue) cancelRecurring(now time.Time, o *op, r *resource) {
	if o.cancelled {
		return
	}
	o.cancelled = true
	if o.token != 0 {
		q.out.Kill = append(q.out.Kill, o.token)
		return
	}
	q.stopTimer(o)
	q.blocked = remove(q.blocked, o)
	if o.lastRC != pcmk.OCFOK {
		o.rcEpoch = now.Unix()
	}
	q.finalize(now, o, r, Result{RC: o.lastRC, Status: pcmk.ExecCancelled})
}

// cancelAll cancels the recurring operations of a resource, of one client or of all.
func (q *Queue) cancelAll(now time.Time, r *resource, client string) {
	for _, o := range slices.Concat(r.recurring, r.pending) {
		if o.cmd.Interval != 0 && (client == "" || o.cmd.Client == client) {
			q.cancel(now, r, o.action, o.cmd.Interval)
		}
	}
}

// ClientGone cancels what a client left behind on resources that were registered
// with DropRecurring.
func (q *Queue) ClientGone(now time.Time, client string) {
	for _, id := range q.ids() {
		if r := q.rscs[id]; r.opts.Has(wire.DropRecurring) {
			q.cancelAll(now, r, client)
		}
	}
	q.settle(now)
}

func (q *Queue) ids() []string {
	ids := make([]string, 0, len(q.rscs))
	for id := range q.rscs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Recurring lists the recurring operations that have run at least once, of one
// resource or, without id, of all; ids are the resources looked at.
func (q *Queue) Recurring(id string) (ids []string, ops []wire.Recurring, rc int) {
	if id == "" {
		ids = q.ids()
	} else if q.rscs[id] == nil {
		q.trace(Trace{Kind: TraceNoRsc, Rsc: id, Count: len(q.rscs)})
		return nil, nil, errNoDev
	} else {
		ids = []string{id}
	}
	for _, id := range ids {
		for _, o := range q.rscs[id].recurring {
			ops = append(ops, wire.Recurring{RscID: id, Action: o.cmd.Action, Interval: o.cmd.Interval, Timeout: o.cmd.Timeout})
		}
	}
	return ids, ops, 0
}

func remove(list []*op, o *op) []*op {
	if i := slices.Index(list, o); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}
