package remoteop

import (
	"slices"
	"time"

	"github.com/pacesync/pacesync/fencing/history"
	"github.com/pacesync/pacesync/fencing/note"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
)

// History serves a request about the past of a client or a peer: to show it, to
// forget it, or to make all nodes agree on it (stonith_fence_history). The
// result is nil when there is nothing to show.
func (e *Engine) History(now time.Time, m *wire.Message) *wire.HistoryList {
	target := ""
	if m.Target != nil {
		target = m.Target.Target
		if target != "" && m.Options.Has(wire.TargetIsNodeID) {
			target = note.Or(e.world.NodeName(target), target)
		}
	}
	fromClient := m.CallID != ""
	switch {
	case m.Options.Has(wire.Cleanup):
		e.cleanup(target, fromClient)
	case m.Options.Has(wire.Broadcast):
		// Nothing says when all nodes agree; anything that looks like it counts.
		e.do(Notify{wire.Notification{Type: wire.NotifyHistorySynced}})
		if fromClient {
			e.castHistory(e.records(), false)
		} else if m.Peer != "" && !sameNode(m.Peer, e.self) {
			e.compare(now, m.History)
		}
	default:
		if l := e.about(target); len(l) > 0 {
			return &wire.HistoryList{Records: l}
		}
	}
	return nil
}

// about are the operations on a target, or all.
func (e *Engine) about(target string) []wire.Record {
	l := e.records()
	if target != "" {
		l = slices.DeleteFunc(l, func(r wire.Record) bool { return r.Target != target })
	}
	return l
}

// cleanup forgets what has ended. A client's wish goes to all nodes; this one
// does it when its own message comes back.
func (e *Engine) cleanup(target string, fromClient bool) {
	if fromClient {
		e.do(Send{Msg: &wire.HistoryCast{Options: wire.Cleanup | wire.DiscardReply, Target: target}})
		return
	}
	e.ops = slices.DeleteFunc(e.ops, func(o *op) bool {
		return !o.rec.State.Pending() && (target == "" || o.rec.Target == target)
	})
	e.notifyHistory()
}

func (e *Engine) castHistory(l []wire.Record, differential bool) {
	h := &wire.HistoryCast{Options: wire.Broadcast | wire.DiscardReply}
	if len(l) > 0 {
		h.List = &wire.HistoryList{Records: l, Differential: differential}
	}
	e.do(Send{Msg: h})
}

// compare takes a peer's history over and tells what it lacks, unless the
// peer's is what we had lacked ourselves: the exchange ends there. (Pacemaker
// 2.1.5 means to take that over as well, and does not.)
func (e *Engine) compare(now time.Time, h *wire.HistoryList) {
	var remote []wire.Record
	if h != nil {
		remote = h.Records
	}
	d := history.Compare(e.records(), remote)
	for _, r := range d.Replace {
		e.out.Notes.Debug("Updating outdated pending operation %s according to the one (state=%s) from remote peer history", note.Short(r.ID), r.State)
		e.ops[slices.Index(e.ops, e.lookup(r.ID))] = &op{rec: r}
	}
	for _, r := range d.Adopt {
		o := &op{rec: r}
		if r.State.Pending() && sameNode(r.Origin, e.self) {
			e.out.Notes.Warn("Failing pending operation %s originated by us but known only from peer history", o.id8())
			o.rec.State = wire.StateFailed
			o.complete(now)
			o.rec.Result = wire.Failure(pcmk.ExitExpired, pcmk.ExecInvalid, "Initiated by earlier fencer process and presumed failed")
			e.cast(o, false)
		}
		e.ops = append(e.ops, o)
	}
	if len(d.Replace)+len(d.Adopt) > 0 {
		e.trim()
		e.notifyHistory()
	}
	if len(d.Send) > 0 && !(h != nil && h.Differential) {
		e.castHistory(d.Send, true)
	}
}
