package servicetest

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/corosync/sync"
)

// Bus runs nodes with the real sync layer over a perfect totem: within a ring
// every message has one place in one order; nodes deliver at their own pace; a
// membership change may come between any two deliveries. Nodes that go together
// into a new ring deliver the same messages of the old one, some of them after
// the transitional configuration (extended virtual synchrony). What services
// multicast during a sync round goes out ahead of what was queued before it
// (totemsrp.c: waiting_trans_ack).
//
// Owned by the test's goroutine. With a random source, Step chooses what
// happens next; without one the order is fixed.
type Bus struct {
	T     testing.TB
	Rand  *rand.Rand
	nodes []*BusNode // ascending by id
	seq   uint64
	// Completed is called when a node's round is completed; may be nil.
	Completed func(n *BusNode)
}

// BusNode is a node of a Bus.
type BusNode struct {
	*Host
	Engines []*service.Engine
	Layer   *sync.Layer
	Up      bool

	bus    *Bus
	ring   *busRing
	pos    int      // next message of the ring to deliver
	normal [][]byte // multicast while no round ran
	urgent [][]byte // multicast during a round
	clog   bool     // Mcast fails: no room
}

type busRing struct {
	id      service.RingID
	members []uint32
	log     []busMsg
}

type busMsg struct {
	from uint32
	sync bool
	data []byte
}

// NewBus is a bus without nodes; r may be nil.
func NewBus(t testing.TB, r *rand.Rand) *Bus { return &Bus{T: t, Rand: r, seq: 4} }

// Mcast implements service.Host.
func (n *BusNode) Mcast(hdr, body []byte) error {
	if n.clog {
		return service.ErrTryAgain
	}
	msg := slices.Concat(hdr, body)
	if n.Layer == nil || n.Layer.Running() {
		n.urgent = append(n.urgent, msg)
	} else {
		n.normal = append(n.normal, msg)
	}
	return nil
}

// Room implements service.Host.
func (n *BusNode) Room(int) bool { return !n.clog }

// Clog makes Mcast fail until it is called with false.
func (n *BusNode) Clog(on bool) { n.clog = on }

// Start adds a node, alone in a ring of its own whose round is not run yet.
// build makes its engines for the host.
func (b *Bus) Start(id uint32, build func(h service.Host) []*service.Engine) *BusNode {
	n := &BusNode{Host: NewHost(id), bus: b, Up: true}
	n.Members = nil
	n.Engines = build(n)
	slices.SortFunc(n.Engines, func(a, b *service.Engine) int { return int(a.ID) - int(b.ID) })
	for _, e := range n.Engines {
		if e.Start != nil {
			if err := e.Start(); err != nil {
				b.T.Fatalf("node %d: start of %s: %v", id, e.Name, err)
			}
		}
	}
	n.Layer = sync.New(n.Engines, nil)
	b.nodes = slices.DeleteFunc(b.nodes, func(x *BusNode) bool { return x.ID == id })
	b.nodes = append(b.nodes, n)
	slices.SortFunc(b.nodes, func(a, b *BusNode) int { return int(a.ID) - int(b.ID) })
	b.Change([]uint32{id})
	return n
}

// Node finds a node.
func (b *Bus) Node(id uint32) *BusNode {
	for _, n := range b.nodes {
		if n.ID == id {
			return n
		}
	}
	b.T.Fatalf("no node %d", id)
	return nil
}

// Up lists the ids of running nodes.
func (b *Bus) Up() []uint32 {
	var ids []uint32
	for _, n := range b.nodes {
		if n.Up {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// Kill ends a node at once; the others learn of it by the next Change.
func (b *Bus) Kill(id uint32) { b.Node(id).Up = false }

// Change gives each list of nodes a common ring, in the middle of whatever
// they were doing. Nodes that are named nowhere keep theirs.
func (b *Bus) Change(parts ...[]uint32) {
	for _, part := range parts {
		members := slices.Sorted(slices.Values(part))
		b.seq += 4
		ring := &busRing{id: service.RingID{Rep: members[0], Seq: b.seq}, members: members}
		old := map[uint32]*busRing{}
		// Those who share an old ring recover what any of them delivered or sent;
		// beyond the delivered, messages of nodes that are gone may be lost.
		upTo, logs := map[*busRing]int{}, map[*busRing][]busMsg{}
		var rings []*busRing
		for _, id := range members {
			n := b.Node(id)
			old[id] = n.ring
			if n.ring == nil {
				continue
			}
			if !slices.Contains(rings, n.ring) {
				rings = append(rings, n.ring)
			}
			upTo[n.ring] = max(upTo[n.ring], n.pos)
		}
		for _, r := range rings {
			logs[r] = b.recover(r, upTo[r], func(from uint32) bool { return old[from] == r })
		}
		for _, id := range members {
			b.change(b.Node(id), ring, old, logs[old[id]])
		}
	}
}

// recover is what the nodes that go on together have of a ring's log: all of
// it up to pos, then the messages of these nodes, and others by chance.
func (b *Bus) recover(r *busRing, pos int, goesOn func(uint32) bool) []busMsg {
	kept := slices.Clone(r.log[:pos])
	for _, m := range r.log[pos:] {
		if goesOn(m.from) || b.Rand == nil || b.Rand.IntN(2) == 0 {
			kept = append(kept, m)
		}
	}
	return kept
}

func (b *Bus) change(n *BusNode, ring *busRing, old map[uint32]*busRing, log []busMsg) {
	var trans, joined, left []uint32
	for _, m := range ring.members {
		if old[n.ID] != nil && old[m] == old[n.ID] {
			trans = append(trans, m)
		} else {
			joined = append(joined, m)
		}
	}
	for _, m := range n.Members {
		if !slices.Contains(trans, m) {
			left = append(left, m)
		}
	}
	oldID := n.RingNow
	for _, e := range n.Engines {
		if e.Confchg != nil {
			e.Confchg(true, trans, left, nil, oldID)
		}
	}
	n.Layer.Transitional(trans)
	for n.pos < len(log) {
		b.deliver(n, log)
	}
	n.ring, n.pos = ring, 0
	n.RingNow, n.Members = ring.id, ring.members
	for _, e := range n.Engines {
		if e.Confchg != nil {
			e.Confchg(false, ring.members, nil, joined, ring.id)
		}
	}
	n.Layer.Regular(ring.members, ring.id)
}

// deliver gives a node the next message of a log.
func (b *Bus) deliver(n *BusNode, log []busMsg) {
	m := log[n.pos]
	n.pos++
	msg := slices.Clone(m.data)
	if m.sync {
		if n.Layer.Deliver(m.from, msg) && b.Completed != nil {
			b.Completed(n)
		}
		return
	}
	id, size, _ := Header(msg)
	if int(size) != len(msg) {
		b.T.Fatalf("node %d sent a message %#x of %d bytes whose header says %d", m.from, id, len(msg), size)
	}
	fn := int(id & 0xffff)
	for _, e := range n.Engines {
		if e.ID != service.ID(id>>16) {
			continue
		}
		if fn >= len(e.Exec) || len(msg) < e.Exec[fn].MinSize {
			b.T.Fatalf("%s: message %d of %d bytes would be dropped", e.Name, fn, len(msg))
		}
		e.Exec[fn].Deliver(m.from, msg, false)
	}
}

// token lets a node send up to max messages, then tells its sync layer that a
// token was handled. It says whether anything was sent.
func (b *Bus) token(n *BusNode, max int) (sent bool) {
	for range max {
		var m busMsg
		switch {
		case len(n.urgent) > 0:
			m = busMsg{n.ID, false, n.urgent[0]}
			n.urgent = n.urgent[1:]
		case n.Layer.Pending() != nil:
			m = busMsg{n.ID, true, n.Layer.Pending()}
			n.Layer.Sent()
		case !n.Layer.Running() && len(n.normal) > 0:
			m = busMsg{n.ID, false, n.normal[0]}
			n.normal = n.normal[1:]
		default:
			n.Layer.TokenHandled()
			return sent
		}
		n.ring.log = append(n.ring.log, m)
		sent = true
	}
	n.Layer.TokenHandled()
	return sent
}

// Settle runs tokens and deliveries until nothing is left to do.
func (b *Bus) Settle() {
	for round := 0; ; round++ {
		if round > 10000 {
			b.T.Fatal("the bus does not settle")
		}
		if !b.Rotate() {
			return
		}
	}
}

// Rotate is one token rotation: every running node in turn sends what it has,
// and all deliver it. It says whether there was or is anything to do.
func (b *Bus) Rotate() (busy bool) {
	for _, n := range b.nodes {
		if !n.Up {
			continue
		}
		busy = b.token(n, 1000) || busy
		for _, m := range b.nodes {
			for m.Up && m.pos < len(m.ring.log) {
				busy = true
				b.deliver(m, m.ring.log)
			}
		}
		busy = busy || n.Layer.Pending() != nil || len(n.urgent) > 0
	}
	return busy
}

// Step lets a random running node send a little or deliver a little.
func (b *Bus) Step() {
	ids := b.Up()
	if len(ids) == 0 {
		return
	}
	n := b.Node(ids[b.Rand.IntN(len(ids))])
	if b.Rand.IntN(3) == 0 {
		b.token(n, 1+b.Rand.IntN(3))
		return
	}
	for range 1 + b.Rand.IntN(4) {
		if n.pos < len(n.ring.log) {
			b.deliver(n, n.ring.log)
		}
	}
}

// Connect opens a library client of a service on a node.
func (n *BusNode) Connect(svc service.ID) *Conn {
	c := n.NewConn()
	if e := n.Engine(svc); e.Opened != nil {
		e.Opened(c)
	}
	return c
}

// Disconnect closes a library client.
func (n *BusNode) Disconnect(svc service.ID, c *Conn) {
	if e := n.Engine(svc); e.Closed != nil {
		e.Closed(c)
	}
}

// Request serves a library request; false if the daemon would answer TRY_AGAIN
// because a round runs or totem has no room.
func (n *BusNode) Request(svc service.ID, c *Conn, msg []byte) bool {
	n.bus.T.Helper()
	e := n.Engine(svc)
	fn, _, _ := Header(msg)
	if int(fn) >= len(e.Lib) || len(msg) < e.Lib[fn].MinSize {
		n.bus.T.Fatalf("%s: request %d of %d bytes would be refused", e.Name, fn, len(msg))
	}
	if e.Lib[fn].Flow == service.FlowRequired && (n.Layer.Running() || n.clog) {
		return false
	}
	e.Lib[fn].Handle(c, msg)
	return true
}

// Engine finds an engine of the node.
func (n *BusNode) Engine(svc service.ID) *service.Engine {
	for _, e := range n.Engines {
		if e.ID == svc {
			return e
		}
	}
	n.bus.T.Fatalf("node %d has no service %d", n.ID, svc)
	return nil
}
