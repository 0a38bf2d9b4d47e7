package pg

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

func TestOneNodeFormsARing(t *testing.T) {
	c := startAll(t, srp.Config{}, 1)
	if ring, _ := c.node(1).eng.Ring(); ring != (wire.RingID{Rep: 1, Seq: 5}) {
		t.Errorf("first ring is %s, the original's is 1.5", ring)
	}
	if c.node(1).disk != 5 {
		t.Errorf("stored %d", c.node(1).disk)
	}
}

// TestMessagesOfAllSizes sends messages around every limit from all nodes and
// compares order and content everywhere.
func TestMessagesOfAllSizes(t *testing.T) {
	for _, mtu := range []int{300, 1410, 65446} {
		t.Run(fmt.Sprint("mtu", mtu), func(t *testing.T) {
			c := startAll(t, srp.Config{NetMTU: mtu}, 1, 2, 3)
			rng := rand.New(rand.NewPCG(7, 7))
			sizes := []int{0, 1, 2, 3, 5, 10, 100}
			for d := -30; d <= 30; d++ {
				sizes = append(sizes, mtu+d, 2*mtu+d)
			}
			sizes = append(sizes, 100000, MaxMessage-1, MaxMessage)
			var sent [4][][]byte
			var order [4][]wire.NodeID
			var got [4]int
			for _, n := range c.nodes {
				n.onData = func(up Upcall) {
					order[n.id] = append(order[n.id], up.From)
					i := 0
					for _, from := range order[n.id] {
						if from == up.From {
							i++
						}
					}
					if want := sent[up.From][i-1]; !bytes.Equal(up.Data, want) {
						t.Fatalf("node %d: message %d of %d has %d bytes, want %d, or other content", n.id, i, up.From, len(up.Data), len(want))
					}
					got[n.id]++
				}
			}
			total := 0
			for _, size := range sizes {
				for _, n := range c.nodes {
					msg := make([]byte, size)
					for i := range msg {
						msg[i] = byte(rng.Uint32())
					}
					c.until(time.Minute, "room", func() bool { return n.eng.Room(size) })
					sent[n.id] = append(sent[n.id], msg)
					if err := n.submit(msg); err != nil {
						t.Fatal(err)
					}
					total++
				}
			}
			c.until(time.Minute, "delivered", func() bool { return got[1] == total && got[2] == total && got[3] == total })
			if fmt.Sprint(order[1]) != fmt.Sprint(order[2]) || fmt.Sprint(order[1]) != fmt.Sprint(order[3]) {
				t.Error("the order differs")
			}
		})
	}
}

func TestTooBigAndUnknownGroup(t *testing.T) {
	c := startAll(t, srp.Config{}, 1)
	e := c.node(1).eng
	if err := e.Mcast(c.now, GroupService, make([]byte, MaxMessage), []byte{0}); err != ErrTooBig {
		t.Error(err)
	}
	if e.Room(MaxMessage + 1) {
		t.Error("room for more than a message can be")
	}
	if err := e.Mcast(c.now, "b", nil, nil); err != ErrNoGroup {
		t.Error(err)
	}
}

func TestQueueFillsAndEmpties(t *testing.T) {
	c := startAll(t, srp.Config{}, 1, 2)
	n := c.node(1)
	if l := n.eng.QueueLevel(); l != LevelLow {
		t.Errorf("level %d at rest", l)
	}
	for n.eng.Room(100000) {
		if err := n.eng.Mcast(c.now, GroupService, make([]byte, 100000), nil); err != nil {
			t.Fatalf("room said yes: %v", err)
		}
	}
	for n.eng.Mcast(c.now, GroupService, make([]byte, 100), nil) == nil {
	}
	if l := n.eng.QueueLevel(); l != LevelCritical {
		t.Errorf("level %d when full", l)
	}
	n.drain()
	c.until(time.Minute, "empty", func() bool { return n.eng.QueueLevel() == LevelLow })
}

// TestNumbersThatAreTaken: a broken peer has used the numbers that we would use
// next. Nothing panics, and what it sent is delivered everywhere.
func TestNumbersThatAreTaken(t *testing.T) {
	c := startAll(t, srp.Config{}, 1, 2, 3)
	c.check = true
	ring, _ := c.node(1).eng.Ring()
	payload := append(wire.AppendPack(nil, 0, 0, []uint16{9}), 1, 0, 1, 0, 'a', 'f', 'a', 'k', 'e')
	for seq := wire.Seq(4); seq < 8; seq++ {
		m := wire.Mcast{Header: wire.Header{Node: 3, Encapsulated: wire.Plain}, From: 3, Ring: ring, Seq: seq, Payload: payload}
		c.node(2).step(srp.Event{Kind: srp.EvPacket, Data: m.Append(nil)})
	}
	if err := c.node(2).submit([]byte("real")); err != nil {
		t.Fatal(err)
	}
	c.run(20 * time.Second)
	if !c.formed(1, 2, 3) {
		t.Fatal("no ring afterwards")
	}
	for _, n := range c.nodes {
		if !slices.Contains(n.up, "2: real") {
			t.Errorf("node %d delivered %v", n.id, n.up)
		}
	}
}

// TestCourtesy: over a network that carries packets of 64 KiB, a node that sends
// without end takes a few of them along while it is alone with that, and no more than
// max_messages packets of an Ethernet while another sends now and then.
func TestCourtesy(t *testing.T) {
	c := startAll(t, srp.Config{NetMTU: 65446}, 1, 2, 3)
	c.run(time.Second) // the messages of the beginning are forgotten
	visit, largest := 0, 0
	c.rewrite = func(from wire.NodeID, data []byte) []byte {
		switch kind, _ := wire.PeekType(data); {
		case from == 3 && kind == wire.TypeMcast:
			visit += len(data) / 2 // one copy for each of the others
		case from == 3 && kind == wire.TypeToken:
			largest, visit = max(largest, visit), 0
		}
		return bytes.Clone(data)
	}
	flood := func(d time.Duration, meanwhile func()) int {
		largest = 0
		for until := c.now.Add(d); c.now.Before(until); c.run(5 * time.Millisecond) {
			for range 200 {
				if n := c.node(3); n.eng.Room(1024) {
					if err := n.submit(make([]byte, 1024)); err != nil {
						t.Fatal(err)
					}
				}
			}
			meanwhile()
		}
		return largest
	}
	if alone := flood(200*time.Millisecond, func() {}); alone < 3*65000 {
		t.Errorf("alone, at most %d bytes are sent in a visit, want all that there is", alone)
	}
	send := func() {
		if err := c.node(1).submit([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	flood(50*time.Millisecond, send) // large packets from before are sent, one in a visit
	if courteous := flood(200*time.Millisecond, send); courteous > 17*1500+200 {
		t.Errorf("while another sends, %d bytes are sent in a visit, want no more than %d", courteous, 17*1500+200)
	}
	c.run(time.Second)
	if again := flood(200*time.Millisecond, func() {}); again < 3*65000 {
		t.Errorf("alone again, at most %d bytes are sent in a visit", again)
	}
}
