package vote

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/quorum/wire"
)

// both is a cluster twice, ours and the model's, after the same events.
type both struct {
	r     *rules
	cfg   *Config
	ours  [specNodes]*Vote
	spec  spec
	rings []uint8 // partitions, by their lowest node
	votes uint8   // the partition that the device votes for
	disk  [specNodes]uint32
	path  []move
}

// move is one event.
type move struct {
	kind byte // 'k'ill 'l'eave 's'tart 'S'plit 'm'erge 'e'xpected 'w'indow 'd'evice 'c'ancel
	a, b uint8
}

func (m move) String() string {
	switch m.kind {
	case 'k':
		return fmt.Sprintf("kill %d", m.a)
	case 'l':
		return fmt.Sprintf("stop %d", m.a)
	case 's':
		return fmt.Sprintf("start %d with %s", m.a, setText(m.b))
	case 'S':
		return fmt.Sprintf("split %s off", setText(m.a))
	case 'm':
		return fmt.Sprintf("merge %s and %s", setText(m.a), setText(m.b))
	case 'e':
		return fmt.Sprintf("expected %d on %d", m.b, m.a)
	case 'd':
		return fmt.Sprintf("device votes for %s", setText(m.a))
	case 'c':
		return fmt.Sprintf("%d waits no more", m.a)
	}
	return "time passes"
}

func setText(s uint8) string {
	var out []string
	for _, id := range members(s) {
		out = append(out, fmt.Sprint(id))
	}
	return "(" + strings.Join(out, " ") + ")"
}

func members(s uint8) (out []uint32) {
	for i := 1; i < specNodes; i++ {
		if s>>i&1 == 1 {
			out = append(out, uint32(i))
		}
	}
	return out
}

// config is the configuration that the rules stand for.
func (r *rules) config() *Config {
	c := &Config{WaitForAll: r.wfa, WaitForAllSet: r.wfaSet, LastManStanding: r.lms, LastManWindow: time.Second,
		AllowDownscale: r.downscale, ExpectedVotesTracking: r.tracking, AutoTieBreaker: r.atb != 0,
		ExpectedVotes: uint32(r.expectedSet), Votes: 1, Nodes: &NodeList{Count: uint32(r.n), Votes: uint32(r.sum())}}
	if r.twoNode {
		c.TwoNode = 1
	}
	switch r.atb {
	case 'h':
		c.AutoTieBreakerNode = "highest"
	case 'o':
		c.AutoTieBreakerNode = "2 1"
	}
	if r.hasDev {
		c.Device = &Device{Votes: int64(r.devVotes), Timeout: time.Second, SyncTimeout: time.Second}
	}
	return c
}

func (r *rules) String() string {
	out := fmt.Sprintf("%d nodes, votes %v", r.n, r.votes[1:r.n+1])
	for _, f := range []struct {
		on   bool
		name string
	}{{r.twoNode, "two_node"}, {r.wfaSet, "wait_for_all: " + fmt.Sprint(r.wfa)}, {r.lms, "last_man_standing"},
		{r.atb != 0, "auto_tie_breaker " + string(rune(r.atb))}, {r.downscale, "allow_downscale"},
		{r.tracking, "expected_votes_tracking"}, {r.hasDev, fmt.Sprint("device ", r.devVotes)},
		{r.expectedSet != 0, fmt.Sprint("expected_votes ", r.expectedSet)}, {r.literal, "as 3.1.7"}} {
		if f.on {
			out += ", " + f.name
		}
	}
	return out
}

// start begins node i, with nobody yet.
func (b *both) start(t testing.TB, i int) {
	cfg, nodes := *b.cfg, *b.cfg.Nodes
	nodes.OwnVotes = uint32(b.r.votes[i])
	cfg.Nodes, cfg.TrackingBarrier = &nodes, b.disk[i]
	v, err := newVote(uint32(i), &cfg, b.r.literal)
	if err != nil {
		t.Fatal(err)
	}
	v.mute = true
	b.ours[i] = v
	var out []note
	b.spec.boot(b.r, i, &out) // what it says, nobody hears
	b.take(i)
}

// take carries out what a node of ours wants done but messages, which it returns.
func (b *both) take(i int) (out []Effect) {
	for _, e := range b.ours[i].Take() {
		switch e := e.(type) {
		case SaveBarrier:
			b.disk[i] = e.Value
		case SendNodeInfo, SendReconfigure, SendDeviceReg:
			out = append(out, e)
		}
	}
	return out
}

// talk lets the nodes of a ring exchange what they say until all is said. said
// is what the model's nodes say to begin with.
func (b *both) talk(t testing.TB, ring uint8, said *[specNodes][]note) {
	ids := members(ring)
	for busy := true; busy; {
		busy = false
		for _, from := range ids {
			notes := said[from]
			said[from] = nil
			for _, e := range b.take(int(from)) {
				busy = true
				for _, to := range ids {
					hearOurs(b.ours[to], from, e)
				}
				if _, about := e.(SendDeviceReg); about {
					b.registered(from, said)
					continue
				}
				if len(notes) == 0 {
					t.Fatalf("%v: %v: node %d says %v, the model nothing", b.r, b.path, from, e)
				}
				for _, to := range ids {
					b.spec.hear(b.r, int(to), int(from), notes[0])
				}
				notes = notes[1:]
			}
			if len(notes) > 0 {
				t.Fatalf("%v: %v: node %d does not say %+v", b.r, b.path, from, notes[0])
			}
		}
	}
}

func hearOurs(v *Vote, from uint32, e Effect) {
	switch e := e.(type) {
	case SendNodeInfo:
		v.GotNodeInfo(from, &e.NodeInfo)
	case SendReconfigure:
		v.GotReconfigure(from, &e.Reconfigure)
	case SendDeviceReg:
		v.GotDeviceReg(from, &e.QdeviceReg)
	}
}

// registered: the device's own node has it once it hears of that itself.
func (b *both) registered(from uint32, said *[specNodes][]note) {
	n := &b.spec.nodes[from]
	if !n.asks {
		return // it only tells others what the device is called
	}
	n.asks, n.on[from].has = false, true
	said[from] = append(said[from], note{kind: 'i', info: seen{votes: n.dev}}, note{kind: 'i', about: int(from), info: n.on[from]})
}

// form makes a ring.
func (b *both) form(t testing.TB, ring uint8) {
	ids := members(ring)
	now := time.Unix(1, 0)
	var said [specNodes][]note
	for _, id := range ids {
		b.ours[id].SyncInit(now, ids, service.RingID{Rep: ids[0], Seq: 4})
		b.spec.newRing(int(id), ring)
	}
	for _, id := range ids {
		b.ours[id].SyncProcess()
		b.spec.speak(int(id), &said[id])
	}
	b.talk(t, ring, &said)
	if b.r.hasDev {
		b.poll(t, ring)
	}
	for _, id := range ids {
		if !b.ours[id].SyncProcess() || !b.spec.nodes[id].polled {
			t.Fatalf("%v: %v: the round waits for a device", b.r, b.path)
		}
		b.spec.endRing(b.r, int(id))
		b.ours[id].SyncActivate()
	}
	b.talk(t, ring, &said)
}

// poll lets the device of each node of a ring vote, or not.
func (b *both) poll(t testing.TB, ring uint8) {
	var said [specNodes][]note
	for _, id := range members(ring) {
		v := b.ours[id]
		if v.us.flags&wire.FlagQdeviceRegistered == 0 {
			continue
		}
		r := wire.QdevicePollReq{Name: deviceName, Cast: b.votes>>id&1 == 1, Ring: v.ring}
		if status := v.Poll(time.Unix(1, 0), &r); status != service.OK {
			t.Fatalf("%v: %v: poll: %v", b.r, b.path, status)
		}
		b.spec.poll(int(id), r.Cast, &said[id])
	}
	b.talk(t, ring, &said)
}

const deviceName = "d"

// device adds the device to the nodes of a new cluster, with leave to win or not.
func (b *both) device(t testing.TB, ring uint8, wins bool) {
	var said [specNodes][]note
	for _, id := range members(ring) {
		if status, pending := b.ours[id].Register(deviceName); status != service.OK || !pending {
			t.Fatalf("register: %v", status)
		}
		b.spec.nodes[id].asks = true
	}
	b.talk(t, ring, &said)
	for _, id := range members(ring) {
		n := &b.spec.nodes[id]
		if wins {
			b.ours[id].MasterWins(&wire.QdeviceMasterWinsReq{Name: deviceName, Allow: true})
			n.wins, n.on[id].wins = true, true
			said[id] = append(said[id], note{kind: 'i', about: int(id), info: n.on[id]})
		}
	}
	b.talk(t, ring, &said)
	b.poll(t, ring)
}

func (b *both) ringOf(id uint8) uint8 {
	for _, r := range b.rings {
		if r>>id&1 == 1 {
			return r
		}
	}
	return 0
}

// replace puts rings in the place of others and forms them.
func (b *both) replace(t testing.TB, old []uint8, fresh ...uint8) {
	b.rings = slices.DeleteFunc(b.rings, func(r uint8) bool { return slices.Contains(old, r) })
	for _, r := range fresh {
		if r != 0 {
			b.rings = append(b.rings, r)
		}
	}
	slices.SortFunc(b.rings, func(x, y uint8) int { return bits.TrailingZeros8(x) - bits.TrailingZeros8(y) })
	for _, r := range fresh {
		if r != 0 {
			b.form(t, r)
		}
	}
}

// play lets a move happen to both, and compares them.
func (b *both) play(t testing.TB, m move) {
	b.path = append(b.path, m)
	switch m.kind {
	case 'l', 'k':
		ring := b.ringOf(m.a)
		if m.kind == 'l' {
			b.ours[m.a].Leave()
			var said [specNodes][]note
			if b.r.downscale {
				info := b.spec.nodes[m.a].on[m.a]
				info.leaving = true
				b.spec.nodes[m.a].on[m.a].leaving = true
				said[m.a] = []note{{kind: 'i', about: int(m.a), info: info}}
			}
			b.talk(t, ring, &said)
		}
		b.ours[m.a], b.spec.nodes[m.a] = nil, specNode{}
		b.replace(t, []uint8{ring}, ring&^(1<<m.a))
	case 's':
		b.start(t, int(m.a))
		b.replace(t, []uint8{m.b}, m.b|1<<m.a)
	case 'S':
		ring := b.ringOf(uint8(bits.TrailingZeros8(m.a)))
		b.replace(t, []uint8{ring}, m.a, ring&^m.a)
	case 'm':
		b.replace(t, []uint8{m.a, m.b}, m.a|m.b)
	case 'd':
		b.votes = m.a
		for _, r := range b.rings {
			b.poll(t, r)
		}
	default:
		b.tell(t, m)
	}
	b.compare(t)
}

// tell is the rest of play: what no ring changes by.
func (b *both) tell(t testing.TB, m move) {
	var said [specNodes][]note
	ring := b.ringOf(m.a)
	switch m.kind {
	case 'e':
		want := b.spec.expected(b.r, int(m.a), int(m.b))
		if got := b.ours[m.a].SetExpected(uint32(m.b)) == service.OK; got != want {
			t.Fatalf("%v: %v: accepted %v, the model %v", b.r, b.path, got, want)
		}
		if want {
			said[m.a] = []note{{kind: 'e', value: int(m.b)}}
		}
	case 'c':
		b.ours[m.a].CancelWaitForAll()
		said[m.a] = []note{{kind: 'c'}}
	default:
		for _, ring := range b.rings {
			for _, id := range members(ring) {
				b.ours[id].Expire(time.Unix(1, 0).Add(time.Hour))
				b.spec.timePasses(b.r, int(id), &said[id])
			}
			b.talk(t, ring, &said)
		}
		return
	}
	b.talk(t, ring, &said)
}

// expected: an operator asks for so many expected votes.
func (s *spec) expected(r *rules, i, votes int) bool {
	n := &s.nodes[i]
	whole := *r
	whole.downscale = false
	needs, there := n.needed(&whole, i, true, votes)
	if votes < there || n.ok && needs > there {
		return false
	}
	n.expectAll(votes)
	return true
}

// compare fails the test where a node of ours says anything else than the model.
func (b *both) compare(t testing.TB) {
	for i := 1; i <= b.r.n; i++ {
		v := b.ours[i]
		n := &b.spec.nodes[i]
		if (v != nil) != n.up {
			t.Fatalf("%v: %v: node %d", b.r, b.path, i)
		}
		if v == nil {
			continue
		}
		if got, want := ourAnswer(v), n.answer(b.r, i); got != want {
			t.Fatalf("%v\n%v\nnode %d\n   is: %+v\nmodel: %+v", b.r, b.path, i, got, want)
		}
	}
}

// answer is what clients are told of a node: GETINFO of every node that it
// knows, and whether it is quorate.
type answer struct {
	quorate, waits                bool
	needs, total, highest, device int
	nodes                         [specNodes]struct {
		state                   wire.NodeState
		votes, expects          int
		has, alive, casts, wins bool
	}
}

func ourAnswer(v *Vote) (a answer) {
	for id := range uint32(specNodes) {
		i, status := v.Info(id)
		if status != service.OK {
			continue
		}
		n := &a.nodes[id]
		if id != 0 {
			n.state, n.votes, n.expects = i.State, int(i.Votes), int(i.Expected)
			n.has, n.alive = i.Flags&wire.InfoQdeviceRegistered != 0, i.Flags&wire.InfoQdeviceAlive != 0
			n.casts, n.wins = i.Flags&wire.InfoQdeviceCastVote != 0, i.Flags&wire.InfoQdeviceMasterWins != 0
			continue
		}
		a.quorate, a.device = i.Flags&wire.InfoQuorate != 0, int(i.QdeviceVotes)
		a.needs, a.total, a.highest = int(i.Quorum), int(i.TotalVotes), int(i.HighestExpected)
	}
	a.waits = v.us.flags&wire.FlagWFAStatus != 0
	return a
}

func (n *specNode) answer(r *rules, self int) (a answer) {
	for i := 1; i < specNodes; i++ {
		o := &n.on[i]
		if !o.known {
			continue
		}
		state := wire.StateDead
		if o.member {
			state = wire.StateMember
			a.total += o.votes
			a.highest = max(a.highest, o.expects)
		} else if o.left {
			state = wire.StateLeaving
		}
		x := &a.nodes[i]
		x.state, x.votes, x.expects = state, o.votes, o.expects
		x.has, x.alive, x.casts, x.wins = o.has, o.alive, o.casts, o.wins
	}
	me := &n.on[self]
	if me.casts {
		a.total += n.dev
	}
	a.quorate, a.waits, a.needs, a.device = n.ok, me.waits, n.needs, n.dev
	return a
}

// moves are all events that can happen now.
func (b *both) moves() []move { return b.r.moves(nil, b.rings, b.votes) }

// moves adds all events that can happen to these partitions, of which the device
// votes for one.
func (r *rules) moves(out []move, rings []uint8, votes uint8) []move {
	var up uint8
	for _, ring := range rings {
		up |= ring
		out = r.movesOf(out, ring, rings, votes)
	}
	for i := 1; i <= r.n; i++ {
		if up>>i&1 == 0 {
			out = append(out, move{kind: 's', a: uint8(i)})
			for _, ring := range rings {
				out = append(out, move{kind: 's', a: uint8(i), b: ring})
			}
		}
	}
	if r.lms || r.hasDev {
		out = append(out, move{kind: 'w'})
	}
	return out
}

// movesOf adds what can happen to a ring that is there.
func (r *rules) movesOf(out []move, ring uint8, rings []uint8, votes uint8) []move {
	for id := uint8(1); id < specNodes; id++ {
		if ring>>id&1 == 0 {
			continue
		}
		out = append(out, move{kind: 'k', a: id})
		if r.downscale {
			out = append(out, move{kind: 'l', a: id})
		}
	}
	first := ring & -ring
	for part := (ring - 1) & ring; part != 0; part = (part - 1) & ring {
		if part&first != 0 {
			out = append(out, move{kind: 'S', a: part})
		}
	}
	for _, o := range rings {
		if ring < o {
			out = append(out, move{kind: 'm', a: ring, b: o})
		}
	}
	id := uint8(bits.TrailingZeros8(ring))
	for votes := 1; votes <= r.n; votes++ {
		out = append(out, move{kind: 'e', a: id, b: uint8(votes)})
	}
	if r.waits() {
		out = append(out, move{kind: 'c', a: id})
	}
	if r.hasDev && votes != ring {
		out = append(out, move{kind: 'd', a: ring})
	}
	return out
}

// newBoth is all nodes in one ring, just started, with their device if there is one.
func newBoth(t testing.TB, r *rules, wins bool) *both {
	t.Helper()
	b := &both{r: r, cfg: r.config()}
	var all uint8
	for i := 1; i <= r.n; i++ {
		b.start(t, i)
		all |= 1 << i
	}
	b.replace(t, nil, all)
	if r.hasDev {
		b.votes = all
		b.device(t, all, wins)
	}
	b.compare(t)
	return b
}

// allRules are all combinations of options for n nodes that differ and fit
// together; those that do not fit must be refused.
func allRules(t testing.TB, n int) (out []*rules) {
	for mask := range 1 << 6 {
		on := func(i int) bool { return mask>>i&1 == 1 }
		r := rules{n: n, twoNode: on(0), wfaSet: on(1), wfa: on(2), lms: on(3), downscale: on(4), tracking: on(5)}
		if r.wfa && !r.wfaSet || r.wfaSet && !r.wfa && !r.twoNode || r.downscale && r.tracking {
			continue // says nothing new
		}
		for i := 1; i <= n; i++ {
			r.votes[i] = 1
		}
		for _, r.atb = range []byte{0, 'l', 'h', 'o'} {
			for _, r.devVotes = range []int{0, -1, 1} {
				for _, r.votes[1] = range []int{1, 2} {
					r.hasDev = r.devVotes != 0
					if r.fits(t) {
						c := r
						out = append(out, &c)
					}
				}
			}
		}
	}
	return out
}

// fits tells whether the options fit together, and fails the test when the two
// do not agree on that.
func (r *rules) fits(t testing.TB) bool {
	cfg := r.config()
	cfg.Nodes.OwnVotes = uint32(r.votes[1])
	_, err := New(1, cfg)
	if (err != nil) != r.refused() {
		t.Errorf("%v: %v, the model refuses it: %v", r, err, r.refused())
	}
	return err == nil
}

// TestAgainstModel: our votes are the model's, after every event of random
// sequences, for up to four nodes and all options that fit together; with -deep
// of all sequences of up to six. The flaws of 3.1.7 that are mended here are in the model
// too (as3.1.7): TestAgainstOriginal shows that it is right about them.
func TestAgainstModel(t *testing.T) {
	if *deepModel {
		before := debug.SetGCPercent(400) // most of it is garbage at once
		t.Cleanup(func() { debug.SetGCPercent(before) })
	}
	for n := 1; n <= 4; n++ {
		list := allRules(t, n)
		rng := rand.New(rand.NewPCG(uint64(n), 1))
		if *deepModel {
			for _, r := range list {
				t.Run(r.String(), func(t *testing.T) {
					t.Parallel()
					walkAll(t, r, *deepMoves)
				})
			}
			continue
		}
		for _, r := range list {
			for _, r.literal = range []bool{false, true} {
				r.walkRandomly(t, rng, 0)
				r.walkRandomly(t, rng, 1+rng.IntN(n+1))
			}
		}
		t.Logf("%d nodes: %d sets of options", n, len(list))
	}
}

// walkRandomly plays twelve random events, with quorum.expected_votes if that fits.
func (r *rules) walkRandomly(t testing.TB, rng *rand.Rand, expected int) {
	r.expectedSet = expected
	if r.fits(t) {
		b := newBoth(t, r, rng.IntN(2) == 0)
		for range 12 {
			m := b.moves()
			b.play(t, m[rng.IntN(len(m))])
		}
	}
	r.expectedSet = 0
}
