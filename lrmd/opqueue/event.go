package opqueue

import (
	"time"

	"github.com/pacesync/pacesync/lrmd/wire"
)

const (
	wireOrigOnly = wire.NotifyOrigOnly
	wireChanges  = wire.NotifyChangesOnly
)

// event is what clients are told about a round. Times of the first round alone
// are known, as upstream: later ones carry 0.
func (o *op) event(now time.Time, res Result) wire.Notify {
	e := wire.Notify{
		Op: wire.OpRscExec, Origin: "send_cmd_complete_notify", CallID: o.cmd.CallID, RscID: o.cmd.RscID,
		Timeout: o.timeout, Interval: o.cmd.Interval, StartDelay: o.delay,
		Result: res.RC, Status: res.Status, Deleted: o.deleted, RunTime: o.runEpoch, RCChange: o.rcEpoch,
		Action: o.cmd.Action, UserData: o.cmd.UserData, ExitReason: res.Reason, Output: res.Output, Params: o.cmd.Params,
	}
	if !o.ran.IsZero() {
		e.ExecTime = int(now.Sub(o.ran).Milliseconds())
		if !o.queued.IsZero() {
			e.QueueTime = int(o.ran.Sub(o.queued).Milliseconds())
		}
	}
	return e
}
