// Package wire is the form of the attribute manager's messages: requests of
// clients, what attribute managers tell each other, answers to queries, and the
// change of the CIB's status section that a write is.
//
// internal/attrd and the tools that talk to it call it. It replaces the XML parts
// of daemons/attrd and of lib/common/ipc_attrd.c. An attribute of XML that is
// empty counts as absent, as everywhere in Pacemaker (nvpair.c: crm_element_value).
package wire

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/pacesync/pacesync/crmd/election"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Protocol is the version that this attribute manager speaks
// (pacemaker-attrd.h: ATTRD_PROTOCOL_VERSION).
const Protocol = 4

// ProtocolAttr is the private attribute by which each one announces its version.
const ProtocolAttr = "#attrd-protocol"

// MaxOps bounds the changes of one message: far above what a controller sends at once.
const MaxOps = 1 << 20

// Task is what a message asks for.
type Task uint8

// The tasks; NoTask is that of the entries of a sync response.
const (
	NoTask Task = iota
	Update
	UpdateBoth
	UpdateDelay
	ClearFailure
	Query
	Refresh
	PeerRemove
	Sync
	SyncResponse
	Flush
)

func taskNames() []string {
	return []string{"", "update", "update-both", "update-delay", "clear-failure", "query", "refresh",
		"peer-remove", "sync", "sync-response", "flush"}
}

func (t Task) String() string {
	if names := taskNames(); int(t) < len(names) {
		return names[t]
	}
	return "task " + strconv.Itoa(int(t))
}

func parseTask(s string) (Task, bool) {
	for i, name := range taskNames() {
		if name == s && s != "" {
			return Task(i), true
		}
	}
	return NoTask, false
}

// Value is one attribute's value for one node, as asked for or as it stands.
type Value struct {
	Task      Task
	Name      string
	Pattern   string // extended regular expression of names, when Name is empty
	Value     string // empty: not set
	Dampening string // a time with unit; empty: not said
	Host      string // empty: the local node, or all
	HostID    uint32
	Set       string // id of the set that holds it
	Key       string // id of the nvpair
	User      string // on whose behalf the CIB is written
	Remote    bool   // the node runs Pacemaker Remote
	Private   bool   // never written to the CIB
	Force     bool   // to be written although it is unchanged
}

// Message is a request of a client or a message of a peer.
type Message struct {
	Root    string // name of the element; it says which function made it
	Source  string // program of the client
	ACLUser string
	Value   // of the message itself
	Ops     []Value
	Multi   bool           // holds elements: Ops are what it asks for, its own attributes are their defaults
	Version int            // of a peer's protocol; 0 if it did not say
	Writer  election.State // of a peer

	Resource, Operation, Interval string // clear-failure
}

// ErrUnknownTask says that a message asks for something that is not known; the
// task is in the text.
var ErrUnknownTask = errors.New("unknown task")

// Decode reads a request or a peer's message.
func Decode(n *xmltree.Node) (Message, error) {
	m := Message{Root: n.Name, Source: n.Attr("src"), ACLUser: n.Attr("acl_target"), Value: value(n),
		Resource: n.Attr("attr_resource"), Operation: n.Attr("attr_clear_operation"), Interval: n.Attr("attr_clear_interval"),
		Version: number(n, "attr_version"), Writer: election.State(number(n, "attr_writer") & 0xff)}
	task, ok := parseTask(n.Attr("task"))
	if !ok {
		return m, fmt.Errorf("attrd: message <%s> from %q: %w %q", n.Name, m.Source, ErrUnknownTask, n.Attr("task"))
	}
	m.Task = task
	m.Multi = task != SyncResponse && n.HasElements()
	var err error
	n.Elements(func(c *xmltree.Node) {
		if m.Task != SyncResponse && c.Name != "op" {
			return
		}
		if len(m.Ops) == MaxOps {
			err = fmt.Errorf("attrd: message <%s> has more than %d changes", n.Name, MaxOps)
			return
		}
		m.Ops = append(m.Ops, value(c))
	})
	return m, err
}

func value(n *xmltree.Node) Value {
	task, _ := parseTask(n.Attr("task"))
	v := Value{Task: task, Name: n.Attr("attr_name"), Pattern: n.Attr("attr_regex"), Value: n.Attr("attr_value"),
		Dampening: n.Attr("attr_dampening"), Host: n.Attr("attr_host"), Set: n.Attr("attr_set"), Key: n.Attr("attr_key"),
		User: n.Attr("attr_user"), Remote: number(n, "attr_is_remote") != 0, Private: number(n, "attr_is_private") != 0,
		Force: number(n, "attrd_is_force_write") == 1}
	if id := number(n, "attr_host_id"); id > 0 {
		v.HostID = uint32(id)
	}
	return v
}

// number reads an int as crm_element_value_int does; what is none, or outside int32, is 0.
func number(n *xmltree.Node, name string) int {
	v, ok := score.LeadingInt(n.Attr(name))
	if !ok || v != int64(int32(v)) {
		return 0
	}
	return int(v)
}

// Encode writes a message for peers. Its own attributes come first, in the order
// of a client's request, then what the daemon adds.
func Encode(m Message) *xmltree.Node {
	n := Request(m)
	if m.Task == SyncResponse {
		n = xmltree.New(m.Root)
		set(n, "task", m.Task.String())
		for _, v := range m.Ops {
			n.Add(entry(v))
		}
		set(n, "t", "attrd")
	}
	n.Set("attr_version", strconv.Itoa(Protocol))
	n.Set("attr_writer", strconv.Itoa(int(m.Writer)))
	return n
}

// Request writes a message as a client does (ipc_attrd.c: create_attrd_op, populate_update_op).
func Request(m Message) *xmltree.Node {
	n := xmltree.New(m.Root)
	set(n, "t", "attrd")
	set(n, "src", m.Source)
	set(n, "acl_target", m.ACLUser)
	if m.Task == ClearFailure || m.Task == PeerRemove || m.Task == Refresh {
		set(n, "attr_user", m.User)
		set(n, "task", m.Task.String())
		set(n, "attr_host", m.Host)
		setID(n, m.HostID)
		if m.Task == ClearFailure {
			set(n, "attr_resource", m.Resource)
			set(n, "attr_clear_operation", m.Operation)
			set(n, "attr_clear_interval", m.Interval)
			setBool(n, "attr_is_remote", m.Remote)
		}
		return n
	}
	if !m.Multi {
		change(n, m.Value)
		return n
	}
	set(n, "attr_user", m.User)
	set(n, "task", m.Task.String())
	for _, v := range m.Ops {
		change(n.AddNew("op"), v)
	}
	return n
}

func change(n *xmltree.Node, v Value) {
	set(n, "attr_user", v.User)
	set(n, "attr_regex", v.Pattern)
	set(n, "attr_name", v.Name)
	set(n, "task", v.Task.String())
	set(n, "attr_value", v.Value)
	set(n, "attr_dampening", v.Dampening)
	set(n, "attr_host", v.Host)
	setID(n, v.HostID)
	set(n, "attr_set", v.Set)
	set(n, "attr_key", v.Key)
	if v.Task == Query {
		return
	}
	setBool(n, "attr_is_remote", v.Remote)
	setBool(n, "attr_is_private", v.Private)
}

// entry is one value of a sync response (attrd_attributes.c: attrd_add_value_xml).
func entry(v Value) *xmltree.Node {
	n := xmltree.New("attrd_add_value_xml")
	set(n, "attr_name", v.Name)
	set(n, "attr_set", v.Set)
	set(n, "attr_key", v.Key)
	set(n, "attr_user", v.User)
	set(n, "attr_host", v.Host)
	setID(n, v.HostID)
	if v.Remote {
		n.Set("attr_is_remote", "1")
	}
	set(n, "attr_value", v.Value)
	set(n, "attr_dampening", v.Dampening)
	setBool(n, "attr_is_private", v.Private)
	setBool(n, "attrd_is_force_write", v.Force)
	return n
}

func set(n *xmltree.Node, name, v string) {
	if v != "" {
		n.Set(name, v)
	}
}

func setID(n *xmltree.Node, id uint32) {
	if id != 0 {
		n.Set("attr_host_id", strconv.FormatUint(uint64(id), 10))
	}
}

func setBool(n *xmltree.Node, name string, v bool) {
	if v {
		n.Set(name, "1")
	} else {
		n.Set(name, "0")
	}
}

// Answer is what a query found; Name is empty when there is no such attribute.
type Answer struct {
	Name  string
	Nodes []NodeValue
}

// NodeValue is one node's value, empty when it has none.
type NodeValue struct{ Host, Value string }

// EncodeAnswer writes the reply to a query (attrd_ipc.c: build_query_reply).
func EncodeAnswer(a Answer) *xmltree.Node {
	n := xmltree.New("build_query_reply")
	n.Set("t", "attrd")
	n.Set("subt", "query")
	n.Set("attr_version", strconv.Itoa(Protocol))
	set(n, "attr_name", a.Name)
	for _, v := range a.Nodes {
		c := n.AddNew("node")
		set(c, "attr_host", v.Host)
		set(c, "attr_value", v.Value)
	}
	return n
}

// ErrBadAnswer says that a reply to a query is none (ipc_attrd.c: dispatch).
var ErrBadAnswer = errors.New("attrd: unrecognizable message from attribute manager")

// DecodeAnswer reads the reply to a query. Managers before 2.1.3 do not say what it answers.
func DecodeAnswer(n *xmltree.Node) (Answer, error) {
	if t := n.Attr("t"); t != "attrd" {
		return Answer{}, fmt.Errorf("%w: message type %q not %q", ErrBadAnswer, t, "attrd")
	}
	if s := n.Attr("subt"); s != "" && s != "query" {
		return Answer{}, fmt.Errorf("%w: message subtype %q unknown", ErrBadAnswer, s)
	}
	a := Answer{Name: n.Attr("attr_name")}
	n.Each("node", func(c *xmltree.Node) {
		a.Nodes = append(a.Nodes, NodeValue{c.Attr("attr_host"), c.Attr("attr_value")})
	})
	return a, nil
}

// Write is a change of one attribute in the status section, for all its nodes.
type Write struct {
	Name, Set, Key, User string
	Nodes                []NodeValue // Host is the node's id in the CIB
}

// Unset tells whether a node's value is taken away: then the CIB must be asked
// for a mixed update, and the local one, because others may not know it.
func (w Write) Unset() bool {
	for _, v := range w.Nodes {
		if v.Value == "" {
			return true
		}
	}
	return false
}

// EncodeWrite builds the update of the status section (attrd_cib.c: build_update_element).
func EncodeWrite(w Write) *xmltree.Node {
	top := xmltree.New("status")
	for _, v := range w.Nodes {
		set := w.Set
		if set == "" {
			set = "status-" + v.Host
		}
		key := w.Key
		if key == "" {
			key = set + "-" + w.Name
		}
		pair := top.AddNew("node_state", xmltree.Attr{Name: "id", Value: v.Host}).
			AddNew("transient_attributes", xmltree.Attr{Name: "id", Value: v.Host}).
			AddNew("instance_attributes", xmltree.Attr{Name: "id", Value: sanitize(set)}).
			AddNew("nvpair", xmltree.Attr{Name: "id", Value: sanitize(key)}, xmltree.Attr{Name: "name", Value: w.Name},
				xmltree.Attr{Name: "value", Value: v.Value})
		if v.Value == "" {
			pair.Set("__delete__", "value")
		}
	}
	return top
}

// sanitize makes an id that XML allows (xml.c: crm_xml_sanitize_id).
func sanitize(id string) string {
	b := []byte(id)
	for i, c := range b {
		switch c {
		case ':', '#':
			b[i] = '.'
		}
	}
	return string(b)
}
