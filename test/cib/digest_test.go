package cib_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/cib/digest"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testneed"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// TestDigestsEqualCibadmin takes both digests of every CIB at hand.
func TestDigestsEqualCibadmin(t *testing.T) {
	labtest.Need(t, cibadmin)
	for _, name := range append(corpus(t), filepath.Join("..", "..", "cib", "digest", "testdata", "awkward.xml")) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			cib, err := xmltree.Parse(data, xmltree.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			cib.StripText() // as the tools do with files
			if got, want := digest.OnDisk(cib), ask(t, nil, "--md5-sum", "-x", name); got != want {
				t.Errorf("on disk: %s, cibadmin says %s", got, want)
			}
			if got, want := digest.CIB(cib), ask(t, nil, "--md5-sum-versioned", "-x", name); got != want {
				t.Errorf("versioned: %s, cibadmin says %s", got, want)
			}
		})
	}
}

// ask runs cibadmin and returns the first word of its output.
func ask(t *testing.T, env []string, args ...string) string {
	t.Helper()
	cmd := exec.Command(cibadmin, args...)
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("cibadmin %s: %v: %s", strings.Join(args, " "), err, errs.String())
	}
	return strings.TrimSpace(out.String())
}

// corpus is a share of the scheduler's test CIBs: with
// CORPUS=all every one, otherwise one of sixteen.
func corpus(t *testing.T) []string {
	t.Helper()
	all := testneed.CIBs(t)
	if os.Getenv("CORPUS") == "all" {
		return all
	}
	var some []string
	for i := 0; i < len(all); i += 16 {
		some = append(some, all[i])
	}
	return some
}
