package attrd

import (
	"context"
	"fmt"
	"strconv"
	"time"

	cibclient "github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/internal/alerts"
	"github.com/pacesync/pacesync/internal/attrd/core"
	"github.com/pacesync/pacesync/internal/daemonkit"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/xmltree"
	lrmd "github.com/pacesync/pacesync/lrmd/client"
	lwire "github.com/pacesync/pacesync/lrmd/wire"
)

// alertQueue bounds the alerts that wait for the executor. Alerts are news, not
// state: beyond that they are dropped, and the log says so.
const alertQueue = 1024

// alertConfig is where the alerts are configured.
const alertConfig = "/cib/configuration/alerts"

// alerter has the executor run alert agents, in a goroutine of its own. The
// executor is called when there is something to run, not before
// (attrd_alerts.c: attrd_lrmd_connect).
type alerter struct {
	log  *daemonkit.Logger
	jobs chan lrmd.Alert
}

func newAlerter(log *daemonkit.Logger) *alerter {
	a := &alerter{log: log, jobs: make(chan lrmd.Alert, alertQueue)}
	go a.run()
	return a
}

func (a *alerter) run() {
	var conn *lrmd.Client
	for job := range a.jobs {
		for try := 1; ; try++ {
			err := a.exec(&conn, job)
			if err == nil {
				break
			}
			if conn != nil {
				_ = conn.Close() // it is of no use any more
				conn = nil
			}
			if try == 2 {
				a.log.Error("Could not send alert "+job.ID+" to the executor", "why", err)
				break
			}
		}
	}
}

func (a *alerter) exec(conn **lrmd.Client, job lrmd.Alert) error {
	ctx, cancel := context.WithTimeout(context.Background(), dialPatience)
	defer cancel()
	if *conn == nil {
		c, err := lrmd.Dial(ctx, service)
		if err != nil {
			return err
		}
		c.Pump(func(lwire.Notify, error) {}) // nothing is told about alerts; the next one notices a lost connection
		*conn = c
	}
	return (*conn).ExecAlert(ctx, job)
}

// readAlerts asks the CIB for the alerts' configuration; alertsRead takes it.
func (d *daemon) readAlerts() {
	if d.cib == nil {
		return // cibFound asks
	}
	d.config = d.cib.Send(cibclient.Call{Op: cibclient.Query, Section: alertConfig, Options: cibclient.XPath | cibclient.ScopeLocal})
	d.core.SkipTokens(d.config)
}

// alertsRead takes the configuration over (attrd_alerts.c: config_query_callback).
func (d *daemon) alertsRead(rc pcmk.RC, section *xmltree.Node) {
	switch {
	case rc == rcNoSection:
		d.alerts = nil
		return
	case rc != pcmk.OK:
		d.log.Notice("Could not query local CIB: " + rc.Error())
		return
	}
	if section != nil && section.Name != "alerts" {
		section = section.Child("alerts")
	}
	now := time.Now()
	_, offset := now.Zone()
	d.alerts = alerts.Parse(section, iso8601.Time{Unix: now.Unix(), Offset: offset})
}

// rcNoSection is the answer when there is no alerts section (ENXIO).
const rcNoSection pcmk.RC = 6

// alert tells the agents that want to know of an attribute (lrmd_alerts.c:
// lrmd_send_attribute_alert).
func (d *daemon) alert(e core.Alert) {
	now := time.Now()
	values := []xmltree.Attr{{Name: "node", Value: e.Node}, {Name: "nodeid", Value: strconv.FormatUint(uint64(e.NodeID), 10)},
		{Name: "attribute_name", Value: e.Name}, {Name: "attribute_value", Value: e.Value}}
	for i := range d.alerts {
		a := &d.alerts[i]
		if !a.Wants(alerts.Attribute, e.Name) {
			continue
		}
		d.log.Info(fmt.Sprintf("Sending %s alert via %s to %s", alerts.Attribute, a.ID, a.Recipient))
		job := lrmd.Alert{ID: a.ID, Path: a.Path, Timeout: int(a.Timeout.Milliseconds())}
		for _, p := range a.Environment(alerts.Attribute, values, now) {
			job.Params = append(job.Params, lwire.Param{Name: p.Name, Value: p.Value})
		}
		select {
		case d.alerter.jobs <- job:
		default:
			d.log.Warn(fmt.Sprintf("Dropping an alert for %s: %d wait for the executor", e.Name, alertQueue))
		}
	}
}
