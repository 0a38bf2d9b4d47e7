package totemtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

// Scenarios that users of the original reported, each as a plan of its own. The
// names in brackets are the rows of their reports.

// calmPlan is n nodes on a good network with a light load and no fault. Message
// and token numbers are near their wrap (A16), so that every scenario sees them before,
// at and after it; seeds begin anywhere.
func calmPlan(seed uint64, n int, heal time.Duration) *Plan {
	p := &Plan{Seed: seed, Heal: heal, Latency: 500 * time.Microsecond, Jitter: 300 * time.Microsecond, Sync: SyncTwo}
	for i := range n {
		p.IDs = append(p.IDs, wire.NodeID(i+1))
	}
	p.Starts = make([]time.Duration, n)
	p.Config = srp.Config{Token: 1000 * ms, CancelTokenHoldOnRetransmit: true, SeqStart: 0xfffffff0 - wire.Seq(seed%200), TokenSeqStart: 0xffffff80}.WithDefaults(n)
	p.Load = Load{Rate: 20, MaxSize: 2000}
	return p
}

// mustHold runs a plan and fails the test with the end of the timeline if a
// promise is broken.
func mustHold(t *testing.T, w *World, p *Plan) Result {
	t.Helper()
	res := w.Run(p)
	if len(res.Violations) > 0 {
		report(t, &res)
	}
	return res
}

// TestNodeRestartsOnSlowLinkUnderLoad [A1, corosync#660]: a node behind a slow
// link is killed and started again and again while everybody sends messages of
// several packets. Upstream lost or damaged messages and the cluster was fenced.
func TestNodeRestartsOnSlowLinkUnderLoad(t *testing.T) {
	w := NewWorld()
	restarts := 0
	for seed := uint64(1); seed <= 6; seed++ {
		p := calmPlan(seed, 3, 120*time.Second)
		p.Load = Load{Rate: 12, MaxSize: 3000, BigEvery: 12, BigSize: 20_000}
		p.Faults = []Fault{{Kind: Slow, Node: 2, At: 0, For: p.Heal, N: 100_000}}
		for at := 6 * time.Second; at < p.Heal-6*time.Second; at += 5 * time.Second {
			f := Fault{Kind: Crash, Node: 2, At: at + time.Duration(seed)*37*ms, For: time.Duration(100+int(at/ms)%700) * ms}
			if restarts%4 == 0 {
				f.When = Recovery
			}
			p.Faults = append(p.Faults, f)
			restarts++
		}
		mustHold(t, w, p)
	}
	t.Logf("%d restarts", restarts)
}

// TestAsymmetricCut [A7, corosync#659 #750 #760]: two nodes do not hear each
// other, both hear the third. The protocol has no answer that lasts (a ring needs
// everybody to hear everybody): memberships change for as long as the cut is
// there, as with the original. What must hold: every promise about order and
// views, messages still get through in between, and one ring as soon as the cut ends.
func TestAsymmetricCut(t *testing.T) {
	w := NewWorld()
	for n := 3; n <= 5; n++ {
		for _, kind := range []FaultKind{CutPair, CutOneWay} {
			t.Run(fmt.Sprintf("%d_nodes_%v", n, kind), func(t *testing.T) {
				p := calmPlan(uint64(n), n, 125*time.Second)
				p.Faults = []Fault{{Kind: kind, At: 5 * time.Second, For: 120 * time.Second, Node: 0, Peer: 1}}
				res := mustHold(t, w, p)
				got := w.between(10*time.Second, 125*time.Second)
				t.Logf("in 115 s of cut: %d views, %d deliveries, longest time without any delivery %v; one ring %v after its end",
					got.views, got.deliveries, got.silence, res.Stats.Converged)
				if got.deliveries == 0 {
					t.Error("no message got through: a livelock")
				}
			})
		}
	}
}

// window is what happened in a part of a run.
type window struct {
	views, deliveries int
	silence           time.Duration
}

func (w *World) between(from, to time.Duration) (out window) {
	var times []time.Duration
	for p := range w.hist.Procs {
		for _, e := range w.hist.Procs[p].Log {
			if e.At < from || e.At >= to {
				continue
			}
			switch {
			case e.Kind == EntryRegular:
				out.views++
			case e.Kind == EntryDeliver && !w.hist.Msgs[e.Msg].Sync:
				out.deliveries++
				times = append(times, e.At)
			}
		}
	}
	out.silence = longestGap(times, from, to)
	return out
}

func longestGap(times []time.Duration, from, to time.Duration) time.Duration {
	seen := make([]bool, to/(10*ms)+1)
	for _, at := range times {
		seen[at/(10*ms)] = true
	}
	last, longest := from, time.Duration(0)
	for i, s := range seen {
		if at := time.Duration(i) * 10 * ms; s && at > from {
			longest, last = max(longest, at-last), at
		}
	}
	return max(longest, to-last)
}

// TestPauses [A9, corosync#384 #351]: a node stops being scheduled, for 10 ms to
// ten token timeouts, in each state. A pause well under the token timeout must
// not change the membership; any pause must end in one ring.
func TestPauses(t *testing.T) {
	w := NewWorld()
	const token = 1000 * ms
	for _, state := range []State{Operational, Gather, Commit, Recovery} {
		for _, pause := range []time.Duration{10 * ms, 30 * ms, 100 * ms, 300 * ms, 600 * ms, 900 * ms, 1100 * ms, 1500 * ms, 2300 * ms, 4 * token, 7 * token, 10 * token} {
			for node := range 3 {
				p := calmPlan(uint64(pause)+uint64(node), 3, 30*time.Second)
				p.TimerFirst = node == 1
				p.Faults = []Fault{{Kind: Pause, At: 8 * time.Second, For: pause, Node: node, When: state}}
				if state != Operational {
					// Something must lead out of OPERATIONAL first.
					p.Faults = append(p.Faults, Fault{Kind: Crash, At: 8 * time.Second, For: 2 * time.Second, Node: (node + 1) % 3})
				}
				mustHold(t, w, p)
				if got := w.between(8*time.Second, p.Heal); state == Operational && pause <= 600*ms && got.views > 0 {
					t.Errorf("a pause of %v of node %d with token %v changed the membership: %d views", pause, node, token, got.views)
				}
			}
		}
	}
}

// TestStartSkew [A12]: nodes that start apart, by 0 to 5 seconds, end in one
// ring, and never in two that think they are complete.
func TestStartSkew(t *testing.T) {
	w := NewWorld()
	step := 100 * ms
	if testing.Short() {
		step = 500 * ms
	}
	slowest := time.Duration(0)
	for n := 2; n <= 7; n++ {
		for skew := time.Duration(0); skew <= 5*time.Second; skew += step {
			p := calmPlan(uint64(skew)+uint64(n), n, skew)
			for i := range p.Starts {
				p.Starts[i] = skew * time.Duration(i*7%n) / time.Duration(n-1)
			}
			res := mustHold(t, w, p)
			slowest = max(slowest, res.Stats.Converged)
		}
	}
	t.Logf("slowest ring %v after the last start", slowest)
}

// TestStatesUpstreamExcluded [A6, corosync#4 #35 #167 #371 #384]: packets that
// drive the original into one of its assertions. The process must survive, drop
// or survive what they say, and be in one ring with the others afterwards.
func TestStatesUpstreamExcluded(t *testing.T) {
	w := NewWorld()
	for _, c := range hostileCases() {
		for _, when := range []State{Operational, Gather, Commit, Recovery} {
			t.Run(fmt.Sprintf("%s_in_%v", c.name, when), func(t *testing.T) {
				p := calmPlan(7, 3, 20*time.Second)
				p.Hostile = true
				p.Config.SeqStart, p.Config.TokenSeqStart = 0, 0 // as the packets have it
				p.Faults = []Fault{{Kind: Hostile, At: 5 * time.Second, Node: 1, When: when, Packet: c.packet}}
				if when != Operational {
					p.Faults = append(p.Faults, Fault{Kind: Crash, At: 5 * time.Second, For: time.Second, Node: 2})
				}
				res := w.Run(p)
				if len(res.Violations) > 0 {
					report(t, &res)
				}
				if !w.struck(0) {
					t.Fatal("the packet was never sent")
				}
			})
		}
	}
}

type hostileCase struct {
	name   string
	packet func(own wire.RingID) []byte
}

// hostileCases are the packets, made for the ring that the receiver is in.
func hostileCases() []hostileCase {
	token := func(ring wire.RingID, seq, tokenSeq, aru uint32) []byte {
		b := header(typeToken, 1)
		for _, v := range []uint32{seq, tokenSeq, aru, 1, uint32(ring.Rep)} {
			b = le.AppendUint32(b, v)
		}
		b = le.AppendUint64(b, ring.Seq)
		return append(b, make([]byte, 16)...)
	}
	join := func(from uint32, seq uint64, proc, failed []uint32) []byte {
		b := header(typeJoin, from)
		for _, v := range []uint32{from, uint32(len(proc)), uint32(len(failed))} {
			b = le.AppendUint32(b, v)
		}
		b = le.AppendUint64(b, seq)
		for _, v := range append(append([]uint32{}, proc...), failed...) {
			b = le.AppendUint32(b, v)
		}
		return b
	}
	commit := func(ring wire.RingID, index uint32, addr ...uint32) []byte {
		b := header(typeCommit, 1)
		b = le.AppendUint32(b, 1)
		b = le.AppendUint32(b, uint32(ring.Rep))
		b = le.AppendUint64(b, ring.Seq)
		for _, v := range []uint32{0, index, uint32(len(addr))} {
			b = le.AppendUint32(b, v)
		}
		for _, v := range addr {
			b = le.AppendUint32(b, v)
		}
		return append(b, make([]byte, 24*len(addr))...)
	}
	next := func(r wire.RingID) wire.RingID { return wire.RingID{Rep: r.Rep, Seq: r.Seq + 4} }
	return []hostileCase{
		{"token_far_ahead", func(r wire.RingID) []byte { return token(r, 0x00fffff0, 0x7000, 0) }},
		{"token_far_behind", func(r wire.RingID) []byte { return token(r, 0xfff00000, 0x7000, 0xffe00000) }},
		{"token_with_aru_above_seq", func(r wire.RingID) []byte { return token(r, 5, 0x7000, 0x00f00000) }},
		{"mcast_far_ahead", func(r wire.RingID) []byte { return mcast(1, 0x40000000, r, 0, 0, []byte("x")) }},
		{"join_where_all_failed", func(r wire.RingID) []byte {
			return join(1, r.Seq, []uint32{1, 2, 3}, []uint32{1, 2, 3})
		}},
		{"join_with_empty_lists", func(r wire.RingID) []byte { return join(1, r.Seq, nil, nil) }},
		{"join_where_the_receiver_failed", func(r wire.RingID) []byte { return join(1, r.Seq, []uint32{1, 2, 3}, []uint32{2}) }},
		{"join_from_a_stranger", func(r wire.RingID) []byte { return join(99, r.Seq, []uint32{99}, nil) }},
		{"join_with_the_highest_ring_number", func(r wire.RingID) []byte { return join(1, r.Seq+1000, []uint32{1, 2, 3}, nil) }},
		{"leave_without_a_name", func(r wire.RingID) []byte {
			b := join(1, r.Seq, []uint32{1}, nil)
			copy(b[5:9], []byte{0, 0, 0, 0})
			return b
		}},
		{"commit_token_of_nobody", func(r wire.RingID) []byte { return commit(next(r), 0) }},
		{"commit_token_without_the_receiver", func(r wire.RingID) []byte { return commit(next(r), 0, 1, 3) }},
		{"commit_token_past_its_end", func(r wire.RingID) []byte { return commit(r, 3, 1, 2, 3) }},
		{"commit_token_of_our_ring_again", func(r wire.RingID) []byte { return commit(r, 1, 1, 2, 3) }},
	}
}

func header(kind byte, from uint32) []byte {
	b := []byte{0x70, 0xc0, 3, kind, 0}
	b = le.AppendUint32(b, from)
	return le.AppendUint32(b, 0)
}
