package wire

import (
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/totem/wire/wiretest"
)

func goldenBytes(t *testing.T, name string) []byte {
	t.Helper()
	for _, g := range golden {
		if g.name == name {
			return unhex(t, g.hex)
		}
	}
	t.Fatalf("no golden packet %q", name)
	return nil
}

// TestBadValuesAreRefused changes one field of a good packet at a time.
func TestBadValuesAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name, packet string
		change       func(b []byte) []byte
		want         error
	}{
		{"magic of Corosync 2.2", "idle token", put(0, 0xff, 0xff), ErrCorosync22},
		{"magic of Corosync 2.3", "idle token", put(0, 0xfe, 0xfe), ErrCorosync23},
		{"knet not stripped", "idle token", put(0, 0x01, 0x00), ErrKnet},
		{"openais", "idle token", put(0, 0x04, 0x00), ErrOld},
		{"noise", "idle token", put(0, 0x99, 0x12), ErrMagic},
		{"version 2", "idle token", put(2, 2), ErrVersion},
		{"type 6", "idle token", put(3, 6), ErrType},
		{"token without sender", "idle token", put(5, 0, 0, 0, 0), ErrNodeZero},
		{"31 retransmit entries, all there", "idle token", func(b []byte) []byte {
			b[53] = 31
			return append(b, make([]byte, 31*16)...)
		}, ErrTokenRtr},
		{"negative number of retransmit entries", "idle token", put(53, 0xff, 0xff, 0xff, 0xff), ErrTokenRtr},
		{"retransmit entries that are not there", "idle token", put(53, 1), ErrShort},
		{"token of 1501 bytes", "idle token", func(b []byte) []byte { return append(b, make([]byte, 1501-len(b))...) }, ErrTokenLong},
		{"mcast without sender", "mcast with three messages", put(5, 0, 0, 0, 0), ErrNodeZero},
		{"mcast without origin", "mcast with three messages", put(13, 0, 0, 0, 0), ErrNodeZero},
		{"mcast neither plain nor encapsulated", "mcast with three messages", put(4, 0), ErrEncapsulation},
		{"larger than a datagram", "mcast with three messages", func(b []byte) []byte { return append(b, make([]byte, MaxDatagram)...) }, ErrLong},
		{"merge detect without origin", "merge detect", put(13, 0, 0, 0, 0), ErrNodeZero},
		{"join without origin", "join of three", put(13, 0, 0, 0, 0), ErrNodeZero},
		{"join listing node 0", "join of three", put(33, 0, 0, 0, 0), ErrNodeZero},
		{"join with 385 nodes", "join of three", put(17, 0x81, 1, 0, 0), ErrJoinNodes},
		{"join with 385 failed", "join of three", put(21, 0x81, 1, 0, 0), ErrJoinNodes},
		{"join whose lengths overflow", "join of three", put(17, 0, 0, 0, 0x80, 0, 0, 0, 0x80), ErrJoinNodes},
		{"join with a list that is not there", "join of three", put(17, 4), ErrShort},
		{"commit token of nobody", "commit token, three entries", put(37, 0), ErrCommitNodes},
		{"commit token of 385", "commit token, three entries", put(37, 0x81, 1), ErrCommitNodes},
		{"commit token with index behind the end", "commit token, three entries", put(33, 4), ErrCommitIndex},
		{"commit token with negative index", "commit token, three entries", put(33, 0xff, 0xff, 0xff, 0xff), ErrCommitIndex},
		{"commit token with a node twice", "commit token, three entries", put(45, 1), ErrCommitOrder},
		{"commit token without sender", "commit token, three entries", put(5, 0, 0, 0, 0), ErrNodeZero},
		{"commit token listing node 0", "commit token, three entries", put(41, 0, 0, 0, 0), ErrNodeZero},
		{"commit token with entries that are not there", "commit token, three entries", put(37, 4), ErrShort},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var m Message
			if err := m.Parse(tc.change(goldenBytes(t, tc.packet))); err != tc.want {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

// TestPeekType: what is told of a packet before it is parsed.
func TestPeekType(t *testing.T) {
	for _, g := range golden {
		b := unhex(t, g.hex)
		for _, packet := range [][]byte{b, wiretest.Fields(b)} {
			if typ, ok := PeekType(packet); !ok || typ != Type(b[3]) {
				t.Errorf("%s: %v, %v", g.name, typ, ok)
			}
		}
		for what, bad := range map[string][]byte{"short": b[:HeaderLen-1], "magic": put(0, 1)(slices.Clone(b)),
			"version": put(2, 2)(slices.Clone(b)), "type": put(3, 6)(slices.Clone(b))} {
			if typ, ok := PeekType(bad); ok {
				t.Errorf("%s, wrong %s: taken for %v", g.name, what, typ)
			}
		}
	}
}

// TestParseMcast: the packet within a recovery message is an mcast and nothing else.
func TestParseMcast(t *testing.T) {
	for _, g := range golden {
		var m Mcast
		b := unhex(t, g.hex)
		if err := ParseMcast(b, &m); (err == nil) != (Type(b[3]) == TypeMcast) {
			t.Errorf("%s: %v", g.name, err)
		}
		if err := ParseMcast(b[:HeaderLen-1], &m); err != ErrShort {
			t.Errorf("%s, short: %v", g.name, err)
		}
	}
}

// TestFinishedPackets: what is written into packets that are made already, and
// asked of those that are parsed.
func TestFinishedPackets(t *testing.T) {
	b := goldenBytes(t, "mcast with three messages")
	ring := RingID{Rep: 7, Seq: 0x1122334455667788}
	StampMcast(b, ring, 0xfffffffe, 9)
	SetTarget(b, 5)
	var m Message
	if err := m.Parse(b); err != nil || m.Mcast.Ring != ring || m.Mcast.Seq != 0xfffffffe || m.Mcast.ThisSeq != 9 || m.Mcast.Target != 5 {
		t.Errorf("%v: %+v", err, m.Mcast)
	}
	if err := m.Parse(goldenBytes(t, "commit token, three entries")); err != nil {
		t.Fatal(err)
	}
	var c CommitToken
	c.CopyFrom(&m.CommitToken)
	before := c.String()
	m.CommitToken.Addr[0], m.CommitToken.Entry[0].Aru = 99, 99
	if c.String() != before {
		t.Errorf("a copy changes with its original: %s", &c)
	}
	if err := m.Parse(goldenBytes(t, "token with a retransmit list")); err != nil {
		t.Fatal(err)
	}
	tok := &m.Token
	if !tok.HasRtr(0x11) || tok.HasRtr(99) {
		t.Error("HasRtr")
	}
	tok.RemoveRtr(0)
	if tok.NRtr != 1 || tok.HasRtr(0xf) || !tok.HasRtr(0x11) {
		t.Errorf("after the first was taken out: %s", tok)
	}
	tok.AddRtr(ring, 99)
	if tok.NRtr != 2 || !tok.HasRtr(99) {
		t.Errorf("after one was added: %s", tok)
	}
	if a, b := (RingID{1, 5}), (RingID{2, 5}); a.Compare(b) >= 0 || b.Compare(RingID{1, 9}) >= 0 || a.Compare(a) != 0 {
		t.Error("ring ids compare wrong")
	}
	if got := ErrShort.Error() + Type(9).String() + TypeToken.String(); !strings.Contains(got, "totem: ") || !strings.HasSuffix(got, "Type9Token") {
		t.Errorf("texts: %q", got)
	}
}

func put(off int, v ...byte) func([]byte) []byte {
	return func(b []byte) []byte {
		copy(b[off:], v)
		return b
	}
}

// TestSeqOrder compares our order with upstream's formula for all distances
// that can occur, everywhere near the turns.
func TestSeqOrder(t *testing.T) {
	upstreamBefore := func(a, b uint32) bool { // sq.h: sq_lt_compare
		if a > 0x80000000 || b > 0x80000000 {
			return a-0x10000 < b-0x10000
		}
		return a < b
	}
	for _, base := range []uint32{0, 1, 0x7fff, 0x7ffffff0, 0x80000000, 0x80000001, 0xfffffe00, 0xffffffff} {
		for _, d := range []uint32{0, 1, 2, 100, 0x1000, 0x4000, 0x7fff} {
			a, b := base, base+d
			if got, want := Seq(a).Before(Seq(b)), upstreamBefore(a, b); got != want {
				t.Errorf("%x before %x: %v, upstream %v", a, b, got, want)
			}
			if Seq(b).Before(Seq(a)) {
				t.Errorf("%x before %x", b, a)
			}
			if !Seq(a).BeforeEq(Seq(b)) || (d != 0 && Seq(b).BeforeEq(Seq(a))) {
				t.Errorf("%x, %x: BeforeEq wrong", a, b)
			}
		}
	}
}

func TestPack(t *testing.T) {
	lens := []uint16{3, 0, 300}
	b := AppendPack(nil, 7, 6, lens)
	if want := "00000000" + "07" + "06" + "0300" + "0300" + "0000" + "2c01"; string(b) != string(unhex(t, want)) {
		t.Fatalf("%x", b)
	}
	b = append(b, make([]byte, 303)...)
	b[PackLen+2*3] = 'x'
	p, err := ParsePack(b, false)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.String(), "Pack fragmented=7 continuation=6 lens=(3 0 300)"; got != want {
		t.Errorf("%s", got)
	}
	if got := p.Next(0); string(got) != "x\x00\x00" {
		t.Errorf("first piece %q", got)
	}
	if len(p.Next(1)) != 0 || len(p.Next(2)) != 300 {
		t.Error("pieces have wrong lengths")
	}
	for i := range b {
		if _, err := ParsePack(b[:i], false); err == nil {
			t.Errorf("%d of %d bytes accepted", i, len(b))
		}
	}
	if _, err := ParsePack(append(b, 0), false); err != ErrPackLength {
		t.Errorf("one byte too many: %v", err)
	}
	for i := 6; i < PackLen+2*3; i += 2 {
		b[i], b[i+1] = b[i+1], b[i]
	}
	p, err = ParsePack(b, true)
	if err != nil || p.Count != 3 || p.Len(2) != 300 {
		t.Errorf("other byte order: %v %v", p, err)
	}
}
