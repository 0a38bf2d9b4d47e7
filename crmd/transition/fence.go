package transition

import (
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/score"
)

// defaultFenceMax is how often in a row fencing of a node may fail before it is not
// tried again at once (stonith-max-attempts).
const defaultFenceMax = 10

// FenceResult is the fencer's answer to a Fence.
type FenceResult struct {
	Key    string // of the Fence
	CallID int
	Status pcmk.ExecStatus
	Exit   int    // of the agent
	Reason string // why it failed, empty when nothing is known
}

// FenceNotice is news of fencing anywhere in the cluster, which the fencer gives to
// every controller.
type FenceNotice struct {
	Target, How         string // How is "reboot", "off" or "on"
	By, Client, Origin  string // who carried it out, for which program, on which node; may be empty
	ID                  string
	Status              pcmk.ExecStatus
	Exit                int
	Reason, Description string
	Operation           string
	Result              int
}

// SetMaxAttempts takes the option stonith-max-attempts.
func (e *Engine) SetMaxAttempts(value string) {
	e.fenceMax = int(score.Parse(value, score.Health{}))
	if e.fenceMax < 1 {
		e.fenceMax = defaultFenceMax
	}
}

// tooMany says whether fencing of a node, or with an empty name of any, failed too
// often (too_many_st_failures).
func (e *Engine) tooMany(target string) bool {
	for n, count := range e.fenceFails {
		if (target == "" || n == target) && count >= e.fenceMax {
			e.notef(Warning, "Too many failures (%d) to fence %s, giving up", count, n)
			return true
		}
	}
	return false
}

// ForgetFenceFailures begins to count anew, for one node or with an empty name for all
// (st_fail_count_reset).
func (e *Engine) ForgetFenceFailures(node string) {
	if node == "" {
		clear(e.fenceFails)
		return
	}
	delete(e.fenceFails, node)
}

// fenceFailed aborts the transition since fencing failed. When it failed too often no
// new one is asked for (abort_for_stonith_failure).
func (e *Engine) fenceFailed(next Next, target string, cause *Cause) {
	if next != Wait && e.tooMany(target) {
		next = Wait
	}
	e.abort(Abort{Infinity, next, "Stonith failed", cause, "abort_for_stonith_failure:260"})
}

// fenceResult takes the fencer's answer (tengine_stonith_callback).
func (e *Engine) fenceResult(now time.Time, r FenceResult) {
	if !e.env.DC || e.graph == nil {
		reason := r.Reason
		if reason == "" {
			reason = r.Status.String()
		}
		e.notef(Notice, "Result of fence operation %d: %d (%s) | key=%s", r.CallID, r.Exit, reason, r.Key)
		return
	}
	k, ok := ParseKey(r.Key)
	if !ok {
		return
	}
	if e.graph.complete || k.Action < 0 || k.UUID != e.uuid || k.Transition != e.graph.ID {
		e.notef(Info, "Ignoring fence operation %d result: Not from current transition | complete=%t action=%d uuid=%s (vs %s) transition=%d (vs %d)",
			r.CallID, e.graph.complete, k.Action, k.UUID, e.uuid, k.Transition, e.graph.ID)
		return
	}
	a := e.graph.Action(k.Action)
	switch {
	case a == nil:
		e.notef(Err, "Ignoring fence operation %d result: Action %d not found in transition graph (bug?) | uuid=%s transition=%d",
			r.CallID, k.Action, k.UUID, k.Transition)
		return
	case a.Node == "":
		e.notef(Err, "Ignoring fence operation %d result: No target given (bug?)", r.CallID)
		return
	case r.Exit == 0:
		e.fenced(now, a, r)
	default:
		e.notFenced(a, r)
	}
	e.graph.confirm(a)
	e.trigger = true
}

// fenced notes that an action of fencing succeeded.
func (e *Engine) fenced(now time.Time, a *Action, r FenceResult) {
	e.notef(Info, "Fence operation %d for %s succeeded", r.CallID, a.Node)
	if !a.confirmed {
		e.settle(a)
		switch {
		case strings.EqualFold(a.Meta("stonith_action"), "on"):
			e.emit(Unfenced{
				Target: a.Node, NodeID: a.NodeID, At: now.Unix(),
				DigestsAll: a.Meta("digests-all"), DigestsSecure: a.Meta("digests-secure"),
			})
		case !a.sentUpdate:
			e.emit(NodeFenced{Name: a.Node, ID: a.NodeID})
			a.sentUpdate = true
		}
	}
	e.ForgetFenceFailures(a.Node)
}

// notFenced notes that an action of fencing failed.
func (e *Engine) notFenced(a *Action, r FenceResult) {
	next, reason := Restart, r.Reason
	if reason == "" {
		reason = r.Status.String()
		if r.Status == pcmk.ExecDone {
			reason = "Agent returned error"
		}
	}
	a.failed = true
	if r.Status == pcmk.ExecNoFenceDevice {
		// Without a device there is no use in trying again at once.
		e.notef(Warning, "Fence operation %d for %s failed: %s (aborting transition and giving up for now)", r.CallID, a.Node, reason)
		next = Wait
	} else {
		e.notef(Notice, "Fence operation %d for %s failed: %s (aborting transition)", r.CallID, a.Node, reason)
	}
	e.fenceFails[a.Node]++
	e.fenceFailed(next, a.Node, nil)
}

// fencerLost fails the fencing that is under way (fail_incompletable_stonith).
func (e *Engine) fencerLost() {
	if !e.env.DC || e.graph == nil {
		return
	}
	var last *Action
	for _, s := range e.graph.Synapses {
		if s.confirmed {
			continue
		}
		for _, a := range s.Actions {
			if a.Kind == Cluster && !a.confirmed && strings.EqualFold(a.Task, taskFence) {
				a.failed, last = true, a
				e.graph.confirm(a)
				e.notef(Notice, "Failing action %d (%d): fencer terminated", a.ID, a.ID)
			}
		}
	}
	if last != nil {
		e.note(Warning, "Fencer failure resulted in unrunnable actions")
		e.fenceFailed(Restart, "", CauseOf(last.XML))
	}
	e.trigger = true
}

// fenceNotice takes news of fencing (handle_fence_notification).
func (e *Engine) fenceNotice(n FenceNotice) {
	by, client := n.By, n.Client
	if by == "" {
		by = "the cluster"
	}
	if client == "" {
		client = "a client"
	}
	ok, status := n.Exit == 0 && n.Status == pcmk.ExecDone, n.Status
	if !ok && status == pcmk.ExecDone {
		status = pcmk.ExecError
	}
	e.emit(Alert{n})
	if n.How == "on" {
		if ok {
			e.notef(Notice, "%s was unfenced by %s at the request of %s@%s", n.Target, by, client, n.Origin)
		} else {
			e.notef(Err, "Unfencing of %s by %s failed (%s%s) with exit status %d", n.Target, by, status, when(n.Reason != "", ": "+n.Reason), n.Exit)
		}
		return
	}
	if ok && strings.EqualFold(n.Target, e.cfg.Self) {
		// The fencing did not cut this node off, or not at all. The others take it for
		// gone, so it has to leave.
		e.notef(Crit, "We were allegedly just fenced by %s for %s!", by, n.Origin)
		e.emit(SelfFenced{By: by, Origin: n.Origin})
		return
	}
	if !e.env.DC { // the DC counted its own already
		if ok {
			e.ForgetFenceFailures(n.Target)
		} else {
			e.fenceFails[n.Target]++
		}
	}
	text := status.String()
	if ok {
		text = "OK"
	}
	e.notef(Notice, "Peer %s was%s terminated (%s) by %s on behalf of %s@%s: %s%s | event=%s",
		n.Target, when(!ok, " not"), n.How, by, client, n.Origin, text, when(n.Reason != "", " ("+n.Reason+")"), n.ID)
	if ok {
		e.peerFenced(n, client)
	}
}

// peerFenced notes that another node is down for certain.
func (e *Engine) peerFenced(n FenceNotice, client string) {
	id := e.env.ID(n.Target)
	if id == "" {
		return // not known, so nothing of it is
	}
	remote := e.env.Remote(n.Target)
	switch {
	case e.env.DC:
		e.emit(NodeFenced{Name: n.Target, ID: id})
		if !strings.EqualFold(client, e.cfg.Client) {
			e.notef(Info, "External fencing operation from %s fenced %s", client, n.Target)
			e.aborted("External Fencing Operation", nil, "handle_fence_notification:554")
		}
	case (e.env.OurDC == "" || strings.EqualFold(e.env.OurDC, n.Target)) && !remote:
		e.notef(Notice, "Fencing target %s %s our leader", n.Target, map[bool]string{true: "may have been", false: "was"}[e.env.OurDC == ""])
		// Who is DC next writes it down again: the CIBs are synchronized around elections.
		if strings.EqualFold(n.By, e.cfg.Self) {
			e.emit(NodeFenced{Name: n.Target, ID: id})
		}
		e.cleanup = append(e.cleanup, n.Target)
	}
	if remote {
		e.emit(RemoteFenced{Name: n.Target})
	}
	e.emit(PeerDown{Name: n.Target})
}

// TakeOver writes down what was fenced while there was no DC (execute_stonith_cleanup).
func (e *Engine) TakeOver() {
	for _, n := range e.cleanup {
		e.notef(Notice, "Marking %s, target of a previous stonith action, as clean", n)
		e.emit(NodeFenced{Name: n, ID: e.env.ID(n)})
	}
	e.cleanup = nil
}

// NodeUp forgets that a node was fenced (remove_stonith_cleanup).
func (e *Engine) NodeUp(name string) {
	kept := e.cleanup[:0]
	for _, n := range e.cleanup {
		if !strings.EqualFold(n, name) {
			kept = append(kept, n)
		}
	}
	e.cleanup = kept
}

// NotDC forgets what was fenced: another node is the DC and knows (purge_stonith_cleanup).
func (e *Engine) NotDC() {
	for _, n := range e.cleanup {
		e.notef(Info, "Purging %s from stonith cleanup list", n)
	}
	e.cleanup = nil
}
