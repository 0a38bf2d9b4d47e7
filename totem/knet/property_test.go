package knet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// letter is a datagram that a receiver can tell apart and check.
func letter(rng *rand.Rand, from HostID, n uint32, size int) []byte {
	b := binary.BigEndian.AppendUint32([]byte{byte(from >> 8), byte(from)}, n)
	for len(b) < size {
		b = append(b, byte(rng.Uint32()>>3)&0x3f) // compresses a little
	}
	return b
}

// randomSize is small mostly, of several packets often, the greatest now and then.
func randomSize(rng *rand.Rand) int {
	switch rng.IntN(10) {
	case 0:
		return 6 + rng.IntN(MaxPacket-6+1)
	case 1, 2, 3:
		return 6 + rng.IntN(8000)
	}
	return 6 + rng.IntN(1500)
}

// post sends letters and knows which came.
type post struct {
	w    *world
	sent map[string]int // letter: to how many hosts it goes
	came map[string]int
}

func newPost(w *world) *post { return &post{w: w, sent: map[string]int{}, came: map[string]int{}} }

// send posts a letter of host i to a random host or to all.
func (p *post) send(i int, n uint32) {
	rng := p.w.rng
	to := HostID(0)
	if rng.IntN(2) == 0 {
		if to = HostID(1 + rng.IntN(len(p.w.nodes))); to == p.w.nodes[i].id {
			to = 0
		}
	}
	b := letter(rng, p.w.nodes[i].id, n, randomSize(rng))
	for _, node := range p.w.nodes {
		if node.id != p.w.nodes[i].id && (to == 0 || to == node.id) {
			p.sent[fmt.Sprintf("%d %s", node.id, b)]++
		}
	}
	p.w.nodes[i].send(to, b)
}

// collect takes what came and checks it: nothing twice, nothing that was not sent.
func (p *post) collect(what string) {
	p.w.t.Helper()
	for _, n := range p.w.nodes {
		for i, b := range n.got {
			key := fmt.Sprintf("%d %s", n.id, b)
			if p.came[key]++; p.came[key] > p.sent[key] {
				p.w.t.Fatalf("%s: host %d got a letter of %d bytes %d times of %d sent", what, n.id, len(b), p.came[key], p.sent[key])
			}
			if n.from[i] != HostID(binary.BigEndian.Uint16(b)) {
				p.w.t.Fatalf("%s: host %d: a letter of another sender", what, n.id)
			}
		}
		n.got, n.from = nil, nil
	}
}

// randomNetwork is a network that may lose, repeat, delay and overtake, with an MTU
// of its own, and hosts that are configured at random.
func randomNetwork(t *testing.T, seed uint64) (*world, string) {
	rng := rand.New(rand.NewPCG(seed, 17))
	hosts, links := 2+rng.IntN(3), 1+rng.IntN(3)
	policy := Policy(rng.IntN(3))
	sealed, packed := rng.IntN(3) == 0, rng.IntN(3) == 0
	w := newWorld(t, seed, hosts, links, func(c *Config) {
		c.Policy = policy
		if sealed {
			c.Crypto = testKeys(t, "aes256", "sha256", 9)
		}
		if packed {
			c.Compress = runs{model: 9}
		}
	})
	w.ifaceMTU = []int{576, 1280, 1500, 9000, 65520}[rng.IntN(5)]
	w.pathMTU = min(w.ifaceMTU, []int{576, 1000, 1500, 9000, 65535}[rng.IntN(5)])
	w.hint = rng.IntN(4) > 0
	w.delayMax = w.delayMin + time.Duration(rng.IntN(int(3*time.Millisecond)))
	w.dup = float64(rng.IntN(3)) * 0.1
	for _, n := range w.nodes {
		n.e.txSeq = uint16(rng.Uint32()) // A16: every place of the sequence
		if rng.IntN(2) == 0 {
			n.e.txSeq = 65535 - uint16(rng.IntN(100))
		}
	}
	return w, fmt.Sprintf("seed %d: %d hosts, %d links, %v, sealed %v, packed %v, MTU %d/%d, delay to %v, dup %v",
		seed, hosts, links, policy, sealed, packed, w.ifaceMTU, w.pathMTU, w.delayMax, w.dup)
}

// TestPropertyGoodNetwork: over links that lose nothing, every datagram arrives once
// and intact, whatever is repeated, overtakes or is too big.
func TestPropertyGoodNetwork(t *testing.T) {
	for seed := range uint64(24) {
		w, what := randomNetwork(t, seed)
		w.until(3*time.Minute, "all links up: "+what, func() bool {
			for _, n := range w.nodes {
				for _, h := range n.e.hosts {
					for _, l := range h.links {
						if !l.mtuProven || l.probe.active {
							return false
						}
					}
				}
			}
			return true
		})
		p := newPost(w)
		for n := range uint32(150) {
			p.send(w.rng.IntN(len(w.nodes)), n)
			w.run(time.Duration(w.rng.IntN(int(4 * time.Millisecond))))
			p.collect(what)
		}
		w.run(2 * time.Second)
		p.collect(what)
		for key, n := range p.sent {
			if p.came[key] != n {
				t.Fatalf("%s: a letter of %d bytes came %d times of %d", what, len(key), p.came[key], n)
			}
		}
		for _, n := range w.nodes {
			if got := n.count(EventLinkDown); got != 0 {
				t.Fatalf("%s: %d links went down", what, got)
			}
		}
	}
}

// TestPropertyBadNetwork: over links that lose, go, come back and change their MTU,
// nothing arrives twice or damaged, and all is well again afterwards.
func TestPropertyBadNetwork(t *testing.T) {
	for seed := range uint64(12) {
		w, what := randomNetwork(t, 1000+seed)
		w.run(5 * time.Second)
		p := newPost(w)
		for n := range uint32(150) {
			switch w.rng.IntN(12) {
			case 0:
				w.loss = float64(w.rng.IntN(4)) * 0.15
			case 1:
				w.cut = cutPort(5405 + uint16(w.rng.IntN(3)))
			case 2:
				w.cut = nil
			case 3:
				w.ifaceMTU = 576 + w.rng.IntN(9000)
				w.pathMTU = min(w.ifaceMTU, 576+w.rng.IntN(9000))
			}
			p.send(w.rng.IntN(len(w.nodes)), n)
			w.run(time.Duration(w.rng.IntN(int(200 * time.Millisecond))))
			p.collect(what)
		}
		w.loss, w.cut, w.ifaceMTU, w.pathMTU = 0, nil, 1500, 1500
		w.until(5*time.Minute, "all well: "+what, func() bool {
			for _, n := range w.nodes {
				for _, h := range n.e.hosts {
					for _, l := range h.links {
						if !l.connected || !l.mtuProven || l.probe.active || !h.reachable() {
							return false
						}
					}
				}
				if size := n.e.onwire(n.e.MTU(), false); size < 1480 || size > 1500 {
					return false
				}
			}
			return true
		})
		before := len(p.sent)
		for n := range uint32(20) {
			p.send(w.rng.IntN(len(w.nodes)), 1000+n)
			w.run(5 * time.Millisecond)
		}
		w.run(time.Second)
		late := 0
		for _, n := range w.nodes {
			late += len(n.got)
		}
		if late < len(p.sent)-before {
			t.Fatalf("%s: %d of %d letters came when all was well", what, late, len(p.sent)-before)
		}
		p.collect(what)
	}
}

// TestPropertyOneGoodLink: active over two links of which one loses half: nothing is
// lost, nothing comes twice.
func TestPropertyOneGoodLink(t *testing.T) {
	for seed := range uint64(6) {
		w := newWorld(t, seed, 2, 2, func(c *Config) { c.Policy = PolicyActive })
		w.up()
		w.delayMax = 2 * time.Millisecond
		w.cut = func(from, to netip.AddrPort) bool { return to.Port() == 5406 && w.rng.IntN(2) == 0 }
		p := newPost(w)
		for n := range uint32(200) {
			p.send(int(n%2), n)
			w.run(time.Duration(w.rng.IntN(int(3 * time.Millisecond))))
		}
		w.run(time.Second)
		p.collect(fmt.Sprint("seed ", seed))
		for key, n := range p.sent {
			if p.came[key] != n {
				t.Fatalf("seed %d: a letter of %d bytes came %d times of %d", seed, len(key), p.came[key], n)
			}
		}
	}
}

// TestManyHosts: a start of 16 hosts over two links, skewed by up to a second.
func TestManyHosts(t *testing.T) {
	w := newWorld(t, 1, 1, 0, nil)
	w.nodes = nil
	w.keepLog = false
	for id := range HostID(16) {
		w.add(testConfig(id+1, 16, 2))
		w.run(time.Duration(w.rng.IntN(int(70 * time.Millisecond))))
	}
	w.up()
	msg := bytes.Repeat([]byte{1}, 10000)
	for _, n := range w.nodes {
		n.send(0, msg)
	}
	w.run(time.Second)
	for _, n := range w.nodes {
		if len(n.got) != 15 {
			t.Errorf("host %d got %d datagrams of 15", n.id, len(n.got))
		}
	}
}
