package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

// TestAgain: a test that passes alone is unsteady, one that fails again has
// failed, and too many of them, or what is no test, are not tried at all.
func TestAgain(t *testing.T) {
	for _, c := range []struct {
		name             string
		failures, passes []string
		failed           int
		unsteady         string
	}{
		{"passes", []string{"test/a.TestX/one", "test/a.TestX"}, []string{"test/a.TestX"}, 0, "test/a.TestX"},
		{"fails again", []string{"test/a.TestX"}, nil, 1, ""},
		{"one of two", []string{"test/a.TestX", "test/b.TestX"}, []string{"test/b.TestX"}, 1, "test/b.TestX"},
		{"too many", []string{"a.TestA", "a.TestB", "a.TestC", "a.TestD"}, []string{"a.TestA", "a.TestB", "a.TestC", "a.TestD"}, 4, ""},
		{"a build", []string{"build of test/a", "test/a.TestX"}, []string{"test/a.TestX"}, 2, ""},
		{"a panic", []string{"test/a"}, []string{"test/a"}, 1, ""},
	} {
		first := tally{passed: 5, failed: len(c.failures), names: slices.Clone(c.failures)}
		got := step{}.again(first, io.Discard, func(id testID) bool { return slices.Contains(c.passes, id.String()) })
		if got.failed != c.failed || len(got.names) != c.failed || strings.Join(got.unsteady, " ") != c.unsteady || got.passed+got.failed != 5+len(c.failures) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestComplaints(t *testing.T) {
	got := complaints("noise\n    x_test.go:7: want 1,\n        got 2\n    lab.go:3: log of a node\n        line\n        line\n    x_test.go:9: RESULT fine\n")
	if len(got) != 4 || got[0] != "    x_test.go:7: want 1," || got[1] != "        got 2" {
		t.Errorf("%q", got)
	}
}
