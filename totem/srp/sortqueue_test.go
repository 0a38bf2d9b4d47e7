package srp

import (
	"math/rand/v2"
	"testing"

	"github.com/pacesync/pacesync/totem/wire"
)

// TestSortQueueAgainstModel runs the queue beside a map, across the wrap.
func TestSortQueueAgainstModel(t *testing.T) {
	for _, start := range []wire.Seq{0, 0x7ffffff0, 0xfffffe00, 0xffffffff} {
		rng := rand.New(rand.NewPCG(1, uint64(start)))
		var p pool
		q := newSortQueue()
		q.reset(start, &p)
		model := map[wire.Seq]*Packet{}
		head := start + 1
		for range 40000 {
			seq := head + wire.Seq(rng.Uint32N(sortQueueSize+100)) - 50
			in := seq-head < sortQueueSize
			if q.inRange(seq) != in {
				t.Fatalf("start %x: inRange(%x) with head %x", start, seq, head)
			}
			if got := q.get(seq); got != model[seq] {
				t.Fatalf("start %x: get(%x) = %v, want %v", start, seq, got, model[seq])
			}
			switch {
			case in && model[seq] == nil:
				pkt := p.get(100)
				q.add(seq, pkt)
				model[seq] = pkt
			case rng.IntN(100) == 0:
				to := head + wire.Seq(rng.IntN(300)) - 100
				q.release(to, &p)
				for ; head.BeforeEq(to); head++ {
					delete(model, head)
				}
				p.reclaim()
			}
		}
		if q.head != head {
			t.Errorf("start %x: head %x, want %x", start, q.head, head)
		}
	}
}

func TestMissCountBelongsToANumber(t *testing.T) {
	var p pool
	q := newSortQueue()
	q.reset(0, &p)
	for want := 1; want <= 5; want++ {
		if got := q.missed(7); got != want {
			t.Fatalf("missed %d times, want %d", got, want)
		}
	}
	q.add(7, p.get(1))
	q.release(7, &p)
	q.release(sortQueueSize, &p)
	if got := q.missed(7 + sortQueueSize); got != 1 {
		t.Errorf("another number in the same slot starts with %d", got)
	}
}

func TestPacketGivenBackTwicePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	var p pool
	pkt := p.get(10)
	p.put(pkt)
	p.put(pkt)
}

// TestLimboKeepsWhatAnOutputRefersTo: a packet is not handed out again before
// the turn is over.
func TestLimboKeepsWhatAnOutputRefersTo(t *testing.T) {
	var p pool
	a := p.get(200)
	p.put(a)
	if b := p.get(200); a == b {
		t.Error("handed out in the same turn")
	}
	p.reclaim()
	if b := p.get(200); a != b {
		t.Error("not used again")
	}
}
