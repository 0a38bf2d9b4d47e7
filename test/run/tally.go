package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// tally counts tests. Sub-tests count, their parents count too, as in go test.
type tally struct {
	passed, failed, skipped int
	names                   []string            // of the failed
	unsteady                []string            // failed, and passed when run again
	said                    map[string][]string // by a failed test, the first lines
}

func (t *tally) add(o tally) {
	t.passed += o.passed
	t.failed += o.failed
	t.skipped += o.skipped
	t.names = append(t.names, o.names...)
	t.unsteady = append(t.unsteady, o.unsteady...)
	for name, lines := range o.said {
		t.keep(name, lines)
	}
}

func (t *tally) keep(name string, lines []string) {
	if t.said == nil {
		t.said = map[string][]string{}
	}
	t.said[name] = lines
}

func (t tally) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", t.passed, t.failed, t.skipped)
}

// summary lists what failed and what was unsteady, with what the tests said.
func (t tally) summary(w io.Writer) {
	for _, name := range t.unsteady {
		fmt.Fprintln(w, "  UNSTEADY, passed the second time:", name)
		t.quote(w, name)
	}
	for _, name := range t.names {
		fmt.Fprintln(w, "  FAILED:", name)
		t.quote(w, name)
	}
}

func (t tally) quote(w io.Writer, name string) {
	for _, line := range t.said[name] {
		fmt.Fprintln(w, "     ", line)
	}
}

// event is a line of go test -json (go doc test2json).
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

// read counts the tests in a go test -json stream. To w go one line per
// package, the whole output of what failed, and what was skipped and why.
func read(r io.Reader, w io.Writer) tally {
	var t tally
	output := map[string][]string{} // of each test that has not ended, and of each package
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20) // a test may print a long line
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(w, lines.Text()) // not of go test: the compiler's, say
			continue
		}
		t.take(e, output, w)
	}
	return t
}

func (t *tally) take(e event, output map[string][]string, w io.Writer) {
	key := e.Package + "." + e.Test
	name := strings.TrimPrefix(key, module)
	switch e.Action {
	case "output":
		output[key] = append(output[key], e.Output)
	case "build-output":
		fmt.Fprint(w, e.Output)
	case "build-fail":
		t.failed++
		t.names = append(t.names, "build of "+e.ImportPath)
	case "pass", "fail", "skip":
		said := strings.Join(output[key], "")
		delete(output, key)
		if e.Test == "" {
			for _, name := range unfinished(e.Package, output) {
				said += "did not end: " + name + "\n" + lastLines(output[name], 20)
				delete(output, name)
			}
			t.endPackage(e, said, w)
			return
		}
		switch e.Action {
		case "pass":
			t.passed++
			results(said, w)
		case "skip":
			t.skipped++
			if why := reason(said); why != "" {
				fmt.Fprintf(w, "skipped  %s: %s\n", name, why)
			}
		case "fail":
			t.failed++
			t.names = append(t.names, name)
			t.keep(name, complaints(said))
			fmt.Fprintf(w, "FAILED   %s\n%s", name, said)
		}
	}
}

// endPackage prints the line of a package. One that failed without a failed
// test (a panic, a time-out) counts as one failure and is shown whole.
func (t *tally) endPackage(e event, said string, w io.Writer) {
	if strings.Contains(said, "[no test files]") || e.Action == "skip" {
		return
	}
	fmt.Fprintf(w, "%-8s %-60s %6.1f s\n", map[string]string{"pass": "ok", "fail": "FAILED"}[e.Action], e.Package, e.Elapsed)
	if e.Action == "fail" && !slices.ContainsFunc(t.names, func(n string) bool {
		return strings.HasPrefix(n, strings.TrimPrefix(e.Package, module)+".") || strings.HasPrefix(n, "build of "+e.Package)
	}) {
		t.failed++
		t.names = append(t.names, e.Package)
		fmt.Fprint(w, said)
	}
}

// unfinished are the tests of a package that began and neither passed nor
// failed, when it ends: something killed it.
func unfinished(pkg string, output map[string][]string) (names []string) {
	for key := range output {
		if strings.HasPrefix(key, pkg+".Test") {
			names = append(names, key)
		}
	}
	slices.Sort(names)
	return names
}

func lastLines(lines []string, n int) string { return strings.Join(lines[max(len(lines)-n, 0):], "") }

// results prints what a passing test has to report: each line that begins with
// RESULT, after the place that go test puts in front.
func results(said string, w io.Writer) {
	for line := range strings.Lines(said) {
		if _, text, ok := strings.Cut(line, "RESULT "); ok {
			fmt.Fprintf(w, "         %s\n", strings.TrimRight(text, "\n"))
		}
	}
}

// reason is why a test was skipped, when that is worth a line.
func reason(said string) string {
	for line := range strings.Lines(said) {
		if strings.Contains(line, "NOT TESTED") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

func partNames() []string { return slices.Sorted(maps.Keys(long())) }

// listParts says what there is to run in full count.
func listParts() {
	parts := long()
	fmt.Println("make test-long PART=… runs in full count:")
	for _, name := range partNames() {
		fmt.Printf("  %-10s %s\n", name, parts[name][0].name)
	}
}

// fuzzSteps finds every fuzz target of the repository.
func fuzzSteps(each time.Duration) ([]step, error) {
	out, err := exec.Command("go", "test", "-list", "^Fuzz", "./...").Output()
	if err != nil {
		return nil, fmt.Errorf("listing the fuzz targets: %w", err)
	}
	var steps []step
	var targets []string
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "Fuzz") {
			targets = append(targets, line)
			continue
		}
		f := strings.Fields(line) // "ok PACKAGE TIME" ends a package's list
		if len(f) >= 2 && f[0] == "ok" {
			for _, name := range targets {
				steps = append(steps, step{name: name, args: []string{"go", "test", "-run=^$", "-fuzz=^" + name + "$", "-fuzztime=" + each.String(), f[1]}, fuzz: true})
			}
		}
		targets = nil
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("no fuzz target found: %s", out)
	}
	return steps, nil
}

// fuzzOnce runs a fuzz target. Go's fuzzer can end with "context deadline
// exceeded" when its time is up while a worker is busy (golang/go#75804); only
// a run that has written a failing input, or fails twice, is a failure.
func fuzzOnce(cmd *exec.Cmd, again bool) error {
	var out strings.Builder
	cmd.Stdout = &out
	err := cmd.Run()
	fmt.Print(out.String())
	if err != nil && again && strings.Contains(out.String(), "context deadline exceeded") && !strings.Contains(out.String(), "Failing input") {
		second := exec.Command(cmd.Args[0], cmd.Args[1:]...)
		second.Env, second.Stderr = cmd.Env, cmd.Stderr
		return fuzzOnce(second, false)
	}
	return err
}
