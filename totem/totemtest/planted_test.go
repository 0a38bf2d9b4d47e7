package totemtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var flagPlanted = flag.Bool("planted", false, "run every planted bug with up to 1000 seeds, not a few with few seeds")

// quickPlanted are the bugs that every test run plants, and how many seeds
// they may take: enough to notice that the judges went blind.
var quickPlanted = []string{"aru", "fragment", "knet-fragment-last", "knet-link-spoof"}

const (
	quickPlantedSeeds = 150
	fullPlantedSeeds  = 1000
	plantedTimeout    = 20 * time.Minute
)

// plant is one deliberate error in the core: a piece of its source and what it
// becomes. The product's source holds no switches; each bug is built from a
// copy. A piece that is no longer there exactly once fails the test, so that a
// bug is never thought of as found when it was not planted.
type plant struct {
	name, what     string
	file, old, new string
}

// knet tells whether the bug is in knet: then the seeds run over it.
func (p *plant) knet() bool { return strings.HasPrefix(p.file, "totem/knet/") }

// TestPlantedBugs is the test of the whole simulator: a core with one error
// must be found out by a seed.
func TestPlantedBugs(t *testing.T) {
	if testing.Short() {
		t.Skip("builds copies of the module")
	}
	plants := readPlants(t)
	inKnet := 0
	for _, p := range plants {
		if p.knet() {
			inKnet++
		}
	}
	if min(inKnet, len(plants)-inKnet) < 12 {
		t.Errorf("%d bugs planted in the ring and %d in knet, 12 wanted in each", len(plants)-inKnet, inKnet)
	}
	var table strings.Builder
	for _, p := range plants {
		if !*flagPlanted && !slices.Contains(quickPlanted, p.name) {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			bin := buildPlanted(t, p)
			seeds := quickPlantedSeeds
			if *flagPlanted {
				seeds = fullPlantedSeeds
			}
			needed, property := huntPlanted(t, bin, seeds, p.knet())
			if needed == 0 {
				t.Fatalf("not found in %d seeds: %s", seeds, p.what)
			}
			t.Logf("RESULT %s: found after %d seeds: %s", p.name, needed, property)
			fmt.Fprintf(&table, "| %s | %s | %d | %s |\n", p.name, p.what, needed, property)
		})
	}
	t.Logf("planted bugs found:\n| bug | what is wrong | seeds needed | found by |\n|---|---|---|---|\n%s", table.String())
}

// TestPlantsApply: every planted bug still finds its place in the source.
func TestPlantsApply(t *testing.T) {
	for _, p := range readPlants(t) {
		source, err := os.ReadFile(filepath.Join("..", "..", p.file))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(source), p.old); n != 1 {
			t.Errorf("%s: the piece to change is %d times in %s: renew testdata/planted/%s.txt", p.name, n, p.file, p.name)
		}
	}
}

// readPlants reads testdata/planted/*.txt: comment lines with what is wrong,
// "file NAME", then the piece and its replacement between markers.
func readPlants(t *testing.T) (out []plant) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "planted", "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p := plant{name: strings.TrimSuffix(filepath.Base(file), ".txt")}
		head, rest, ok1 := strings.Cut(string(text), "<<<<\n")
		old, rest, ok2 := strings.Cut(rest, "====\n")
		repl, _, ok3 := strings.Cut(rest, ">>>>")
		if !ok1 || !ok2 || !ok3 {
			t.Fatalf("%s: wants <<<<, ====, >>>> on lines of their own", file)
		}
		for line := range strings.Lines(head) {
			if what, ok := strings.CutPrefix(line, "# "); ok {
				p.what = strings.TrimSpace(p.what + " " + strings.TrimSpace(what))
			} else if name, ok := strings.CutPrefix(line, "file "); ok {
				p.file = strings.TrimSpace(name)
			}
		}
		p.old, p.new = old, repl
		out = append(out, p)
	}
	return out
}

// buildPlanted builds this package's test binary from a copy of the module
// with the bug in it.
func buildPlanted(t *testing.T, p plant) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, part := range []string{"go.mod", "go.sum", "totem/wire", "totem/srp", "totem/pg", "totem/knet", "totem/totemtest", "internal/sim"} {
		copyTree(t, filepath.Join(root, part), filepath.Join(dir, part))
	}
	target := filepath.Join(dir, p.file)
	source, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), p.old); n != 1 {
		t.Fatalf("the piece to change is %d times in %s", n, p.file)
	}
	changed := strings.Replace(string(source), p.old, p.new, 1)
	if err := os.WriteFile(target, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "planted.test")
	cmd := exec.Command("go", "test", "-c", "-vet=off", "-o", bin, "./totem/totemtest")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("does not build: %v\n%s", err, out)
	}
	return bin
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			if d.Name() == "testdata" {
				return filepath.SkipDir
			}
			return os.MkdirAll(target, 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

var foundLine = regexp.MustCompile(`(?m)^FOUND after (\d+) seeds: (.*)$`)

// huntPlanted runs seeds on a planted core until one fails, and returns how
// many that took and which promise it broke; 0 when none did.
func huntPlanted(t *testing.T, bin string, seeds int, knet bool) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), plantedTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, "-test.run=^TestHunt$", "-hunt", "-seeds="+strconv.Itoa(seeds), fmt.Sprintf("-base=%d", *flagBase),
		fmt.Sprintf("-knet=%v", knet))
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if m := foundLine.FindSubmatch(out); m != nil {
		n, _ := strconv.Atoi(string(m[1]))
		return n, string(m[2])
	}
	if err != nil {
		t.Fatalf("the planted core ended without a finding: %v\n%s", err, out)
	}
	return 0, ""
}

var (
	flagHunt = flag.Bool("hunt", false, "run seeds one by one until one fails and print the finding in one line")
	flagKnet = flag.Bool("knet", false, "with -hunt: over knet")
)

// TestHunt is what runs in a planted copy.
func TestHunt(t *testing.T) {
	if !*flagHunt {
		t.Skip("only for planted copies")
	}
	w, draw := NewWorld(), FromSeed
	if *flagKnet {
		draw = KnetFromSeed
	}
	for i := range *flagSeeds {
		res := w.Run(draw(*flagBase + i))
		if len(res.Violations) > 0 {
			fmt.Printf("FOUND after %d seeds: %s\n", i+1, res.Violations[0].Property)
			return
		}
	}
}
