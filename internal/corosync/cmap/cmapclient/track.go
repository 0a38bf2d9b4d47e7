package cmapclient

import (
	"context"
	"fmt"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/cmap/wire"
	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Kinds are the changes of interest, and in a Change the one that happened.
type Kinds int32

// The kinds (cmap.h: CMAP_TRACK_*).
const (
	Deleted  Kinds = wire.TrackDelete
	Modified Kinds = wire.TrackModify
	Added    Kinds = wire.TrackAdd
	AnyKind        = Deleted | Modified | Added
)

// Track is a daemon's promise to tell of changes.
type Track struct{ handle uint64 }

// Track asks for the changes of one key, or with prefix of all keys that begin
// with it. id comes back in each Change; it is the caller's choice.
func (c *Client) Track(ctx context.Context, key string, prefix bool, kinds Kinds, id uint64) (Track, error) {
	if err := checkKey(key); err != nil {
		return Track{}, err
	}
	req := wire.TrackAddReq{Key: key, Flags: int32(kinds), Instance: id}
	if prefix {
		req.Flags |= wire.TrackPrefix
	}
	b, err := c.conn.Call(ctx, "track "+key, req.Append(nil), nil)
	if err != nil {
		return Track{}, err
	}
	handle, err := wire.ParseHandleRes(b)
	if err != nil {
		return Track{}, libipc.Malformed("cmap: track "+key, err)
	}
	return Track{handle}, nil
}

// Untrack ends a Track. Changes that are already under way still come.
func (c *Client) Untrack(ctx context.Context, t Track) error {
	_, err := c.conn.Call(ctx, "untrack", wire.AppendTrackDeleteReq(nil, t.handle), nil)
	return err
}

// Change tells of one change. What did not exist has no type.
type Change struct {
	ID       uint64
	Key      string
	Kind     Kinds
	New, Old cmap.Value
}

// Next waits for the next change. Changes of keys under several Tracks come
// once for each.
func (c *Client) Next(ctx context.Context) (Change, error) {
	id, b, err := c.conn.Event(ctx)
	if err != nil {
		return Change{}, err
	}
	if id != wire.EventNotify {
		return Change{}, fmt.Errorf("cmap: event of unknown kind %d: %w", id, service.ErrLibrary)
	}
	n, err := wire.ParseNotify(b)
	if err != nil {
		return Change{}, libipc.Malformed("cmap: event", err)
	}
	return Change{
		ID: n.Instance, Key: n.Key, Kind: Kinds(n.Event),
		New: cmap.Value{Type: cmap.Type(n.NewType), Raw: string(n.New)},
		Old: cmap.Value{Type: cmap.Type(n.OldType), Raw: string(n.Old)},
	}, nil
}
