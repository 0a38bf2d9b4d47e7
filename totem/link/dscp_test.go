package link

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDSCP: every socket that sends is marked as wished, and as the original's
// sockets are when nothing is wished.
func TestDSCP(t *testing.T) {
	for i, x := range []struct{ dscp, udpu, knet int }{{0, 0, 0x10}, {46, 46 << 2, 46 << 2}} {
		u, err := OpenUDPU(UDPConfig{Self: 1, Local: Interface{Addr: netip.MustParseAddr("127.0.77.3")}, Port: 25451, DSCP: uint8(x.dscp)})
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range []int{u.rxfd, u.txfd} {
			wantOption(t, fd, unix.IPPROTO_IP, unix.IP_TOS, x.udpu)
		}
		m, err := OpenUDP(UDPConfig{Self: 1, Local: Interface{Index: loopIndex, Addr: netip.MustParseAddr("127.0.77.3")}, Port: 25455,
			Group: netip.MustParseAddr("239.192.7.11"), DSCP: uint8(x.dscp)})
		if err != nil {
			t.Fatal(err)
		}
		wantOption(t, m.txfd, unix.IPPROTO_IP, unix.IP_TOS, x.udpu)
		m.Close()
		wantOption(t, knetSocketOf(t, []string{"127.0.78.3:25421", "127.0.78.3:25422"}[i], x.dscp), unix.IPPROTO_IP, unix.IP_TOS, x.knet)
		u.Close()
	}
}

func TestDSCPOfIPv6(t *testing.T) {
	needIPv6(t)
	wantOption(t, knetSocketOf(t, "[::1]:25422", 0), unix.IPPROTO_IPV6, unix.IPV6_TCLASS, 0)
	wantOption(t, knetSocketOf(t, "[::1]:25423", 10), unix.IPPROTO_IPV6, unix.IPV6_TCLASS, 10<<2)
}

// knetSocketOf opens a socket for the length of the test.
func knetSocketOf(t *testing.T, addr string, dscp int) (fd int) {
	t.Helper()
	k := NewKnetSockets(KnetOptions{SmallBuffers: true, DSCP: uint8(dscp)})
	t.Cleanup(k.CloseAll)
	sock, err := k.Open(netip.MustParseAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	return k.FD(sock)
}

func wantOption(t *testing.T, fd, level, name, want int) {
	t.Helper()
	if got, err := unix.GetsockoptInt(fd, level, name); err != nil || got != want {
		t.Errorf("option %d %d: %#x, %v; want %#x", level, name, got, err, want)
	}
}
