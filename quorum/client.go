// Package quorum is the quorum and votequorum services: who is in the ring, and
// whether that is enough of the cluster to act. It holds the client libraries,
// which Pacemaker's daemons and the tools use, and the daemon's engines.
//
// Upstream: lib/quorum.c, lib/votequorum.c, exec/vsf_quorum.c, exec/votequorum.c.
package quorum

import (
	"context"
	"fmt"

	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/quorum/wire"
)

// Model is the version of the events that a Client gets.
type Model uint32

const (
	// ModelV0: QuorumChange alone, with the ring's sequence number.
	ModelV0 Model = wire.ModelV0
	// ModelV1: RingChange when the ring changes, and QuorumChange with the whole
	// ring id.
	ModelV1 Model = wire.ModelV1
)

// Track flags (corotypes.h: CS_TRACK_*).
const (
	TrackCurrent     = wire.TrackCurrent     // what is now, once
	TrackChanges     = wire.TrackChanges     // every change
	TrackChangesOnly = wire.TrackChangesOnly // as TrackChanges
)

// Client is a connection to the quorum service. Safe for concurrent use, but
// Next must have one caller at a time.
//
// Failures are result codes: errors.As finds a service.Error in every error.
//
// Upstream: lib/quorum.c, quorum_overview(3).
type Client struct {
	conn  *libipc.Conn
	model Model
	free  bool
}

// Dial connects. ErrTryAgain: the daemon is not ready yet.
func Dial(ctx context.Context, model Model) (*Client, error) {
	conn, err := libipc.Dial(ctx, "quorum")
	if err != nil {
		return nil, err
	}
	req := mar.AppendBare(nil, wire.ReqGetType)
	if model == ModelV1 {
		req = wire.AppendModelGetTypeReq(nil, uint32(model))
	}
	typ, err := number(ctx, conn, "type", req)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &Client{conn, model, typ == wire.TypeFree}, nil
}

// number is a call whose answer is one number.
func number(ctx context.Context, conn *libipc.Conn, what string, req []byte) (uint32, error) {
	b, err := conn.Call(ctx, what, req, nil)
	if err != nil {
		return 0, err
	}
	n, err := wire.ParseU32Res(b)
	if err != nil {
		return 0, libipc.Malformed("quorum: "+what, err)
	}
	return n, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// FD becomes readable when Next would not wait. It is for polling alone.
func (c *Client) FD() int { return c.conn.FD() }

// HasProvider tells whether quorum is computed by something: without, the
// daemon always says quorate.
func (c *Client) HasProvider() bool { return !c.free }

// Quorate tells whether this partition is quorate.
func (c *Client) Quorate(ctx context.Context) (bool, error) {
	n, err := number(ctx, c.conn, "quorate", mar.AppendBare(nil, wire.ReqGetQuorate))
	return n != 0, err
}

// TrackStart asks for events. ErrExist: they are asked for already.
func (c *Client) TrackStart(ctx context.Context, flags uint32) error {
	_, err := c.conn.Call(ctx, "track start", wire.AppendTrackStartReq(nil, flags), nil)
	return err
}

// TrackStop ends TrackStart.
func (c *Client) TrackStop(ctx context.Context) error {
	_, err := c.conn.Call(ctx, "track stop", mar.AppendBare(nil, wire.ReqTrackStop), nil)
	return err
}

// EventKind says what an Event tells.
type EventKind uint8

const (
	// QuorumChange: Quorate, Ring (of model 0 the sequence alone), Members.
	QuorumChange EventKind = iota + 1
	// RingChange: Ring, Members, Joined, Left.
	RingChange
)

// Event is what Next returns.
type Event struct {
	Kind                  EventKind
	Quorate               bool
	Ring                  service.RingID
	Members, Joined, Left []uint32
}

// Next waits for the next event.
func (c *Client) Next(ctx context.Context) (Event, error) {
	id, b, err := c.conn.Event(ctx)
	if err != nil {
		return Event{}, err
	}
	var n wire.Notify
	switch {
	case c.model == ModelV0 && id == wire.EventNotifyV0:
		n, err = wire.ParseNotifyV0(b)
	case c.model == ModelV1 && id == wire.EventQuorumV1:
		n, err = wire.ParseNotifyV1(b)
	case c.model == ModelV1 && id == wire.EventNodeListV1:
		l, err := wire.ParseNodeList(b)
		if err != nil {
			return Event{}, libipc.Malformed("quorum: event", err)
		}
		return Event{Kind: RingChange, Ring: l.Ring, Members: l.Members, Joined: l.Joined, Left: l.Left}, nil
	default:
		return Event{}, fmt.Errorf("quorum: event of unknown kind %d: %w", id, service.ErrLibrary)
	}
	if err != nil {
		return Event{}, libipc.Malformed("quorum: event", err)
	}
	return Event{Kind: QuorumChange, Quorate: n.Quorate, Ring: n.Ring, Members: n.Members}, nil
}
