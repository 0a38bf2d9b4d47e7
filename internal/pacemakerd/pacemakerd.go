// Package pacemakerd is the daemon that starts Pacemaker's other daemons, each
// as a process of its own, and keeps them running.
//
// It is started by systemd as /usr/sbin/pacemakerd, needs corosync, and answers
// clients on the socket "pacemakerd": crm_mon and pcs learn from it whether
// Pacemaker runs, sbd whether it is well. The decisions are in
// internal/pacemakerd/super; here are processes, sockets and corosync.
//
// Upstream: daemons/pacemakerd/pacemakerd.c, pcmkd_subdaemons.c,
// pcmkd_messages.c, pcmkd_corosync.c.
package pacemakerd

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/daemonkit"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/libc"
	"github.com/pacesync/pacesync/internal/pcmk"
)

const summary = "pacemakerd - primary Pacemaker daemon that launches and monitors all subsidiary Pacemaker daemons"

// options of the command line.
type options struct {
	goption.Common
	features, foreground, shutdown, standby, simpleList, fancy bool
}

// Run is the program.
func Run(e *applet.Env) int {
	o := &options{}
	c := goption.Pacemaker("pacemakerd", summary, "text (default), xml", "", &o.Common)
	c.AddMain(
		goption.Entry{Long: "features", Short: 'F', Dest: &o.features, Help: "Display full version and list of features Pacemaker was built with"},
		goption.Entry{Long: "foreground", Short: 'f', Dest: &o.foreground, Help: "(Ignored) Pacemaker always runs in the foreground"},
		goption.Entry{Long: "pid-file", Short: 'p', Dest: func(goption.Value) error { return nil }, Help: "(Ignored) Daemon pid file location", Arg: "FILE"},
		goption.Entry{Long: "shutdown", Short: 'S', Dest: &o.shutdown, Help: "Instruct Pacemaker to shutdown on this machine"},
		goption.Entry{Long: "standby", Short: 's', Dest: &o.standby, Help: "Start node in standby state"},
	)
	c.AddOutput(goption.Entry{Long: "text-fancy", Dest: &o.fancy, Help: "Use more highly formatted output (requires --output-as=text)"})
	if _, status, ok := c.Run(e.Args, "p", e.Stdout, e.Stderr); !ok {
		return status
	}
	out, ok := newOutput(e, &o.Common)
	if !ok {
		return int(pcmk.ExitError)
	}
	switch {
	case o.features:
		out.features()
		return out.finish(pcmk.ExitOK)
	case o.Version:
		out.version()
		return out.finish(pcmk.ExitOK)
	case o.shutdown:
		return shutdown(out)
	}
	return start(e, o, out)
}

// clientName is what we call ourselves as a client (pcmk__ipc_sys_name).
const clientName = "pacemakerd"

// shutdownWait bounds the wait for the answer to a shutdown request.
const shutdownWait = 30 * time.Second

// shutdown asks the running pacemakerd to stop (-S).
func shutdown(out *output) int {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownWait)
	defer cancel()
	conn, err := crmipc.Dial(ctx, pcmk.MCP, crmipc.DialOptions{})
	if err != nil {
		out.err("Could not request shutdown of existing Pacemaker instance: " + libc.Strerror(err))
		return out.finish(pcmk.ExitDisconnect)
	}
	defer conn.Close()
	req := crmipc.NewRequest("quit", "", pcmk.MCP, clientName, fmt.Sprint(os.Getpid()), nil)
	ack, err := conn.Call(ctx, req)
	if err != nil {
		return out.finish(pcmk.RC(crmipc.ErrnoOf(err)).Exit())
	}
	if status, isAck := crmipc.Status(ack); isAck && status != pcmk.ExitIndeterminate {
		return out.finish(pcmk.ExitOK)
	}
	in, err := conn.Next(ctx)
	if err != nil {
		return out.finish(pcmk.ExitOK) // it went before it could answer
	}
	if data := crmipc.Data(in.XML); data == nil || data.Name != "shutdown" {
		out.err("Bad reply from pacemakerd: " + pcmk.ExitProtocol.String())
	}
	return out.finish(pcmk.ExitOK)
}

// start is the daemon.
func start(e *applet.Env, o *options, out *output) int {
	set := func(name, value string) { _ = os.Setenv(name, value) } // constant names cannot fail
	set("LC_ALL", "C")
	if o.standby {
		pcmk.SetEnv(pcmk.EnvNodeStart, "standby")
	}
	pcmk.SetEnv(pcmk.EnvMCP, "true")
	signal.Ignore(syscall.SIGHUP)
	k := daemonkit.Start(daemonkit.Options{Program: "pacemakerd", Verbose: o.Verbosity, Stderr: e.Stderr})
	return k.Main(func() pcmk.Exit {
		ctx, cancel := context.WithTimeout(context.Background(), connectLimit)
		conn, err := crmipc.Dial(ctx, pcmk.MCP, crmipc.DialOptions{})
		cancel()
		if err == nil {
			conn.Close()
			k.Log.Error("Aborting start-up because active Pacemaker instance found")
			out.finish(pcmk.ExitFatal)
			return pcmk.ExitFatal
		}
		if !readConfig(k) {
			return pcmk.ExitUnavailable
		}
		if facility := pcmk.Env(pcmk.EnvLogFacility); facility != "" && !strings.EqualFold(facility, "none") {
			set("HA_LOGFACILITY", facility) // OCF shell functions know it by this name
		}
		k.Log.Notice("Starting Pacemaker "+pcmk.Version, "build", pcmk.Build, "features", pcmk.Features)
		raiseCoreLimit(k.Log)
		if code := makeFolders(k.Log); code != pcmk.ExitOK {
			return code
		}
		return serve(k)
	})
}
