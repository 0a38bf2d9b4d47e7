package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

// TestKnetStartSkew reproduces kronosnet e0de1007 (users' pain A12): one node's
// links are up before its peer's, which throws its packets away. However far apart
// the nodes start, they end in one ring, and none that was quorate has lost that.
func TestKnetStartSkew(t *testing.T) {
	labtest.Long(t, "TestKnetSmall")
	for _, m := range knetMixes() {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 8*time.Minute)
			l := upMix(t, m, 2)
			must(t, l.WriteConf(lab.Conf{Transport: "knet", Totem: append(crypto("aes256", "sha256"), "token: 4000")}))
			for round, skew := range []time.Duration{0, 50, 200, 500, 900, 1300, 1900, 2600, 4000} {
				skew *= time.Millisecond
				start := time.Now()
				for i := range l.Members() { // another first each time
					if i > 0 {
						pass(ctx, skew)
					}
					must(t, l.Members()[(i+round)%len(l.Members())].Start(ctx, lab.PartCorosync))
				}
				wait, cancel := context.WithTimeout(ctx, 45*time.Second)
				err := l.WaitRing(wait, l.Members()...)
				cancel()
				must(t, err)
				t.Logf("skew %v: one ring after %.1f s", skew, time.Since(start).Seconds())
				for _, n := range l.Members() { // before any of them stops
					text, err := os.ReadFile(n.Path("/var/log/corosync/corosync.log"))
					must(t, err)
					if bytes.Contains(text, []byte("within the non-primary component")) {
						t.Errorf("skew %v: %s was quorate and lost it:\n%s", skew, n.Name(), text)
					}
				}
				for _, n := range l.Members() {
					must(t, n.Stop(ctx, lab.PartCorosync), os.Truncate(n.Path("/var/log/corosync/corosync.log"), 0))
				}
			}
		})
	}
}

// TestKnetWrap reproduces kronosnet 8328b491 and dcaefd40 (users' pain A16): under
// load each node's 16-bit packet numbers wrap more than twice, with fragments and
// with packets that overtake each other on two links.
func TestKnetWrap(t *testing.T) {
	labtest.Long(t, "TestKnetSmall")
	for _, m := range knetMixes() {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 10*time.Minute)
			load := clientProgram(t, "load")
			l := upMix(t, m, 2)
			startConf(t, ctx, l, knet("link_mode: rr"))
			waitLinks(t, ctx, l, 2, "all links to be up", connected)
			stays(t, ctx, l.Members(), "packet numbers wrap", func() {
				underLoad(t, ctx, l.Members(), load, func() {
					testwait.For(t, 8*time.Minute, "the packet numbers of all nodes to wrap twice", func() bool {
						pass(ctx, time.Second)
						return !slices.ContainsFunc(l.Members(), func(n *lab.Node) bool { return numbered(t, ctx, n) < 150_000 })
					})
				})
			})
			for _, n := range l.Members() {
				t.Logf("%s: %d numbers or more", n.Name(), numbered(t, ctx, n))
			}
		})
	}
}

// numbered is a number of packet numbers that a node has surely used: a packet to
// all takes one, however many copies of it are sent.
func numbered(t *testing.T, ctx context.Context, n *lab.Node) uint64 {
	s := knetStats(t, ctx, n)
	var most uint64
	for node := 1; node <= 5; node++ {
		if node == n.ID() {
			continue
		}
		most = max(most, s[fmt.Sprintf("node%d.link0.tx_data_packets", node)]+s[fmt.Sprintf("node%d.link1.tx_data_packets", node)])
	}
	return most
}
