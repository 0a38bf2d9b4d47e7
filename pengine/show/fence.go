package show

import (
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/pcmkout"
)

// FenceState is how far a fencing got (enum op_state).
type FenceState int

// The states.
const (
	FenceQuery FenceState = iota
	FenceExec
	FenceDone
	FenceDuplicate
	FenceHasFailed
)

// FenceEvent is one entry of the fencer's history.
type FenceEvent struct {
	Target, Action, Origin, Client string
	Delegate                       string // empty: none
	ExitReason                     string
	State                          FenceState
	Completed                      int64
	CompletedNsec                  int64
}

func (e *FenceEvent) over() bool { return e.State == FenceDone || e.State == FenceHasFailed }

// SortFencing puts pending fencing first and the rest in order of completion,
// latest first (stonith__sort_history).
func SortFencing(events []FenceEvent) []FenceEvent {
	var pending, done []FenceEvent
	for _, e := range events {
		if !e.over() {
			pending = append([]FenceEvent{e}, pending...)
			continue
		}
		i := 0
		for i < len(done) && !(e.Completed > done[i].Completed || e.Completed == done[i].Completed && e.CompletedNsec > done[i].CompletedNsec) {
			i++
		}
		done = append(done[:i:i], append([]FenceEvent{e}, done[i:]...)...)
	}
	return append(pending, done...)
}

// ReduceFencing keeps the latest event of each kind in a sorted history: all that
// are pending, and one for each target, action and, if it failed, executing node
// (pcmk_fence.c: reduce_fence_history).
func ReduceFencing(events []FenceEvent) (out []FenceEvent) {
	for _, e := range events {
		keep := true
		for i := range out {
			o := &out[i]
			if e.over() && e.State == o.State && strings.EqualFold(e.Target, o.Target) && e.Action == o.Action &&
				(e.State == FenceDone || strings.EqualFold(e.Delegate, o.Delegate)) {
				keep = false
				break
			}
		}
		if keep {
			out = append(out, e)
		}
	}
	return out
}

// laterSucceeded is the node that succeeded where e failed, later (stonith__later_succeeded).
func laterSucceeded(events []FenceEvent, at int) string {
	e, other := &events[at], ""
	for i := range at {
		p := &events[i]
		if p.State != FenceDone || !strings.EqualFold(e.Target, p.Target) || e.Action != p.Action ||
			!(e.Completed < p.Completed || e.Completed == p.Completed && e.CompletedNsec < p.CompletedNsec) {
			continue
		}
		switch {
		case e.Delegate == "" || strings.EqualFold(e.Delegate, p.Delegate):
			return p.Delegate
		case other == "" && p.Delegate == "":
			other = "some node"
		case other == "":
			other = p.Delegate
		}
	}
	return other
}

func actionText(action string) string {
	switch action {
	case "on":
		return "unfencing"
	case "off":
		return "turning off"
	}
	return action
}

// DescribeFencing is the line about one fencing (stonith__history_description).
func (v *View) DescribeFencing(e *FenceEvent, full bool, later string) string {
	detail := v.Opts.is(FailedDetail)
	line := actionText(e.Action) + " of " + e.Target
	if !detail {
		if e.over() && e.Delegate != "" {
			line += " by " + e.Delegate
		}
		line += " for " + e.Client + "@" + e.Origin
		if !full {
			line += " last"
		}
	}
	switch e.State {
	case FenceHasFailed:
		line += " failed"
		if e.ExitReason != "" {
			line += " (" + e.ExitReason + ")"
		}
	case FenceDone:
		line += " successful"
	default:
		line += " pending"
	}
	switch {
	case !detail && e.over():
		line += " at " + v.ISOTime(e.Completed)
	case detail:
		line += ": "
		if e.over() && e.Delegate != "" {
			line += "delegate=" + e.Delegate + ", "
		}
		line += "client=" + e.Client + ", origin=" + e.Origin
		switch {
		case !e.over():
		case full:
			line += ", completed='" + v.ISOTime(e.Completed) + "'"
		case e.State == FenceHasFailed:
			line += ", last-failed='" + v.ISOTime(e.Completed) + "'"
		default:
			line += ", last-successful='" + v.ISOTime(e.Completed) + "'"
		}
	}
	if e.State == FenceHasFailed && later != "" {
		line += " (a later attempt from " + later + " succeeded)"
	}
	return line
}

// FenceEvent shows one entry of a history.
func (v *View) FenceEvent(events []FenceEvent, at int, full bool) {
	e := &events[at]
	switch v.Format {
	case pcmkout.XML:
		x := v.Node("fence_event", "action", e.Action, "target", e.Target, "client", e.Client, "origin", e.Origin)
		switch e.State {
		case FenceHasFailed:
			x.Set("status", "failed")
			setIf(x, "exit-reason", e.ExitReason)
		case FenceDone:
			x.Set("status", "success")
		default:
			x.Set("status", "pending")
			x.Set("extended-status", strconv.Itoa(int(e.State)))
		}
		setIf(x, "delegate", e.Delegate)
		if e.over() {
			x.Set("completed", v.ISOTime(e.Completed))
		}
	case pcmkout.HTML:
		class := "pending-stonith-event"
		switch e.State {
		case FenceDone:
			class = "successful-stonith-event"
		case FenceHasFailed:
			class = "failed-stonith-event"
		}
		v.Item(class, v.DescribeFencing(e, full, laterSucceeded(events, at)))
	default:
		v.Indented(v.DescribeFencing(e, full, laterSucceeded(events, at)) + "\n")
	}
	v.Count()
}

// fenceList shows the entries for which ok holds.
func (v *View) fenceList(title string, spacer bool, events []FenceEvent, ok func(*FenceEvent) bool) bool {
	list := section{v: v, title: title, spacer: spacer}
	for i := range events {
		if v.Nodes.node(events[i].Target) && ok(&events[i]) {
			list.show()
			v.FenceEvent(events, i, v.Sections&Fencing == Fencing)
		}
	}
	return list.end()
}

func (v *View) fullFencing(bool) bool {
	if v.Fencing.Status != 0 {
		v.Node("fence_history", "status", v.Fencing.Status.Itoa())
		return true
	}
	return v.fenceList("Fencing History", false, v.Fencing.Events, func(*FenceEvent) bool { return true })
}

func (v *View) failedFencing(spacer bool) bool {
	if v.Fencing.Status != 0 {
		v.noFencing(spacer)
		return false
	}
	return v.fenceList("Failed Fencing Actions", spacer, v.Fencing.Events, func(e *FenceEvent) bool { return e.State == FenceHasFailed })
}

func (v *View) noFencing(spacer bool) {
	if spacer {
		v.Spacer()
	}
	v.Begin("Failed Fencing Actions")
	v.Item("", "Failed to get fencing history: "+v.Fencing.Status.String())
	v.End()
}

// otherFencing shows what did not fail, or only what is pending.
func (v *View) otherFencing(spacer bool) bool {
	events := v.Fencing.Events
	switch {
	case v.Fencing.Status != 0:
		if v.Sections&FenceFailed == 0 || v.Format == pcmkout.HTML {
			v.noFencing(spacer)
		}
	case v.Sections&FenceWorked != 0:
		for len(events) > 0 && events[0].State == FenceHasFailed {
			events = events[1:]
		}
		return v.fenceList("Fencing History", spacer, events, func(e *FenceEvent) bool { return e.State != FenceHasFailed })
	case v.Sections&FencePending != 0:
		for len(events) > 0 && events[0].over() {
			events = events[1:]
		}
		n := 0
		for n < len(events) && !events[n].over() {
			n++
		}
		return v.fenceList("Pending Fencing Actions", spacer, events[:n], func(*FenceEvent) bool { return true })
	}
	return false
}
