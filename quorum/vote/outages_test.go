package vote

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/quorum/wire"
)

// Quorum outages that users of Corosync reported; docs/testing.md, "Known
// outages", has the table of all of them.

// firstRing is n nodes with an equal vote each, in one ring.
func firstRing(t *testing.T, n int, cfg Config) *world {
	cfg.Nodes = &NodeList{Count: uint32(n), Votes: uint32(n), OwnVotes: 1}
	cfg.Votes, cfg.LastManWindow = 1, time.Second
	w := &world{cfg: &cfg, nodes: make([]*Vote, n)}
	w.change(t, [][]uint32{upTo(n)})
	return w
}

func upTo(n int) (out []uint32) {
	for id := range uint32(n) {
		out = append(out, id+1)
	}
	return out
}

// quorate lists the nodes that are.
func (w *world) quorate() (out []uint32) {
	for _, v := range w.nodes {
		if v != nil && v.quorate {
			out = append(out, v.us.id)
		}
	}
	return out
}

// TestTieBreakerAfterAddingNodes [B2, corosync#246]: a cluster of two with
// auto_tie_breaker grows to three, where it must be off, and to four, where the
// nodes that were there from the start had lost it: a split in halves then stopped
// both, and everything was fenced.
func TestTieBreakerAfterAddingNodes(t *testing.T) {
	w := firstRing(t, 2, Config{AutoTieBreaker: true})
	for n := 3; n <= 4; n++ {
		cfg := *w.cfg
		cfg.Nodes = &NodeList{Count: uint32(n), Votes: uint32(n), OwnVotes: 1}
		w.cfg, w.nodes = &cfg, append(w.nodes, nil)
		for _, v := range w.nodes[:n-1] {
			v.Reload(&cfg)
		}
		w.deliver(upTo(n - 1))
		w.change(t, [][]uint32{upTo(n)})
		for _, v := range w.nodes {
			if on := v.tieBreaker != ATBNone; on != (n%2 == 0) {
				t.Errorf("%d nodes: node %d has its tie breaker on: %v", n, v.us.id, on)
			}
		}
	}
	w.change(t, [][]uint32{{1, 2}, {3, 4}})
	if got := w.quorate(); !slices.Equal(got, []uint32{1, 2}) {
		t.Errorf("after the split %v are quorate", got)
	}
}

// TestTieBreakerInOddCluster [B2, corosync#74]: of five nodes the two with the
// lowest id are no half; only the three are quorate.
func TestTieBreakerInOddCluster(t *testing.T) {
	for _, two := range [][]uint32{{1, 2}, {1, 5}, {1, 3}} {
		w := firstRing(t, 5, Config{AutoTieBreaker: true, AutoTieBreakerNode: "lowest"})
		three := slices.DeleteFunc(upTo(5), func(id uint32) bool { return slices.Contains(two, id) })
		w.change(t, [][]uint32{two, three})
		if got := w.quorate(); !slices.Equal(got, three) {
			t.Errorf("split %v from %v: %v are quorate", two, three, got)
		}
	}
}

// TestLastManIsAnybody [B2, corosync#803]: with last_man_standing it makes no
// difference which nodes of three are left, in whatever order the others go: two
// go on; the last one stops, for the feature leaves two, and needs auto_tie_breaker
// for one.
func TestLastManIsAnybody(t *testing.T) {
	for _, wfa := range []bool{false, true} {
		for last := uint32(1); last <= 3; last++ {
			for first := uint32(1); first <= 3; first++ {
				if first == last {
					continue
				}
				w := firstRing(t, 3, Config{LastManStanding: true, WaitForAll: wfa, WaitForAllSet: true})
				two := slices.DeleteFunc(upTo(3), func(id uint32) bool { return id == first })
				w.change(t, [][]uint32{two})
				if got := w.quorate(); !slices.Equal(got, two) {
					t.Errorf("wait_for_all %v: without %d: %v are quorate", wfa, first, got)
				}
				w.change(t, [][]uint32{{last}})
				if got := w.quorate(); len(got) != 0 {
					t.Errorf("wait_for_all %v: node %d alone, %d went first: it is quorate", wfa, last, first)
				}
			}
		}
	}
}

// TestFrozenDevice [B3, qdevice#10 #16 #21, sbd#76]: four nodes with a device of
// three votes (lms). A device daemon that stops polling counts as lost after its
// timeout and not before, and no sync round waits longer than sync_timeout.
// The vote it had given is gone then; when it polls again it counts again.
func TestFrozenDevice(t *testing.T) {
	r := &rules{n: 4, votes: [specNodes]int{0, 1, 1, 1, 1}, hasDev: true, devVotes: -1}
	b := newBoth(t, r, false)
	b.play(t, move{kind: 'S', a: 1 << 1}) // node 1 alone, for which the device votes too
	b.play(t, move{kind: 'd', a: 1 << 1}) // now for it alone
	v, now := b.ours[1], time.Unix(1, 0)  // polls came at this time
	if !v.quorate || b.ours[2].quorate {
		t.Fatalf("with the device: %v, without: %v", v.quorate, b.ours[2].quorate)
	}
	v.Expire(now.Add(time.Second - time.Millisecond))
	if !v.quorate {
		t.Error("lost before the timeout")
	}
	b.play(t, move{kind: 'w'}) // the timeout, and what the nodes say of it
	if v.quorate || v.us.flags&wire.FlagQdeviceAlive != 0 {
		t.Errorf("after the timeout: quorate %v, flags %v", v.quorate, v.us.flags)
	}
	// A round with a frozen device that was alive: the round waits for it, until the
	// deadline and no longer.
	b.poll(t, 1<<1)
	if !v.quorate {
		t.Error("a device that polls again does not count")
	}
	v.SyncInit(now, []uint32{1}, service.RingID{Rep: 1, Seq: 8})
	if v.SyncProcess() {
		t.Error("the round does not wait for the device")
	}
	if d := v.Deadline(); !d.Equal(now.Add(time.Second)) {
		t.Errorf("the round waits until %v", d)
	}
	v.Expire(now.Add(time.Second))
	if !v.SyncProcess() {
		t.Error("the round waits longer than sync_timeout")
	}
}

// TestTwoNodeSplit [B1]: two_node makes both halves quorate, as votequorum(5)
// warns: which one lives is for fencing to decide (test/pcmk). Both must know at once, every
// time, and a node that starts alone must wait.
func TestTwoNodeSplit(t *testing.T) {
	w := firstRing(t, 2, Config{TwoNode: 1})
	w.change(t, [][]uint32{{1}, {2}})
	if got := w.quorate(); len(got) != 2 {
		t.Errorf("split: %v are quorate", got)
	}
	w.change(t, nil)
	for id := uint32(1); id <= 2; id++ {
		w.change(t, [][]uint32{{id}})
		if got := w.quorate(); len(got) != 0 {
			t.Errorf("node %d starts alone and is quorate", id)
		}
		w.change(t, nil)
	}
	w.change(t, [][]uint32{{1, 2}})
	if got := fmt.Sprint(w.quorate()); got != "[1 2]" {
		t.Errorf("both back: %v", got)
	}
}
