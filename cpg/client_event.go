package cpg

import (
	"context"
	"fmt"

	"github.com/pacesync/pacesync/cpg/wire"
	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// EventKind says which fields of an Event count.
type EventKind uint8

const (
	// Deliver: Group, Node and PID of the sender, Data.
	Deliver EventKind = iota + 1
	// Confchg: Group, Members after the change, Left, Joined.
	Confchg
	// TotemConfchg: Ring, Nodes.
	TotemConfchg
)

func (k EventKind) String() string {
	switch k {
	case Deliver:
		return "deliver"
	case Confchg:
		return "confchg"
	case TotemConfchg:
		return "totem-confchg"
	}
	return fmt.Sprintf("event(%d)", uint8(k))
}

// Event is what Next returns. It and all it points to are valid until the next
// call of Next; the lists of a change are the caller's to keep.
type Event struct {
	Kind  EventKind
	Group wire.Name

	Node, PID uint32
	Data      []byte

	Members, Left, Joined []wire.Address

	Ring  service.RingID
	Nodes []uint32
}

// maxMessage bounds what pieces are put together to: a sender holds the whole
// message in memory, and so do we.
const maxMessage = 1 << 30

// Next waits for the next event: messages and changes of the joined group in
// the order that all members see, and changes of the ring. A delivered message
// of up to MaxAtomic bytes costs no allocation.
func (c *Client) Next(ctx context.Context) (*Event, error) {
	for {
		id, b, err := c.conn.Event(ctx)
		if err != nil {
			return nil, err
		}
		done, err := c.take(id, b)
		if err != nil {
			return nil, libipc.Malformed("cpg: event", err)
		}
		if done {
			return &c.event, nil
		}
	}
}

// take turns a message of the daemon into c.event; done is false for a piece
// that completes nothing.
func (c *Client) take(id int32, b []byte) (done bool, err error) {
	switch id {
	case wire.EventDeliver:
		d, err := wire.ParseDeliver(b)
		c.event = Event{Kind: Deliver, Group: d.Group, Node: d.Node, PID: d.PID, Data: d.Data}
		return true, err
	case wire.EventPartial:
		d, err := wire.ParsePartialDeliver(b)
		if err != nil {
			return false, err
		}
		return c.assemble(&d), nil
	case wire.EventConfchg:
		g, err := wire.ParseConfchg(b)
		c.event = Event{Kind: Confchg, Group: g.Group, Members: g.Members, Left: g.Left, Joined: g.Joined}
		for _, a := range g.Left {
			delete(c.pieces, source{a.Node, a.PID})
		}
		return true, err
	case wire.EventTotemConfchg:
		t, err := wire.ParseTotemConfchg(b)
		c.event = Event{Kind: TotemConfchg, Ring: t.Ring, Nodes: t.Members}
		return true, err
	}
	return false, fmt.Errorf("kind %d is unknown", id)
}

// assemble adds a piece to its message. A first piece starts anew: what the
// sender had begun before was interrupted, and it knows. Pieces of a message
// whose beginning we did not see, or that lie about their length, are dropped.
func (c *Client) assemble(d *wire.PartialDeliver) (done bool) {
	from := source{d.Node, d.PID}
	if d.Part == wire.PartFirst {
		delete(c.pieces, from)
		if d.Total > maxMessage {
			return false
		}
		if c.pieces == nil {
			c.pieces = map[source]*assembly{}
		}
		// Room grows with what comes, not with what is announced.
		c.pieces[from] = &assembly{total: d.Total}
	}
	a := c.pieces[from]
	if a == nil {
		return false
	}
	if uint64(len(a.data))+uint64(len(d.Data)) > uint64(a.total) {
		delete(c.pieces, from)
		return false
	}
	a.data = append(a.data, d.Data...)
	if d.Part != wire.PartLast {
		return false
	}
	delete(c.pieces, from)
	c.event = Event{Kind: Deliver, Group: d.Group, Node: d.Node, PID: d.PID, Data: a.data}
	return true
}
