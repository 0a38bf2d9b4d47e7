package cfg

import (
	"slices"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/mar/martest"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// TestOtherByteOrder: messages as a node of the other byte order sends them. The
// original turns the reason of a kill and not the node that is meant (cfg.c:
// exec_cfg_killnode_endian_convert), so that it hits nobody, or somebody else;
// here it works.
func TestOtherByteOrder(t *testing.T) {
	_, nodes := cluster(t)
	e := NewService(nodes[2].host, nodes[2].d, nodes[2].m, func(_ service.Level, s string) { nodes[2].log = append(nodes[2].log, s) }).Engine()
	deliver := func(msg []byte, fields ...int) {
		msg = martest.Swap(msg, fields...)
		fn := mar.View{B: msg, Swapped: true}.U32(0) & 0xffff
		if len(msg) < e.Exec[fn].MinSize {
			t.Fatalf("message %d of %d bytes would be dropped", fn, len(msg))
		}
		e.Exec[fn].Deliver(1, msg, true)
	}
	deliver(mar.AppendBare(nil, mar.ID(service.CFG, execShutdown)))
	if !slices.Contains(nodes[2].log, "Node 1 was shut down by sysadmin") || nodes[2].host.Ended {
		t.Errorf("shutdown of another: %q, ended %v", nodes[2].log, nodes[2].host.Ended)
	}
	kill := func(node uint32) {
		msg := appendKill(nil, node, "test of it")
		msg[24], msg[25] = msg[25], msg[24]
		deliver(msg, 16)
	}
	kill(0x02000000) // which is 2 for who does not turn it
	if nodes[2].host.Ended {
		t.Fatal("killed in the place of another node")
	}
	kill(2)
	if h := nodes[2].host; !h.Ended || h.Left || !slices.Contains(nodes[2].log, "Killed by node 1 : test of it") {
		t.Errorf("ended %v, left the ring %v, log %q", h.Ended, h.Left, nodes[2].log)
	}
}
