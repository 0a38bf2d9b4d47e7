// Package labtest gives end-to-end tests their lab: it skips where none is
// possible, takes it down at the end, and shows the logs of a failed test.
package labtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/testneed"
)

// Need skips the test where programs or rights for a lab are missing, saying
// so loudly. With CI=true what is missing is a failure: nothing is skipped there.
// Without E2E in the environment the test is skipped as well: a plain
// `go test ./...` stays quick and needs no root.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	if os.Getenv("E2E") == "" {
		t.Skip("needs a lab: set E2E=1, or use make e2e")
	}
	err := lab.Possible()
	for _, p := range programs {
		if _, statErr := os.Stat(p); statErr != nil && err == nil {
			err = fmt.Errorf("%s is missing (make deps)", p)
		}
	}
	if err != nil {
		testneed.Missing(t, err.Error())
	}
}

// Long skips a test that belongs to the full count (E2E_LONG), because another
// one of `make test` shows the same in less time.
func Long(t testing.TB, other string) {
	t.Helper()
	if os.Getenv("E2E_LONG") == "" {
		t.Skipf("in the full count only (E2E_LONG); see %s", other)
	}
}

// Corosync is what tests of rings need, Pacemaker what those of whole clusters need.
func Corosync(t testing.TB) {
	t.Helper()
	Need(t, "/usr/sbin/corosync", "/usr/sbin/corosync-quorumtool")
}

// Pacemaker see Corosync.
func Pacemaker(t testing.TB) {
	t.Helper()
	Need(t, "/usr/sbin/corosync", "/usr/sbin/corosync-quorumtool", "/usr/sbin/pacemakerd", "/usr/sbin/crm_mon")
}

// Up builds a lab of its own for the test. Its name derives from the test's;
// o.Bin defaults to the repository's bin folder.
func Up(t testing.TB, o lab.Options) *lab.Lab {
	t.Helper()
	if o.Name == "" {
		o.Name = fmt.Sprintf("t%d-%s", os.Getpid(), short(t.Name()))
	}
	if o.Bin == "" {
		o.Bin = Bin(t)
	}
	o.Replace = true
	l, err := lab.Up(Context(t, time.Minute), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			dump(t, l)
		}
		if os.Getenv("KEEP") != "" && t.Failed() {
			t.Logf("kept: pacesync lab status -l %s", l.Name())
			return
		}
		if err := l.Down(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// Context ends with the test or after limit.
func Context(t testing.TB, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// Bin is the repository's bin folder: bin beside the go.mod above the working directory.
// PACESYNC_BIN may name another, with tools built to be measured.
func Bin(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("PACESYNC_BIN"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "bin")
		}
	}
	t.Fatal("no go.mod above the working directory")
	return ""
}

// short makes a lab name of a test name.
func short(name string) string {
	name = strings.ToLower(strings.TrimPrefix(name, "Test"))
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, name)
	return name[:min(len(name), 40)]
}

// dump shows the last lines of what every node logged.
func dump(t testing.TB, l *lab.Lab) {
	for _, n := range l.Nodes() {
		for _, file := range []string{
			n.Path("/var/log/corosync/corosync.log"), n.Path("/var/log/pacemaker/pacemaker.log"),
			filepath.Join(n.Dir(), "corosync.out"), filepath.Join(n.Dir(), "pacemakerd.out"), filepath.Join(n.Dir(), "boot.out"),
		} {
			if b, err := os.ReadFile(file); err == nil && len(b) > 0 {
				lines := strings.Split(strings.TrimSpace(string(b)), "\n")
				t.Logf("%s %s, last lines:\n%s", n.Name(), filepath.Base(file), strings.Join(lines[max(0, len(lines)-40):], "\n"))
			}
		}
	}
}

// Cluster builds a lab of that many nodes, all Debian's but for the programs
// named, which are ours on every node, and starts it: corosync, Pacemaker, a
// designated controller. Daemons of ours so run among the originals:
//
//	l := labtest.Cluster(t, 3, "pacemaker-attrd")
func Cluster(t testing.TB, nodes int, ours ...string) *lab.Lab {
	t.Helper()
	Pacemaker(t)
	specs := make([]lab.NodeSpec, nodes)
	for i := range specs {
		specs[i].Ours = ours
	}
	l := Up(t, lab.Options{Nodes: specs})
	Start(t, l)
	return l
}

// Start starts corosync and Pacemaker on all members of a lab and waits for the
// ring and for a designated controller on each node.
func Start(t testing.TB, l *lab.Lab) {
	t.Helper()
	ctx := Context(t, 2*time.Minute)
	if err := l.StartRing(ctx, l.Members()...); err != nil {
		t.Fatal(err)
	}
	for _, n := range l.Members() {
		if err := n.Start(ctx, lab.PartPacemaker); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range l.Members() {
		if _, err := n.WaitDC(ctx); err != nil {
			t.Fatal(err)
		}
	}
}
