package vote

import (
	"math/bits"
)

// The model that the votes are held to: votequorum(5) and what nodes tell each
// other, written down once more with none of the package's types or functions.
// Nodes are numbers from 1 on and sets of them bits, everything is a value, so
// that a whole cluster can be copied and be the key of a map.

const specNodes = 5 // the most that the model has room for, with 0 for the device

// rules are the options of a cluster.
type rules struct {
	votes                       [specNodes]int // of each node
	twoNode, wfa, lms           bool
	wfaSet                      bool // else it follows two_node
	atb                         byte // 0, 'l'owest, 'h'ighest, list: 'o' (2 before 1)
	downscale, tracking, hasDev bool
	devVotes                    int // -1: one less than there are nodes
	n                           int
	expectedSet                 int  // quorum.expected_votes
	literal                     bool // with the flaws of 3.1.7 that are mended here
}

// seen is what a node knows of another: the last info it got.
type seen struct {
	known, member, left                                     bool
	votes, expects                                          int
	quorate, leaving, waits, first, has, alive, casts, wins bool
}

// specNode is one node of the model.
type specNode struct {
	up, ok, waiting         bool            // ok: quorate
	on                      [specNodes]seen // by node; its own is its own state
	dev                     int             // votes of the device
	needs                   int             // the quorum
	low, high               int             // of the last quorate partition, 0: none yet
	ring, before            uint8
	barrier, peak           int
	twoNode, lms            bool
	atb                     byte
	window                  bool // last_man_standing's is running
	gathering, sent, polled bool
	devTimer                bool
	wins                    bool // the device may win
	asks                    bool // a device's client waits for its registration
}

// note is a message between nodes: an info about node about (0: the device), new
// expected votes, or the end of waiting.
type note struct {
	kind  byte // 'i'nfo, 'e'xpected, 'c'ancel
	about int
	info  seen
	value int
}

// spec is the cluster: who is up, and what each node thinks.
type spec struct {
	nodes [specNodes]specNode
	disk  [specNodes]int // the tracking file
}

func (r *rules) sum() (total int) {
	for i := 1; i <= r.n; i++ {
		total += r.votes[i]
	}
	return total
}

// refused: what votequorum(5) says does not go together.
func (r *rules) refused() bool {
	odd := r.sum()%2 == 1
	wfa := r.wfa || !r.wfaSet && r.twoNode
	return r.twoNode && r.hasDev ||
		r.atb != 0 && odd && !wfa && r.lms ||
		r.hasDev && (r.lms || r.atb != 0 && !(odd && !wfa) || r.downscale) ||
		r.hasDev && r.devVotes < 0 && (r.sum() != r.n || r.expectedSet != 0) ||
		r.hasDev && r.expectedSet != 0 && r.devVotes > 0 && r.expectedSet-r.devVotes < 2
}

func (r *rules) waits() bool { return r.wfa || !r.wfaSet && r.twoNode }

// boot starts node i, alone. out collects what it says.
func (s *spec) boot(r *rules, i int, out *[]note) {
	n := specNode{up: true, twoNode: r.twoNode, lms: r.lms, atb: r.atb}
	if r.twoNode && r.atb != 0 {
		n.twoNode = false
	}
	if n.atb != 0 && r.sum()%2 == 1 && !r.waits() {
		n.atb = 0
	}
	n.waiting = r.waits()
	me := seen{known: true, member: true, votes: r.votes[i], expects: r.sum(), first: true, waits: n.waiting}
	if r.hasDev {
		n.dev = r.devVotes
		if r.devVotes < 0 {
			n.dev = r.n - 1
			me.expects += n.dev
		}
	}
	if r.expectedSet != 0 && !r.tracking && !r.downscale {
		me.expects = r.expectedSet
	}
	if r.tracking || r.downscale {
		n.peak = s.disk[i]
		if n.peak != 0 {
			me.expects = n.peak
		}
	}
	n.barrier = me.expects
	n.on[i] = me
	s.nodes[i] = n
	s.count(r, i, false, false)
	*out = append(*out, note{kind: 'i', about: i, info: s.nodes[i].on[i]})
}

// needed is the quorum, and the votes that are there.
func (n *specNode) needed(r *rules, self int, mayFall bool, expected int) (needs, there int) {
	highest, heads := 0, 0
	for i := 1; i < specNodes; i++ {
		if n.on[i].member {
			highest = max(highest, n.on[i].expects)
			there += n.on[i].votes
			heads++
		}
	}
	if n.on[self].casts {
		there += n.dev
		heads++
	}
	if expected > 0 {
		highest = expected
		if r.downscale && mayFall {
			highest = max(highest, n.barrier)
		}
	}
	needs = 1 + max(highest, there)/2
	if !mayFall {
		needs = max(needs, n.needs)
	}
	if n.twoNode && heads <= 2 {
		needs = 1
	}
	return needs, there
}

// count counts the votes anew and decides.
func (s *spec) count(r *rules, i int, mayFall, byHeads bool) {
	n := &s.nodes[i]
	me := &n.on[i]
	votes, heads := 0, 0
	for _, o := range n.on {
		if o.member {
			votes += o.votes
			heads++
		}
	}
	if n.dev > 0 {
		votes += n.dev
		heads++
	}
	me.expects = max(me.expects, votes)
	if (r.tracking || r.downscale) && me.expects > n.peak {
		n.peak = me.expects
		s.disk[i] = n.peak
	}
	expected := 0
	if byHeads {
		expected = heads
	}
	needs, there := n.needed(r, i, mayFall, expected)
	n.needs = needs
	if byHeads {
		n.expectAll(heads)
	}
	n.decide(r, i, there)
}

func (n *specNode) expectAll(votes int) {
	for k := range n.on {
		if n.on[k].member {
			n.on[k].expects = votes
		}
	}
}

// decide says whether there are votes enough.
func (n *specNode) decide(r *rules, self, there int) {
	me := &n.on[self]
	if r.waits() && n.waiting {
		if there != me.expects {
			return
		}
		n.wait(me, false)
	}
	enough := there >= n.needs
	if enough {
		n.low, n.high = 0, self
		for i := range n.on {
			if n.on[i].member {
				if n.low == 0 {
					n.low = i
				}
				n.high = max(n.high, i)
			}
		}
	}
	gone := bits.OnesCount8(n.before) - bits.OnesCount8(n.ring)
	tie := n.atb != 0 && there == me.expects/2 && gone < n.needs && n.hasTieBreaker()
	wins := false
	for _, o := range n.on {
		wins = wins || o.member && o.wins && o.casts
	}
	n.ok = enough || tie || wins && n.wins
	me.quorate = n.ok
	if r.waits() && (n.ok || !n.gathering || r.literal) {
		n.wait(me, !n.ok)
	}
}

// wait sets whether the node waits, and says so.
func (n *specNode) wait(me *seen, on bool) { n.waiting, me.waits = on, on }

// hasTieBreaker: the node that breaks ties is here. With a list it is the first
// that is here, if those before it were not in the ring before either.
func (n *specNode) hasTieBreaker() bool {
	switch n.atb {
	case 'l':
		return n.on[n.low].member
	case 'h':
		return n.on[n.high].member
	}
	const first, second = 1 << 2, 1 << 1 // the list is "2 1"
	return n.ring&first != 0 || n.ring&second != 0 && n.before&first == 0
}

// hear takes what from said.
func (s *spec) hear(r *rules, i, from int, m note) {
	n := &s.nodes[i]
	switch m.kind {
	case 'e':
		n.expectAll(m.value)
		n.barrier = m.value
		if r.tracking || r.downscale {
			n.on[i].expects = max(n.on[i].expects, n.peak)
		}
		s.count(r, i, true, false)
	case 'c':
		n.wait(&n.on[i], false)
		s.count(r, i, false, false)
	default:
		if m.about == 0 {
			s.hearDevice(r, i, from, m.info.votes)
			return
		}
		s.hearInfo(r, i, m)
	}
}

func (s *spec) hearDevice(r *rules, i, from, votes int) {
	n := &s.nodes[i]
	old := n.dev
	if n.ok || !n.on[from].quorate {
		votes = max(votes, n.dev)
	}
	n.dev = votes
	if n.dev != old {
		s.count(r, i, false, false)
	}
}

func (s *spec) hearInfo(r *rules, i int, m note) {
	n := &s.nodes[i]
	before, now := n.on[m.about], m.info
	now.known, now.member, now.left = true, !now.leaving, now.leaving
	learns := !n.ok && now.quorate
	if learns {
		n.on[i].expects = now.expects
	}
	if !now.quorate && !r.tracking && !r.downscale {
		now.expects = n.on[i].expects
	}
	n.on[m.about] = now
	if n.lms && now.votes > 1 {
		n.lms, n.window = false, false
	}
	if !before.known || m.about == i || now.first || before != now {
		s.count(r, i, now.leaving || learns, now.leaving)
	}
	// By now our own info may be newer than the one that came.
	if o := &n.on[m.about]; r.waits() && o.quorate && !o.waits {
		n.wait(&n.on[i], false)
	}
}

// newRing begins a round on node i.
func (s *spec) newRing(i int, ring uint8) {
	n := &s.nodes[i]
	n.gathering, n.sent, n.polled = true, false, true
	if bits.OnesCount8(ring) > 1 {
		n.on[i].first = false
	}
	gone := n.ring &^ ring
	for k := range n.on {
		if gone>>k&1 == 1 && n.on[k].known {
			n.on[k].member, n.on[k].left = false, false
		}
	}
	size := bits.OnesCount8(ring)
	if n.lms && (gone != 0 && size >= n.needs || size <= n.needs && n.atb != 0 && n.on[n.low].member && n.low != 0) {
		n.window = true
	}
	n.before, n.ring = n.ring, ring
	if n.on[i].has && n.on[i].alive {
		n.polled, n.devTimer = false, true
	}
}

// speak is what node i says once in a round.
func (s *spec) speak(i int, out *[]note) {
	n := &s.nodes[i]
	if !n.sent {
		n.sent = true
		*out = append(*out, note{kind: 'i', about: i, info: n.on[i]}, note{kind: 'i', info: seen{votes: n.dev}})
	}
}

// endRing ends the round.
func (s *spec) endRing(r *rules, i int) {
	s.nodes[i].gathering = false
	s.count(r, i, false, false)
}

// timePasses: the window of last_man_standing ends, a device that was not heard
// of counts as lost.
func (s *spec) timePasses(r *rules, i int, out *[]note) {
	n := &s.nodes[i]
	if n.window {
		n.window = false
		if n.on[i].quorate {
			s.count(r, i, true, true)
		}
	}
	if n.devTimer {
		n.devTimer = false
		if n.on[i].alive {
			n.on[i].alive, n.on[i].casts = false, false
			n.polled = true
			*out = append(*out, note{kind: 'i', about: i, info: n.on[i]})
		}
	}
}

// poll: the device lives, and votes for this partition or not.
func (s *spec) poll(i int, cast bool, out *[]note) {
	n := &s.nodes[i]
	me := &n.on[i]
	if !me.alive || me.casts != cast {
		me.alive, me.casts = true, cast
		*out = append(*out, note{kind: 'i', about: i, info: *me})
	}
	n.polled, n.devTimer = true, true
}
