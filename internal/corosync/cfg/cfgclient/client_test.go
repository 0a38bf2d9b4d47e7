package cfgclient

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/cfg/wire"
	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/corosync/libipc/libipctest"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/qbipc"
)

// start connects to a daemon that knows node 1 (IPv4, second link unused), node
// 6 (IPv6) and no other, and answers node 7 in a version of the future.
func start(t *testing.T) (*Client, *libipctest.Daemon) {
	t.Helper()
	d := libipctest.Serve(t, libipctest.Service{Message: func(c *qbipc.Conn, id int32, msg []byte) {
		switch id {
		case wire.ReqLocalGet:
			c.Reply(wire.AppendLocalGetRes(nil, 1), nil)
		case wire.ReqGetNodeAddrs:
			r, code := wire.NodeAddrs{}, service.OK
			switch n, _ := wire.ParseNumberReq(msg); n {
			case 1:
				r = wire.NodeAddrs{Family: 2, Addrs: [][16]byte{{10, 0, 0, 1}, {}, {10, 0, 2, 1}}}
			case 6:
				r = wire.NodeAddrs{Family: 10, Addrs: [][16]byte{{0xfd, 15: 6}}}
			default:
				code = service.ErrNotExist
			}
			c.Reply(r.Append(nil, code), nil)
		case wire.ReqNodeStatusGet:
			r, _ := wire.ParseNodeStatusReq(msg)
			s := wire.NodeStatus{Version: r.Version, Node: r.Node, Reachable: true}
			if r.Node == 7 {
				s.Version++
			}
			c.Reply(s.Append(nil, service.OK), nil)
		case wire.ReqTryShutdown:
			c.Reply(mar.AppendStatus(nil, wire.ResTryShutdown, service.ErrBusy), nil)
		case wire.ReqReplyToShutdown:
			c.Reply(mar.AppendStatus(nil, wire.ResReplyToShutdown, service.ErrNotExist), nil)
		default:
			c.Reply(mar.AppendStatus(nil, id, service.OK), nil)
		}
	}})
	conn, err := libipc.Dial(t.Context(), d.Name)
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{conn}
	t.Cleanup(func() { c.Close() })
	return c, d
}

func TestAnswers(t *testing.T) {
	c, _ := start(t)
	if n, err := c.LocalGet(t.Context()); n != 1 || err != nil {
		t.Errorf("local node %d, %v", n, err)
	}
	for node, want := range map[uint32]string{1: "[10.0.0.1 invalid IP 10.0.2.1]", 6: "[fd00::6]"} {
		if addrs, err := c.NodeAddrs(t.Context(), node); err != nil || fmt.Sprint(addrs) != want {
			t.Errorf("addresses of %d: %v, %v, want %s", node, addrs, err, want)
		}
	}
	if _, err := c.NodeAddrs(t.Context(), 9); !errors.Is(err, service.ErrNotExist) {
		t.Errorf("node 9: %v", err)
	}
	if s, err := c.NodeStatus(t.Context(), 2); err != nil || s.Node != 2 || !s.Reachable {
		t.Errorf("status %+v, %v", s, err)
	}
	if _, err := c.NodeStatus(t.Context(), 7); !errors.Is(err, service.ErrNotSupported) {
		t.Errorf("a status of the future: %v", err)
	}
	if err := c.KillNode(t.Context(), 1, strings.Repeat("x", 256)); !errors.Is(err, service.ErrNameTooLong) {
		t.Errorf("a reason too long: %v", err)
	}
}

func TestShutdownVote(t *testing.T) {
	c, d := start(t)
	if err := c.TryShutdown(t.Context(), ShutdownRequest); !errors.Is(err, service.ErrBusy) {
		t.Errorf("vetoed: %v, want ErrBusy", err)
	}
	d.Event(wire.AppendTestShutdown(nil, ShutdownRegardless))
	if flags, err := c.Next(t.Context()); flags != ShutdownRegardless || err != nil {
		t.Errorf("asked with %v, %v", flags, err)
	}
	if err := c.ReplyToShutdown(t.Context(), ShutdownNo); err != nil {
		t.Errorf("the code of this answer does not count: %v", err)
	}
}
