package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

const module = "github.com/pacesync/pacesync/"

// againLimit is how many tests of a step may be tried a second time. More of
// them is no coincidence.
const againLimit = 3

// testID is a top-level test: its package, without the module, and its name.
type testID struct{ pkg, name string }

func (id testID) String() string { return id.pkg + "." + id.name }

// topLevel is the test that a failure named PACKAGE.TEST[/SUBTEST…] belongs to;
// ok is false for what is no test (a build, a package that panicked).
func topLevel(failure string) (id testID, ok bool) {
	i := strings.Index(failure, ".Test")
	if i < 0 || strings.Contains(failure[:i], " ") {
		return testID{}, false
	}
	name, _, _ := strings.Cut(failure[i+1:], "/")
	return testID{failure[:i], name}, true
}

// again runs the failed tests of a step a second time, each by itself. One that
// then passes is unsteady: it is no longer among the failed, and the summary
// names it with what it said the first time. The end-to-end tests measure
// clusters in real time beside each other on a machine that has other work;
// what fails twice, or with more than againLimit others, has failed.
func (s step) again(t tally, w io.Writer, run func(id testID) bool) tally {
	var ids []testID
	for _, name := range t.names {
		id, ok := topLevel(name)
		if !ok {
			return t
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) > againLimit {
		return t
	}
	for _, id := range ids {
		fmt.Fprintf(w, "\n━━ %s: %s once more, by itself\n", s.name, id)
		if !run(id) {
			continue
		}
		t.unsteady = append(t.unsteady, id.String())
		mine := func(name string) bool { other, ok := topLevel(name); return ok && other == id }
		all := len(t.names)
		t.names = slices.DeleteFunc(t.names, mine)
		t.failed -= all - len(t.names)
		t.passed += all - len(t.names)
	}
	return t
}

// alone runs one test and says whether it passed.
func (s step) alone(id testID) bool {
	cmd := exec.Command("go", "test", "-json", "-count=1", "-timeout=10m", "-run=^"+id.name+"$", "./"+id.pkg)
	cmd.Env, cmd.Stderr = append(os.Environ(), s.env...), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		return false
	}
	t := read(out, os.Stdout)
	return cmd.Wait() == nil && t.failed == 0 && t.passed > 0
}

// complaints are the first lines that a failed test printed by itself, cut to
// what a summary can hold.
func complaints(said string) []string {
	place := regexp.MustCompile(`^\s*\w+_test\.go:\d+: `)
	var out []string
	follow := 0
	for line := range strings.Lines(said) {
		line = strings.TrimRight(line, "\n")
		switch {
		case place.MatchString(line) && !strings.Contains(line, "RESULT "):
			follow = 3
		case follow > 0:
			follow--
		default:
			continue
		}
		if out = append(out, line[:min(len(line), 240)]); len(out) == 12 {
			break
		}
	}
	return out
}
