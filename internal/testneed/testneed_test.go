package testneed

import (
	"os"
	"runtime"
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
