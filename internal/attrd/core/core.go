// Package core is the attribute manager without its sockets: values of node
// attributes, who writes them to the CIB, when, and what peers are told.
//
// Every change goes to all peers first and takes effect when it comes back in
// the group's order, so all nodes hold the same values. One of them, the writer,
// elected as crmd/election decides, writes to the CIB. internal/attrd calls it.
// It replaces daemons/attrd/attrd_{attributes,cib,corosync,elections,messages,ipc}.c.
package core

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/pacesync/pacesync/crmd/election"
	"github.com/pacesync/pacesync/internal/attrd/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
)

// ElectionTimeout is how long a candidate for writer waits for the last vote
// (attrd_elections.c: attrd_election_init).
const ElectionTimeout = 2 * time.Minute

// Config says who this node is.
type Config struct {
	Self   string
	SelfID uint32
}

// Level is a severity with the numbers of syslog.
type Level = election.Level

// Effect is one thing for the shell to do. Effects are carried out in their order.
type Effect interface{ effect() }

// The effects.
type (
	// Ack answers a client: its request was taken. Always: even if it did not ask for an answer.
	Ack struct {
		Client any
		Always bool
	}
	// Reply answers a query.
	Reply struct {
		Client any
		Answer wire.Answer
	}
	// Send tells peers; To is a node's name, empty for all, this one included.
	Send struct {
		To  string
		Msg wire.Message
	}
	// Ballot is a message of the election.
	Ballot struct{ Msg election.Message }
	// Store asks the CIB for a change; the answer comes back as Stored with the token.
	Store struct {
		Token int
		Write wire.Write
	}
	// Alert tells the alert agents what was just asked of the CIB.
	Alert struct {
		Node   string
		NodeID uint32
		Name   string
		Value  string
	}
	// Trace is a line for the log.
	Trace struct {
		Level Level
		Text  string
	}
)

func (Ack) effect()    {}
func (Reply) effect()  {}
func (Send) effect()   {}
func (Ballot) effect() {}
func (Store) effect()  {}
func (Alert) effect()  {}
func (Trace) effect()  {}

// peer is a node of the cluster as far as it is known.
type peer struct {
	name   string
	id     uint32
	active bool // a member of the group
}

// Core is one attribute manager. All methods must be called from one goroutine;
// it does no I/O and reads no clock.
type Core struct {
	cfg      Config
	at       election.Moment // of the current step
	attrs    map[string]*attribute
	peers    map[string]*peer // cluster nodes by name in lower case
	remotes  map[string]bool  // nodes of Pacemaker Remote, likewise
	election *election.Election
	writer   string // node that writes, empty while unknown

	minProtocol int // of all peers ever heard of, -1 for none
	lastToken   int
	lastStored  int  // token of the last write that succeeded
	leaving     bool // this node asked for its shutdown
	stopping    bool // this daemon ends

	out []Effect
}

// New returns an attribute manager without values.
func New(cfg Config) *Core {
	return &Core{cfg: cfg, attrs: map[string]*attribute{}, peers: map[string]*peer{}, remotes: map[string]bool{}, minProtocol: -1,
		election: election.New(election.Config{Self: cfg.Self, FeatureSet: pcmk.FeatureSet, Timeout: ElectionTimeout})}
}

// Take empties the effects.
func (c *Core) Take() []Effect {
	out := c.out
	c.out = nil
	return out
}

// Start announces the protocol version: peers learn this node's name by it, and
// the writer can write what it has (attrd_broadcast_protocol).
func (c *Core) Start(at election.Moment) {
	c.at = at
	c.tracef(election.LevelDebug, "Broadcasting attrd protocol version %d for node %s", wire.Protocol, c.cfg.Self)
	c.send("", wire.Message{Root: "attrd_broadcast_protocol", Source: "pacemaker-attrd", Value: wire.Value{Task: wire.Update,
		Name: wire.ProtocolAttr, Value: strconv.Itoa(wire.Protocol), Host: c.cfg.Self, HostID: c.cfg.SelfID, Private: true}})
}

// Restore takes over what the CIB has of this node's values, after an unexpected end
// of this daemon. It is to be called before anything else, if at all. Peers that have
// forgotten them are told when the writer tells what it knows.
func (c *Core) Restore(values []wire.Value) {
	for _, v := range values {
		a := c.attrs[v.Name]
		if a == nil {
			a = newAttribute(v)
			c.attrs[v.Name] = a
		}
		a.values[key(v.Host)] = &value{host: v.Host, hostID: v.HostID, current: v.Value}
		c.tracef(election.LevelInfo, "Restored %s[%s]=%s from the CIB", v.Name, v.Host, v.Value)
		if v.Name == "shutdown" {
			c.leaving = v.Value != "0"
		}
	}
}

// SkipTokens has the tokens go on after used: the shell makes requests of its own,
// and so a token is the number that a write has in the CIB's log. No write may be
// waiting in the effects.
func (c *Core) SkipTokens(used int) { c.lastToken = max(c.lastToken, used) }

// Stop makes the daemon take no further part but in elections, where its vote may be needed.
func (c *Core) Stop() { c.stopping = true }

// Deadline is when Expire has something to do; zero when nothing is armed.
func (c *Core) Deadline() time.Time {
	next := c.election.Deadline()
	for _, a := range c.attrs {
		if a.timerRuns() && (next.IsZero() || a.deadline.Before(next)) {
			next = a.deadline
		}
	}
	return next
}

// Expire runs what is due.
func (c *Core) Expire(at election.Moment) {
	c.at = at
	c.election.Expire(at.Now)
	c.runElection()
	for _, a := range c.sorted() {
		if a.timerRuns() && !at.Now.Before(a.deadline) {
			a.deadline = time.Time{}
			c.writeOrElect(a)
		}
	}
}

// Writes tells whether this node is the writer.
func (c *Core) Writes() bool { return c.election.State() == election.Won }

// sorted returns the attributes by name. The original's order is that of a hash
// table; attributes do not depend on each other.
func (c *Core) sorted() []*attribute {
	out := make([]*attribute, 0, len(c.attrs))
	for _, name := range slices.Sorted(maps.Keys(c.attrs)) {
		out = append(out, c.attrs[name])
	}
	return out
}

func (c *Core) emit(e Effect) { c.out = append(c.out, e) }

func (c *Core) tracef(l Level, format string, args ...any) {
	c.emit(Trace{l, fmt.Sprintf(format, args...)})
}

// send tells peers, marked with how the election stands.
func (c *Core) send(to string, m wire.Message) {
	m.Writer = c.election.State()
	m.Version = wire.Protocol
	c.emit(Send{to, m})
}

func orUnset(s string) string {
	if s == "" {
		return "(unset)"
	}
	return s
}
