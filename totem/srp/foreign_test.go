package srp

import (
	"testing"
	"time"

	"github.com/pacesync/pacesync/totem/wire"
)

func TestForeignRings(t *testing.T) {
	const keep = time.Second
	t0 := time.Unix(1000, 0)
	var f foreignRings
	f.note(t0, 2, 40)
	f.note(t0.Add(100*time.Millisecond), 2, 36) // a late packet takes nothing back
	for _, tc := range []struct {
		after time.Duration
		node  wire.NodeID
		seq   uint64
		want  bool
	}{
		{0, 2, 36, true},
		{0, 2, 40, false},
		{0, 2, 44, false},
		{0, 3, 36, false},
		{keep - 1, 2, 36, true},
		{keep, 2, 36, false}, // it may have lost its ring id file
	} {
		if got := f.outdates(t0.Add(tc.after), keep, tc.node, tc.seq); got != tc.want {
			t.Errorf("node %d seq %d after %v: %v", tc.node, tc.seq, tc.after, got)
		}
	}
	for id := wire.NodeID(10); id < 10+2*wire.MaxNodes; id++ {
		f.note(t0, id, 8)
	}
	if len(f) != wire.MaxNodes || f.outdates(t0, keep, 2, 36) || !f.outdates(t0, keep, 9+2*wire.MaxNodes, 4) {
		t.Errorf("%d nodes kept, the first %+v", len(f), f[0])
	}
}
