package knet

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// keys are the links of an engine.
func keys(e *Engine) (out []LinkKey) {
	e.Links(func(k LinkKey) bool {
		out = append(out, k)
		return true
	})
	return out
}

// TestReconfigure: hosts and links come and go while data flows; what stays is not
// disturbed.
func TestReconfigure(t *testing.T) {
	w := newWorld(t, 1, 3, 1, nil)
	w.up()
	n := w.nodes[0]
	n.events = nil
	all := func(hosts, links int) {
		t.Helper()
		for i := range w.nodes {
			if err := w.nodes[i].e.Reconfigure(w.now, testConfig(HostID(i+1), hosts, links)); err != nil {
				t.Fatal(err)
			}
			w.nodes[i].drain()
		}
	}
	all(3, 2)
	if want := []LinkKey{{1, 0}, {2, 0}, {2, 1}, {3, 0}, {3, 1}}; !slices.Equal(keys(n.e), want) {
		t.Fatalf("links %v, want %v", keys(n.e), want)
	}
	n.send(0, []byte("1"))
	w.up()
	all(3, 1)
	n.send(0, []byte("2"))
	w.run(time.Second)
	for _, to := range w.nodes[1:] {
		if len(to.got) != 2 {
			t.Errorf("host %d got %d datagrams", to.id, len(to.got))
		}
	}
	if n.count(EventLinkDown)+n.count(EventNoLinks) != 0 {
		t.Errorf("%q", n.log())
	}
	// A fourth host, then the third one goes.
	w.add(testConfig(4, 4, 1))
	all(4, 1)
	w.up()
	cfg := testConfig(1, 4, 1)
	cfg.Hosts = slices.DeleteFunc(cfg.Hosts, func(h HostConfig) bool { return h.ID == 3 })
	if err := n.e.Reconfigure(w.now, cfg); err != nil {
		t.Fatal(err)
	}
	n.drain()
	if _, ok := n.e.HostStatus(3); ok {
		t.Error("host 3 is still there")
	}
	n.send(0, []byte("3"))
	w.run(time.Second)
	if got := []int{len(w.nodes[1].got), len(w.nodes[2].got), len(w.nodes[3].got)}; !slices.Equal(got, []int{3, 2, 1}) {
		t.Errorf("hosts 2, 3 and 4 got %v datagrams", got)
	}
}

// TestReconfigureTimers: the new interval counts at once; a link that is up stays up.
func TestReconfigureTimers(t *testing.T) {
	w := newWorld(t, 1, 2, 1, nil)
	w.up()
	w.run(20 * time.Second)
	n := w.nodes[0]
	n.events = nil
	for _, interval := range []time.Duration{100 * time.Millisecond, 5 * time.Second, 50 * time.Millisecond} {
		cfg := testConfig(1, 2, 1)
		cfg.Hosts[0].Links[0].PingInterval, cfg.Hosts[0].Links[0].PongTimeout = interval, 2*interval+time.Second
		cfg.Hosts[0].Links[0].Priority = uint8(interval.Milliseconds() % 200)
		if err := n.e.Reconfigure(w.now, cfg); err != nil {
			t.Fatal(err)
		}
		n.drain()
		w.run(interval)
		before := n.link(2, 0).stats.TxPingPackets
		w.run(20 * interval)
		if got := n.link(2, 0).stats.TxPingPackets - before; got < 19 || got > 21 {
			t.Errorf("interval %v: %d pings in 20 of them", interval, got)
		}
	}
	if n.count(EventLinkDown) != 0 || n.count(EventTimers) != 3 || n.count(EventPriority) != 3 {
		t.Errorf("%v", n.events)
	}
}

// TestReconfigureAddress: a link with another address is another link.
func TestReconfigureAddress(t *testing.T) {
	w := newWorld(t, 1, 2, 1, nil)
	w.up()
	cfg := testConfig(1, 2, 1)
	cfg.Hosts[0].Links[0].Remote = netip.MustParseAddrPort("10.9.9.9:5405")
	n := w.nodes[0]
	if err := n.e.Reconfigure(w.now, cfg); err != nil {
		t.Fatal(err)
	}
	n.drain()
	if n.link(2, 0).connected || n.e.host(2).reachable() {
		t.Error("the link is up as if nothing had changed")
	}
}

// TestConfigRefused: each mistake is named with where it is.
func TestConfigRefused(t *testing.T) {
	link := func(c *Config) *LinkConfig { return &c.Hosts[1].Links[1] }
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Self = 0 }, "node id 0"},
		{func(c *Config) { c.Policy = 3 }, "link mode 3"},
		{func(c *Config) { c.LoopbackLink = 8 }, "link 8 of this host"},
		{func(c *Config) { c.MTU = 65536 }, "MTU 65536"},
		{func(c *Config) { c.MTU = 500 }, "MTU 500 is too small for host 2 link 0"},
		{func(c *Config) { c.PMTUDInterval = -1 }, "interval"},
		{func(c *Config) { c.CompressThreshold = MaxPacket + 1 }, "threshold 65537"},
		{func(c *Config) { c.Hosts[0].ID = 0 }, "node id 0"},
		{func(c *Config) { c.Hosts[0].ID = 1 }, "host 1 is this host"},
		{func(c *Config) { c.Hosts[0].ID = 3 }, "host 3 is there twice"},
		{func(c *Config) { link(c).ID = 8 }, "host 3 link 8"},
		{func(c *Config) { link(c).ID = 0 }, "host 3 link 0 is there twice"},
		{func(c *Config) { link(c).Transport = TransportSCTP }, "host 3 link 1: transport sctp is not supported: set knet_transport to udp"},
		{func(c *Config) { link(c).Transport = 9 }, "transport 9"},
		{func(c *Config) { link(c).Remote = netip.AddrPort{} }, "host 3 link 1: an address is missing"},
		{func(c *Config) { link(c).Remote = netip.MustParseAddrPort("[::1]:1") }, "different families"},
		{func(c *Config) { link(c).Remote = netip.MustParseAddrPort("10.0.0.1:0") }, "port 0"},
		{func(c *Config) { link(c).PingInterval = 0 }, "ping interval"},
		{func(c *Config) { link(c).PongTimeout = 0 }, "pong timeout"},
		{func(c *Config) { link(c).Precision = -1 }, "precision"},
		{func(c *Config) { link(c).PongCount = 256 }, "pong count 256"},
	} {
		cfg := testConfig(1, 3, 2)
		c.change(&cfg)
		if _, err := New(epoch, cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	e, _ := New(epoch, testConfig(1, 3, 2))
	other := testConfig(2, 3, 2)
	if err := e.Reconfigure(epoch, other); err == nil {
		t.Error("this host's id changed")
	}
}
