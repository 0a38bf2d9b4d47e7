package crmcluster

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/pcmk"
)

func TestPacketBytes(t *testing.T) {
	p := Packet{Number: 7, To: Address{ID: 2, Type: pcmk.MsgAttrd, Name: "n2"},
		From: Address{PID: 4711, Type: pcmk.MsgAttrd, Name: "n1"}, Text: "<a/>"}
	b := p.Append(nil)
	// Offsets as in the package comment; every other byte is 0.
	want := make([]byte, 592+5)
	for at, v := range map[int]uint32{8: 597, 16: 1, 24: 7, 32: 2, 44: 5, 48: 2, 312: 4711, 320: 5, 324: 2, 584: 5} {
		binary.LittleEndian.PutUint32(want[at:], v)
	}
	copy(want[52:], "n2")
	copy(want[328:], "n1")
	copy(want[592:], "<a/>\x00")
	if !bytes.Equal(b, want) {
		t.Fatalf("\n got %x\nwant %x", b, want)
	}
	if got, err := Parse(b); err != nil || got != p {
		t.Errorf("%+v %v", got, err)
	}
	for i := range b {
		if _, err := Parse(b[:i]); !errors.Is(err, ErrBadMessage) {
			t.Errorf("the first %d bytes: %v", i, err)
		}
	}
}

func TestLongPacketIsPacked(t *testing.T) {
	p := Packet{Text: "<a>" + strings.Repeat("<b/>", packFrom/4) + "</a>"}
	b := p.Append(nil)
	if len(b) >= packFrom {
		t.Fatalf("%d bytes", len(b))
	}
	if got, err := Parse(b); err != nil || got != p {
		t.Errorf("%d bytes: %v", len(got.Text), err)
	}
	short := Packet{Text: strings.Repeat("x", packFrom-2)}
	if b := short.Append(nil); len(b) != headerSize+packFrom-1 {
		t.Errorf("one byte below the limit: %d bytes", len(b))
	}
}

func TestParseRefuses(t *testing.T) {
	good := Packet{Text: "<a/>"}.Append(nil)
	for name, change := range map[string]func(b []byte){
		"class":            func(b []byte) { b[0] = 1 },
		"error":            func(b []byte) { b[16] = 6 },
		"size":             func(b []byte) { b[8]++ },
		"text size":        func(b []byte) { b[584]++ },
		"name too long":    func(b []byte) { b[49] = 1 },
		"no NUL":           func(b []byte) { b[len(b)-1] = 'x' },
		"two NULs":         func(b []byte) { b[len(b)-2] = 0 },
		"packed, not bz2":  func(b []byte) { b[28], b[588] = 1, 5 },
		"packed size 0":    func(b []byte) { b[28] = 1 },
		"sender's name":    func(b []byte) { b[325] = 1 },
		"text of 0xff0005": func(b []byte) { b[586] = 0xff },
	} {
		b := bytes.Clone(good)
		change(b)
		if p, err := Parse(b); !errors.Is(err, ErrBadMessage) {
			t.Errorf("%s: %+v %v", name, p, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Packet{Number: 1, From: Address{Name: "n1"}, Text: "<a/>"}.Append(nil))
	f.Add(make([]byte, headerSize+1))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > sizesAt+4 && b[sizesAt+3] > 0 {
			return // more than 16 MiB of text: allowed, and slow here
		}
		p, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrBadMessage) {
				t.Fatal(err)
			}
			return
		}
		again, err := Parse(p.Append(nil))
		if err != nil || again != p {
			t.Fatalf("%+v became %+v: %v", p, again, err)
		}
	})
}

// told writes changes as text: "n2 member", "3 online".
func told(changes []Change) string {
	var out []string
	for _, c := range changes {
		who := c.Peer.Name
		if who == "" {
			who = fmt.Sprint(c.Peer.ID)
		}
		switch c.Kind {
		case Named:
			out = append(out, who+" named")
		case StateChanged:
			out = append(out, who+" "+c.Peer.State.String())
		case ProcessChanged:
			word := "offline"
			if c.Peer.Online {
				word = "online"
			}
			out = append(out, who+" "+word)
		}
	}
	return strings.Join(out, ", ")
}

func procs(nodes ...uint32) (out []Process) {
	for _, n := range nodes {
		out = append(out, Process{n, n * 100})
	}
	return out
}

func names() map[uint32]string { return map[uint32]string{1: "n1", 2: "n2", 3: "n3"} }

// now is any time: only differences count.
func now() time.Time { return time.Unix(1_700_000_000, 0) }

func expect(t *testing.T, ps *Peers, ev Event, want string) {
	t.Helper()
	ev.PID, ev.Names = 100, names()
	if got := told(ps.Apply(ev, now())); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestPeersOfAGroup(t *testing.T) {
	ps := NewPeers(1, "n1", false)
	expect(t, ps, Event{Kind: Confchg, Members: procs(1), Joined: procs(1)}, "")
	expect(t, ps, Event{Kind: Confchg, Members: procs(1, 2, 3), Joined: procs(2, 3)},
		"n2 named, n2 online, n2 member, n3 named, n3 online, n3 member")
	if ps.Active() != 3 {
		t.Errorf("%d active", ps.Active())
	}
	expect(t, ps, Event{Kind: Confchg, Members: []Process{{1, 100}, {2, 201}, {3, 300}}, Left: procs(2)}, "") // restarted before it was missed
	expect(t, ps, Event{Kind: Confchg, Members: procs(1, 3), Left: []Process{{2, 201}}}, "n2 offline, n2 lost")
	if ps.ByID(2) != nil || ps.ByName("N3") == nil || len(ps.All()) != 2 {
		t.Error("a lost peer is forgotten, the others stay")
	}
}

func TestPeersOfTheController(t *testing.T) {
	ps := NewPeers(1, "n1", true)
	expect(t, ps, Event{Kind: Quorum}, "") // the ring is still forming
	expect(t, ps, Event{Kind: Quorum, Ring: 4, View: []uint32{1, 2}}, "n1 member, n2 named, n2 member")
	expect(t, ps, Event{Kind: Confchg, Members: procs(1, 2)}, "n2 online")
	expect(t, ps, Event{Kind: Quorum, Ring: 8, View: []uint32{1}}, "n2 lost")
	if p := ps.ByID(2); p == nil || p.Active() {
		t.Fatal("the controller keeps lost peers")
	}
	// Its process is still in the group: believed after a minute.
	ps.ByID(2).WhenLost = now().Add(-2 * lostLimit)
	expect(t, ps, Event{Kind: Confchg, Members: procs(1, 2)}, "n2 member")
	expect(t, ps, Event{Kind: Confchg, Members: procs(1), Left: procs(2)}, "n2 offline")
}

func TestPeersMerge(t *testing.T) {
	ps := NewPeers(1, "n1", true)
	byName, _ := ps.Get(0, "n2")
	if p, _ := ps.Get(2, "n2"); p != byName || p.ID != 2 {
		t.Error("an id for a known name")
	}
	byID, changes := ps.Get(3, "")
	if told(changes) != "" {
		t.Error(told(changes))
	}
	ps.Get(0, "n3")
	p, changes := ps.Get(3, "n3")
	if p != byID || told(changes) != "n3 named" || len(ps.All()) != 3 {
		t.Errorf("two halves of a peer: %q, %d peers", told(changes), len(ps.All()))
	}
	// A node came back under another id.
	if p, _ := ps.Get(9, "n2"); p.ID != 9 || ps.ByID(2) != nil {
		t.Errorf("new id: %+v", p)
	}
	if n := ps.Forget(9, ""); n != 1 || ps.ByName("n2") != nil {
		t.Errorf("forgot %d", n)
	}
	if n := ps.Forget(0, ""); n != 0 {
		t.Errorf("nobody is meant, forgot %d", n)
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{"n1": true, "10.0.0.1": false, "fe80::1": false, "": false, "10.node": true} {
		if validName(name) != want {
			t.Errorf("%q", name)
		}
	}
}
