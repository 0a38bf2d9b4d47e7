package crmdtest

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/sim"
)

var (
	seed  = flag.Uint64("seed", 0, "run this seed alone")
	seeds = flag.Uint64("seeds", 8, "how many seeds to run")
)

// TestWorld runs clusters with faults for three minutes, then in peace, and sees that
// nothing is ever active twice, that orders are kept, and that everything runs in the end.
func TestWorld(t *testing.T) {
	first, last := uint64(1), *seeds
	if *seed != 0 {
		first, last = *seed, *seed
	}
	total := 0
	for s := first; s <= last; s++ {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			w := story(s, false)
			total += w.transitions
			if len(w.problems) > 0 {
				t.Errorf("seed %d:\n%s\n%s", s, strings.Join(w.log[max(0, len(w.log)-120):], "\n"), strings.Join(w.problems, "\n"))
			}
		})
	}
	t.Logf("%d transitions", total)
}

// TestLyingFence sees that the checks notice what must not happen: with a device that
// lies, something runs twice.
func TestLyingFence(t *testing.T) {
	for s := uint64(1); s <= 10; s++ {
		for _, p := range story(s, true).problems {
			if strings.Contains(p, "is active on n") {
				return
			}
		}
	}
	t.Error("nothing is active twice although nodes that run are taken for fenced")
}

func story(s uint64, liar bool) *World {
	w := NewWorld(s, true)
	w.Liar = liar
	for at := 5 * time.Second; at < 3*time.Minute; at += sim.Between(w.rng, 5*time.Second, 60*time.Second) {
		n, stop := sim.Pick(w.rng, w.nodes...), w.rng.IntN(2) == 0
		w.at(at, func() {
			if w.members() > 1 {
				n.lose(stop)
			}
		})
	}
	w.Run(3 * time.Minute)
	w.Faults = false
	// Failures expire after a minute, which the cluster notices when it looks again.
	for at := time.Minute; at <= 12*time.Minute; at += time.Minute {
		w.at(at, w.ask)
	}
	w.Run(20 * time.Minute)
	w.end()
	return w
}

func (w *World) members() int {
	n := 0
	for _, m := range w.nodes {
		if m.member {
			n++
		}
	}
	return n
}

// end sees that all runs once peace has lasted.
func (w *World) end() {
	if len(w.problems) > 0 {
		return
	}
	if w.engine.Active() || !w.idle {
		w.problem("the cluster does not come to rest")
	}
	for _, rsc := range w.plan.names {
		want := 1
		if rsc == w.plan.clone {
			want = w.members()
		}
		if on := w.Where(rsc); len(on) != want {
			w.problem("%s is active on %d nodes, not %d: %v", rsc, len(on), want, on)
		}
	}
	if w.transitions > 600 {
		w.problem("%d transitions", w.transitions)
	}
}
