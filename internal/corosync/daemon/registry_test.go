package daemon

import (
	"encoding/binary"
	"math/bits"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// message is an exec message of size bytes.
func message(svc service.ID, fn, size int) []byte {
	b := make([]byte, size)
	binary.NativeEndian.PutUint32(b, uint32(svc)<<16|uint32(fn))
	binary.NativeEndian.PutUint32(b[8:], uint32(size))
	return b
}

func TestRegistry(t *testing.T) {
	m := cmap.NewMap()
	var r registry
	got := 0
	e := &service.Engine{ID: service.CPG, Name: "corosync_cpg", Short: "cpg", Priority: 1, Exec: []service.ExecFn{
		{MinSize: 24, Deliver: func(from uint32, msg []byte, swapped bool) { got++ }},
	}}
	if err := r.load(m, e); err != nil {
		t.Fatal(err)
	}
	vote := &service.Engine{ID: service.Votequorum, Short: "votequorum", Priority: 2}
	if err := r.load(m, vote); err != nil {
		t.Fatal(err)
	}
	swapped := message(service.CPG, 0, 32)
	binary.NativeEndian.PutUint32(swapped, bits.ReverseBytes32(uint32(service.CPG)<<16))
	for _, c := range []struct {
		what    string
		msg     []byte
		swapped bool
		deliver bool
		err     string
	}{
		{"good", message(service.CPG, 0, 32), false, true, ""},
		{"good, other byte order", swapped, true, true, ""},
		{"no header", make([]byte, 15), false, false, "shorter than its header"},
		{"too short for the function", message(service.CPG, 0, 23), false, false, "at least 24 are needed"},
		{"unknown function", message(service.CPG, 1, 32), false, false, "discarded unknown message 1 for service 2 (max id 1)"},
		{"service not loaded", message(service.CFG, 0, 32), false, false, ""},
		{"service out of range", message(4000, 0, 32), false, false, ""},
	} {
		before := got
		err := r.deliver(3, c.msg, c.swapped)
		if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want %q", c.what, err, c.err)
		}
		if (got > before) != c.deliver {
			t.Errorf("%s: delivered %v, want %v", c.what, got > before, c.deliver)
		}
	}
	if n, _ := m.U64("runtime.services.cpg.0.rx"); n != 3 {
		t.Errorf("runtime.services.cpg.0.rx is %d, want 3: what is too short counts as received", n)
	}
	r.sent(message(service.CPG, 0, 32))
	if n, _ := m.U64("runtime.services.cpg.0.tx"); n != 1 {
		t.Errorf("runtime.services.cpg.0.tx is %d, want 1", n)
	}
	if order := r.unloadOrder(); order[0] != vote || order[1] != e {
		t.Error("votequorum is unloaded before the services that clients use through it")
	}
}

// TestDeliverAllocatesNothing: the registry is on every message's path.
func TestDeliverAllocatesNothing(t *testing.T) {
	m := cmap.NewMap()
	var r registry
	e := &service.Engine{ID: service.CPG, Short: "cpg", Exec: []service.ExecFn{{MinSize: 16, Deliver: func(uint32, []byte, bool) {}}}}
	if err := r.load(m, e); err != nil {
		t.Fatal(err)
	}
	msg := message(service.CPG, 0, 200)
	if n := testing.AllocsPerRun(100, func() { r.sent(msg); _ = r.deliver(1, msg, false) }); n != 0 {
		t.Errorf("allocates %v times", n)
	}
}
