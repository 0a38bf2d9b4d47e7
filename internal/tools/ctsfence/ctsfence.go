// Package ctsfence is the tool cts-fence-helper: it calls the fencer's interface
// and checks results and notifications. Pacemaker's regression suite of the
// fencer (cts-fencing) is built on it.
//
// It replaces daemons/fenced/cts-fence-helper.c. Not there: the mode without
// options, which needs its developer's machines.
package ctsfence

import (
	"context"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/fencing/client"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/pcmk"
)

const program = "cts-fence-helper"

// tester is one run.
type tester struct {
	out    io.Writer
	c      *client.Client
	events chan client.Event
	failed bool
}

// Run is the program cts-fence-helper.
func Run(e *applet.Env) int {
	var common goption.Common
	var mainloop, api, passive bool
	ctx := goption.Pacemaker(program, program+" - inject commands into the Pacemaker fencer and watch for events", "", "", &common)
	ctx.AddMain(goption.Entry{Long: "mainloop_api_test", Short: 'm', Dest: &mainloop}, goption.Entry{Long: "api_test", Short: 't', Dest: &api},
		goption.Entry{Long: "passive", Short: 'p', Dest: &passive})
	if _, status, ok := ctx.Run(e.Args, "", e.Stdout, e.Stderr); !ok {
		return status
	}
	switch {
	case common.Version:
		fmt.Fprint(e.Stdout, pcmk.VersionText())
		return 0
	case !mainloop && !api && !passive:
		fmt.Fprintf(e.Stderr, "%s: one of --api_test, --mainloop_api_test and --passive is needed\n", program)
		return int(pcmk.ExitUsage)
	}
	t := &tester{out: e.Stdout, events: make(chan client.Event, 64)}
	if !t.connect() {
		fmt.Fprintf(e.Stderr, "%s: cannot connect to the fencer\n", program)
		return int(pcmk.ExitDisconnect)
	}
	defer t.c.Close()
	switch {
	case passive:
		t.watch(10 * time.Minute)
	case api:
		t.sanity()
	default:
		t.async()
	}
	if t.failed {
		return int(pcmk.ExitError)
	}
	return 0
}

// The fencer may be starting.
const (
	connectTries = 10
	connectPause = 2 * time.Second
)

func (t *tester) connect() bool {
	for try := 1; ; try++ {
		c, err := client.Dial(context.Background(), program)
		if err == nil {
			t.c = c
			break
		}
		if try == connectTries {
			return false
		}
		time.Sleep(connectPause)
	}
	t.c.Events(func(ev client.Event) { t.events <- ev })
	return t.c.Subscribe(context.Background(), wire.NotifyFence, wire.NotifyDeviceAdd, wire.NotifyDeviceDel) == nil
}

// watch prints notifications until it is silent for so long.
func (t *tester) watch(silence time.Duration) {
	for {
		select {
		case ev := <-t.events:
			if _, lost := ev.(client.Lost); lost {
				return
			}
			fmt.Fprintf(t.out, "%+v\n", ev)
		case <-time.After(silence):
			return
		}
	}
}

// noticed counts notifications that come within half a second of each other.
func (t *tester) noticed(want int) int {
	for n := 0; ; {
		select {
		case ev := <-t.events:
			if _, ok := ev.(client.Notification); ok {
				n++
			}
		case <-time.After(500 * time.Millisecond):
			return n
		}
		if n >= want {
			return n
		}
	}
}

// check compares the result of a call and the number of notifications that
// follow it at least.
func (t *tester) check(what string, got pcmk.RC, notes int, want pcmk.RC) {
	switch n := t.noticed(notes); {
	case t.failed:
	case got != want:
		t.failed = true
		fmt.Fprintf(t.out, "FAILURE - expected rc %d != %d(%v) for cmd - %s\n", want.Legacy(), got.Legacy(), got, what)
	case n < notes:
		t.failed = true
		fmt.Fprintf(t.out, "FAILURE - expected %d notifications, got only %d for cmd - %s\n", notes, n, what)
	default:
		fmt.Fprintf(t.out, "SUCCESS - %s: %d\n", what, got.Legacy())
	}
}

func code(r wire.Result, err error) pcmk.RC {
	if err != nil {
		return failure(err)
	}
	return r.RC()
}

func failure(err error) pcmk.RC {
	if err == nil {
		return pcmk.OK
	}
	var rc pcmk.RC
	if ok := asRC(err, &rc); ok {
		return rc
	}
	return pcmk.RC(syscall.ECOMM)
}

func dummy(id string, params ...string) wire.Registration {
	r := wire.Registration{ID: id, Namespace: "stonith-ng", Agent: "fence_dummy"}
	for i := 0; i+1 < len(params); i += 2 {
		r.Params = append(r.Params, wire.Pair{Name: params[i], Value: params[i+1]})
	}
	return r
}
