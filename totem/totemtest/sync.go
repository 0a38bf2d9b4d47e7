package totemtest

import (
	"slices"

	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

// syncer stands in for the sync layer: after a regular view it sends messages
// of its own and tells the core, by TransAck, when the services may go on. It
// decides by delivered messages alone, so all members decide at the same place
// of the total order (sync.c: the barrier).
type syncer struct {
	mode    SyncMode
	running bool
	ring    wire.RingID
	members []wire.NodeID
	round   int
	sent    bool
	seen    [2]Mask
}

// syncMeta is what a sync message says.
type syncMeta struct {
	ring  wire.RingID
	round int
}

// syncBig is the size of the first message of SyncTwo: several packets.
const syncBig = 2500

func (s *syncer) stop() { s.running = false }

func (s *syncer) begin(v *srp.View, mode SyncMode) {
	*s = syncer{mode: mode, running: true, ring: v.Ring, members: slices.Clone(v.Members)}
}

// got takes a delivered sync message in.
func (s *syncer) got(m *Msg, from int) {
	if s.running && m.sync.ring == s.ring {
		s.seen[m.sync.round] |= 1 << from
	}
}

func (s *syncer) rounds() int { return int(s.mode) }

// syncTurn does the next thing of a node's sync; true when it did one.
func (w *World) syncTurn(n *node) bool {
	s := &n.sync
	if !s.running || n.paused {
		return false
	}
	want := Mask(0)
	for _, id := range s.members {
		want |= 1 << slices.Index(w.plan.IDs, id)
	}
	if s.round < s.rounds() && s.sent && s.seen[s.round]&want == want {
		s.round, s.sent = s.round+1, false
	}
	if s.round < s.rounds() {
		if s.sent {
			return false
		}
		size := 40
		if s.mode == SyncTwo && s.round == 0 {
			size = syncBig
		}
		s.sent = w.submit(n, true, size, syncMeta{s.ring, s.round})
		return s.sent
	}
	s.running = false
	n.waiting = false
	w.ledger.transAck(n.proc)
	n.eng.TransAck(epoch.Add(w.now))
	return true
}
