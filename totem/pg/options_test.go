package pg

import (
	"fmt"
	"testing"
	"time"

	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

const ms = time.Millisecond

// optionCase is an option of the ring with two of its values, and what a ring of
// three does with each: measured by how, it lies between low and high.
type optionCase struct {
	name   string
	set    func(c *srp.Config, value int)
	how    func(t *testing.T, c *cluster) int
	values [2]optionValue
}

type optionValue struct{ value, low, high int }

// optionBase has an idle ring whose token comes every 200 ms.
var optionBase = srp.Config{Token: 2000 * ms, TokenRetransmit: 500 * ms, Hold: 200 * ms, Consensus: 2400 * ms}

// TestOptionsHaveEffect: every option of totem's protocol that corosync.conf(5) lists
// does what it says, from the start and when a reload sets it.
func TestOptionsHaveEffect(t *testing.T) {
	for _, o := range optionCases() {
		for _, v := range o.values {
			for _, reload := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s=%d reload=%v", o.name, v.value, reload), func(t *testing.T) {
					if got := o.how(t, optionRing(t, o, v.value, reload)); got < v.low || got > v.high {
						t.Errorf("measured %d, want %d to %d", got, v.low, v.high)
					}
				})
			}
		}
	}
}

// optionRing is a ring of three that is idle, its token held.
func optionRing(t *testing.T, o optionCase, value int, reload bool) *cluster {
	cfg := optionBase
	if !reload {
		o.set(&cfg, value)
	}
	c := startAll(t, cfg, 1, 2, 3)
	if reload {
		o.set(&cfg, value)
		for _, n := range c.nodes {
			next := cfg
			next.NodeID = n.id
			next = next.WithDefaults(3)
			n.step(srp.Event{Kind: srp.EvReconfigure, Config: &next})
		}
	}
	c.run(3 * time.Second)
	if !c.formed(1, 2, 3) {
		t.Fatal("the ring did not hold")
	}
	return c
}

// millis is how long it takes until cond, in ms.
func (c *cluster) millis(what string, cond func() bool) int {
	c.t.Helper()
	start := c.now
	c.until(20*time.Second, what, cond)
	return int(c.now.Sub(start) / ms)
}

// silence stops all others just when this node has the token.
func (c *cluster) silence(id wire.NodeID) *testNode {
	left := c.node(id)
	rx := left.eng.Stats().OrfTokenRx
	c.until(5*time.Second, "the token to come", func() bool { return left.eng.Stats().OrfTokenRx > rx })
	for _, n := range c.nodes {
		if n != left {
			n.eng = nil
		}
	}
	return left
}

// seen says whether node 1 has told of such a thing since the call before it.
func (c *cluster) seen(kind srp.TraceKind) func() bool {
	found := false
	c.trace = func(n *testNode, t srp.Trace) { found = found || n.id == 1 && t.Kind == kind }
	return func() bool { return found }
}

// loseOne loses the next packet of a kind from one node to another.
func (c *cluster) loseOne(from, to wire.NodeID, typ wire.Type) (lost func() bool) {
	done := false
	c.lost = func(f, n wire.NodeID, data []byte) bool {
		got, _ := wire.PeekType(data)
		hit := !done && f == from && n == to && got == typ
		done = done || hit
		return hit
	}
	return func() bool { return done }
}

// tokenLoss is how long node 2 waits for the next token. Node 1 holds it while the
// ring is idle.
func tokenLoss(_ *testing.T, c *cluster) int {
	n := c.silence(2)
	return c.millis("the token to be lost", func() bool { return n.eng.State() != srp.Operational })
}

func tokenRepeated(_ *testing.T, c *cluster) int {
	lost := c.loseOne(2, 3, wire.TypeToken)
	c.until(5*time.Second, "a token to be lost", lost)
	rx := c.node(3).eng.Stats().OrfTokenRx
	return c.millis("the token to come", func() bool { return c.node(3).eng.Stats().OrfTokenRx > rx })
}

// during is how much a counter of a node grows in a time.
func during(d time.Duration, id wire.NodeID, counter func(s *Stats) uint64) func(*testing.T, *cluster) int {
	return func(_ *testing.T, c *cluster) int {
		before := counter(c.node(id).eng.Stats())
		c.run(d)
		return int(counter(c.node(id).eng.Stats()) - before)
	}
}

// busyVisits is how often the token comes after a message before it is held.
func busyVisits(t *testing.T, c *cluster) int {
	must(t, c.node(2).submit([]byte("x")))
	return during(150*ms, 2, func(s *Stats) uint64 { return s.OrfTokenRx })(t, c)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// alone is how long node 1, whose peers fell silent, waits for them.
func alone(_ *testing.T, c *cluster) int {
	c.silence(1)
	c.until(20*time.Second, "GATHER", func() bool { return c.node(1).eng.State() == srp.Gather })
	return c.millis("a ring of one", func() bool { return c.formed(1) })
}

func joinsMeanwhile(t *testing.T, c *cluster) int {
	before := c.node(1).eng.Stats().MembJoinTx
	alone(t, c)
	return int(c.node(1).eng.Stats().MembJoinTx - before)
}

// firstJoin is how long after node 1 enters GATHER its join message goes out, 1 s at most.
func firstJoin(_ *testing.T, c *cluster) int {
	c.silence(1)
	c.until(20*time.Second, "GATHER", func() bool { return c.node(1).eng.State() == srp.Gather })
	tx := c.node(1).eng.Stats().MembJoinTx
	start := c.now
	for c.node(1).eng.Stats().MembJoinTx == tx && c.now.Sub(start) < time.Second && c.turn(c.now.Add(time.Second)) {
	}
	return int(c.now.Sub(start) / ms)
}

func warned(_ *testing.T, c *cluster) int {
	late := c.seen(srp.TraceTokenLate)
	c.silence(1)
	start := c.now
	c.until(20*time.Second, "GATHER", func() bool { return late() || c.node(1).eng.State() == srp.Gather })
	if !late() {
		return -1
	}
	return int(c.now.Sub(start) / ms)
}

// givesUp is how often the token comes to node 1, which gets no messages, before it
// blames itself.
func givesUp(t *testing.T, c *cluster) int {
	c.lost = func(_, to wire.NodeID, data []byte) bool {
		typ, _ := wire.PeekType(data)
		return to == 1 && typ == wire.TypeMcast
	}
	failed := c.seen(srp.TraceFailedToReceive)
	must(t, c.node(2).submit([]byte("x")))
	before := c.node(1).eng.Stats().OrfTokenRx
	c.until(600*time.Second, "FAILED TO RECEIVE", failed)
	return int(c.node(1).eng.Stats().OrfTokenRx - before)
}

// askedAfter is how often the token comes to node 1, which lacks a message, until
// somebody sends that again.
func askedAfter(t *testing.T, c *cluster) int {
	lost := c.loseOne(2, 1, wire.TypeMcast)
	must(t, c.node(2).submit([]byte("x")))
	c.until(5*time.Second, "the message to be lost", lost)
	before := c.node(1).eng.Stats().OrfTokenRx
	c.until(60*time.Second, "the message to come", func() bool { return retransmitted(c) > 0 })
	return int(c.node(1).eng.Stats().OrfTokenRx - before)
}

func retransmitted(c *cluster) (n uint64) {
	for _, node := range c.nodes {
		n += node.eng.Stats().McastRetx
	}
	return n
}

// askedWhen is the same in ms.
func askedWhen(t *testing.T, c *cluster) int {
	lost := c.loseOne(2, 1, wire.TypeMcast)
	must(t, c.node(2).submit([]byte("x")))
	c.until(5*time.Second, "the message to be lost", lost)
	return c.millis("the message to come", func() bool { return retransmitted(c) > 0 })
}

// crowd is the most messages between two visits of the token at node 1, while
// these nodes send all they may.
func crowd(nodes ...wire.NodeID) func(*testing.T, *cluster) int {
	return func(t *testing.T, c *cluster) int {
		for _, id := range nodes {
			for range 300 {
				must(t, c.node(id).submit(make([]byte, 1300)))
			}
		}
		most, count := 0, 0
		c.lost = func(from, to wire.NodeID, data []byte) bool {
			switch typ, _ := wire.PeekType(data); {
			case typ == wire.TypeToken && to == 1:
				most, count = max(most, count), 0
			case typ == wire.TypeMcast && to == from%3+1: // of the two copies one
				count++
			}
			return false
		}
		c.until(60*time.Second, "all to be sent", func() bool {
			for _, n := range c.nodes {
				if !n.eng.Idle() {
					return false
				}
			}
			return true
		})
		return most
	}
}

func optionCases() []optionCase {
	duration := func(f func(c *srp.Config) *time.Duration) func(*srp.Config, int) {
		return func(c *srp.Config, v int) { *f(c) = time.Duration(v) * ms }
	}
	count := func(f func(c *srp.Config) *int) func(*srp.Config, int) {
		return func(c *srp.Config, v int) { *f(c) = v }
	}
	tokens := func(s *Stats) uint64 { return s.OrfTokenRx }
	return []optionCase{
		{"token", duration(func(c *srp.Config) *time.Duration { return &c.Token }), tokenLoss, [2]optionValue{{1000, 1000, 1000}, {3000, 3000, 3000}}},
		{"token_retransmit", duration(func(c *srp.Config) *time.Duration { return &c.TokenRetransmit }), tokenRepeated, [2]optionValue{{300, 299, 301}, {700, 699, 701}}},
		{"hold", duration(func(c *srp.Config) *time.Duration { return &c.Hold }), during(10*time.Second, 2, tokens), [2]optionValue{{100, 98, 101}, {400, 24, 26}}},
		{"seqno_unchanged_const", count(func(c *srp.Config) *int { return &c.SeqnoUnchangedConst }), busyVisits, [2]optionValue{{5, 5, 8}, {60, 60, 63}}},
		{"consensus", duration(func(c *srp.Config) *time.Duration { return &c.Consensus }), alone, [2]optionValue{{1000, 999, 1002}, {3000, 2999, 3002}}},
		{"join", duration(func(c *srp.Config) *time.Duration { return &c.Join }), joinsMeanwhile, [2]optionValue{{40, 55, 65}, {400, 5, 9}}},
		{"send_join", duration(func(c *srp.Config) *time.Duration { return &c.SendJoin }), firstJoin, [2]optionValue{{1, 0, 51}, {900, 100, 900}}},
		{"merge", duration(func(c *srp.Config) *time.Duration { return &c.Merge }), during(20*time.Second, 1, func(s *Stats) uint64 { return s.MembMergeDetectTx }),
			[2]optionValue{{100, 90, 101}, {1000, 15, 20}}},
		{"token_warning", count(func(c *srp.Config) *int { return &c.TokenWarning }), warned, [2]optionValue{{50, 1000, 1000}, {-1, -1, -1}}},
		{"fail_recv_const", count(func(c *srp.Config) *int { return &c.FailRecvConst }), givesUp, [2]optionValue{{10, 11, 14}, {300, 301, 304}}},
		{"miss_count_const", count(func(c *srp.Config) *int { return &c.MissCountConst }), askedAfter, [2]optionValue{{1, 1, 2}, {20, 20, 21}}},
		{"window_size", count(func(c *srp.Config) *int { return &c.WindowSize }), crowd(1, 2, 3), [2]optionValue{{6, 5, 6}, {30, 25, 30}}},
		{"max_messages", count(func(c *srp.Config) *int { return &c.MaxMessages }), crowd(2), [2]optionValue{{3, 3, 3}, {25, 25, 25}}},
		{"heartbeat_failures_allowed", count(func(c *srp.Config) *int { return &c.HeartbeatFailuresAllowed }), tokenLoss, [2]optionValue{{2, 1050, 1050}, {4, 2000, 2000}}},
		{"max_network_delay", func(c *srp.Config, v int) { c.HeartbeatFailuresAllowed, c.MaxNetworkDelay = 1, time.Duration(v)*ms }, tokenLoss,
			[2]optionValue{{100, 600, 600}, {900, 1400, 1400}}},
		{"cancel_token_hold_on_retransmit", func(c *srp.Config, v int) {
			c.SeqnoUnchangedConst, c.MissCountConst, c.CancelTokenHoldOnRetransmit = 2, 5, v != 0
		}, askedWhen, [2]optionValue{{0, 400, 403}, {1, 200, 203}}},
	}
}

// TestOptionsBeyondReason: values that the parser takes and no queue holds do no harm.
func TestOptionsBeyondReason(t *testing.T) {
	cfg := optionBase
	const huge = 1<<32 - 1
	cfg.WindowSize, cfg.MaxMessages, cfg.MissCountConst, cfg.HeartbeatFailuresAllowed = huge, huge, huge, huge
	cfg.Merge = huge * ms
	c := startAll(t, cfg, 1, 2, 3)
	c.run(time.Second)
	got := 0
	c.node(3).onData = func(Upcall) { got++ }
	const count = 1000
	for range count {
		must(t, c.node(2).submit(make([]byte, 1300)))
	}
	c.until(10*time.Second, "all messages to come", func() bool { return got == count })
	if !c.formed(1, 2, 3) {
		t.Error("the ring did not hold")
	}
}
