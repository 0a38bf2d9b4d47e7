package client

import (
	"errors"
	"time"

	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/crmipc"
)

// Event is what the fencer says without being waited for: Reply, TimeoutUpdate,
// Notification or Lost.
type Event interface{ event() }

// Reply is the end of an asynchronous call.
type Reply struct {
	Call   int
	Result wire.Result
	Target string // of a fencing
}

// TimeoutUpdate says how long a call may take in all.
type TimeoutUpdate struct {
	Call    int
	Timeout time.Duration
}

// Notification is one of those subscribed to.
type Notification struct {
	Type   string
	Result wire.Result
	// Of wire.NotifyFence:
	ID, Target, Action, Delegate, Origin, Client, ClientName string
	State                                                    wire.State
	// Of changes of devices and levels:
	Device string
}

// Lost is the last event.
type Lost struct{ Err error }

func (Reply) event()         {}
func (TimeoutUpdate) event() {}
func (Notification) event()  {}
func (Lost) event()          {}

// Events calls f with each event, in a goroutine of its own; Lost is the last.
// Call it once.
func (c *Client) Events(f func(Event)) {
	c.conn.Pump(func(in crmipc.Incoming, err error) {
		if err != nil {
			if errors.Is(err, crmipc.ErrBadMessage) {
				err = errors.Join(ErrLost, err)
			}
			f(Lost{errors.Join(ErrLost, err)})
			return
		}
		if ev := decode(in); ev != nil {
			f(ev)
		}
	})
}

// decode reads an event; nil for what no client understands.
func decode(in crmipc.Incoming) Event {
	m, err := wire.Decode(in.XML, "")
	if err != nil {
		return nil
	}
	switch in.XML.Attr("t") {
	case wire.ServiceName:
		r := Reply{Call: m.CallNo(), Result: m.RootResult()}
		if m.Target != nil {
			r.Target = m.Target.Target
		}
		return r
	case "st-async-timeout-value":
		return TimeoutUpdate{Call: m.CallNo(), Timeout: time.Duration(m.Timeout) * time.Second}
	case wire.OpNotify:
		return notification(m)
	}
	return nil
}

func notification(m *wire.Message) Notification {
	n := Notification{Type: m.Subtype, Result: m.RootResult()}
	d := m.Tree().Path("st_calldata", m.Subtype)
	if d == nil {
		return n
	}
	n.ID, n.Target, n.Action, n.Delegate = d.Attr("st_remote_op"), d.Attr("st_target"), d.Attr("st_device_action"), d.Attr("st_delegate")
	n.Origin, n.Client, n.ClientName = d.Attr("st_origin"), d.Attr("st_clientid"), d.Attr("st_clientname")
	n.Device = d.Attr("st_device_id")
	n.State = wire.StateOf(d.Attr("state"))
	return n
}
