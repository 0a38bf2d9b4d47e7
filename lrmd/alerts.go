package lrmd

import (
	"strconv"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/lrmd/agent"
	"github.com/pacesync/pacesync/lrmd/agent/child"
	"github.com/pacesync/pacesync/lrmd/wire"
)

// alerts are the alert agents that run. Owned by the loop.
type alerts struct {
	sequence int
	running  map[int]int // call id -> timeout in ms
	draining bool
}

// alert runs an alert agent as hacluster, the parameters being its environment
// (execd_alerts.c: process_lrmd_alert_exec).
func (d *daemon) alert(c *crmipc.Client, q wire.Request, id int) int {
	if q.Alert.ID == "" || q.Alert.Path == "" {
		return -int(syscall.EINVAL)
	}
	if d.alerts.draining {
		return 0
	}
	d.log.Info("Executing alert "+q.Alert.ID, "client", c.ID)
	uid, gid, err := pcmk.DaemonUser()
	if err != nil {
		return -int(syscall.EINVAL)
	}
	d.alerts.sequence++
	seq := strconv.Itoa(d.alerts.sequence)
	set := make([]string, 0, len(q.Params)+2)
	for _, p := range q.Params {
		set = append(set, p.Name+"="+p.Value)
	}
	set = append(set, "CRM_alert_node_sequence="+seq, "CRM_notify_node_sequence="+seq)
	spec := &child.Spec{
		Path: q.Alert.Path, Args: []string{q.Alert.Path}, Env: agent.MergeEnv(d.runner.Env, set),
		Timeout: time.Duration(q.OpTimeout) * time.Millisecond, User: &child.User{UID: uid, GID: gid},
	}
	if d.alerts.running == nil {
		d.alerts.running = map[int]int{}
	}
	d.alerts.running[id] = q.OpTimeout
	go func() {
		x := child.New(spec).Run()
		d.post(event{fn: func(time.Time) { d.alertDone(id, c.ID, q, x) }})
	}()
	return 0
}

func (d *daemon) alertDone(id int, client string, q wire.Request, x child.Exit) {
	delete(d.alerts.running, id)
	var res agent.Result
	if x.Err != nil {
		res = agent.FromErrno(q.Alert.Path, x.Err)
	} else {
		res = agent.FromExit("Alert agent", q.OpTimeout, x, func(code int) pcmk.OCF { return pcmk.OCF(code) })
	}
	d.logOutput(q.Alert.ID, res)
	switch {
	case res.Status != pcmk.ExecDone:
		text := "Could not send alert: " + res.Status.String()
		if res.Reason != "" {
			text += " (" + res.Reason + ")"
		}
		d.log.Notice(text, "client", client)
	case res.RC != 0:
		d.log.Notice("Alert ["+strconv.Itoa(x.PID)+"] completed but exited with status "+strconv.Itoa(x.Code), "client", client)
	default:
		d.log.Debug("Alert ["+strconv.Itoa(x.PID)+"] completed", "client", client)
	}
}

// alertGrace is what running alerts get beyond their timeouts at the end.
const alertGrace = 5 * time.Second

// drainAlerts waits until the alerts under way have been sent (lrmd_drain_alerts).
func (d *daemon) drainAlerts() {
	d.alerts.draining = true
	longest := 0
	for _, t := range d.alerts.running {
		longest = max(longest, t)
	}
	over := time.After(time.Duration(longest)*time.Millisecond + alertGrace)
	for len(d.alerts.running) > 0 {
		select {
		case ev := <-d.events:
			if ev.fn != nil {
				ev.fn(time.Now())
			}
		case <-over:
			return
		}
	}
}
