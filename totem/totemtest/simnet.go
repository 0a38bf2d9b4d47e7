package totemtest

import (
	"math/rand/v2"
	"time"

	"github.com/pacesync/pacesync/internal/sim"
	"github.com/pacesync/pacesync/totem/knet"
)

// selfDelay is how long a datagram to oneself takes.
const selfDelay = 20 * time.Microsecond

// slowQueue is how much a slow sender's queue holds, as time; more is dropped.
const slowQueue = 400 * time.Millisecond

// packet is one datagram in flight, shared by all its copies.
type packet struct {
	data []byte
	refs int32
	knet knetPacket
}

// conditions is what is wrong with the network now, computed from the active
// faults each time one begins or ends.
type conditions struct {
	loss     float64
	lossFrom [maxNodes]float64
	types    []Fault // active DropType faults
	delay    time.Duration
	dups     []Fault // active Duplicate faults
	reorder  float64
	reorderD time.Duration
	cut      [maxNodes]Mask // cut[from].Has(to)
	rate     [maxNodes]int  // bytes per second, 0: no limit
	down     Mask
	links    []Fault // active faults of links
}

// apply adds one active fault.
func (c *conditions) apply(f *Fault, nodes int) {
	switch f.Kind {
	case Loss:
		c.loss = max(c.loss, f.P)
	case LossFrom:
		c.lossFrom[f.Node] = max(c.lossFrom[f.Node], f.P)
	case DropType:
		c.types = append(c.types, *f)
	case Delay:
		c.delay += f.D
	case Duplicate:
		c.dups = append(c.dups, *f)
	case Reorder:
		c.reorder, c.reorderD = max(c.reorder, f.P), max(c.reorderD, f.D)
	case CutOneWay:
		c.cut[f.Node] |= 1 << f.Peer
	case CutPair:
		c.cut[f.Node] |= 1 << f.Peer
		c.cut[f.Peer] |= 1 << f.Node
	case Split, SplitOneWay:
		for from := range nodes {
			if f.Set.Has(from) {
				c.cut[from] |= ^f.Set
			} else if f.Kind == Split {
				c.cut[from] |= f.Set
			}
		}
	case Slow:
		c.rate[f.Node] = f.N
	case LinkDown:
		c.down |= 1 << f.Node
	default:
		if f.Kind.onLink() {
			c.links = append(c.links, *f)
		}
	}
}

// network carries datagrams between the nodes of a World.
type network struct {
	w       *World
	rng     *rand.Rand
	conds   conditions
	packets []packet
	free    []int32
	busy    [maxNodes]time.Duration                          // a slow sender's queue is empty then
	last    [maxNodes][maxNodes][knet.MaxLinks]time.Duration // last arrival per link, for InOrder

	sent, lost, carried uint64
}

// take copies a datagram into a packet.
func (t *network) take(data []byte) int32 {
	var i int32
	if n := len(t.free); n > 0 {
		i, t.free = t.free[n-1], t.free[:n-1]
	} else {
		i = int32(len(t.packets))
		t.packets = append(t.packets, packet{})
	}
	p := &t.packets[i]
	p.data, p.refs, p.knet = append(p.data[:0], data...), 1, knetPacket{}
	return i
}

// drop gives one reference back; the last one frees the packet.
func (t *network) drop(i int32) {
	p := &t.packets[i]
	p.refs--
	if p.refs > 0 {
		return
	}
	if t.w.plan.PoisonBuffers {
		for j := range p.data {
			p.data[j] = 0xee
		}
	}
	t.free = append(t.free, i)
}

// send carries one datagram from a node to another, or to all, itself included
// where packets loop back.
func (t *network) send(from, to int, data []byte) { t.carry(from, to, data, t.w.loopBack) }

// sendOthers never loops back.
func (t *network) sendOthers(from, to int, data []byte) { t.carry(from, to, data, false) }

func (t *network) carry(from, to int, data []byte, loop bool) {
	i := t.take(data)
	depart, ok := t.depart(from, len(data))
	if to >= 0 {
		t.link(from, to, i, depart, ok)
	} else {
		for to := range t.w.nodes {
			if to != from || loop {
				t.link(from, to, i, depart, ok)
			}
		}
	}
	t.drop(i)
}

// depart is when a datagram leaves the sender's queue; false: the queue is full.
func (t *network) depart(from, size int) (time.Duration, bool) {
	now, rate := t.w.now, t.conds.rate[from]
	if rate == 0 {
		return now, true
	}
	start := max(now, t.busy[from])
	if start-now > slowQueue {
		return 0, false
	}
	t.busy[from] = start + time.Duration(size)*time.Second/time.Duration(rate)
	return t.busy[from], true
}

// link carries one copy over one link, or loses it.
func (t *network) link(from, to int, i int32, depart time.Duration, ok bool) {
	if from == to {
		t.arrive(from, to, i, t.w.now+selfDelay)
		return
	}
	c := &t.conds
	t.sent++
	if !ok || c.cut[from].Has(to) || (c.down>>from|c.down>>to)&1 == 1 ||
		sim.Chance(t.rng, c.loss) || sim.Chance(t.rng, c.lossFrom[from]) || t.typeLost(to, t.packets[i].data) {
		t.lost++
		if t.w.verbose(2) {
			t.w.logf("%s lost n%d -> n%d", t.w.describe(t.packets[i].data), from, to)
		}
		return
	}
	at := depart + t.w.plan.Latency + c.delay
	if t.w.plan.Jitter > 0 {
		at += time.Duration(t.rng.Int64N(int64(t.w.plan.Jitter)))
	}
	late := sim.Chance(t.rng, c.reorder)
	if late {
		at += sim.Between(t.rng, 0, c.reorderD)
	}
	if t.w.plan.InOrder && !late {
		last := &t.last[from][to][t.packets[i].knet.link]
		at = max(at, *last+time.Microsecond)
		*last = at
	}
	t.arrive(from, to, i, at)
	for k := range c.dups {
		f := &c.dups[k]
		if (f.N == 0 || t.w.kindOf(t.packets[i].data) == f.N-1) && sim.Chance(t.rng, f.P) {
			// No copy outlives the faults: peace begins with an empty network.
			if late := at + sim.Between(t.rng, 0, f.D); late < t.w.plan.Heal {
				t.arrive(from, to, i, late)
			}
		}
	}
}

func (t *network) typeLost(to int, data []byte) bool {
	for k := range t.conds.types {
		f := &t.conds.types[k]
		if (f.Node < 0 || f.Node == to) && t.w.kindOf(data) == f.N && sim.Chance(t.rng, f.P) {
			return true
		}
	}
	return false
}

func (t *network) arrive(from, to int, i int32, at time.Duration) {
	t.packets[i].refs++
	t.carried++
	t.w.queue.Put(at, event{kind: evArrive, node: uint8(to), from: uint8(from), arg: i})
}

// groups are the sets of mutually connected nodes among alive; false when the
// network is not calm: something is lost, one-way or not the same for all of a
// group.
func (t *network) groups(alive Mask, n int) ([]Mask, bool) {
	c := &t.conds
	if c.loss > 0 || len(c.types) > 0 || c.delay > 0 || c.reorder > 0 || len(c.links) > 0 {
		return nil, false
	}
	var out []Mask
	seen := Mask(0)
	for i := range n {
		if c.lossFrom[i] > 0 || c.rate[i] > 0 {
			return nil, false
		}
		if !alive.Has(i) || seen.Has(i) {
			continue
		}
		group := t.reached(i, alive, n)
		for j := range n {
			if group.Has(j) && t.reached(j, alive, n) != group {
				return nil, false
			}
		}
		seen |= group
		out = append(out, group)
	}
	return out, true
}

// reached is who hears node i, itself included, when that is mutual; who hears
// only one way makes the set differ between the two ends.
func (t *network) reached(i int, alive Mask, n int) Mask {
	group := Mask(1 << i)
	for j := range n {
		if j != i && alive.Has(j) && !t.conds.cut[i].Has(j) && t.conds.down>>i&1 == 0 && t.conds.down>>j&1 == 0 {
			group |= 1 << j
		}
	}
	return group
}
