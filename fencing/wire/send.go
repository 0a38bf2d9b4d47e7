package wire

import (
	"strconv"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Sendable is a message that knows its form.
type Sendable interface{ XML() *xmltree.Node }

// Raw is a message in its form already.
type Raw struct{ Node *xmltree.Node }

// XML returns the message.
func (r Raw) XML() *xmltree.Node { return r.Node }

// Command is the frame of requests (stonith_create_op).
func Command(call int, token, op string, data *xmltree.Node, o Options) *xmltree.Node {
	n := xmltree.New("stonith_command", xmltree.Attr{Name: "__name__", Value: "stonith_command"}, xmltree.Attr{Name: "t", Value: ServiceName},
		xmltree.Attr{Name: "st_async_id", Value: token}, xmltree.Attr{Name: "st_op", Value: op})
	setInt(n, "st_callid", call)
	setInt(n, "st_callopt", int(int32(o)))
	if data != nil {
		n.AddNew("st_calldata").Add(data)
	}
	return n
}

// Poke tells the peers our name.
type Poke struct{}

// XML is the message.
func (Poke) XML() *xmltree.Node {
	return xmltree.New("stonith_command", xmltree.Attr{Name: "__name__", Value: "stonith_command"},
		xmltree.Attr{Name: "t", Value: ServiceName}, xmltree.Attr{Name: "st_op", Value: OpPoke})
}

// OpHead is what every message between fencers says about an operation.
type OpHead struct {
	Call                 int
	ID, Target, Action   string
	Origin, Client, Name string
	Timeout              int
	Options              Options
}

func (h *OpHead) put(n *xmltree.Node) {
	n.Set("st_remote_op", h.ID)
	setIf(n, "st_target", h.Target)
	setIf(n, "st_device_action", h.Action)
	setIf(n, "st_origin", h.Origin)
	setIf(n, "st_clientid", h.Client)
	setIf(n, "st_clientname", h.Name)
	setInt(n, "st_timeout", h.Timeout)
}

// Query asks everybody who can fence the target.
type Query struct {
	OpHead
	RelayOp string // the operation that this one replaces
}

// XML is the message (initiate_remote_stonith_op).
func (q *Query) XML() *xmltree.Node {
	n := Command(q.Call, q.ID, OpQuery, nil, q.Options)
	q.put(n)
	setIf(n, "st_remote_op_relay", q.RelayOp)
	return n
}

// Fence asks one peer to fence the target.
type Fence struct {
	OpHead
	Delay  int
	Device string // with a topology
}

// XML is the message (request_peer_fencing).
func (f *Fence) XML() *xmltree.Node {
	n := Command(f.Call, f.ID, OpFence, nil, 0)
	f.put(n)
	setInt(n, "st_callopt", int(int32(f.Options)))
	setInt(n, "st_delay", f.Delay)
	setIf(n, "st_device_id", f.Device)
	return n
}

// TimeoutUpdate tells the node of a client how long its request can take.
type TimeoutUpdate struct {
	Call           int
	ID             string
	Client, CallID string
	Timeout        int
}

// XML is the message (report_timeout_period).
func (t *TimeoutUpdate) XML() *xmltree.Node {
	n := Command(t.Call, t.ID, OpTimeoutUpdate, nil, 0)
	n.Set("st_remote_op", t.ID)
	n.Set("st_clientid", t.Client)
	n.Set("st_callid", t.CallID)
	setInt(n, "st_timeout", t.Timeout)
	return n
}

// TimeoutValue tells a client how long its request can take.
type TimeoutValue struct {
	CallID  string
	Timeout int
}

// XML is the message (do_stonith_async_timeout_update).
func (t *TimeoutValue) XML() *xmltree.Node {
	const name = "st-async-timeout-value"
	n := xmltree.New(name, xmltree.Attr{Name: "t", Value: name}, xmltree.Attr{Name: "st_callid", Value: t.CallID})
	setInt(n, "st_timeout", t.Timeout)
	return n
}

// Outcome is the end of an operation, for peers and for clients.
type Outcome struct {
	ID, Target, Action, Delegate, Origin, Client, Name string
	State                                              State
	Result                                             Result
}

func (o *Outcome) data() *xmltree.Node {
	n := xmltree.New(NotifyFence)
	setInt(n, "state", int(o.State))
	setIf(n, "st_target", o.Target)
	setIf(n, "st_device_action", o.Action)
	setIf(n, "st_delegate", o.Delegate)
	setIf(n, "st_remote_op", o.ID)
	setIf(n, "st_origin", o.Origin)
	setIf(n, "st_clientid", o.Client)
	setIf(n, "st_clientname", o.Name)
	return n
}

// OutcomeCast is an Outcome for all peers.
type OutcomeCast struct {
	Outcome
	Count  int
	Merged bool
}

// XML is the message (fenced_broadcast_op_result).
func (o *OutcomeCast) XML() *xmltree.Node {
	n := xmltree.New("st-reply", xmltree.Attr{Name: "t", Value: OpNotify}, xmltree.Attr{Name: "subt", Value: "broadcast"},
		xmltree.Attr{Name: "st_op", Value: OpNotify}, xmltree.Attr{Name: "count", Value: strconv.Itoa(o.Count)})
	if o.Merged {
		n.Set("st_op_merged", "true")
	}
	data := o.data()
	o.Result.Set(data)
	n.AddNew("st_calldata").Add(data)
	return n
}

// Reply answers a request (fenced_construct_reply).
type Reply struct {
	To       *Message // nil when it is not known any more
	Result   Result
	Data     *xmltree.Node
	Delegate string
}

// XML is the message.
func (r *Reply) XML() *xmltree.Node {
	n := xmltree.New("st-reply", xmltree.Attr{Name: "st_origin", Value: "fenced_construct_reply"}, xmltree.Attr{Name: "t", Value: ServiceName})
	r.Result.Set(n)
	if m := r.To; m != nil {
		setIf(n, "st_op", m.Op)
		setIf(n, "st_callid", m.CallID)
		setIf(n, "st_clientid", m.Client)
		setIf(n, "st_clientname", m.Name)
		setIf(n, "st_remote_op", m.RemoteOp)
		setIf(n, "st_callopt", m.OptText)
		if r.Data != nil {
			n.AddNew("st_calldata").Add(r.Data)
		}
	}
	setIf(n, "st_delegate", r.Delegate)
	return n
}

// ActionReply is the result of an action that was executed here
// (construct_async_reply).
type ActionReply struct {
	Op, Device, ID, Client, Name, Target, Origin string
	Call                                         int
	Options                                      Options
	Result                                       Result
	Merged                                       bool
	Cast                                         bool // for all, because the target had asked
}

// XML is the message. The action is given as the operation, as upstream does.
func (a *ActionReply) XML() *xmltree.Node {
	n := xmltree.New("st-reply", xmltree.Attr{Name: "st_origin", Value: "construct_async_reply"}, xmltree.Attr{Name: "t", Value: ServiceName})
	n.Set("st_op", a.Op)
	setIf(n, "st_device_id", a.Device)
	setIf(n, "st_remote_op", a.ID)
	setIf(n, "st_clientid", a.Client)
	setIf(n, "st_clientname", a.Name)
	setIf(n, "st_target", a.Target)
	setIf(n, "st_device_action", a.Op)
	// The name of the asking peer replaces the function name.
	setIf(n, "st_origin", a.Origin)
	setInt(n, "st_callid", a.Call)
	setInt(n, "st_callopt", int(int32(a.Options)))
	a.Result.Set(n)
	if a.Merged {
		n.Set("st_op_merged", "true")
	}
	if a.Cast {
		n.Set("subt", "broadcast")
		n.Set("st_op", OpNotify)
	}
	return n
}

// Notification tells clients that something happened.
type Notification struct {
	Type    string
	Result  Result
	Outcome *Outcome // of NotifyFence
	Desc    string   // of a change of devices or levels: which one
	Active  int      // and how many there are now
	Local   *ActionReply
}

// XML is the message (fenced_send_notification).
func (t *Notification) XML() *xmltree.Node {
	n := xmltree.New("notify", xmltree.Attr{Name: "t", Value: OpNotify}, xmltree.Attr{Name: "subt", Value: t.Type},
		xmltree.Attr{Name: "st_op", Value: t.Type})
	t.Result.Set(n)
	if data := t.data(); data != nil {
		n.AddNew("st_calldata").Add(data)
	}
	return n
}

func (t *Notification) data() *xmltree.Node {
	switch {
	case t.Outcome != nil:
		return t.Outcome.data()
	case t.Local != nil: // an operation of a fencer that stands alone
		d, a := xmltree.New(NotifyFence), t.Local
		a.Result.Set(d)
		setIf(d, "st_target", a.Target)
		setIf(d, "st_op", a.Op)
		d.Set("st_delegate", "localhost")
		setIf(d, "st_device_id", a.Device)
		setIf(d, "st_remote_op", a.ID)
		setIf(d, "st_origin", a.Client)
		return d
	case t.Type == OpDeviceAdd || t.Type == OpDeviceDel || t.Type == OpLevelAdd || t.Type == OpLevelDel:
		d := xmltree.New(t.Type)
		setIf(d, "st_device_id", t.Desc)
		setInt(d, "st_active", t.Active)
		return d
	}
	return nil
}

// HistoryCast sends history, or the order to forget it, to all peers.
type HistoryCast struct {
	Options Options
	Target  string
	List    *HistoryList
}

// XML is the message (stonith_send_broadcast_history).
func (h *HistoryCast) XML() *xmltree.Node {
	n := xmltree.New("stonith_command", xmltree.Attr{Name: "t", Value: ServiceName}, xmltree.Attr{Name: "subt", Value: "broadcast"},
		xmltree.Attr{Name: "st_op", Value: OpHistory})
	setInt(n, "st_callopt", int(h.Options))
	d := n.AddNew("st_calldata").AddNew("stonith_send_broadcast_history")
	setIf(d, "st_target", h.Target)
	if h.List != nil {
		d.Add(h.List.XML(true))
	}
	return n
}
