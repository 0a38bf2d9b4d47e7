// Package totem runs the Totem protocol of one node: it joins the pure core
// (totem/pg over totem/srp) to the sockets (totem/link), the ring id file and
// the daemon's loop.
//
// Its caller is internal/corosync/daemon. Upstream: exec/totemnet.c and the
// callers of totempg in exec/main.c.
package totem

import (
	"fmt"
	"math/rand/v2"

	"github.com/pacesync/pacesync/internal/corosync/loop"
	"github.com/pacesync/pacesync/totem/pg"
	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

// Transport moves datagrams; totem/link has the real ones.
type Transport interface {
	// Attach watches the descriptors and timers on l and calls readable when
	// datagrams may be there, until Detach.
	Attach(l *loop.Loop, readable func()) error
	Detach()
	// Receive returns what has arrived, valid until the next Receive; more: there may be others.
	Receive() (packets [][]byte, more bool)
	// SendAll and SendTo queue a datagram for all other nodes or for one; it
	// stays unchanged until Flush, which sends.
	SendAll(data []byte)
	SendTo(node uint32, data []byte) bool
	Flush()
}

// Store keeps the ring sequence number across restarts.
type Store interface {
	Load() (uint64, error)
	Store(seq uint64) error
}

// Upper is told what the ring delivers. All slices are valid only during the call.
type Upper interface {
	Deliver(from wire.NodeID, group pg.Group, msg []byte, swapped bool)
	View(v *srp.View)
	// Rotated tells that a token of our ring was handled: the sync layer may send.
	Rotated()
	// Trace tells what the protocol did, for the log.
	Trace(t *srp.Trace)
	// StoreFailed tells that the ring id could not be stored; the node must not
	// go on, or it could reuse a ring id.
	StoreFailed(err error)
}

// receiveRounds bounds the batches read in one turn of the loop, so that a flood
// of datagrams cannot keep timers and clients waiting.
const receiveRounds = 4

// Node is the protocol of this node. Owned by the loop.
type Node struct {
	loop   *loop.Loop
	engine *pg.Engine
	tr     Transport
	store  Store
	up     Upper
	self   wire.NodeID
	timer  *loop.Timer
	// toSelf holds the datagrams this node sent to itself (the token of a ring
	// of one), in two buffers that change places; they are handled on the next turn.
	toSelf, toSelfSpare []byte
	toSelfEnd           []int // where each datagram in toSelf ends
	toSelfEndSpare      []int
	working             bool        // inside apply: further output is picked up there
	pending             []srp.Event // events that came from inside a delivery
	dropped             bool        // the engine wants what waits in the socket dropped
	left                bool
}

// Open loads the ring id and makes the node; nothing is sent before Start.
func Open(l *loop.Loop, cfg srp.Config, tr Transport, store Store, up Upper, rng *rand.Rand) (*Node, error) {
	seq, err := store.Load()
	if err != nil {
		return nil, fmt.Errorf("totem: ring id: %w", err)
	}
	n := &Node{loop: l, tr: tr, store: store, up: up, self: cfg.NodeID, engine: pg.New(cfg, seq, rng)}
	n.timer = l.NewTimer(func() { n.step(srp.Event{Kind: srp.EvTimer}) })
	return n, nil
}

// Start begins to look for other nodes.
func (n *Node) Start() error {
	if err := n.tr.Attach(n.loop, n.readable); err != nil {
		return err
	}
	n.loop.EachTurn(n.handleOwn)
	n.step(srp.Event{Kind: srp.EvStart})
	return nil
}

// Leave tells the others that this node goes; nothing is sent afterwards.
func (n *Node) Leave() {
	if !n.left {
		n.step(srp.Event{Kind: srp.EvLeave})
		n.Silence()
	}
}

// Silence stops all traffic at once, without a leave.
func (n *Node) Silence() {
	n.left = true
	n.timer.Stop()
	n.tr.Detach()
}

// Mcast queues a message, hdr followed by body, for all members. Both are copied.
func (n *Node) Mcast(group pg.Group, hdr, body []byte) error {
	if n.left {
		return pg.ErrQueueFull
	}
	err := n.engine.Mcast(n.loop.Now(), group, hdr, body)
	n.apply()
	return err
}

// TransAck ends the sync: the services' messages flow again.
func (n *Node) TransAck() {
	n.engine.TransAck(n.loop.Now())
	n.apply()
}

// CancelHold makes an idle ring's token move on, because somebody waits for Rotated.
func (n *Node) CancelHold() {
	n.engine.CancelHold(n.loop.Now())
	n.apply()
}

// ClearStats sets the ring's counters to zero.
func (n *Node) ClearStats() { n.engine.ClearStats() }

// Room says whether a message of size bytes would be taken now.
func (n *Node) Room(size int) bool { return !n.left && n.engine.Room(size) }

// QueueLevel is how full the send queue is.
func (n *Node) QueueLevel() pg.Level { return n.engine.QueueLevel() }

// Idle reports whether everything that was queued has been sent.
func (n *Node) Idle() bool { return n.left || n.engine.Idle() }

// Stats are the protocol's counters.
func (n *Node) Stats() *pg.Stats { return n.engine.Stats() }

// Ring is the current ring and its members, ascending.
func (n *Node) Ring() (wire.RingID, []wire.NodeID) { return n.engine.Ring() }

// Reconfigure takes over new timings and limits.
func (n *Node) Reconfigure(cfg srp.Config) { n.step(srp.Event{Kind: srp.EvReconfigure, Config: &cfg}) }

// LinkUp tells that the interface is back: the node looks for the others.
func (n *Node) LinkUp() { n.step(srp.Event{Kind: srp.EvLink, Up: true}) }

// ForceGather starts a membership round without cause.
func (n *Node) ForceGather() { n.step(srp.Event{Kind: srp.EvForceGather}) }

// readable handles what the network brought. Tokens of a batch come last:
// messages that arrived beside them are known before a token is answered, so
// that nothing is asked for again that is already here.
func (n *Node) readable() {
	for range receiveRounds {
		packets, more := n.tr.Receive()
		n.handle(packets)
		if n.dropped {
			n.dropped = false
			n.dropQueued()
		}
		if !more || n.left {
			return
		}
	}
}

// handle gives the engine a batch, the tokens last. A pause that the first
// datagram shows makes the rest of the batch stale too.
func (n *Node) handle(packets [][]byte) {
	for _, tokens := range [...]bool{false, true} {
		for _, p := range packets {
			if isToken(p) == tokens && !n.dropped {
				n.step(srp.Event{Kind: srp.EvPacket, Data: p})
			}
		}
	}
}

func isToken(p []byte) bool {
	t, ok := wire.PeekType(p)
	return ok && t == wire.TypeToken
}

// dropQueued throws away what waits in the socket: after a pause of the process
// it is stale.
func (n *Node) dropQueued() {
	for more := true; more; {
		_, more = n.tr.Receive()
	}
}

// handleOwn handles the datagrams this node sent to itself. It runs once a turn, so
// that a ring of one still serves its clients between two tokens.
func (n *Node) handleOwn() (more bool) {
	if len(n.toSelfEnd) == 0 || n.left {
		return false
	}
	data, ends := n.toSelf, n.toSelfEnd
	n.toSelf, n.toSelfEnd = n.toSelfSpare[:0], n.toSelfEndSpare[:0]
	n.toSelfSpare, n.toSelfEndSpare = data, ends
	start := 0
	for _, end := range ends {
		n.step(srp.Event{Kind: srp.EvPacket, Data: data[start:end]})
		start = end
	}
	return len(n.toSelfEnd) > 0
}

// step gives the engine one event and carries out what it wants. An event that
// comes from inside a delivery waits until that is over: the engine's output is
// still being read.
func (n *Node) step(ev srp.Event) {
	if n.left {
		return
	}
	if n.working {
		n.pending = append(n.pending, ev)
		return
	}
	n.engine.Step(n.loop.Now(), ev)
	n.apply()
	for len(n.pending) > 0 && !n.left {
		ev := n.pending[0]
		n.pending = n.pending[1:]
		n.engine.Step(n.loop.Now(), ev)
		n.apply()
	}
}

// apply carries out the engine's output, in the order that Output states, until
// there is none. Services that multicast while they are being delivered to end
// up here again; their output is taken by the outermost call.
func (n *Node) apply() {
	if n.working {
		return
	}
	n.working = true
	for !n.left {
		out := n.engine.Take()
		if out.Persist {
			if err := n.store.Store(out.RingSeq); err != nil {
				n.Silence()
				n.up.StoreFailed(err)
				break
			}
		}
		if out.DropQueued {
			n.dropped = true
		}
		n.send(out.Send)
		n.hand(out)
		if !out.More && !out.Persist && len(out.Send) == 0 && len(out.Up) == 0 && !out.TokenRotated {
			break
		}
	}
	n.working = false
	n.rearm()
}

// hand gives the upper side what is for it: what was delivered in order, the
// token's visit, and, after the views, what the log should tell. Operators know
// the order in which the services' lines of a change come before the ring's.
func (n *Node) hand(out *pg.Output) {
	for i := range out.Up {
		if u := &out.Up[i]; u.View != nil {
			n.up.View(u.View)
		} else {
			n.up.Deliver(u.From, u.Group, u.Data, u.Swapped)
		}
	}
	if out.TokenRotated {
		n.up.Rotated()
	}
	for i := range out.Trace {
		n.up.Trace(&out.Trace[i])
	}
}

// send hands datagrams to the network, or to this node itself on its next turn.
func (n *Node) send(ds []srp.Datagram) {
	if len(ds) == 0 {
		return
	}
	for i := range ds {
		switch d := &ds[i]; d.To {
		case 0:
			n.tr.SendAll(d.Data)
		case n.self:
			n.toSelf = append(n.toSelf, d.Data...)
			n.toSelfEnd = append(n.toSelfEnd, len(n.toSelf))
		default:
			n.tr.SendTo(uint32(d.To), d.Data)
		}
	}
	n.tr.Flush()
}

// rearm sets the timer to the engine's next deadline.
func (n *Node) rearm() {
	if d := n.engine.Deadline(); !d.IsZero() && !n.left {
		n.timer.Reset(d)
		return
	}
	n.timer.Stop()
}
