package link

import (
	"bytes"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/testneed"
	"github.com/pacesync/pacesync/internal/testwait"
)

func openSockets(t testing.TB, addrs ...string) (*KnetSockets, []netip.AddrPort) {
	t.Helper()
	k := NewKnetSockets(KnetOptions{SmallBuffers: true})
	t.Cleanup(k.CloseAll)
	var out []netip.AddrPort
	for i, s := range addrs {
		a := netip.MustParseAddrPort(s)
		sock, err := k.Open(a)
		if err != nil {
			t.Fatal(err)
		}
		if sock != i {
			t.Fatalf("socket %d has the number %d", i, sock)
		}
		out = append(out, a)
	}
	return k, out
}

// takeAll waits for n datagrams on a socket.
func takeAll(t *testing.T, k *KnetSockets, sock, n int) (data [][]byte, from []netip.AddrPort) {
	t.Helper()
	testwait.For(t, 5*time.Second, "datagrams", func() bool {
		got, _ := k.Read(sock)
		for i := range got {
			d, f := k.Datagram(i)
			data, from = append(data, bytes.Clone(d)), append(from, f)
		}
		return len(data) >= n
	})
	return data, from
}

func TestKnetSocketsShareAddresses(t *testing.T) {
	k, a := openSockets(t, "127.0.78.1:25501", "127.0.78.1:25502", "127.0.78.2:25501")
	if again, err := k.Open(a[1]); again != 1 || err != nil {
		t.Errorf("opened once more: socket %d, %v; want 1", again, err)
	}
	k.Close(0)
	if k.FD(0) >= 0 {
		t.Error("a closed socket has a descriptor")
	}
	if s, err := k.Open(netip.MustParseAddrPort("127.0.78.1:25503")); s != 0 || err != nil {
		t.Errorf("the free slot is not used again: socket %d, %v", s, err)
	}
}

func TestKnetDatagramsKeepOrderAndSource(t *testing.T) {
	k, a := openSockets(t, "127.0.78.1:25511", "127.0.78.2:25511")
	const n = 3*txBatch + 5
	var want [][]byte
	for i := range n {
		want = append(want, []byte{byte(i), byte(i >> 8)})
		k.Send(0, a[1], want[i], 3)
	}
	k.Flush()
	got, from := takeAll(t, k, 1, n)
	if !slices.EqualFunc(got, want, bytes.Equal) {
		t.Error("the datagrams are not those sent")
	}
	for _, f := range from {
		if f != a[0] {
			t.Fatalf("the source is %v, want %v", f, a[0])
		}
	}
	if f := k.Failures(); len(f) != 0 {
		t.Errorf("failures: %v", f)
	}
}

// A peer that does not listen refuses by ICMP. The datagram to another peer that
// happens to come after it must still leave.
func TestKnetRefusalConcernsOnePeer(t *testing.T) {
	k, a := openSockets(t, "127.0.78.1:25521", "127.0.78.2:25521")
	nobody := netip.MustParseAddrPort("127.0.78.3:25521")
	k.Send(0, nobody, []byte("x"), 3)
	k.Flush()
	for i := range 10 {
		k.Send(0, nobody, []byte("x"), 3)
		k.Send(0, a[1], []byte{byte(i)}, 3)
		k.Flush()
	}
	got, _ := takeAll(t, k, 1, 10)
	for i, d := range got {
		if len(d) != 1 || d[0] != byte(i) {
			t.Fatalf("datagram %d is %x", i, d)
		}
	}
	k.Read(0) // and reading finds no obstacle
	f := k.Failures()
	if len(f) == 0 {
		t.Fatal("no failure was told")
	}
	for _, f := range f {
		if f.Sock != 0 || f.To != nobody || f.Errno != syscall.ECONNREFUSED {
			t.Errorf("failure %+v, want ECONNREFUSED of %v", f, nobody)
		}
	}
}

func TestKnetTooLongDatagram(t *testing.T) {
	k, a := openSockets(t, "127.0.78.1:25531", "127.0.78.2:25531")
	k.Send(0, a[1], make([]byte, 65536), 3)
	k.Send(0, a[1], []byte("short"), 3)
	k.Flush()
	got, _ := takeAll(t, k, 1, 1)
	if string(got[0]) != "short" {
		t.Errorf("received %d bytes", len(got[0]))
	}
	if f := k.Failures(); len(f) != 1 || f[0].Errno != syscall.EMSGSIZE || !f[0].Now || f[0].Tag != 3 {
		t.Errorf("failures %+v, want one EMSGSIZE", f)
	}
}

// An address that this machine does not have is bound all the same, and sends
// from it fail without a storm of system calls: one failure for a batch.
func TestKnetAddressNotHere(t *testing.T) {
	k, _ := openSockets(t, "198.51.100.7:25541")
	for range 20 {
		k.Send(0, netip.MustParseAddrPort("198.51.100.8:25541"), []byte("x"), 3)
	}
	k.Flush()
	if f := k.Failures(); len(f) != 1 || !f[0].Now {
		t.Errorf("failures %+v, want one", f)
	}
}

// needIPv6 wants an address of the sixth version on this machine.
func needIPv6(t *testing.T) {
	t.Helper()
	fd, err := openUDP(netip.IPv6Loopback(), 0, 0, nil)
	if err != nil {
		testneed.Missing(t, "IPv6 on the loopback interface (sysctl net.ipv6.conf.lo.disable_ipv6=0)")
	}
	unix.Close(fd)
}

func TestKnetSocketsOfIPv6(t *testing.T) {
	needIPv6(t)
	k6, a := openSockets(t, "[::1]:25542")
	k6.Send(0, a[0], []byte("six"), 3)
	k6.Flush()
	if got, from := takeAll(t, k6, 0, 1); string(got[0]) != "six" || from[0] != a[0] {
		t.Errorf("received %q from %v", got[0], from[0])
	}
}

func TestKnetPathAllocatesNothing(t *testing.T) {
	k, a := openSockets(t, "127.0.78.1:25551", "127.0.78.2:25551")
	data := make([]byte, 1400)
	n := testing.AllocsPerRun(200, func() {
		k.Send(0, a[1], data, 3)
		k.Send(1, a[0], data, 3)
		k.Flush()
		k.Read(0)
		k.Read(1)
		k.Datagram(0)
		k.Failures()
	})
	if n != 0 {
		t.Errorf("sending and receiving allocates %v times", n)
	}
}

// Datagrams in a row to one peer leave as messages that the kernel cuts. They
// arrive as they were given, whatever their lengths are.
func TestKnetJoinedDatagrams(t *testing.T) {
	k, a := openSockets(t, "127.0.78.1:25571", "127.0.78.2:25571", "127.0.78.3:25571")
	for name, lengths := range map[string][]int{
		"one length":         {1400, 1400, 1400, 1400},
		"the last is short":  {1400, 1400, 1400, 3},
		"a short one inside": {1400, 1400, 3, 1400, 1400, 1400},
		"growing":            {1, 2, 3, 4, 4, 5},
		"an empty one":       {7, 7, 0, 7, 7},
		"many":               slices.Repeat([]int{1472}, 2*txBatch+9),
		"large":              {40000, 40000, 1, 32000, 32000, 32000},
	} {
		var want [][]byte
		for i, n := range lengths {
			want = append(want, bytes.Repeat([]byte{byte(i + 1)}, n))
			k.Send(0, a[1], want[i], 3)
		}
		k.Send(0, a[2], []byte("to another"), 3)
		k.Flush()
		if got, _ := takeAll(t, k, 1, len(want)); !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%s: the datagrams are not those sent", name)
		}
		if got, _ := takeAll(t, k, 2, 1); string(got[0]) != "to another" {
			t.Errorf("%s: the third got %q", name, got[0])
		}
	}
	if k.tx.whole {
		t.Error("the kernel cuts nothing")
	}
}

// A joined message that the kernel refuses is tried as single datagrams, and what is
// to go elsewhere leaves.
func TestKnetJoinedDatagramsRefused(t *testing.T) {
	k, a := openSockets(t, "127.0.78.1:25581", "127.0.78.2:25581")
	everybody := netip.MustParseAddrPort("255.255.255.255:25581") // not without SO_BROADCAST
	for i := range 3 {
		k.Send(0, a[1], []byte{byte(i)}, 3)
	}
	for range 5 {
		k.Send(0, everybody, []byte("x"), 4)
	}
	for i := range 3 {
		k.Send(0, a[1], []byte{byte(3 + i)}, 3)
	}
	k.Flush()
	got, _ := takeAll(t, k, 1, 6)
	for i, d := range got {
		if len(d) != 1 || d[0] != byte(i) {
			t.Errorf("datagram %d is %x", i, d)
		}
	}
	f := k.Failures()
	if len(f) != 1 || f[0].To != everybody || f[0].Errno != syscall.EACCES || f[0].Tag != 4 || !f[0].Now {
		t.Errorf("failures %+v, want one, EACCES of %v", f, everybody)
	}
}
