package link

import (
	"bytes"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/testbench"
)

// TestJoinedDatagrams: whatever the kernel joins comes out as it was sent: lengths,
// order, sender.
func TestJoinedDatagrams(t *testing.T) {
	k, a := openSockets(t, "127.0.78.1:25561", "127.0.78.2:25561", "127.0.78.3:25561")
	var want [][]byte
	for i, size := range []int{1400, 1400, 1400, 7, 7, 1400, 60000, 60000, 1, 1, 1, 3000, 3000, 2999, 3001, 1400} {
		want = append(want, bytes.Repeat([]byte{byte(i + 1)}, size))
		k.Send(0, a[1], want[i], 3)
	}
	k.Send(2, a[1], want[0], 3)
	k.Send(2, a[1], want[1], 3)
	want = append(want, want[0], want[1])
	k.Flush()
	got, from := takeAll(t, k, 1, len(want))
	for i := range want {
		sender := a[0]
		if i >= len(want)-2 {
			sender = a[2]
		}
		if !bytes.Equal(got[i], want[i]) || from[i] != sender {
			t.Errorf("datagram %d: %d bytes from %v, want %d from %v", i, len(got[i]), from[i], len(want[i]), sender)
		}
	}
	if f := k.Failures(); len(f) != 0 || len(got) != len(want) {
		t.Errorf("%d datagrams, want %d; failures %+v", len(got), len(want), f)
	}
}

// BenchmarkKnetFragments: a datagram of the ring in its fragments, sent and received,
// joined by the kernel on the way in and not.
func BenchmarkKnetFragments(b *testing.B) {
	for _, count := range []int{1, 6, 46} {
		for _, join := range []int{0, 1} {
			b.Run(fmt.Sprintf("%d/gro=%d", count, join), func(b *testing.B) {
				k, a := openSockets(b, "127.0.78.1:25571", "127.0.78.2:25571")
				if err := unix.SetsockoptInt(k.FD(1), unix.IPPROTO_UDP, unix.UDP_GRO, join); err != nil {
					b.Fatal(err)
				}
				data := make([]byte, 1446)
				testbench.CPURate(b, count*len(data), func() {
					for range count {
						k.Send(0, a[1], data, 3)
					}
					k.Flush()
					for n := 0; n < count; {
						got, _ := k.Read(1)
						for i := range got {
							k.Datagram(i)
						}
						n += got
					}
				})
			})
		}
	}
}
