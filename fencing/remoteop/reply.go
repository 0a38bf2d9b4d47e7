package remoteop

import (
	"slices"
	"strings"
	"time"

	"github.com/pacesync/pacesync/fencing/note"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
)

// Offer takes a peer's answer to a query (process_remote_stonith_query).
func (e *Engine) Offer(now time.Time, m *wire.Message) {
	if m.OpID == "" || m.Offer == nil {
		e.out.Notes.Warn("Ignoring query reply from %s without operation or devices", m.Peer)
		return
	}
	o := e.lookup(m.OpID)
	if o == nil {
		e.out.Notes.Debug("Received query reply for unknown or expired operation %s", m.OpID)
		return
	}
	expected := min(e.world.ActivePeers(), o.expected)
	o.replies++
	all := o.replies >= expected && o.rec.State == wire.StateQuery
	e.out.Notes.Info("Query result %d of %d from %s for %s/%s (%d device%s) %s", o.replies, expected, m.Peer, o.rec.Target, o.rec.Action,
		m.Offer.Count, note.S(m.Offer.Count), m.OpID)
	var p *peer
	if m.Offer.Count > 0 {
		p = e.addPeer(o, m)
	}
	o.rec.Result = wire.Done()
	switch {
	case o.topology():
		// To begin before all devices are known could skip a level.
		if o.rec.State == wire.StateQuery && e.allFound(o) {
			e.request(now, o, p)
		} else if all {
			e.out.Notes.Info("All topology query replies have arrived, continuing (%d expected/%d received) ", expected, o.replies)
			e.request(now, o, nil)
		}
	case o.rec.State == wire.StateQuery:
		if p != nil && !sameNode(m.Peer, o.rec.Target) && o.count(p, true, wire.Needed(o.rec.Action)) > 0 {
			e.request(now, o, p) // good enough: verified, and not the target
		} else if all {
			e.out.Notes.Info("All query replies have arrived, continuing (%d expected/%d received) ", expected, o.replies)
			e.request(now, o, nil)
		}
	case p != nil && o.rec.State == wire.StateDone:
		e.out.Notes.Info("Discarding query result from %s (%d device%s): Operation is %s", p.host, len(p.devices), note.S(len(p.devices)), o.rec.State)
	}
}

// addPeer keeps an offer; peers with more devices come first (add_result).
func (e *Engine) addPeer(o *op, m *wire.Message) *peer {
	p := &peer{host: m.Peer}
	for _, d := range m.Offer.Devices {
		if p.find(d.ID) == nil {
			p.devices = append(p.devices, &offered{Offered: d})
		}
		asked := o.requested() == "on" && d.Phase[wire.Requested].Required
		if (asked || d.Phase[wire.PhaseOn].Required) && !slices.Contains(o.automatic, d.ID) {
			o.automatic = append([]string{d.ID}, o.automatic...)
		}
	}
	if len(p.devices) != m.Offer.Count {
		e.out.Notes.Err("Query claimed to have %d device%s but %d found", m.Offer.Count, note.S(m.Offer.Count), len(p.devices))
	}
	i := slices.IndexFunc(o.peers, func(q *peer) bool { return len(q.devices) < len(p.devices) })
	if i < 0 {
		i = len(o.peers)
	}
	o.peers = slices.Insert(o.peers, i, p)
	return p
}

// Result takes the result of an action from the peer that did it, or the end of
// an operation from the node that conducted it (fenced_process_fencing_reply).
func (e *Engine) Result(now time.Time, m *wire.Message) {
	if m.OpID == "" || m.Result == nil {
		e.out.Notes.Warn("Ignoring fencing result from %s without operation or result", m.Peer)
		return
	}
	r, used := m.Result.Result, m.Result.Device
	o := e.lookup(m.OpID)
	if o == nil && r.OK() {
		// Remember that the target was fenced even if we did not see the beginning.
		o = e.create(now, m.Result.Client, m.Result.OfResult(), true)
	}
	if o == nil {
		e.out.Notes.Info("Received peer result of unknown or expired operation %s", m.OpID)
		return
	}
	o.rec.Result = r
	if at := o.current(); at != "" && used != "" && !strings.EqualFold(at, used) {
		e.out.Notes.Err("Received outdated reply for device %s (instead of %s) to fence (%s) %s. Operation already timed out at peer level.",
			used, at, o.rec.Action, o.rec.Target)
		return
	}
	switch {
	case strings.EqualFold(m.Subtype, "broadcast"):
		o.rec.State = wire.StateFailed
		if r.OK() {
			o.rec.State = wire.StateDone
		}
		e.finalize(now, o, m, false)
	case !sameNode(o.rec.Origin, e.self):
		e.out.Notes.Err("Received non-broadcast fencing result for operation %s we do not own (device %s targeting %s)", o.id8(), used, o.rec.Target)
	case o.topology():
		e.levelResult(now, o, m)
	case r.OK() && len(o.at) == 0:
		o.rec.State = wire.StateDone
		e.finalize(now, o, m, false)
	case r.Status == pcmk.ExecTimeout && len(o.at) == 0:
		o.rec.State = wire.StateFailed // others would not be quicker
		e.finalize(now, o, m, false)
	default:
		e.request(now, o, nil)
	}
}

// levelResult is Result for an operation of ours with a topology.
func (e *Engine) levelResult(now time.Time, o *op, m *wire.Message) {
	if o.rec.State == wire.StateDone {
		e.finalize(now, o, m, false)
		return
	}
	id, r := m.Result.Device, o.rec.Result
	if o.phase == wire.PhaseOn && !r.OK() {
		e.out.Notes.Warn("Ignoring %s 'on' failure (%s%s) targeting %s after successful 'off'", id, r.Status, note.Sandwich(": ", r.Reason, ""), o.rec.Target)
		o.rec.Result = wire.Done()
	} else {
		e.out.Notes.Notice("Action '%s' targeting %s%s on behalf of %s@%s: %s%s", o.rec.Action, o.rec.Target, note.Sandwich(" using ", id, ""),
			o.rec.ClientName, o.rec.Origin, r.Status, note.Sandwich(" (", r.Reason, ")"))
	}
	switch {
	case o.rec.Result.OK():
		e.nextDevice(now, o, id, m)
	case e.nextLevel(o, false):
		e.request(now, o, nil)
	default:
		o.rec.State = wire.StateFailed
		e.finalize(now, o, m, false)
	}
}
