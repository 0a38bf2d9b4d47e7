package opqueue

import (
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/pcmk"
)

// touch notes that the head of a resource's queue may be able to run now.
func (q *Queue) touch(id string) { q.dirty = append(q.dirty, id) }

// settle starts what can start, until nothing more can.
func (q *Queue) settle(now time.Time) {
	q.unblock()
	for len(q.dirty) > 0 {
		id := q.dirty[0]
		q.dirty = q.dirty[1:]
		if r := q.rscs[id]; r != nil {
			q.runHead(now, r)
		}
	}
}

// runHead starts the first operation of a resource's queue, unless one is active
// or its start delay is not over; those behind it wait too
// (execute_resource_action).
func (q *Queue) runHead(now time.Time, r *resource) {
	if r.active != nil || len(r.pending) == 0 || r.pending[0].delayed {
		return
	}
	o := r.pending[0]
	r.pending = r.pending[1:]
	o.ran = now
	if o.firstRan.IsZero() {
		o.firstRan = now
	}
	o.runEpoch = now.Unix()
	r.active = o
	if o.cmd.Interval != 0 {
		r.recurring = append(r.recurring, o)
	}
	q.trace(Trace{Kind: TraceExecute, Rsc: r.ID, Action: o.action, CallID: o.cmd.CallID})
	if r.stonith() {
		q.runFence(now, r, o)
		return
	}
	q.launch(o)
}

// launch starts o, or has it wait until nothing else of its resource runs.
func (q *Queue) launch(o *op) {
	if q.inflight[fold(o.rsc.ID)] != nil {
		q.blocked = append(q.blocked, o)
		return
	}
	q.inflight[fold(o.rsc.ID)] = o
	q.start(o)
}

func (q *Queue) start(o *op) {
	q.last++
	o.token, o.waiting = q.last, false
	q.runs[o.token] = o
	block, _ := o.cmd.Params.Get("CRM_meta_on_fail")
	q.out.Start = append(q.out.Start, Start{
		Token: o.token, CallID: o.cmd.CallID, Rsc: o.rsc, Action: o.action, Interval: o.cmd.Interval,
		Timeout: o.timeout, Params: o.cmd.Params,
		Fence: strings.EqualFold(o.rsc.Class, Stonith), LeaveGroup: strings.EqualFold(block, "block"),
	})
}

// unblock starts the blocked operations whose resource has become free.
func (q *Queue) unblock() {
	for i := 0; i < len(q.blocked); {
		o := q.blocked[i]
		if q.inflight[fold(o.rsc.ID)] != nil {
			i++
			continue
		}
		q.blocked = remove(q.blocked, o)
		q.launch(o)
	}
}

func fold(id string) string { return strings.ToLower(id) }

// again begins the next round of a recurring operation. A fence device's goes
// through the queue, any other directly.
func (q *Queue) again(now time.Time, r *resource, o *op) {
	o.waiting = false
	if r.stonith() {
		r.recurring = remove(r.recurring, o)
		r.pending = append(r.pending, o)
		o.queue(now)
		q.touch(r.ID)
		return
	}
	q.trace(Trace{Kind: TraceRepeat, Rsc: r.ID, Action: o.action, Interval: o.cmd.Interval})
	q.launch(o)
}

// rest has a recurring operation wait for its interval.
func (q *Queue) rest(now time.Time, o *op) {
	o.waiting = true
	q.startTimer(o, now.Add(time.Duration(o.cmd.Interval)*time.Millisecond))
}

// Step handles the timers that are due.
func (q *Queue) Step(now time.Time) {
	for {
		o := q.timers.due(now)
		if o == nil {
			break
		}
		o.timer = 0
		r := q.rscs[o.cmd.RscID]
		switch {
		case o.delayed:
			o.delayed = false
			q.touch(o.cmd.RscID)
		case o.waiting && r != nil:
			q.again(now, r, o)
		}
	}
	q.settle(now)
}

// Deadline is when Step wants to be called; zero: never.
func (q *Queue) Deadline() time.Time { return q.timers.next() }

// Finished brings the result of a run. A token that is not known any more is ignored.
func (q *Queue) Finished(now time.Time, t Token, res Result) {
	o := q.runs[t]
	if o == nil {
		return
	}
	delete(q.runs, t)
	o.token = 0
	if q.inflight[fold(o.cmd.RscID)] == o {
		delete(q.inflight, fold(o.cmd.RscID))
	}
	r := q.rscs[o.cmd.RscID]
	if r != nil && r.active != o && !contains(r, o) {
		r = nil // another resource has the id now
	}
	if strings.EqualFold(res.Class, Stonith) {
		q.finishFence(now, o, r, res)
	} else {
		q.complete(now, o, r, res)
	}
	q.settle(now)
}

func contains(r *resource, o *op) bool {
	return pick(r.recurring, func(x *op) bool { return x == o }) != nil
}

// complete handles the end of a run (execd_commands.c: action_complete, and
// services__finalize_async_op for the next round).
func (q *Queue) complete(now time.Time, o *op, r *resource, res Result) {
	o.lastRC = res.RC
	if res.RC != pcmk.OCFOK {
		o.rcEpoch = now.Unix()
	}
	if o.cancelled {
		res.Status, res.Reason = pcmk.ExecCancelled, ""
	}
	if r != nil && strings.EqualFold(res.Class, Systemd) && q.follow(now, o, r, &res) {
		return
	}
	if o.cmd.Interval != 0 && !o.cancelled && r != nil {
		if res.Final {
			r.recurring = remove(r.recurring, o)
		} else {
			q.rest(now, o)
		}
	}
	q.finalize(now, o, r, res)
}

// follow handles what systemd answers: start and stop return when the job has
// begun, so that its end is awaited by monitors. True when o goes on.
func (q *Queue) follow(now time.Time, o *op, r *resource, res *Result) bool {
	start, stop := strings.EqualFold(o.cmd.Action, "start"), strings.EqualFold(o.cmd.Action, "stop")
	switch {
	case !o.following && res.ok() && (start || stop):
		o.following, o.action = true, "monitor"
	case !o.following:
		return false
	case res.Status == pcmk.ExecPending, res.ok() && stop:
	default:
		o.ran, o.queued = o.firstRan, o.firstQueued
		if res.Status == pcmk.ExecDone && res.RC == pcmk.OCFNotRunning {
			if start {
				res.RC = pcmk.OCFError
			} else {
				res.RC = pcmk.OCFOK
			}
		}
		return false
	}
	elapsed := int(now.Sub(o.firstRan).Milliseconds())
	left := o.cmd.Timeout - elapsed
	delay := o.cmd.Timeout / 10
	if delay >= left && left > 20 {
		delay = left / 2
	}
	delay = min(2000, delay)
	t := Trace{Rsc: r.ID, Action: o.cmd.Action, Elapsed: elapsed, Left: left, Delay: delay, RC: res.RC, Pending: res.Status == pcmk.ExecPending}
	if delay < left {
		t.Kind = TraceFollow
		q.trace(t)
		o.delay, o.timeout = delay, left
		o.reset()
		r.active = nil
		q.schedule(now, r, o)
		return true
	}
	t.Kind = TraceGiveUp
	q.trace(t)
	*res = Result{RC: pcmk.OCFError, Status: pcmk.ExecTimeout, Class: res.Class, PID: res.PID,
		Reason: "Investigate reason for timeout, and adjust configured operation timeout if necessary"}
	o.ran, o.queued = o.firstRan, o.firstQueued
	return false
}

// reset forgets what belongs to one round (cmd_reset).
func (o *op) reset() { o.ran, o.queued, o.runEpoch = time.Time{}, time.Time{}, 0 }

// finalize tells the end of o and takes it out of the lists it has no business
// in any more (cmd_finalize). r is nil when the resource is gone.
func (q *Queue) finalize(now time.Time, o *op, r *resource, res Result) {
	if r != nil && r.active == o {
		r.active = nil
		q.touch(r.ID)
	}
	if r == nil {
		o.deleted = true
	}
	o.timeout = o.cmd.Timeout
	q.tell(now, o, res)
	if o.cmd.Interval != 0 && res.Status != pcmk.ExecCancelled {
		o.reset()
		return
	}
	if r != nil {
		if o.cmd.Interval != 0 {
			r.recurring = remove(r.recurring, o)
		}
		r.pending = remove(r.pending, o)
		q.touch(r.ID)
	}
}

func (q *Queue) tell(now time.Time, o *op, res Result) {
	d := Done{PID: res.PID, Client: o.cmd.Client, OrigOnly: o.cmd.Options.Has(wireOrigOnly)}
	d.Silent = o.notified && o.cmd.Options.Has(wireChanges) && o.toldRC == res.RC && o.toldStatus == res.Status
	o.notified, o.toldRC, o.toldStatus = true, res.RC, res.Status
	d.Event = o.event(now, res)
	q.out.Done = append(q.out.Done, d)
}
