package knet

import (
	"bytes"
	"net/netip"
	"testing"
	"time"
)

var epoch = time.Unix(1_700_000_000, 0)

// addr is the address of a host's end of a link.
func addr(id HostID, link uint8) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, link, 0, byte(id)}), 5405+uint16(link))
}

// testConfig is what host self of n hosts with so many links is configured with;
// times are those of a token of 3650 ms.
func testConfig(self HostID, n, links int) Config {
	cfg := Config{Self: self}
	for id := HostID(1); id <= HostID(n); id++ {
		if id == self {
			continue
		}
		h := HostConfig{ID: id}
		for l := range uint8(links) {
			h.Links = append(h.Links, LinkConfig{
				ID: l, Local: addr(self, l), Remote: addr(id, l), Priority: 1,
				PingInterval: 912 * time.Millisecond, PongTimeout: 1825 * time.Millisecond, PongCount: 2,
			})
		}
		cfg.Hosts = append(cfg.Hosts, h)
	}
	return cfg
}

func TestTwoHosts(t *testing.T) {
	w := newWorld(t, 1, 2, 1, nil)
	w.run(5 * time.Second)
	if !w.nodes[0].e.hosts[0].reachable() || !w.nodes[1].e.hosts[0].reachable() {
		t.Fatal("hosts are not reachable after 5 s")
	}
	if got := w.nodes[0].e.MTU(); got != 1446 {
		t.Errorf("MTU %d, want 1446 as kronosnet has on Ethernet", got)
	}
	msg := bytes.Repeat([]byte("totem"), 13000)
	w.nodes[0].send(0, msg)
	w.run(time.Second)
	if got := w.nodes[1].got; len(got) != 1 || !bytes.Equal(got[0], msg) {
		t.Fatalf("%d datagrams came, want the one that was sent", len(got))
	}
}
