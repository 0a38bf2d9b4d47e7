// Package ctsexec is the tool cts-exec-helper: it makes one call of the
// executor's interface and waits for its events. Pacemaker's regression suite of
// the executor (cts-exec) is built on it.
//
// It replaces daemons/execd/cts-exec-helper.c. Not there: --tls (Pacemaker
// Remote) and --is-running, which needs parameters from a live CIB.
package ctsexec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/libc"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/lrmd/client"
	"github.com/pacesync/pacesync/lrmd/wire"
)

const (
	program = "cts-exec-helper"
	summary = program + " - inject commands into the Pacemaker executor and watch for events"
)

type options struct {
	common                                          goption.Common
	call, rsc, class, provider, typ, action, listen *string
	interval                                        uint32
	timeout, delay, cancelID                        int
	noWait, running, tls                            bool
	opts                                            wire.Options
	params                                          wire.Params
	key, value                                      *string
}

func (o *options) text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (o *options) context() *goption.Context {
	c := goption.Pacemaker(program, summary, "", "", &o.common)
	param := func(to **string) goption.Callback {
		return func(v goption.Value) error {
			s := v.Arg
			*to = &s
			if o.key != nil && o.value != nil {
				o.params = append(o.params, wire.Param{Name: *o.key, Value: *o.value})
				o.key, o.value = nil, nil
			}
			return nil
		}
	}
	set := func(x wire.Options) goption.Callback {
		return func(goption.Value) error { o.opts = x; return nil }
	}
	c.AddMain(
		goption.Entry{Long: "api-call", Short: 'c', Dest: &o.call, Help: "Directly relates to executor API functions"},
		goption.Entry{Long: "is-running", Short: 'R', Dest: &o.running, Help: "Determine if a resource is registered and running"},
		goption.Entry{Long: "listen", Short: 'l', Dest: &o.listen, Help: "Listen for a specific event string"},
		goption.Entry{Long: "no-wait", Short: 'w', Dest: &o.noWait, Help: "Make api call and do not wait for result"},
		goption.Entry{Long: "notify-changes", Short: 'o', Flags: goption.NoArg, Dest: set(wire.NotifyChangesOnly), Help: "Only notify client changes to recurring operations"},
		goption.Entry{Long: "notify-orig", Short: 'n', Flags: goption.NoArg, Dest: set(wire.NotifyOrigOnly), Help: "Only notify this client of the results of an API action"},
		goption.Entry{Long: "tls", Short: 'S', Dest: &o.tls, Help: "Use TLS backend for local connection"},
	)
	c.AddGroup("api-call", "API Call Options:", "Parameters for api-call option",
		goption.Entry{Long: "action", Short: 'a', Dest: &o.action},
		goption.Entry{Long: "cancel-call-id", Short: 'x', Dest: &o.cancelID},
		goption.Entry{Long: "class", Short: 'C', Dest: &o.class},
		goption.Entry{Long: "interval", Short: 'i', Dest: func(v goption.Value) error {
			o.interval, _ = iso8601.IntervalMS(v.Arg)
			return nil
		}},
		goption.Entry{Long: "param-key", Short: 'k', Dest: param(&o.key)},
		goption.Entry{Long: "param-val", Short: 'v', Dest: param(&o.value)},
		goption.Entry{Long: "provider", Short: 'P', Dest: &o.provider},
		goption.Entry{Long: "rsc-id", Short: 'r', Dest: &o.rsc},
		goption.Entry{Long: "start-delay", Short: 's', Dest: &o.delay},
		goption.Entry{Long: "timeout", Short: 't', Dest: &o.timeout},
		goption.Entry{Long: "type", Short: 'T', Dest: &o.typ},
	)
	return c
}

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	var o options
	if _, status, ok := o.context().Run(e.Args, "", e.Stdout, e.Stderr); !ok {
		return status
	}
	fail := func(code pcmk.Exit, text string) int {
		fmt.Fprintf(e.Stderr, "%s: %s\n", program, text)
		return int(code)
	}
	switch {
	case o.common.Version:
		fmt.Fprint(e.Stdout, pcmk.VersionText())
		return 0
	case o.tls:
		return fail(pcmk.ExitUnimplemented, "--tls: there is no Pacemaker Remote here yet")
	case o.running && o.rsc == nil:
		return fail(pcmk.ExitUsage, "--is-running requires --rsc-id")
	case o.running:
		return fail(pcmk.ExitUnimplemented, "--is-running is not there yet: use crm_resource --force-check")
	case o.call == nil && o.listen == nil:
		return fail(pcmk.ExitUsage, "Must specify at least one of --api-call, --listen, or --is-running")
	}
	t := &tester{o: &o, out: e.Stdout}
	if o.listen == nil && o.local() {
		return int(t.local())
	}
	return int(t.run())
}

// local says whether the call needs no executor.
func (o *options) local() bool {
	switch strings.ToLower(o.text(o.call)) {
	case "metadata", "list_agents", "list_standards", "list_ocf_providers":
		return true
	}
	return false
}

// tester is one run of the tool.
type tester struct {
	o    *options
	out  io.Writer
	conn *client.Client
	call int // call id of exec
}

func (t *tester) print(format string, args ...any) { fmt.Fprintf(t.out, format+"\n", args...) }

const (
	tries = 10
	pause = time.Second
)

// connect tries for a while (try_connect).
func (t *tester) connect() bool {
	for i := range tries {
		if i > 0 {
			<-time.After(pause)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		c, err := client.Dial(ctx, program)
		cancel()
		if err == nil {
			t.conn = c
			return true
		}
	}
	t.print("API CONNECTION FAILURE")
	return false
}

type event struct {
	notify wire.Notify
	err    error
}

func (t *tester) run() pcmk.Exit {
	if !t.connect() {
		return pcmk.ExitError
	}
	defer t.conn.Close()
	events := make(chan event, 1024)
	t.conn.Pump(func(n wire.Notify, err error) { events <- event{n, err} })
	var over <-chan time.Time
	if t.o.timeout > 0 {
		over = time.After(time.Duration(t.o.timeout) * time.Millisecond)
	}
	if t.o.call != nil {
		if exit, ended := t.request(); ended {
			return exit
		}
	}
	for {
		select {
		case ev := <-events:
			if ev.err != nil {
				events = nil // as the original: it goes on listening until its time is over
				if over == nil {
					return pcmk.ExitDisconnect
				}
				continue
			}
			if exit, ended := t.event(ev.notify); ended {
				return exit
			}
		case <-over:
			t.print("LISTEN EVENT FAILURE - timeout occurred, never found")
			return pcmk.ExitTimeout
		}
	}
}

// event handles one event (read_events).
func (t *tester) event(n wire.Notify) (pcmk.Exit, bool) {
	if t.o.listen != nil && strings.EqualFold(*t.o.listen, eventText(n)) {
		t.print("LISTEN EVENT SUCCESSFUL")
		return pcmk.ExitOK, true
	}
	if t.call == 0 || n.CallID != t.call {
		return 0, false
	}
	if n.Status != pcmk.ExecDone || n.Result != pcmk.OCFOK {
		t.print("API-CALL FAILURE for 'exec', rc:%d lrmd_op_status:%s", int(n.Result), n.Status)
		return pcmk.ExitError, true
	}
	t.print("API-CALL SUCCESSFUL for 'exec'")
	return pcmk.ExitOK, t.o.listen == nil
}

func eventText(n wire.Notify) string {
	kind := "unknown"
	switch n.Op {
	case wire.OpRscRegister:
		kind = "register"
	case wire.OpUnregister:
		kind = "unregister"
	case wire.OpRscExec:
		kind = "exec_complete"
	case wire.OpPoke:
		kind = "poke"
	case wire.OpNewClient:
		kind = "new_client"
	}
	action := n.Action
	if action == "" {
		action = "none"
	}
	return fmt.Sprintf("NEW_EVENT event_type:%s rsc_id:%s action:%s rc:%s op_status:%s", kind, n.RscID, action, n.Result, n.Status)
}

// request makes the call; ended: the program is over (start_test).
func (t *tester) request() (exit pcmk.Exit, ended bool) {
	o, ctx := t.o, context.Background()
	var err error
	done := true
	switch strings.ToLower(*o.call) {
	case "exec":
		done = false
		t.call, err = t.conn.Exec(ctx, client.Operation{
			RscID: o.text(o.rsc), Action: o.text(o.action), Interval: o.interval, Timeout: o.timeout, StartDelay: o.delay, Options: o.opts, Params: o.params,
		})
		if err == nil {
			t.print("API-CALL 'exec' action pending, waiting on response")
		}
	case "register_rsc":
		err = t.conn.Register(ctx, wire.Rsc{ID: o.text(o.rsc), Class: o.text(o.class), Provider: o.text(o.provider), Type: o.text(o.typ)}, 0)
	case "get_rsc_info":
		var r wire.Rsc
		if r, err = t.conn.Info(ctx, o.text(o.rsc)); err == nil {
			if r.Provider == "" {
				r.Provider = "<none>"
			}
			t.print("RSC_INFO: id:%s class:%s provider:%s type:%s", r.ID, r.Class, r.Provider, r.Type)
		} else {
			err = pcmk.RC(1)
		}
	case "unregister_rsc":
		err = t.conn.Unregister(ctx, o.text(o.rsc))
	case "cancel":
		err = t.conn.Cancel(ctx, o.text(o.rsc), o.text(o.action), o.interval)
	case "get_recurring_ops":
		var list []wire.Recurring
		list, err = t.conn.Recurring(ctx, o.text(o.rsc))
		for i := len(list) - 1; i >= 0; i-- {
			t.print("RECURRING_OP: %s_%s_%d timeout=%dms", list[i].RscID, list[i].Action, list[i].Interval, list[i].Timeout)
		}
	default:
		if o.local() {
			if exit := t.local(); exit != pcmk.ExitOK || o.listen == nil {
				return exit, true
			}
			return 0, false
		}
		t.print("API-CALL FAILURE unknown action '%s'", o.printed(o.action))
		return pcmk.ExitError, true
	}
	if err != nil {
		t.print("API-CALL FAILURE for '%s' api_rc:%d", *o.call, legacy(err))
		return pcmk.ExitError, true
	}
	if done {
		t.print("API-CALL SUCCESSFUL for '%s'", *o.call)
		if o.listen == nil {
			return pcmk.ExitOK, true
		}
	}
	return pcmk.ExitOK, o.noWait
}

// printed is what printf(3) makes of a text that may be missing.
func (o *options) printed(s *string) string {
	if s == nil {
		return "(null)"
	}
	return *s
}

func legacy(err error) int {
	var rc pcmk.RC
	if errors.As(err, &rc) {
		return rc.Legacy()
	}
	var no syscall.Errno
	if errors.As(err, &no) {
		return -int(no)
	}
	fmt.Fprintln(os.Stderr, libc.Strerror(err))
	return -int(syscall.EIO)
}
