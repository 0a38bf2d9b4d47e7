package knet

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// TestA10_EveryErrno: whatever the kernel answers to sends, nothing is tried without
// end, and all is well again once sends work (corosync 569: 100 % of a processor
// with a link that is down; kronosnet 9287f87e).
func TestA10_EveryErrno(t *testing.T) {
	for errno := Errno(1); errno < 134; errno++ {
		w := newWorld(t, uint64(errno), 2, 2, nil)
		w.up()
		n := w.nodes[0]
		broken := func(d *Datagram) Errno {
			if d.Host == 2 && d.Link == 0 {
				return errno
			}
			return 0
		}
		w.errno = broken
		before := n.sends
		for i := range 100 {
			n.send(2, []byte{byte(i)})
			w.run(100 * time.Millisecond)
		}
		// In 10 s: 100 datagrams, pings and pongs of two links, some probes and, when
		// there is no room, pings 80 times a second for some time.
		if d := n.sends - before; d > 500 {
			t.Errorf("%v: %d sends in 10 s", errno, d)
		}
		if told := n.count(EventSendFailed); told > 25 {
			t.Errorf("%v: told %d times in 10 s", errno, told)
		}
		if errno != EMSGSIZE && errno != EPERM && !n.e.host(2).reachable() {
			t.Errorf("%v on one of two links: host 2 is not reachable", errno)
		}
		w.errno = nil
		w.until(time.Minute, "all well after "+errno.String(), func() bool {
			return n.link(2, 0).connected && n.link(2, 0).mtuProven && n.e.MTU() == 1446
		})
		if n.link(2, 0).stats.TxDataErrors+n.link(2, 0).stats.TxDataRetries+n.link(2, 0).stats.TxPMTURetries+
			n.link(2, 0).stats.TxPingErrors+n.link(2, 0).stats.TxPingRetries == 0 && errno != EMSGSIZE && errno != EPERM {
			t.Errorf("%v: nothing was counted", errno)
		}
	}
}

// TestFullSocketPingsAgain: a ping that finds no room goes out soon after, not an
// interval later, and ever less often.
func TestFullSocketPingsAgain(t *testing.T) {
	w := newWorld(t, 1, 2, 1, nil)
	var at []time.Duration
	w.errno = func(d *Datagram) Errno {
		if d.Type == TypePing && d.Host == 2 {
			at = append(at, w.now.Sub(epoch))
			return ENOBUFS
		}
		return 0
	}
	// The first ping goes out when the engine is made; errors are told from here on.
	w.run(3 * time.Second)
	if len(at) < 8 || len(at) > 20 {
		t.Fatalf("pings at %v", at)
	}
	for i := 2; i < len(at); i++ {
		if wait, before := at[i]-at[i-1], at[i-1]-at[i-2]; wait < before || wait > 912*time.Millisecond {
			t.Fatalf("pings at %v", at)
		}
	}
}

// TestFailureOfNobody: what the kernel says of links that are gone changes nothing.
func TestFailureOfNobody(t *testing.T) {
	w := newWorld(t, 1, 2, 1, nil)
	w.up()
	n := w.nodes[0]
	events := len(n.events)
	for _, f := range []Failure{{}, {To: addr(7, 0), Errno: ECONNREFUSED}, {Local: addr(3, 0), To: addr(2, 0), Errno: ECONNREFUSED},
		{To: netip.MustParseAddrPort("[::1]:5405"), Errno: EMSGSIZE, MTU: 1}} {
		n.e.Failed(w.now, f)
		n.drain()
	}
	if len(n.events) != events || !n.link(2, 0).connected {
		t.Errorf("%v", n.events[events:])
	}
}

// TestEMSGSIZEForData: the interface's MTU shrank between two discoveries.
func TestEMSGSIZEForData(t *testing.T) {
	w := newWorld(t, 1, 2, 1, nil)
	w.up()
	w.run(5 * time.Second)
	w.ifaceMTU, w.pathMTU = 1000, 1000
	n := w.nodes[0]
	n.send(2, make([]byte, 1400))
	if n.e.MTU() > 946 {
		t.Fatalf("MTU %d at once after EMSGSIZE", n.e.MTU())
	}
	w.run(time.Second)
	if n.e.MTU() != 946 {
		t.Errorf("MTU %d, want 946", n.e.MTU())
	}
	n.send(2, make([]byte, 1400))
	w.run(time.Second)
	if len(w.nodes[1].got) != 1 {
		t.Errorf("%d datagrams came, want the second", len(w.nodes[1].got))
	}
}

// TestICMPTooBig: somebody who says that packets are too big makes us look, and
// changes nothing else; a probe that he did not see is not refused by him.
func TestICMPTooBig(t *testing.T) {
	w := newWorld(t, 1, 2, 1, nil)
	w.up()
	n := w.nodes[0]
	for i := range 100 {
		before := n.link(2, 0).stats.TxPMTUPackets
		for range 10 {
			n.e.Failed(w.now, Failure{Local: addr(1, 0), To: addr(2, 0), Errno: EMSGSIZE, MTU: 600})
			if n.e.MTU() != 1446 {
				t.Fatalf("MTU %d", n.e.MTU())
			}
		}
		n.drain()
		w.run(250 * time.Millisecond)
		if sent := n.link(2, 0).stats.TxPMTUPackets - before; sent == 0 || sent > 6 || n.e.MTU() != 1446 {
			t.Fatalf("round %d: %d probes, MTU %d", i, sent, n.e.MTU())
		}
	}
}

func TestErrnoTexts(t *testing.T) {
	var seen []string
	for _, n := range []Errno{EPERM, EINTR, EAGAIN, ENOMEM, EINVAL, ENONET, EMSGSIZE, ENETDOWN, ENETUNREACH, ECONNABORTED, ENOBUFS, ECONNREFUSED, EHOSTDOWN, EHOSTUNREACH, 77} {
		if s := n.String(); s == "" || slices.Contains(seen, s) {
			t.Errorf("%d is %q", int(n), s)
		} else {
			seen = append(seen, s)
		}
	}
}
