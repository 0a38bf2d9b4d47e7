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
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/tools/session"
)

const summary = "pacemakerd - primary Pacemaker daemon that launches and monitors all subsidiary Pacemaker daemons"

// options of the command line.
type options struct {
	goption.Common
	features, foreground, shutdown, standby, fancy bool
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
	s, status, ok := session.Begin(e, &o.Common, o.fancy, pcmkout.Text, pcmkout.XML, pcmkout.None)
	if !ok {
		return int(status)
	}
	switch {
	case o.features:
		showFeatures(s.Out)
		return s.End(pcmk.ExitOK, "")
	case o.Version:
		s.Out.ShowVersion(false)
		return s.End(pcmk.ExitOK, "")
	case o.shutdown:
		return s.End(shutdown(s.Out), "")
	}
	return start(e, o)
}

// showFeatures is -F.
func showFeatures(out *pcmkout.Out) {
	if out.Format != pcmkout.XML {
		out.Infof("Pacemaker %s (Build: %s)\n Supporting v%s: %s", pcmk.Version, pcmk.Build, pcmk.FeatureSet, pcmk.Features)
		return
	}
	out.Parent("pacemakerd", "version", pcmk.Version, "build", pcmk.Build, "feature_set", pcmk.FeatureSet)
	out.Parent("features")
	for _, f := range strings.Fields(pcmk.Features) {
		out.TextNode("feature", f)
	}
	out.Pop()
	out.Pop()
}

// clientName is what we call ourselves as a client (pcmk__ipc_sys_name).
const clientName = "pacemakerd"

// shutdownWait bounds the wait for the answer to a shutdown request.
const shutdownWait = 30 * time.Second

// shutdown asks the running pacemakerd to stop (-S).
func shutdown(out *pcmkout.Out) pcmk.Exit {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownWait)
	defer cancel()
	conn, err := crmipc.Dial(ctx, pcmk.MCP, crmipc.DialOptions{})
	if err != nil {
		out.Err("Could not request shutdown of existing Pacemaker instance: " + libc.Strerror(err))
		return pcmk.ExitDisconnect
	}
	defer conn.Close()
	req := crmipc.NewRequest("quit", "", pcmk.MCP, clientName, fmt.Sprint(os.Getpid()), nil)
	ack, err := conn.Call(ctx, req)
	if err != nil {
		return pcmk.RC(crmipc.ErrnoOf(err)).Exit()
	}
	if status, isAck := crmipc.Status(ack); isAck && status != pcmk.ExitIndeterminate {
		return pcmk.ExitOK
	}
	in, err := conn.Next(ctx)
	if err != nil {
		return pcmk.ExitOK // it went before it could answer
	}
	if data := crmipc.Data(in.XML); data == nil || data.Name != "shutdown" {
		out.Err("Bad reply from pacemakerd: " + pcmk.ExitProtocol.String())
	}
	return pcmk.ExitOK
}

// start is the daemon.
func start(e *applet.Env, o *options) int {
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
