// Package pengine compares our scheduler with the original's on generated CIBs.
package pengine

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/tools/crmsimulate"
	"github.com/pacesync/pacesync/pengine/cibgen"
	"github.com/pacesync/pacesync/pengine/simulate"
)

const original = "/usr/sbin/crm_simulate"

// patience is how long the original gets for one CIB, which takes it a few
// milliseconds as a rule; some send it into an endless loop.
const (
	patience = 20 * time.Second
	endless  = -1000
)

var (
	flagSeed  = flag.Uint64("seed", 0, "only this CIB; its file stays and is named")
	flagSeeds = flag.Uint64("seeds", 40, "number of CIBs")
	flagBase  = flag.Uint64("base", 1041, "first seed")
)

// TestGenerated gives generated CIBs to both and compares everything they say,
// write and end with.
func TestGenerated(t *testing.T) {
	labtest.Need(t, original)
	if *flagSeed != 0 {
		file := filepath.Join(os.TempDir(), fmt.Sprintf("cib-%d.xml", *flagSeed))
		c := generated(*flagSeed)
		if err := os.WriteFile(file, c.Root.AppendIndent(nil), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %s", file, strings.Join(c.Features, ", "))
		problems, _ := compare(t, file, t.TempDir())
		for _, p := range problems {
			t.Error(p)
		}
		return
	}
	var sum tally
	dir := t.TempDir()
	var wg sync.WaitGroup
	seeds := make(chan uint64)
	start := time.Now()
	for w := range 2 {
		tmp := filepath.Join(dir, fmt.Sprint(w))
		if err := os.Mkdir(tmp, 0o755); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for seed := range seeds {
				c := generated(seed)
				file := filepath.Join(tmp, "cib.xml")
				if err := os.WriteFile(file, c.Root.AppendIndent(nil), 0o644); err != nil {
					t.Error(err)
					continue
				}
				problems, busy := compare(t, file, tmp)
				sum.add(seed, c, problems, busy)
			}
		})
	}
	for i := range *flagSeeds {
		seeds <- *flagBase + i
	}
	close(seeds)
	wg.Wait()
	sum.report(t, time.Since(start))
}

// generated is the CIB of a seed: one in four is a fresh cluster, the others
// have run for a while.
func generated(seed uint64) *cibgen.CIB {
	c := cibgen.New(seed)
	if seed%4 == 0 {
		return c
	}
	_, err := simulate.Run(simulate.Options{CIB: c.Root, Clock: iso8601.Time{Unix: cibgen.Now - 3600}, Process: true, Execute: true})
	if err != nil {
		panic(err)
	}
	c.Features = append(c.Features, cibgen.Disturb(seed, c.Root)...)
	return c
}

// said is everything that a run says, writes and ends with.
type said struct {
	status                     int
	stdout, stderr, dot, graph string
}

func compare(t *testing.T, file, tmp string) (problems []string, busy bool) {
	asserted := false
	date := fmt.Sprint(time.Unix(cibgen.Now, 0).UTC().Format("2006-01-02 15:04:05Z"))
	dot, graph := filepath.Join(tmp, "dot"), filepath.Join(tmp, "graph")
	for _, args := range [][]string{
		{"-x", file, "-t", date, "-S"},
		{"-x", file, "-t", date, "-D", dot, "-G", graph, "-sUQS"},
	} {
		var out [2]said
		for i, run := range []func(string, ...string) said{originals, ours} {
			os.Remove(dot)
			os.Remove(graph)
			out[i] = run(tmp, args...)
			out[i].dot, out[i].graph = text(dot), text(graph)
		}
		if out[0].status == endless || out[0].status < 0 { // it loops, or crashed: nothing to compare with
			return []string{fmt.Sprintf("ORIGINAL: status %d", out[0].status)}, false
		}
		busy = strings.Contains(out[0].graph, "<synapse")
		if strings.Contains(out[0].stderr, "Triggered fatal assertion") { // its own fault; what it does then must be equal
			out[1].stderr = out[0].stderr
			asserted = true
		}
		for _, p := range difference(out[0], out[1]) {
			problems = append(problems, strings.Join(args[4:], " ")+": "+p)
		}
	}
	if asserted && len(problems) == 0 {
		return []string{"ORIGINAL: assertion"}, busy
	}
	return problems, busy
}

func originals(tmp string, args ...string) said {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, original, args...)
	cmd.Env = append(os.Environ(), "TZ=UTC", "CIB_shadow_dir="+tmp)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	status := 0
	if ctx.Err() != nil {
		status = endless
	} else if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		status = exit.ExitCode()
	}
	return said{status: status, stdout: stdout.String(), stderr: stderr.String()}
}

func ours(_ string, args ...string) said {
	var stdout, stderr bytes.Buffer
	status := crmsimulate.Run(&applet.Env{Name: "crm_simulate", Argv0: original, Args: args, Stdout: &stdout, Stderr: &stderr})
	return said{status: status, stdout: stdout.String(), stderr: stderr.String()}
}

func text(file string) string {
	b, _ := os.ReadFile(file)
	return string(b)
}

func difference(want, got said) (out []string) {
	if want.status != got.status {
		out = append(out, fmt.Sprintf("exit status %d, not %d", got.status, want.status))
	}
	for _, c := range []struct{ name, want, got string }{
		{"stdout", want.stdout, got.stdout}, {"stderr", want.stderr, got.stderr}, {"dot", want.dot, got.dot}, {"graph", want.graph, got.graph},
	} {
		if c.want != c.got {
			out = append(out, c.name+firstDifference(c.want, c.got))
		}
	}
	return out
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		var a, b string
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			return fmt.Sprintf(" line %d\n  original %s\n  ours     %s", i+1, a, b)
		}
	}
	return ""
}

// tally sums up.
type tally struct {
	mu       sync.Mutex
	count    int
	busy     int // with something to do
	features map[string]int
	bad      []string
	broken   []uint64 // the original crashed or did not end
}

func (s *tally) add(seed uint64, c *cibgen.CIB, problems []string, busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.features == nil {
		s.features = map[string]int{}
	}
	s.count++
	if busy {
		s.busy++
	}
	for _, f := range c.Features {
		s.features[f]++
	}
	if len(problems) == 1 && strings.HasPrefix(problems[0], "ORIGINAL") {
		s.broken = append(s.broken, seed)
	} else if len(problems) > 0 {
		s.bad = append(s.bad, fmt.Sprintf("seed %d: %s", seed, strings.Join(problems, "\n")))
	}
}

func (s *tally) report(t *testing.T, took time.Duration) {
	slices.Sort(s.bad)
	for _, b := range s.bad[:min(len(s.bad), 20)] {
		t.Error(b)
	}
	rare := 0
	var rarest []string
	for f, n := range s.features {
		if n*50 < s.count {
			rare++
			rarest = append(rarest, fmt.Sprintf("%s %d", f, n))
		}
	}
	slices.Sort(rarest)
	t.Logf("RESULT %d generated CIBs (%d %% with something to do), %d differ, on %d the original stops at an assertion, complains of one or never ends %v, %.0f per minute; %d features, %d of them in less than 2 %%: %s",
		s.count, 100*s.busy/s.count, len(s.bad), len(s.broken), s.broken, float64(s.count)/took.Minutes(), len(s.features), rare, strings.Join(rarest, ", "))
}
