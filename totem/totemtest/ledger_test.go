package totemtest

import (
	"hash/maphash"
	"slices"
	"testing"

	"github.com/pacesync/pacesync/totem/wire"
)

// desk is a ledger with two processes, nodes 1 and 2, and what they submitted.
type desk struct {
	h History
	l ledger
}

func newDesk() *desk {
	d := &desk{h: History{Procs: []Proc{{Node: 1}, {Node: 2}}}}
	d.l = ledger{h: &d.h, pool: newPool(), hash: maphash.MakeSeed()}
	return d
}

// submit notes a message and returns its bytes as they go into a packet.
func (d *desk) submit(p ProcID, size int) []byte {
	id := MsgID(len(d.h.Msgs))
	d.h.Msgs = append(d.h.Msgs, Msg{From: p, N: int32(len(d.h.Procs[p].Sent[0])), Size: int32(size), First: notSent(), Last: notSent()})
	d.h.Procs[p].Sent[0] = append(d.h.Procs[p].Sent[0], id)
	d.l.submitted(p, id)
	head, body := d.l.build(id, nil)
	return slices.Concat(groupHeader(false), head, body)
}

// mcast makes a packet: header, packing header, pieces.
func mcast(from wire.NodeID, seq uint32, ring wire.RingID, fragmented, continuation byte, pieces ...[]byte) []byte {
	b := []byte{0x70, 0xc0, 3, typeMcast, 2}
	b = le.AppendUint32(b, uint32(from))
	b = le.AppendUint32(b, 0)
	b = le.AppendUint32(b, uint32(from))
	b = le.AppendUint32(b, seq)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint32(b, uint32(ring.Rep))
	b = le.AppendUint64(b, ring.Seq)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	b = append(b, 0, 0, 0, 0, fragmented, continuation)
	b = le.AppendUint16(b, uint16(len(pieces)))
	for _, p := range pieces {
		b = le.AppendUint16(b, uint16(len(p)))
	}
	return append(b, slices.Concat(pieces...)...)
}

func encapsulate(from wire.NodeID, seq uint32, ring wire.RingID, inner []byte) []byte {
	b := mcast(from, seq, ring, 0, 0)[:mcastHeader]
	b[4] = encapsulated
	return append(slices.Clone(b), inner...)
}

var (
	ringA = wire.RingID{Rep: 1, Seq: 8}
	ringB = wire.RingID{Rep: 1, Seq: 12}
)

var packetTests = []struct {
	name, want string
	play       func(d *desk)
}{
	{"small, split and recovered messages", "", func(d *desk) {
		a, b, c := d.submit(0, 1), d.submit(0, 900), d.submit(1, 50)
		first := mcast(1, 1, ringA, 1, 0, a, b[:500])
		d.sent(0, first)
		d.sent(1, mcast(2, 2, ringA, 0, 0, c))
		d.sent(1, first)
		d.sent(0, mcast(1, 3, ringA, 0, 1, b[500:]))
		d.sent(1, encapsulate(2, 1, ringB, first))
	}},
	{"noise", "well-formed packets", func(d *desk) { d.sent(0, []byte("hello, is anybody there?")) }},
	{"payload too short", "well-formed packets", func(d *desk) { d.sent(0, mcast(1, 1, ringA, 0, 0)[:mcastHeader+3]) }},
	{"lengths beyond the packet", "well-formed packets", func(d *desk) {
		p := mcast(1, 1, ringA, 0, 0, d.submit(0, 100))
		d.sent(0, p[:len(p)-1])
	}},
	{"bytes left over", "well-formed packets", func(d *desk) { d.sent(0, append(mcast(1, 1, ringA, 0, 0, d.submit(0, 100)), 0)) }},
	{"another packet under the same number", "one packet per number", func(d *desk) {
		d.sent(0, mcast(1, 1, ringA, 0, 0, d.submit(0, 100)))
		d.sent(1, mcast(2, 1, ringA, 0, 0, d.submit(1, 100)))
	}},
	{"a repeated packet with a changed byte", "one packet per number", func(d *desk) {
		p := mcast(1, 1, ringA, 0, 0, d.submit(0, 100))
		d.sent(0, p)
		p = slices.Clone(p)
		p[len(p)-1]++
		d.sent(1, p)
	}},
	{"a number left out", "numbers without a hole", func(d *desk) {
		d.sent(0, mcast(1, 1, ringA, 0, 0, d.submit(0, 100)))
		d.sent(0, mcast(1, 3, ringA, 0, 0, d.submit(0, 100)))
	}},
	{"a packet in another's name", "only what was sent is repeated", func(d *desk) { d.sent(1, mcast(1, 1, ringA, 0, 0, d.submit(0, 100))) }},
	{"recovery changes a byte", "recovered as it was sent", func(d *desk) {
		p := mcast(1, 1, ringA, 0, 0, d.submit(0, 100))
		d.sent(0, p)
		p = slices.Clone(p)
		p[mcastHeader+30]++
		d.sent(1, encapsulate(2, 1, ringB, p))
	}},
	{"recovery of what was never sent", "recovered as it was sent", func(d *desk) {
		d.sent(1, encapsulate(2, 1, ringB, mcast(1, 1, ringA, 0, 0, d.submit(0, 100))))
	}},
	{"a fragment out of turn", "fragments in a row", func(d *desk) {
		a := d.submit(0, 900)
		d.sent(0, mcast(1, 1, ringA, 1, 0, a[:500]))
		d.sent(0, mcast(1, 2, ringA, 0, 2, a[500:]))
	}},
	{"messages in another order", "sent as submitted", func(d *desk) {
		a, b := d.submit(0, 100), d.submit(0, 200)
		d.sent(0, mcast(1, 1, ringA, 0, 0, b, a))
	}},
	{"a message nobody submitted", "sent as submitted", func(d *desk) {
		a := d.submit(0, 100)
		d.sent(0, mcast(1, 1, ringA, 0, 0, a, a))
	}},
	{"a commit token before the number is stored", "ring id stored first", func(d *desk) {
		b := mcast(1, 1, ringA, 0, 0, nil)
		b[3] = typeCommit
		le.PutUint64(b[21:], 99)
		d.sent(0, b)
	}},
}

func (d *desk) sent(p ProcID, data []byte) { d.l.sent(p, 0, data, false, 20) }

func TestLedgerJudgesPackets(t *testing.T) {
	for _, p := range packetTests {
		t.Run(p.name, func(t *testing.T) {
			d := newDesk()
			p.play(d)
			if p.want == "" {
				if len(d.h.found) > 0 {
					t.Fatalf("found guilty: %v", d.h.found)
				}
				for i := range d.h.Msgs {
					if d.h.Msgs[i].Last.Ring < 0 {
						t.Errorf("%s was not seen", d.h.msg(MsgID(i)))
					}
				}
				if b := d.h.Msgs[1]; b.First.Seq != 1 || b.Last.Seq != 3 {
					t.Errorf("the split message is from %d to %d", b.First.Seq, b.Last.Seq)
				}
				return
			}
			if !slices.ContainsFunc(d.h.found, func(v Violation) bool { return v.Property == p.want }) {
				t.Errorf("not found guilty of %q, but of %v", p.want, d.h.found)
			}
		})
	}
}

// TestEveryChangedByteIsSeen: a delivery that differs in any byte from what was
// submitted is not recognised, at every size around the limits.
func TestEveryChangedByteIsSeen(t *testing.T) {
	d := newDesk()
	lives := []ProcID{0}
	for _, size := range []int{1, 2, 3, nameSize - 1, nameSize, nameSize + 1, 100, 3000} {
		data := d.submit(0, size)[len(groupHeader(false)):]
		id := MsgID(len(d.h.Msgs) - 1)
		var t1 tiny
		switch {
		case size == 1:
			t1.one = []MsgID{id}
		case size < nameSize:
			t1.two = []MsgID{id}
		}
		if got := d.l.recognise(lives, &t1, false, data); got != id {
			t.Fatalf("size %d: not recognised: %d", size, got)
		}
		for i := range data {
			bad := slices.Clone(data)
			bad[i]++
			if got := d.l.recognise(lives, &t1, false, bad); got != noMsg {
				t.Errorf("size %d: byte %d changed and taken for message %d", size, i, got)
			}
		}
		if got := d.l.recognise(lives, &t1, true, data); got != noMsg {
			t.Errorf("size %d: taken for a sync message", size)
		}
		if got := d.l.recognise(lives, &t1, false, data[:size-1]); got != noMsg {
			t.Errorf("size %d: taken with its end cut off", size)
		}
	}
}
