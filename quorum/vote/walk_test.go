package vote

import (
	"flag"
	"math/bits"
	"slices"
	"testing"
)

var deepMoves = flag.Int("moves", 6, "TestAgainstModel with -deep: the longest sequence")

// walker plays all sequences of events up to a length with one set of options.
//
// Rings do not hear each other, so what an event does depends on the nodes that
// it touches alone. A node's state, ours and the model's, is therefore kept once
// and has a number, and an event that meets the same states again is not played
// again: what came of it is known, and was compared.
type walker struct {
	t      testing.TB
	r      *rules
	cfg    *Config
	nodes  []nodeState // by number, from 1 on; never changed
	number map[nodeKey]uint32
	known  map[event]outcome
	seen   map[cluster]int8 // with how many events left
	path   []move
	events int
}

// nodeState is a node between two events, nil when it is down.
type nodeState struct {
	ours           *Vote
	spec           specNode
	disk, specDisk int
}

// nodeKey tells states apart that can behave differently.
type nodeKey struct {
	up                    bool
	spec                  specNode
	disk, specDisk        int
	count                 int
	nodes                 [specNodes]node
	members, previous     uint8
	device                node
	quorum, barrier, peak uint32
	quorate, waiting      bool
	low, high             extreme
	lastMan               bool
	lms, dev, polling     bool
	registering, wins     bool
	name                  string
}

// cluster is the states of all nodes and the rings, each by its lowest node.
type cluster struct {
	nodes [specNodes]uint32
	rings [specNodes]uint8
	votes uint8 // the partition that the device votes for
}

// event is a move and the states of the nodes that it touches, 0 for others.
type event struct {
	move
	votes uint8
	nodes [specNodes]uint32
}

// outcome is what became of these nodes.
type outcome struct {
	nodes [specNodes]uint32
	rings [specNodes]uint8
}

// walkAll walks from a cluster that has just started, with a device that may win
// alone and with one that may not.
func walkAll(t testing.TB, r *rules, moves int) {
	for _, wins := range []bool{false, true} {
		if wins && !r.hasDev {
			continue
		}
		b := newBoth(t, r, wins)
		w := &walker{t: t, r: r, cfg: b.cfg, nodes: make([]nodeState, 1), number: map[nodeKey]uint32{},
			known: map[event]outcome{}, seen: map[cluster]int8{}}
		all := uint8(1<<(r.n+1) - 2)
		o := w.store(b, all)
		w.walk(cluster{nodes: o.nodes, rings: o.rings, votes: b.votes}, moves)
		t.Logf("%d events after %d clusters; %d kinds of events between %d states of a node", w.events, len(w.seen), len(w.known), len(w.nodes)-1)
	}
}

// walk plays all sequences from here on; a cluster that was met before with as
// many events left is not gone on from again.
func (w *walker) walk(c cluster, left int) {
	if was, met := w.seen[c]; met && int(was) >= left {
		return
	}
	w.seen[c] = int8(left)
	var room [64]move
	for _, m := range w.r.moves(room[:0], c.list(), c.votes) {
		w.path = append(w.path, m)
		after := w.play(c, m)
		w.events++
		if left > 1 {
			w.walk(after, left-1)
		}
		w.path = w.path[:len(w.path)-1]
	}
}

// play lets a move happen.
func (w *walker) play(c cluster, m move) cluster {
	switch m.kind {
	case 'd', 'w':
		for _, ring := range c.list() {
			one := m
			one.a &= ring
			c = w.playOn(c, one, ring)
		}
		if m.kind == 'd' {
			c.votes = m.a
		}
		return c
	case 's':
		return w.playOn(c, m, m.b|1<<m.a)
	case 'm':
		return w.playOn(c, m, m.a|m.b)
	case 'S':
		for _, ring := range c.rings {
			if ring&m.a != 0 {
				return w.playOn(c, m, ring)
			}
		}
	}
	for _, ring := range c.rings {
		if ring>>m.a&1 == 1 {
			return w.playOn(c, m, ring)
		}
	}
	w.t.Fatalf("%v: nobody for %v in %v", w.path, m, c)
	return c
}

// playOn lets a move happen that touches these nodes alone.
func (w *walker) playOn(c cluster, m move, touched uint8) cluster {
	e := event{move: m, votes: c.votes & touched}
	for i := range e.nodes {
		if touched>>i&1 == 1 {
			e.nodes[i] = c.nodes[i]
		}
	}
	o, met := w.known[e]
	if !met {
		b := w.load(c, touched)
		b.play(w.t, m)
		o = w.store(b, touched)
		w.known[e] = o
	}
	for i := range c.nodes {
		if touched>>i&1 == 1 {
			c.nodes[i], c.rings[i] = o.nodes[i], o.rings[i]
		}
	}
	return c
}

func (c *cluster) list() (rings []uint8) {
	for _, ring := range c.rings {
		if ring != 0 {
			rings = append(rings, ring)
		}
	}
	return rings
}

// load is these nodes and their rings, and nobody else.
func (w *walker) load(c cluster, touched uint8) *both {
	b := &both{r: w.r, cfg: w.cfg, votes: c.votes & touched, path: slices.Clone(w.path[:len(w.path)-1])}
	for i := range c.nodes {
		if touched>>i&1 == 0 {
			continue
		}
		n := &w.nodes[c.nodes[i]]
		if n.ours != nil {
			b.ours[i] = n.ours.clone()
		}
		b.spec.nodes[i], b.spec.disk[i], b.disk[i] = n.spec, n.specDisk, uint32(n.disk)
		if ring := c.rings[i]; ring != 0 {
			b.rings = append(b.rings, ring)
		}
	}
	return b
}

// store gives the states of these nodes their numbers.
func (w *walker) store(b *both, touched uint8) (o outcome) {
	for i := range o.nodes {
		if touched>>i&1 == 0 {
			continue
		}
		n := nodeState{b.ours[i], b.spec.nodes[i], int(b.disk[i]), b.spec.disk[i]}
		k := n.key()
		if w.number[k] == 0 {
			w.number[k] = uint32(len(w.nodes))
			w.nodes = append(w.nodes, n)
		}
		o.nodes[i] = w.number[k]
	}
	for _, ring := range b.rings {
		o.rings[bits.TrailingZeros8(ring)] = ring
	}
	return o
}

func (n *nodeState) key() nodeKey {
	k := nodeKey{up: n.ours != nil, spec: n.spec, disk: n.disk, specDisk: n.specDisk}
	v := n.ours
	if v == nil {
		return k
	}
	k.count = len(v.nodes)
	for i, n := range v.nodes {
		k.nodes[i] = *n
	}
	for _, id := range v.members {
		k.members |= 1 << id
	}
	for _, id := range v.previous {
		k.previous |= 1 << id
	}
	k.device, k.quorum, k.barrier, k.peak = v.device, v.quorum, v.barrier, v.trackingBarrier
	k.quorate, k.waiting, k.low, k.high, k.lastMan = v.quorate, v.waiting, v.lowest, v.highest, v.lastMan
	k.lms, k.dev, k.polling = !v.lmsAt.IsZero(), !v.deviceAt.IsZero(), v.polling
	k.registering, k.wins, k.name = v.registering, v.masterWins, v.deviceName
	return k
}
