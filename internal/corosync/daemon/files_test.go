package daemon

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestRingIDFile(t *testing.T) {
	dir := t.TempDir()
	f := newRingIDFile(dir, 7)
	if seq, err := f.Load(); seq != 0 || err != nil {
		t.Fatalf("missing file: %d, %v", seq, err)
	}
	path := filepath.Join(dir, "ringid_7")
	if b, _ := os.ReadFile(path); len(b) != 8 {
		t.Errorf("a missing file is replaced by one of %d bytes, want 8", len(b))
	}
	if st, _ := os.Stat(path); st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", st.Mode().Perm())
	}
	if err := f.Store(0x1d); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "\x1d\x00\x00\x00\x00\x00\x00\x00" {
		t.Errorf("stored %x, want 1d00000000000000 as the original stores it", b)
	}
	if seq, err := newRingIDFile(dir, 7).Load(); seq != 0x1d || err != nil {
		t.Errorf("loaded %x, %v", seq, err)
	}
	os.WriteFile(path, []byte("abc"), 0o600)
	if seq, err := f.Load(); seq != 0 || err != nil {
		t.Errorf("file of the wrong size: %d, %v", seq, err)
	}
	// The file is never shorter than a number, not even while one is stored: a
	// longer one keeps its length.
	os.WriteFile(path, []byte("\x2d\x00\x00\x00\x00\x00\x00\x00junk"), 0o600)
	if err := f.Store(0x31); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "\x31\x00\x00\x00\x00\x00\x00\x00junk" {
		t.Errorf("stored %x over a longer file", b)
	}
	if seq, err := f.Load(); seq != 0x31 || err != nil {
		t.Errorf("loaded %x, %v", seq, err)
	}
	other := newRingIDFile(dir, 8)
	if err := os.Mkdir(filepath.Join(dir, "ringid_8"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Load(); err == nil {
		t.Error("a folder in the file's place: no error")
	}
	if err := newRingIDFile(filepath.Join(dir, "none"), 7).Store(1); err == nil || !strings.Contains(err.Error(), "Couldn't store") && !strings.Contains(err.Error(), "couldn't store") {
		t.Errorf("no directory: %v", err)
	}
}

// TestPIDFileIsHeldByOneProcess starts this test again as the second instance:
// record locks are between processes.
func TestPIDFileIsHeldByOneProcess(t *testing.T) {
	if path := os.Getenv("PIDFILE_TEST"); path != "" {
		if _, err := lockPIDFile(path); !errors.Is(err, errRunning) {
			t.Fatalf("second instance: %v", err)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "corosync.pid")
	p, err := lockPIDFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "PIDFILE_TEST="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("second instance: %v\n%s", err, out)
	}
	// Only now: closing the file anywhere in this process gives up the lock.
	if b, _ := os.ReadFile(path); string(b) != strconv.Itoa(os.Getpid())+"\n" {
		t.Errorf("the file holds %q", b)
	}
	p.remove()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("after a clean exit the file is there: %v", err)
	}
}
