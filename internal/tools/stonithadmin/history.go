package stonithadmin

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/tools/session"
	"github.com/pacesync/pacesync/pengine/show"
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
	events := show.SortFencing(session.FenceEvents(l))
	v := show.View{Out: p.out, Opts: show.FailedDetail, Now: time.Now()}
	latest := -1
	for i := range events {
		if events[i].State == show.FenceDone {
			latest = i
		}
		if !p.out.Quiet && p.o.Verbosity > 0 {
			v.FenceEvent(events, i, true)
		}
	}
	switch {
	case latest < 0:
	case p.out.Quiet && p.out.Format == pcmkout.Text:
		p.out.Print(strconv.FormatInt(events[latest].Completed, 10) + "\n")
	case p.out.Quiet || p.o.Verbosity == 0:
		v.FenceEvent(events, latest, false)
	}
	p.out.End()
	return rcOf(err)
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
		v := show.View{Now: time.Now()}
		p.out.Node("last-fenced", "target", target, "when", v.ISOTime(when))
	}
	return pcmk.OK
}
