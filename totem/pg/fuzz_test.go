package pg

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

// FuzzStep lets one node of a working ring of three be attacked by a sequence
// of packets that parse, or nearly: the bytes are a script of records {u8 what,
// u8 length, bytes}. Nothing may panic, and the node's state must stay sound. A
// panic that a packet can cause would be an outage of the whole cluster.
func FuzzStep(f *testing.F) {
	for _, seed := range stepSeeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		c := startAll(t, srp.Config{Token: time.Second, NetMTU: 300}, 1, 2, 3)
		victim := c.node(2)
		victim.onData = func(Upcall) {}
		for len(script) >= 2 && c.count < 20000 {
			what, n := script[0], int(script[1])
			script = script[2:]
			body := script[:min(n, len(script))]
			script = script[len(body):]
			victim.attack(t, what, body)
			if err := victim.eng.Check(); err != nil {
				t.Fatal(err)
			}
		}
		c.run(3 * time.Second)
		if err := victim.eng.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzStates is FuzzStep for a node in each of the four states: the first byte
// says in which one the attack begins (two bits), whether messages wait to be
// recovered and whether a node is lost on the way there. Between two records one
// event of the ring happens, so that the attack goes on through the states that follow.
func FuzzStates(f *testing.F) {
	seeds := stepSeeds()
	for i := range 2 * 16 {
		f.Add(append([]byte{byte(i)}, seeds[i*7%len(seeds)]...))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) == 0 {
			return
		}
		c := startAll(t, srp.Config{Token: time.Second, NetMTU: 300, SeqStart: 0xfffffff0, TokenSeqStart: 0xfffffff0}, 1, 2, 3)
		victim := c.node(2)
		victim.onData = func(Upcall) {}
		c.drive(victim, script[0])
		for script = script[1:]; len(script) >= 2 && c.count < 20000; {
			what, n := script[0], int(script[1])
			script = script[2:]
			body := script[:min(n, len(script))]
			script = script[len(body):]
			victim.attack(t, what, body)
			if err := victim.eng.Check(); err != nil {
				t.Fatal(err)
			}
			c.turn(c.now.Add(time.Second))
		}
		c.run(3 * time.Second)
		if err := victim.eng.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

// drive brings a node into the state that the byte asks for.
func (c *cluster) drive(victim *testNode, how byte) {
	c.t.Helper()
	want := srp.Operational + srp.StateID(how&3)
	if how&4 != 0 {
		for range 3 {
			_ = victim.submit(make([]byte, 700))
			_ = c.node(1).submit(make([]byte, 700))
		}
		c.run(200 * time.Microsecond)
	}
	if want == srp.Operational {
		return
	}
	if how&8 != 0 {
		c.node(3).eng = nil
	}
	c.node(1).step(srp.Event{Kind: srp.EvForceGather})
	for until := c.now.Add(10 * time.Second); victim.eng.State() != want; {
		if !c.turn(until) {
			c.t.Fatalf("the node never comes to %v", want)
		}
	}
}

// attack plays one record: a packet with plausible header and ring, time
// passing, or a message of its own.
func (n *testNode) attack(t *testing.T, what byte, body []byte) {
	ring, _ := n.eng.Ring()
	switch what % 10 {
	case 6:
		if len(body) > 0 {
			n.c.run(time.Duration(body[0]) * 10 * time.Millisecond)
		}
		return
	case 7:
		_ = n.submit(body)
		return
	case 8:
		n.step(srp.Event{Kind: srp.EvForceGather})
		return
	case 9:
		n.step(srp.Event{Kind: srp.EvPacket, Data: body})
		return
	}
	b := forge(wire.Type(what%10), ring, what >= 128)
	for i := 0; i+1 < len(body); i += 2 { // {offset, value}
		b[int(body[i])%len(b)] = body[i+1]
	}
	n.step(srp.Event{Kind: srp.EvPacket, Data: b})
}

// forge is a valid packet of the type, in the node's ring or the next one.
func forge(typ wire.Type, ring wire.RingID, next bool) []byte {
	if next {
		ring.Seq += 4
	}
	m := wire.Message{Header: wire.Header{Type: typ}}
	h := wire.Header{Node: 1, Encapsulated: 0}
	switch typ {
	case wire.TypeToken:
		m.Token = wire.Token{Header: h, Ring: ring, Seq: 4, TokenSeq: 1000, NRtr: 2}
		m.Token.Rtr[0], m.Token.Rtr[1] = wire.RtrItem{Ring: ring, Seq: 1}, wire.RtrItem{Ring: ring, Seq: 9}
	case wire.TypeMcast:
		h.Encapsulated = wire.Plain
		payload := append(wire.AppendPack(nil, 0, 0, []uint16{7}), 1, 0, 1, 0, 'a', 'x', 'y')
		m.Mcast = wire.Mcast{Header: h, From: 1, Ring: ring, Seq: 5, Payload: payload}
		if next { // a recovered message
			inner := m.Mcast.Append(nil)
			m.Mcast.Encapsulated, m.Mcast.Payload = wire.Encapsulated, inner
		}
	case wire.TypeMergeDetect:
		m.MergeDetect = wire.MergeDetect{Header: h, From: 9, Ring: ring}
	case wire.TypeJoin:
		m.Join = wire.Join{Header: h, From: 1, RingSeq: ring.Seq, Proc: []wire.NodeID{1, 2, 3}, Failed: []wire.NodeID{3}}
	case wire.TypeCommitToken:
		m.CommitToken = wire.CommitToken{Header: h, Ring: ring, Addr: []wire.NodeID{1, 2}, Index: 1, Entry: make([]wire.CommitEntry, 2)}
	default:
		m.Type = wire.TypeHoldCancel
		m.HoldCancel = wire.HoldCancel{Header: h, Ring: ring}
	}
	return m.Append(nil)
}

func stepSeeds() [][]byte {
	var seeds [][]byte
	for what := range 6 {
		seeds = append(seeds, []byte{byte(what), 0}, []byte{byte(what + 128 - 8), 0, 6, 1, 20})
	}
	// A whole forged membership change, and a fragment that never ends.
	seeds = append(seeds,
		[]byte{8, 0, 3, 0, 134, 0, 4, 0, 134, 0, 0, 0, 6, 1, 200},
		[]byte{1, 2, 49, 5, 1, 4, 17, 6, 49, 6, 6, 1, 10},
		append([]byte{7, 200}, make([]byte, 200)...))
	rng := rand.New(rand.NewPCG(3, 3))
	for range 4 {
		b := make([]byte, 64)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		seeds = append(seeds, b)
	}
	return seeds
}

// FuzzAssembly: whatever payloads come from two senders, in whatever order and
// with views between them, what is handed up is bounded and nothing panics.
func FuzzAssembly(f *testing.F) {
	f.Add([]byte{0, 20, 0, 0, 0, 0, 1, 0, 1, 0, 10, 0, 1, 0, 1, 0, 'a'})
	f.Add([]byte{1, 20, 0, 0, 0, 0, 0, 1, 1, 0, 2, 0, 'b', 'c'})
	f.Fuzz(func(t *testing.T, script []byte) {
		e := New(srp.Config{NodeID: 1}.WithDefaults(3), 0, rand.New(rand.NewPCG(1, 1)))
		for len(script) >= 2 {
			what, n := script[0], int(script[1])
			script = script[2:]
			body := script[:min(n, len(script))]
			script = script[len(body):]
			switch {
			case what&0x80 != 0:
				kind := srp.ViewTransitional
				if what&1 != 0 {
					kind = srp.ViewRegular
				}
				e.pending = append(e.pending, srp.Delivery{View: &srp.View{Kind: kind, Left: []wire.NodeID{wire.NodeID(what & 3)}}})
			case what&0x40 != 0:
				e.TransAck(time.Unix(1, 0))
			default:
				e.pending = append(e.pending, srp.Delivery{From: wire.NodeID(what & 3), Payload: body, Swapped: what&4 != 0})
			}
			for more := true; more; {
				more = e.Take().More
			}
			e.asm.reclaim()
			e.pending, e.next = e.pending[:0], 0
			if len(e.asm.normal) > 4 || len(e.asm.during) > 4 {
				t.Fatal("more than one unfinished message of a sender")
			}
		}
	})
}
