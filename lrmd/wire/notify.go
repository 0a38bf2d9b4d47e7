package wire

import (
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Notify is an event for clients. Op says which: rsc_exec (an operation ended;
// all fields count), rsc_register, rsc_unregister and poke (RC, CallID, RscID),
// new_client (nothing else).
type Notify struct {
	Op     string
	Origin string
	RC     int // of all but exec
	CallID int
	RscID  string

	Timeout    int    // ms
	Interval   uint32 // ms
	StartDelay int    // ms
	Result     pcmk.OCF
	Status     pcmk.ExecStatus
	Deleted    bool  // the resource is not registered any more
	RunTime    int64 // seconds since the epoch, 0 for all but the first run
	RCChange   int64 // seconds since the epoch
	ExecTime   int   // ms
	QueueTime  int   // ms
	Action     string
	UserData   string
	ExitReason string
	Output     string
	Params     Params
}

// XML writes a notification (execd_commands.c: send_cmd_complete_notify,
// send_generic_notify, notify_of_new_client).
func (e Notify) XML() *xmltree.Node {
	n := xmltree.New("lrmd_notify")
	w := writer{n}
	w.str("lrmd_origin", e.Origin)
	if e.Op == OpNewClient {
		w.str("lrmd_op", e.Op)
		return n
	}
	if e.Op != OpRscExec {
		w.int("lrmd_rc", e.RC)
		w.int("lrmd_callid", e.CallID)
		w.str("lrmd_op", e.Op)
		w.str("lrmd_rsc_id", e.RscID)
		return n
	}
	w.int("lrmd_timeout", e.Timeout)
	w.ms("lrmd_rsc_interval", e.Interval)
	w.int("lrmd_rsc_start_delay", e.StartDelay)
	w.int("lrmd_exec_rc", int(e.Result))
	w.int("lrmd_exec_op_status", int(e.Status))
	w.int("lrmd_callid", e.CallID)
	deleted := 0
	if e.Deleted {
		deleted = 1
	}
	w.int("lrmd_rsc_deleted", deleted)
	w.int64("lrmd_run_time", e.RunTime)
	w.int64("lrmd_rcchange_time", e.RCChange)
	w.int("lrmd_exec_time", e.ExecTime)
	w.int("lrmd_queue_time", e.QueueTime)
	w.str("lrmd_op", e.Op)
	w.str("lrmd_rsc_id", e.RscID)
	w.str("lrmd_rsc_action", e.Action)
	w.str("lrmd_rsc_userdata_str", e.UserData)
	w.str("lrmd_rsc_exit_reason", e.ExitReason)
	w.str("lrmd_rsc_output", e.Output)
	addParams(n, e.Params)
	return n
}

// ParseNotify reads a notification; false when it is none that this version
// knows (lrmd_client.c: lrmd_dispatch_internal).
func ParseNotify(n *xmltree.Node) (Notify, bool) {
	r := reader{n}
	e := Notify{Op: r.str("lrmd_op"), Origin: r.str("lrmd_origin"), RC: r.int("lrmd_rc"), CallID: r.int("lrmd_callid"), RscID: r.str("lrmd_rsc_id")}
	switch e.Op {
	case OpRscRegister, OpUnregister, OpNewClient, OpPoke:
		return e, true
	case OpRscExec:
	default:
		return Notify{}, false
	}
	e.Timeout, e.Interval, e.StartDelay = r.int("lrmd_timeout"), r.ms("lrmd_rsc_interval"), r.int("lrmd_rsc_start_delay")
	e.Result, e.Status = pcmk.OCF(r.int("lrmd_exec_rc")), pcmk.ExecStatus(r.int("lrmd_exec_op_status"))
	e.Deleted = r.int("lrmd_rsc_deleted") != 0
	e.RunTime, e.RCChange = r.int64("lrmd_run_time"), r.int64("lrmd_rcchange_time")
	e.ExecTime, e.QueueTime = r.int("lrmd_exec_time"), r.int("lrmd_queue_time")
	e.Action, e.UserData = r.str("lrmd_rsc_action"), r.str("lrmd_rsc_userdata_str")
	e.ExitReason, e.Output = r.str("lrmd_rsc_exit_reason"), r.str("lrmd_rsc_output")
	e.Params = parseParams(n)
	return e, true
}
