// Package pengine compares our scheduler with the original's on generated CIBs.
package pengine

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/testneed"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/cibgen"
	"github.com/pacesync/pacesync/pengine/simulate"
)

var (
	flagSeed   = flag.Uint64("seed", 0, "only this CIB; its file stays and is named")
	flagFile   = flag.String("cib", "", "only the CIB in this file")
	flagReduce = flag.Bool("reduce", false, "with -seed or -cib: reduce what differs to a small CIB, in a file beside")
	flagSeeds  = flag.Uint64("seeds", 500, "number of CIBs")
	flagTime   = flag.Duration("time", 0, "how long to go on; 0: 40 s of generated CIBs, 10 s of changed cases, but as long as 40 CIBs take")
	flagBase   = flag.Uint64("base", 1041, "first seed")
	flagAtOnce = flag.Int("at-once", 2, "CIBs compared at once")
)

// TestGenerated gives generated CIBs to both and compares everything they say,
// write and end with.
func TestGenerated(t *testing.T) {
	labtest.Need(t, original)
	if *flagSeed != 0 || *flagFile != "" {
		single(t, generated)
		return
	}
	compareAll(t, generated, 40*time.Second)
}

// TestMutated does the same with the conformance cases, each changed a little.
func TestMutated(t *testing.T) {
	labtest.Need(t, original)
	if *flagSeed != 0 {
		single(t, mutated)
		return
	}
	compareAll(t, mutated, 10*time.Second)
}

// mutated is the case of a seed with the changes of that seed.
func mutated(t *testing.T, seed uint64) input {
	cases := testneed.CIBs(t)
	root := parse(t, cases[seed%uint64(len(cases))])
	return input{root, cibgen.Mutate(seed, root)}
}

func parse(t *testing.T, file string) *xmltree.Node {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	root, err := xmltree.Parse(data, xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// input is a CIB and what is in it.
type input struct {
	root     *xmltree.Node
	features []string
}

// compareAll compares as many CIBs as the flags say.
func compareAll(t *testing.T, cib func(*testing.T, uint64) input, limit time.Duration) {
	if *flagTime != 0 {
		limit = *flagTime
	}
	var sum tally
	dir := t.TempDir()
	var wg sync.WaitGroup
	numbers := make(chan uint64)
	start := time.Now()
	for w := range *flagAtOnce {
		tmp := filepath.Join(dir, fmt.Sprint(w))
		if err := os.Mkdir(tmp, 0o755); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for seed := range numbers {
				in := cib(t, seed)
				sum.add(fmt.Sprint("seed ", seed), in, full(tmp).tree(t, in.root))
			}
		})
	}
	for i := range *flagSeeds {
		if i >= 40 && time.Since(start) > limit {
			break
		}
		numbers <- *flagBase + i
	}
	close(numbers)
	wg.Wait()
	sum.report(t, time.Since(start))
}

// single compares one CIB and reduces it when asked to.
func single(t *testing.T, cib func(*testing.T, uint64) input) {
	file := *flagFile
	if file == "" {
		file = filepath.Join(os.TempDir(), fmt.Sprintf("cib-%d.xml", *flagSeed))
		in := cib(t, *flagSeed)
		if err := os.WriteFile(file, in.root.AppendIndent(nil), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %s", file, strings.Join(in.features, ", "))
	}
	root := parse(t, file)
	v := full(t.TempDir()).file(file)
	if len(v.faults) > 0 {
		t.Logf("the original: %s; class %q", v.faults, classOf(v, root))
	}
	for _, p := range v.problems {
		t.Errorf("run %d: %s%s", p.run, p.where, p.what)
	}
	if !*flagReduce || v.sign() == "" {
		return
	}
	small := strings.TrimSuffix(file, ".xml") + "-small.xml"
	root = shrink(t, root, v.sign())
	if err := os.WriteFile(small, root.AppendIndent(nil), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s:\n%s", small, root.AppendIndent(nil))
}

// shrink reduces a CIB to one that shows the same.
func shrink(t *testing.T, root *xmltree.Node, sign string) *xmltree.Node {
	c := comparison{dir: t.TempDir(), cpu: 1, deep: 1024, runs: []int{0}} // little, so that it comes to its end soon
	if c.tree(t, root).sign() != sign {
		c.runs = []int{1}
	}
	return reduce(root, func(n *xmltree.Node) bool { return c.tree(t, n).sign() == sign })
}

// generated is the CIB of a seed: one in four is a fresh cluster, the others
// have run for a while.
func generated(_ *testing.T, seed uint64) input {
	c := cibgen.WithPast(seed, func(root *xmltree.Node) {
		_, err := simulate.Run(simulate.Options{CIB: root, Clock: iso8601.Time{Unix: cibgen.Now - 3600}, Process: true, Execute: true})
		if err != nil {
			panic(err)
		}
	})
	return input{c.Root, c.Features}
}

// tally sums up.
type tally struct {
	mu       sync.Mutex
	count    int
	busy     int // with something to do
	features map[string]int
	bad      []string
	classes  map[string]int // the original is at fault
}

func (s *tally) add(name string, in input, v verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.features == nil {
		s.features, s.classes = map[string]int{}, map[string]int{}
	}
	s.count++
	if v.busy {
		s.busy++
	}
	for _, f := range in.features {
		s.features[f]++
	}
	class := classOf(v, in.root)
	var problems []string
	for _, p := range v.problems {
		if class == "" || p.where != "stderr" { // where the original tells its assertion
			problems = append(problems, fmt.Sprintf("run %d: %s%s", p.run, p.where, p.what))
		}
	}
	switch {
	case len(v.faults) > 0 && class == "":
		s.bad = append(s.bad, fmt.Sprintf("%s: the original in no known class: %s", name, v.faults))
	case len(problems) > 0:
		s.bad = append(s.bad, fmt.Sprintf("%s: %s", name, strings.Join(problems, "\n")))
	case class != "":
		s.classes[class]++
	}
}

func (s *tally) report(t *testing.T, took time.Duration) {
	slices.Sort(s.bad)
	for _, b := range s.bad[:min(len(s.bad), 20)] {
		t.Error(b)
	}
	if s.count >= 100 && s.busy*100 < s.count*80 {
		t.Errorf("only %d of %d have something to do", s.busy, s.count)
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
	t.Logf("RESULT %d CIBs (%d %% with something to do), %d differ, the original is at fault in %v, %.0f per minute; %d features, %d of them in less than 2 %%: %s",
		s.count, 100*s.busy/max(1, s.count), len(s.bad), s.classes, float64(s.count)/took.Minutes(), len(s.features), rare, strings.Join(rarest, ", "))
}
