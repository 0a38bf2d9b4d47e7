package remoteop

import (
	"strconv"
	"time"

	"github.com/pacesync/pacesync/fencing/note"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

func (o *op) complete(now time.Time) {
	o.rec.Completed, o.rec.CompletedNsec = now.Unix(), int64(now.Nanosecond())
}

// finalize ends an operation. The first time it only tells all peers, this node
// included; what clients here learn comes with that message (finalize_op).
func (e *Engine) finalize(now time.Time, o *op, m *wire.Message, dup bool) {
	r := &o.rec
	what := "Operation '" + r.Action + "'" + note.Sandwich(" targeting ", r.Target, "") + " by " + note.Or(r.Delegate, "unknown node") +
		" for " + r.ClientName + "@" + r.Origin
	if o.notified {
		e.out.Notes.Notice("%s: Result arrived too late | id=%s", what, o.id8())
		return
	}
	o.complete(now)
	o.queryAt, o.oneAt, o.totalAt = time.Time{}, time.Time{}, time.Time{}
	e.undoSplit(o)
	if m != nil && r.Delegate == "" {
		o.setDelegate(m)
	}
	merged := dup || m != nil && m.Merged
	if !dup && (m == nil || m.Subtype != "broadcast") {
		e.cast(o, merged)
		return
	}
	level := note.Error
	if r.Result.OK() || dup || !sameNode(r.Origin, e.self) {
		level = note.Notice
	}
	what = "Operation '" + r.Action + "'" + note.Sandwich(" targeting ", r.Target, "") + " by " + note.Or(r.Delegate, "unknown node") +
		" for " + r.ClientName + "@" + r.Origin
	if merged {
		what += " (merged)"
	}
	e.out.Notes.Add(level, "%s: %s (%s%s) | id=%s", what, pcmk.Exit(r.Result.Exit), r.Result.Status, note.Sandwich(": ", r.Result.Reason, ""), o.id8())
	e.tellClients(o, m)
	if !dup {
		e.finalizeDuplicates(now, o, m)
	}
	o.peers, o.request = nil, nil
}

// setDelegate notes who acted, if somebody did.
func (o *op) setDelegate(m *wire.Message) {
	res := o.rec.Result
	if res.Status == pcmk.ExecNoFenceDevice || res.Status == pcmk.ExecInvalid && res.Exit == int(pcmk.ExitExpired) {
		return
	}
	o.rec.Delegate = note.Or(m.Delegate, m.Peer)
}

func (e *Engine) cast(o *op, merged bool) {
	e.casts++
	e.do(Send{Msg: &wire.OutcomeCast{Outcome: o.outcome(), Count: e.casts, Merged: merged}})
}

// tellClients answers who asked and notifies the others
// (handle_local_reply_and_notify).
func (e *Engine) tellClients(o *op, m *wire.Message) {
	data := xmltree.New("remote-op")
	if m != nil && m.Tree() != nil {
		data = m.Tree().Copy()
	}
	data.Set("state", strconv.Itoa(int(o.rec.State)))
	data.Set("st_target", o.rec.Target)
	data.Set("st_op", o.rec.Action)
	if o.request == nil {
		e.out.Notes.Warn("Missing request information for client notifications for operation with result '%s' (initiated before we came up?)", o.rec.Result.Status)
	}
	reply := &wire.Reply{To: o.request, Result: o.rec.Result, Data: data, Delegate: o.rec.Delegate}
	e.do(Answer{Client: o.client, Options: o.opts, Msg: reply})
	out := o.outcome()
	e.do(Notify{wire.Notification{Type: wire.NotifyFence, Result: o.rec.Result, Outcome: &out}})
	e.notifyHistory()
	o.notified = true
}

func (e *Engine) finalizeDuplicates(now time.Time, o *op, m *wire.Message) {
	for _, d := range o.duplicates {
		if d.rec.State != wire.StateDuplicate { // it may have timed out by itself
			e.out.Notes.Err("Skipping duplicate notification for %s@%s | state=%s id=%s", d.rec.ClientName, d.rec.Origin, d.rec.State, d.id8())
			continue
		}
		d.rec.State, d.rec.Result = o.rec.State, o.rec.Result
		e.out.Notes.Debug("Performing duplicate notification for %s@%s: %s | id=%s", d.rec.ClientName, d.rec.Origin, o.rec.Result.Status, d.id8())
		e.finalize(now, d, m, true)
	}
}

// oneTimeout: a peer did not answer, or the watchdog's time is over.
func (e *Engine) oneTimeout(now time.Time, o *op) {
	r := &o.rec
	if o.watchdog {
		e.out.Notes.Notice("Self-fencing (%s) by %s for %s assumed complete | id=%s", r.Action, r.Target, r.ClientName, o.id8())
		r.State, r.Result = wire.StateDone, wire.Done()
		e.finalize(now, o, nil, false)
		return
	}
	e.out.Notes.Notice("Peer's '%s' action targeting %s for client %s timed out | id=%s", r.Action, r.Target, r.ClientName, o.id8())
	r.Result = wire.Failure(pcmk.ExitError, pcmk.ExecTimeout, "Peer did not return fence result within timeout")
	e.request(now, o, nil)
}

// queryTimeout: not everybody has answered.
func (e *Engine) queryTimeout(now time.Time, o *op) {
	switch {
	case o.rec.State == wire.StateDone || o.rec.State == wire.StateExec:
		e.out.Notes.Debug("Operation %s targeting %s already %s", o.id8(), o.rec.Target, o.rec.State)
	case len(o.peers) > 0:
		e.out.Notes.Debug("Query %s targeting %s complete (state=%s)", o.id8(), o.rec.Target, o.rec.State)
		e.request(now, o, nil)
	default:
		e.out.Notes.Debug("Query %s targeting %s timed out (state=%s)", o.id8(), o.rec.Target, o.rec.State)
		e.timedOut(now, o, "No capable peers replied to device query within timeout")
	}
}

func (e *Engine) totalTimeout(now time.Time, o *op) {
	if o.rec.State == wire.StateDone {
		e.out.Notes.Debug("Action '%s' targeting %s for client %s already completed | id=%s", o.rec.Action, o.rec.Target, o.rec.ClientName, o.id8())
		return
	}
	e.timedOut(now, o, "Fencing did not complete within a total timeout based on the configured timeout and retries for any devices attempted")
}

// timedOut gives an operation up. A target that is off already is fenced, even
// if it could not be switched on again (finalize_timed_out_op).
func (e *Engine) timedOut(now time.Time, o *op, reason string) {
	e.out.Notes.Debug("Action '%s' targeting %s for client %s timed out | id=%s", o.rec.Action, o.rec.Target, o.rec.ClientName, o.id8())
	if o.phase == wire.PhaseOn {
		o.rec.State, o.rec.Result = wire.StateDone, wire.Done()
	} else {
		o.rec.State, o.rec.Result = wire.StateFailed, wire.Failure(pcmk.ExitError, pcmk.ExecTimeout, reason)
	}
	e.finalize(now, o, nil, false)
}
