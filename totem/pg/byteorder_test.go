package pg

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
	"github.com/pacesync/pacesync/totem/wire/wiretest"
)

// TestRingOfBothByteOrders: node 3 speaks the other byte order. Messages are
// lost and repeated by nodes of the other order, and recovered when node 1 dies.
func TestRingOfBothByteOrders(t *testing.T) {
	c := newCluster(t, srp.Config{Token: time.Second, NetMTU: 300}, 1, 2, 3, 4)
	c.check = true
	c.rewrite = func(from wire.NodeID, data []byte) []byte {
		if from == 3 {
			return wiretest.Packet(data, 3, func(wiretest.Number) int { return 4 }) // no message is cut in its header
		}
		return data
	}
	lossy := 0
	c.lost = func(from, to wire.NodeID, data []byte) bool {
		typ, _ := wire.PeekType(data)
		lossy++
		return typ == wire.TypeMcast && lossy%7 == 0
	}
	var got [5][]string
	for _, n := range c.nodes {
		n.onData = func(up Upcall) {
			if up.Swapped != (up.From == 3 && n.id != 3) {
				t.Errorf("node %d: message of %d has Swapped %v", n.id, up.From, up.Swapped)
			}
			got[n.id] = append(got[n.id], fmt.Sprintf("%d %x", up.From, up.Data))
		}
		n.start()
	}
	c.until(20*time.Second, "formed", func() bool { return c.formed(1, 2, 3, 4) })
	for i := range 60 {
		for _, n := range c.nodes {
			if err := n.submit(bytes.Repeat([]byte{byte(i), byte(n.id)}, 1+i*7)); err != nil {
				t.Fatal(err)
			}
		}
		if i == 40 {
			c.run(700 * time.Microsecond)
			c.node(1).eng = nil
			c.nodes = c.nodes[1:]
		}
		c.run(300 * time.Microsecond)
	}
	c.until(20*time.Second, "formed again", func() bool { return c.formed(2, 3, 4) })
	c.run(2 * time.Second)
	for _, id := range []wire.NodeID{3, 4} {
		if !slices.Equal(got[id], got[2]) {
			t.Errorf("node %d delivered %d messages, node 2 %d, or others", id, len(got[id]), len(got[2]))
		}
	}
	if n := len(got[2]); n < 3*60 {
		t.Errorf("only %d messages", n)
	}
}
