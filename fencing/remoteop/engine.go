// Package remoteop is the conversation of the fencers about one operation: the
// node that is asked queries all, chooses a peer and a device, retries, follows
// the levels of a topology, splits the reboot of several devices into off and
// on, merges equal requests, and tells everybody the end.
//
// The fencer's loop feeds it messages and time, and carries out the effects
// that Take returns. It replaces daemons/fenced/fenced_remote.c and
// fenced_history.c.
package remoteop

import (
	"slices"
	"time"

	"github.com/pacesync/pacesync/fencing/device"
	"github.com/pacesync/pacesync/fencing/note"
	"github.com/pacesync/pacesync/fencing/topology"
	"github.com/pacesync/pacesync/fencing/wire"
)

// World is what the engine asks about everything else. The answers are of the
// moment and cost no waiting.
type World interface {
	ActivePeers() int            // fencers in the process group, ourselves included
	PeerActive(name string) bool // one of them
	NodeName(id string) string   // of a node identifier, empty when unknown
	Levels(target string) *topology.Entry
	RebootAction(device string) string
	SupportsOn(device string) bool
	Watchdog() device.Watchdog
}

// Effect is something to be done, in the order of the list.
type Effect interface{ effect() }

// Send is a message for one node, or for all.
type Send struct {
	To  string // empty: all
	Msg wire.Sendable
}

// Answer is the reply to a client's request, if the client is still there.
type Answer struct {
	Client  string
	Options wire.Options
	Msg     wire.Sendable
}

// Tell is a message for a client that it did not ask for.
type Tell struct {
	Client string
	Msg    wire.Sendable
}

// Notify is for all clients that subscribed to it.
type Notify struct{ wire.Notification }

func (Send) effect()   {}
func (Answer) effect() {}
func (Tell) effect()   {}
func (Notify) effect() {}

// Output is what Take returns.
type Output struct {
	Notes   note.List
	Effects []Effect
}

// Engine holds the operations that this node knows of. Owned by the fencer's loop.
type Engine struct {
	self   string
	system string // our name as a client, for operations that peers hand over
	world  World
	newID  func() string

	ops   []*op // in the order in which they became known
	casts int
	out   Output
}

// New makes an engine without operations. newID gives unique identifiers.
func New(self, system string, w World, newID func() string) *Engine {
	return &Engine{self: self, system: system, world: w, newID: newID}
}

// Take empties the output.
func (e *Engine) Take() Output {
	o := e.out
	e.out = Output{}
	return o
}

func (e *Engine) do(x Effect) { e.out.Effects = append(e.out.Effects, x) }

func (e *Engine) notifyHistory() {
	e.do(Notify{wire.Notification{Type: wire.NotifyHistory}})
}

func (e *Engine) lookup(id string) *op {
	for _, o := range e.ops {
		if o.rec.ID == id {
			return o
		}
	}
	return nil
}

func (e *Engine) drop(id string) {
	e.ops = slices.DeleteFunc(e.ops, func(o *op) bool { return o.rec.ID == id })
}

// op is one operation (remote_fencing_op_t).
type op struct {
	rec      wire.Record
	created  time.Time
	notified bool // clients know the end
	owner    bool // we conduct it

	replies, expected       int
	queryAt, oneAt, totalAt time.Time // when patience ends; zero: not waiting
	watchdog                bool      // the end of oneAt is success
	base, total, delay      int       // seconds

	opts       wire.Options
	client     string
	call       int
	request    *wire.Message
	peers      []*peer // answers to the query, those with most devices first
	level      int
	phase      wire.Phase
	automatic  []string // devices that have to be switched on by all means
	devices    []string // of the level
	at         []string // those of them that are still to be used; nil at the end
	duplicates []*op
}

// offered is a device of a peer, and what became of it.
type offered struct {
	wire.Offered
	executed [wire.Phases]bool
}

// peer is a node that offered devices (peer_device_info_t).
type peer struct {
	host    string
	tried   bool
	devices []*offered
}

func (p *peer) find(id string) *offered {
	for _, d := range p.devices {
		if d.ID == id {
			return d
		}
	}
	return nil
}

// requested is the action before any split (op_requested_action).
func (o *op) requested() string {
	if o.phase > wire.Requested {
		return "reboot"
	}
	return o.rec.Action
}

// current is the device to be used now.
func (o *op) current() string {
	if len(o.at) == 0 {
		return ""
	}
	return o.at[0]
}

func (o *op) topology() bool { return o.opts.Has(wire.UseTopology) }

func (o *op) head() wire.OpHead {
	return wire.OpHead{
		Call: o.call, ID: o.rec.ID, Target: o.rec.Target, Action: o.rec.Action, Origin: o.rec.Origin,
		Client: o.client, Name: o.rec.ClientName, Timeout: o.base, Options: o.opts,
	}
}

func (o *op) outcome() wire.Outcome {
	return wire.Outcome{
		ID: o.rec.ID, Target: o.rec.Target, Action: o.rec.Action, Delegate: o.rec.Delegate, Origin: o.rec.Origin,
		Client: o.client, Name: o.rec.ClientName, State: o.rec.State, Result: o.rec.Result,
	}
}

func (o *op) id8() string { return note.Short(o.rec.ID) }

// factor is what timeouts are stretched by, for the way of messages
// (TIMEOUT_MULTIPLY_FACTOR); the result is whole seconds.
func factor(seconds int) int { return seconds * 12 / 10 }

func after(now time.Time, seconds int) time.Time {
	return now.Add(time.Duration(seconds) * time.Second)
}

// Deadline is when Tick has to be called next, zero for never.
func (e *Engine) Deadline() time.Time {
	var next time.Time
	for _, o := range e.ops {
		for _, t := range [...]time.Time{o.queryAt, o.oneAt, o.totalAt} {
			if !t.IsZero() && (next.IsZero() || t.Before(next)) {
				next = t
			}
		}
	}
	return next
}

// Tick ends what has taken too long.
func (e *Engine) Tick(now time.Time) {
	due := func(t *time.Time) bool {
		if t.IsZero() || t.After(now) {
			return false
		}
		*t = time.Time{}
		return true
	}
	for _, o := range slices.Clone(e.ops) {
		if due(&o.queryAt) {
			e.queryTimeout(now, o)
		}
		if due(&o.oneAt) {
			e.oneTimeout(now, o)
		}
		if due(&o.totalAt) {
			e.totalTimeout(now, o)
		}
	}
}
