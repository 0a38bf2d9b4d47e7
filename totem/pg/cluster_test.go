package pg

import (
	"bytes"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

// cluster is a few engines on a network without faults but those a test makes:
// enough for unit tests and stories. The seeded simulator is in totem/totemtest.
type cluster struct {
	t       testing.TB
	now     time.Time
	nodes   []*testNode
	queue   flights
	count   int
	delay   time.Duration
	lost    func(from, to wire.NodeID, data []byte) bool // nil: nothing
	rewrite func(from wire.NodeID, data []byte) []byte   // nil: as it is
	trace   func(n *testNode, t srp.Trace)
	cfg     srp.Config
	check   bool // run Engine.Check after each Step: slow
}

type testNode struct {
	c       *cluster
	id      wire.NodeID
	eng     *Engine
	disk    uint64
	up      []string // what was delivered, as text
	view    *srp.View
	syncing map[wire.NodeID]bool // whose barrier is missing
	noSync  bool                 // TransAck at the regular view
	onData  func(up Upcall)
	told    func(text string) // is told of what goes into up
	paused  bool
}

type flight struct {
	at    time.Time
	order int
	from  wire.NodeID
	to    wire.NodeID
	data  []byte
	old   bool // waits in the socket of a paused node
}

type flights []flight

func (f flights) Len() int { return len(f) }
func (f flights) Less(i, j int) bool {
	if !f[i].at.Equal(f[j].at) {
		return f[i].at.Before(f[j].at)
	}
	return f[i].order < f[j].order
}
func (f flights) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *flights) Push(v any)   { *f = append(*f, v.(flight)) }
func (f *flights) Pop() any {
	old := *f
	v := old[len(old)-1]
	*f = old[:len(old)-1]
	return v
}

func newCluster(t testing.TB, cfg srp.Config, ids ...wire.NodeID) *cluster {
	c := &cluster{t: t, now: time.Unix(1000, 0), delay: 100 * time.Microsecond, cfg: cfg}
	for _, id := range ids {
		c.nodes = append(c.nodes, &testNode{c: c, id: id})
	}
	return c
}

func (c *cluster) node(id wire.NodeID) *testNode {
	i := slices.IndexFunc(c.nodes, func(n *testNode) bool { return n.id == id })
	return c.nodes[i]
}

func (n *testNode) start() {
	cfg := n.c.cfg
	cfg.NodeID = n.id
	cfg = cfg.WithDefaults(len(n.c.nodes))
	n.eng = New(cfg, n.disk, rand.New(rand.NewPCG(1, uint64(n.id))))
	n.step(srp.Event{Kind: srp.EvStart})
}

func (n *testNode) step(ev srp.Event) {
	n.eng.Step(n.c.now, ev)
	n.drain()
	if n.c.check {
		if err := n.eng.Check(); err != nil {
			n.c.t.Fatal(err)
		}
	}
}

func (n *testNode) drain() {
	for {
		o := n.eng.Take()
		if o.Persist {
			n.disk = o.RingSeq
		}
		if o.DropQueued {
			n.c.queue = slices.DeleteFunc(n.c.queue, func(f flight) bool { return f.to == n.id && f.old })
			heap.Init(&n.c.queue)
		}
		for _, d := range o.Send {
			n.c.send(n.id, d)
		}
		for _, t := range o.Trace {
			if n.c.trace != nil {
				n.c.trace(n, t)
			}
		}
		for _, up := range o.Up {
			n.upcall(up)
		}
		if !o.More && len(o.Send) == 0 && len(o.Up) == 0 {
			return
		}
	}
}

func (n *testNode) tell(text string) {
	n.up = append(n.up, text)
	if n.told != nil {
		n.told(text)
	}
}

// upcall plays the sync layer with one barrier message per node.
func (n *testNode) upcall(up Upcall) {
	if v := up.View; v != nil {
		if v.Kind == srp.ViewTransitional {
			n.tell(fmt.Sprintf("trans %s %s left %s", v.Ring, wire.List(v.Members), wire.List(v.Left)))
			return
		}
		n.tell(fmt.Sprintf("view %s %s joined %s", v.Ring, wire.List(v.Members), wire.List(v.Joined)))
		n.view = v
		n.syncing = map[wire.NodeID]bool{}
		for _, id := range v.Members {
			n.syncing[id] = true
		}
		if n.noSync {
			n.eng.TransAck(n.c.now)
			return
		}
		if err := n.eng.Mcast(n.c.now, GroupSync, fmt.Appendf(nil, "barrier %s", v.Ring), nil); err != nil {
			n.c.t.Fatal(err)
		}
		return
	}
	if up.Group == GroupSync {
		if string(up.Data) == "barrier "+n.view.Ring.String() {
			delete(n.syncing, up.From)
			if len(n.syncing) == 0 {
				n.tell("synced")
				n.eng.TransAck(n.c.now)
			}
		}
		return
	}
	if n.onData != nil {
		n.onData(up)
		return
	}
	n.tell(fmt.Sprintf("%d: %s", up.From, up.Data[:min(len(up.Data), 40)]))
}

func (n *testNode) submit(data []byte) error {
	err := n.eng.Mcast(n.c.now, GroupService, data, nil)
	n.drain()
	return err
}

func (c *cluster) rewritten(from wire.NodeID, data []byte) []byte {
	if c.rewrite != nil {
		return c.rewrite(from, data)
	}
	return bytes.Clone(data)
}

func (c *cluster) send(from wire.NodeID, d srp.Datagram) {
	for _, n := range c.nodes {
		if (d.To == 0 && n.id != from) || d.To == n.id {
			if c.lost != nil && c.lost(from, n.id, d.Data) {
				continue
			}
			c.count++
			heap.Push(&c.queue, flight{at: c.now.Add(c.delay), order: c.count, from: from, to: n.id, data: n.c.rewritten(from, d.Data)})
		}
	}
}

// turn handles the next event; false when it would be after until.
func (c *cluster) turn(until time.Time) bool {
	var timer *testNode
	var at time.Time
	for _, n := range c.nodes {
		if n.eng == nil || n.paused {
			continue
		}
		if d := n.eng.Deadline(); !d.IsZero() && (timer == nil || d.Before(at)) {
			timer, at = n, d
		}
	}
	if len(c.queue) > 0 && (timer == nil || !at.Before(c.queue[0].at)) {
		if c.queue[0].at.After(until) {
			return false
		}
		f := heap.Pop(&c.queue).(flight)
		if f.at.After(c.now) {
			c.now = f.at
		}
		n := c.node(f.to)
		switch {
		case n.eng == nil:
		case n.paused:
			f.at, f.old = c.now.Add(time.Millisecond), true
			heap.Push(&c.queue, f)
		default:
			n.step(srp.Event{Kind: srp.EvPacket, Data: f.data})
		}
		return true
	}
	if timer == nil || at.After(until) {
		return false
	}
	if at.After(c.now) {
		c.now = at
	}
	timer.step(srp.Event{Kind: srp.EvTimer})
	return true
}

func (c *cluster) run(d time.Duration) {
	until := c.now.Add(d)
	for c.turn(until) {
	}
	c.now = until
}

// until runs until cond holds, and fails when that takes longer than d.
func (c *cluster) until(d time.Duration, what string, cond func() bool) {
	c.t.Helper()
	until := c.now.Add(d)
	for !cond() {
		if !c.turn(until) {
			c.t.Fatalf("after %v: not %s", d, what)
		}
	}
}

// formed reports whether these nodes are in one operational ring and synced.
func (c *cluster) formed(ids ...wire.NodeID) bool {
	for _, id := range ids {
		n := c.node(id)
		if n.eng == nil || n.eng.State() != srp.Operational || n.view == nil || !slices.Equal(n.view.Members, ids) || (len(n.syncing) > 0 && !n.noSync) {
			return false
		}
	}
	return true
}

func startAll(t testing.TB, cfg srp.Config, ids ...wire.NodeID) *cluster {
	c := newCluster(t, cfg, ids...)
	for _, n := range c.nodes {
		n.start()
	}
	c.until(10*time.Second, "formed", func() bool { return c.formed(ids...) })
	return c
}
