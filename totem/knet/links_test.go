package knet

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// up waits until all hosts reach each other with the MTU of the network.
func (w *world) up() {
	w.t.Helper()
	w.until(time.Minute, "every host reaches every other", func() bool {
		for _, n := range w.nodes {
			for _, h := range n.e.hosts {
				for _, l := range h.links {
					if !l.connected || !l.mtuProven {
						return false
					}
				}
			}
		}
		return true
	})
}

// TestLinkUpStory has the lines that libknet logs when a cluster starts, and when.
func TestLinkUpStory(t *testing.T) {
	w := newWorld(t, 1, 2, 1, nil)
	// Three pongs are needed for a count of two: the first two are counted, the next
	// finds them.
	w.run(2*912*time.Millisecond - time.Millisecond)
	if w.nodes[0].link(2, 0).connected {
		t.Error("the link is up before the third pong")
	}
	w.run(2 * time.Millisecond)
	if !w.nodes[0].link(2, 0).connected {
		t.Error("the link is not up at the third pong")
	}
	w.run(time.Second)
	want := []string{
		"host: host: 2 (passive) best link: 0 (pri: 1)",
		"host: host: 2 has no active links",
		"rx: host: 2 link: 0 is up",
		"link: Resetting MTU for link 0 because host 2 joined",
		"host: host: 2 (passive) best link: 0 (pri: 1)",
		"pmtud: PMTUD link change for host: 2 link: 0 from 522 to 1446",
		"pmtud: Global data MTU changed to: 1446",
	}
	if got := w.nodes[0].log(); !slices.Equal(got, want) {
		t.Errorf("the log is\n%q\nwant\n%q", got, want)
	}
}

func TestLinkDownStory(t *testing.T) {
	w := newWorld(t, 1, 2, 1, nil)
	w.run(20 * time.Second) // until the back-off of the start is over
	n := w.nodes[0]
	n.events = nil
	last := n.link(2, 0).pongLast
	w.cut = func(from, to netip.AddrPort) bool { return true }
	w.until(5*time.Second, "link down", func() bool { return !n.link(2, 0).connected })
	// 1825 ms and twice the latency after the last pong.
	if d := w.now.Sub(last); d < 1825*time.Millisecond || d > 3*time.Second {
		t.Errorf("down %v after the last pong", d)
	}
	want := []string{
		"link: host: 2 link: 0 is down",
		"host: host: 2 (passive) best link: 0 (pri: 1)",
		"host: host: 2 has no active links",
	}
	if got := n.log(); !slices.Equal(got, want) {
		t.Errorf("the log is\n%q\nwant\n%q", got, want)
	}
	var s LinkStatus
	n.e.Status(LinkKey{2, 0}, &s)
	if s.Connected || s.Stats.DownCount != 2 || s.Stats.UpCount != 1 || s.Stats.LastDownTimes[0].IsZero() {
		t.Errorf("status %+v", s)
	}
	// The same MTU again is no change of the link's, but of the data's.
	n.events, w.cut = nil, nil
	w.up()
	if n.count(EventMTULink) != 0 || n.count(EventMTUGlobal) != 1 {
		t.Errorf("the log is %q", n.log())
	}
}

// TestBackoffAfterDown: a link that was down may be silent for longer at first.
func TestBackoffAfterDown(t *testing.T) {
	l := newLink(epoch, LinkConfig{PongTimeout: time.Second, PingInterval: time.Second}.normal())
	e := &Engine{hosts: []*host{{links: []*link{l}}}}
	for i := range 12 {
		if want := time.Duration(max(10-i, 1)) * time.Second; l.timeout != want {
			t.Fatalf("after %d s: timeout %v, want %v", i, l.timeout, want)
		}
		e.adjustTimeouts()
	}
	l.latency = 50 * time.Millisecond
	e.adjustTimeouts()
	if l.timeout != 1100*time.Millisecond {
		t.Errorf("timeout %v: twice the latency is missing", l.timeout)
	}
}

// TestICMPTakesLinkDown: the kernel of a host whose daemon is gone says so; the link
// goes down at once, and comes up again like any other.
func TestICMPTakesLinkDown(t *testing.T) {
	for _, errno := range []Errno{ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN, ENONET, ECONNABORTED, EINVAL, EMSGSIZE} {
		w := newWorld(t, 1, 2, 1, nil)
		w.up()
		n := w.nodes[0]
		n.e.Failed(w.now, Failure{Local: addr(1, 0), To: addr(2, 0), Errno: errno})
		n.drain()
		down := errno != EINVAL && errno != EMSGSIZE
		if n.link(2, 0).connected == down {
			t.Errorf("%v: link down %v, want %v", errno, !down, down)
		}
		w.up()
	}
	w := newWorld(t, 1, 2, 1, nil)
	w.up()
	w.nodes[0].e.Failed(w.now, Failure{Local: addr(1, 0), To: netip.MustParseAddrPort("192.0.2.1:5405"), Errno: ECONNREFUSED})
	if !w.nodes[0].link(2, 0).connected {
		t.Error("an error of somebody else took the link down")
	}
}

// TestPolicies: which links carry data, and what happens when one of them goes.
func TestPolicies(t *testing.T) {
	for _, c := range []struct {
		policy Policy
		want   []int // datagrams on links 0, 1, 2 of 12 sent
		after  []int // of 12 sent when link 1 is cut
	}{
		{PolicyPassive, []int{0, 12, 0}, []int{12, 0, 0}}, // link 1 has the highest priority, then the lower number
		{PolicyActive, []int{12, 12, 12}, []int{12, 0, 12}},
		{PolicyRR, []int{4, 4, 4}, []int{6, 0, 6}},
	} {
		w := newWorld(t, 1, 2, 3, func(cfg *Config) {
			cfg.Policy = c.policy
			cfg.Hosts[0].Links[1].Priority = 5
		})
		w.up()
		w.run(20 * time.Second)
		count := func() (got []int) {
			before := [3]uint64{}
			for i := range before {
				before[i] = w.nodes[0].link(2, uint8(i)).stats.TxDataPackets
			}
			for i := range 12 {
				w.nodes[0].send(2, []byte{byte(i)})
			}
			for i := range before {
				got = append(got, int(w.nodes[0].link(2, uint8(i)).stats.TxDataPackets-before[i]))
			}
			return got
		}
		if got := count(); !slices.Equal(got, c.want) {
			t.Errorf("%v: links carry %v, want %v", c.policy, got, c.want)
		}
		w.cut = func(from, to netip.AddrPort) bool { return to.Port() == 5406 }
		w.until(10*time.Second, "link 1 down", func() bool { return !w.nodes[0].link(2, 1).connected })
		if got := count(); !slices.Equal(got, c.after) {
			t.Errorf("%v: links carry %v without link 1, want %v", c.policy, got, c.after)
		}
		w.run(time.Second)
		if got := len(w.nodes[1].got); got != 24 {
			t.Errorf("%v: %d datagrams came of 24", c.policy, got)
		}
	}
}

// TestOneLinkFailsNoLoss: active carries on over the other link as if nothing were.
func TestOneLinkFailsNoLoss(t *testing.T) {
	w := newWorld(t, 3, 2, 2, func(cfg *Config) { cfg.Policy = PolicyActive })
	w.up()
	for i := range 1000 {
		switch i {
		case 200:
			w.cut = func(from, to netip.AddrPort) bool { return to.Port() == 5405 }
		case 600:
			w.cut = nil
		}
		w.nodes[0].send(0, fmt.Appendf(nil, "%d", i))
		w.run(10 * time.Millisecond)
	}
	if len(w.nodes[1].got) != 1000 {
		t.Errorf("%d datagrams came of 1000", len(w.nodes[1].got))
	}
	if w.nodes[0].count(EventNoLinks) != 1 {
		t.Error("the host was without links after the start")
	}
}

// TestCVE_2026_15812: the number of the link in a control packet is the sender's
// word. It counts only when the packet came from that link's address.
func TestCVE_2026_15812(t *testing.T) {
	strangers := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.9:5405"), netip.MustParseAddrPort("[2001:db8::1]:5405")}
	e, err := New(epoch, testConfig(1, 3, 3))
	if err != nil {
		t.Fatal(err)
	}
	e.Output()
	for _, typ := range []PacketType{TypePing, TypePong, TypePMTUD, TypePMTUDReply} {
		for link := range 256 {
			for from := range 5 {
				e.ClearStats()
				source := strangers[0]
				switch {
				case from < 3:
					source = addr(2, uint8(from))
				case from == 4:
					source = strangers[1]
				}
				h := Header{Type: typ, Host: 2, Link: uint8(link), Time: e.timespec(epoch), Timed: 1}
				e.Receive(epoch, netip.AddrPort{}, source, h.append(nil))
				out := e.Output()
				counted := 0
				for _, l := range e.host(2).links {
					if s := &l.stats; s.RxPingPackets+s.RxPongPackets+s.RxPMTUPackets > 0 {
						counted++
						if int(l.cfg.ID) != link {
							t.Fatalf("%v for link %d counts on link %d", typ, link, l.cfg.ID)
						}
					}
				}
				ok := link == from && link < 3
				if (counted == 1) != ok {
					t.Fatalf("%v for link %d from %v: taken %v", typ, link, source, counted == 1)
				}
				for _, d := range out.Send {
					if !ok || d.To != addr(2, uint8(link)) {
						t.Fatalf("%v for link %d from %v is answered to %v", typ, link, source, d.To)
					}
				}
			}
		}
	}
}

// TestPacketAtAnotherSocket: a packet for link 1 that came in by the address of link 0
// is not taken: the network would look healthier than it is.
func TestPacketAtAnotherSocket(t *testing.T) {
	e, _ := New(epoch, testConfig(1, 2, 2))
	h := Header{Type: TypePing, Host: 2, Link: 1, Timed: 1}
	e.Output()
	e.Receive(epoch, addr(1, 0), addr(2, 1), h.append(nil))
	if n := len(e.Output().Send); n != 0 {
		t.Errorf("%d answers", n)
	}
	e.Receive(epoch, addr(1, 1), addr(2, 1), h.append(nil))
	if n := len(e.Output().Send); n != 1 {
		t.Errorf("%d answers to a ping at the right socket", n)
	}
}

// TestDataFromElsewhere: data has to come from address and port of a link.
func TestDataFromElsewhere(t *testing.T) {
	e := captureEngine(t)
	h := Header{Type: TypeData, Host: 1, Seq: 1, Fragments: 1}
	for _, from := range []string{"10.78.0.1:5406", "10.78.0.2:5405", "192.0.2.1:5405"} {
		e.Receive(epoch, netip.AddrPort{}, netip.MustParseAddrPort(from), append(h.append(nil), 1))
		if n := len(e.Output().Up); n != 0 {
			t.Errorf("data from %s came up", from)
		}
	}
	e.Receive(epoch, netip.AddrPort{}, netip.MustParseAddrPort("[::ffff:10.78.0.1]:5405"), append(h.append(nil), 1))
	if n := len(e.Output().Up); n != 1 {
		t.Error("data of a mapped address did not come up")
	}
}

// TestA12_DataBeforeUp: data of a host that sees us already brings the link up early,
// when our pings are answered (A12: kronosnet e0de1007); otherwise it is dropped.
func TestA12_DataBeforeUp(t *testing.T) {
	e, _ := New(epoch, testConfig(1, 2, 1))
	h := Header{Type: TypeData, Host: 2, Seq: 1, Fragments: 1}
	e.Receive(epoch, addr(1, 0), addr(2, 0), append(h.append(nil), 1))
	if out := e.Output(); len(out.Up) != 0 {
		t.Fatal("data of a host that was never heard came up")
	}
	pong := Header{Type: TypePong, Host: 2, Time: e.timespec(epoch), Timed: 1}
	e.Receive(epoch, addr(1, 0), addr(2, 0), pong.append(nil))
	h.Seq = 2
	e.Receive(epoch, addr(1, 0), addr(2, 0), append(h.append(nil), 1))
	if out := e.Output(); len(out.Up) != 1 {
		t.Fatal("data of a host that answers did not come up")
	}
}

// TestPongOfAnotherTime: a pong whose time is none of ours says nothing.
func TestPongOfAnotherTime(t *testing.T) {
	e, _ := New(epoch, testConfig(1, 2, 1))
	now := epoch.Add(time.Hour)
	for _, tm := range []pingTime{{}, {15: 0xff}, e.timespec(now.Add(time.Second)), e.timespec(now.Add(-2 * time.Second)),
		{0: 0xff, 1: 0xff, 2: 0xff, 3: 0xff, 4: 0xff, 5: 0xff, 6: 0xff, 7: 0xff}} {
		h := Header{Type: TypePong, Host: 2, Time: tm, Timed: 1}
		e.Receive(now, addr(1, 0), addr(2, 0), h.append(nil))
		if l := e.host(2).links[0]; l.pongs != 0 || l.latency != 0 {
			t.Errorf("time %x: %d pongs, latency %v", tm, l.pongs, l.latency)
		}
	}
}

// TestLatencyIsTheMean follows the original's running mean, in whole microseconds.
func TestLatencyIsTheMean(t *testing.T) {
	e, _ := New(epoch, testConfig(1, 2, 1))
	l := e.host(2).links[0]
	l.cfg.Precision = 4
	mean, samples := int64(0), int64(0)
	for i, us := range []int64{100, 300, 200, 1000, 1, 1, 77, 5000} {
		now := epoch.Add(time.Duration(i) * time.Second)
		h := Header{Type: TypePong, Host: 2, Time: e.timespec(now.Add(-time.Duration(us) * time.Microsecond)), Timed: 1}
		e.Receive(now, addr(1, 0), addr(2, 0), h.append(nil))
		samples = min(samples+1, 4)
		mean = (mean*(samples-1) + us) / samples
		if got := l.latency.Microseconds(); got != mean {
			t.Fatalf("pong %d: latency %d µs, want %d", i, got, mean)
		}
	}
}

// TestEightLinks: as many links as there may be, all in use: each datagram comes
// once, and again on the other seven, which is counted.
func TestEightLinks(t *testing.T) {
	w := newWorld(t, 1, 2, MaxLinks, func(c *Config) { c.Policy = PolicyActive })
	w.up()
	for i := range 10 {
		w.nodes[0].send(0, make([]byte, 1+i*1000))
	}
	w.run(time.Second)
	var s Stats
	if w.nodes[1].e.Stats(&s); len(w.nodes[1].got) != 10 || s.Dropped[DropDuplicate] < 7*10 {
		t.Errorf("%d datagrams came, %d again", len(w.nodes[1].got), s.Dropped[DropDuplicate])
	}
}

// TestUnlistedAddress: it is never taken, and told of only where that is asked for.
func TestUnlistedAddress(t *testing.T) {
	for _, told := range []bool{false, true} {
		cfg := testConfig(1, 2, 1)
		cfg.BlockUnlisted = told
		e, err := New(epoch, cfg)
		if err != nil {
			t.Fatal(err)
		}
		e.Output()
		h := Header{Type: TypePing, Host: 2, Timed: 1}
		for range 5 {
			e.Receive(epoch, addr(1, 0), netip.MustParseAddrPort("192.0.2.1:5405"), h.append(nil))
		}
		out := e.Output()
		var s Stats
		if e.Stats(&s); len(out.Send) != 0 || s.Dropped[DropAddress] != 5 || (len(out.Events) == 1) != told || len(out.Events) > 1 {
			t.Errorf("told %v: %d answers, %d dropped, %d events", told, len(out.Send), s.Dropped[DropAddress], len(out.Events))
		}
	}
}
