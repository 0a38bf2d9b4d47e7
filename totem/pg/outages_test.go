package pg

import (
	"runtime"
	"testing"
	"time"

	"github.com/pacesync/pacesync/totem/srp"
)

// TestMemoryOverReconfigurations [A14, corosync#70 #692]: the original loses memory
// with each membership change. Here the heap is as large after 360 changes under
// load as after 60.
func TestMemoryOverReconfigurations(t *testing.T) {
	c := startAll(t, srp.Config{Token: time.Second, NetMTU: 300, SeqStart: 0xffffff00, TokenSeqStart: 0xffffff00}, 1, 2, 3)
	for _, n := range c.nodes {
		n.onData = func(Upcall) {}
	}
	message := make([]byte, 1000) // several packets, some of them on their way
	changes := func(count int) uint64 {
		for i := range count {
			for _, n := range c.nodes {
				_ = n.submit(message)
			}
			c.run(time.Duration(i%7) * 100 * time.Microsecond)
			c.nodes[i%3].step(srp.Event{Kind: srp.EvForceGather})
			c.until(20*time.Second, "formed", func() bool { return c.formed(1, 2, 3) })
			for _, n := range c.nodes {
				n.up = n.up[:0]
			}
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		runtime.KeepAlive(c)
		return m.HeapAlloc
	}
	before := changes(60)
	after := changes(300)
	t.Logf("heap after 60 changes %d bytes, after 360 %d", before, after)
	if after > before+before/20+64<<10 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
}
