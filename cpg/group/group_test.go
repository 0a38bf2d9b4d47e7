package group

import (
	"fmt"
	"testing"
	"time"

	"github.com/pacesync/pacesync/cpg/wire"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// list makes the parsed JOINLIST of n processes in as many groups as given.
func list(t testing.TB, n, groups int) wire.JoinList {
	var entries []wire.JoinEntry
	for i := range n {
		entries = append(entries, wire.JoinEntry{PID: uint32(i + 1), Group: wire.MustName(fmt.Sprint("g", i%groups))})
	}
	l, err := wire.ParseJoinList(wire.AppendJoinList(nil, entries), false)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func round2(e *Engine, l *wire.JoinList, seq uint64, members ...uint32) {
	e.SyncInit([]uint32{1}, members, service.RingID{Rep: 1, Seq: seq})
	if l != nil {
		e.GotDownList(2)
		e.GotJoinList(2, *l)
	}
	e.SyncActivate()
	e.Take()
}

// TestManyProcesses: a node with as many processes as a message can name joins
// and dies; neither may hold up the loop, which has a token to pass on.
func TestManyProcesses(t *testing.T) {
	e := New(1)
	l := list(t, localMax, 7)
	start := time.Now()
	for seq := range uint64(3) {
		round2(e, &l, 8*seq+8, 1, 2)
		if n := len(e.procs); n != localMax {
			t.Fatalf("%d processes", n)
		}
		round2(e, nil, 8*seq+12, 1)
		if len(e.procs) != 0 || len(e.groups) != 0 {
			t.Fatalf("%d processes in %d groups left", len(e.procs), len(e.groups))
		}
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("six rounds took %v", d)
	}
}

func BenchmarkNodeUpDown(b *testing.B) {
	e := New(1)
	l := list(b, localMax, 7)
	for b.Loop() {
		round2(e, &l, 8, 1, 2)
		round2(e, nil, 12, 1)
	}
}

// TestIterateOrder: upstream's order of an iteration, worked out by hand from
// its list operations.
func TestIterateOrder(t *testing.T) {
	e := New(1)
	for _, p := range []struct {
		node, pid uint32
		group     string
	}{{1, 10, "A"}, {1, 20, "B"}, {2, 30, "A"}, {3, 40, "A"}} {
		e.ProcJoin(p.node, &wire.Proc{Group: wire.MustName(p.group), PID: p.pid})
	}
	show := func(r *wire.IterInitReq) (out string) {
		for _, it := range e.Iterate(r) {
			out += fmt.Sprintf("%v/%d/%d ", it.Group, it.Node, it.PID)
		}
		return out
	}
	for _, c := range []struct {
		typ  wire.IterType
		want string
	}{
		{wire.IterNames, "B/0/0 A/0/0 "},
		{wire.IterAll, "B/1/20 A/1/10 A/3/40 A/2/30 "},
		{wire.IterOneGroup, "A/1/10 A/3/40 A/2/30 "},
	} {
		if got := show(&wire.IterInitReq{Type: c.typ, Group: wire.MustName("A")}); got != c.want {
			t.Errorf("type %d: %s, want %s", c.typ, got, c.want)
		}
	}
}
