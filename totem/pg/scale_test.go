package pg

import (
	"testing"
	"time"

	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

// TestColdStartOfMany: many nodes that start at the same moment find into one
// ring soon, without a storm of join messages.
func TestColdStartOfMany(t *testing.T) {
	const nodes = 64
	var ids []wire.NodeID
	for i := range nodes {
		ids = append(ids, wire.NodeID(i+1))
	}
	c := newCluster(t, srp.Config{}, ids...)
	begin := c.now
	for _, n := range c.nodes {
		n.start()
	}
	c.until(10*time.Second, "formed", func() bool { return c.formed(ids...) })
	var joins uint64
	for _, n := range c.nodes {
		joins += n.eng.Stats().MembJoinTx
	}
	t.Logf("%d nodes after %v, %d join messages, %d datagrams", nodes, c.now.Sub(begin), joins, c.count)
	if joins > 2*nodes*nodes { // each hears of each other one by one
		t.Errorf("%d join messages for %d nodes", joins, nodes)
	}
}
