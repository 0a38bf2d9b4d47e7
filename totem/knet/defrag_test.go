package knet

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"
)

// feed gives the engine of the capture's host 3 a data packet of host 1.
func feed(e *Engine, h Header, payload []byte) [][]byte { return feedAt(epoch, e, h, payload) }

func feedAt(now time.Time, e *Engine, h Header, payload []byte) [][]byte {
	h.Type, h.Host = TypeData, 1
	l := e.host(1).links[0]
	e.Receive(now, l.cfg.Local, l.cfg.Remote, append(h.append(nil), payload...))
	var got [][]byte
	for _, u := range e.Output().Up {
		got = append(got, bytes.Clone(u.Data))
	}
	return got
}

// split cuts data as a sender with that MTU does.
func split(data []byte, mtu int) (parts [][]byte) {
	for len(data) > 0 {
		n := min(mtu, len(data))
		parts = append(parts, data[:n])
		data = data[n:]
	}
	return parts
}

// TestDefragOrders: any order of fragments, with repeats, makes the datagram once.
func TestDefragOrders(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	e := captureEngine(t)
	seq := uint16(65000) // so that the numbers wrap on the way
	for _, n := range []int{2, 500, 1447, 2892, 4000, 30000, 65000, MaxPacket} {
		for round := range 40 {
			data := make([]byte, n)
			for i := range data {
				data[i] = byte(rng.Uint32())
			}
			parts := split(data, max(n/(2+rng.IntN(40)), 300, n/200))
			if n < 600 {
				parts = split(data, (n+1)/2)
			}
			order := rng.Perm(len(parts))
			if round == 0 {
				for i := range order {
					order[i] = len(parts) - 1 - i // last first
				}
			}
			if seq++; seq == 0 {
				seq = 1
			}
			var got [][]byte
			for _, i := range order {
				h := Header{Seq: seq, Fragments: uint8(len(parts)), Fragment: uint8(i + 1)}
				got = append(got, feed(e, h, parts[i])...)
				if rng.IntN(3) == 0 {
					got = append(got, feed(e, h, parts[i])...)
				}
			}
			if len(got) != 1 || !bytes.Equal(got[0], data) {
				t.Fatalf("%d bytes in %d parts: %d datagrams came", n, len(parts), len(got))
			}
		}
	}
}

// TestCVE_2026_15813: numbers of fragments come from the network and are indexes in
// the original. None of them may be taken on trust.
func TestCVE_2026_15813(t *testing.T) {
	part := bytes.Repeat([]byte{1}, 200)
	seq := uint16(0)
	e := captureEngine(t)
	for num := range 256 {
		for _, frag := range []int{0, 1, 2, num - 1, num, num + 1, 127, 128, 254, 255} {
			if frag < 0 || frag > 255 {
				continue
			}
			seq++
			e.stats = Stats{}
			got := feed(e, Header{Seq: seq, Fragments: uint8(num), Fragment: uint8(frag)}, part)
			valid := num >= 2 && num <= maxFragments && frag >= 1 && frag <= num
			var s Stats
			e.Stats(&s)
			switch {
			case num == 1:
				if len(got) != 1 {
					t.Fatalf("a whole datagram with fragment %d did not come", frag)
				}
			case valid != (s.Dropped[DropFragment] == 0) || len(got) != 0:
				t.Fatalf("fragment %d of %d: valid %v, %d dropped", frag, num, valid, s.Dropped[DropFragment])
			}
		}
	}
}

// TestDefragRefuses has fragments that do not go together: they are dropped, and the
// datagram comes whole all the same when the right ones do.
func TestDefragRefuses(t *testing.T) {
	big := bytes.Repeat([]byte{7}, 40000)
	for _, c := range []struct {
		name    string
		num     uint8
		frag    uint8
		payload int
	}{
		{"another count", 4, 2, 100},
		{"another size in the middle", 3, 2, 99},
		{"last one greater than the others", 3, 3, 101},
		{"size that does not fit", 3, 2, 40000},
		{"again", 3, 1, 100},
	} {
		e := captureEngine(t)
		data := big[:250]
		first := Header{Seq: 5, Fragments: 3, Fragment: 1}
		feed(e, first, data[:100])
		if got := feed(e, Header{Seq: 5, Fragments: c.num, Fragment: c.frag}, big[:c.payload]); len(got) != 0 {
			t.Errorf("%s: a datagram came", c.name)
		}
		feed(e, Header{Seq: 5, Fragments: 3, Fragment: 2}, data[100:200])
		got := feed(e, Header{Seq: 5, Fragments: 3, Fragment: 3}, data[200:])
		if len(got) != 1 || !bytes.Equal(got[0], data) {
			t.Errorf("%s: the datagram did not come", c.name)
		}
	}
}

// TestDefragTooLong: no order of fragments makes a datagram longer than MaxPacket.
func TestDefragTooLong(t *testing.T) {
	for _, order := range [][]uint8{{1, 2, 3}, {3, 2, 1}, {2, 3, 1}} {
		e := captureEngine(t)
		part := bytes.Repeat([]byte{7}, 30000)
		for _, f := range order {
			if got := feed(e, Header{Seq: 5, Fragments: 3, Fragment: f}, part); len(got) != 0 {
				t.Errorf("order %v: a datagram of %d bytes came", order, len(got[0]))
			}
		}
	}
}

// TestDefragReclaims: a datagram that stays incomplete makes room; its late
// fragments do not begin it again.
func TestDefragReclaims(t *testing.T) {
	e := captureEngine(t)
	part := make([]byte, 100)
	h := Header{Seq: 1, Fragments: 2, Fragment: 1}
	feed(e, h, part)
	for seq := uint16(2); seq <= 1+defragBuffers+1; seq++ {
		feed(e, Header{Seq: seq, Fragments: 2, Fragment: 1}, part)
	}
	h.Fragment = 2
	if got := feed(e, h, part); len(got) != 0 {
		t.Error("a datagram that was given up came")
	}
	var s Stats
	if e.Stats(&s); s.Dropped[DropIncomplete] == 0 {
		t.Error("nothing was counted as incomplete")
	}
	for seq := uint16(3); seq <= 1+defragBuffers+1; seq++ {
		if got := feed(e, Header{Seq: seq, Fragments: 2, Fragment: 2}, part); len(got) != 1 {
			t.Fatalf("datagram %d of those still in reassembly did not come", seq)
		}
	}
	if n := len(e.pool.free); n > defragBuffers+2 {
		t.Errorf("%d buffers are there for 32 datagrams", n)
	}
}

// TestDefragKeepsNewer: of 33 datagrams that come in side by side the one gives way
// whose number lies farthest back, not the one that waited longest.
func TestDefragKeepsNewer(t *testing.T) {
	e := captureEngine(t)
	part := make([]byte, 100)
	for seq := uint16(1); seq <= defragBuffers; seq++ {
		feed(e, Header{Seq: seq, Fragments: 3, Fragment: 1}, part)
	}
	feedAt(epoch.Add(time.Millisecond), e, Header{Seq: 1, Fragments: 3, Fragment: 2}, part) // 2 is the one that waits longest now
	feed(e, Header{Seq: 1 + defragBuffers, Fragments: 3, Fragment: 1}, part)
	for seq := uint16(2); seq <= 1+defragBuffers; seq++ {
		feed(e, Header{Seq: seq, Fragments: 3, Fragment: 2}, part)
		if got := feed(e, Header{Seq: seq, Fragments: 3, Fragment: 3}, part); len(got) != 1 {
			t.Errorf("datagram %d did not come", seq)
		}
	}
}
