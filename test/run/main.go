// Command run runs the tests of the repository and sums them up: every kind
// once (make test), one part in full count (make test-long PART=…), or every
// fuzz target for a while (make fuzz-smoke). Its last line is
// "N passed, N failed, N skipped"; its exit status is 1 when anything failed.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// step is one command of a run. With json its output is that of go test -json
// and each test counts; otherwise the step counts as one.
type step struct {
	name string
	args []string
	env  []string
	json bool
	fuzz bool
	live bool // in real time, with real programs: what fails is tried again (see step.again)
}

// goTest is a step of Go tests.
func goTest(name string, env []string, args ...string) step {
	return step{name: name, args: append([]string{"go", "test", "-json"}, args...), env: env, json: true}
}

// small is every kind of test once: what `make test` runs after `make build`.
func small() ([]step, error) {
	units, err := unitPackages()
	if err != nil {
		return nil, err
	}
	// Two at a time: most of it is waiting, for elections and time limits. The longest first.
	live := goTest("end to end", []string{"E2E=1"}, "-count=1", "-p=2", "-timeout=20m", "./test/pcmk", "./test/e2e", "./test/...")
	live.live = true
	return []step{
		{name: "check", args: []string{"make", "-s", "check"}},
		goTest("unit", nil, append([]string{"-timeout=10m"}, units...)...),
		live,
		{name: "demo", args: []string{"bin/pacesync", "demo", "-ref"}},
	}, nil
}

// unitPackages lists the packages whose tests need no root: all but test/….
func unitPackages() ([]string, error) {
	out, err := exec.Command("go", "list", "./...").Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	return slices.DeleteFunc(strings.Fields(string(out)), func(p string) bool {
		return strings.Contains(p, "/pacesync/test/") && !strings.HasSuffix(p, "/run")
	}), nil
}

// long returns the parts of the full counts.
func long() map[string][]step {
	full := []string{"E2E=1", "E2E_LONG=1"}
	demos := map[string][]step{}
	for i := range 10 {
		dc := []string{"active", "other"}[i%2]
		demos["demo"] = append(demos["demo"], step{name: fmt.Sprintf("demo %d of 10, controller: %s node", i+1, dc), args: []string{"bin/pacesync", "demo", "-dc", dc}})
		demos["demo-corosync"] = append(demos["demo-corosync"],
			step{name: fmt.Sprintf("demo with Debian's Pacemaker %d of 10", i+1), args: []string{"bin/pacesync", "demo", "-pacemaker", "debian"}})
	}
	parts := map[string][]step{
		"demo":          demos["demo"],
		"demo-corosync": demos["demo-corosync"],
		"sim": {goTest("totem simulator, 10,000 seeds", nil, "-count=1", "-v", "-timeout=60m", "-run=^TestSeeds$",
			"./totem/totemtest", "-seeds=10000", "-base=1", "-keep-going"),
			goTest("totem simulator over knet, 5,000 seeds", nil, "-count=1", "-v", "-timeout=60m", "-run=^TestKnetSeeds$",
				"./totem/totemtest", "-seeds=5000", "-base=1", "-keep-going"),
			goTest("totem simulator with nodes of both byte orders, 2,000 seeds", nil, "-count=1", "-v", "-timeout=60m", "-run=^TestByteOrderSeeds$",
				"./totem/totemtest", "-seeds=2000", "-base=1", "-keep-going")},
		"votes": {goTest("votequorum: all sequences of up to six events beside the model, 1,000 scripts beside the original, longer histories", nil,
			"-count=1", "-v", "-timeout=180m", "./quorum/vote", "-deep", "-scripts=1000")},
		"pengine": {
			goTest("scheduler beside the original, 20,000 generated CIBs", full, "-count=1", "-v", "-timeout=180m", "-run=^TestGenerated$|^TestClasses$",
				"./test/pengine", "-seeds=20000", "-base=1", "-time=170m"),
			goTest("scheduler beside the original, 8,000 changed cases", full, "-count=1", "-v", "-timeout=90m", "-run=^TestMutated$",
				"./test/pengine", "-seeds=8000", "-base=1", "-time=80m"),
			goTest("properties of the scheduler, all cases", full, "-count=1", "-v", "-timeout=30m", "-run=^TestRenamed$|^TestReordered$|^TestIdleNode$|^TestSettles$",
				"./pengine", "-every=1", "-seeds=500"),
		},
		"schemas": {goTest("built-in schemas beside the installed, 3,000 documents drawn from each grammar and version", full, "-count=1", "-v", "-timeout=60m",
			"-run=^TestBuiltin", "./cib/schema")},
		"planted": {goTest("planted bugs, 1,000 seeds each", nil, "-count=1", "-v", "-timeout=60m", "-run=^TestPlanted",
			"./totem/totemtest", "-planted")},
	}
	for _, s := range shares() {
		parts[s.part] = []step{s.step()}
	}
	return parts
}

func main() {
	part := flag.String("long", "", "run this part in full count; `?` lists the parts")
	fuzz := flag.Duration("fuzz", 0, "run every fuzz target for this long")
	covered := flag.String("cover", "", "measure which statements under this folder the tests reach")
	ofDecoders := flag.Bool("decoders", false, "measure which blocks of the decoders their tests reach")
	flag.Parse()
	var steps []step
	switch {
	case *ofDecoders:
		if err := coverDecoders(os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	case *covered != "":
		if err := cover(*covered, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	case *fuzz > 0:
		var err error
		if steps, err = fuzzSteps(*fuzz); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case *part == "?":
		listParts()
		return
	case *part != "":
		var ok bool
		if steps, ok = long()[*part]; !ok {
			fmt.Fprintf(os.Stderr, "no part %q; make test-long PART=… knows: %s\n", *part, strings.Join(partNames(), " "))
			os.Exit(1)
		}
	default:
		var err error
		if steps, err = small(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(runAll(steps))
}

// runAll runs the steps, prints the table of them and returns the exit status.
func runAll(steps []step) int {
	start := time.Now()
	var total tally
	var lines []string
	for _, s := range steps {
		command := strings.Join(s.args, " ")
		fmt.Printf("\n━━ %s: %s\n", s.name, command[:min(len(command), 100)])
		began := time.Now()
		t := s.run()
		total.add(t)
		lines = append(lines, fmt.Sprintf("  %-32s %6.1f s   %s", s.name, time.Since(began).Seconds(), t))
	}
	fmt.Printf("\n━━ summary, %.0f s\n%s\n", time.Since(start).Seconds(), strings.Join(lines, "\n"))
	total.summary(os.Stdout)
	fmt.Println(total)
	if total.failed > 0 {
		return 1
	}
	return 0
}

// run executes one step and shows its output as it comes.
func (s step) run() tally {
	cmd := exec.Command(s.args[0], s.args[1:]...)
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Stderr = os.Stderr
	if s.fuzz {
		return s.verdict(tally{}, fuzzOnce(cmd, true))
	}
	if !s.json {
		cmd.Stdout = os.Stdout
		return s.verdict(tally{}, cmd.Run())
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return s.verdict(tally{}, err)
	}
	if err := cmd.Start(); err != nil {
		return s.verdict(tally{}, err)
	}
	t := read(out, os.Stdout)
	err = cmd.Wait()
	if t.passed+t.failed > 0 && (err == nil) == (t.failed == 0) {
		if s.live && t.failed > 0 {
			t = s.again(t, os.Stdout, s.alone)
		}
		return t // the tests have said it all
	}
	return s.verdict(t, err)
}

// verdict counts the step itself as one more test.
func (s step) verdict(t tally, err error) tally {
	if err != nil {
		fmt.Printf("%s: %v\n", s.name, err)
		t.failed++
		t.names = append(t.names, s.name)
		return t
	}
	t.passed++
	return t
}
