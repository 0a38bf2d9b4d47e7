package stonithadmin

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pacesync/pacesync/fencing/history"
	"github.com/pacesync/pacesync/fencing/note"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
)

// history shows or forgets the past (pcmk__fence_history).
func (p *program) history(ctx context.Context, target string) pcmk.RC {
	o := wire.AllowSuicide
	if p.o.cleanup {
		p.out.Info("cleaning up fencing-history for node " + target)
		o |= wire.Cleanup
	}
	if p.o.broadcast {
		p.out.Info("gather fencing-history from all nodes")
		o |= wire.Broadcast
	}
	if target == "*" {
		target = ""
	}
	l, err := p.st.History(ctx, target, o, p.timeout())
	if p.o.cleanup {
		return rcOf(err)
	}
	p.out.BeginCounted("event", "events", "Fencing history")
	history.Sort(l)
	latest := -1
	for i := range l {
		if l[i].State == wire.StateDone {
			latest = i
		}
		if !p.out.Quiet && p.o.Verbosity > 0 {
			p.event(l, i, true)
		}
	}
	switch {
	case latest < 0:
	case p.out.Quiet && p.out.Format == pcmkout.Text:
		p.out.Print(strconv.FormatInt(l[latest].Completed, 10) + "\n")
	case p.out.Quiet || p.o.Verbosity == 0:
		p.event(l, latest, false)
	}
	p.out.End()
	return rcOf(err)
}

// event shows one operation (stonith_event_text and the others).
func (p *program) event(l []wire.Record, i int, full bool) {
	r := &l[i]
	switch p.out.Format {
	case pcmkout.XML:
		n := p.out.Node("fence_event", "action", r.Action, "target", r.Target, "client", r.ClientName, "origin", r.Origin)
		switch r.State {
		case wire.StateFailed:
			n.Set("status", "failed")
			if r.Result.Reason != "" {
				n.Set("exit-reason", r.Result.Reason)
			}
		case wire.StateDone:
			n.Set("status", "success")
		default:
			n.Set("status", "pending")
			n.Set("extended-status", strconv.Itoa(int(r.State)))
		}
		if r.Delegate != "" {
			n.Set("delegate", r.Delegate)
		}
		if !r.State.Pending() {
			n.Set("completed", clock(r.Completed))
		}
	case pcmkout.HTML:
		class := "pending-stonith-event"
		switch r.State {
		case wire.StateDone:
			class = "successful-stonith-event"
		case wire.StateFailed:
			class = "failed-stonith-event"
		}
		p.out.Item(class, describe(l, i, full))
		return
	default:
		p.out.Indented(describe(l, i, full) + "\n")
	}
	p.out.Count()
}

// describe is the line about one operation (stonith__history_description).
func describe(l []wire.Record, i int, full bool) string {
	r := &l[i]
	line, state := actionName(r.Action)+" of "+r.Target, "pending"
	switch r.State {
	case wire.StateFailed:
		state = "failed"
	case wire.StateDone:
		state = "successful"
	}
	line += " " + state
	if r.State == wire.StateFailed && r.Result.Reason != "" {
		line += " (" + r.Result.Reason + ")"
	}
	line += ": "
	if !r.State.Pending() && r.Delegate != "" {
		line += "delegate=" + r.Delegate + ", "
	}
	line += "client=" + r.ClientName + ", origin=" + r.Origin
	if !r.State.Pending() {
		what := "last-" + state
		if full {
			what = "completed"
		}
		line += ", " + what + "='" + clock(r.Completed) + "'"
	}
	if by := later(l, i); by != "" && r.State == wire.StateFailed {
		line += " (a later attempt from " + by + " succeeded)"
	}
	return line
}

func actionName(a string) string {
	switch a {
	case "on":
		return "unfencing"
	case "off":
		return "turning off"
	}
	return a
}

// later is who succeeded where a failed operation did not; in a sorted list
// what is later comes first (stonith__later_succeeded).
func later(l []wire.Record, i int) string {
	r := &l[i]
	if r.State != wire.StateFailed {
		return ""
	}
	other := ""
	for _, o := range l[:i] {
		newer := o.Completed > r.Completed || o.Completed == r.Completed && o.CompletedNsec > r.CompletedNsec
		if o.State != wire.StateDone || !strings.EqualFold(o.Target, r.Target) || o.Action != r.Action || !newer {
			continue
		}
		switch {
		case r.Delegate == "" || strings.EqualFold(o.Delegate, r.Delegate):
			return o.Delegate
		case other == "":
			other = note.Or(o.Delegate, "some node")
		}
	}
	return other
}

// clock is a time as Pacemaker's tools show it.
func clock(at int64) string {
	t := time.Unix(at, 0)
	s := t.Format("2006-01-02 15:04:05")
	if _, offset := t.Zone(); offset != 0 {
		return s + t.Format(" -07:00")
	}
	return s + "Z"
}

// last says when a node was fenced (pcmk__fence_last, stonith_api_time).
func (p *program) last(ctx context.Context, target string) pcmk.RC {
	var o wire.Options
	if p.o.asNodeID {
		o = wire.TargetIsNodeID
	}
	l, err := p.st.History(ctx, target, o, 2*time.Minute)
	if err != nil {
		l = nil
	}
	l = slices.DeleteFunc(l, func(r wire.Record) bool { return r.State != wire.StateDone })
	var when int64
	for _, r := range l {
		when = max(when, r.Completed)
	}
	if when == 0 {
		if p.out.Format != pcmkout.Text {
			return pcmk.RCNoOutput
		}
		p.out.Indented("Node " + target + " has never been fenced\n")
		return pcmk.OK
	}
	text := "Node " + target + " last fenced at: " + time.Unix(when, 0).Format(time.ANSIC) + "\n"
	switch p.out.Format {
	case pcmkout.Text:
		p.out.Indented(text)
	case pcmkout.HTML:
		p.out.TextNode("div", text)
	case pcmkout.XML:
		p.out.Node("last-fenced", "target", target, "when", clock(when))
	}
	return pcmk.OK
}
