// Package testneed is how tests say what they need of the machine beside Go: an
// original to compare with, a compiler, the conformance cases. Where that is
// missing the test is skipped, loudly; with CI=true it fails, because there
// `make deps` has installed everything and a comparison that nobody made is no result.
package testneed

import (
	"errors"
	"os"
	"os/exec"
	"testing"
)

// Missing ends the test for want of something: what is missing, and what to do.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("cannot run: %s", what)
	}
	t.Skipf("SKIPPED, NOT TESTED: %s", what)
}

// Program is the path of a program, given by its path or by its name, which is
// looked for in PATH and the folders of root's.
func Program(t testing.TB, name string) string {
	t.Helper()
	for _, p := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if path, err := exec.LookPath(p); err == nil {
			return path
		}
	}
	Missing(t, name+" is missing (make deps)")
	return ""
}

// Output is what an original prints. One that is not there is missing; one that
// fails makes the test fail.
func Output(t testing.TB, program string, args ...string) string {
	t.Helper()
	out, err := exec.Command(Program(t, program), args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("%s %q: %v: %s", program, args, err, exit.Stderr)
		}
		t.Fatalf("%s %q: %v", program, args, err)
	}
	return string(out)
}

// File is a file of an installed package.
func File(t testing.TB, path string) string {
	t.Helper()
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		Missing(t, path+" is not there: its package is not installed (make deps)")
	}
	return path
}

// Root ends the test of who is not root.
func Root(t testing.TB, why string) {
	t.Helper()
	if os.Geteuid() != 0 {
		Missing(t, "root is needed: "+why)
	}
}
