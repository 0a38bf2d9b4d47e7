package device

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/wd"
	"golang.org/x/sys/unix"
)

// TestOpen: what is not there is told apart from what cannot be opened.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, wd.ErrAbsent) {
		t.Errorf("absent: %v", err)
	}
	if _, err := Open(dir); err == nil || errors.Is(err, wd.ErrAbsent) {
		t.Errorf("a folder: %v", err)
	}
}

// TestOrdinaryFile: a file that is no watchdog refuses every request of one; the
// end is a V all the same, as the original writes it.
func TestOrdinaryFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "watchdog")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(d.(*Watchdog).fd) })
	for what, do := range map[string]func() error{
		"identity":   func() error { _, _, err := d.Identity(); return err },
		"time-out":   func() error { _, err := d.Timeout(); return err },
		"setting":    func() error { return d.SetTimeout(6) },
		"enabling":   d.Enable,
		"keep alive": d.KeepAlive,
	} {
		if err := do(); !errors.Is(err, unix.ENOTTY) {
			t.Errorf("%s: %v, want ENOTTY", what, err)
		}
	}
	if err := d.Release(); err != nil {
		t.Error(err)
	}
	if text, _ := os.ReadFile(name); string(text) != "V" {
		t.Errorf("the file holds %q", text)
	}
}
