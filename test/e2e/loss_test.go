package e2e

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

// mixedOnly are rings of three over udpu, in short runs without those of one make.
func mixedOnly() []mix {
	if os.Getenv("E2E_LONG") != "" {
		return mixes()
	}
	return slices.DeleteFunc(mixes(), func(m mix) bool { return len(m.ours) == 0 || len(m.ours) == 3 })
}

// anyRing are, in short runs, mixedOnly; in long ones all rings.
func anyRing() []mix {
	if os.Getenv("E2E_LONG") != "" {
		return ringMixes()
	}
	return mixedOnly()
}

// TestMixedLoss is TestMixedOrder on a network that loses one packet in fifty:
// messages are asked for and sent again by nodes of either make, tokens are
// repeated, and large messages come together from pieces of both. A lost token is
// missed much sooner than as a default: of five nodes one in ten rounds loses it, and
// libcpg, which cuts what is larger than its buffer, tries for one second to send the
// rest of a message and then begins with the whole of it anew.
func TestMixedLoss(t *testing.T) {
	for _, m := range anyRing() {
		t.Run(m.name, func(t *testing.T) {
			const count = 60
			limit := 4 * time.Minute
			ctx := labtest.Context(t, limit)
			load := clientProgram(t, "load")
			l := startMix(t, ctx, m, lab.Conf{Totem: []string{"token_retransmit: 100"}})
			if err := l.Loss(2); err != nil {
				t.Fatal(err)
			}
			sendAndCompare(t, ctx, l.Members(), load, count, limit)
		})
	}
}

// TestMixedRough is TestMixedOrder over cables that delay, reorder and duplicate.
// The original needs more than a second for each of these messages, busy all the time.
func TestMixedRough(t *testing.T) {
	mixes := ofThree(anyRing())
	if os.Getenv("E2E_LONG") == "" {
		mixes = mixes[1:] // one of the original alone keeps both processors from the other tests for less long
	}
	for _, m := range mixes {
		t.Run(m.name, func(t *testing.T) {
			count := 10
			if len(m.ours) == 3 {
				count = 100
			}
			limit := 4 * time.Minute
			ctx := labtest.Context(t, limit)
			load := clientProgram(t, "load")
			l := startMix(t, ctx, m, lab.Conf{})
			relay, err := l.Rough(lab.Any, lab.AllNetworks,
				lab.Rough{Delay: 300 * time.Microsecond, Jitter: 300 * time.Microsecond, Reorder: 3, Hold: 2 * time.Millisecond, Duplicate: 3})
			if err != nil {
				t.Fatal(err)
			}
			sendAndCompare(t, ctx, l.Members(), load, count, limit)
			s := relay.Stats()
			t.Logf("%d packets, %d twice, %d overtaken", s.Passed, s.Duplicated, s.Overtaken)
			if s.Passed == 0 || s.Duplicated == 0 || s.Overtaken == 0 {
				t.Error("the cables were not rough")
			}
			if err := relay.Close(); err != nil {
				t.Error(err)
			}
			if err := l.WaitRing(ctx, l.Members()...); err != nil {
				t.Errorf("after the rough cables: %v", err)
			}
		})
	}
}

// TestMixedCut: a node is killed and comes back, again and again, while the
// others send without pause. Large messages are cut by every change: a part was
// sent on the old ring, the rest waits. Who stays must deliver each of them whole
// and once, whoever sent it and whoever puts it together.
func TestMixedCut(t *testing.T) {
	for _, m := range anyRing() {
		t.Run(m.name, func(t *testing.T) {
			count, kills := 5000, 2
			if os.Getenv("E2E_LONG") != "" {
				count, kills = 12000, 4
			}
			limit := 4 * time.Minute
			ctx := labtest.Context(t, limit)
			load := clientProgram(t, "load")
			l := startMix(t, ctx, m, lab.Conf{})
			stay, victim := l.Members()[:len(l.Members())-1], l.Members()[len(l.Members())-1]
			var wg sync.WaitGroup
			defer wg.Wait()
			wg.Go(func() { sendAndCompare(t, ctx, stay, load, count, limit) })
			for range kills {
				if err := victim.Kill(ctx, lab.PartCorosync); err != nil {
					t.Error(err)
					return
				}
				if err := l.WaitRing(ctx, stay...); err != nil {
					t.Error(err)
					return
				}
				if err := l.StartRing(ctx, l.Members()...); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
}

// TestMixedPause: each node in turn is not scheduled for longer than the token
// timeout. The others go on without it; it comes back by itself, and the ring
// holds together afterwards, whatever waited in its sockets.
func TestMixedPause(t *testing.T) {
	for _, m := range anyRing() {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 3*time.Minute)
			load := clientProgram(t, "load")
			l := startMix(t, ctx, m, lab.Conf{})
			for _, n := range l.Members() {
				others := slices.DeleteFunc(l.Members(), func(o *lab.Node) bool { return o.Name() == n.Name() })
				if n.Pause(lab.PartCorosync) == 0 {
					t.Fatalf("%s: nothing to pause", n.Name())
				}
				err := l.WaitRing(ctx, others...)
				n.Resume(lab.PartCorosync)
				if err != nil {
					t.Fatalf("without %s: %v", n.Name(), err)
				}
				if err := l.WaitRing(ctx, l.Members()...); err != nil {
					t.Fatalf("%s goes on: %v", n.Name(), err)
				}
			}
			sendAndCompare(t, ctx, l.Members(), load, 30, time.Minute)
		})
	}
}

// TestMixedIfdown is TestKnetIfdown over udp and udpu, for nodes of ours (users'
// pain A10): the original binds to 127.0.0.1. Over udp the group is joined again,
// though the kernel forgot it with the interface's last address.
func TestMixedIfdown(t *testing.T) {
	labtest.Long(t, "TestMixedOrder")
	for _, m := range ofThree(anyRing()) {
		if len(m.ours) == 0 {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 5*time.Minute)
			load := clientProgram(t, "load")
			l := startMix(t, ctx, m, lab.Conf{Totem: []string{"token: 1000"}})
			n := l.Node(m.ours[0])
			ifdown(t, ctx, l, n, func() {})
			for _, what := range []string{"The network interface is down.", fmt.Sprintf("The network interface [%s] is now up.", n.Addr(0))} {
				logged(t, n, what)
			}
			if i := slices.IndexFunc(l.Members(), func(n *lab.Node) bool { return n.Corosync() == lab.Debian }); i >= 0 {
				// Debian's over udp never gets out of GATHER then, and stays quorate with all.
				alone := m.transport != "udp"
				ours, original := linksDown(t, ctx, l, n, alone), linksDown(t, ctx, l, l.Members()[i], alone)
				if ours != original {
					t.Errorf("corosync-cfgtool with the interface down, on ours:\n%son the original:\n%s", ours, original)
				}
			}
			if m.transport == "udp" {
				// As the original's, the daemon starts and waits for the network.
				must(t, n.Stop(ctx, lab.PartCorosync), n.SetInterface(0, false), n.Start(ctx, lab.PartCorosync))
				must(t, l.WaitRing(ctx, n), n.SetInterface(0, true), l.WaitRing(ctx, l.Members()...))
			}
			sendAndCompare(t, ctx, l.Members(), load, 30, time.Minute)
		})
	}
}

// linksDown is what corosync-cfgtool says of links on a node whose only interface is
// down: none is enabled, so none is listed. With alone, of the nodes that it reaches too.
func linksDown(t *testing.T, ctx context.Context, l *lab.Lab, n *lab.Node, alone bool) (said string) {
	t.Helper()
	must(t, n.SetInterface(0, false), l.WaitRing(ctx, others(l, n)...))
	asked := [][]string{{"corosync-cfgtool", "-s"}, {"corosync-cfgtool", "-s", "-b"}}
	if alone {
		must(t, l.WaitRing(ctx, n))
		asked = append(asked, []string{"corosync-cfgtool", "-n"})
	}
	for _, args := range asked {
		last := ""
		testwait.For(t, 20*time.Second, fmt.Sprintf("%s (%v): %v to list no links", n.Name(), n.Corosync(), args), func() bool {
			res, err := n.Exec(ctx, args...)
			must(t, err)
			last = strings.Replace(res.Stdout, fmt.Sprintf("node ID %d,", n.ID()), "node ID N,", 1)
			return !strings.Contains(last, "LINK")
		})
		said += last
	}
	must(t, n.SetInterface(0, true), l.WaitRing(ctx, l.Members()...))
	return said
}
