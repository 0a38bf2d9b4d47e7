package qbipc

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// deadPID is a process that has ended.
func deadPID(t *testing.T) int {
	t.Helper()
	c := exec.Command("/bin/true")
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	return c.Process.Pid
}

// TestPredecessorsFilesAreRemoved: what a killed server of the same service left of
// its clients is gone when the next one starts; everything else stays.
func TestPredecessorsFilesAreRemoved(t *testing.T) {
	dir, dead := t.TempDir(), deadPID(t)
	name := fmt.Sprintf("sweep%d", os.Getpid())
	folders := []struct {
		name  string
		files []string
		stays bool
	}{
		{name: fmt.Sprintf("qb-%d-1-5-abcdef", dead), files: []string{"qb-request-" + name + "-header", "qb-request-" + name + "-data", "qb-event-" + name + "-header", "else"}},
		{name: fmt.Sprintf("qb-%d-2-6-abcdef", dead), files: []string{"qb-control-" + name}},
		{name: fmt.Sprintf("qb-%d-3-7-abcdef", dead), files: []string{"qb-response-" + name + "-data"}},
		{name: fmt.Sprintf("qb-%d-4-8-abcdef", dead), files: []string{"qb-request-other-header"}, stays: true},
		{name: fmt.Sprintf("qb-%d-5-9-abcdef", dead), files: []string{"qb-request-x" + name + "-header"}, stays: true},
		{name: fmt.Sprintf("qb-%d-6-9-abcdef", os.Getpid()), files: []string{"qb-request-" + name + "-header"}, stays: true},
		{name: "qb-1-7-9-abcdef", files: []string{"qb-request-" + name + "-header"}, stays: true},
		{name: fmt.Sprintf("qb-%d-8-9-abcde", dead), files: []string{"qb-request-" + name + "-header"}, stays: true},
		{name: "qb-corosync-1-blackbox-header", stays: true},
		{name: "qb--1-9-9-abcdef", files: []string{"qb-request-" + name + "-header"}, stays: true},
	}
	var want []string
	for _, f := range folders {
		if err := os.Mkdir(filepath.Join(dir, f.name), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, file := range f.files {
			if err := os.WriteFile(filepath.Join(dir, f.name, file), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if f.stays {
			want = append(want, f.name)
		}
	}
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "qb-request-"+name+"-header"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := fmt.Sprintf("qb-%d-9-9-linked", dead)
	if err := os.Symlink(outside, filepath.Join(dir, link)); err != nil {
		t.Fatal(err)
	}
	want = append(want, link)

	ts := startServer(t, Options{}) // for its loop
	ts.do(func() {
		s, err := NewServer(OnLoop(ts.loop), Options{Name: name, Handler: ts, ShmDir: dir})
		if err != nil {
			t.Error(err)
			return
		}
		s.Close()
	})
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range left {
		got = append(got, e.Name())
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("left:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if _, err := os.Stat(filepath.Join(outside, "qb-request-"+name+"-header")); err != nil {
		t.Errorf("behind a link: %v", err)
	}
}

// TestFreeDescriptors: the handler learns how many descriptors are left, and a
// refusal for their lack reaches the client at once.
func TestFreeDescriptors(t *testing.T) {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	ts := startServer(t, Options{})
	var free int
	ts.do(func() { ts.accept = func(p *Peer) error { free = p.FreeFiles; return unix.EMFILE } })
	if c, err := Dial(ts.name, DialOptions{Timeout: 5 * time.Second}); err == nil {
		c.Close()
		t.Fatal("let in")
	} else if errnoOf(err) != unix.EMFILE {
		t.Errorf("refused with %v", err)
	}
	ts.do(func() {}) // what accept wrote is seen
	if free <= 0 || uint64(free) >= lim.Cur {
		t.Errorf("%d of %d descriptors left", free, lim.Cur)
	}
}
