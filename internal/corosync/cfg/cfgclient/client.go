// Package cfgclient is the client library of the daemon's configuration and
// control service: node addresses and link states, reload, log reopening,
// killing a node, shutdown and the vote on it. The command-line tools and
// Pacemaker's daemon use it.
//
// Failures are result codes: errors.As finds a service.Error in every error.
//
// Upstream: lib/cfg.c, include/corosync/cfg.h.
package cfgclient

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/pacesync/pacesync/internal/corosync/cfg/wire"
	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// What the messages say is what the library says.
type (
	NodeStatus     = wire.NodeStatus
	Link           = wire.Link
	Ring           = wire.Ring
	ShutdownFlags  = wire.ShutdownFlags
	ShutdownAnswer = wire.ShutdownAnswer
)

// Shutdown flags and answers.
const (
	ShutdownRequest    = wire.ShutdownRequest
	ShutdownRegardless = wire.ShutdownRegardless
	ShutdownImmediate  = wire.ShutdownImmediate
	ShutdownNo         = wire.ShutdownNo
	ShutdownYes        = wire.ShutdownYes
)

// Client is a connection to the service. Safe for concurrent use, but Next must
// have one caller at a time.
type Client struct{ conn *libipc.Conn }

// Dial connects. ErrTryAgain: the daemon is not ready yet.
func Dial(ctx context.Context) (*Client, error) {
	conn, err := libipc.Dial(ctx, "cfg")
	if err != nil {
		return nil, err
	}
	return &Client{conn}, nil
}

// Close ends the connection; to a shutdown under vote that is a yes.
func (c *Client) Close() error { return c.conn.Close() }

// FD becomes readable when Next would not wait. It is for polling alone.
func (c *Client) FD() int { return c.conn.FD() }

// parsed is a call whose answer has fields.
func parsed[T any](ctx context.Context, c *Client, what string, req []byte, parse func([]byte) (T, error)) (T, error) {
	b, err := c.conn.Call(ctx, what, req, nil)
	if err != nil {
		var none T
		return none, err
	}
	v, err := parse(b)
	if err != nil {
		return v, libipc.Malformed("cfg: "+what, err)
	}
	return v, nil
}

// bare is a call whose answer is a result code.
func (c *Client) bare(ctx context.Context, what string, req []byte) error {
	_, err := c.conn.Call(ctx, what, req, nil)
	return err
}

// LocalGet returns the local node id.
func (c *Client) LocalGet(ctx context.Context) (uint32, error) {
	return parsed(ctx, c, "local node", mar.AppendBare(nil, wire.ReqLocalGet), wire.ParseNumberRes)
}

// RingStatus returns the links of this node.
func (c *Client) RingStatus(ctx context.Context) ([]Ring, error) {
	return parsed(ctx, c, "ring status", mar.AppendBare(nil, wire.ReqRingStatusGet), wire.ParseRingStatusRes)
}

// NodeStatus returns the state of the links to a node, as this node sees it.
func (c *Client) NodeStatus(ctx context.Context, node uint32) (NodeStatus, error) {
	req := wire.NodeStatusReq{Node: node, Version: wire.StatusVersionV1}
	s, err := parsed(ctx, c, "node status", req.Append(nil), wire.ParseNodeStatusRes)
	if err == nil && s.Version != wire.StatusVersionV1 {
		return s, fmt.Errorf("cfg: node status: the daemon answers in version %d: %w", s.Version, service.ErrNotSupported)
	}
	return s, err
}

// afInet6 is AF_INET6; every other family is taken for IPv4, as by libcfg's
// callers.
const afInet6 = 10

// NodeAddrs returns a node's address on each link; a link without one has the
// zero Addr. ErrNotExist: no such node.
func (c *Client) NodeAddrs(ctx context.Context, node uint32) ([]netip.Addr, error) {
	r, err := parsed(ctx, c, "node addresses", wire.AppendGetNodeAddrsReq(nil, node), wire.ParseNodeAddrsRes)
	if err != nil {
		return nil, err
	}
	addrs := make([]netip.Addr, len(r.Addrs))
	for i, a := range r.Addrs {
		switch {
		case a == [16]byte{}:
		case r.Family == afInet6:
			addrs[i] = netip.AddrFrom16(a)
		default:
			addrs[i] = netip.AddrFrom4([4]byte(a[:4]))
		}
	}
	return addrs, nil
}

// KillNode ends the daemon of a node that is a member. The reason is for its
// log; over 255 bytes it is ErrNameTooLong.
func (c *Client) KillNode(ctx context.Context, node uint32, reason string) error {
	if len(reason) >= wire.ReasonSize {
		return fmt.Errorf("cfg: kill node: reason of %d bytes, at most %d are possible: %w", len(reason), wire.ReasonSize-1, service.ErrNameTooLong)
	}
	req := wire.KillReq{Node: node, Reason: reason}
	return c.bare(ctx, "kill node", req.Append(nil))
}

// ReloadConfig makes every node read its corosync.conf again and waits until
// this node has. ErrInvalidParam: the file has an error, which is in the log.
func (c *Client) ReloadConfig(ctx context.Context) error {
	return c.bare(ctx, "reload", mar.AppendBare(nil, wire.ReqReloadConfig))
}

// ReopenLogFiles makes the daemon close and open its log files.
func (c *Client) ReopenLogFiles(ctx context.Context) error {
	return c.bare(ctx, "reopen logs", mar.AppendBare(nil, wire.ReqReopenLogFiles))
}

// TryShutdown asks the daemon to leave the ring and end. The answer comes once
// all trackers have voted or the vote has timed out: ErrBusy is a veto,
// ErrExist another request under way.
func (c *Client) TryShutdown(ctx context.Context, flags ShutdownFlags) error {
	return c.bare(ctx, "shutdown", wire.AppendTryShutdownReq(nil, flags))
}

// TrackStart asks to be asked before a shutdown: see Next and ReplyToShutdown.
func (c *Client) TrackStart(ctx context.Context) error {
	return c.bare(ctx, "track start", wire.AppendTrackStartReq(nil, 0))
}

// TrackStop ends TrackStart.
func (c *Client) TrackStop(ctx context.Context) error {
	return c.bare(ctx, "track stop", mar.AppendBare(nil, wire.ReqTrackStop))
}

// Next waits until somebody wants a shutdown; the answer to it is
// ReplyToShutdown.
func (c *Client) Next(ctx context.Context) (ShutdownFlags, error) {
	id, b, err := c.conn.Event(ctx)
	if err != nil {
		return 0, err
	}
	if id != wire.EventTestShutdown {
		return 0, fmt.Errorf("cfg: event of unknown kind %d: %w", id, service.ErrLibrary)
	}
	flags, err := wire.ParseNumberRes(b)
	if err != nil {
		return 0, libipc.Malformed("cfg: event", err)
	}
	return ShutdownFlags(flags), nil
}

// ReplyToShutdown votes on the shutdown that Next told of. The daemon's result
// code is not looked at, as in libcfg.
func (c *Client) ReplyToShutdown(ctx context.Context, answer ShutdownAnswer) error {
	b, err := c.conn.Call(ctx, "reply to shutdown", wire.AppendReplyToShutdownReq(nil, answer), nil)
	if b != nil {
		return nil
	}
	return err
}
