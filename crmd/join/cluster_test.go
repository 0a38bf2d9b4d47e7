package join_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/pacesync/pacesync/crmd/election"
	"github.com/pacesync/pacesync/crmd/fsa"
	"github.com/pacesync/pacesync/crmd/join"
)

// The simulation: N controllers, each its state machine, election and both
// sides of joining, on a bus that orders messages as process groups do. What the
// shell does between them is written down here once more, without XML, CIB
// and scheduler. Nodes crash, return and are parted at random, from a seed; when
// that ends, one DC must come out of it that everybody joined.

type message struct {
	kind     string // announce, offer, request, ack, confirm, vote, noop
	from, to string // to empty: all
	dc       bool   // sent as DC
	round    int
	vote     election.Message
}

// event is what a node takes from its inbox: a message or a membership.
type event struct {
	msg     *message
	members []string
	seq     uint64
}

type node struct {
	c       *cluster
	name    string
	m       *fsa.Machine[message]
	e       *election.Election
	l       *join.Leader
	j       *join.Joiner
	inbox   []event
	members map[string]bool
	seq     uint64
	leading bool
	haveCIB bool
	timers  map[string]time.Duration // when they run out
	born    time.Duration
}

type cluster struct {
	t     *testing.T
	r     *rand.Rand
	now   time.Duration
	nodes map[string]*node // running ones
	all   []string
	part  map[string]int // which part of the network a node is in
	seq   uint64
	log   []string
}

func (c *cluster) logf(format string, args ...any) {
	if len(c.log) < 20000 {
		c.log = append(c.log, fmt.Sprintf("%8.3f ", c.now.Seconds())+fmt.Sprintf(format, args...))
	}
}

func (c *cluster) start(name string) {
	n := &node{c: c, name: name, m: fsa.New[message](), l: join.NewLeader(name, "3.16.1"), j: join.NewJoiner(name),
		members: map[string]bool{}, timers: map[string]time.Duration{}, born: c.now}
	n.e = election.New(election.Config{Self: name, FeatureSet: "3.16.1", Timeout: 2 * time.Minute})
	c.nodes[name] = n
	n.m.Push(fsa.Event[message]{Input: fsa.Startup})
	c.members()
}

// members tells every part of the network who is in it.
func (c *cluster) members() {
	c.seq += 4
	for _, name := range c.all {
		n := c.nodes[name]
		if n == nil {
			continue
		}
		var in []string
		for _, other := range c.all {
			if c.nodes[other] != nil && c.part[other] == c.part[name] {
				in = append(in, other)
			}
		}
		n.inbox = append(n.inbox, event{members: in, seq: c.seq})
	}
}

func (n *node) send(m message) {
	m.from, m.dc = n.name, n.leading && (m.kind == "offer" || m.kind == "ack" || m.kind == "noop")
	for _, other := range n.c.all {
		if o := n.c.nodes[other]; o != nil && n.c.part[other] == n.c.part[n.name] && (m.to == "" || m.to == other) {
			o.inbox = append(o.inbox, event{msg: &m})
		}
	}
}

func (n *node) view() (election.View, join.Members) {
	v, m := election.View{ID: n.name}, join.Members{Seq: n.seq}
	for _, name := range n.c.all {
		v.Peers = append(v.Peers, election.Peer{Name: name, Active: n.members[name]})
		m.Peers = append(m.Peers, join.Peer{Name: name, Active: n.members[name]})
	}
	return v, m
}

func (n *node) moment() election.Moment {
	return election.Moment{Now: time.Unix(0, 0).Add(n.c.now), CPU: n.c.now - n.born}
}

func (n *node) input(in fsa.Input) { n.m.Push(fsa.Event[message]{Input: in, Origin: "sim"}) }
func (n *node) with(in fsa.Input, m message) {
	n.m.Push(fsa.Event[message]{Input: in, Data: m, Full: true})
}

func (n *node) afterElection() {
	o := n.e.Take()
	for _, v := range o.Send {
		n.send(message{kind: "vote", to: v.To, vote: v})
	}
	if o.Won {
		n.input(fsa.ElectionDC)
	}
	delete(n.timers, "election")
	if d := n.e.Deadline(); !d.IsZero() {
		n.timers["election"] = d.Sub(time.Unix(0, 0))
	}
}

func (n *node) take() {
	ev := n.inbox[0]
	n.inbox = n.inbox[1:]
	if ev.msg == nil {
		n.membership(ev)
	} else {
		n.receive(*ev.msg)
	}
	n.run()
}

func (n *node) membership(ev event) {
	now := map[string]bool{}
	for _, name := range ev.members {
		now[name] = true
	}
	dc, _ := n.j.DC()
	for _, name := range n.c.all {
		if n.members[name] && !now[name] {
			n.e.Forget(name)
			if name == dc {
				n.e.ClearDampening()
			}
		}
	}
	before := n.members
	n.members, n.seq = now, ev.seq
	for _, name := range n.c.all {
		switch {
		case now[name] && !before[name] && n.leading:
			n.m.PushFirst(fsa.Event[message]{Input: fsa.NodeJoin})
		case !now[name]:
			_ = n.l.Set(name, join.None)
			if before[name] && name == dc && !n.leading {
				n.input(fsa.Elect)
			}
		}
	}
	n.check()
	n.m.Require(fsa.ElectionCheck)
	n.send(message{kind: "noop"})
}

func (n *node) receive(m message) {
	if n.leading && m.dc && m.from != n.name {
		if n.m.State() != fsa.Election {
			n.m.Fail(fsa.Event[message]{Input: fsa.Elect})
		}
		return
	}
	switch m.kind {
	case "vote":
		n.m.PushActions(fsa.Event[message]{Data: m, Full: true}, fsa.CountVote, fsa.ElectionCheck)
	case "offer":
		n.with(fsa.JoinOffer, m)
	case "ack":
		n.with(fsa.JoinResult, m)
	case "announce":
		if n.leading {
			n.with(fsa.NodeJoin, m)
		}
	case "request":
		if n.leading {
			n.with(fsa.JoinRequest, m)
		}
	case "confirm":
		if n.leading {
			n.with(fsa.JoinResult, m)
		}
	}
}

func (n *node) run() {
	n.m.Wake()
	for steps := 0; ; steps++ {
		s, ok := n.m.Next()
		if !ok {
			return
		}
		if steps > 10000 {
			n.c.t.Fatalf("%s: no rest in %s", n.name, n.m.State())
		}
		if s.Changed {
			n.c.logf("%s %s -> %s (%s)", n.name, s.From, s.To, s.Event.Input)
			continue
		}
		if !n.member(s) {
			n.dcAction(s)
		}
		if n.c.nodes[n.name] != n {
			return // it recovered by starting again
		}
	}
}

func (n *node) follow(m message) bool {
	if _, err := n.j.Follow(m.from, "3.16.1"); err != nil {
		n.m.Require(fsa.JoinQuery, fsa.DCTimerStart)
		return false
	}
	return true
}

func (n *node) member(s fsa.Step[message]) bool {
	m := s.Event.Data
	switch s.Action {
	case fsa.Started:
		n.input(fsa.BePending)
	case fsa.ForgetDC:
		n.j.Unset()
	case fsa.JoinQuery, fsa.Announce:
		n.j.Unset()
		n.send(message{kind: "announce"})
	case fsa.DCTimerStart:
		n.timers["dc"] = n.c.now + 20*time.Second
		if n.leading {
			n.input(fsa.Elect)
		}
	case fsa.DCTimerStop:
		delete(n.timers, "dc")
	case fsa.ElectionTimerStop:
		n.e.StopTimer()
		delete(n.timers, "election")
	case fsa.Vote, fsa.ElectionStart:
		v, _ := n.view()
		n.e.Vote(n.moment(), v)
		n.afterElection()
	case fsa.CountVote:
		v, _ := n.view()
		m.vote.From = m.from
		switch n.e.Count(n.moment(), v, m.vote, n.m.State() != fsa.Starting) {
		case election.Start:
			n.e.Reset()
			n.input(fsa.Elect)
		case election.Lost:
			n.j.Unset()
			if n.leading {
				n.input(fsa.Release)
			} else if n.m.State() != fsa.Starting {
				n.input(fsa.BePending)
			}
		}
		n.afterElection()
	case fsa.ElectionCheck:
		if v, _ := n.view(); n.m.State() == fsa.Election {
			n.e.Check(v)
			n.afterElection()
		}
	case fsa.JoinAsk:
		if n.follow(m) {
			n.send(message{kind: "request", to: m.from, round: m.round})
		}
	case fsa.JoinAccepted:
		if m.kind == "ack" && (n.leading || m.from != n.name) && n.follow(m) {
			n.send(message{kind: "confirm", to: m.from, round: m.round})
			if !n.leading {
				n.m.PushFirst(fsa.Event[message]{Input: fsa.Joined})
			}
		}
	case fsa.Recover, fsa.Exit0, fsa.Exit1:
		n.c.logf("%s starts again", n.name)
		n.c.start(n.name)
	default:
		return false
	}
	return true
}

func (n *node) dcAction(s fsa.Step[message]) {
	m := s.Event.Data
	_, members := n.view()
	switch s.Action {
	case fsa.DCTakeover:
		n.leading = true
		n.j.SetLeading(true)
		n.e.Reset()
		n.afterElection()
	case fsa.DCRelease:
		n.leading = false
		n.j.SetLeading(false)
	case fsa.DCReleased:
		n.input(fsa.ReleaseSuccess)
	case fsa.OfferAll:
		n.haveCIB = false
		n.j.Unset()
		n.offer(n.l.OfferAll(members))
	case fsa.OfferOne:
		if s.Event.Full {
			n.offer(n.l.OfferOne(members, m.from))
			return
		}
		n.offer(n.l.OfferMissing(members))
		n.check()
	case fsa.TakeRequest:
		n.l.Request(join.Request{From: m.from, Active: n.members[m.from], Round: m.round, Features: "3.16.1", CIB: &join.Generation{}})
		n.check()
	case fsa.Finalize:
		if n.l.Count(join.Welcomed) != 0 || n.l.Count(join.Integrated) == 0 {
			n.check()
			return
		}
		n.haveCIB = true
		for _, name := range n.l.In(join.Integrated) {
			if n.members[name] && n.l.Accept(name) == nil {
				n.send(message{kind: "ack", to: name, round: n.l.Round()})
			}
		}
	case fsa.TakeHistory:
		if m.kind == "confirm" && n.l.Confirm(m.from, m.round).Accepted {
			n.check()
		}
	case fsa.JoinFinal:
		n.input(fsa.PECalc)
	case fsa.PEInvoke:
		n.input(fsa.PESuccess)
	case fsa.TEInvoke:
		n.input(fsa.TESuccess)
	case fsa.IntegrateTimerStart:
		n.timers["integration"] = n.c.now + 3*time.Minute
	case fsa.IntegrateTimerStop:
		delete(n.timers, "integration")
	case fsa.FinalizeTimerStart:
		n.timers["finalization"] = n.c.now + 30*time.Minute
	case fsa.FinalizeTimerStop:
		delete(n.timers, "finalization")
	}
}

func (n *node) offer(o join.Offer) {
	for _, to := range o.To {
		n.send(message{kind: "offer", to: to, round: n.l.Round()})
	}
}

func (n *node) check() {
	stage := join.Elsewhere
	switch n.m.State() {
	case fsa.Integration:
		stage = join.Integrating
	case fsa.FinalizeJoin:
		stage = join.Finalizing
	}
	if !n.leading {
		return
	}
	switch n.l.Check(stage, n.seq, n.haveCIB) {
	case join.NewMembership:
		n.m.PushFirst(fsa.Event[message]{Input: fsa.NodeJoin})
	case join.AllIntegrated:
		n.m.PushFirst(fsa.Event[message]{Input: fsa.Integrated})
	case join.AllConfirmed:
		n.input(fsa.Finalized)
	}
}

func (n *node) expire(what string) {
	delete(n.timers, what)
	switch what {
	case "dc":
		n.input(fsa.DCTimeout)
	case "election":
		n.e.Expire(time.Unix(0, 0).Add(n.c.now))
		n.afterElection()
	case "integration":
		if n.l.Count(join.Welcomed) == 0 {
			n.m.Fail(fsa.Event[message]{Input: fsa.Elect})
		} else {
			n.m.PushFirst(fsa.Event[message]{Input: fsa.Integrated, Cause: fsa.CauseTimer})
		}
	case "finalization":
		n.input(fsa.Elect)
	}
	n.run()
}

// step lets one node take one event, or time pass to the next timer; false when
// nothing is left to happen.
func (c *cluster) step() bool {
	var ready []*node
	for _, name := range c.all {
		if n := c.nodes[name]; n != nil && len(n.inbox) > 0 {
			ready = append(ready, n)
		}
	}
	if len(ready) > 0 {
		c.now += time.Duration(c.r.IntN(5000)) * time.Microsecond
		ready[c.r.IntN(len(ready))].take()
		return true
	}
	var who *node
	what, at := "", time.Duration(0)
	for _, name := range c.all {
		if n := c.nodes[name]; n != nil {
			for _, k := range []string{"dc", "election", "integration", "finalization"} {
				if d, ok := n.timers[k]; ok && (who == nil || d < at) {
					who, what, at = n, k, d
				}
			}
		}
	}
	if who == nil {
		return false
	}
	c.now = max(c.now, at)
	who.expire(what)
	return true
}

// disturb does something to the cluster.
func (c *cluster) disturb() {
	name := c.all[c.r.IntN(len(c.all))]
	switch c.r.IntN(4) {
	case 0:
		if c.nodes[name] != nil {
			c.logf("%s crashes", name)
			delete(c.nodes, name)
			c.members()
		}
	case 1:
		if c.nodes[name] == nil {
			c.logf("%s starts", name)
			c.start(name)
		}
	case 2:
		c.part[name] = c.r.IntN(2)
		c.logf("parts: %v", c.part)
		c.members()
	}
}

// TestSimulatedClusters: SEEDS (default 300) random histories of three to five
// nodes each end with one DC and everybody a member of it.
func TestSimulatedClusters(t *testing.T) {
	seeds := 300
	if s, err := strconv.Atoi(os.Getenv("SEEDS")); err == nil {
		seeds = s
	}
	for seed := range seeds {
		c := &cluster{t: t, r: rand.New(rand.NewPCG(uint64(seed), 7)), nodes: map[string]*node{}, part: map[string]int{}}
		for i := range 3 + c.r.IntN(3) {
			c.all = append(c.all, fmt.Sprintf("n%d", i+1))
		}
		for _, name := range c.all {
			c.start(name)
		}
		for range 40 {
			for range c.r.IntN(60) {
				c.step()
			}
			c.disturb()
		}
		for _, name := range c.all {
			c.part[name] = 0
			if c.nodes[name] == nil {
				c.start(name)
			}
		}
		c.logf("peace")
		c.members()
		steps := 0
		for ; c.step() && steps < 50000; steps++ {
		}
		if why := c.wrong(); why != "" {
			for _, l := range c.log[max(0, len(c.log)-60):] {
				t.Log(l)
			}
			t.Fatalf("seed %d, after %d steps: %s", seed, steps, why)
		}
	}
}

// wrong says what is not as it should be once nothing happens any more.
func (c *cluster) wrong() string {
	dc := ""
	for _, name := range c.all {
		if c.nodes[name].leading {
			if dc != "" {
				return dc + " and " + name + " are DC"
			}
			dc = name
		}
	}
	if dc == "" {
		return "no DC"
	}
	for _, name := range c.all {
		n, want := c.nodes[name], fsa.NotDC
		if name == dc {
			want = fsa.Idle
		}
		if n.m.State() != want {
			return fmt.Sprintf("%s is in %s, DC is %s", name, n.m.State(), dc)
		}
		if is, _ := n.j.DC(); is != dc {
			return fmt.Sprintf("%s follows %q, DC is %s", name, is, dc)
		}
		if p := c.nodes[dc].l.Phase(name); p != join.Confirmed {
			return fmt.Sprintf("%s is %s with %s", name, p, dc)
		}
	}
	return ""
}
