package pacemakerd

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/daemonkit"
	"github.com/pacesync/pacesync/internal/pacemakerd/super"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// queued is how many events may wait for the loop: more come from clients
// alone, and those wait.
const queued = 64

// loop is the daemon's state, owned by the goroutine that runs it.
type loop struct {
	k       *daemonkit.Kit
	super   *super.Super
	daemons []pcmk.Daemon
	looker  looker
	events  chan super.Event
	clients chan crmipc.Event
	sbdPID  int // the client that was told that the shutdown is complete
	sbdSync bool
	end     *super.Quit
}

// serve is the daemon's life between start and end.
func serve(k *daemonkit.Kit) pcmk.Exit {
	l := &loop{k: k, daemons: pcmk.Daemons(), events: make(chan super.Event, queued), clients: make(chan crmipc.Event, queued)}
	srv, err := crmipc.Listen(crmipc.ServerOptions{Events: l.clients, Log: k.Log.Logger}, pcmk.MCP)
	if err != nil {
		k.Log.Error("Couldn't start pacemakerd IPC server: " + err.Error())
		k.Log.Warn("Verify pacemaker and pacemaker_remote are not both enabled.")
		return pcmk.ExitOSErr
	}
	defer srv.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w := &watcher{log: k.Log, back: func() {
		readConfig(k)
		l.events <- super.ClusterBack{}
	}}
	if err := w.connect(ctx); err != nil {
		k.Log.Crit("Could not connect to Corosync CFG: " + err.Error())
		return pcmk.ExitProtocol
	}
	go w.run(ctx)

	l.looker.log = k.Log
	l.looker.uid, l.looker.gid, _ = pcmk.DaemonUser() // there is one: makeFolders has looked
	sbd := daemonkit.LocateSBD() > 0
	l.sbdSync = sbd && daemonkit.SBDSyncStartup()
	_ = os.Setenv("PCMK_watchdog", strconv.FormatBool(sbd)) // a constant name
	found, code := l.looker.findExisting(l.daemons)
	if code != pcmk.ExitOK {
		return code
	}
	if sbd && !l.sbdSync {
		k.Log.Warn("Enabling SBD_SYNC_RESOURCE_STARTUP would (if supported by your SBD version) improve reliability of interworking between SBD & pacemaker.")
	}
	l.super = super.New(time.Now(), super.Config{Daemons: l.daemons, FailFast: pcmk.IsTrue(os.Getenv("PCMK_fail_fast")), SBD: sbd, SBDSync: l.sbdSync})
	for _, f := range found {
		l.step(f)
	}
	l.step(super.Begin{})
	k.Log.Notice("Pacemaker daemon successfully started and accepting connections")
	l.run()
	return l.finish()
}

// run is the loop.
func (l *loop) run() {
	quit := make(chan os.Signal, 1)
	signal.Notify(quit, syscall.SIGQUIT)
	alarm := daemonkit.NewAlarm()
	for l.end == nil {
		alarm.Set(l.super.Deadline())
		select {
		case <-l.k.Term:
			l.step(super.Stop{})
		case <-quit:
			l.k.Panic("SIGQUIT")
		case <-alarm.C:
			l.step(nil)
		case ev := <-l.events:
			l.step(ev)
		case ev := <-l.clients:
			l.client(ev)
		}
	}
}

// finish is what remains after the last daemon has ended.
func (l *loop) finish() pcmk.Exit {
	if d, ok := daemonkit.Duration(pcmk.Env(pcmk.EnvShutdown)); ok && d > 0 {
		unix.Sync()
		time.Sleep(d)
	}
	if l.end.Fatal {
		stopCorosync(l.k.Log)
		return pcmk.ExitFatal
	}
	return pcmk.ExitOK
}

// step gives an event to the supervisor and does what it wants.
func (l *loop) step(ev super.Event) {
	l.super.Step(time.Now(), ev)
	for effects := l.super.Take(); len(effects) > 0; effects = l.super.Take() {
		for _, e := range effects {
			l.do(e)
		}
	}
}

func (l *loop) do(e super.Effect) {
	switch e := e.(type) {
	case super.Start:
		pid := spawn(l.k.Log, l.daemons[e.Daemon], e.Respawn, func(ev super.Exited) {
			ev.Daemon = e.Daemon
			go func() { l.events <- ev }() // also called from this loop
		})
		if pid != 0 {
			l.super.Step(time.Now(), super.Started{Daemon: e.Daemon, PID: pid})
		}
	case super.Kill:
		l.kill(e)
	case super.Look:
		go func() {
			pid, result := l.looker.look(l.daemons[e.Daemon], e.Tracked)
			ev := super.Looked{Daemon: e.Daemon, Tracked: e.Tracked, PID: pid, Result: result, AfterExit: e.AfterExit}
			if e.AfterExit {
				ev.Cluster = clusterAnswers()
			}
			l.events <- ev
		}()
	case super.Panic:
		l.k.Panic(e.Why)
	case super.Quit:
		l.end = &e
	case super.Log:
		l.log(e)
	}
}

func (l *loop) kill(e super.Kill) {
	sig := unix.SIGTERM
	switch e.Signal {
	case super.Killed:
		sig = unix.SIGKILL
	case super.Segv:
		sig = unix.SIGSEGV
	}
	name := l.daemons[e.Daemon].Program
	if err := unix.Kill(e.PID, sig); err != nil {
		l.k.Log.Error(fmt.Sprintf("Could not stop %s (process %d) with signal %d: %v", name, e.PID, sig, err))
		return
	}
	l.k.Log.Info(fmt.Sprintf("Sent signal %d to %s", sig, name), "pid", e.PID)
}

func (l *loop) log(e super.Log) { l.k.Log.Syslog(int(e.Level), e.Text) }

// client serves one event of a client (pcmkd_messages.c: pcmk_ipc_dispatch).
func (l *loop) client(ev crmipc.Event) {
	switch ev.Kind {
	case crmipc.Disconnected:
		if l.sbdPID != 0 && ev.Client.PID == l.sbdPID {
			l.step(super.SBDGone{})
		}
	case crmipc.Message:
		switch ev.XML.Attr("crm_task") {
		case "ping":
			l.ping(ev)
		case "quit":
			l.quit(ev)
		case "rm_node_cache":
			ev.Ack(pcmk.ExitOK) // there is no cache here
		default:
			ev.Ack(pcmk.ExitInvalidParam)
			l.k.Log.Warn(fmt.Sprintf("Unknown IPC request type '%s' of client %s (bug?)", ev.XML.Attr("crm_task"), ev.Client.Label()))
		}
	}
}

// ping tells our state; sbd's ping may be what the start waits for.
func (l *loop) ping(ev crmipc.Event) {
	ev.Ack(pcmk.ExitIndeterminate)
	state := l.super.State()
	ev.Client.Event(crmipc.NewReply(ev.XML, xmltree.New("ping_response",
		xmltree.Attr{Name: "crm_subsystem", Value: ev.XML.Attr("crm_sys_to")},
		xmltree.Attr{Name: "pacemakerd_state", Value: string(state)},
		xmltree.Attr{Name: "crm-timestamp", Value: strconv.FormatInt(l.super.LastGood().Unix(), 10)},
		xmltree.Attr{Name: "result", Value: "ok"})))
	if !strings.Contains(ev.XML.Attr("crm_sys_from"), "sbd") {
		return
	}
	if state == super.ShutdownComplete {
		if l.sbdSync {
			l.k.Log.Notice("Shutdown-complete-state passed to SBD.")
		}
		l.sbdPID = ev.Client.PID
		return
	}
	l.step(super.SBDPing{})
}

// quit is for root and the daemons' user alone: others go through the CIB,
// where access lists hold.
func (l *loop) quit(ev crmipc.Event) {
	ev.Ack(pcmk.ExitIndeterminate)
	status := pcmk.ExitOK
	if !ev.Client.Privileged {
		status = pcmk.ExitInsufficientPriv
		l.k.Log.Warn("Ignoring shutdown request from unprivileged client " + ev.Client.Label())
	} else {
		l.k.Log.Notice(fmt.Sprintf("Shutting down in response to IPC request %s from %s", ev.XML.Attr("reference"), ev.XML.Attr("origin")))
	}
	ev.Client.Event(crmipc.NewReply(ev.XML, xmltree.New("shutdown", xmltree.Attr{Name: "op-status", Value: status.Itoa()})))
	if status == pcmk.ExitOK {
		l.step(super.Stop{})
	}
}
