package knet

import (
	"testing"
	"time"
)

// pair are two hosts that reach each other, without a network between.
type pair struct {
	e   [2]*Engine
	now time.Time
}

func newPair(t testing.TB, change func(*Config)) *pair {
	w := newWorld(t, 1, 2, 2, change)
	w.keepLog = false
	w.until(time.Minute, "links up", func() bool {
		for _, n := range w.nodes {
			for _, l := range n.e.hosts[0].links {
				if !l.connected || !l.mtuProven {
					return false
				}
			}
		}
		return true
	})
	return &pair{e: [2]*Engine{w.nodes[0].e, w.nodes[1].e}, now: w.now}
}

// move carries what engine i sends to the other one, and back, until it is quiet.
func (p *pair) move() (delivered int) {
	for busy := true; busy; {
		busy = false
		for i, e := range p.e {
			out := e.Output()
			delivered += len(out.Up)
			for j := range out.Send {
				d := &out.Send[j]
				p.e[1-i].Receive(p.now, d.To, d.Local, d.Data)
			}
			busy = busy || !out.Empty()
		}
	}
	return delivered
}

// TestDataPathAllocatesNothing: sending, fragments, sealing, receiving, reassembly,
// pings and pongs work in memory that is there.
func TestDataPathAllocatesNothing(t *testing.T) {
	for _, c := range []struct {
		name   string
		size   int
		change func(*Config)
	}{
		{"small", 100, nil},
		{"64 KiB", MaxPacket, nil},
		{"small, sealed", 100, func(c *Config) { c.Crypto = testKeys(t, "aes256", "sha256", 7) }},
		{"64 KiB, sealed", MaxPacket, func(c *Config) { c.Crypto = testKeys(t, "aes256", "sha256", 7) }},
		{"64 KiB, active", MaxPacket, func(c *Config) { c.Policy = PolicyActive }},
		{"64 KiB, rr, compressed", MaxPacket, func(c *Config) { c.Policy, c.Compress = PolicyRR, runs{model: 9} }},
	} {
		p := newPair(t, c.change)
		data := make([]byte, c.size)
		n := 0
		step := func() {
			p.now = p.now.Add(time.Millisecond)
			p.e[0].Step(p.now)
			p.e[1].Step(p.now)
			p.e[0].Deadline()
			p.e[1].Deadline()
			p.e[0].Send(p.now, 0, data)
			n += p.move()
		}
		for range 400 {
			step() // until buffers have grown and everything happened once
		}
		n = 0
		if got := testing.AllocsPerRun(400, step); got != 0 {
			t.Errorf("%s: %v allocations for a datagram", c.name, got)
		}
		if n != 401 {
			t.Errorf("%s: %d datagrams came of 401", c.name, n)
		}
	}
}

func benchmarkData(b *testing.B, size int, change func(*Config)) {
	p := newPair(b, change)
	data := make([]byte, size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		p.now = p.now.Add(time.Microsecond)
		p.e[0].Send(p.now, 0, data)
		if n := p.move(); n != 1 {
			b.Fatalf("%d datagrams came", n)
		}
	}
}

func BenchmarkData1K(b *testing.B)  { benchmarkData(b, 1024, nil) }
func BenchmarkData64K(b *testing.B) { benchmarkData(b, 65446, nil) }
func BenchmarkData64KSealed(b *testing.B) {
	benchmarkData(b, 65446, func(c *Config) { c.Crypto = testKeys(b, "aes256", "sha256", 7) })
}
