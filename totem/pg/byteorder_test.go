package pg

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

// bigEndian turns what a node of ours makes into what a node of the other byte
// order makes. What it only passes on (messages of others, whole within a
// recovery message or sent again) stays as it is.
func bigEndian(b []byte, self wire.NodeID) []byte {
	b = bytes.Clone(b)
	typ := wire.Type(b[3])
	if typ == wire.TypeMcast && wire.NodeID(binary.LittleEndian.Uint32(b[13:])) != self {
		return b
	}
	n32 := func(off int) int { return int(binary.LittleEndian.Uint32(b[off:])) }
	widths := []int{4, 4}
	add := func(n int, w ...int) {
		for range n {
			widths = append(widths, w...)
		}
	}
	switch typ {
	case wire.TypeToken:
		add(4, 4)
		add(1, 4, 8)
		add(4, 4)
		add(n32(53), 4, 8, 4)
	case wire.TypeMcast:
		add(3, 4)
		add(1, 4, 8)
		add(2, 4)
		if inner := b[wire.McastLen:]; b[4] == wire.Plain {
			swapPack(inner)
		} else {
			copy(inner, bigEndian(inner, self))
		}
	case wire.TypeMergeDetect:
		add(1, 4, 4, 8)
	case wire.TypeJoin:
		add(1, 4, 4, 4, 8)
		add(n32(17)+n32(21), 4)
	case wire.TypeCommitToken:
		add(1, 4, 4, 8, 4, 4, 4)
		add(n32(37), 4)
		add(n32(37), 4, 8, 4, 4, 4)
	case wire.TypeHoldCancel:
		add(1, 4, 8)
	}
	b[0], b[1] = b[1], b[0]
	off := 5
	for _, w := range widths {
		slices.Reverse(b[off : off+w])
		off += w
	}
	return b
}

// swapPack turns the lengths, and the group header of each message that begins
// in the packet; no message of the test is cut within it.
func swapPack(b []byte) {
	p, err := wire.ParsePack(bytes.Clone(b), false)
	if err != nil {
		panic(err)
	}
	off := wire.PackLen + 2*p.Count
	for i := range p.Count {
		if (i > 0 || p.Continuation == 0) && p.Len(i) >= 4 {
			slices.Reverse(b[off : off+2])
			slices.Reverse(b[off+2 : off+4])
		}
		off += p.Len(i)
	}
	for at := 6; at < wire.PackLen+2*p.Count; at += 2 {
		slices.Reverse(b[at : at+2])
	}
}

// TestRingOfBothByteOrders: node 3 speaks the other byte order. Messages are
// lost and repeated by nodes of the other order, and recovered when node 1 dies.
func TestRingOfBothByteOrders(t *testing.T) {
	c := newCluster(t, srp.Config{Token: time.Second, NetMTU: 300}, 1, 2, 3, 4)
	c.check = true
	c.rewrite = func(from wire.NodeID, data []byte) []byte {
		if from == 3 {
			return bigEndian(data, 3)
		}
		return data
	}
	lossy := 0
	c.lost = func(from, to wire.NodeID, data []byte) bool {
		typ, _ := wire.PeekType(data)
		lossy++
		return typ == wire.TypeMcast && lossy%7 == 0
	}
	var got [5][]string
	for _, n := range c.nodes {
		n.onData = func(up Upcall) {
			if up.Swapped != (up.From == 3 && n.id != 3) {
				t.Errorf("node %d: message of %d has Swapped %v", n.id, up.From, up.Swapped)
			}
			got[n.id] = append(got[n.id], fmt.Sprintf("%d %x", up.From, up.Data))
		}
		n.start()
	}
	c.until(20*time.Second, "formed", func() bool { return c.formed(1, 2, 3, 4) })
	for i := range 60 {
		for _, n := range c.nodes {
			if err := n.submit(bytes.Repeat([]byte{byte(i), byte(n.id)}, 1+i*7)); err != nil {
				t.Fatal(err)
			}
		}
		if i == 40 {
			c.run(700 * time.Microsecond)
			c.node(1).eng = nil
			c.nodes = c.nodes[1:]
		}
		c.run(300 * time.Microsecond)
	}
	c.until(20*time.Second, "formed again", func() bool { return c.formed(2, 3, 4) })
	c.run(2 * time.Second)
	for _, id := range []wire.NodeID{3, 4} {
		if !slices.Equal(got[id], got[2]) {
			t.Errorf("node %d delivered %d messages, node 2 %d, or others", id, len(got[id]), len(got[2]))
		}
	}
	if n := len(got[2]); n < 3*60 {
		t.Errorf("only %d messages", n)
	}
}
