package group

import (
	"fmt"
	"slices"
	"testing"

	"github.com/pacesync/pacesync/cpg/wire"
)

// crowd is an engine that knows processes in many groups.
func crowd(groups, each int) *Engine {
	e := New(1)
	for pid := range uint32(each) {
		for i := range groups {
			n, _ := wire.MakeName(fmt.Appendf(nil, "group-%d", i))
			e.ProcJoin(2, &wire.Proc{Group: n, PID: 10 + pid})
		}
	}
	return e
}

// insertAfter is how upstream makes its list: a process is put behind the first one of its
// group, the first one of a group in front of all.
func insertAfter(e *Engine, names bool) (items []wire.Item) {
	for _, p := range e.procs {
		it := wire.Item{Group: p.group.name, Node: p.node, PID: p.pid}
		i := slices.IndexFunc(items, func(x wire.Item) bool { return x.Group == it.Group })
		if names && i >= 0 {
			continue
		}
		if names {
			it.Node, it.PID = 0, 0
		}
		items = slices.Insert(items, i+1, it)
	}
	return items
}

func TestIterateAsUpstream(t *testing.T) {
	e := crowd(7, 5)
	if got := e.Iterate(&wire.IterInitReq{Type: wire.IterAll}); !slices.Equal(got, insertAfter(e, false)) {
		t.Errorf("all: %v", got)
	}
	if got := e.Iterate(&wire.IterInitReq{Type: wire.IterNames}); !slices.Equal(got, insertAfter(e, true)) {
		t.Errorf("names: %v", got)
	}
	name := e.procs[3].group.name
	got := e.Iterate(&wire.IterInitReq{Type: wire.IterOneGroup, Group: name})
	if want := []uint32{10, 14, 13, 12, 11}; len(got) != len(want) || !slices.EqualFunc(got, want, func(it wire.Item, pid uint32) bool { return it.PID == pid && it.Group == name }) {
		t.Errorf("one group: %v", got)
	}
}

// BenchmarkIterate: the loop, and with it the token, waits for it.
func BenchmarkIterate(b *testing.B) {
	e := crowd(localMax, 1)
	for b.Loop() {
		e.Iterate(&wire.IterInitReq{Type: wire.IterAll})
	}
}
