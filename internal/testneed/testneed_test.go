package testneed

import (
	"os"
	"path/filepath"
	"testing"
)

// said is a test that records how it ended.
type said struct {
	testing.TB
	failed, skipped bool
}

func (s *said) Helper()               {}
func (s *said) Fatalf(string, ...any) { s.failed = true }
func (s *said) Skipf(string, ...any)  { s.skipped = true }

// TestCIFails: what is missing skips a test on a developer's machine and fails it in CI.
func TestCIFails(t *testing.T) {
	t.Setenv("PACESYNC_SHARED", t.TempDir())
	for _, need := range []func(testing.TB){
		func(tb testing.TB) { Program(tb, "no-such-program") },
		func(tb testing.TB) { File(tb, filepath.Join(t.TempDir(), "none")) },
		func(tb testing.TB) { Cases(tb) },
	} {
		for ci, fails := range map[string]bool{"": false, "true": true} {
			t.Setenv("CI", ci)
			s := &said{TB: t}
			need(s)
			if s.failed != fails || s.skipped == fails {
				t.Errorf("CI=%q: failed %v, skipped %v", ci, s.failed, s.skipped)
			}
		}
	}
	if p := Program(t, os.Args[0]); p != os.Args[0] {
		t.Errorf("a program by its path: %q", p)
	}
}
