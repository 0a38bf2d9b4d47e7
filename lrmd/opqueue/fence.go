package opqueue

import (
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/pcmk"
)

// runFence runs an operation of a fence device. A probe is answered from what is
// known; the rest is the fencer's (execute_stonith_action).
func (q *Queue) runFence(now time.Time, r *resource, o *op) {
	if strings.EqualFold(o.action, "monitor") && o.cmd.Interval == 0 {
		q.finishFence(now, o, r, r.probe)
		return
	}
	q.start(o)
}

// finishFence handles what the fencer answered (stonith_action_complete).
func (q *Queue) finishFence(now time.Time, o *op, r *resource, res Result) {
	res.Class = Stonith
	if res.RC != pcmk.OCFOK {
		res.RC = pcmk.OCFError
	}
	if o.cancelled {
		res.Status = pcmk.ExecCancelled
	} else {
		res = fenceResult(o.action, res)
	}
	if r != nil && res.ok() {
		switch {
		case strings.EqualFold(o.action, "start"):
			r.probe = Result{Status: pcmk.ExecDone}
		case strings.EqualFold(o.action, "stop"):
			r.probe = Result{RC: pcmk.OCFError, Status: pcmk.ExecNoFenceDevice}
		}
	}
	q.stopTimer(o)
	if r != nil && o.cmd.Interval != 0 && res.Status != pcmk.ExecCancelled {
		q.rest(now, o)
	}
	q.finalize(now, o, r, res)
}

// fenceResult replaces states that mean something to the fencer alone.
func fenceResult(action string, res Result) Result {
	switch res.Status {
	case pcmk.ExecNotConnected, pcmk.ExecInvalid:
		res.Status = pcmk.ExecError
	case pcmk.ExecNoFenceDevice:
		switch action {
		case "monitor":
			res.RC = pcmk.OCFNotRunning
		case "stop":
			res.RC = pcmk.OCFOK
		default:
			res.RC = pcmk.OCFNotInstalled
		}
		res.Status = pcmk.ExecError
	case pcmk.ExecNotSupported:
		res.RC = pcmk.OCFUnimplemented
	}
	return res
}

// FencerLost fails every operation of fence devices, running, queued or waiting,
// and has probes fail until the next good start or stop: whether the fencer still
// knows a device cannot be told (stonith_connection_failed).
func (q *Queue) FencerLost(now time.Time) {
	lost := Result{RC: pcmk.OCFError, Status: pcmk.ExecNotConnected, Reason: "Lost connection to fencer", Class: Stonith}
	for _, id := range q.ids() {
		r := q.rscs[id]
		if !r.stonith() {
			continue
		}
		if r.probe.Status == pcmk.ExecDone {
			r.probe = lost
		}
		ops := append([]*op(nil), r.recurring...)
		if r.active != nil && !contains(r, r.active) {
			ops = append(ops, r.active)
		}
		for _, o := range r.pending {
			if o.cmd.Interval != 0 {
				r.recurring = append(r.recurring, o)
			}
			ops = append(ops, o)
		}
		r.pending = nil
		for _, o := range ops {
			delete(q.runs, o.token)
			o.token = 0
			q.finishFence(now, o, r, lost)
		}
	}
	q.settle(now)
}
