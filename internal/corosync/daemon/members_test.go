package daemon

import (
	"net/netip"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/config"
)

// TestAddresses: corosync-notifyd looks for the last pair of parentheses; a node that is
// in no nodelist has none (3.1.7: an empty string).
func TestAddresses(t *testing.T) {
	n := config.Node{ID: 2}
	n.Addrs[0], n.Addrs[3] = netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::2")
	d := &Daemon{cfg: &config.Config{Nodes: []config.Node{n}}}
	for id, want := range map[uint32]string{2: "r(0) ip(10.0.0.2) r(1) ip(fd00::2) ", 3: ""} {
		if got := d.addresses(id); got != want {
			t.Errorf("node %d: %q, want %q", id, got, want)
		}
	}
}
