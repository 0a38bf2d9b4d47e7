package history

import (
	"maps"
	"slices"
	"strconv"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// cancel takes a request to end an operation that recurs (do_lrm_cancel). The request
// is confirmed when the entry of the operation leaves the CIB.
func (k *Keeper) cancel(r *Request) {
	task, ok := r.Params["CRM_meta_operation"]
	ms, err := strconv.ParseUint(r.Params["CRM_meta_interval"], 10, 32)
	if !ok || err != nil {
		k.notef(Warning, "Bad command: cancel without operation or interval")
		return
	}
	key, call := OpKey(r.Rsc, task, uint32(ms)), number(r.Params["CRM_meta_call_id"])
	k.notef(Debug, "Scheduler requested op %s (call=%d) be cancelled", key, call)
	if v := r.Params["CRM_meta_call_id"]; v == "" {
		call = number(r.Params["CRM_meta_call-id"])
	}
	none := func() { k.nothingToCancel(r, task, key, call) }
	if call <= 0 {
		if !k.cancelKeyThen(r.Rsc, key, true, none) {
			none()
		}
		return
	}
	id := stopID(r.Rsc, call)
	if k.pending[id] == nil {
		k.notef(Inform, "No pending op found for %s", id)
		none()
		return
	}
	k.cancelOp(id, true, none)
}

// nothingToCancel answers that an operation is not there any more.
func (k *Keeper) nothingToCancel(r *Request, task, key string, call int) {
	k.notef(Inform, "Nothing known about operation %d for %s", call, key)
	k.erase(r.Rsc, key, "", call)
	o := k.op(r, r.Rsc, task)
	o.Status, o.RC = pcmk.ExecDone, pcmk.OCFOK
	k.answer(r.FromHost, r.FromSys, r.Rsc, &o)
	delete(k.pending, stopID(r.Rsc, call))
}

func (k *Keeper) cancelKey(rsc, key string, remove bool) { k.cancelKeyThen(rsc, key, remove, nil) }

// cancelKeyThen cancels the operations of that key, and says whether there was one.
// none is called when the executor has nothing to cancel.
func (k *Keeper) cancelKeyThen(rsc, key string, remove bool, none func()) bool {
	done := false
	for _, id := range slices.Sorted(maps.Keys(k.pending)) {
		if p := k.pending[id]; p.op.Rsc == rsc && p.op.opKey() == key {
			done = true
			k.cancelOp(id, remove, none)
		}
	}
	return done
}

// cancelOp cancels an operation under way (cancel_op). What the executor does not have
// any more is forgotten.
func (k *Keeper) cancelOp(id string, remove bool, none func()) {
	p := k.pending[id]
	p.remove = p.remove || remove
	if p.cancelled {
		k.notef(Debug, "Operation %s already cancelled", id)
		return
	}
	p.cancelled = true
	t := k.token(func(rc pcmk.RC) {
		if rc == pcmk.OK {
			return
		}
		k.notef(Debug, "Op %d for %s (%s): Nothing to cancel", p.op.CallID, p.op.Rsc, id)
		if k.pending[id] == p {
			delete(k.pending, id)
		}
		if none != nil {
			none()
		}
		k.emit(Changed{})
	})
	k.emit(Cancel{Token: t, Rsc: p.op.Rsc, Task: p.op.Task, Interval: p.op.Interval})
}

// entryPath is the path to entries of a resource in the CIB (XPATH_HISTORY).
func (k *Keeper) entryPath(rsc, condition string) string {
	return "/cib/status/node_state[@uname='" + k.node + "']/lrm/lrm_resources/lrm_resource[@id='" + rsc + "']/lrm_rsc_op[" + condition + "]"
}

// rscPath is the path to the history of a resource in the CIB (XPATH_RESOURCE_HISTORY).
func (k *Keeper) rscPath(rsc string) string {
	return "//node_state[@uname='" + k.node + "']/lrm/lrm_resources/lrm_resource[@id='" + rsc + "']"
}

// erase removes an entry from the CIB: of that call, or of that original operation, when
// one is given (erase_lrm_history_by_id).
func (k *Keeper) erase(rsc, id, original string, call int) {
	c := "@id='" + id + "'"
	switch {
	case call > 0:
		c += " and @call-id='" + strconv.Itoa(call) + "'"
	case original != "":
		c += " and @operation_key='" + original + "'"
	}
	k.notef(Debug, "Erasing resource operation history for %s on %s (call=%d)", id, rsc, call)
	k.emit(Erase{Path: k.entryPath(rsc, c)})
}

// eraseOp removes the entry of an operation from the CIB (erase_lrm_history_by_op), but
// not that of its failure.
func (k *Keeper) eraseOp(o *Op) {
	x := xmltree.New("lrm_rsc_op", xmltree.Attr{Name: "call-id", Value: strconv.Itoa(o.CallID)}, xmltree.Attr{Name: "transition-key", Value: o.Key})
	if o.Interval > 0 {
		x.Set("id", o.opKey())
	}
	k.notef(Debug, "Erasing resource operation history for %s (call=%d)", o.opKey(), o.CallID)
	k.emit(Erase{Match: x})
}

// clearFailure forgets the last failure of a resource (lrm_clear_last_failure).
func (k *Keeper) clearFailure(in ClearFailure) {
	original := ""
	if in.Task != "" {
		original = OpKey(in.Rsc, in.Task, in.Interval)
	}
	k.erase(in.Rsc, OpKey(in.Rsc, "last_failure", 0), original, 0)
	if e := k.entries[in.Rsc]; e != nil && e.failed != nil && (in.Task == "" || in.Task == e.failed.Task && in.Interval == e.failed.Interval) {
		e.failed = nil
	}
}
