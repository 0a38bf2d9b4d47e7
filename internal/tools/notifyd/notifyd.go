// Package notifyd is the program corosync-notifyd: it tells of nodes that come
// and go, of quorum, of programs that connect and of links, in the log, as D-Bus
// signals and as SNMP traps. The multi-call binary calls Run.
//
// Upstream: tools/corosync-notifyd.c, corosync-notifyd(8), COROSYNC-MIB.
package notifyd

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"

	sdnotify "github.com/coreos/go-systemd/v22/daemon"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/detach"
	"github.com/pacesync/pacesync/internal/getopt"
)

const usage = `usage:
        -c     : SNMP Community name.
        -f     : Start application in foreground.
        -l     : Log all events.
        -o     : Print events to stdout (turns on -l).
        -s     : Send SNMP traps on all events.
        -m     : Set the SNMP Manager IP address (defaults to localhost).
        -n     : No reverse DNS lookup on cmap member change events.
        -d     : Send DBUS signals on all events.
        -h     : Print this help.

`

// options is the command line.
type options struct {
	foreground, log, print, snmp, dbus, noDNS bool

	manager, community string
}

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	o := options{manager: "localhost"}
	if !o.parse(e) {
		fmt.Fprint(e.Stderr, usage)
		return 1
	}
	log := newLogger(e.Stderr, o.print)
	if text := o.fault(); text != "" {
		log.error("%s", text)
		if !o.print { // the original says it in the system's log alone
			fmt.Fprintln(e.Stderr, text)
		}
		return 1
	}
	if o.snmp && o.dbus {
		log.error("configured to send snmp traps and dbus signals - are you sure?.")
	}
	if !o.foreground && !detach.Detached(e.Name) {
		if err := detach.Start(e, e.Args); err != nil {
			fmt.Fprintf(e.Stderr, "daemon() failed: %v\n", err)
			return 1
		}
		return 0
	}
	return o.serve(log)
}

// parse reads the command line; false: show the usage.
func (o *options) parse(e *applet.Env) bool {
	opts := getopt.New(e.Argv0, applet.HelpArgs(e.Args), "c:floshdnm:", nil, e.Stderr)
	for c := opts.Next(); c != getopt.End; c = opts.Next() {
		switch c {
		case 'c':
			o.community = clip(opts.Arg)
		case 'f':
			o.foreground = true
		case 'l':
			o.log = true
		case 'm':
			o.snmp, o.manager = true, clip(opts.Arg)
		case 'n':
			o.noDNS = true
		case 'o':
			o.log, o.print = true, true
		case 's':
			o.snmp = true
		case 'd':
			o.dbus = true
		default:
			return false
		}
	}
	return true
}

// clip cuts a name to what fits into the original's buffers (corotypes.h:
// CS_MAX_NAME_LENGTH with the NUL).
func clip(s string) string { return s[:min(len(s), 255)] }

// fault is what is wrong with the options as a whole.
func (o *options) fault() string {
	switch {
	case !o.log && !o.snmp && !o.dbus:
		return "no event type enabled, see corosync-notifyd -h, exiting."
	case o.print && !o.foreground:
		return "configured to print to stdout and run in the background, exiting"
	}
	return ""
}

// serve connects to the daemon and tells of events until a signal.
func (o *options) serve(log *logger) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM)
	defer stop()
	w := &watcher{log: log, noDNS: o.noDNS}
	if o.log {
		w.sinks = append(w.sinks, log)
	}
	if err := w.connect(ctx); err != nil {
		log.error("%v", err)
		return 1
	}
	defer w.close()
	if o.dbus {
		b := newBus(log)
		defer b.close()
		w.sinks = append(w.sinks, b)
	}
	if o.snmp {
		t := newTrapper(log, o.manager, o.community)
		defer t.close()
		w.sinks = append(w.sinks, t)
	}
	if _, err := sdnotify.SdNotify(false, sdnotify.SdNotifyReady); err != nil {
		log.error("cannot tell systemd of the start: %v", err)
	}
	if err := w.run(ctx); err != nil && ctx.Err() == nil {
		log.error("%v", err)
		return 1
	}
	return 0
}
