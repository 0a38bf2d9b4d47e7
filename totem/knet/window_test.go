package knet

import (
	"math/rand/v2"
	"testing"
)

// TestA16_WindowAgainstModel: the window says what a list of all numbers says, at every
// place of the sequence, the wrap included (A16: kronosnet 8328b491).
func TestA16_WindowAgainstModel(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var w window
		top := int64(65536*10 + rng.IntN(65536)) // numbers that do not wrap
		if seed == 0 {
			top = 65536*10 - 100
		}
		seen := map[int64]bool{}
		w.fresh(uint16(top))
		for range 8000 {
			n := top + int64(rng.IntN(600)) - 500
			if rng.IntN(200) == 0 {
				n = top + int64(rng.IntN(windowSize))
			}
			if rng.IntN(200) == 0 {
				n = top - int64(rng.IntN(windowSize))
			}
			if n%65536 == 0 {
				continue // never sent
			}
			if got := w.fresh(uint16(n)); got == seen[n] {
				t.Fatalf("seed %d: number %d of top %d: fresh %v", seed, n, top, got)
			}
			top = max(top, n)
			if rng.IntN(3) > 0 {
				w.delivered.set(uint16(n))
				seen[n] = true
			}
		}
	}
}

func TestWindowJumps(t *testing.T) {
	for _, c := range []struct {
		name        string
		top, seq    uint16
		fresh, keep bool // seq is fresh; top is still known as delivered
	}{
		{"next", 100, 101, true, true},
		{"same", 100, 100, false, true},
		{"oldest of the window", 5000, 5000 - 4095, true, true},
		{"older than the window: the sender started anew", 5000, 5000 - 4096, true, false},
		{"as far ahead as the window reaches", 100, 100 + 4095, true, true},
		{"further: the sender started anew", 100, 100 + 4096, true, false},
		{"over the end", 65535, 1, true, true},
		{"back over the end", 1, 65535, true, true},
		{"first of a new sender", 0, 40000, true, true},
	} {
		var w window
		if c.top != 0 {
			w.fresh(c.top)
			w.delivered.set(c.top)
		}
		if got := w.fresh(c.seq); got != c.fresh {
			t.Errorf("%s: fresh %v", c.name, got)
		}
		if c.top != 0 && w.delivered.has(c.top) != c.keep {
			t.Errorf("%s: keeps what it knew: %v", c.name, !c.keep)
		}
	}
}

// TestFollowPing has the rules by which a ping moves or empties a window.
func TestFollowPing(t *testing.T) {
	type step struct {
		seq   uint16
		timed uint8
		data  uint16 // data of this number came before; 0: none
		keeps bool   // number 100, delivered at first, is still known
	}
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"pings by the clock change nothing", []step{{100, 1, 0, true}, {103, 1, 0, true}, {103, 1, 0, true}}},
		{"a ping of 0 after others: the sender restarted", []step{{100, 1, 0, true}, {0, 1, 0, false}}},
		{"an untimed ping with data before it moves on", []step{{200, 0, 150, true}}},
		{"one without data wipes", []step{{200, 0, 150, true}, {300, 0, 0, false}}},
		{"the same on another link counts once", []step{{200, 0, 150, true}, {200, 0, 0, true}, {200, 0, 0, true}}},
	} {
		h := &host{dataLast: epoch}
		var pool bufferPool
		h.window.fresh(100)
		h.window.delivered.set(100)
		for i, s := range c.steps {
			if s.data != 0 {
				h.window.fresh(s.data)
				h.gotData = true
			}
			h.followPing(epoch, &Header{Type: TypePing, Seq: s.seq, Timed: s.timed}, &pool)
			if got := h.window.delivered.has(100); got != s.keeps {
				t.Errorf("%s: step %d: known %v", c.name, i, got)
			}
		}
	}
}

// TestPingZeroTwice: the ping of a sender that has just started comes on every link
// and every interval; only the first may empty the window, or data that came in
// between would be taken twice.
func TestPingZeroTwice(t *testing.T) {
	h := &host{}
	var pool bufferPool
	h.followPing(epoch, &Header{Type: TypePing, Seq: 7, Timed: 1}, &pool)
	h.followPing(epoch, &Header{Type: TypePing, Seq: 0, Timed: 1}, &pool)
	h.window.fresh(1)
	h.window.delivered.set(1)
	h.dataLast = epoch
	h.followPing(epoch, &Header{Type: TypePing, Seq: 0, Timed: 1}, &pool)
	if !h.window.delivered.has(1) {
		t.Error("the second ping of 0 emptied the window again")
	}
}
