package transition

import (
	"slices"
	"strings"
	"time"
)

// nodeDown fails the actions that a lost node will not carry out any more
// (fail_incompletable_actions).
func (e *Engine) nodeDown(in NodeDown) {
	if !e.Active() {
		return
	}
	var last *Action
	for _, s := range e.graph.Synapses {
		if s.confirmed || s.failed {
			continue
		}
		for _, a := range s.Actions {
			if a.Kind == Pseudo || a.confirmed || a.Kind == Cluster && strings.EqualFold(a.Task, taskFence) {
				continue
			}
			routed := a.Router != "" && in.Name != "" && strings.EqualFold(a.Router, in.Name)
			if !strings.EqualFold(a.NodeID, in.ID) && !routed {
				continue
			}
			a.failed, s.failed, a.deadline = true, true, time.Time{}
			last = a
			e.graph.confirm(a)
			if s.executed {
				e.notef(Notice, "Action %d (%s) was pending on %s (offline)", a.ID, a.OpKey, in.ID)
			} else {
				e.notef(Info, "Action %d (%s) is scheduled for %s (offline)", a.ID, a.OpKey, in.ID)
			}
		}
	}
	if last != nil {
		e.notef(Info, "Node %s shutdown resulted in un-runnable actions", in.ID)
		e.abort(Abort{Infinity, Restart, "Node failure", CauseOf(last.XML), "fail_incompletable_actions:96"})
	}
}

// Down returns the action that was to take a node down, if it has begun
// (match_down_event).
func (e *Engine) Down(nodeID string) *Action {
	if e.graph == nil {
		return nil
	}
	for _, s := range e.graph.Synapses {
		for _, a := range s.Actions {
			if a.executed && slices.Contains(a.Downed, nodeID) {
				e.notef(Debug, "Shutdown action %d (%s) found for node %s", a.ID, a.OpKey, nodeID)
				return a
			}
		}
	}
	e.notef(Debug, "No reason to expect node %s to be down", nodeID)
	return nil
}

// Confirmed says whether an action has ended.
func (a *Action) Confirmed() bool { return a.confirmed }

// ConfirmDown ends the action that took a node down.
func (e *Engine) ConfirmDown(now time.Time, a *Action) {
	a.deadline = time.Time{}
	e.confirm(a)
	e.Step(now, Tick{})
}
