package wire

import (
	"errors"
	"strconv"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Limits of what one message may hold, far above what any fencer sends: its
// history ends at 500 entries, and a node has at most a few hundred devices.
const (
	maxHistory = 4096
	maxDevices = 4096
)

// Errors of Decode.
var (
	ErrTooMany = errors.New("more entries than a fencer sends")
)

// Message is a request or a reply as it came in. Immutable after Decode, but
// for Op, ClientID, ClientName, ClientNode and RemoteOp, which the receiver
// stamps before it hands the message on.
type Message struct {
	Reply    bool // an answer of a fencer
	Op       string
	Task     string // crm_task, of which only the removal of a node is understood
	Subtype  string
	Peer     string // the node that sent it, empty for a client's message
	CallID   string // as sent, because its absence means something
	OptText  string
	Options  Options
	AsyncID  string
	Client   string // st_clientid
	Name     string // st_clientname
	Node     string // st_clientnode
	RemoteOp string // of the root
	RelayOp  string
	Timeout  int // seconds
	Delay    int
	Merged   bool
	NodeID   int    // of a removal
	Uname    string // of a removal

	NotifyOn, NotifyOff string

	Target  *Part         // the one element with st_target
	Action  *Part         // the one element with st_device_action
	OpID    string        // st_remote_op, wherever it is
	Result  *ResultPart   // the one element with a result
	Offer   *Offer        // what a peer can do, in the reply to a query
	Device  *Registration // the one element st_device_id
	Level   *Level
	History *HistoryList

	Delegate string // st_delegate, wherever it is
	tree     *xmltree.Node
}

// Part is what an element says about an action on a target.
type Part struct {
	Target, Action, Device   string
	Origin, Delegate         string
	RemoteOp, Client, Name   string
	Tolerance, State         int
	HasTarget, HasAction     bool
	OptText                  string
	Timeout, Delay, CallIDNo int
}

// ResultPart is an element with a result, and what it is the result of.
type ResultPart struct {
	Part
	Result Result
}

// Tree is what the message was read from, for passing it on unchanged.
func (m *Message) Tree() *xmltree.Node { return m.tree }

// Decode reads a message of a client or, with the name of its node, of a peer.
func Decode(n *xmltree.Node, peer string) (*Message, error) {
	m := &Message{
		Op: n.Attr("st_op"), Task: n.Attr("crm_task"), Subtype: n.Attr("subt"), Peer: peer, CallID: n.Attr("st_callid"),
		OptText: n.Attr("st_callopt"), AsyncID: n.Attr("st_async_id"), Client: n.Attr("st_clientid"), Name: n.Attr("st_clientname"),
		Node: n.Attr("st_clientnode"), RemoteOp: n.Attr("st_remote_op"), RelayOp: n.Attr("st_remote_op_relay"),
		Timeout: atoi(n.Attr("st_timeout")), Delay: atoi(n.Attr("st_delay")), NodeID: atoi(n.Attr("id")), Uname: n.Attr("uname"),
		NotifyOn: n.Attr("st_notify_activate"), NotifyOff: n.Attr("st_notify_deactivate"), tree: n,
	}
	_, m.Merged = n.Get("st_op_merged")
	m.Options = Options(uint32(atoi(m.OptText)))
	m.Reply = n.Find(func(e *xmltree.Node) bool { return e.Name == "st-reply" }) != nil
	if e := sole(n, "st_target"); e != nil {
		m.Target = partOf(e)
	}
	if e := sole(n, "st_device_action"); e != nil {
		m.Action = partOf(e)
	}
	if e := sole(n, "st_remote_op"); e != nil {
		m.OpID = e.Attr("st_remote_op")
	}
	if e := sole(n, "st_delegate"); e != nil {
		m.Delegate = e.Attr("st_delegate")
	}
	e := sole(n, "rc-code")
	if e == nil {
		e = sole(n, "st_rc") // fencers before 2.1.3
	}
	if e != nil {
		m.Result = &ResultPart{Part: *partOf(e), Result: resultOf(e)}
	}
	return m, m.decodeBody(n)
}

func (m *Message) decodeBody(n *xmltree.Node) error {
	var err error
	if e := sole(n, "st-available-devices"); e != nil {
		if m.Offer, err = offerOf(e); err != nil {
			return err
		}
	}
	if e := soleNamed(n, "st_device_id"); e != nil {
		m.Device = registrationOf(e)
	}
	if e := soleNamed(n, "fencing-level"); e != nil {
		m.Level = LevelOf(e)
	}
	if e := soleNamed(n, "st_history"); e != nil {
		m.History, err = historyOf(e)
	}
	return err
}

// sole finds the only element with an attribute; none when there are several
// (get_xpath_object).
func sole(n *xmltree.Node, attr string) *xmltree.Node {
	return only(n, func(e *xmltree.Node) bool { _, ok := e.Get(attr); return ok })
}

func soleNamed(n *xmltree.Node, name string) *xmltree.Node {
	return only(n, func(e *xmltree.Node) bool { return e.Name == name })
}

func only(n *xmltree.Node, match func(*xmltree.Node) bool) *xmltree.Node {
	var found *xmltree.Node
	count := 0
	n.Find(func(e *xmltree.Node) bool {
		if match(e) {
			found, count = e, count+1
		}
		return count > 1
	})
	if count != 1 {
		return nil
	}
	return found
}

func partOf(e *xmltree.Node) *Part {
	p := &Part{
		Device: e.Attr("st_device_id"), Origin: e.Attr("st_origin"), Delegate: e.Attr("st_delegate"),
		RemoteOp: e.Attr("st_remote_op"), Client: e.Attr("st_clientid"), Name: e.Attr("st_clientname"),
		Tolerance: atoi(e.Attr("st_tolerance")), State: atoi(e.Attr("state")), OptText: e.Attr("st_callopt"),
		Timeout: atoi(e.Attr("st_timeout")), Delay: atoi(e.Attr("st_delay")), CallIDNo: atoi(e.Attr("st_callid")),
	}
	p.Target, p.HasTarget = e.Get("st_target")
	p.Action, p.HasAction = e.Get("st_device_action")
	return p
}

// CallNo is the number of the call, 0 when there is none.
func (m *Message) CallNo() int { return atoi(m.CallID) }

// OfResult makes the message that a result element would be on its own, to
// record the operation of a peer that was not seen to begin.
func (r *ResultPart) OfResult() *Message {
	p := r.Part
	m := &Message{Client: p.Client, Name: p.Name, RemoteOp: p.RemoteOp, OpID: p.RemoteOp, Timeout: p.Timeout, Delay: p.Delay, OptText: p.OptText}
	m.Options = Options(uint32(atoi(p.OptText)))
	if p.CallIDNo != 0 {
		m.CallID = strconv.Itoa(p.CallIDNo)
	}
	if p.HasTarget {
		m.Target = &p
	}
	if p.HasAction {
		m.Action = &p
	}
	return m
}

// RootResult is the result that the message itself carries, as clients read it.
func (m *Message) RootResult() Result { return resultOf(m.tree) }

// StateOf reads a state.
func StateOf(s string) State { return State(atoi(s)) }
