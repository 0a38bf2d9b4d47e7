package link

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// loopIndex is the number of the loopback interface, which every machine has first.
const loopIndex = 1

// group opens two nodes of udp on the loopback interface.
func group(t *testing.T, addrs [2]string, to string, port uint16) (a, b *UDP) {
	t.Helper()
	var peers []Peer
	for i, s := range addrs {
		peers = append(peers, Peer{uint32(i + 1), netip.MustParseAddr(s)})
	}
	open := func(i int) *UDP {
		u, err := OpenUDP(UDPConfig{Self: peers[i].NodeID, Local: Interface{Index: loopIndex, Addr: peers[i].Addr}, Port: port, Peers: peers,
			Group: netip.MustParseAddr(to), TTL: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(u.Close)
		return u
	}
	return open(0), open(1)
}

var loopNodes = [2]string{"127.0.77.3", "127.0.77.4"}

// TestGroup: what goes to all reaches the other node once and this one never, and a
// token does not overtake the messages before it, more than one batch of them.
func TestGroup(t *testing.T) {
	a, b := group(t, loopNodes, "239.192.7.7", 25415)
	const n = 3*rxBatch + 7
	for i := range n {
		a.SendAll(fmt.Append(nil, "message ", i))
		a.Flush()
	}
	if !a.SendTo(2, []byte("token")) || a.SendTo(9, nil) {
		t.Error("node 2 is in the nodelist, node 9 is not")
	}
	a.Flush()
	a.SendAll([]byte("later"))
	a.Flush()
	var got []string
	for more := true; more; {
		var packets [][]byte
		packets, more = b.Receive()
		for _, p := range packets {
			got = append(got, string(p))
		}
	}
	if len(got) != n+2 {
		t.Fatalf("%d datagrams, want %d", len(got), n+2)
	}
	for i := range n {
		if want := fmt.Sprint("message ", i); got[i] != want {
			t.Fatalf("datagram %d is %q, want %q", i, got[i], want)
		}
	}
	if packets, _ := a.Receive(); len(packets) != 0 {
		t.Errorf("the sender received %q of its own", packets)
	}
	if s := a.Stats(); s.TxPackets != n+2 || s.TxErrors != 0 {
		t.Errorf("counted %d sent and %d errors", s.TxPackets, s.TxErrors)
	}
}

// TestGroupSources: everything leaves from the port below the configured one, as
// the original's does.
func TestGroupSources(t *testing.T) {
	a, b := group(t, loopNodes, "239.192.7.8", 25417)
	a.SendAll([]byte("to all"))
	a.SendTo(2, []byte("to one"))
	a.Flush()
	if got := receiveAll(b, 2); !bytes.Equal(got[0], []byte("to all")) || !bytes.Equal(got[1], []byte("to one")) {
		t.Errorf("got %q", got)
	}
	for i := range 2 {
		if port := b.rx.from[i].port(); port != 25416 {
			t.Errorf("datagram %d came from port %d, want 25416", i, port)
		}
	}
}

func receiveAll(u *UDP, n int) (got [][]byte) {
	for len(got) < n {
		packets, more := u.Receive()
		for _, p := range packets {
			got = append(got, bytes.Clone(p))
		}
		if !more {
			break
		}
	}
	return append(got, make([][]byte, n)...)[:max(n, len(got))]
}

// TestGroupReopen: the group is joined again, and the port is free again.
func TestGroupReopen(t *testing.T) {
	a, b := group(t, loopNodes, "239.192.7.9", 25419)
	b.Close()
	a.SendAll([]byte("lost"))
	a.Flush()
	if err := b.Reopen(Interface{Index: loopIndex, Addr: netip.MustParseAddr("198.51.100.1")}); !IsTransient(err) {
		t.Errorf("an address that is not here: %v", err)
	}
	if packets, more := b.Receive(); len(packets) != 0 || more {
		t.Errorf("received without a socket: %q", packets)
	}
	if err := b.Reopen(Interface{Index: loopIndex, Addr: netip.MustParseAddr(loopNodes[1])}); err != nil {
		t.Fatal(err)
	}
	a.SendAll([]byte("again"))
	a.Flush()
	if got := receiveAll(b, 1); string(got[0]) != "again" {
		t.Errorf("got %q", got)
	}
}

// TestGroupV6: the options are set; packets are for the lab, since the loopback
// interface has no route for them.
func TestGroupV6(t *testing.T) {
	needIPv6(t)
	u, err := OpenUDP(UDPConfig{Self: 1, Local: Interface{Index: loopIndex, Addr: netip.IPv6Loopback()}, Port: 25421,
		Group: netip.MustParseAddr("ff15::77"), TTL: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	for opt, want := range map[int]int{unix.IPV6_MULTICAST_HOPS: 3, unix.IPV6_MULTICAST_IF: loopIndex, unix.IPV6_MULTICAST_LOOP: 0} {
		if got, err := unix.GetsockoptInt(u.txfd, unix.IPPROTO_IPV6, opt); got != want || err != nil {
			t.Errorf("option %d is %d, %v; want %d", opt, got, err, want)
		}
	}
}

// TestGroupWaits: without an interface there is nothing to receive, and what is sent
// counts as lost, until there is one.
func TestGroupWaits(t *testing.T) {
	a, _ := group(t, loopNodes, "239.192.7.12", 25429)
	a.Close()
	cfg := a.cfg
	cfg.Local = Interface{}
	u := NewUDP(cfg)
	t.Cleanup(u.Close)
	u.SendAll([]byte("x"))
	u.SendTo(2, []byte("x"))
	u.Flush()
	if packets, more := u.Receive(); len(packets) != 0 || more || u.SendFailures() != 2 {
		t.Errorf("received %q, %d sends failed", packets, u.SendFailures())
	}
	if err := u.Reopen(Interface{Index: loopIndex, Addr: netip.MustParseAddr(loopNodes[0])}); err != nil {
		t.Fatal(err)
	}
	u.SendAll([]byte("y"))
	u.Flush()
	if u.SendFailures() != 0 {
		t.Error("the send failed after the interface came")
	}
}

func TestGroupRefuses(t *testing.T) {
	local := Interface{Index: loopIndex, Addr: netip.MustParseAddr(loopNodes[0])}
	if _, err := OpenUDP(UDPConfig{Local: local, Port: 25423, Group: netip.MustParseAddr("ff15::1")}); err == nil {
		t.Error("an IPv6 group on an IPv4 address")
	}
}

func TestGroupAllocatesNothing(t *testing.T) {
	a, b := group(t, loopNodes, "239.192.7.10", 25425)
	data := make([]byte, 1400)
	n := testing.AllocsPerRun(200, func() {
		a.SendAll(data)
		a.SendTo(2, data)
		a.Flush()
		b.Receive()
	})
	if n != 0 {
		t.Errorf("sending and receiving allocates %v times", n)
	}
}

// TestInterfaceMessages reads what the kernel says, and what it would not.
func TestInterfaceMessages(t *testing.T) {
	message := func(kind uint16, index byte, more int) []byte {
		b := make([]byte, 24+more)
		b[0], b[4], b[5], b[20] = byte(len(b)), byte(kind), byte(kind>>8), index
		return b
	}
	two := append(message(unix.RTM_NEWADDR, 3, 8), message(unix.RTM_DELLINK, 7, 0)...)
	for _, c := range []struct {
		what string
		in   []byte
		want []int
	}{
		{"two messages", two, []int{3, 7}},
		{"the second cut short", two[:len(two)-1], []int{3}},
		{"another kind", message(unix.RTM_NEWROUTE, 3, 0), nil},
		{"nothing", nil, nil},
		{"a length of 0", make([]byte, 64), nil},
		{"longer than it is", []byte{0xff, 0xff, 0, 0, unix.RTM_NEWLINK, 0, 0, 0, 23: 0}, nil},
	} {
		var got []int
		eachInterface(c.in, func(index int) { got = append(got, index) })
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}

func FuzzInterfaceMessages(f *testing.F) {
	f.Add([]byte{24, 0, 0, 0, unix.RTM_NEWLINK, 0, 0, 0, 20: 1, 23: 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		eachInterface(b, func(int) { n++ })
		if n > len(b)/24 {
			t.Errorf("%d messages in %d bytes", n, len(b))
		}
	})
}
