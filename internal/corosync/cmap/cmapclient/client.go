// Package cmapclient is the client library of the configuration map: read,
// write, iterate and track its keys through the daemon. The command-line tools,
// Pacemaker's daemons and tests use it.
//
// Failures are result codes: errors.As finds a service.Error in every error.
//
// Upstream: lib/cmap.c, cmap_overview(3).
package cmapclient

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/cmap/wire"
	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Map is one of the daemon's maps.
type Map int32

// The maps (cmap.h: cmap_map_t).
const (
	ICMAP Map = wire.MapICMAP // configuration and runtime values
	Stats Map = wire.MapStats // counters, built when read
)

// maxKey is the longest key that goes out (corotypes.h: CS_MAX_NAME_LENGTH
// counts the NUL).
const maxKey = wire.KeySize - 1

// Client is a connection to one map. Safe for concurrent use, but Next must
// have one caller at a time.
type Client struct{ conn *libipc.Conn }

// Dial connects and chooses the map. ErrTryAgain: the daemon is not ready yet.
func Dial(ctx context.Context, m Map) (*Client, error) {
	conn, err := libipc.Dial(ctx, "cmap")
	if err != nil {
		return nil, err
	}
	c := &Client{conn}
	if m == ICMAP {
		return c, nil // what every connection starts with
	}
	if _, err := conn.Call(ctx, "set map", wire.AppendSetMapReq(nil, int32(m)), nil); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// Close ends the connection, its iterations and its tracking.
func (c *Client) Close() error { return c.conn.Close() }

// FD becomes readable when Next would not wait. It is for polling alone.
func (c *Client) FD() int { return c.conn.FD() }

func checkKey(key string) error {
	if len(key) > maxKey {
		return fmt.Errorf("cmap: key of %d bytes, at most %d are possible: %w", len(key), maxKey, service.ErrNameTooLong)
	}
	return nil
}

// Item is a key with the type and length of its value.
type Item struct {
	Key  string
	Type cmap.Type
	Len  int
}

// Stat returns the type and length of a key's value.
func (c *Client) Stat(ctx context.Context, key string) (Item, error) {
	r, err := c.get(ctx, key, 0)
	return Item{key, cmap.Type(r.Type), int(r.Len)}, err
}

func (c *Client) get(ctx context.Context, key string, room int) (wire.GetRes, error) {
	if err := checkKey(key); err != nil {
		return wire.GetRes{}, err
	}
	req := wire.GetReq{Key: key, Room: uint64(room)}
	b, err := c.conn.Call(ctx, "get "+key, req.Append(nil), nil)
	if err != nil {
		return wire.GetRes{}, err
	}
	r, err := wire.ParseGetRes(b)
	if err != nil {
		return r, libipc.Malformed("cmap: get "+key, err)
	}
	return r, nil
}

// usualRoom is enough for nearly every value; larger ones cost a second call.
const usualRoom = 256

// Get returns a key's value; ErrNotExist when there is none.
func (c *Client) Get(ctx context.Context, key string) (cmap.Value, error) {
	r, err := c.get(ctx, key, usualRoom)
	for tries := 0; tries < 3; tries++ {
		if err == nil && uint64(len(r.Value)) == r.Len {
			return cmap.Value{Type: cmap.Type(r.Type), Raw: string(r.Value)}, nil
		}
		if err != nil && libipc.Code(err) != service.ErrInvalidParam {
			return cmap.Value{}, err
		}
		// Too little room: ask how much it takes. The value may grow meanwhile.
		var item Item
		if item, err = c.Stat(ctx, key); err == nil {
			r, err = c.get(ctx, key, item.Len)
		}
	}
	if err == nil {
		err = fmt.Errorf("cmap: get %s: %d bytes of %d: %w", key, len(r.Value), r.Len, service.ErrMessageError)
	}
	return cmap.Value{}, err
}

// GetUint32 returns the value of a key of type u32; ErrInvalidParam for
// another type.
func (c *Client) GetUint32(ctx context.Context, key string) (uint32, error) {
	v, err := c.Get(ctx, key)
	if err != nil {
		return 0, err
	}
	n, ok := v.AsUint()
	if !ok || v.Type != cmap.Uint32 {
		return 0, fmt.Errorf("cmap: get %s: it is %v, not u32: %w", key, v.Type, service.ErrInvalidParam)
	}
	return uint32(n), nil
}

// GetString returns the value of a key of type string; ErrInvalidParam for
// another type.
func (c *Client) GetString(ctx context.Context, key string) (string, error) {
	v, err := c.Get(ctx, key)
	if err != nil {
		return "", err
	}
	s, ok := v.AsString()
	if !ok {
		return "", fmt.Errorf("cmap: get %s: it is %v, not str: %w", key, v.Type, service.ErrInvalidParam)
	}
	return s, nil
}

// Set stores a value, on this node alone. ErrAccess: the key is read-only.
func (c *Client) Set(ctx context.Context, key string, v cmap.Value) error {
	if err := checkKey(key); err != nil {
		return err
	}
	raw := v.Raw
	if s, ok := v.AsString(); ok {
		raw = s // libcmap sends no NUL
	}
	req := wire.SetReq{Key: key, Type: uint8(v.Type), Value: []byte(raw)}
	_, err := c.conn.Call(ctx, "set "+key, req.AppendHeader(nil), req.Value)
	return err
}

// Delete removes a key.
func (c *Client) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	_, err := c.conn.Call(ctx, "delete "+key, wire.AppendDeleteReq(nil, key), nil)
	return err
}

// Adjust adds step to an integer.
func (c *Client) Adjust(ctx context.Context, key string, step int32) error {
	if err := checkKey(key); err != nil {
		return err
	}
	req := wire.AdjustReq{Key: key, Step: step}
	_, err := c.conn.Call(ctx, "adjust "+key, req.Append(nil), nil)
	return err
}

// broken is the failure of an iteration that had begun.
type broken struct{ error }

func (b broken) Unwrap() error { return b.error }

// Started tells whether an error of All came after the iteration had begun.
func Started(err error) bool {
	var b broken
	return errors.As(err, &b)
}

// All visits the keys that begin with prefix, in the map's order; an error is
// the last thing it yields. Keys may be changed meanwhile: ones that come or go
// are seen or not.
func (c *Client) All(ctx context.Context, prefix string) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		handle, err := c.iterate(ctx, prefix)
		if err != nil {
			yield(Item{}, err)
			return
		}
		// The daemon keeps an iteration until told, or until the connection ends.
		defer func() { _, _ = c.conn.Call(ctx, "end iteration", wire.AppendIterFinalizeReq(nil, handle), nil) }()
		for {
			b, err := c.conn.Call(ctx, "next key", wire.AppendIterNextReq(nil, handle), nil)
			if errors.Is(err, service.ErrNoSections) {
				return
			}
			var it wire.Item
			if err == nil {
				if it, err = wire.ParseItemRes(b); err != nil {
					err = libipc.Malformed("cmap: next key", err)
				}
			}
			if err != nil {
				yield(Item{}, broken{err})
				return
			}
			if !yield(Item{it.Key, cmap.Type(it.Type), int(it.Len)}, nil) {
				return
			}
		}
	}
}

func (c *Client) iterate(ctx context.Context, prefix string) (uint64, error) {
	if err := checkKey(prefix); err != nil {
		return 0, err
	}
	b, err := c.conn.Call(ctx, "iterate", wire.AppendIterInitReq(nil, prefix), nil)
	if err != nil {
		return 0, err
	}
	handle, err := wire.ParseHandleRes(b)
	if err != nil {
		return 0, libipc.Malformed("cmap: iterate", err)
	}
	return handle, nil
}
