package crmd

import (
	"strconv"
	"time"

	"github.com/pacesync/pacesync/crmd/history"
	"github.com/pacesync/pacesync/crmd/transition"
	"github.com/pacesync/pacesync/internal/alerts"
	"github.com/pacesync/pacesync/internal/crmcluster"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// alertList are the alerts of the CIB. The executor numbers what is sent.
type alertList struct{ set []alerts.Alert }

// sendAlert has the agents that want it told of an event (lrmd_alerts.c:
// exec_alert_list).
func (c *Controller) sendAlert(k alerts.Kind, values ...xmltree.Attr) {
	now := time.Now()
	for i := range c.alerts.set {
		a := &c.alerts.set[i]
		if !a.Wants(k, "") {
			continue
		}
		c.log.info("Sending %s alert via %s to %s", k, a.ID, orNone(a.Recipient))
		c.exec.alert(a.ID, a.Path, a.Timeout, a.Environment(k, values, now))
	}
}

func value(name, v string) xmltree.Attr { return xmltree.Attr{Name: name, Value: v} }

func number(name string, v int) xmltree.Attr { return value(name, strconv.Itoa(v)) }

// alertNode tells that a node came or is lost.
func (c *Controller) alertNode(p *crmcluster.Peer) {
	c.sendAlert(alerts.Node, value("node", p.Name), value("desc", p.State.String()), number("nodeid", int(p.ID)))
}

// alertFencing tells of a fencing.
func (c *Controller) alertFencing(n transition.FenceNotice) {
	c.sendAlert(alerts.Fencing, value("node", n.Target), value("task", n.Operation), value("desc", n.Description), number("rc", n.Result))
}

// alertResource tells of an operation; a probe that found what was expected is
// no news.
func (c *Controller) alertResource(op history.Op) {
	target := op.TargetRC()
	if op.Interval == 0 && target == op.RC && op.Task == "monitor" {
		return
	}
	took := op.ExecTime
	if op.Status == pcmk.ExecTimeout && took == 0 {
		took = op.Timeout // nearer to the truth
	}
	desc := op.Status.String()
	if op.Status == pcmk.ExecDone {
		desc = op.RC.String()
	}
	c.sendAlert(alerts.Resource, value("node", c.self), value("rsc", op.Rsc), value("task", op.Task), value("interval", strconv.FormatUint(uint64(op.Interval), 10)),
		number("target_rc", int(target)), number("status", int(op.Status)), number("rc", int(op.RC)), number("exec_time", took), value("desc", desc))
}
