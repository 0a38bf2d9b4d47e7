package knet

import (
	"bytes"
	"fmt"
	"testing"
	"time"
)

// TestSizes has the sizes that kronosnet shows on real networks.
func TestSizes(t *testing.T) {
	s := sizesOf(nil)
	for _, c := range []struct {
		onwire int
		six    bool
		want   int
	}{
		{1500, false, 1446}, {1500, true, 1426}, {9000, false, 8946}, {576, false, 522}, {1280, true, 1206}, {65535, false, 65481},
		{20, false, 0},
	} {
		if got := s.mtu(c.onwire, c.six); got != c.want {
			t.Errorf("MTU %d: %d bytes of data, want %d", c.onwire, got, c.want)
		}
	}
	if s.minMTU() != 482 {
		t.Errorf("smallest: %d, want 482", s.minMTU())
	}
}

// TestMTUFound: the search ends at the greatest size that gets through, whoever
// limits it, whether the kernel tells and whatever the address family.
func TestMTUFound(t *testing.T) {
	for _, mtu := range []int{576, 577, 1006, 1280, 1400, 1492, 1499, 1500, 1501, 4352, 9000, 16384, 65519, 65520, 65534, 65535} {
		for _, how := range []string{"kernel tells", "kernel refuses", "black hole"} {
			w := newWorld(t, 1, 2, 1, nil)
			w.pathMTU, w.ifaceMTU, w.hint = 65535, 65535, how == "kernel tells"
			if how == "black hole" {
				w.pathMTU = mtu
			} else {
				w.ifaceMTU = mtu
			}
			w.run(3 * time.Minute)
			if got, want := w.nodes[0].e.MTU(), mtu-54; got != want {
				t.Errorf("MTU %d, %s: %d bytes of data, want %d", mtu, how, got, want)
			}
			if suspect := w.nodes[0].count(EventMTUSuspect) > 0; suspect != (how == "black hole" && mtu < 65535) {
				t.Errorf("MTU %d, %s: warned of packets that get lost: %v", mtu, how, suspect)
			}
			if n := w.nodes[0].link(2, 0).stats.TxPMTUPackets; n > 200 {
				t.Errorf("MTU %d, %s: %d probes in 3 minutes", mtu, how, n)
			}
		}
	}
}

// TestMTUProbeSize: a probe and its IP headers have the size that it names.
func TestMTUProbeSize(t *testing.T) {
	w := newWorld(t, 1, 2, 1, nil)
	w.pathMTU, w.ifaceMTU = 65535, 65535
	probes := 0
	w.errno = func(d *Datagram) Errno {
		if d.Type == TypePMTUD {
			probes++
			var h Header
			if _, err := h.parse(d.Data); err != nil || len(d.Data)+28 != int(h.Size) {
				t.Errorf("probe of %d bytes says %d (%v)", len(d.Data)+28, h.Size, err)
			}
			return 0
		}
		if d.Type == TypePMTUDReply && len(d.Data) != pmtudSize {
			t.Errorf("reply of %d bytes", len(d.Data))
		}
		return 0
	}
	w.run(5 * time.Second)
	if probes == 0 {
		t.Error("no probes")
	}
}

// TestMTUTooSmall: a network that cannot carry the smallest packets carries no data,
// says so, and is used as soon as it can.
func TestMTUTooSmall(t *testing.T) {
	w := newWorld(t, 1, 2, 1, nil)
	w.pathMTU, w.ifaceMTU = 300, 1500
	w.run(time.Minute)
	n := w.nodes[0]
	if n.e.host(2).reachable() || n.count(EventMTUInvalid) == 0 {
		t.Errorf("a link of MTU 300 is used: %q", n.log())
	}
	if n.count(EventMTUInvalid) > 20 {
		t.Errorf("%d times told in a minute", n.count(EventMTUInvalid))
	}
	w.pathMTU = 1500
	w.until(time.Minute, "host reachable", func() bool { return n.e.host(2).reachable() && n.e.MTU() == 1446 })
}

func TestMTUManual(t *testing.T) {
	w := newWorld(t, 1, 2, 1, func(c *Config) { c.MTU = 1300 })
	w.run(10 * time.Second)
	n := w.nodes[0]
	if n.e.MTU() != 1246 || n.link(2, 0).stats.TxPMTUPackets != 0 {
		t.Errorf("MTU %d, %d probes", n.e.MTU(), n.link(2, 0).stats.TxPMTUPackets)
	}
	cfg := testConfig(1, 2, 1)
	if err := n.e.Reconfigure(w.now, cfg); err != nil {
		t.Fatal(err)
	}
	n.drain()
	w.run(time.Second)
	if n.e.MTU() != 1446 {
		t.Errorf("MTU %d after the manual one was taken away", n.e.MTU())
	}
	cfg.MTU = 1000
	if err := n.e.Reconfigure(w.now, cfg); err != nil {
		t.Fatal(err)
	}
	n.drain()
	if n.e.MTU() != 946 {
		t.Errorf("MTU %d after it was set to 1000", n.e.MTU())
	}
	if n.count(EventMTUManual) != 2 {
		t.Errorf("%d times told", n.count(EventMTUManual))
	}
	cfg.MTU = 400
	if err := n.e.Reconfigure(w.now, cfg); err == nil {
		t.Error("an MTU of 400 was taken")
	}
}

// TestMTUInterval: the MTU is looked at again every interval, and a probe that gets
// lost does not make the path narrower.
func TestMTUInterval(t *testing.T) {
	w := newWorld(t, 1, 2, 1, nil)
	w.up()
	lost := false
	w.errno = func(d *Datagram) Errno { return 0 }
	before := w.nodes[0].link(2, 0).stats.TxPMTUPackets
	w.cut = nil
	w.run(29 * time.Second)
	if n := w.nodes[0].link(2, 0).stats.TxPMTUPackets; n != before {
		t.Errorf("%d probes before the interval was over", n-before)
	}
	w.errno = func(d *Datagram) Errno {
		if d.Type == TypePMTUD && d.Host == 2 && len(d.Data) == 1472 && !lost {
			lost = true
			w.pathMTU = 100 // this one only
		} else {
			w.pathMTU = 1500
		}
		return 0
	}
	w.run(5 * time.Second)
	if !lost {
		t.Fatal("no probe after the interval")
	}
	if n := w.nodes[0]; n.e.MTU() != 1446 || n.count(EventMTUGlobal) != 1 {
		t.Errorf("MTU %d, %q", n.e.MTU(), n.log())
	}
}

// TestA11_MTUChangesUnderLoad: the MTU goes 65520, 1500, 576 and back while data
// flows, as interfaces and as black holes. Links stay up, hosts stay reachable, and
// data flows again soon after each change (kronosnet issue 241, corosync 696).
func TestA11_MTUChangesUnderLoad(t *testing.T) {
	for _, hole := range []bool{false, true} {
		for seed := range uint64(2) {
			w := newWorld(t, seed, 2, 1, nil)
			w.ifaceMTU, w.pathMTU = 65520, 65520
			w.up()
			w.run(20 * time.Second)
			starts := w.nodes[0].count(EventNoLinks)
			msg := bytes.Repeat([]byte{'x'}, 4000)
			for _, mtu := range []int{1500, 576, 1500, 65520, 576, 65520, 1500} {
				if !hole {
					w.ifaceMTU = mtu
				}
				w.pathMTU = mtu
				limit := 40 * time.Second
				for end := w.now.Add(limit); ; {
					n := len(w.nodes[1].got)
					w.nodes[0].send(2, msg)
					w.run(100 * time.Millisecond)
					if len(w.nodes[1].got) > n && w.nodes[0].e.MTU() <= mtu-54 {
						break
					}
					if w.now.After(end) {
						t.Fatalf("black hole %v, seed %d: no data %v after the MTU became %d; data MTU is %d", hole, seed, limit, mtu, w.nodes[0].e.MTU())
					}
				}
				w.until(2*time.Minute, fmt.Sprintf("MTU %d is found", mtu), func() bool {
					return w.nodes[0].e.MTU() == mtu-54
				})
			}
			if n := w.nodes[0]; n.count(EventLinkDown) != 0 || n.count(EventNoLinks) != starts {
				t.Errorf("black hole %v, seed %d: %q", hole, seed, n.log())
			}
		}
	}
}

// TestA11_LinkFlaps: a link that comes and goes beside a good one. Whenever the good
// one is up the host is reachable, and what flaps is told once for each flap.
func TestA11_LinkFlaps(t *testing.T) {
	w := newWorld(t, 5, 2, 2, nil)
	w.up()
	w.run(15 * time.Second)
	n := w.nodes[0]
	n.events = nil
	flaps := 0
	for range 10 {
		w.cut = cutPort(5405)
		w.until(30*time.Second, "link 0 down", func() bool { return !n.link(2, 0).connected })
		flaps++
		w.cut = nil
		w.until(30*time.Second, "link 0 up", func() bool { return n.link(2, 0).connected && n.link(2, 0).mtuProven })
		if !n.e.host(2).reachable() {
			t.Fatal("a host with a good link is not reachable")
		}
	}
	if d, u := n.count(EventLinkDown), n.count(EventLinkUp); d != flaps || u != flaps {
		t.Errorf("%d times down and %d times up told of %d flaps", d, u, flaps)
	}
	if c := n.count(EventNoLinks); c != 0 {
		t.Errorf("%d times without links", c)
	}
}
