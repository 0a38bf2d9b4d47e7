package lrmd

import (
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/daemonkit"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/lrmd/opqueue"
	"github.com/pacesync/pacesync/lrmd/wire"
)

// client handles what a client does; over true: the daemon ends.
func (d *daemon) client(ev crmipc.Event) (exit pcmk.Exit, over bool) {
	switch ev.Kind {
	case crmipc.Connected:
		d.broadcast(wire.Notify{Op: wire.OpNewClient, Origin: "notify_of_new_client"})
		d.clients[ev.Client.ID] = ev.Client
	case crmipc.Disconnected:
		delete(d.clients, ev.Client.ID)
		d.queue.ClientGone(time.Now(), ev.Client.ID)
	case crmipc.Message:
		if ev.Flags&crmipc.WantReply == 0 {
			d.log.Error("Invalid client request: it asks for no reply", "client", ev.Client.Label())
			return 0, false
		}
		return d.message(ev)
	}
	return 0, false
}

// message handles one request (process_lrmd_message).
func (d *daemon) message(ev crmipc.Event) (exit pcmk.Exit, over bool) {
	q := wire.ParseRequest(ev.XML)
	if ev.Client.Name == "" {
		ev.Client.Name = q.ClientName
		if ev.Client.Name == "" {
			ev.Client.Name = strconv.Itoa(ev.Client.PID)
		}
	}
	d.lastID++
	if d.lastID <= 0 || d.lastID > 1<<31-1 {
		d.lastID = 1
	}
	id := d.lastID
	if q.Op == wire.OpCheck && ev.Client.Privileged {
		return d.checkWatchdog(q.Watchdog)
	}
	reply, tell := d.answer(ev.Client, q, id)
	if reply.RC == -int(syscall.EACCES) {
		d.log.Warn("Rejecting IPC request '" + q.Op + "' from unprivileged client " + ev.Client.Label())
	}
	d.log.Debug("Processed "+q.Op+" operation", "client", ev.Client.ID, "rc", reply.RC)
	if q.Op != wire.OpCheck {
		ev.Client.Send(ev.ID, reply.XML())
	}
	if tell {
		d.broadcast(wire.Notify{Op: q.Op, Origin: "send_generic_notify", RC: reply.RC, CallID: id, RscID: q.Rsc.ID})
	}
	return 0, false
}

// answer carries a request out; tell says whether all clients hear of it.
// Whatever could get round ACLs is for root and hacluster alone.
func (d *daemon) answer(c *crmipc.Client, q wire.Request, id int) (reply wire.Reply, tell bool) {
	now := time.Now()
	reply = wire.Reply{Origin: "process_lrmd_message", CallID: id}
	switch q.Op {
	case wire.OpRegister:
		return register(c, q, id), false
	case wire.OpPoke:
		return reply, true
	case wire.OpRscRegister, wire.OpRscInfo, wire.OpUnregister, wire.OpRscExec, wire.OpRscCancel, wire.OpAlertExec,
		wire.OpGetRecurring, wire.OpCheck, wire.OpForward:
		if !c.Privileged {
			reply.RC = -int(syscall.EACCES)
			return reply, false
		}
	}
	switch q.Op {
	case wire.OpRscRegister:
		reply.RC = d.queue.Register(now, q.Rsc, q.Options)
		return reply, true
	case wire.OpRscInfo:
		reply.Origin = "process_lrmd_get_rsc_info"
		rsc, ok := d.queue.Rsc(q.Rsc.ID)
		if !ok {
			d.log.Info("Agent information for '" + q.Rsc.ID + "' not in cache")
			reply.RC = -int(syscall.ENODEV)
		}
		reply.Rsc = rsc
	case wire.OpUnregister:
		reply.RC = d.queue.Unregister(now, q.Rsc.ID)
		return reply, reply.RC == 0 || reply.RC == -int(syscall.EINPROGRESS)
	case wire.OpRscExec:
		reply.RC = d.queue.Exec(now, opqueue.Command{
			Client: c.ID, CallID: id, Options: q.Options, RscID: q.Rsc.ID, Action: q.Action, UserData: q.UserData,
			Interval: q.Interval, Timeout: q.OpTimeout, Delay: q.StartDelay, Params: q.Params,
		})
	case wire.OpRscCancel:
		reply.RC = d.queue.Cancel(now, q.Rsc.ID, q.Action, q.Interval)
	case wire.OpAlertExec:
		reply.RC = d.alert(c, q, id)
	case wire.OpGetRecurring:
		reply.Origin = "process_lrmd_get_recurring"
		reply.RecurringOf, reply.Recurring, reply.RC = d.queue.Recurring(q.Rsc.ID)
	case wire.OpForward:
		reply.RC = -int(syscall.EPROTONOSUPPORT) // Pacemaker Remote's alone
	default:
		reply.RC = -int(syscall.EOPNOTSUPP)
		d.log.Error("Unknown IPC request '" + q.Op + "' from client " + c.Label())
	}
	return reply, false
}

// register answers a client that says who it is (process_lrmd_signon).
func register(c *crmipc.Client, q wire.Request, id int) wire.Reply {
	reply := wire.Reply{Origin: "process_lrmd_signon", CallID: id, Op: wire.OpRegister, ClientID: c.ID, Version: wire.Protocol}
	if compareVersions(q.Version, wire.MinProtocol) < 0 {
		reply.RC = -int(syscall.EPROTO)
	}
	if q.Provider {
		reply.RC = -int(syscall.EPROTONOSUPPORT) // proxies are Pacemaker Remote's alone
	}
	return reply
}

// compareVersions compares dotted numbers (strings.c: compare_version); an
// empty version is the oldest.
func compareVersions(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(x), len(y)) {
		var m, n int
		if i < len(x) {
			m, _ = strconv.Atoi(x[i])
		}
		if i < len(y) {
			n, _ = strconv.Atoi(y[i])
		}
		if m != n {
			return m - n
		}
	}
	return 0
}

// checkWatchdog ends the daemon when fencing by watchdog is configured and
// cannot work (watchdog.c: pcmk__valid_sbd_timeout).
func (d *daemon) checkWatchdog(value string) (exit pcmk.Exit, over bool) {
	timeout, ok := daemonkit.Duration(value)
	if strings.HasPrefix(strings.TrimSpace(value), "-") {
		timeout, ok = 2*daemonkit.SBDTimeout(), true
	}
	switch {
	case !ok || timeout == 0:
		d.log.Debug("Watchdog may be enabled but stonith-watchdog-timeout is disabled", "value", value)
		return 0, false
	case daemonkit.LocateSBD() == 0:
		d.log.Emerg("Shutting down: stonith-watchdog-timeout configured (" + value + ") but SBD not active")
		return pcmk.ExitFatal, true
	case timeout < daemonkit.SBDTimeout():
		d.log.Emerg("Shutting down: stonith-watchdog-timeout (" + value + ") too short (must be >" +
			strconv.FormatInt(daemonkit.SBDTimeout().Milliseconds(), 10) + "ms)")
		return pcmk.ExitFatal, true
	}
	d.log.Info("Watchdog configured with stonith-watchdog-timeout " + value)
	return 0, false
}

// broadcast sends a notification to every client that has said its name.
func (d *daemon) broadcast(e wire.Notify) {
	var to []*crmipc.Client
	for _, c := range d.clients {
		if c.Name != "" {
			to = append(to, c)
		}
	}
	if len(to) > 0 {
		crmipc.Broadcast(to, e.XML())
	}
}

// notify tells clients of the end of an operation.
func (d *daemon) notify(done opqueue.Done) {
	switch {
	case done.Silent:
	case done.OrigOnly && done.Client != "":
		if c := d.clients[done.Client]; c != nil {
			c.Event(done.Event.XML())
		}
	default:
		d.broadcast(done.Event)
	}
}
