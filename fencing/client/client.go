// Package client talks to the fencer of this node: it registers devices and
// levels, has nodes fenced, runs actions of devices, shows the history and
// listens to notifications.
//
// The controller, the executor and stonith_admin use it, with our fencer or
// Pacemaker's. It replaces lib/fencing/st_client.c.
package client

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Client is a connection to the fencer. Safe for concurrent use; calls that
// wait for their answer are served one after the other.
//
// Errors are a pcmk.RC where the fencer said no (errors.As), and those of
// crmipc where it could not be asked.
type Client struct {
	conn  *crmipc.Conn
	token string
	call  atomic.Int32
}

// grace is how much longer than the action itself a caller waits
// (stonith_send_command).
const grace = 60 * time.Second

// Dial connects and introduces the caller by name; daemons use their message
// names. The error is that of crmipc.Dial when there is no fencer.
func Dial(ctx context.Context, name string) (*Client, error) {
	conn, err := crmipc.Dial(ctx, wire.ServiceName, crmipc.DialOptions{})
	if err != nil {
		return nil, fmt.Errorf("fencer: %w", err)
	}
	c := &Client{conn: conn}
	c.call.Store(1) // as the library begins
	hello := xmltree.New("stonith_command", xmltree.Attr{Name: "t", Value: wire.ServiceName},
		xmltree.Attr{Name: "st_op", Value: wire.OpRegister}, xmltree.Attr{Name: "st_clientname", Value: name})
	reply, err := conn.Call(ctx, hello)
	if err == nil {
		c.token = reply.Attr("st_clientid")
		if reply.Attr("st_op") != wire.OpRegister || c.token == "" {
			err = pcmk.RC(syscall.EPROTO)
		}
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("fencer: registration: %w", err)
	}
	return c, nil
}

// Close ends the connection; Events ends with it.
func (c *Client) Close() error { return c.conn.Close() }

// Token is the name that the fencer gave us.
func (c *Client) Token() string { return c.token }

// request builds a call. The timeout, in whole seconds, is the one that the
// fencer gives the action; the answer may come grace later.
func (c *Client) request(op string, data *xmltree.Node, o wire.Options, timeout time.Duration) (*xmltree.Node, int) {
	id := int(c.call.Add(1))
	n := wire.Command(id, c.token, op, data, o)
	n.Set("st_timeout", fmt.Sprint(int(timeout/time.Second)))
	if data != nil {
		if d, ok := data.Get("st_delay"); ok {
			n.Set("st_delay", d)
		}
	}
	return n, id
}

// sync makes a call and waits for its reply.
func (c *Client) sync(ctx context.Context, op string, data *xmltree.Node, o wire.Options, timeout time.Duration) (*wire.Message, error) {
	n, id := c.request(op, data, o|wire.SyncCall, timeout)
	ctx, cancel := context.WithTimeout(ctx, timeout+grace)
	defer cancel()
	answer, err := c.conn.Call(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("fencer: %s: %w", op, err)
	}
	m, err := wire.Decode(answer, "")
	if err != nil {
		return nil, fmt.Errorf("fencer: %s: %w", op, err)
	}
	if m.CallNo() != id {
		return nil, fmt.Errorf("fencer: %s: %w", op, pcmk.RC(syscall.ENOMSG))
	}
	return m, nil
}

// resultErr is the error of a reply without other contents.
func resultErr(m *wire.Message, err error) error {
	if err != nil {
		return err
	}
	return m.RootResult().RC().Err()
}

// async makes a call whose reply comes as an Event with the returned number.
func (c *Client) async(op string, data *xmltree.Node, o wire.Options, timeout time.Duration) (int, error) {
	n, id := c.request(op, data, o, timeout)
	if err := c.conn.Post(n); err != nil {
		return 0, fmt.Errorf("fencer: %s: %w", op, err)
	}
	return id, nil
}

// RegisterDevice adds a device to the fencer of this node, as starting its
// resource does.
func (c *Client) RegisterDevice(ctx context.Context, r wire.Registration) error {
	return resultErr(c.sync(ctx, wire.OpDeviceAdd, r.XML(), 0, 0))
}

// RegisterDeviceAsync is RegisterDevice without waiting.
func (c *Client) RegisterDeviceAsync(r wire.Registration) (call int, err error) {
	return c.async(wire.OpDeviceAdd, r.XML(), 0, 0)
}

// RemoveDevice takes a device away, as stopping its resource does.
func (c *Client) RemoveDevice(ctx context.Context, id string) error {
	return resultErr(c.sync(ctx, wire.OpDeviceDel, removal(id), 0, 0))
}

// RemoveDeviceAsync is RemoveDevice without waiting.
func (c *Client) RemoveDeviceAsync(id string) (call int, err error) {
	return c.async(wire.OpDeviceDel, removal(id), 0, 0)
}

func removal(id string) *xmltree.Node {
	return xmltree.New("st_device_id", xmltree.Attr{Name: "st_origin", Value: "stonith_api_remove_device"}, xmltree.Attr{Name: "id", Value: id})
}

// RegisterLevel adds a level to the topology of this node's fencer.
func (c *Client) RegisterLevel(ctx context.Context, l wire.Level) error {
	return resultErr(c.sync(ctx, wire.OpLevelAdd, l.XML(), 0, 0))
}

// RemoveLevel removes a level.
func (c *Client) RemoveLevel(ctx context.Context, l wire.Level) error {
	return resultErr(c.sync(ctx, wire.OpLevelDel, l.RemoveXML(), 0, 0))
}

// Fence is an order to fence a node.
type Fence struct {
	Target    string
	Action    string        // off, reboot or on
	Timeout   time.Duration // for each device without its own
	Tolerance time.Duration // accept the same action as done if it was done so recently
	Delay     int           // seconds to wait before; -1 forbids the devices' own delays
	Options   wire.Options
}

func (f *Fence) xml() *xmltree.Node {
	n := xmltree.New("stonith_api_fence_with_delay", xmltree.Attr{Name: "st_target", Value: f.Target},
		xmltree.Attr{Name: "st_device_action", Value: f.Action})
	n.Set("st_timeout", fmt.Sprint(int(f.Timeout/time.Second)))
	n.Set("st_tolerance", fmt.Sprint(int(f.Tolerance/time.Second)))
	n.Set("st_delay", fmt.Sprint(f.Delay))
	return n
}

// Fence has a node fenced and waits for the result. The error is about the
// asking; the result says whether the node was fenced.
func (c *Client) Fence(ctx context.Context, f Fence) (wire.Result, error) {
	return rootResult(c.sync(ctx, wire.OpFence, f.xml(), f.Options, f.Timeout))
}

// FenceAsync has a node fenced; a Reply with the returned number brings the
// result, and TimeoutUpdate says how long it may take if Options ask for it.
func (c *Client) FenceAsync(f Fence) (call int, err error) {
	return c.async(wire.OpFence, f.xml(), f.Options, f.Timeout)
}

func rootResult(m *wire.Message, err error) (wire.Result, error) {
	if err != nil {
		return wire.Result{}, err
	}
	return m.RootResult(), nil
}

// Confirm says that a node is down for sure: a human has looked.
func (c *Client) Confirm(ctx context.Context, target string, o wire.Options) (wire.Result, error) {
	return c.Fence(ctx, Fence{Target: target, Action: "off", Options: o | wire.ManualAck})
}

// Execute runs an action of a registered device: monitor, list, or status with
// a target.
func (c *Client) Execute(ctx context.Context, device, action, target string, timeout time.Duration) (wire.Result, error) {
	return rootResult(c.sync(ctx, wire.OpExecute, execution(device, action, target), 0, timeout))
}

// ExecuteAsync is Execute without waiting; a Reply brings the result.
func (c *Client) ExecuteAsync(device, action, target string, timeout time.Duration) (call int, err error) {
	return c.async(wire.OpExecute, execution(device, action, target), 0, timeout)
}

func execution(device, action, target string) *xmltree.Node {
	n := xmltree.New("st_device_id", xmltree.Attr{Name: "st_origin", Value: "stonith_api_call"},
		xmltree.Attr{Name: "st_device_id", Value: device}, xmltree.Attr{Name: "st_device_action", Value: action})
	if target != "" {
		n.Set("st_target", target)
	}
	return n
}

// Query lists the devices of this node that can fence a target, which may be
// this node; all devices without a target.
func (c *Client) Query(ctx context.Context, target string, timeout time.Duration) ([]wire.Offered, error) {
	n := xmltree.New("st_device_id", xmltree.Attr{Name: "st_origin", Value: "stonith_api_query"})
	if target != "" {
		n.Set("st_target", target)
	}
	n.Set("st_device_action", "off")
	m, err := c.sync(ctx, wire.OpQuery, n, wire.AllowSuicide, timeout)
	if err := resultErr(m, err); err != nil {
		return nil, err
	}
	if m.Offer == nil {
		return nil, nil
	}
	return m.Offer.Devices, nil
}

// History shows what was fenced: one node, or all for an empty name. With
// wire.Cleanup it forgets, with wire.Broadcast all fencers exchange theirs.
func (c *Client) History(ctx context.Context, target string, o wire.Options, timeout time.Duration) ([]wire.Record, error) {
	m, err := c.sync(ctx, wire.OpHistory, historyOf(target), o, timeout)
	if err := resultErr(m, err); err != nil {
		return nil, err
	}
	if m.History == nil {
		return nil, nil
	}
	return m.History.Records, nil
}

// HistoryAsync is History for its effect alone.
func (c *Client) HistoryAsync(target string, o wire.Options) (call int, err error) {
	return c.async(wire.OpHistory, historyOf(target), o, 0)
}

func historyOf(target string) *xmltree.Node {
	if target == "" {
		return nil
	}
	return xmltree.New("stonith_api_history", xmltree.Attr{Name: "st_target", Value: target})
}

// ForgetNode removes a node from the membership cache of all fencers.
func (c *Client) ForgetNode(name string, id uint32) error {
	n := xmltree.New("rm_node_cache", xmltree.Attr{Name: "crm_task", Value: wire.OpRemoveNode}, xmltree.Attr{Name: "t", Value: wire.ServiceName})
	if id != 0 {
		n.Set("id", fmt.Sprint(id))
	}
	if name != "" {
		n.Set("uname", name)
	}
	return c.conn.Post(n)
}

// Subscribe asks for notifications, such as wire.NotifyFence.
func (c *Client) Subscribe(ctx context.Context, types ...string) error {
	for _, t := range types {
		n := xmltree.New("stonith_set_notification", xmltree.Attr{Name: "st_op", Value: wire.OpNotify}, xmltree.Attr{Name: "st_notify_activate", Value: t})
		if _, err := c.conn.Call(ctx, n); err != nil {
			return fmt.Errorf("fencer: notification %s: %w", t, err)
		}
	}
	return nil
}

// ErrLost ends the events: the fencer is gone, or Close was called.
var ErrLost = errors.New("connection to the fencer lost")
