package srp

import (
	"time"

	"github.com/pacesync/pacesync/totem/wire"
)

// foreignRing is a ring that another node was heard to work in.
type foreignRing struct {
	node wire.NodeID
	seq  uint64
	at   time.Time // when it was last heard
}

// foreignRings keeps, for each node, the newest ring other than ours that it was
// heard in. A join message with a smaller number is then known to be older than
// that ring: it came late, over a network that does not keep order, and says
// what its sender has since taken back. Believed, it lets two nodes that find
// each other blame each other in step for ever. Upstream looks at the number
// only in OPERATIONAL, and only for members of the own ring
// (totemsrp.c: ignore_join_under_operational).
//
// Only messages that a node sends in OPERATIONAL count, because a ring that is
// given up before has its number taken back. What was heard longer than a
// consensus timeout ago does not count either: no packet is that late, and a
// node that has lost its ring id file starts again with small numbers.
type foreignRings []foreignRing

// note takes down that node works in a ring.
func (f *foreignRings) note(now time.Time, node wire.NodeID, seq uint64) {
	for i := range *f {
		if e := &(*f)[i]; e.node == node {
			if seq >= e.seq {
				e.seq, e.at = seq, now
			}
			return
		}
	}
	if len(*f) >= wire.MaxNodes {
		*f = (*f)[:copy(*f, (*f)[1:])] // the one known longest
	}
	*f = append(*f, foreignRing{node, seq, now})
}

// outdates reports whether node was heard in a newer ring than seq within the
// last keep.
func (f foreignRings) outdates(now time.Time, keep time.Duration, node wire.NodeID, seq uint64) bool {
	for i := range f {
		if e := &f[i]; e.node == node {
			return seq < e.seq && now.Sub(e.at) < keep
		}
	}
	return false
}

// noteForeign takes down the ring of a message, unless it is one of RECOVERY.
func (r *Ring) noteForeign(m *wire.Mcast) {
	if m.Encapsulated == wire.Plain {
		r.foreign.note(r.now, m.From, m.Ring.Seq)
	}
}
