package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pacesync/pacesync/cib/digest"
	"github.com/pacesync/pacesync/internal/xmltree"
)

func cib(t testing.TB, epoch int) *xmltree.Node {
	t.Helper()
	n, err := xmltree.ParseString(fmt.Sprintf(`<cib epoch="%d" num_updates="7" admin_epoch="0"><configuration><nodes><node id="1" uname="ä &lt;&#10;&amp;"/></nodes></configuration><status><node_state id="1"/></status></cib>`, epoch), xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// plain is cib without the characters that Pacemaker's writer spoils.
func plain(t testing.TB, epoch int) *xmltree.Node {
	n := cib(t, epoch)
	n.Path("configuration", "nodes", "node").Set("uname", "n<1>\n\"x\"")
	return n
}

func write(t testing.TB, d *Dir, epoch int) error {
	t.Helper()
	_, err := d.Write(plain(t, epoch), time.Unix(1_700_000_000, 0))
	return err
}

func loaded(t testing.TB, d *Dir) (string, Found) {
	t.Helper()
	f := d.Load()
	return f.CIB.Attr("epoch"), f
}

func TestWriteAndLoad(t *testing.T) {
	d := &Dir{Path: t.TempDir()}
	if f := d.Load(); f.CIB != nil {
		t.Fatal("something out of nothing")
	}
	for i := range 103 {
		if err := write(t, d, i); err != nil {
			t.Fatal(err)
		}
	}
	got, f := loaded(t, d)
	if got != "102" || !f.Live || len(f.Notes) != 0 || f.CIB.Attr("num_updates") != "0" || f.CIB.Child("status") != nil {
		t.Errorf("%s %+v %s", got, f, f.CIB)
	}
	last, err := os.ReadFile(d.path(lastName))
	if err != nil || string(last) != "2" {
		t.Errorf("cib.last %q: %v", last, err)
	}
	older, err := readVerified(d.archived(1), d.archived(1)+signature, &f)
	if err != nil || older.Attr("epoch") != "101" {
		t.Errorf("the version before: %v %v", older, err)
	}
	sig, err := os.ReadFile(d.path(liveName + signature))
	if err != nil || string(sig) != digest.OnDisk(f.CIB) {
		t.Errorf("signature %q: %v", sig, err)
	}
	info, err := os.Stat(d.path(liveName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v: %v", info.Mode(), err)
	}
}

// TestFailure lets each step of a write fail in turn: the old version stays, no
// litter, and the next write does it.
func TestFailure(t *testing.T) {
	for step := 0; ; step++ {
		d := &Dir{Path: t.TempDir()}
		if err := errors.Join(write(t, d, 1), write(t, d, 2)); err != nil {
			t.Fatal(err)
		}
		n := 0
		d.hook = func(op, name string) error {
			if n++; n == step+1 {
				return &os.PathError{Op: op, Path: name, Err: syscall.ENOSPC}
			}
			return nil
		}
		err := write(t, d, 3)
		d.hook = nil
		if err == nil {
			if step < 8 {
				t.Fatalf("only %d steps", step)
			}
			return
		}
		if !errors.Is(err, syscall.ENOSPC) || !errors.Is(err, ErrSave) && !errors.Is(err, ErrBackup) {
			t.Errorf("step %d: %v", step, err)
		}
		if got, f := loaded(t, d); got != "2" && got != "3" || len(f.Notes) > 1 {
			t.Errorf("step %d: %s is left, %v", step, got, f.Notes)
		}
		if err := write(t, d, 4); err != nil {
			t.Errorf("step %d: the next write: %v", step, err)
		}
		if got, _ := loaded(t, d); got != "4" {
			t.Errorf("step %d: %s after the next write", step, got)
		}
		litter, err := filepath.Glob(d.path("cib.[0-9]*"))
		if err != nil || len(litter) > 0 {
			t.Errorf("step %d: left behind %q", step, litter)
		}
	}
}

type crash struct{}

// TestCrash ends the process at each step in turn: the old or the new version is found.
func TestCrash(t *testing.T) {
	for step := 0; step < 16; step++ {
		d := &Dir{Path: t.TempDir()}
		if err := errors.Join(write(t, d, 1), write(t, d, 2)); err != nil {
			t.Fatal(err)
		}
		n := 0
		d.hook = func(string, string) error {
			if n++; n == step+1 {
				panic(crash{})
			}
			return nil
		}
		func() {
			defer func() {
				if r := recover(); r != nil && r != (crash{}) {
					panic(r)
				}
			}()
			if err := write(t, d, 3); err != nil {
				t.Fatal(err)
			}
		}()
		d.hook = nil
		got, f := loaded(t, d)
		if !f.Live || got != "2" && got != "3" {
			t.Errorf("step %d: %s, %+v", step, got, f)
		}
		if err := write(t, d, 4); err != nil {
			t.Errorf("step %d: the next write: %v", step, err)
		}
	}
}

func TestUnusableFiles(t *testing.T) {
	for what, spoil := range map[string]func(d *Dir) error{
		"empty":     func(d *Dir) error { return os.WriteFile(d.path(liveName), nil, 0o600) },
		"no XML":    func(d *Dir) error { return os.WriteFile(d.path(liveName), []byte("<cib"), 0o600) },
		"edited":    func(d *Dir) error { return os.WriteFile(d.path(liveName), []byte(`<cib epoch="9"/>`), 0o600) },
		"gone":      func(d *Dir) error { return os.Remove(d.path(liveName)) },
		"signature": func(d *Dir) error { return os.WriteFile(d.path(liveName+signature), []byte("x"), 0o600) },
	} {
		d := &Dir{Path: t.TempDir()}
		if err := errors.Join(write(t, d, 1), write(t, d, 2), spoil(d)); err != nil {
			t.Fatal(err)
		}
		if what != "gone" {
			if err := write(t, d, 3); !errors.Is(err, ErrLive) {
				t.Errorf("%s: written over: %v", what, err)
			}
		}
		got, f := loaded(t, d)
		if got != "1" || f.Live {
			t.Errorf("%s: %s from %s", what, got, f.From)
		}
		kept, err := filepath.Glob(d.path("cib.auto.*"))
		if err != nil || what != "gone" && len(kept) != 2 {
			t.Errorf("%s: set aside: %q", what, kept)
		}
		if err := write(t, d, 4); err != nil {
			t.Errorf("%s: the next write: %v", what, err)
		}
	}
	d := &Dir{Path: t.TempDir()}
	if err := errors.Join(write(t, d, 1), os.Remove(d.path(liveName+signature))); err != nil {
		t.Fatal(err)
	}
	if got, f := loaded(t, d); got != "1" || !f.Live || len(f.Notes) != 1 {
		t.Errorf("without a signature: %s %+v", got, f)
	}
}

// TestSpoiltByTheWriter: what Pacemaker's way of escaping makes unreadable never
// takes the place of what can be read.
func TestSpoiltByTheWriter(t *testing.T) {
	d := &Dir{Path: t.TempDir()}
	if err := write(t, d, 1); err != nil {
		t.Fatal(err)
	}
	_, err := d.Write(cib(t, 2), time.Unix(0, 0))
	if !errors.Is(err, ErrSave) || !strings.Contains(err.Error(), "reads back") {
		t.Errorf("%v", err)
	}
	if got, _ := loaded(t, d); got != "1" {
		t.Errorf("%s is left", got)
	}
}
