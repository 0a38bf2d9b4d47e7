// Package schedulerd is the daemon pacemaker-schedulerd: the controller of the
// elected node sends it the CIB, it answers with the graph of what to do, and
// keeps the inputs in files for those who ask why later.
//
// The multi-call binary calls Run. The decisions are made by pengine, in a worker
// goroutine, one after the other; the loop stays free for clients and signals.
// It replaces daemons/schedulerd.
package schedulerd

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/schema"
	"github.com/pacesync/pacesync/cib/schema/schemafiles"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/daemonkit"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

const program = "pacemaker-schedulerd"

const summary = program + " - daemon for calculating a Pacemaker cluster's response to events"

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	var common goption.Common
	ctx := goption.Pacemaker(program, summary, "text (default), xml", "", &common)
	rest, status, ok := ctx.Run(e.Args, "", e.Stdout, e.Stderr)
	switch {
	case !ok:
		return status
	case len(rest) == 1 && strings.EqualFold(rest[0], "metadata"):
		fmt.Fprint(e.Stdout, metadata())
		return int(pcmk.ExitOK)
	case len(rest) > 0:
		fmt.Fprintf(e.Stderr, "%s: Unsupported extra command line parameters\n", program)
		return int(pcmk.ExitUsage)
	case common.Version:
		fmt.Fprint(e.Stdout, pcmk.VersionText())
		return int(pcmk.ExitOK)
	}
	k := daemonkit.Start(daemonkit.Options{Program: program, Verbose: common.Verbosity, Stderr: e.Stderr})
	return k.Main(func() pcmk.Exit {
		k.Log.Notice("Starting Pacemaker scheduler")
		d := &daemon{kit: k, events: make(chan crmipc.Event, 64), work: make(chan job), done: make(chan job)}
		if err := d.open(); err != nil {
			fmt.Fprintf(e.Stderr, "%s: %v\n", program, err)
			return pcmk.ExitFatal
		}
		defer d.server.Close()
		k.Log.Notice("Pacemaker scheduler successfully started and accepting connections")
		return d.loop()
	})
}

// job is a request on its way to the worker and back.
type job struct {
	event crmipc.Event
	reply *xmltree.Node
}

// daemon is owned by the loop goroutine.
type daemon struct {
	kit    *daemonkit.Kit
	server *crmipc.Server
	events chan crmipc.Event
	work   chan job
	done   chan job
	queue  []job // requests that wait for the worker; a client has one at a time under way
	busy   bool
}

// maxQueue bounds the requests that wait: there is one controller, and it asks
// again only when it has an answer or lost patience.
const maxQueue = 64

func (d *daemon) open() error {
	if err := unix.Access(pcmk.PEDir, unix.W_OK|unix.X_OK); err != nil {
		d.kit.Log.Error("Terminating due to bad permissions on "+pcmk.PEDir, "why", err)
		return fmt.Errorf("ERROR: Bad permissions on %s (see logs for details)", pcmk.PEDir)
	}
	schemas, err := schemafiles.Load(pcmk.SchemaDirectory())
	if err != nil {
		d.kit.Log.Error("No schemas: " + err.Error())
		schemas = schema.NewSet(nil, func(string) ([]byte, error) { return nil, os.ErrNotExist })
	}
	d.server, err = crmipc.Listen(crmipc.ServerOptions{Events: d.events, Log: d.kit.Log.Logger}, "pengine")
	if err != nil {
		return fmt.Errorf("Failed to create %s server: exiting and inhibiting respawn: %w", program, err) //nolint:staticcheck // the original's text
	}
	c := &computer{dir: pcmk.PEDir, now: time.Now, schemas: schemas, log: d.kit.Log}
	go func() {
		for j := range d.work {
			j.reply = c.compute(j.event.XML)
			d.done <- j
		}
	}()
	return nil
}

func (d *daemon) loop() pcmk.Exit {
	for {
		var work chan job
		var next job
		if !d.busy && len(d.queue) > 0 {
			work, next = d.work, d.queue[0]
		}
		select {
		case <-d.kit.Term:
			return pcmk.ExitOK
		case ev := <-d.events:
			if ev.Kind == crmipc.Message {
				d.request(ev)
			}
		case work <- next:
			d.queue[0] = job{}
			d.queue = d.queue[1:]
			d.busy = true
		case j := <-d.done:
			d.busy = false
			if j.reply != nil {
				j.event.Client.Event(j.reply)
			}
			d.kit.Log.Debug("Processed pe_calc request from client " + j.event.Client.Label() + ": Done")
		}
	}
}

// request looks at what a client wants (schedulerd_messages.c: pe_ipc_dispatch).
func (d *daemon) request(ev crmipc.Event) {
	task := ev.XML.Attr("crm_task")
	to := ev.XML.Attr("crm_sys_to")
	switch {
	case ev.XML.Attr("subt") == "response":
		ev.Ack(pcmk.ExitIndeterminate)
		d.kit.Log.Info("Ignoring IPC reply from " + ev.Client.Label())
	case to != "pengine":
		ev.Ack(pcmk.ExitIndeterminate)
		d.kit.Log.Info(fmt.Sprintf("Ignoring invalid IPC message: to '%s' not pengine", to))
	case task == "hello":
		ev.Ack(pcmk.ExitIndeterminate)
	case task == "pe_calc" && len(d.queue) < maxQueue:
		ev.Ack(pcmk.ExitIndeterminate)
		d.queue = append(d.queue, job{event: ev})
	case task == "pe_calc":
		ev.Ack(pcmk.ExitTempFail)
		d.kit.Log.Warn(fmt.Sprintf("Dropping a pe_calc request of client %s: %d wait already", ev.Client.Label(), len(d.queue)))
	default:
		ev.Ack(pcmk.ExitInvalidParam)
		d.kit.Log.Warn(fmt.Sprintf("Processed %s request from client %s: Invalid (Unknown IPC request type '%s' (bug?))", task, ev.Client.Label(), ev.Client.Label()))
	}
}
