package testneed

import (
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// said is a test that records how it ended.
type said struct {
	testing.TB
	failed, skipped bool
}

func (s *said) Helper()               {}
func (s *said) Fatalf(string, ...any) { s.failed = true; runtime.Goexit() }
func (s *said) Skipf(string, ...any)  { s.skipped = true; runtime.Goexit() }

// run asks for something in a goroutine of its own, which ends where a test would.
func run(t *testing.T, need func(testing.TB)) *said {
	s, done := &said{TB: t}, make(chan struct{})
	go func() {
		defer close(done)
		need(s)
	}()
	<-done
	return s
}

// TestCIFails: what is missing skips a test on a developer's machine and fails it in CI.
func TestCIFails(t *testing.T) {
	t.Setenv("PACESYNC_SHARED", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, need := range []func(testing.TB){
		func(tb testing.TB) { Program(tb, "no-such-program") },
		func(tb testing.TB) { File(tb, "/nonexistent/file") },
		func(tb testing.TB) { Cases(tb) },
	} {
		for ci, fails := range map[string]bool{"": false, "true": true} {
			t.Setenv("CI", ci)
			s := run(t, need)
			if s.failed != fails || s.skipped == fails {
				t.Errorf("CI=%q: failed %v, skipped %v", ci, s.failed, s.skipped)
			}
		}
	}
	if p := Program(t, os.Args[0]); p != os.Args[0] {
		t.Errorf("a program by its path: %q", p)
	}
}

// TestTable: commented cases are none, arguments and escapes are read.
func TestTable(t *testing.T) {
	got := table(`TESTS = [
    [   [ "simple1", "Offline" ],
        #[ "simple8", "Stonith" ],
        [ "date-1", "Dates", [ "-t",  "2005-020" ] ],
        [ "quote",
          "Say \"so\", "
          "[ twice ]" ],
    ],
]
`)
	want := []Case{{Name: "simple1"}, {Name: "date-1", Args: []string{"-t", "2005-020"}}, {Name: "quote"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

// TestListAgrees: both homes of the list name the same cases.
func TestListAgrees(t *testing.T) {
	shared := List(t)
	t.Setenv("PACESYNC_SHARED", "")
	if sources := List(t); !reflect.DeepEqual(normal(shared), normal(sources)) {
		t.Errorf("%d cases in PACESYNC_SHARED, %d in the sources, and they differ", len(shared), len(sources))
	}
}

func normal(list []Case) map[string]string {
	out := map[string]string{}
	for _, c := range list {
		out[c.Name] = strings.Join(c.Args, " ")
	}
	return out
}
