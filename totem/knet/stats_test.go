package knet

import (
	"math"
	"testing"
	"time"
)

// TestStatsAtStart: the counters begin as the original's do, which a tracker of
// stats.knet sees.
func TestStatsAtStart(t *testing.T) {
	w := newWorld(t, 1, 2, 1, nil)
	e := w.nodes[0].e
	var st LinkStatus
	for _, c := range []struct {
		key      LinkKey
		up, down uint32
	}{{LinkKey{1, 0}, 1, 0}, {LinkKey{2, 0}, 0, 1}} {
		if !e.Status(c.key, &st) || st.Stats.UpCount != c.up || st.Stats.DownCount != c.down || st.Stats.LatencyMin != math.MaxUint32 {
			t.Errorf("link %v: up %d, down %d, latency_min %d", c.key, st.Stats.UpCount, st.Stats.DownCount, st.Stats.LatencyMin)
		}
	}
	var s Stats
	e.Stats(&s)
	for i, tm := range []Timing{s.TxCompressTime, s.RxCompressTime, s.TxCryptTime, s.RxCryptTime} {
		if tm.Min != math.MaxUint64 {
			t.Errorf("time %d: min %d", i, tm.Min)
		}
		tm.add(7)
		if tm != (Timing{Ave: 7, Min: 7, Max: 7, n: 1}) {
			t.Errorf("time %d after 7: %+v", i, tm)
		}
	}
}

// TestRefusedProbesDoNotCount: a probe that the kernel refuses was not sent.
func TestRefusedProbesDoNotCount(t *testing.T) {
	w := newWorld(t, 1, 2, 1, nil)
	var sent, refused uint64
	w.errno = func(d *Datagram) Errno {
		switch {
		case d.Type != TypePMTUD:
		case len(d.Data) > 1472:
			refused++
			return EMSGSIZE
		default:
			sent++
		}
		return 0
	}
	w.up()
	w.run(5 * time.Second)
	var total uint64
	for _, n := range w.nodes {
		s := n.link(3-n.id, 0).stats
		total += s.TxPMTUPackets
		if s.TxPMTUBytes > s.TxPMTUPackets*1472 {
			t.Errorf("node %d: %d bytes in %d packets", n.id, s.TxPMTUBytes, s.TxPMTUPackets)
		}
	}
	if refused == 0 || total != sent {
		t.Errorf("%d probes counted, %d sent, %d refused", total, sent, refused)
	}
}
