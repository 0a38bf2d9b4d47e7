// Package lrmd is the daemon pacemaker-execd: it runs resource agents, fence
// devices' operations and alert agents for the controller, and tells how they
// ended.
//
// What runs and when is decided in lrmd/opqueue; agents run in goroutines of
// their own (lrmd/agent and below), whose results come back to the loop as
// events. lrmd/wire has the messages, lrmd/client the other end.
//
// It replaces daemons/execd/pacemaker-execd.c, execd_commands.c and
// execd_alerts.c.
package lrmd

import (
	"os"
	"time"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/daemonkit"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/lrmd/agent"
	"github.com/pacesync/pacesync/lrmd/agent/child"
	"github.com/pacesync/pacesync/lrmd/agent/service"
	"github.com/pacesync/pacesync/lrmd/agent/stonith"
	"github.com/pacesync/pacesync/lrmd/opqueue"
)

const program = "pacemaker-execd"

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	o, status, ok := parseOptions(e)
	if !ok {
		return status
	}
	child.Seal()
	k := daemonkit.Start(daemonkit.Options{Program: program, Verbose: o.verbose, Stderr: e.Stderr, LogFiles: o.logFiles})
	return k.Main(func() pcmk.Exit {
		k.Log.Notice(msgStarting)
		prepareEnvironment(k)
		d := newDaemon(k)
		if err := d.listen(); err != nil {
			k.Log.Error(msgNoServer, "why", err)
			return pcmk.ExitFatal
		}
		k.Log.Notice(msgStarted)
		k.Log.Notice(msgSearchPath + d.runner.OCFPath)
		return d.loop()
	})
}

// prepareEnvironment sets what agents look at (pacemaker-execd.c: main).
func prepareEnvironment(k *daemonkit.Kit) {
	set := func(name, value string) { _ = os.Setenv(name, value) } // fails for impossible names alone
	if f := pcmk.Env("logfacility"); f != "" && f != "none" && f != "/dev/null" {
		set("HA_LOGFACILITY", f) // ocf_log of the agents' library
	}
	if f := pcmk.Env("logfile"); f != "" && f != "none" {
		set("HA_LOGFILE", f)
		if pcmk.EnvEnabled(program, "debug") {
			set("HA_DEBUGLOG", f)
		}
	}
	_ = os.Unsetenv("NOTIFY_SOCKET") // or services we start would talk to systemd in Pacemaker's name
	if err := os.MkdirAll(pcmk.RscTmpDir, 0o755); err != nil {
		k.Log.Warn("Could not create resource agent temporary directory " + pcmk.RscTmpDir + ": " + err.Error())
	} else if err := os.Chmod(pcmk.RscTmpDir, 0o755); err != nil {
		k.Log.Warn("Could not set permissions of " + pcmk.RscTmpDir + ": " + err.Error())
	}
}

// daemon is owned by the loop goroutine, but for events, which anybody may send
// to while the loop runs.
type daemon struct {
	kit     *daemonkit.Kit
	log     *daemonkit.Logger
	queue   *opqueue.Queue
	runner  *service.Runner
	fencing *stonith.Manager
	server  *crmipc.Server
	ipc     chan crmipc.Event
	events  chan event
	quit    chan struct{} // closed when nobody reads events any more

	clients map[string]*crmipc.Client
	runs    map[opqueue.Token]agent.Run
	lastID  int // call id of the last request
	alerts  alerts
}

// event is something a worker brings to the loop.
type event struct {
	token  opqueue.Token
	result agent.Result
	start  opqueue.Start
	fn     func(now time.Time) // instead of a result
}

func newDaemon(k *daemonkit.Kit) *daemon {
	d := &daemon{
		kit: k, log: k.Log, queue: opqueue.New(), runner: service.Default(),
		ipc: make(chan crmipc.Event, 64), events: make(chan event, 256), quit: make(chan struct{}),
		clients: map[string]*crmipc.Client{}, runs: map[opqueue.Token]agent.Run{},
	}
	d.runner.Note = func(text string) { d.log.Warn(text) }
	d.runner.Systemd.Warn = d.runner.Note
	d.fencing = &stonith.Manager{
		Name: program,
		Note: func(text string) { d.log.Notice(text) },
		Lost: func() {
			d.post(event{fn: func(now time.Time) {
				d.log.Warn(msgFencerLost)
				d.queue.FencerLost(now)
			}})
		},
	}
	return d
}

// post brings an event to the loop.
func (d *daemon) post(ev event) {
	select {
	case d.events <- ev:
	case <-d.quit:
	}
}

func (d *daemon) listen() (err error) {
	d.server, err = crmipc.Listen(crmipc.ServerOptions{Events: d.ipc, Log: d.log.Logger}, "lrmd")
	return err
}

func (d *daemon) loop() pcmk.Exit {
	alarm := daemonkit.NewAlarm()
	for {
		alarm.Set(d.queue.Deadline())
		select {
		case <-d.kit.Term:
			return d.shutdown()
		case <-alarm.C:
			d.queue.Step(time.Now())
		case ev := <-d.ipc:
			if exit, over := d.client(ev); over {
				return exit
			}
		case ev := <-d.events:
			d.handle(ev)
		}
		d.effects()
	}
}

func (d *daemon) handle(ev event) {
	now := time.Now()
	if ev.fn != nil {
		ev.fn(now)
		return
	}
	delete(d.runs, ev.token)
	d.logResult(ev.start, ev.result)
	d.queue.Finished(now, ev.token, queueResult(ev.result))
}

func queueResult(r agent.Result) opqueue.Result {
	out := r.Stderr
	if out == "" {
		out = r.Stdout
	}
	return opqueue.Result{RC: r.RC, Status: r.Status, Reason: r.Reason, Output: out, PID: r.PID, Class: r.Class, Final: r.Final}
}

// effects carries out what the queue has decided, until it has nothing more.
func (d *daemon) effects() {
	out := d.queue.Take()
	for _, t := range out.Trace {
		d.trace(t)
	}
	for _, s := range out.Start {
		d.start(s)
	}
	for _, t := range out.Kill {
		if run := d.runs[t]; run != nil {
			run.Kill()
		}
	}
	for _, done := range out.Done {
		d.logDone(done)
		d.notify(done)
	}
}

// start has an agent run, in a goroutine of its own.
func (d *daemon) start(s opqueue.Start) {
	a := agent.Action{
		Rsc: s.Rsc.ID, Class: s.Rsc.Class, Provider: s.Rsc.Provider, Type: s.Rsc.Type,
		Name: opqueue.Normalize(s.Rsc.Class, s.Action), Interval: s.Interval, Timeout: s.Timeout,
		Params: s.Params, LeaveGroup: s.LeaveGroup,
	}
	var run agent.Run
	if s.Fence {
		run = d.fencing.Start(a)
	} else {
		run = d.runner.Start(a)
	}
	d.runs[s.Token] = run
	go func() {
		d.post(event{token: s.Token, start: s, result: run.Do()})
	}()
}

// shutdown ends the daemon: recurring operations stop, alerts may finish
// (lrmd_exit).
func (d *daemon) shutdown() pcmk.Exit {
	d.log.Info(msgTerminating, "clients", len(d.clients))
	d.fencing.Close()
	d.server.Close()
	for _, run := range d.queue.Abandon() {
		if r := d.runs[run]; r != nil {
			r.Kill()
		}
	}
	d.drainAlerts()
	close(d.quit)
	d.runner.Systemd.Close()
	return pcmk.ExitOK
}
