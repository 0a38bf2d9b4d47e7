package quorum

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/corosync/libipc/libipctest"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/qbipc"
	"github.com/pacesync/pacesync/quorum/wire"
)

// startConn connects to a daemon whose answers come from reply; without one
// for a request it says OK.
func startConn(t *testing.T, reply func(id int32, msg []byte) []byte) (*libipc.Conn, *libipctest.Daemon) {
	t.Helper()
	d := libipctest.Serve(t, libipctest.Service{Message: func(c *qbipc.Conn, id int32, msg []byte) {
		b := reply(id, msg)
		if b == nil {
			b = mar.AppendStatus(nil, 0, service.OK)
		}
		c.Reply(b, nil)
	}})
	conn, err := libipc.Dial(t.Context(), d.Name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, d
}

func TestClientEvents(t *testing.T) {
	conn, d := startConn(t, func(id int32, msg []byte) []byte {
		if id == wire.ReqGetQuorate {
			return wire.AppendQuorateRes(nil, true)
		}
		return nil
	})
	n := wire.Notify{Quorate: true, Ring: service.RingID{Rep: 1, Seq: 8}, Members: []uint32{1, 2}}
	l := wire.NodeList{Ring: service.RingID{Rep: 1, Seq: 8}, Members: []uint32{1, 2}, Joined: []uint32{2}, Left: []uint32{3}}
	for _, tt := range []struct {
		model Model
		msg   []byte
		want  Event
	}{
		{ModelV0, n.AppendV0(nil), Event{Kind: QuorumChange, Quorate: true, Ring: service.RingID{Seq: 8}, Members: []uint32{1, 2}}},
		{ModelV1, n.AppendV1(nil), Event{Kind: QuorumChange, Quorate: true, Ring: n.Ring, Members: []uint32{1, 2}}},
		{ModelV1, l.Append(nil), Event{Kind: RingChange, Ring: l.Ring, Members: []uint32{1, 2}, Joined: []uint32{2}, Left: []uint32{3}}},
	} {
		c := &Client{conn: conn, model: tt.model}
		d.Event(tt.msg)
		if got, err := c.Next(t.Context()); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("model %d: %+v, %v, want %+v", tt.model, got, err, tt.want)
		}
	}
	c := &Client{conn: conn, model: ModelV0}
	d.Event(n.AppendV1(nil))
	if _, err := c.Next(t.Context()); libipc.Code(err) != service.ErrLibrary {
		t.Errorf("an event of the other model: %v, want ErrLibrary", err)
	}
	if ok, err := c.Quorate(t.Context()); !ok || err != nil {
		t.Errorf("quorate %v, %v", ok, err)
	}
}

func TestVoteClient(t *testing.T) {
	info := wire.VoteInfo{Node: 2, State: wire.StateMember, Votes: 1, Expected: 3, TotalVotes: 3, Quorum: 2, Flags: wire.InfoQuorate, QdeviceName: "dev"}
	asked := map[int32]int{}
	conn, d := startConn(t, func(id int32, msg []byte) []byte {
		asked[id]++
		switch id {
		case wire.VoteReqGetInfo:
			if n, _ := wire.ParseVoteU32Req(msg); n != 2 {
				return (&wire.VoteInfo{}).Append(nil, service.ErrNotExist)
			}
			return info.Append(nil, service.OK)
		case wire.VoteReqSetVotes:
			return mar.AppendStatus(nil, 0, service.ErrNameNotFound)
		}
		return nil
	})
	c := &VoteClient{conn}
	if got, err := c.Info(t.Context(), 2); err != nil || got != info {
		t.Errorf("%+v, %v, want %+v", got, err, info)
	}
	if _, err := c.Info(t.Context(), 9); !errors.Is(err, service.ErrNotExist) {
		t.Errorf("node 9: %v", err)
	}
	if err := c.SetVotes(t.Context(), 9, 1); !errors.Is(err, service.ErrNameNotFound) {
		t.Errorf("votes of node 9: %v", err)
	}
	for _, name := range []string{"", strings.Repeat("x", wire.MaxQdeviceName)} {
		if err := c.RegisterDevice(t.Context(), name); !errors.Is(err, service.ErrInvalidParam) {
			t.Errorf("device of %d bytes: %v", len(name), err)
		}
	}
	d.Do(func() {
		if asked[wire.VoteReqQdeviceRegister] != 0 {
			t.Error("a bad device name was sent")
		}
	})
	q := wire.VoteQuorum{Quorate: true, Context: 5, Nodes: []wire.VoteNode{{Node: 1, State: wire.StateMember}}}
	l := wire.VoteNodeList{Context: 5, Ring: service.RingID{Rep: 1, Seq: 8}, Members: []uint32{1, 2}}
	x := wire.VoteExpected{Context: 5, Expected: 3}
	for _, tt := range []struct {
		msg  []byte
		want VoteEvent
	}{
		{q.Append(nil), VoteEvent{Kind: VoteQuorumChange, ID: 5, Quorate: true, Nodes: q.Nodes}},
		{l.Append(nil), VoteEvent{Kind: VoteRingChange, ID: 5, Ring: l.Ring, Members: l.Members}},
		{x.Append(nil), VoteEvent{Kind: VoteExpectedChange, ID: 5, Expected: 3}},
	} {
		d.Event(tt.msg)
		if got, err := c.Next(t.Context()); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%+v, %v, want %+v", got, err, tt.want)
		}
	}
}
