package link

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/testwait"
)

// pair opens two nodes on loopback addresses with a port of their own.
func pair(t *testing.T, port uint16) (a, b *UDPU) {
	t.Helper()
	peers := []Peer{{1, netip.MustParseAddr("127.0.77.1")}, {2, netip.MustParseAddr("127.0.77.2")}}
	open := func(i int) *UDPU {
		u, err := OpenUDPU(UDPConfig{Self: peers[i].NodeID, Local: Interface{Addr: peers[i].Addr}, Port: port, Peers: peers})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(u.Close)
		return u
	}
	return open(0), open(1)
}

// receive waits for n datagrams and returns copies of them.
func receive(t *testing.T, u *UDPU, n int) [][]byte {
	t.Helper()
	var got [][]byte
	testwait.For(t, 5*time.Second, "datagrams", func() bool {
		packets, _ := u.Receive()
		for _, p := range packets {
			got = append(got, bytes.Clone(p))
		}
		return len(got) >= n
	})
	return got
}

func TestSendAllReachesOthersInOrder(t *testing.T) {
	a, b := pair(t, 25405)
	const n = 3*txBatch + 7
	var sent [][]byte
	for i := range n {
		sent = append(sent, []byte{byte(i), byte(i >> 8), 'x'})
		if i%5 == 0 {
			a.SendTo(2, sent[i])
		} else {
			a.SendAll(sent[i])
		}
	}
	a.Flush()
	got := receive(t, b, n)
	for i := range got {
		if !bytes.Equal(got[i], sent[i]) {
			t.Fatalf("datagram %d is %x, want %x", i, got[i], sent[i])
		}
	}
	if p, _ := a.Receive(); len(p) != 0 {
		t.Errorf("the sender received %d of its own datagrams", len(p))
	}
	if s := a.Stats(); s.TxPackets != n || s.TxErrors != 0 {
		t.Errorf("counted %d sent and %d errors, want %d and 0", s.TxPackets, s.TxErrors, n)
	}
}

func TestLargestDatagram(t *testing.T) {
	a, b := pair(t, 25406)
	big := bytes.Repeat([]byte("0123456789abcde\n"), 4094) // 65504 bytes
	a.SendTo(2, big)
	a.Flush()
	if got := receive(t, b, 1); !bytes.Equal(got[0], big) {
		t.Error("the datagram changed on its way")
	}
}

func TestForeignSourceIsDropped(t *testing.T) {
	_, b := pair(t, 25407)
	stranger, err := openUDP(netip.MustParseAddr("127.0.77.9"), 0, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(stranger)
	to := &unix.SockaddrInet4{Port: 25407, Addr: [4]byte{127, 0, 77, 2}}
	if err := unix.Sendto(stranger, []byte("hello"), 0, to); err != nil {
		t.Fatal(err)
	}
	testwait.For(t, 5*time.Second, "the stranger's datagram to be counted", func() bool {
		if p, _ := b.Receive(); len(p) != 0 {
			t.Fatal("the stranger's datagram was delivered")
		}
		return b.Stats().RxForeign == 1
	})
	open := b.cfg
	open.AnySource = true // block_unlisted_ips: no, by a reload
	b.Follow(open)
	if err := unix.Sendto(stranger, []byte("hello again"), 0, to); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, b, 1); string(got[0]) != "hello again" {
		t.Errorf("got %q", got[0])
	}
}

func TestUnknownNodeAndMissingAddress(t *testing.T) {
	a, _ := pair(t, 25408)
	if a.SendTo(99, []byte("x")) {
		t.Error("node 99 is not in the nodelist")
	}
	for _, c := range []struct {
		want, found string
		err         error
	}{
		{"127.0.0.1", "127.0.0.1", nil},
		{"127.9.9.9", "127.0.0.1", nil}, // by its network, 127.0.0.0/8
		{"198.51.100.1", "", ErrNoInterface},
	} {
		here, err := FindInterface(netip.MustParseAddr(c.want))
		if err != c.err || err == nil && (here.Addr.String() != c.found || !here.Up || here.Index == 0) {
			t.Errorf("%s is on %+v, %v; want %s, %v", c.want, here, err, c.found, c.err)
		}
	}
	_, err := OpenUDPU(UDPConfig{Self: 1, Local: Interface{Addr: netip.MustParseAddr("198.51.100.1")}, Port: 25408})
	if !IsTransient(err) {
		t.Errorf("198.51.100.1 is no address of this machine: %v", err)
	}
}

func TestPathAllocatesNothing(t *testing.T) {
	a, b := pair(t, 25409)
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
