package cpg

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/pacesync/pacesync/cpg/wire"
	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/corosync/libipc/libipctest"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/qbipc"
)

// script is a daemon that keeps what it is asked.
type script struct {
	busy     int // joins to answer with ErrBusy
	tryAgain int // pieces to answer with ErrTryAgain
	joins    []wire.JoinReq
	mcasts   [][]byte
	pieces   []wire.PartialMcastReq
	items    []wire.Item // of an iteration
	ended    bool
}

func (s *script) Message(c *qbipc.Conn, id int32, msg []byte) {
	status := func(id int32, code service.Error) { c.Reply(mar.AppendStatus(nil, id, code), nil) }
	switch id {
	case wire.ReqJoin:
		if s.busy--; s.busy >= 0 {
			status(wire.ResJoin, service.ErrBusy)
			return
		}
		r, _ := wire.ParseJoinReq(msg)
		s.joins = append(s.joins, r)
		status(wire.ResJoin, service.OK)
	case wire.ReqMcast:
		r, _ := wire.ParseMcastReq(msg)
		s.mcasts = append(s.mcasts, bytes.Clone(r.Data))
	case wire.ReqPartialMcast:
		if s.tryAgain--; s.tryAgain >= 0 {
			status(wire.ResPartialMcast, service.ErrTryAgain)
			return
		}
		r, _ := wire.ParsePartialMcastReq(msg)
		r.Data = bytes.Clone(r.Data)
		s.pieces = append(s.pieces, r)
		status(wire.ResPartialMcast, service.OK)
	case wire.ReqIterInit:
		c.Reply(wire.AppendIterInitRes(nil, 42, service.OK), nil)
	case wire.ReqIterNext:
		it, code := wire.Item{}, service.ErrNoSections
		if len(s.items) > 0 {
			it, code, s.items = s.items[0], service.OK, s.items[1:]
		}
		c.Reply(wire.AppendIterNextRes(nil, &it, code), nil)
	case wire.ReqIterFinalize:
		h, _ := wire.ParseIterHandleReq(msg)
		s.ended = h == 42
		status(wire.ResIterFinalize, service.OK)
	case wire.ReqLocalGet:
		c.Reply(wire.AppendLocalGetRes(nil, 3), nil)
	case wire.ReqMembership:
		c.Reply(wire.AppendMembershipRes(nil, []wire.Address{{Node: 1, PID: 2}}, service.OK), nil)
	default:
		status(0, service.OK)
	}
}

func startClient(t *testing.T, s *script) (*Client, *libipctest.Daemon) {
	t.Helper()
	d := libipctest.Serve(t, libipctest.Service{Message: s.Message})
	conn, err := libipc.Dial(t.Context(), d.Name)
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{conn: conn, flags: wire.FlagInitialTotemConf}
	t.Cleanup(func() { c.Close() })
	return c, d
}

func TestJoinWaitsWhileBusy(t *testing.T) {
	s := &script{busy: 2}
	c, d := startClient(t, s)
	if err := c.Join(t.Context(), "a\x00"); err != nil {
		t.Fatal(err)
	}
	d.Do(func() {
		if len(s.joins) != 1 || !bytes.Equal(s.joins[0].Group.Bytes(), []byte("a\x00")) || s.joins[0].Flags != wire.FlagInitialTotemConf {
			t.Errorf("joins %+v", s.joins)
		}
	})
	if err := c.Join(t.Context(), string(make([]byte, wire.MaxName+1))); !errors.Is(err, service.ErrNameTooLong) {
		t.Errorf("a name too long: %v", err)
	}
	if n, err := c.LocalNode(t.Context()); n != 3 || err != nil {
		t.Errorf("local node %d, %v", n, err)
	}
	if m, err := c.Members(t.Context(), "x"); err != nil || !slices.Equal(m, []wire.Address{{Node: 1, PID: 2}}) {
		t.Errorf("members %v, %v", m, err)
	}
}

func TestMcast(t *testing.T) {
	s := &script{tryAgain: 2}
	c, d := startClient(t, s)
	big := bytes.Repeat([]byte("0123456789abcdef"), (2*MaxAtomic+100)/16)
	for _, data := range [][]byte{[]byte("hello"), nil, big[:MaxAtomic], big} {
		if err := c.Mcast(t.Context(), Agreed, data); err != nil {
			t.Fatalf("%d bytes: %v", len(data), err)
		}
	}
	d.Do(func() {
		if len(s.mcasts) != 3 || string(s.mcasts[0]) != "hello" || len(s.mcasts[1]) != 0 || len(s.mcasts[2]) != MaxAtomic {
			t.Errorf("%d messages", len(s.mcasts))
		}
		var parts []wire.Part
		var all []byte
		for _, p := range s.pieces {
			parts, all = append(parts, p.Part), append(all, p.Data...)
			if p.Total != uint32(len(big)) || p.Guarantee != Agreed {
				t.Errorf("piece %+v of %d", p.Part, p.Total)
			}
		}
		if !slices.Equal(parts, []wire.Part{wire.PartFirst, wire.PartContinued, wire.PartLast}) || !bytes.Equal(all, big) {
			t.Errorf("pieces %v, %d bytes of %d", parts, len(all), len(big))
		}
	})
}

func TestIteration(t *testing.T) {
	s := &script{items: []wire.Item{{Group: wire.MustName("a"), Node: 1, PID: 2}, {Group: wire.MustName("b"), Node: 3, PID: 4}, {Group: wire.MustName("c")}}}
	c, d := startClient(t, s)
	var got []string
	for it, err := range c.Processes(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, it.Group.String()); len(got) == 2 {
			break // early: the daemon must still be told
		}
	}
	d.Do(func() {
		if !slices.Equal(got, []string{"a", "b"}) || !s.ended {
			t.Errorf("visited %v, ended %v", got, s.ended)
		}
	})
	d.Shut()
	for _, err := range c.Groups(t.Context()) {
		if libipc.Code(err) != service.ErrLibrary || Started(err) {
			t.Errorf("without a daemon: %v, started %v", err, Started(err))
		}
	}
}

func TestNext(t *testing.T) {
	c, d := startClient(t, &script{})
	group := wire.MustName("g")
	piece := func(node uint32, part wire.Part, total uint32, data string) []byte {
		p := wire.PartialDeliver{Group: group, Total: total, Node: node, PID: 9, Part: part, Data: []byte(data)}
		var h [wire.PartialDeliverSize]byte
		p.PutHeader(&h)
		return append(h[:], data...)
	}
	change := func(left ...wire.Address) []byte {
		e := wire.Confchg{Group: group, Members: []wire.Address{{Node: 1, PID: 9}}, Left: left}
		return e.Append(nil)
	}
	ring := wire.TotemConfchg{Ring: service.RingID{Rep: 1, Seq: 8}, Members: []uint32{1, 2}}
	for _, msg := range [][]byte{
		deliverMsg(group, "one"),
		piece(1, wire.PartContinued, 6, "lost"), // its beginning was not for us
		piece(1, wire.PartFirst, 6, "abc"), piece(2, wire.PartFirst, 4, "12"), piece(1, wire.PartFirst, 6, "ABC"),
		piece(2, wire.PartLast, 4, "34"), piece(1, wire.PartLast, 6, "DEF"),
		piece(1, wire.PartFirst, 4, "abc"), piece(1, wire.PartLast, 4, "too much"), // lies about its length
		piece(3, wire.PartFirst, 4, "ab"), change(wire.Address{Node: 3, PID: 9}), piece(3, wire.PartLast, 4, "cd"), // died in between
		ring.Append(nil),
	} {
		d.Event(msg)
	}
	want := []string{"deliver one", "deliver 1234", "deliver ABCDEF", "confchg", "totem-confchg"}
	var got []string
	for len(got) < len(want) {
		e, err := c.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		text := e.Kind.String()
		if e.Kind == Deliver {
			text += " " + string(e.Data)
		}
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(c.pieces) != 0 {
		t.Errorf("%d unfinished messages kept", len(c.pieces))
	}
	d.Event(mar.AppendStatus(nil, 99, service.OK))
	if _, err := c.Next(t.Context()); err == nil {
		t.Error("an event of unknown kind is no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("nothing there: %v", err)
	}
}

func deliverMsg(group wire.Name, data string) []byte {
	m := wire.Deliver{Group: group, Node: 1, PID: 9, Data: []byte(data)}
	var h [wire.DeliverSize]byte
	m.PutHeader(&h)
	return append(h[:], data...)
}

// TestClientNextAllocatesNothing: a delivered message costs no allocation.
func TestClientNextAllocatesNothing(t *testing.T) {
	c := &Client{}
	msg := deliverMsg(wire.MustName("g"), "some data")
	if n := testing.AllocsPerRun(100, func() {
		if done, err := c.take(wire.EventDeliver, msg); !done || err != nil {
			t.Fatal(done, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for each message", n)
	}
}

// TestClientMcastAllocatesNothing: nor does a sent one.
func TestClientMcastAllocatesNothing(t *testing.T) {
	d := libipctest.Serve(t, libipctest.Service{Message: func(*qbipc.Conn, int32, []byte) {}})
	conn, err := libipc.Dial(t.Context(), d.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c, data := &Client{conn: conn}, make([]byte, 100)
	ctx := context.Background()
	if n := testing.AllocsPerRun(100, func() {
		for err := c.Mcast(ctx, Agreed, data); err != nil; err = c.Mcast(ctx, Agreed, data) {
			if !errors.Is(err, service.ErrTryAgain) {
				t.Fatal(err)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations for each message", n)
	}
}
