package cpg

import (
	"testing"

	"github.com/pacesync/pacesync/cpg/wire"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/corosync/service/servicetest"
)

// sink is a host and a client that take messages without keeping them.
type sink struct {
	*servicetest.Host
	*servicetest.Conn
	sent, events int
}

func (s *sink) Mcast(hdr, body []byte) error { s.sent++; return nil }
func (s *sink) Event(hdr, body []byte)       { s.events++ }
func (s *sink) Reply(hdr, body []byte)       {}

// TestMcastAllocatesNothing: from a client's request to totem, and from totem
// to the clients of the group.
func TestMcastAllocatesNothing(t *testing.T) {
	host := servicetest.NewHost(1)
	s := &sink{Host: host, Conn: host.NewConn()}
	e := NewEngine(s, nil)
	e.Opened(s)
	join := wire.JoinReq{Group: wire.MustName("g"), PID: 7}
	e.Lib[wire.ReqJoin].Handle(s, join.Append(nil))
	p := wire.Proc{Group: join.Group, PID: 7, Reason: wire.ReasonJoin}
	e.Exec[wire.ExecProcJoin].Deliver(1, p.Append(nil), false)

	data := make([]byte, 1000)
	req := wire.McastReq{Guarantee: 2, Data: data}
	var rh [wire.McastReqSize]byte
	req.PutHeader(&rh)
	in := append(rh[:], data...)
	m := wire.Mcast{Group: join.Group, PID: 7, Data: data}
	var mh [wire.McastSize]byte
	m.PutHeader(&mh)
	out := append(mh[:], data...)
	s.sent, s.events = 0, 0
	if n := testing.AllocsPerRun(1000, func() {
		e.Lib[wire.ReqMcast].Handle(s, in)
		e.Exec[wire.ExecMcast].Deliver(1, out, false)
	}); n != 0 {
		t.Errorf("%v allocations per message", n)
	}
	if s.sent != 1001 || s.events != 1001 {
		t.Errorf("%d sent, %d delivered", s.sent, s.events)
	}
}

func BenchmarkMcast(b *testing.B) {
	host := servicetest.NewHost(1)
	s := &sink{Host: host, Conn: host.NewConn()}
	e := NewEngine(s, nil)
	e.Opened(s)
	join := wire.JoinReq{Group: wire.MustName("g"), PID: 7}
	e.Lib[wire.ReqJoin].Handle(s, join.Append(nil))
	p := wire.Proc{Group: join.Group, PID: 7, Reason: wire.ReasonJoin}
	e.Exec[wire.ExecProcJoin].Deliver(1, p.Append(nil), false)
	data := make([]byte, 1000)
	m := wire.Mcast{Group: join.Group, PID: 7, Data: data}
	var mh [wire.McastSize]byte
	m.PutHeader(&mh)
	out := append(mh[:], data...)
	b.ReportAllocs()
	for b.Loop() {
		e.Exec[wire.ExecMcast].Deliver(1, out, false)
	}
}

var _ service.Conn = (*sink)(nil)
var _ service.Host = (*sink)(nil)
