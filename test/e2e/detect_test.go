package e2e

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

// TestMixedAsymmetric [A7]: n1 and n2 do not hear each other, both hear n3. No ring
// lasts, with the original as with ours: how often it changes and how long no
// message gets through is told, and may not be far above what the original's own
// ring did; behind the cut there is one ring.
func TestMixedAsymmetric(t *testing.T) {
	labtest.Long(t, "totem/totemtest TestAsymmetricCut")
	const seconds = 40
	original := map[string]time.Duration{}
	for _, m := range mixes() {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 5*time.Minute)
			beat := clientProgram(t, "beat")
			l := startMix(t, ctx, m, lab.Conf{Totem: []string{"token: 1000", "token_coefficient: 0"}})
			for _, kind := range []string{"both ways", "one way"} {
				cut := l.Cut
				if kind == "one way" {
					cut = l.CutOneWay
				}
				if err := cut("n1", "n2"); err != nil {
					t.Fatal(err)
				}
				said := make([]string, 3)
				var wg sync.WaitGroup
				for i, n := range l.Members() {
					wg.Go(func() {
						res, err := n.Exec(ctx, beat, "beat", fmt.Sprint(seconds))
						if said[i] = res.Stdout; err != nil {
							t.Errorf("%s: %v", n.Name(), err)
						}
					})
				}
				wg.Wait()
				healed := time.Now()
				if err := l.Heal(); err != nil {
					t.Fatal(err)
				}
				if err := l.WaitRing(ctx, l.Members()...); err != nil {
					t.Fatal(err)
				}
				silence, text := beats(t, said)
				t.Logf("%s: %s; one ring %v after its end", kind, text, time.Since(healed).Round(10*time.Millisecond))
				if m.name == "0of3" {
					original[kind] = silence
				} else if limit := 2*original[kind] + 2*time.Second; original[kind] > 0 && silence > limit {
					t.Errorf("%s: no message for %v, on the original's ring for %v", kind, silence, original[kind])
				}
			}
		})
	}
}

// beats reads what clients/beat on all nodes said: the longest time in which no
// node delivered anything, and all figures as text.
func beats(t *testing.T, said []string) (silence time.Duration, text string) {
	longest := func(times []int) (gap time.Duration) {
		for i := 1; i < len(times); i++ {
			gap = max(gap, time.Duration(times[i]-times[i-1])*time.Millisecond)
		}
		return gap
	}
	var all []int
	delivered := 0
	for i, lines := range said {
		views, messages := 0, 0
		var own []int // with begin and end
		for line := range strings.Lines(lines) {
			kind, at, _ := strings.Cut(strings.TrimSpace(line), " ")
			ms, err := strconv.Atoi(at)
			if err != nil {
				t.Fatalf("n%d said %q", i+1, line)
			}
			switch kind {
			case "v":
				views++
				continue
			case "d":
				messages++
			}
			own = append(own, ms)
		}
		text += fmt.Sprintf("n%d %d rings, %d ms with deliveries, none for %v; ", i+1, views, messages, longest(own))
		all, delivered = append(all, own...), delivered+messages
	}
	if delivered == 0 {
		t.Error("no message got through")
	}
	slices.Sort(all)
	return longest(all), text + fmt.Sprintf("nobody for %v", longest(all))
}

// TestMixedHeartbeat: with heartbeat_failures_allowed the others miss a killed node
// before the token's timeout, after the same time as the original's nodes.
func TestMixedHeartbeat(t *testing.T) {
	labtest.Long(t, "totem/totemtest's seeds with heartbeats")
	// The token is passed on again every 4000/4.2 ms (totemconfig.c), so that three
	// failures and 50 ms are 2906 ms.
	const token, beat = 4000 * time.Millisecond, 2906 * time.Millisecond
	for _, m := range mixes() {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 2*time.Minute)
			l := startMix(t, ctx, m, lab.Conf{Logging: []string{"debug: on"}, Totem: []string{"token: 4000", "token_coefficient: 0",
				"heartbeat_failures_allowed: 3", "max_network_delay: 50"}})
			log := func(n *lab.Node) string {
				text, err := os.ReadFile(n.Path("/var/log/corosync/corosync.log"))
				if err != nil {
					t.Fatal(err)
				}
				return string(text)
			}
			for _, n := range l.Members() {
				if want := fmt.Sprintf("total heartbeat_timeout (%d ms)", beat.Milliseconds()); !strings.Contains(log(n), want) {
					t.Errorf("%s does not log %q", n.Name(), want)
				}
			}
			const expired = "HeartBeat Timer expired Invoking token loss mechanism in state "
			if err := l.Node("n3").Kill(ctx, lab.PartCorosync); err != nil {
				t.Fatal(err)
			}
			killed := time.Now()
			testwait.For(t, 30*time.Second, "somebody to miss n3", func() bool {
				return strings.Contains(log(l.Node("n1"))+log(l.Node("n2")), expired)
			})
			took := time.Since(killed)
			if took < beat-token/4 || took > token {
				t.Errorf("n3 is missed after %v, want about %v", took, beat)
			}
			if err := l.WaitRing(ctx, l.Node("n1"), l.Node("n2")); err != nil {
				t.Fatal(err)
			}
			t.Logf("missed after %v, a ring without it after %v", took.Round(time.Millisecond), time.Since(killed).Round(time.Millisecond))
		})
	}
}
