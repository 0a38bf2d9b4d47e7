package totemtest

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/sim"
)

var (
	flagSeed  = flag.Uint64("seed", 0, "replay this one seed with a timeline")
	flagSeeds = flag.Uint64("seeds", 0, "run so many seeds instead of the default number")
	flagBase  = flag.Uint64("base", 1, "the first seed")
	flagTrace = flag.Int("trace", 1, "with -seed: 1 views, faults, states; 2 every packet; 3 every message")
	flagFull  = flag.Bool("keep-going", false, "go on after a failing seed")
	flagPar   = flag.Int("workers", 0, "seeds at a time; 0: one per processor")
)

// defaultSeeds is what go test runs: what a change can afford every time.
const defaultSeeds = 500

// tailLines is how much of the timeline a failure prints.
const tailLines = 60

// TestSeeds runs the simulator: many seeds, or the one to replay.
func TestSeeds(t *testing.T) {
	if *flagSeed != 0 {
		replay(t, *flagSeed, FromSeed)
		return
	}
	count := *flagSeeds
	if count == 0 {
		count = defaultSeeds
		if testing.Short() {
			count = 50
		}
	}
	sum := runSeeds(t, *flagBase, count, FromSeed)
	if count < coverSeeds || len(sum.failures) > 0 {
		return
	}
	t.Logf("how often each input met each state (–: cannot be, see unreachables):\n%s", sum.cover.Table())
	for _, cell := range sum.cover.Missing() {
		t.Errorf("in %d seeds never: %s; explain it in unreachables or make the seeds reach it", count, cell)
	}
	for _, cell := range sum.cover.Reached() {
		t.Errorf("%s was reached, though unreachables says it cannot be", cell)
	}
}

// coverSeeds is from how many seeds on every cell must be reached: the rarest ones
// come a few times in 10,000 seeds, so a short run only prints the table.
const coverSeeds = 5000

func replay(t *testing.T, seed uint64, draw func(uint64) *Plan) {
	w := NewWorld()
	plan := draw(seed)
	fmt.Print(plan)
	w.Trace(os.Stdout, *flagTrace)
	res := w.Run(plan)
	fmt.Printf("hash %016x, %+v\n", res.Hash, res.Stats)
	for _, v := range res.Violations {
		t.Errorf("seed %d: %v", seed, v)
	}
}

// tally is what many runs add up to.
type tally struct {
	mu       sync.Mutex
	stats    Stats
	cover    Coverage
	knet     KnetCoverage
	worst    time.Duration
	worstOf  uint64
	slowest  time.Duration // to deliver what is outstanding
	heaviest uint64        // events of one run
	heavyOf  uint64
	failures []*Result
	done     int
}

func runSeeds(t *testing.T, base, count uint64, draw func(uint64) *Plan) *tally {
	var sum tally
	var next atomic.Uint64
	var wg sync.WaitGroup
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // a run is short and leaves little behind
	start := time.Now()
	workers := *flagPar
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	for range workers {
		wg.Go(func() {
			w := NewWorld()
			for {
				i := next.Add(1) - 1
				if i >= count || !*flagFull && sum.failed() {
					break
				}
				sum.add(w.Run(draw(base + i)))
			}
			sum.mu.Lock()
			sum.cover.Add(&w.cover)
			sum.knet.Add(&w.knet.cover)
			sum.mu.Unlock()
		})
	}
	wg.Wait()
	took := time.Since(start)
	s := &sum.stats
	t.Logf("RESULT %d seeds from %d: %.0f seeds per minute; %d faults, %d moments of calm judged, %d views, %d messages, %d deliveries, %d packets (%d lost); slowest to form a ring %v (seed %d), to deliver the rest %v, most events %d (seed %d)",
		count, base, float64(min(next.Load(), count))/took.Minutes(), s.Struck, s.Calm, s.Views, s.Submitted, s.Delivered, s.Packets, s.Lost, sum.worst, sum.worstOf, sum.slowest, sum.heaviest, sum.heavyOf)
	for _, f := range sum.failures[:min(len(sum.failures), 5)] {
		report(t, f)
	}
	if n := len(sum.failures); n > 5 {
		for _, f := range sum.failures[5:] {
			t.Errorf("seed %d: %v", f.Plan.Seed, f.Violations[0].Property)
		}
	}
	return &sum
}

func (s *tally) failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.failures) > 0
}

func (s *tally) add(r Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done++; s.done%1000 == 0 {
		fmt.Printf("%d seeds done, %d failed\n", s.done, len(s.failures))
	}
	s.stats.Views += r.Stats.Views
	s.stats.Submitted += r.Stats.Submitted
	s.stats.Delivered += r.Stats.Delivered
	s.stats.Packets += r.Stats.Packets
	s.stats.Lost += r.Stats.Lost
	s.stats.Calm += r.Stats.Calm
	s.stats.Struck += r.Stats.Struck
	if r.Stats.Converged > s.worst {
		s.worst, s.worstOf = r.Stats.Converged, r.Plan.Seed
	}
	s.slowest = max(s.slowest, r.Stats.Drained)
	if r.Stats.Events > s.heaviest {
		s.heaviest, s.heavyOf = r.Stats.Events, r.Plan.Seed
	}
	if len(r.Violations) > 0 {
		fmt.Printf("seed %d: %v\n", r.Plan.Seed, r.Violations[0])
		s.failures = append(s.failures, &r)
	}
}

// shrinkTime bounds the search for a smaller plan.
const shrinkTime = 20 * time.Second

// report tells all that is needed to understand a failing run: how to replay
// it, what is broken, and the end of the timeline of the smallest plan that
// still breaks it.
func report(t *testing.T, r *Result) {
	t.Helper()
	w := NewWorld()
	property := r.Violations[0].Property
	small := *r.Plan
	start := time.Now()
	small.Faults = sim.Shrink(r.Plan.Faults, 200, func(faults []Fault) bool {
		if time.Since(start) > shrinkTime {
			return false
		}
		try := *r.Plan
		try.Faults = faults
		got := w.Run(&try)
		return len(got.Violations) > 0 && got.Violations[0].Property == property
	})
	var out bytes.Buffer
	w.Trace(&out, 1)
	again := w.Run(&small)
	w.Trace(nil, 0)
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	test := "TestSeeds"
	if r.Plan.Knet != nil {
		test = "TestKnetSeeds"
	}
	t.Errorf("seed %d at %s violates %q\nreplay: go test ./totem/totemtest -run %s -seed=%d\n%v\nsmallest plan that still does (%d of %d faults):\n%v%v\nlast lines:\n%s",
		r.Plan.Seed, commit(), property, test, r.Plan.Seed, r.Violations, len(small.Faults), len(r.Plan.Faults), &small, again.Violations, strings.Join(lines, "\n"))
}

// commit names the source that failed.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown commit"
	}
	return "commit " + strings.TrimSpace(string(out))
}

// TestSameSeedSameTrace: a run is a function of its plan.
func TestSameSeedSameTrace(t *testing.T) {
	for name, draw := range map[string]func(uint64) *Plan{"plain": FromSeed, "knet": KnetFromSeed} {
		a, b := NewWorld(), NewWorld()
		hashes := map[uint64]bool{}
		const seeds = 8
		for seed := uint64(1); seed <= seeds; seed++ {
			first := a.Run(draw(seed))
			if again := a.Run(draw(seed)); again.Hash != first.Hash || again.Stats != first.Stats {
				t.Errorf("%s seed %d: the same world gives %x then %x", name, seed, first.Hash, again.Hash)
			}
			if other := b.Run(draw(seed)); other.Hash != first.Hash {
				t.Errorf("%s seed %d: a fresh world gives %x, not %x", name, seed, other.Hash, first.Hash)
			}
			hashes[first.Hash] = true
		}
		if len(hashes) != seeds {
			t.Errorf("%s: %d seeds give %d different runs", name, seeds, len(hashes))
		}
	}
}

// keptSeeds once failed; the reason is what the cure must not lose.
var keptSeeds = []struct {
	seed uint64
	why  string
}{
	{8820, "two nodes alone believed each other's joins of an earlier round and blamed each other in step, for ever"},
}

// TestKeptSeeds runs again what once failed.
func TestKeptSeeds(t *testing.T) {
	w := NewWorld()
	for _, k := range keptSeeds {
		if res := w.Run(FromSeed(k.seed)); len(res.Violations) > 0 {
			t.Errorf("seed %d (%s): %v", k.seed, k.why, res.Violations[0])
		}
	}
}
