package show

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
	"github.com/pacesync/pacesync/pengine/unpack"
)

// nodeSummary shows the operations on each node, or only counts of failures.
func (v *View) nodeSummary(spacer bool) bool {
	title := "Migration Summary"
	if v.Sections&Operations != 0 {
		title = "Operations"
	}
	list := section{v: v, title: title, spacer: spacer}
	for _, id := range v.Facts.NodeStates {
		n := v.nodeByID(id)
		if n == nil || !n.Online || !v.Nodes.node(n.Name) {
			continue
		}
		list.show()
		v.nodeHistory(n)
	}
	return list.end()
}

func (v *View) nodeByID(id string) *model.Node {
	for _, n := range v.Cluster.Nodes {
		if strings.EqualFold(n.ID, id) {
			return n
		}
	}
	return nil
}

func (v *View) nodeHistory(n *model.Node) {
	opened := false
	head := func() {
		if !opened {
			opened = true
			v.nodeHead(n)
		}
	}
	for _, h := range v.Cluster.Histories[n.Name] {
		r := v.Cluster.Find(h.ID)
		if r == nil || v.historyHidden(r) {
			continue
		}
		if v.Sections&Operations == 0 {
			count, last := plan.Failures(n, r, 0, nil)
			if count > 0 {
				head()
				v.resourceHistory(r, h.ID, false, count, last)
				if v.Format == pcmkout.XML {
					v.Pop()
				}
			}
			continue
		}
		if ops := shownOps(h); ops != nil {
			head()
			v.operations(n, r, ops)
		}
	}
	if opened {
		v.End()
	}
}

func (v *View) historyHidden(r *model.Resource) bool {
	if top := r.Top(); top.Variant == model.Group {
		return !v.Rscs.has(r.PrintID()) && !v.Rscs.has(top.PrintID())
	}
	return hidden(r, v.Rscs, true)
}

// shownOps are the operations without notifications and probes that found nothing.
func shownOps(h *model.History) (out []*model.HistoryOp) {
	for _, o := range unpack.SortedOps(h) {
		rc := model.Int(o.RCText, 0)
		if strings.EqualFold(o.Task, model.NotifyTask) || strings.EqualFold(taskName(o), "probe") && rc == model.RCNotRunning {
			continue
		}
		out = append(out, o)
	}
	return out
}

func taskName(o *model.HistoryOp) string {
	if strings.EqualFold(o.Task, model.Monitor) && (o.IntervalText == "" || o.IntervalText == "0") {
		return "probe"
	}
	return o.Task
}

// resourceHistory shows how often a resource failed; as the head of a list in text.
func (v *View) resourceHistory(r *model.Resource, id string, all bool, count score.Score, last int64) {
	threshold := strconv.Itoa(int(r.MigrationThreshold))
	if v.Format == pcmkout.XML {
		x := v.Parent("resource_history", "id", id)
		if all || count != 0 || last > 0 {
			x.Set("orphan", "false")
			x.Set("migration-threshold", threshold)
			if count > 0 {
				x.Set("fail-count", strconv.Itoa(int(count)))
			}
			if last > 0 {
				x.Set("last-failure", v.Epoch(last))
			}
		}
		return
	}
	line := id + ":"
	if all || count != 0 || last > 0 {
		line += " migration-threshold=" + threshold
		if count > 0 {
			line += " fail-count=" + strconv.Itoa(int(count))
		}
		if last > 0 {
			line += " last-failure='" + v.Epoch(last) + "'"
		}
	}
	if all {
		v.Begin(line)
	} else {
		v.Item("", line)
	}
}

func (v *View) operations(n *model.Node, r *model.Resource, ops []*model.HistoryOp) {
	count, last := plan.Failures(n, r, 0, nil)
	v.resourceHistory(r, r.PrintID(), true, count, last)
	for _, o := range ops {
		v.operation(o)
	}
	v.End()
}

func (v *View) operation(o *model.HistoryOp) {
	task, rc := taskName(o), model.Int(o.RCText, 0)
	recurring := o.IntervalText != "" && o.IntervalText != "0"
	if v.Format == pcmkout.XML {
		x := v.Node("operation_history")
		setIf(x, "call", o.CallText)
		setIf(x, "task", task)
		x.Set("rc", strconv.Itoa(rc))
		x.Set("rc_text", rcText(rc))
		if recurring {
			x.Set("interval", o.IntervalText+"ms")
		}
		if v.Opts.is(Timing) {
			if o.LastChange > 0 {
				x.Set("last-rc-change", v.Epoch(o.LastChange))
			}
			setIf(x, "exec-time", ms(o.ExecTime))
			setIf(x, "queue-time", ms(o.QueueTime))
		}
		return
	}
	line := "(" + orNull(o.CallText) + ") " + orNull(task)
	if recurring || v.Opts.is(Timing) {
		line += ":"
	}
	if recurring {
		line += " interval=\"" + o.IntervalText + "ms\""
	}
	if v.Opts.is(Timing) {
		if o.LastChange > 0 {
			line += " last-rc-change=\"" + v.Epoch(o.LastChange) + "\""
		}
		if o.ExecTime != "" {
			line += " exec-time=\"" + o.ExecTime + "ms\""
		}
		if o.QueueTime != "" {
			line += " queue-time=\"" + o.QueueTime + "ms\""
		}
		line += fmt.Sprintf(" rc=%d (%s)", rc, rcText(rc))
	}
	v.Item("", line)
}

func setIf(n *xmltree.Node, name, value string) {
	if value != "" {
		n.Set(name, value)
	}
}

func ms(s string) string {
	if s == "" {
		return ""
	}
	return s + "ms"
}

// orNull shows a missing text as C's printf does.
func orNull(s string) string {
	if s == "" {
		return "(null)"
	}
	return s
}

// failures shows the operations that failed (failed_action_list).
func (v *View) failures(spacer bool) bool {
	list := section{v: v, title: "Failed Resource Actions", spacer: spacer}
	for _, o := range v.Cluster.Failed {
		if !v.Nodes.node(o.Node.Name) || o.MaskedProbe() {
			continue
		}
		rsc, _, _, ok := model.SplitKey(o.Key)
		if !ok || !v.Rscs.has(rsc) {
			continue
		}
		list.show()
		switch {
		case v.Format == pcmkout.XML:
			v.failureXML(o)
		case v.Opts.is(FailedDetail):
			v.Item("", v.technical(o))
		default:
			v.Item("", v.friendly(o))
		}
	}
	return list.end()
}

func (v *View) failureXML(o *model.HistoryOp) {
	key, reason, rc := "id", o.ExitReason, model.Int(o.RCText, 0)
	if o.HasKey {
		key = "op_key"
	}
	if reason == "" && !o.HasExitReason {
		reason = "none"
	}
	x := v.Node("failure", key, o.Key, "node", o.Node.Name, "exitstatus", rcText(rc), "exitreason", string(xmltree.AppendEscaped(nil, reason)),
		"exitcode", strconv.Itoa(rc))
	setIf(x, "call", o.CallText)
	x.Set("status", execText(o))
	if o.LastChange > 0 {
		x.Set("last-rc-change", v.ISOTime(o.LastChange))
		setIf(x, "queued", o.QueueTime)
		setIf(x, "exec", o.ExecTime)
		x.Set("interval", strconv.FormatInt(int64(int32(o.IntervalMS)), 10))
		setIf(x, "task", o.Task)
	}
}

func execText(o *model.HistoryOp) string {
	return pcmk.ExecStatus(model.Int(o.StatusText, 0)).String()
}

// friendly is a failure in plain words (failed_action_friendly).
func (v *View) friendly(o *model.HistoryOp) string {
	rsc, task, interval, ok := model.SplitKey(o.Key)
	if !ok {
		rsc, task, interval = "unknown resource", "unknown action", 0
	}
	line := rsc + " "
	if interval != 0 {
		line += iso8601.ReadableMS(int64(interval)) + "-interval "
	} else if strings.EqualFold(task, model.Monitor) {
		task = "probe"
	}
	line += task + " on " + o.Node.Name
	if model.Int(o.StatusText, 0) == model.ExecDone {
		line += " returned '" + rcText(model.Int(o.RCText, 0)) + "'"
		if o.ExitReason != "" {
			line += " (" + o.ExitReason + ")"
		}
	} else {
		line += " could not be executed (" + execText(o)
		if o.ExitReason != "" {
			line += ": " + o.ExitReason
		}
		line += ")"
	}
	if o.HasLastChange {
		line += " at " + v.Epoch(o.LastChange)
	}
	if t := model.Int(o.ExecTime, 0); t > 0 {
		line += " after " + iso8601.ReadableMS(int64(t))
	}
	return line
}

// technical is a failure with all that is recorded (failed_action_technical).
func (v *View) technical(o *model.HistoryOp) string {
	rc, call := model.Int(o.RCText, 0), o.CallText
	if call == "" {
		call = "unknown"
	}
	line := fmt.Sprintf("%s on %s '%s' (%d): call=%s, status='%s'", o.Key, o.Node.Name, rcText(rc), rc, call, execText(o))
	if o.ExitReason != "" {
		line += ", exitreason='" + o.ExitReason + "'"
	}
	if o.HasLastChange {
		line += ", last-rc-change='" + v.Epoch(o.LastChange) + "'"
	}
	if o.QueueTime != "" {
		line += ", queued=" + o.QueueTime + "ms"
	}
	if o.ExecTime != "" {
		line += ", exec=" + o.ExecTime + "ms"
	}
	return line
}
