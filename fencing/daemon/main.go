package daemon

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/pacesync/pacesync/fencing/agent"
	"github.com/pacesync/pacesync/fencing/note"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/daemonkit"
	"github.com/pacesync/pacesync/internal/getopt"
	"github.com/pacesync/pacesync/internal/pcmk"
)

// flags are the command line of the fencer.
type flags struct {
	alone, noCIB bool
	verbose      int
	logs         []string
	help         bool
	version      bool
	metadata     bool
	wrong        bool
}

// longHelp tells --help from -?, which the original takes for a mistake.
const longHelp = 1000

func parse(e *applet.Env) flags {
	var f flags
	p := getopt.New(e.Argv0, e.Args, "scl:V$?", []getopt.Long{
		{Name: "stand-alone", Val: 's'}, {Name: "stand-alone-w-cpg", Val: 'c'}, {Name: "logfile", Arg: getopt.RequiredArg, Val: 'l'},
		{Name: "verbose", Val: 'V'}, {Name: "version", Val: '$'}, {Name: "help", Val: longHelp},
	}, e.Stderr)
	for {
		switch c := p.Next(); c {
		case getopt.End:
			rest := p.Rest()
			f.metadata = len(rest) == 1 && strings.EqualFold(rest[0], "metadata")
			f.wrong = f.wrong || len(rest) > 0 && !f.metadata
			return f
		case 's':
			f.alone = true
		case 'c':
			f.noCIB = true
		case 'l':
			f.logs = append(f.logs, p.Arg)
		case 'V':
			f.verbose++
		case '$':
			f.version = true
			return f
		case longHelp:
			f.help = true
			return f
		default:
			f.wrong = true
		}
	}
}

// Run is the program pacemaker-fenced.
func Run(e *applet.Env) int {
	f := parse(e)
	switch {
	case f.version:
		fmt.Fprintf(e.Stdout, "Pacemaker %s\nWritten by Andrew Beekhof and the Pacemaker project contributors\n", pcmk.Version)
		return 0
	case f.metadata:
		writeMetadata(e.Stdout)
		return 0
	case f.wrong:
		usage(e.Stderr)
		return int(pcmk.ExitUsage)
	case f.help:
		usage(e.Stdout)
		return 0
	}
	k := daemonkit.Start(daemonkit.Options{Program: programName, Verbose: f.verbose, Stderr: e.Stderr, LogFiles: f.logs})
	return k.Main(func() pcmk.Exit { return serve(k, f) })
}

func usage(w io.Writer) {
	fmt.Fprint(w, "pacemaker-fenced - daemon for executing fencing devices in a Pacemaker cluster\n"+
		"Usage: pacemaker-fenced [options]\nOptions:\n"+
		" -s, --stand-alone\t\tDeprecated (will be removed in a future release)\n"+
		" -c, --stand-alone-w-cpg\t\tIntended for use in regression testing only\n"+
		" -l, --logfile=value\t\n -V, --verbose\t\n -$, --version\t\n -?, --help\t\n\nReport bugs to users@clusterlabs.org\n")
}

// joinPatience bounds the connection to corosync.
const joinPatience = 60 * time.Second

func serve(k *daemonkit.Kit, fl flags) pcmk.Exit {
	k.Log.Notice("Starting Pacemaker fencer")
	if running() {
		k.Log.Error("pacemaker-fenced is already active, aborting startup")
		return pcmk.ExitOK
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	o := Options{Self: "localhost", Runner: &agent.Runner{}, Log: logTo(k.Log)}
	o.Panic = func() { k.Panic("watchdog self-fencing required") }
	var link *clusterLink
	if fl.alone {
		k.Log.Warn("Stand-alone mode is deprecated and will be removed in a future release")
	} else {
		jctx, cancel := context.WithTimeout(ctx, joinPatience)
		l, err := join(jctx, k.Log)
		cancel()
		if err != nil {
			k.Log.Crit("Cannot sign in to the cluster... terminating", "why", err)
			return pcmk.ExitFatal
		}
		defer l.Close()
		link, o.Self, o.Cluster = l, l.cluster.Name(), l
	}
	f := New(o)
	f.ctx = ctx
	events := make(chan crmipc.Event, 64)
	srv, err := crmipc.Listen(crmipc.ServerOptions{Events: events, Log: k.Log.Logger}, wire.ServiceName)
	if err != nil {
		k.Log.Crit("Cannot offer the fencer's socket: " + err.Error())
		return pcmk.ExitFatal
	}
	defer srv.Close()
	exit := pcmk.ExitOK
	if link != nil {
		go link.pump(f, stop)
		if !fl.noCIB {
			go f.watchCIB(stop)
		}
	}
	go func() {
		select {
		case <-k.Term:
			f.Post(func(time.Time) {
				k.Log.Info(fmt.Sprintf("Terminating with %d clients", len(f.clients)))
				stop()
			})
		case <-ctx.Done():
		}
	}()
	k.Log.Notice("Pacemaker fencer successfully started and accepting connections")
	f.Loop(ctx, events)
	go func() { // the server may be waiting to hand over its last events
		for range events {
		}
	}()
	return exit
}

// running says whether another fencer has the socket.
func running() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, err := crmipc.Dial(ctx, wire.ServiceName, crmipc.DialOptions{})
	if err == nil {
		c.Close()
	}
	return err == nil
}

// logTo writes notes into the daemon's log. What stands behind the bar of a note
// goes behind the bar of the line, if it consists of names and values.
func logTo(l *daemonkit.Logger) func(note.Level, string) {
	return func(level note.Level, text string) {
		text, args := split(text)
		l.Syslog(int(level), text, args...)
	}
}

func split(s string) (text string, args []any) {
	i := strings.LastIndex(s, " | ")
	if i < 0 {
		i = strings.LastIndex(s, "| id=") - 1
		if i < 0 {
			return s, nil
		}
	}
	for _, w := range strings.Fields(s[i+2:]) {
		name, value, ok := strings.Cut(w, "=")
		if !ok || name == "|" {
			return s, nil
		}
		args = append(args, slog.String(name, value))
	}
	return s[:i], args
}
