// Package client is the client of the executor's interface: it registers
// resources, has operations run and cancelled, and hears how they end. The
// controller and cts-exec-helper use it, with our executor and with the
// original.
//
//	c, err := client.Dial(ctx, "crmd")
//	c.Pump(func(e wire.Notify, err error) { events <- … }) // err ends it: the executor is gone
//	err = c.Register(ctx, wire.Rsc{ID: "web", Class: "ocf", Provider: "heartbeat", Type: "apache"}, 0)
//	call, err := c.Exec(ctx, client.Operation{RscID: "web", Action: "start", Timeout: 20000})
//	// … an event with CallID == call tells the result.
//
// Errors of the executor are pcmk.RC values: errors.Is(err, syscall.ENODEV).
//
// It replaces lib/lrmd/lrmd_client.c without the parts that run agents
// themselves, which are in lrmd/agent.
package client

import (
	"context"
	"fmt"
	"syscall"

	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/lrmd/wire"
)

// Service is the name of the executor's socket.
const Service = "lrmd"

// Client is a connection to the executor. Safe for concurrent use.
type Client struct {
	conn  *crmipc.Conn
	token string
}

// Dial connects and says who we are. name shows in the executor's log.
func Dial(ctx context.Context, name string) (*Client, error) {
	conn, err := crmipc.Dial(ctx, Service, crmipc.DialOptions{})
	if err != nil {
		return nil, err
	}
	c := &Client{conn: conn}
	reply, err := c.call(ctx, wire.Request{Op: wire.OpRegister, ClientName: name, Version: wire.Protocol})
	if err == nil && (reply.Op != wire.OpRegister || reply.ClientID == "") {
		err = fmt.Errorf("lrmd: the executor does not confirm the registration: %w", syscall.EPROTO)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	c.token = reply.ClientID
	return c, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Pump calls f with every event in a goroutine of its own; the last call has an
// error, which says that the executor is gone or that the client was closed.
func (c *Client) Pump(f func(wire.Notify, error)) {
	c.conn.Pump(func(in crmipc.Incoming, err error) {
		if err != nil {
			f(wire.Notify{}, err)
			return
		}
		if e, ok := wire.ParseNotify(in.XML); ok {
			f(e, nil)
		}
	})
}

// call sends a request and turns a negative result into an error.
func (c *Client) call(ctx context.Context, q wire.Request) (wire.Reply, error) {
	q.Token = c.token
	answer, err := c.conn.Call(ctx, q.XML())
	if err != nil {
		return wire.Reply{}, err
	}
	r, err := wire.ParseReply(answer)
	if err != nil {
		return r, fmt.Errorf("%w: %w", err, syscall.ENOMSG)
	}
	if r.RC < 0 {
		return r, fmt.Errorf("lrmd: %s: %w", q.Op, pcmk.RCFromLegacy(r.RC))
	}
	return r, nil
}

// Register makes a resource known. The original refuses the same from its own
// clients before asking: id, class and type are needed, and a provider for ocf.
func (c *Client) Register(ctx context.Context, rsc wire.Rsc, opts wire.Options) error {
	if rsc.ID == "" || rsc.Class == "" || rsc.Type == "" || rsc.NeedsProvider() && rsc.Provider == "" {
		return fmt.Errorf("lrmd: incomplete resource %q: %w", rsc.ID, pcmk.RC(syscall.EINVAL))
	}
	_, err := c.call(ctx, wire.Request{Op: wire.OpRscRegister, Origin: "lrmd_api_register_rsc", HasRsc: true, Rsc: rsc, Options: opts})
	return err
}

// Unregister forgets a resource. EINPROGRESS: an operation runs; its end is told.
func (c *Client) Unregister(ctx context.Context, id string) error {
	_, err := c.call(ctx, wire.Request{Op: wire.OpUnregister, Origin: "lrmd_api_unregister_rsc", HasRsc: true, Rsc: wire.Rsc{ID: id}})
	return err
}

// Info returns a registered resource; ENODEV when there is none.
func (c *Client) Info(ctx context.Context, id string) (wire.Rsc, error) {
	r, err := c.call(ctx, wire.Request{Op: wire.OpRscInfo, Origin: "lrmd_api_get_rsc_info", HasRsc: true, Rsc: wire.Rsc{ID: id}})
	if err != nil {
		return wire.Rsc{}, err
	}
	r.Rsc.ID = id
	if r.Rsc.Class == "" || r.Rsc.Type == "" || r.Rsc.NeedsProvider() && r.Rsc.Provider == "" {
		return wire.Rsc{}, fmt.Errorf("lrmd: %s: incomplete answer: %w", id, syscall.ENOMSG)
	}
	return r.Rsc, nil
}

// Operation is what Exec wants done. Times are milliseconds.
type Operation struct {
	RscID, Action string
	UserData      string // comes back with the result: the controller's transition key
	Interval      uint32 // 0: once
	Timeout       int
	StartDelay    int
	Options       wire.Options
	Params        wire.Params
}

// Exec queues an operation and returns its call id. ENODEV: the resource is not
// registered.
func (c *Client) Exec(ctx context.Context, o Operation) (int, error) {
	r, err := c.call(ctx, wire.Request{
		Op: wire.OpRscExec, Origin: "lrmd_api_exec", Timeout: o.Timeout, Options: o.Options, HasRsc: true,
		Rsc: wire.Rsc{ID: o.RscID}, Action: o.Action, UserData: o.UserData, Interval: o.Interval,
		OpTimeout: o.Timeout, StartDelay: o.StartDelay, Params: o.Params,
	})
	return r.RC, err
}

// Cancel ends a recurring operation or one that has not begun; an event with
// status Cancelled follows. EOPNOTSUPP: there is no such operation.
func (c *Client) Cancel(ctx context.Context, id, action string, interval uint32) error {
	_, err := c.call(ctx, wire.Request{Op: wire.OpRscCancel, Origin: "lrmd_api_cancel", HasRsc: true, Rsc: wire.Rsc{ID: id}, Action: action, Interval: interval})
	return err
}

// Recurring lists recurring operations, of one resource or, without id, of all.
func (c *Client) Recurring(ctx context.Context, id string) ([]wire.Recurring, error) {
	r, err := c.call(ctx, wire.Request{Op: wire.OpGetRecurring, Origin: "lrmd_api_get_recurring_ops", HasRsc: id != "", Rsc: wire.Rsc{ID: id}})
	return r.Recurring, err
}

// Poke asks whether the executor is alive; every client gets an event of it.
func (c *Client) Poke(ctx context.Context) error {
	_, err := c.call(ctx, wire.Request{Op: wire.OpPoke, Origin: "lrmd_api_poke_connection", HasRsc: true})
	return err
}

// Alert is an alert agent to run as hacluster, params being its environment.
type Alert struct {
	ID, Path string
	Timeout  int // ms
	Params   wire.Params
}

// ExecAlert runs an alert agent; nothing is told about its end.
func (c *Client) ExecAlert(ctx context.Context, a Alert) error {
	_, err := c.call(ctx, wire.Request{
		Op: wire.OpAlertExec, Origin: "lrmd_api_exec_alert", Timeout: a.Timeout, Options: wire.NotifyOrigOnly,
		Alert: wire.Alert{ID: a.ID, Path: a.Path}, OpTimeout: a.Timeout, Params: a.Params,
	})
	return err
}
