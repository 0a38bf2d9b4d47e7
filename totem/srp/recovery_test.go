package srp

import (
	"slices"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/sim"
	"github.com/pacesync/pacesync/totem/wire"
)

// TestRecoveryForgetsBlameThatOthersHaveDropped: node 3 still recovers the
// ring of 3, 4 and 5, which was formed because 1 and 2 were thought to have
// failed. Node 4 has been through with it, heard node 1 and gathers. If node 3
// answered with its old blame, 4 and 5 would take that over, and the rings {1 2}
// and {3 4 5} could break each other's recovery for ever.
func TestRecoveryForgetsBlameThatOthersHaveDropped(t *testing.T) {
	ring := wire.RingID{Rep: 3, Seq: 40}
	recovering := func() *Ring {
		r := New(Config{NodeID: 3}.WithDefaults(5), 0, sim.NewRand(1, 1))
		r.member.ring, r.member.highSeq = ring, ring.Seq
		r.member.newMemb = nodeSet{3, 4, 5}
		r.member.proc, r.member.failed = nodeSet{1, 2, 3, 4, 5}, nodeSet{1, 2}
		r.st = recovery{}
		r.begin(time.Unix(100, 0))
		r.pause.stamp = r.now
		return r
	}
	for _, c := range []struct {
		name         string
		join         wire.Join
		proc, failed nodeSet
	}{
		{"a member that was through", wire.Join{From: 4, RingSeq: 40, Proc: []wire.NodeID{1, 3, 4, 5}}, nodeSet{1, 3, 4, 5}, nil},
		{"a member that was through and says goodbye", wire.Join{From: 4, RingSeq: 40, Proc: []wire.NodeID{3, 5}, Failed: []wire.NodeID{4}}, nodeSet{3, 4, 5}, nil},
		{"a member that lost the token as we may", wire.Join{From: 4, RingSeq: 40, Proc: []wire.NodeID{1, 2, 3, 4, 5}, Failed: []wire.NodeID{1, 2}},
			nodeSet{1, 2, 3, 4, 5}, nodeSet{1, 2}},
		{"a stranger", wire.Join{From: 1, RingSeq: 40, Proc: []wire.NodeID{1}}, nodeSet{1, 2, 3, 4, 5}, nodeSet{1, 2}},
		{"a member, before this ring", wire.Join{From: 4, RingSeq: 36, Proc: []wire.NodeID{1, 4}}, nodeSet{1, 2, 3, 4, 5}, nodeSet{1, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := recovering()
			c.join.Node = c.join.From
			r.st.onJoin(r, &c.join)
			if !slices.Equal(r.member.proc, c.proc) || !slices.Equal(r.member.failed, c.failed) {
				t.Errorf("proc %v failed %v, want %v %v", r.member.proc, r.member.failed, c.proc, c.failed)
			}
		})
	}
}
