package remoteop

import (
	"strings"
	"time"

	"github.com/pacesync/pacesync/fencing/history"
	"github.com/pacesync/pacesync/fencing/note"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
)

// Record notes an operation that a peer has begun, so that this node knows its
// end, too.
func (e *Engine) Record(now time.Time, m *wire.Message) { e.create(now, m.Client, m, true) }

// Relayed notes an operation on ourselves that another node is going to
// conduct, and returns its identifier. It is forgotten when that node asks.
func (e *Engine) Relayed(now time.Time, client string, m *wire.Message) string {
	return e.create(now, client, m, false).rec.ID
}

// create makes an operation of a request (create_remote_stonith_op).
func (e *Engine) create(now time.Time, client string, m *wire.Message, fromPeer bool) *op {
	part := m.Target
	if fromPeer && part != nil {
		if part.RemoteOp == "" {
			return nil
		}
		if o := e.lookup(part.RemoteOp); o != nil {
			return o
		}
	}
	o := &op{
		base: m.Timeout, delay: m.Delay, created: now, expected: e.world.ActivePeers(), client: client, call: m.CallNo(),
		opts: m.Options, request: m,
	}
	o.rec = wire.Record{State: wire.StateQuery, Origin: e.self, ClientName: m.Name}
	if part != nil {
		o.rec.Target, o.rec.Action, o.rec.Delegate = part.Target, part.Action, part.Delegate
		// The library's st_origin in requests of clients names a function.
		if part.Origin != "" {
			o.rec.Origin = part.Origin
		}
	}
	if fromPeer && part != nil {
		o.rec.ID = part.RemoteOp
	} else {
		o.rec.ID = e.newID()
	}
	if m.Op == wire.OpRelay {
		o.rec.ClientName = e.system
	}
	if o.opts.Has(wire.TargetIsNodeID) {
		o.opts &^= wire.TargetIsNodeID
		if name := e.world.NodeName(o.rec.Target); name != "" {
			o.rec.Target = name
		} else {
			e.out.Notes.Warn("Could not expand nodeid '%s' into a host name", o.rec.Target)
		}
	}
	e.ops = append(e.ops, o)
	e.merge(now, o)
	if o.rec.State != wire.StateDuplicate {
		e.notifyHistory()
	}
	e.trim()
	return o
}

func (e *Engine) trim() {
	if len(e.ops) > history.Max {
		for _, id := range history.Surplus(e.records()) {
			e.drop(id)
		}
	}
}

func (e *Engine) records() []wire.Record {
	l := make([]wire.Record, len(e.ops))
	for i, o := range e.ops {
		l[i] = o.rec
	}
	return l
}

// merge lets an operation share the fate of an equal one that is on its way
// (merge_duplicates).
func (e *Engine) merge(now time.Time, o *op) {
	for _, other := range e.ops {
		if other == o || other.rec.State > wire.StateExec || !strings.EqualFold(o.rec.Target, other.rec.Target) ||
			o.rec.Action != other.requested() || strings.EqualFold(o.rec.ClientName, other.rec.ClientName) ||
			strings.EqualFold(other.rec.Target, other.rec.Origin) {
			continue
		}
		if !e.world.PeerActive(other.rec.Origin) {
			e.out.Notes.Notice("Failing action '%s' targeting %s originating from client %s@%s: Originator is dead | id=%s",
				other.rec.Action, other.rec.Target, other.rec.ClientName, other.rec.Origin, other.id8())
			other.rec.State = wire.StateFailed
			continue
		}
		if other.total > 0 && now.After(after(other.created, other.total)) {
			continue // an old one, which may never end
		}
		other.duplicates = append(other.duplicates, o)
		if other.total == 0 {
			o.total = factor(e.totalFor(o, nil))
			other.total = o.total
		}
		e.out.Notes.Notice("Merging fencing action '%s' targeting %s originating from client %s with identical request from %s@%s "+
			"| original=%s duplicate=%s total_timeout=%ds", o.rec.Action, o.rec.Target, o.rec.ClientName, other.rec.ClientName,
			other.rec.Origin, o.id8(), other.id8(), other.total)
		e.reportTimeout(o, other.total)
		o.rec.State = wire.StateDuplicate
	}
}

// Start conducts the operation that a client, or by a relay a peer, asks for
// (initiate_remote_stonith_op). ok is false for a request that says too little.
func (e *Engine) Start(now time.Time, client string, m *wire.Message) (ok bool) {
	o := e.create(now, client, m, false)
	o.owner = true
	if o.rec.Action == "" {
		return false
	}
	if !e.nextLevel(o, true) {
		o.rec.State = wire.StateFailed
	}
	switch o.rec.State {
	case wire.StateFailed:
		o.rec.Result = wire.Failure(pcmk.ExitError, pcmk.ExecError, "All topology levels failed")
		e.out.Notes.Warn("Could not request peer fencing (%s) targeting %s | id=%s", o.rec.Action, o.rec.Target, o.id8())
		e.finalize(now, o, nil, false)
		return true
	case wire.StateDuplicate:
		e.out.Notes.Info("Requesting peer fencing (%s) targeting %s (duplicate) | id=%s", o.rec.Action, o.rec.Target, o.id8())
		return true
	}
	e.out.Notes.Notice("Requesting peer fencing (%s) targeting %s | id=%s state=%s base_timeout=%d",
		o.rec.Action, o.rec.Target, o.id8(), o.rec.State, o.base)
	q := &wire.Query{OpHead: o.head()}
	q.Action = o.requested()
	if m.Op == wire.OpRelay {
		q.RelayOp = m.RemoteOp
	}
	e.do(Send{Msg: q})
	o.queryAt = after(now, factor(o.base))
	return true
}

// Confirm ends an operation at once: a human says that the target is down
// (fenced_handle_manual_confirmation).
func (e *Engine) Confirm(now time.Time, client string, m *wire.Message) (ok bool) {
	if m.Target == nil {
		return false
	}
	e.out.Notes.Notice("Received manual confirmation that %s has been fenced", note.Or(m.Target.Target, "unknown target"))
	o := e.create(now, client, m, false)
	o.owner = true
	o.rec.State, o.rec.Delegate, o.rec.Result = wire.StateDone, "a human", wire.Done()
	e.finalize(now, o, m, false)
	return true
}

// Tolerated says whether the target was fenced that way not longer ago than the
// tolerance in seconds (stonith_check_fence_tolerance).
func (e *Engine) Tolerated(now time.Time, tolerance int, target, action string) bool {
	if tolerance <= 0 || target == "" || action == "" {
		return false
	}
	for _, o := range e.ops {
		r := &o.rec
		if r.Target == target && r.State == wire.StateDone && r.Action == action && r.Completed+int64(tolerance) >= now.Unix() {
			e.out.Notes.Notice("Target %s was fenced (%s) less than %ds ago by %s on behalf of %s", target, action, tolerance, r.Delegate, r.Origin)
			return true
		}
	}
	return false
}

// RemoveRelay forgets the operation that was relayed, now that its new
// conductor asks for devices (remove_relay_op).
func (e *Engine) RemoveRelay(m *wire.Message) {
	if m.RelayOp == "" || m.Action == nil || !strings.EqualFold(m.Action.Target, e.self) {
		return
	}
	relay := e.lookup(m.RelayOp)
	if relay == nil {
		return
	}
	for _, o := range e.ops {
		for i, d := range o.duplicates {
			if d == relay {
				o.duplicates = append(o.duplicates[:i:i], o.duplicates[i+1:]...)
				break
			}
		}
	}
	e.out.Notes.Debug("Deleting relay op %s ('%s'%s for %s), replaced by op %s", relay.rec.ID, relay.rec.Action,
		note.Sandwich(" targeting ", relay.rec.Target, ""), relay.rec.ClientName, m.RemoteOp)
	e.drop(m.RelayOp)
}
