package totemtest

import (
	"slices"
	"testing"
	"time"

	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

// Outages that users of Corosync reported, as plans; docs/testing.md, "Known
// outages", has the table of all of them. The others are in scenario_test.go.

// viewAfter is when the newest life of a node got its first view of exactly
// these members from a time on; -1: never.
func (w *World) viewAfter(node int, from time.Duration, members ...wire.NodeID) time.Duration {
	lives := w.nodes[node].lives
	p := &w.hist.Procs[lives[len(lives)-1]]
	for _, e := range p.Log {
		if e.Kind == EntryRegular && e.At >= from && slices.Equal(p.Views[e.View].Members, members) {
			return e.At
		}
	}
	return -1
}

// TestRejoinWithBacklog [A3, corosync#736]: a node that was fenced comes back
// while everybody's queues are full. Users saw 33 minutes of resync; here the ring is
// formed and everything delivered within ten seconds.
func TestRejoinWithBacklog(t *testing.T) {
	w := NewWorld()
	for seed := uint64(1); seed <= 2; seed++ {
		p := calmPlan(seed, 5, 30*time.Second)
		p.Faults = []Fault{{Kind: Crash, Node: 4, At: 10 * time.Second, For: time.Hour}}
		for n := range 4 {
			p.Faults = append(p.Faults, Fault{Kind: Flood, Node: n, At: p.Heal - 20*ms, N: 2500, D: 500})
		}
		res := mustHold(t, w, p)
		t.Logf("%d messages: one ring after %v, all delivered after %v more", res.Stats.Submitted, res.Stats.Converged, res.Stats.Drained)
		if took := res.Stats.Converged + res.Stats.Drained; took > 10*time.Second {
			t.Errorf("seed %d: back after %v", seed, took)
		}
	}
}

// TestRetransmitStorm [A4, corosync#725 #330 #622]: one node misses a third of
// all messages for a minute of load. What is missing is sent again; no node may be
// thrown out for it, and nobody waits for long.
func TestRetransmitStorm(t *testing.T) {
	w := NewWorld()
	for _, hold := range []bool{false, true} {
		p := calmPlan(4, 4, 70*time.Second)
		p.Config.CancelTokenHoldOnRetransmit = hold
		p.Faults = []Fault{{Kind: DropType, N: typeMcast, P: 0.3, Node: 2, At: 8 * time.Second, For: 60 * time.Second}}
		mustHold(t, w, p)
		got := w.between(8*time.Second, 68*time.Second)
		t.Logf("cancel hold %v: %d deliveries, longest silence %v", hold, got.deliveries, got.silence)
		if got.views > 0 || got.silence > time.Second {
			t.Errorf("%d views, nothing delivered for %v", got.views, got.silence)
		}
	}
}

// TestFilteredMessages [A5, corosync#611]: a filter lets everything but messages
// through to one node. It finds that it fails to receive and goes; the others
// go on, and it is back when the filter is gone.
func TestFilteredMessages(t *testing.T) {
	w := NewWorld()
	p := calmPlan(5, 3, 60*time.Second)
	p.Config.FailRecvConst = 50
	p.Faults = []Fault{{Kind: DropType, N: typeMcast, P: 1, Node: 2, At: 8 * time.Second, For: 45 * time.Second}}
	mustHold(t, w, p)
	if at := w.viewAfter(0, 8*time.Second, 1, 2); at < 0 {
		t.Error("the node that hears no messages was never left out")
	}
	if got := w.between(10*time.Second, 53*time.Second); got.deliveries == 0 {
		t.Error("nothing got through while it was there")
	}
}

// TestLatencySpikes [A7, corosync#760]: ten nodes and spikes of three seconds of
// latency, longer than the token may take. Memberships may change at each; what
// comes out is one ring, soon.
func TestLatencySpikes(t *testing.T) {
	w := NewWorld()
	p := calmPlan(6, 10, 60*time.Second)
	p.Load.Rate = 5
	for at := 8 * time.Second; at < 50*time.Second; at += 10 * time.Second {
		p.Faults = append(p.Faults, Fault{Kind: Delay, At: at, For: 2 * time.Second, D: 3 * time.Second})
	}
	res := mustHold(t, w, p)
	got := w.between(8*time.Second, 58*time.Second)
	t.Logf("%d views, longest silence %v, one ring %v after the last", got.views, got.silence, res.Stats.Converged)
	if got.silence > 10*time.Second {
		t.Errorf("nothing was delivered for %v", got.silence)
	}
}

// TestLatencyAboveToken [A14, corosync#110]: packets take longer than the token
// may (350 ms, token 300 ms), so no ring can last. The original's memory grew
// without end; here the core's own bounds are checked after each step, and
// there is one ring as soon as the latency is gone.
func TestLatencyAboveToken(t *testing.T) {
	w := NewWorld()
	p := calmPlan(7, 3, 40*time.Second)
	p.Config = srp.Config{Token: 300 * ms, SeqStart: p.Config.SeqStart, TokenSeqStart: p.Config.TokenSeqStart}.WithDefaults(3)
	p.CheckCore = true
	p.Faults = []Fault{{Kind: Delay, At: 8 * time.Second, For: 30 * time.Second, D: 350 * ms}}
	res := mustHold(t, w, p)
	if res.Stats.Converged > 5*time.Second {
		t.Errorf("one ring only %v after the latency was gone", res.Stats.Converged)
	}
}

// TestFastProfile [A17, corosync#232 #473 #600]: eight nodes with a token timeout
// of 300 ms. A death is noticed within token and consensus timeout; what a busy
// machine does to a node, 200 ms without processor, changes nothing, nor does a
// packet in a hundred that is lost.
func TestFastProfile(t *testing.T) {
	w := NewWorld()
	for seed := uint64(1); seed <= 2; seed++ {
		p := calmPlan(seed, 8, 40*time.Second)
		p.Config = srp.Config{Token: 300 * ms, SeqStart: p.Config.SeqStart, TokenSeqStart: p.Config.TokenSeqStart}.WithDefaults(8)
		p.Faults = []Fault{
			{Kind: Loss, P: 0.01, At: 5 * time.Second, For: 14 * time.Second},
			{Kind: Pause, Node: 3, At: 22 * time.Second, For: 200 * ms},
			{Kind: Crash, Node: 7, At: 30 * time.Second, For: time.Hour},
		}
		mustHold(t, w, p)
		if got := w.between(5*time.Second, 29*time.Second); got.views > 0 {
			t.Errorf("seed %d: %d views with all nodes alive", seed, got.views)
		}
		limit := p.Config.Token + p.Config.Consensus + 100*ms
		at := w.viewAfter(0, 30*time.Second, 1, 2, 3, 4, 5, 6, 7)
		t.Logf("seed %d: a death was noticed after %v", seed, at-30*time.Second)
		if at < 0 || at-30*time.Second > limit {
			t.Errorf("seed %d: noticed after %v, limit %v", seed, at-30*time.Second, limit)
		}
	}
}

// TestIsolationShows [B4, corosync#685; A10, corosync#36 #348]: a node whose
// interface is down, or that nobody hears, is alone in its own eyes within token
// and consensus timeout, and out of the others' ring as soon; no ring of it on
// another address appears.
func TestIsolationShows(t *testing.T) {
	w := NewWorld()
	for _, f := range []Fault{{Kind: LinkDown, Node: 2}, {Kind: Split, Set: 1 << 2}} {
		p := calmPlan(8, 3, 40*time.Second)
		f.At, f.For = 10*time.Second, 25*time.Second
		p.Faults = []Fault{f}
		mustHold(t, w, p)
		limit := f.At + p.Config.Token + p.Config.Consensus + 500*ms
		alone, others := w.viewAfter(2, f.At, 3), w.viewAfter(0, f.At, 1, 2)
		if alone < 0 || others < 0 || max(alone, others) > limit {
			t.Errorf("%v: alone at %v, the others without it at %v, limit %v", f, alone, others, limit)
		}
		if lives := len(w.nodes[2].lives); lives != 1 {
			t.Errorf("%v: the node ended, %d lives", f, lives)
		}
	}
}
