package e2e

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// policyLinks is how many links TestKnetPolicies has; passive goes over the one with
// the highest priority.
const (
	policyLinks = 3
	preferred   = 1
)

// TestKnetPolicies: with each link mode, one link after the other is cut and comes
// back while all nodes send: no change of membership as long as one link lives,
// and the data go over the links that the mode wants.
func TestKnetPolicies(t *testing.T) {
	labtest.Long(t, "TestKnetSmall")
	for _, m := range knetMixes() {
		for _, mode := range []string{"passive", "active", "rr"} {
			t.Run(m.name+"/"+mode, func(t *testing.T) {
				ctx := labtest.Context(t, 6*time.Minute)
				load := clientProgram(t, "load")
				l := upMix(t, m, policyLinks)
				conf := knet("link_mode: " + mode)
				conf.Interfaces[preferred] = append(conf.Interfaces[preferred], "knet_link_priority: 10")
				startConf(t, ctx, l, conf)
				waitLinks(t, ctx, l, policyLinks, "all links to be up", connected)
				stays(t, ctx, l.Members(), mode, func() {
					underLoad(t, ctx, l.Members(), load, func() {
						for _, k := range []int{preferred, 0, 2} {
							must(t, l.CutNet(lab.Any, lab.Any, k))
							waitLinks(t, ctx, l, policyLinks, fmt.Sprintf("link %d to be down everywhere", k), upBut(k))
							usedLinks(t, ctx, l.Members(), mode, k)
							must(t, l.Heal())
							waitLinks(t, ctx, l, policyLinks, fmt.Sprintf("link %d to come back", k), connected)
						}
						usedLinks(t, ctx, l.Members(), mode, -1)
					})
				})
			})
		}
	}
}

// usedLinks waits, on each node, for a second in which its data went to another
// over those links and no others that the mode wants while one is down.
func usedLinks(t *testing.T, ctx context.Context, nodes []*lab.Node, mode string, down int) {
	t.Helper()
	for i, n := range nodes {
		to := nodes[(i+1)%len(nodes)].ID()
		var sent [policyLinks]uint64
		wait, cancel := context.WithTimeout(ctx, 40*time.Second)
		err := lab.Wait(wait, fmt.Sprintf("%s to send as %s wants with link %d down", n.Name(), mode, down), func() bool {
			before := knetStats(t, ctx, n)
			pass(ctx, time.Second)
			after := knetStats(t, ctx, n)
			for k := range sent {
				key := fmt.Sprintf("node%d.link%d.tx_data_packets", to, k)
				sent[k] = after[key] - before[key]
			}
			return asMode(mode, down, sent)
		})
		cancel()
		if err != nil {
			t.Errorf("%v; in the last second to node %d, by link: %v", err, to, sent)
		}
	}
	t.Logf("%s with link %d down: data as wanted", mode, down)
}

// asMode tells whether links carried what a link mode makes them carry while one
// of them is down: of passive links one, the preferred if it is up; else all that
// are up, none of them less than half of what another carried.
func asMode(mode string, down int, sent [policyLinks]uint64) bool {
	const enough = 50
	least, most, used := uint64(math.MaxUint64), uint64(0), []int(nil)
	for k, count := range sent {
		if count > 0 {
			least, most, used = min(least, count), max(most, count), append(used, k)
		}
	}
	if most < enough || least*2 < most {
		return false
	}
	if mode == "passive" {
		return len(used) == 1 && used[0] != down && (used[0] == preferred || down == preferred)
	}
	for k := range sent {
		if slices.Contains(used, k) != (k != down) {
			return false
		}
	}
	return true
}

// TestKnetLinkDefaults: a link is pulled with the original's own timeouts, once
// it has been up for as long as knet is patient with a new link.
func TestKnetLinkDefaults(t *testing.T) {
	labtest.Long(t, "TestKnetSmall")
	for _, m := range knetMixes() {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 3*time.Minute)
			load := clientProgram(t, "load")
			l := upMix(t, m, 2)
			startConf(t, ctx, l, lab.Conf{Transport: "knet", Totem: crypto("aes256", "sha256")})
			waitLinks(t, ctx, l, 2, "all links to be up", connected)
			settled := time.Now().Add(12 * time.Second) // the back-off of a new link: 10 rounds of a second
			stays(t, ctx, l.Members(), "n2's cable is pulled and plugged in", func() {
				underLoad(t, ctx, l.Members(), load, func() {
					wait, cancel := context.WithDeadline(ctx, settled)
					defer cancel()
					<-wait.Done()
					must(t, l.Node("n2").Link(0, false))
					waitLinks(t, ctx, l, 2, "n2 to lose link 0", upBut(0), l.Node("n2"))
					must(t, l.Node("n2").Link(0, true))
					waitLinks(t, ctx, l, 2, "link 0 to come back", connected)
				})
			})
		})
	}
}

// TestKnetFlapping reproduces corosync#696 and kronosnet#434 (users' pain A11): a
// link that goes and comes all the time does no harm while another lives, and is
// used again when it has calmed down.
func TestKnetFlapping(t *testing.T) {
	labtest.Long(t, "TestKnetSmall")
	for _, m := range knetMixes() {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 4*time.Minute)
			load := clientProgram(t, "load")
			l := upMix(t, m, 2)
			startConf(t, ctx, l, knet(crypto("aes256", "sha256")...))
			waitLinks(t, ctx, l, 2, "all links to be up", connected)
			stays(t, ctx, l.Members(), "link 0 flaps", func() {
				underLoad(t, ctx, l.Members(), load, func() {
					for i := range 20 {
						must(t, l.CutNet("n1", lab.Any, 0))
						pass(ctx, time.Duration(50+100*(i%5))*time.Millisecond)
						must(t, l.Heal())
						pass(ctx, time.Duration(50+150*(i%4))*time.Millisecond)
					}
					waitLinks(t, ctx, l, 2, "both links to be up in the end", connected)
				})
			})
		})
	}
}

// pass lets time pass: what is tested is what happens in it.
func pass(ctx context.Context, d time.Duration) {
	wait, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-wait.Done()
}

// TestKnetLinkMTU reproduces kronosnet#241 and the MTU half of users' pain A11: the
// MTU of the network changes under load, up to 65520 and down to 576, and a switch
// begins to swallow large packets. The ring stays and each link's MTU follows; of
// the swallowed ones without encryption only, where the original needs minutes.
func TestKnetLinkMTU(t *testing.T) {
	labtest.Long(t, "TestKnetSmall")
	for _, m := range knetMixes() {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 6*time.Minute)
			load := clientProgram(t, "load")
			l := upMix(t, m, 1)
			startConf(t, ctx, l, knet(crypto("aes256", "sha256")...))
			waitLinks(t, ctx, l, 1, "all links to be up", connected)
			stays(t, ctx, l.Members(), "other MTUs", func() {
				underLoad(t, ctx, l.Members(), load, func() {
					for _, mtu := range []int{9000, 1500, 65520, 1300, 9000, 1300, 576, 65520, 1500} {
						must(t, l.SetMTU(0, mtu))
						waitMTU(t, ctx, l, mtu)
					}
				})
			})
			restart(t, ctx, l, knet())
			waitLinks(t, ctx, l, 1, "all links to be up", connected)
			stays(t, ctx, l.Members(), "a black hole above 1200 bytes", func() {
				must(t, l.AddFaults(lab.Fault{From: lab.Any, To: lab.Any, Net: 0, Percent: 100, KeepARP: true, Larger: 1200}))
				waitMTU(t, ctx, l, 1200)
				sendAndCompare(t, ctx, l.Members(), load, 20, time.Minute)
				must(t, l.Heal())
				waitMTU(t, ctx, l, 1500)
			})
		})
	}
}

// restart stops corosync everywhere and starts it with another configuration.
func restart(t *testing.T, ctx context.Context, l *lab.Lab, conf lab.Conf) {
	t.Helper()
	for _, n := range l.Members() {
		must(t, n.Stop(ctx, lab.PartCorosync))
	}
	startConf(t, ctx, l, conf)
}

// waitMTU waits until all links have the data MTU that headers leave of a path: 54
// bytes less, and salt, hash and up to a block with encryption.
func waitMTU(t *testing.T, ctx context.Context, l *lab.Lab, path int) {
	t.Helper()
	waitLinks(t, ctx, l, 1, fmt.Sprintf("the MTU to follow to %d", path), func(k knetLink) bool {
		return k.connected && k.mtu <= path-54 && k.mtu >= path-130
	})
}

// TestKnetIfdown reproduces corosync#36, #348, #569 and #685 (users' pain A10): an
// interface is set down, or loses its address. The node is alone until it comes
// back, never bound to 127.0.0.1, and doesn't spin.
func TestKnetIfdown(t *testing.T) {
	labtest.Long(t, "TestKnetSmall")
	for _, m := range knetMixes() {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 5*time.Minute)
			clientProgram(t, "load")
			l := upMix(t, m, 1)
			startConf(t, ctx, l, knet("token: 4000"))
			for _, n := range l.Members()[:2] {
				ifdown(t, ctx, l, n, func() { waitLinks(t, ctx, l, 1, "all links to be up", connected) })
			}
		})
	}
}

// ifdown takes the node's interface and its address away and gives them back;
// settled is called before each.
func ifdown(t *testing.T, ctx context.Context, l *lab.Lab, n *lab.Node, settled func()) {
	t.Helper()
	for _, how := range []struct {
		what string
		set  func(network int, up bool) error
	}{{"interface down", n.SetInterface}, {"address gone", n.SetAddr}} {
		settled()
		must(t, how.set(0, false))
		must(t, l.WaitRing(ctx, others(l, n)...), l.WaitRing(ctx, n))
		spins(t, ctx, n, how.what)
		sockets, err := n.Exec(ctx, "ss", "-Hanup")
		if err != nil || strings.Contains(sockets.Stdout, "127.0.0.1:54") || !strings.Contains(sockets.Stdout, n.Addr(0)+":5405") {
			t.Errorf("%s: %s: want the socket to stay where it was: %v\n%s", how.what, n.Name(), err, sockets.Stdout)
		}
		must(t, how.set(0, true))
		must(t, l.WaitRing(ctx, l.Members()...))
	}
}

func others(l *lab.Lab, n *lab.Node) []*lab.Node {
	var out []*lab.Node
	for _, m := range l.Members() {
		if m.Name() != n.Name() {
			out = append(out, m)
		}
	}
	return out
}

// spins fails when the node's daemon uses more than a fifth of a processor.
func spins(t *testing.T, ctx context.Context, n *lab.Node, what string) {
	t.Helper()
	const span = 2 * time.Second
	start := time.Now()
	before, err := n.CPU(lab.PartCorosync)
	must(t, err)
	pass(ctx, span)
	after, err := n.CPU(lab.PartCorosync)
	must(t, err)
	share := float64(after-before) / float64(time.Since(start))
	t.Logf("%s: %s used %.1f %% of a processor", what, n.Name(), 100*share)
	if share > 0.2 {
		t.Errorf("%s: %s: corosync used %.0f %% of a processor, want at most 20", what, n.Name(), 100*share)
	}
}

// TestKnetIfdownOneOfTwo is TestKnetIfdown with a second link: nothing happens but
// that the first is down.
func TestKnetIfdownOneOfTwo(t *testing.T) {
	labtest.Long(t, "TestKnetSmall")
	for _, m := range knetMixes() {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 3*time.Minute)
			load := clientProgram(t, "load")
			l := upMix(t, m, 2)
			startConf(t, ctx, l, knet())
			waitLinks(t, ctx, l, 2, "all links to be up", connected)
			stays(t, ctx, l.Members(), "n2's first interface", func() {
				underLoad(t, ctx, l.Members(), load, func() {
					for _, set := range []func(int, bool) error{l.Node("n2").SetInterface, l.Node("n2").SetAddr} {
						must(t, set(0, false))
						waitLinks(t, ctx, l, 2, "n2 to lose link 0", upBut(0), l.Node("n2"))
						must(t, set(0, true))
						waitLinks(t, ctx, l, 2, "link 0 to come back", connected)
					}
				})
			})
		})
	}
}
