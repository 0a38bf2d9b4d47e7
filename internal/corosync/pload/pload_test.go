package pload

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/corosync/service/servicetest"
)

type bench struct {
	host   *servicetest.Host
	keys   *cmap.Map
	engine *service.Engine
	turn   func() bool
	log    []string
}

func start(t *testing.T) *bench {
	b := &bench{host: servicetest.NewHost(1), keys: cmap.NewMap()}
	b.engine = New(b.host, Options{
		Map:      b.keys,
		Log:      func(l service.Level, text string) { b.log = append(b.log, fmt.Sprintf("%d %s", l, text)) },
		EachTurn: func(fn func() bool) { b.turn = fn },
	}).Engine()
	if err := b.engine.Start(); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) set(t *testing.T, key string, v cmap.Value) {
	t.Helper()
	if err := b.keys.Set(key, v); err != nil {
		t.Fatal(err)
	}
}

// TestStart: only the magic words start a run; the message has the original's form.
func TestStart(t *testing.T) {
	b := start(t)
	b.set(t, "pload.count", cmap.U32(3))
	b.set(t, "pload.size", cmap.U32(1<<20+1))
	b.set(t, "pload.start", cmap.Str("please"))
	if len(b.host.Sent) != 0 {
		t.Fatal("it started")
	}
	b.log = nil
	b.set(t, "pload.start", cmap.Str(magic))
	if want := []string{"4 pload size limited to 1048576", "4 Starting pload!"}; !slices.Equal(b.log, want) {
		t.Errorf("%q", b.log)
	}
	want := make([]byte, 24)
	mar.PutReq(want, 4<<16, 24)
	mar.PutU32(want, 16, 3)
	mar.PutU32(want, 20, 1<<20)
	if got := b.host.Take(); len(got) != 1 || !slices.Equal(got[0], want) {
		t.Errorf("sent %x, want %x", got, want)
	}
}

// TestRun: messages go out as fast as the ring takes them, and the last one that
// comes, from whomever, ends the daemon.
func TestRun(t *testing.T) {
	for _, swapped := range []bool{false, true} {
		b := start(t)
		msg := make([]byte, 24)
		mar.PutReq(msg, 4<<16, 24)
		mar.PutU32(msg, 16, 3)
		mar.PutU32(msg, 20, 100)
		if swapped {
			slices.Reverse(msg[16:20])
			slices.Reverse(msg[20:24])
		}
		b.engine.Exec[execStart].Deliver(2, msg, swapped)
		b.host.Full = true
		b.turn()
		if len(b.host.Sent) != 0 {
			t.Fatal("sent into a full queue")
		}
		b.host.Full = false
		b.turn()
		b.turn()
		sent := b.host.Take()
		if len(sent) != 3 {
			t.Fatalf("%d messages", len(sent))
		}
		for _, m := range sent {
			if v := (mar.View{B: m}); len(m) != 100 || v.I32(0) != 4<<16|1 || v.I32(8) != 116 {
				t.Errorf("%d bytes, id %x, size %d", len(m), v.I32(0), v.I32(8))
			}
		}
		b.engine.Exec[execStart].Deliver(2, msg, swapped) // a second start is none
		for i := range 3 {
			if b.host.Ended {
				t.Fatal("too early")
			}
			// A node of the other order has its header the other way round.
			from := slices.Clone(sent[0])
			if swapped {
				for at := 0; at < 16; at += 4 {
					slices.Reverse(from[at : at+4])
				}
			}
			b.engine.Exec[execMcast].Deliver(uint32(i), from, swapped)
			b.host.Advance(time.Second)
		}
		if !b.host.Ended || b.host.Status != 99 || b.host.Left {
			t.Errorf("ended %v, status %d, left %v", b.host.Ended, b.host.Status, b.host.Left)
		}
		want := []string{
			"5     3 Writes 100 bytes per write   2.000 seconds runtime,     1.500 TP/S,     0.000 MB/S.",
			"4 Stopping corosync the hard way",
		}
		if !slices.Equal(b.log, want) {
			t.Errorf("%q", strings.Join(b.log, "\n"))
		}
	}
}

// TestFillAllocatesNothing holds the run to the rule of the message path.
func TestFillAllocatesNothing(t *testing.T) {
	s := New(&free{servicetest.NewHost(1)}, Options{EachTurn: func(func() bool) {}})
	msg := make([]byte, 24)
	mar.PutU32(msg, 16, 1<<31)
	mar.PutU32(msg, 20, 300)
	s.deliverStart(1, msg, false)
	if n := testing.AllocsPerRun(100, func() { s.sent = s.wanted - 10; s.fill() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// free takes every message and keeps none.
type free struct{ *servicetest.Host }

func (free) Mcast(hdr, body []byte) error { return nil }
