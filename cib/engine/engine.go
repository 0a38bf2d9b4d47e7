// Package engine is what the CIB daemon does with requests: which are carried
// out here, which go to all nodes, who gets an answer and who is told.
//
// No node leads: a request that changes something is sent to the process group
// as it is, and every node, the sender among them, carries it out when it comes
// back in the common order. So an Engine must do exactly what the original does,
// byte for byte. The daemon (package cib) feeds it messages and carries out its
// effects. It replaces daemons/based/based_callbacks.c, based_messages.c,
// based_common.c and based_notify.c.
package engine

import (
	"fmt"
	"strconv"
	"time"

	"github.com/pacesync/pacesync/cib/acl"
	"github.com/pacesync/pacesync/cib/doc"
	"github.com/pacesync/pacesync/cib/patch"
	"github.com/pacesync/pacesync/cib/schema"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/xmltree"
)

const (
	// digestDelay is how long after the last change the primary compares digests.
	digestDelay = 5 * time.Second
	// digestPause is between two patchsets that carry a digest.
	digestPause = time.Minute
	// exitLimit is how long a peer may take to confirm our leave.
	exitLimit = 10 * time.Second
	// maxIgnored is how many patchsets are passed over while a whole CIB is awaited.
	maxIgnored = 5
)

// Config is what an engine needs to know. Schemas and InGroup are used by the
// engine's goroutine alone.
type Config struct {
	Node       string // this node's name
	StandAlone bool   // no cluster: everything is done here
	Schemas    *schema.Set
	InGroup    func(user, group string) bool // system groups, for access rules
}

// Client is who sends a request over IPC.
type Client struct {
	ID         string
	PID        int
	User       string
	Privileged bool // runs as root or hacluster, so it may speak for others
	Write      bool // came to a socket that takes changes
}

// client is a connected one.
type client struct {
	Client
	name   string
	daemon bool
	watch  Watch
	// waiting is the number of the request whose answer is due, 0: none. A client
	// waits for one at a time.
	waiting uint32
}

// Watch says which notifications a client wants, as bits.
type Watch uint8

// Notifications. The first three are accepted and never sent, as in the original.
const (
	WatchPre Watch = 1 << iota
	WatchPost
	WatchConfirm
	WatchDiff
	WatchReplace
)

// watchOf reads a type of notification (based_callbacks.c: cib_common_callback_worker).
func watchOf(name string) Watch {
	switch name {
	case "cib_pre_notify":
		return WatchPre
	case "cib_post_notify":
		return WatchPost
	case "cib_update_confirmation":
		return WatchConfirm
	case "cib_diff_notify":
		return WatchDiff
	case "cib_refresh_notify":
		return WatchReplace
	}
	return 0
}

// Engine holds the CIB and the state of its replication. All methods must be
// called from one goroutine; it does no I/O and never reads a clock.
type Engine struct {
	cfg     Config
	doc     *doc.Document
	status  doc.Code // why nothing may be done with the CIB, OK: nothing
	clients map[string]*client
	order   []*client // clients in the order they came
	options map[string]string

	primary bool
	syncing int // 0; 1 when a whole CIB was asked for, and more for each patchset passed over
	ping    pingState
	catch   catchUp

	digestAt   time.Time // when digests are to be compared, zero: not
	withDigest time.Time // when the next patchset is to carry one
	exitAt     time.Time // when to end without an answer, zero: we stay
	leaving    bool
	ended      bool

	out []Effect
}

type pingState struct {
	seq      uint64
	digest   string // of our CIB, empty: not computed since the ping
	modified bool   // the CIB changed since the ping
}

// New makes an engine for a CIB, which it owns from now on. status is not OK when
// the CIB cannot be used until somebody repairs it.
func New(cfg Config, cib *xmltree.Node, status doc.Code, now time.Time) *Engine {
	e := &Engine{cfg: cfg, doc: doc.New(cib), status: status, clients: map[string]*client{}, primary: cfg.StandAlone}
	e.readOptions(now)
	e.put(Persist{CIB: cib})
	return e
}

// Root is the CIB as it stands; it must not be changed, and is good until the
// next request.
func (e *Engine) Root() *xmltree.Node { return e.doc.Root() }

// SetNode says what this node is called, once that is known.
func (e *Engine) SetNode(name string) { e.cfg.Node = name }

// Primary says whether this is the DC's instance.
func (e *Engine) Primary() bool { return e.primary }

// Connect makes a client known.
func (e *Engine) Connect(c Client) {
	cl := &client{Client: c}
	e.clients[c.ID] = cl
	e.order = append(e.order, cl)
}

// Disconnect forgets a client.
func (e *Engine) Disconnect(id string) {
	for i, c := range e.order {
		if c.ID == id {
			e.order = append(e.order[:i:i], e.order[i+1:]...)
		}
	}
	delete(e.clients, id)
}

// Clients is how many are connected.
func (e *Engine) Clients() int { return len(e.order) }

// Deadline is when Tick is due, zero: never.
func (e *Engine) Deadline() time.Time {
	var at time.Time
	for _, t := range [...]time.Time{e.digestAt, e.exitAt, e.catch.until} {
		if at.IsZero() || !t.IsZero() && t.Before(at) {
			at = t
		}
	}
	return at
}

// Tick does what is due.
func (e *Engine) Tick(now time.Time) {
	e.catch.tick(e, now)
	if !e.digestAt.IsZero() && !now.Before(e.digestAt) {
		e.digestAt = time.Time{}
		e.sendPing()
	}
	if !e.exitAt.IsZero() && !now.Before(e.exitAt) {
		e.exitAt = time.Time{}
		e.log(Notice, "Forcing exit!")
		e.put(Exit{Forced: true})
	}
}

// Leave begins the orderly end, when all clients are gone. peers is how many
// nodes of the group are active, this one among them (based_callbacks.c:
// initiate_exit).
func (e *Engine) Leave(now time.Time, peers int) {
	e.leaving = true
	if peers < 2 {
		e.end()
		return
	}
	if !e.exitAt.IsZero() {
		return
	}
	e.log(Info, fmt.Sprintf("Sending disconnect notification to %d peers...", peers))
	e.put(Send{XML: xmltree.New("exit-notification", attr("t", "cib"), attr("cib_op", opShutdown))})
	e.exitAt = now.Add(exitLimit)
}

func (e *Engine) end() {
	if !e.ended {
		e.ended = true
		e.put(Exit{})
	}
}

// readOptions reads the cluster options that concern this daemon
// (cib_utils.c: cib_read_config).
func (e *Engine) readOptions(now time.Time) {
	e.options = map[string]string{}
	config := e.Root().Path("configuration", "crm_config")
	if config == nil {
		return
	}
	root := e.Root()
	look := func(tag, id string) *xmltree.Node {
		return root.Find(func(n *xmltree.Node) bool { return n.Kind == xmltree.Element && n.Name == tag && n.ID() == id })
	}
	sets := rules.ParseSets(config, "cluster_property_set", "cib-bootstrap-options", look)
	rules.Apply(sets, &rules.Env{Now: iso8601.Time{Unix: now.Unix()}}, e.options, false)
	e.put(Options{IPCLimit: e.options["cluster-ipc-limit"]})
}

// access is what a user may do, nil for everything.
func (e *Engine) access(user string) *acl.List {
	if !acl.Required(user) || !pcmk.IsTrue(e.options["enable-acl"]) {
		return nil
	}
	return acl.For(e.Root(), user, e.cfg.InGroup)
}

func attr(name, value string) xmltree.Attr { return xmltree.Attr{Name: name, Value: value} }

func version(cib *xmltree.Node) patch.Version { return patch.VersionOf(cib) }

// number reads an attribute of a message.
func number(n *xmltree.Node, name string) int {
	v, ok := n.Get(name)
	if !ok {
		return 0
	}
	i, err := strconv.Atoi(v)
	if err != nil {
		return patch.Int(v)
	}
	return i
}
