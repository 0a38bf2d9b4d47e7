package quorum

import (
	"context"
	"fmt"

	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/quorum/wire"
)

// VoteClient is a connection to the votequorum service. Safe for concurrent
// use, but Next must have one caller at a time.
//
// Failures are result codes: errors.As finds a service.Error in every error.
//
// Upstream: lib/votequorum.c, votequorum_overview(3).
type VoteClient struct{ conn *libipc.Conn }

// DialVote connects. ErrTryAgain: the daemon is not ready yet.
func DialVote(ctx context.Context) (*VoteClient, error) {
	conn, err := libipc.Dial(ctx, "votequorum")
	if err != nil {
		return nil, err
	}
	return &VoteClient{conn}, nil
}

// Close ends the connection.
func (c *VoteClient) Close() error { return c.conn.Close() }

// FD becomes readable when Next would not wait. It is for polling alone.
func (c *VoteClient) FD() int { return c.conn.FD() }

func (c *VoteClient) call(ctx context.Context, what string, req []byte) error {
	_, err := c.conn.Call(ctx, what, req, nil)
	return err
}

// Info returns the votes and settings of a node, 0 being this one.
// ErrNotExist: no such node.
func (c *VoteClient) Info(ctx context.Context, node uint32) (wire.VoteInfo, error) {
	b, err := c.conn.Call(ctx, "info", wire.AppendVoteGetInfoReq(nil, node), nil)
	if err != nil {
		return wire.VoteInfo{}, err
	}
	info, err := wire.ParseVoteInfo(b)
	if err != nil {
		return info, libipc.Malformed("votequorum: info", err)
	}
	return info, nil
}

// SetExpected changes the expected votes of the cluster. ErrInvalidParam: fewer
// than there are votes, or so many that quorum would be lost.
func (c *VoteClient) SetExpected(ctx context.Context, votes uint32) error {
	return c.call(ctx, "set expected votes", wire.AppendVoteSetExpectedReq(nil, votes))
}

// SetVotes changes the votes of a node. ErrNameNotFound: no such node.
func (c *VoteClient) SetVotes(ctx context.Context, node, votes uint32) error {
	req := wire.VoteSetVotesReq{Votes: votes, Node: node}
	return c.call(ctx, "set votes", req.Append(nil))
}

// TrackStart asks for events, the first ones with what is now; id comes back
// in each of them. ErrExist: they are asked for already.
func (c *VoteClient) TrackStart(ctx context.Context, id uint64, flags uint32) error {
	req := wire.VoteTrackStartReq{Context: id, Flags: flags}
	return c.call(ctx, "track start", req.Append(nil))
}

// TrackStop ends TrackStart; ErrNotExist without one.
func (c *VoteClient) TrackStop(ctx context.Context) error {
	return c.call(ctx, "track stop", mar.AppendBare(nil, wire.VoteReqTrackStop))
}

func checkDevice(names ...string) error {
	for _, n := range names {
		if n == "" || len(n) >= wire.MaxQdeviceName {
			return fmt.Errorf("votequorum: device name %q: 1 to %d bytes: %w", n, wire.MaxQdeviceName-1, service.ErrInvalidParam)
		}
	}
	return nil
}

// RegisterDevice makes this node's quorum device known under a name.
func (c *VoteClient) RegisterDevice(ctx context.Context, name string) error {
	if err := checkDevice(name); err != nil {
		return err
	}
	return c.call(ctx, "register device", wire.AppendQdeviceNameReq(nil, wire.VoteReqQdeviceRegister, name))
}

// UnregisterDevice takes the device and its votes away.
func (c *VoteClient) UnregisterDevice(ctx context.Context, name string) error {
	if err := checkDevice(name); err != nil {
		return err
	}
	return c.call(ctx, "unregister device", wire.AppendQdeviceNameReq(nil, wire.VoteReqQdeviceUnregister, name))
}

// RenameDevice gives the device another name.
func (c *VoteClient) RenameDevice(ctx context.Context, oldName, newName string) error {
	if err := checkDevice(oldName, newName); err != nil {
		return err
	}
	req := wire.QdeviceUpdateReq{Old: oldName, New: newName}
	return c.call(ctx, "rename device", req.Append(nil))
}

// PollDevice says that the device is alive and whether it gives its votes, as
// seen in that ring. ErrMessageError: the ring is no longer that.
func (c *VoteClient) PollDevice(ctx context.Context, name string, vote bool, ring service.RingID) error {
	if err := checkDevice(name); err != nil {
		return err
	}
	req := wire.QdevicePollReq{Name: name, Cast: vote, Ring: ring}
	return c.call(ctx, "poll device", req.Append(nil))
}

// DeviceMasterWins says whether the side that the device votes for wins
// whatever the nodes' votes.
func (c *VoteClient) DeviceMasterWins(ctx context.Context, name string, allow bool) error {
	if err := checkDevice(name); err != nil {
		return err
	}
	req := wire.QdeviceMasterWinsReq{Name: name, Allow: allow}
	return c.call(ctx, "device master wins", req.Append(nil))
}

// VoteEventKind says what a VoteEvent tells.
type VoteEventKind uint8

const (
	// VoteQuorumChange: Quorate, Nodes with their states.
	VoteQuorumChange VoteEventKind = iota + 1
	// VoteRingChange: Ring, Members.
	VoteRingChange
	// VoteExpectedChange: Expected.
	VoteExpectedChange
)

// VoteEvent is what VoteClient.Next returns.
type VoteEvent struct {
	Kind     VoteEventKind
	ID       uint64 // as given to TrackStart
	Quorate  bool
	Nodes    []wire.VoteNode
	Ring     service.RingID
	Members  []uint32
	Expected uint32
}

// Next waits for the next event.
func (c *VoteClient) Next(ctx context.Context) (VoteEvent, error) {
	id, b, err := c.conn.Event(ctx)
	if err != nil {
		return VoteEvent{}, err
	}
	var e VoteEvent
	switch id {
	case wire.VoteEventQuorum:
		var q wire.VoteQuorum
		q, err = wire.ParseVoteQuorum(b)
		e = VoteEvent{Kind: VoteQuorumChange, ID: q.Context, Quorate: q.Quorate, Nodes: q.Nodes}
	case wire.VoteEventNodeList:
		var l wire.VoteNodeList
		l, err = wire.ParseVoteNodeList(b)
		e = VoteEvent{Kind: VoteRingChange, ID: l.Context, Ring: l.Ring, Members: l.Members}
	case wire.VoteEventExpected:
		var x wire.VoteExpected
		x, err = wire.ParseVoteExpected(b)
		e = VoteEvent{Kind: VoteExpectedChange, ID: x.Context, Expected: x.Expected}
	default:
		return e, fmt.Errorf("votequorum: event of unknown kind %d: %w", id, service.ErrLibrary)
	}
	if err != nil {
		return VoteEvent{}, libipc.Malformed("votequorum: event", err)
	}
	return e, nil
}
