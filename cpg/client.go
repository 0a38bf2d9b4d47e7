// Package cpg is the closed process group service: virtually synchronous
// messages and membership within named groups of processes. It holds the client
// library, which Pacemaker's daemons and the tools use, and the daemon's engine.
//
// Upstream: lib/cpg.c, exec/cpg.c, cpg_overview(3).
package cpg

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"sync"
	"time"

	"github.com/pacesync/pacesync/cpg/wire"
	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// MaxAtomic is the longest message that goes out in one piece (lib/cpg.c:
// cpg_max_atomic_msgsize_get); longer ones are cut and put together again.
const MaxAtomic = 1<<20 - 1024

// Guarantees of a multicast (cpg.h: cpg_guarantee_t). All are served as Agreed.
const (
	Unordered = 0
	FIFO      = 1
	Agreed    = 2
	Safe      = 3
)

// ClientOptions are optional.
type ClientOptions struct {
	// InitialTotemConf asks for a TotemConfchg right after the join, besides the
	// one at each ring change.
	InitialTotemConf bool
}

// Client is a connection to the closed process group service, which can be in
// one group. Safe for concurrent use, but Next must have one caller at a time.
//
// Failures are result codes: errors.As finds a service.Error in every error.
// ErrLibrary: the daemon is gone. ErrTryAgain: it is busy with a membership
// change or its queue is full; try later.
//
// Upstream: lib/cpg.c, cpg_overview(3).
type Client struct {
	conn  *libipc.Conn
	flags uint32

	sendMu sync.Mutex
	header [wire.McastReqSize]byte

	event  Event
	pieces map[source]*assembly
}

// source is a process as a sender of pieces.
type source struct{ node, pid uint32 }

// assembly is a message of which not all pieces have come.
type assembly struct {
	total uint32
	data  []byte
}

// Dial connects. ErrTryAgain: the daemon is not ready yet.
func Dial(ctx context.Context, o ClientOptions) (*Client, error) {
	conn, err := libipc.Dial(ctx, "cpg")
	if err != nil {
		return nil, err
	}
	c := &Client{conn: conn}
	if o.InitialTotemConf {
		c.flags |= wire.FlagInitialTotemConf
	}
	return c, nil
}

// finalizeLimit bounds the farewell: a daemon that hangs must not hold up its
// clients' end.
const finalizeLimit = 5 * time.Second

// Close leaves the group, if need be, and ends the connection: to the other
// members it is a death of the process unless Leave was called before.
func (c *Client) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), finalizeLimit)
	defer cancel()
	_, callErr := c.conn.Call(ctx, "finalize", mar.AppendBare(nil, wire.ReqFinalize), nil)
	if err := c.conn.Close(); err != nil {
		return err
	}
	return callErr
}

// FD becomes readable when Next would not wait. It is for polling alone.
func (c *Client) FD() int { return c.conn.FD() }

// ServerPID is the daemon's process.
func (c *Client) ServerPID() int { return c.conn.ServerPID() }

// name makes a group name of at most wire.MaxName bytes. NUL is a byte like any
// other: Pacemaker's names end with one.
func name(group string) (wire.Name, error) {
	n, err := wire.MakeName([]byte(group))
	if err != nil {
		return n, fmt.Errorf("cpg: group name of %d bytes, at most %d are possible: %w", len(group), wire.MaxName, service.ErrNameTooLong)
	}
	return n, nil
}

// busyPause is between two tries while a join or leave of this connection is
// under way. The original's library does not pause at all.
const busyPause = 10 * time.Millisecond

// whileBusy repeats a request as long as the daemon says ErrBusy.
func (c *Client) whileBusy(ctx context.Context, what string, req []byte) error {
	for {
		_, err := c.conn.Call(ctx, what, req, nil)
		if !errors.Is(err, service.ErrBusy) {
			return err
		}
		timer := time.NewTimer(busyPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// Join asks to join a group. It returns when the request is under way; being
// in is the Confchg that shows us joined. ErrExist: this connection has a group.
func (c *Client) Join(ctx context.Context, group string) error {
	n, err := name(group)
	if err != nil {
		return err
	}
	req := wire.JoinReq{Group: n, PID: uint32(os.Getpid()), Flags: c.flags}
	return c.whileBusy(ctx, "join", req.Append(nil))
}

// Leave asks to leave the group; being out is the Confchg that shows us left.
func (c *Client) Leave(ctx context.Context, group string) error {
	n, err := name(group)
	if err != nil {
		return err
	}
	req := wire.LeaveReq{Group: n, PID: uint32(os.Getpid())}
	return c.whileBusy(ctx, "leave", req.Append(nil))
}

// Mcast sends data to the group, ourselves included. A message of up to
// MaxAtomic bytes is passed on without waiting and without an allocation:
// ErrTryAgain when the daemon's queue is full; if we are in no group nobody
// tells. A longer one goes in pieces that are answered one by one; ErrInterrupt
// when the membership changed between them, the message is lost then.
func (c *Client) Mcast(ctx context.Context, guarantee uint32, data []byte) error {
	c.sendMu.Lock()
	defer c.sendMu.Unlock()
	if len(data) > MaxAtomic {
		return c.mcastPieces(ctx, guarantee, data)
	}
	req := wire.McastReq{Guarantee: guarantee, Data: data}
	req.PutHeader(&c.header)
	return c.conn.Cast("mcast", c.header[:], data)
}

// Retries of one piece that the daemon has no room for (lib/cpg.c:
// MAX_RETRIES, send_fragments).
const (
	pieceTries = 100
	piecePause = 10 * time.Millisecond
)

func (c *Client) mcastPieces(ctx context.Context, guarantee uint32, data []byte) error {
	if uint64(len(data)) > maxMessage {
		return fmt.Errorf("cpg: message of %d bytes, at most %d are possible: %w", len(data), maxMessage, service.ErrTooBig)
	}
	for sent := 0; sent < len(data); {
		req := wire.PartialMcastReq{Guarantee: guarantee, Total: uint32(len(data)), Part: wire.PartContinued}
		req.Data = data[sent:min(sent+MaxAtomic, len(data))]
		switch {
		case sent == 0:
			req.Part = wire.PartFirst
		case sent+len(req.Data) == len(data):
			req.Part = wire.PartLast
		}
		var header [wire.PartialMcastReqSize]byte
		req.PutHeader(&header)
		err := libipc.Retry(ctx, pieceTries, piecePause, func() error {
			_, err := c.conn.CallStrict(ctx, "mcast", header[:], req.Data)
			return err
		})
		if err != nil {
			return err
		}
		sent += len(req.Data)
	}
	return nil
}

// LocalNode returns the local node id.
func (c *Client) LocalNode(ctx context.Context) (uint32, error) {
	b, err := c.conn.Call(ctx, "local node", mar.AppendBare(nil, wire.ReqLocalGet), nil)
	if err != nil {
		return 0, err
	}
	node, err := wire.ParseLocalGetRes(b)
	if err != nil {
		return 0, libipc.Malformed("cpg: local node", err)
	}
	return node, nil
}

// Members returns the members of any group, in the order of node and process.
func (c *Client) Members(ctx context.Context, group string) ([]wire.Address, error) {
	n, err := name(group)
	if err != nil {
		return nil, err
	}
	req := wire.MembershipReq{Group: n}
	b, err := c.conn.Call(ctx, "membership", req.Append(nil), nil)
	if err != nil {
		return nil, err
	}
	members, err := wire.ParseMembershipRes(b)
	if err != nil {
		return nil, libipc.Malformed("cpg: membership", err)
	}
	return members, nil
}

// Groups visits the names of all groups; an error is the last thing it yields.
func (c *Client) Groups(ctx context.Context) iter.Seq2[wire.Item, error] {
	return c.iterate(ctx, wire.IterInitReq{Type: wire.IterNames})
}

// Processes visits every process of every group.
func (c *Client) Processes(ctx context.Context) iter.Seq2[wire.Item, error] {
	return c.iterate(ctx, wire.IterInitReq{Type: wire.IterAll})
}

// ProcessesOf visits the processes of one group.
func (c *Client) ProcessesOf(ctx context.Context, group string) iter.Seq2[wire.Item, error] {
	n, err := name(group)
	if err != nil {
		return func(yield func(wire.Item, error) bool) { yield(wire.Item{}, err) }
	}
	return c.iterate(ctx, wire.IterInitReq{Type: wire.IterOneGroup, Group: n})
}

// broken is the failure of an iteration that had begun.
type broken struct{ error }

func (b broken) Unwrap() error { return b.error }

// Started tells whether an error of an iteration came after it had begun.
func Started(err error) bool {
	var b broken
	return errors.As(err, &b)
}

func (c *Client) iterate(ctx context.Context, req wire.IterInitReq) iter.Seq2[wire.Item, error] {
	return func(yield func(wire.Item, error) bool) {
		b, err := c.conn.Call(ctx, "iterate", req.Append(nil), nil)
		if err != nil {
			yield(wire.Item{}, err)
			return
		}
		handle, err := wire.ParseIterInitRes(b)
		if err != nil {
			yield(wire.Item{}, libipc.Malformed("cpg: iterate", err))
			return
		}
		// The daemon keeps an iteration until told, or until the connection ends.
		defer func() {
			_, _ = c.conn.Call(ctx, "end iteration", wire.AppendIterFinalizeReq(nil, handle), nil)
		}()
		for {
			b, err := c.conn.Call(ctx, "next", wire.AppendIterNextReq(nil, handle), nil)
			if errors.Is(err, service.ErrNoSections) {
				return
			}
			var it wire.Item
			if err == nil {
				if it, err = wire.ParseIterNextRes(b); err != nil {
					err = libipc.Malformed("cpg: next", err)
				}
			}
			if err != nil {
				yield(wire.Item{}, broken{err})
				return
			}
			if !yield(it, nil) {
				return
			}
		}
	}
}
