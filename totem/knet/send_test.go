package knet

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

// TestSendFragments: sizes around the MTU go out in as few packets as carry them.
func TestSendFragments(t *testing.T) {
	w := newWorld(t, 1, 3, 1, nil)
	w.up()
	for _, c := range []struct{ size, packets int }{
		{1, 1}, {1445, 1}, {1446, 1}, {1447, 2}, {2892, 2}, {2893, 3}, {65446, 46}, {MaxPacket, 46},
	} {
		data := bytes.Repeat([]byte{byte(c.size)}, c.size)
		w.nodes[0].e.Send(w.now, 2, data)
		out := w.nodes[0].e.Output()
		if len(out.Send) != c.packets {
			t.Errorf("%d bytes: %d packets, want %d", c.size, len(out.Send), c.packets)
		}
		for i := range out.Send {
			w.transmit(w.nodes[0], &out.Send[i])
		}
		w.run(time.Millisecond)
		got := w.nodes[1].got
		if len(got) == 0 || !bytes.Equal(got[len(got)-1], data) {
			t.Errorf("%d bytes did not come", c.size)
		}
	}
	if len(w.nodes[2].got) != 0 {
		t.Error("host 3 got what was for host 2")
	}
}

// TestSendToAllIsBuiltOnce: the bytes for all hosts are the same, also in memory.
func TestSendToAllIsBuiltOnce(t *testing.T) {
	w := newWorld(t, 1, 4, 2, func(c *Config) { c.Policy = PolicyActive })
	w.up()
	w.nodes[0].e.Send(w.now, 0, make([]byte, 3000))
	out := w.nodes[0].e.Output()
	if len(out.Send) != 3*2*3 {
		t.Fatalf("%d packets, want 3 to each of 3 hosts on 2 links", len(out.Send))
	}
	memory := map[*byte]int{}
	for i := range out.Send {
		memory[&out.Send[i].Data[0]]++
	}
	if len(memory) != 3 {
		t.Errorf("%d packets were built, want 3", len(memory))
	}
}

func TestSendRefused(t *testing.T) {
	w := newWorld(t, 1, 2, 1, nil)
	n := w.nodes[0]
	var s Stats
	n.send(2, []byte("too early"))
	n.send(9, []byte("nobody"))
	if n.e.Stats(&s); s.Dropped[DropNoHost] != 2 {
		t.Errorf("%d dropped for want of a host", s.Dropped[DropNoHost])
	}
	w.up()
	n.send(2, nil)
	n.send(2, make([]byte, MaxPacket+1))
	if n.e.Stats(&s); s.Dropped[DropSize] != 2 {
		t.Errorf("%d dropped for their size", s.Dropped[DropSize])
	}
	w.run(time.Second)
	if len(w.nodes[1].got) != 0 {
		t.Error("something came")
	}
}

// TestLoopback: what goes to all comes back when that is wanted, and counts on the
// link to itself in any case.
func TestLoopback(t *testing.T) {
	for _, back := range []bool{false, true} {
		w := newWorld(t, 1, 2, 1, func(c *Config) { c.Loopback, c.LoopbackLink = back, 3 })
		n := w.nodes[0]
		n.send(0, []byte("all"))
		n.send(1, []byte("me"))
		n.send(2, []byte("other"))
		want := 0
		if back {
			want = 2
		}
		if len(n.got) != want {
			t.Errorf("loopback %v: %d came back", back, len(n.got))
		}
		var s LinkStatus
		if !n.e.Status(LinkKey{1, 3}, &s) || !s.Loopback || !s.Connected || s.Stats.TxDataPackets != 2 || s.MTU != 65535 {
			t.Errorf("loopback %v: status %+v", back, s)
		}
		if n.e.Status(LinkKey{1, 0}, &s) {
			t.Error("a link 0 of this host is there")
		}
	}
}

// TestSequenceNumbers: 0 is never sent, and a host that gets no data follows by
// untimed pings, so that what comes after any number of others is taken (A16).
func TestSequenceNumbers(t *testing.T) {
	w := newWorld(t, 1, 3, 1, nil)
	w.up()
	n := w.nodes[0]
	w.errno = func(d *Datagram) Errno {
		var h Header
		if _, err := h.parse(d.Data); err == nil && h.Type == TypeData && h.Seq == 0 {
			t.Error("data with number 0")
		}
		return 0
	}
	n.e.txSeq = 65000
	for i := range 140_000 {
		n.e.Send(w.now, 2, []byte{1})
		if n.drain(); i%500 == 0 {
			w.run(time.Millisecond)
			w.nodes[1].got = nil
		}
		if i%14_007 == 0 {
			n.send(3, []byte{byte(i)})
			w.run(time.Millisecond)
			n.send(3, []byte{byte(i)})
		}
	}
	w.run(time.Second)
	if got := len(w.nodes[2].got); got != 20 {
		t.Errorf("host 3 got %d of 20 datagrams among 140000", got)
	}
	untimed := n.link(3, 0).stats.TxPingPackets
	if untimed < 140_000/untimedEvery {
		t.Errorf("%d pings", untimed)
	}
}

// TestRestart: a host that starts anew counts from 1 again and is heard at once,
// whatever it had sent before and however fast it was back.
func TestRestart(t *testing.T) {
	for _, before := range []uint16{1, 100, 5000, 40000, 65535} {
		for _, pause := range []time.Duration{10 * time.Millisecond, time.Second, 20 * time.Second} {
			w := newWorld(t, 1, 2, 1, nil)
			w.up()
			n := w.nodes[0]
			n.e.txSeq = before - 1
			for range 50 {
				n.send(0, []byte("before"))
				w.run(time.Millisecond)
			}
			w.run(pause)
			w.nodes[1].got = nil
			e, err := New(w.now, testConfig(1, 2, 1))
			if err != nil {
				t.Fatal(err)
			}
			n.e = e
			w.until(30*time.Second, "the host is back", func() bool { return e.host(2).reachable() && w.nodes[1].e.host(1).reachable() })
			for range 50 {
				n.send(0, []byte("after"))
				w.run(time.Millisecond)
			}
			w.run(time.Second)
			if got := len(w.nodes[1].got); got != 50 {
				t.Errorf("number %d before, pause %v: %d of 50 datagrams came", before, pause, got)
			}
		}
	}
}

// TestFrames: Ethernet frames share links and numbers with the ring, and nothing else.
func TestFrames(t *testing.T) {
	w := newWorld(t, 1, 3, 1, nil)
	w.up()
	a, b := w.nodes[0], w.nodes[1]
	frame := bytes.Repeat([]byte("f"), 3000)
	take := func(n *node) (out []Delivery) {
		for i := range a.e.out.Send {
			d := &a.e.out.Send[i]
			if d.Host == n.id {
				n.e.Receive(w.now, d.To, d.Local, bytes.Clone(d.Data))
			}
		}
		for _, u := range n.e.Output().Up {
			out = append(out, Delivery{u.From, u.Broadcast, u.Channel, bytes.Clone(u.Data)})
		}
		return out
	}
	a.e.SendFrame(w.now, 0, frame)
	if got := take(b); len(got) != 0 {
		t.Errorf("nobody takes frames: %d came", len(got))
	}
	var s Stats
	if b.e.Stats(&s); s.Dropped[DropChannel] != 1 {
		t.Errorf("dropped: %v", s.Dropped)
	}
	b.e.OpenFrames(true)
	for _, to := range []HostID{0, 2, 1, 3} {
		if out := a.e.Output(); len(out.Up) != 0 {
			t.Error("a frame came back")
		}
		a.e.SendFrame(w.now, to, frame)
		a.e.Send(w.now, to, []byte("ring"))
		got := take(b)
		want := []Delivery{{1, to == 0, ChannelFrames, frame}, {1, to == 0, ChannelRing, []byte("ring")}}
		if to == 1 || to == 3 {
			want = nil
		}
		if !slices.EqualFunc(got, want, func(x, y Delivery) bool {
			return x.From == y.From && x.Broadcast == y.Broadcast && x.Channel == y.Channel && bytes.Equal(x.Data, y.Data)
		}) {
			t.Errorf("to %d: %d datagrams came", to, len(got))
		}
	}
}
