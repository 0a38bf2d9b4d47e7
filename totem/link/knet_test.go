package link

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/loop"
	"github.com/pacesync/pacesync/totem/knet"
)

// knetPair is two nodes with two links on loopback addresses, on one loop.
type knetPair struct {
	loop *loop.Loop
	node [2]*Knet
	got  [2][][]byte
	ups  [2]int
}

func knetConfigOf(i int, port uint16, links int) knet.Config {
	addr := func(node, link int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 79, byte(1 + 10*link + node)}), port+uint16(link))
	}
	h := knet.HostConfig{ID: knet.HostID(2 - i)}
	for l := range links {
		h.Links = append(h.Links, knet.LinkConfig{ID: uint8(l), Local: addr(i, l), Remote: addr(1-i, l), Priority: 1,
			PingInterval: 20 * time.Millisecond, PongTimeout: 2 * time.Second, PongCount: 2})
	}
	return knet.Config{Self: knet.HostID(1 + i), Hosts: []knet.HostConfig{h}}
}

func newKnetPair(t *testing.T, port uint16, links int) *knetPair {
	t.Helper()
	return newKnetPairOf(t, func(i int) knet.Config { return knetConfigOf(i, port, links) })
}

func newKnetPairOf(t *testing.T, config func(i int) knet.Config) *knetPair {
	t.Helper()
	l, err := loop.New()
	if err != nil {
		t.Fatal(err)
	}
	l.Shared()
	p := &knetPair{loop: l}
	for i := range p.node {
		k, err := OpenKnet(config(i), KnetOptions{SmallBuffers: true}, func(ev *knet.Event) {
			if ev.Kind == knet.EventReachable {
				p.ups[i] += 2*ev.N - 1
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		p.node[i] = k
		if err := k.Attach(l, func() { p.take(i) }); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		p.node[0].Close()
		p.node[1].Close()
		l.Close()
	})
	return p
}

func (p *knetPair) take(i int) {
	for {
		packets, more := p.node[i].Receive()
		for _, d := range packets {
			p.got[i] = append(p.got[i], bytes.Clone(d))
		}
		if !more {
			return
		}
	}
}

// run turns the loop until cond holds.
func (p *knetPair) run(t *testing.T, what string, cond func() bool) {
	t.Helper()
	late := false
	limit := p.loop.After(20*time.Second, func() { late = true; p.loop.Stop() })
	stop := false
	p.loop.EachTurn(func() bool {
		if !stop && !late && cond() {
			stop = true
			p.loop.Stop()
		}
		return false
	})
	if err := p.loop.Run(); err != nil {
		t.Fatal(err)
	}
	limit.Stop()
	if late {
		t.Fatalf("waited in vain for %s", what)
	}
}

// Two nodes find each other, and what one sends arrives whole, small or large.
func TestKnetCarriesDatagrams(t *testing.T) {
	t.Run("IPv4", func(t *testing.T) { carriesDatagrams(t, newKnetPair(t, 25601, 2)) })
	t.Run("IPv6", func(t *testing.T) {
		needIPv6(t)
		addr := func(node int) netip.AddrPort { return netip.AddrPortFrom(netip.IPv6Loopback(), uint16(25642+node)) }
		carriesDatagrams(t, newKnetPairOf(t, func(i int) knet.Config {
			cfg := knetConfigOf(i, 25642, 1)
			cfg.Hosts[0].Links[0].Local, cfg.Hosts[0].Links[0].Remote = addr(i), addr(1-i)
			return cfg
		}))
	})
}

func carriesDatagrams(t *testing.T, p *knetPair) {
	var want [][]byte
	sent := false
	p.run(t, "the datagrams", func() bool {
		if p.ups[0] > 0 && p.ups[1] > 0 && !sent {
			sent = true
			for _, n := range []int{1, 522, 523, 5000, 65000} {
				d := bytes.Repeat([]byte{byte(n)}, n)
				want = append(want, d)
				p.node[0].SendAll(d)
			}
			p.node[0].SendTo(2, []byte("for two"))
			want = append(want, []byte("for two"))
			if p.node[0].SendTo(3, []byte("nobody")) {
				t.Error("node 3 does not exist")
			}
			p.node[0].Flush()
		}
		return sent && len(p.got[1]) >= len(want)
	})
	for i := range want {
		if !bytes.Equal(p.got[1][i], want[i]) {
			t.Errorf("datagram %d has %d bytes, want %d", i, len(p.got[1][i]), len(want[i]))
		}
	}
	if len(p.got[0]) != 0 {
		t.Error("the sender received its own datagrams")
	}
}

// A process that did not run for longer than the pong timeout finds its links up:
// what the peers answered meanwhile counts, and silence does not.
func TestKnetLinksSurviveAPause(t *testing.T) {
	p := newKnetPair(t, 25611, 1)
	for i, k := range p.node {
		cfg := knetConfigOf(i, 25611, 1)
		cfg.Hosts[0].Links[0].PongTimeout = 20 * time.Millisecond // ten times that after it came up
		if err := k.Reconfigure(cfg); err != nil {
			t.Fatal(err)
		}
	}
	var paused time.Time
	p.run(t, "the end of the pause", func() bool {
		if paused.IsZero() && p.ups[0] > 0 && p.ups[1] > 0 {
			<-time.After(600 * time.Millisecond) // the pause: it holds up the loop
			paused = p.loop.Now()
		}
		return !paused.IsZero() && p.loop.Now().Sub(paused) > 50*time.Millisecond
	})
	if p.ups[0] != 1 || p.ups[1] != 1 {
		t.Errorf("a link went down: %v", p.ups)
	}
}

// Links come and go while others carry data; sockets with them.
func TestKnetReconfigure(t *testing.T) {
	p := newKnetPair(t, 25621, 1)
	reconfigure := func(links int) {
		for i, k := range p.node {
			if err := k.Reconfigure(knetConfigOf(i, 25621, links)); err != nil {
				t.Fatal(err)
			}
		}
	}
	up := func(link uint8) bool {
		var a, b knet.LinkStatus
		return p.node[0].Engine().Status(knet.LinkKey{Host: 2, Link: link}, &a) && a.Connected &&
			p.node[1].Engine().Status(knet.LinkKey{Host: 1, Link: link}, &b) && b.Connected
	}
	step := 0
	p.run(t, "links to come and go", func() bool {
		switch {
		case step == 0 && up(0):
			reconfigure(3)
			step++
		case step == 1 && up(1) && up(2):
			bad := knetConfigOf(0, 25621, 3)
			bad.Hosts[0].Links[1].PingInterval = 0
			if p.node[0].Reconfigure(bad) == nil {
				t.Error("a ping interval of 0 was taken")
			}
			reconfigure(1)
			step++
		}
		return step == 2 && !up(1)
	})
	if n := len(slices.DeleteFunc(slices.Clone(p.node[0].ports), func(o port) bool { return !o.open })); n != 1 {
		t.Errorf("%d sockets are open for one link", n)
	}
	if p.ups[0] != 1 || p.ups[1] != 1 {
		t.Errorf("the first link went down: %v", p.ups)
	}
}

// A datagram of one packet, and one of many, pass without allocating.
func TestKnetTransportAllocatesNothing(t *testing.T) {
	p := newKnetPair(t, 25631, 1)
	small, large := make([]byte, 400), make([]byte, 60000)
	allocs := -1.0
	p.run(t, "the measurement", func() bool {
		var s knet.LinkStatus
		if p.node[0].Engine().Status(knet.LinkKey{Host: 2}, &s); p.ups[0] == 0 || p.ups[1] == 0 || s.MTU < 10000 {
			return false
		}
		p.node[1].readable = func() { p.node[1].Receive() }
		allocs = testing.AllocsPerRun(200, func() {
			p.node[0].SendAll(small)
			p.node[0].SendTo(2, large)
			p.node[0].Flush()
			p.node[1].onEvents(0, loop.Readable)
		})
		return true
	})
	if allocs != 0 {
		t.Errorf("sending and receiving allocates %v times", allocs)
	}
}
