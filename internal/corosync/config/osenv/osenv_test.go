package osenv

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/config"
)

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path  string
		limit int
		want  string
		err   string
	}{
		{path, 100, "0123456789", ""}, {path, 4, "0123", ""},
		{dir, 10, "", "Is a directory"}, {filepath.Join(dir, "none"), 10, "", "No such file or directory"},
		{filepath.Join(path, "below"), 10, "", "Not a directory"},
	} {
		got, err := Env{}.ReadFile(c.path, c.limit)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if string(got) != c.want || text != c.err {
			t.Errorf("%s: %q %q, want %q %q", c.path, got, text, c.want, c.err)
		}
	}
	if _, err := (Env{}).ReadFile(dir, 10); err != config.ErrDirectory {
		t.Errorf("directory: %v", err)
	}
}

func TestListFilesLeavesOutDirectories(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b", "a", ".c"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_ = os.Mkdir(filepath.Join(dir, "d"), 0o700)
	_ = os.Symlink("a", filepath.Join(dir, "link"))
	_ = os.Symlink("nowhere", filepath.Join(dir, "dangling"))
	if got := (Env{}).ListFiles(dir); !slices.Equal(got, []string{".c", "a", "b", "link"}) {
		t.Errorf("%q", got)
	}
	if got := (Env{}).ListFiles(filepath.Join(dir, "none")); got != nil {
		t.Errorf("missing directory: %q", got)
	}
}

// TestLiteral: forms of addresses as getaddrinfo(3) reads them.
func TestLiteral(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.1": "10.0.0.1", "127.1": "127.0.0.1", "1": "0.0.0.1", "4294967295": "255.255.255.255",
		"10.258": "10.0.1.2", "1.2.772": "1.2.3.4", "0x7f.0.0.0x1": "127.0.0.1", "0177.0.0.01": "127.0.0.1",
		"::1": "::1", "fd00::5": "fd00::5", "fe80::1%eth0": "fe80::1%eth0",
		"256.0.0.1": "", "1.2.3.4.5": "", "4294967296": "", "10.0.0.": "", "": "", "host": "", "1.2.3.4x": "", "08.0.0.1": "",
		"1.16777216": "", "fd00::g": "", "-1": "", "1..2": "",
	} {
		got, ok := Literal(in)
		if text := got.String(); ok != (want != "") || ok && text != want {
			t.Errorf("Literal(%q) = %v %v, want %q", in, got, ok, want)
		}
	}
}

func TestThisMachine(t *testing.T) {
	e := Env{}
	if id, ok := e.UserID("root"); !ok || id != 0 {
		t.Errorf("root: %d %v", id, ok)
	}
	if id, ok := e.GroupID("root"); !ok || id != 0 {
		t.Errorf("group root: %d %v", id, ok)
	}
	if _, ok := e.UserID("no_such_user"); ok {
		t.Error("no_such_user is known")
	}
	if e.Hostname() == "" {
		t.Error("no host name")
	}
	if got := e.Resolve("127.0.0.1", false, true); got != nil {
		t.Errorf("an IPv4 literal when IPv6 is asked for: %v", got)
	}
	if got := e.Resolve("127.0.0.1", true, true); len(got) != 1 {
		t.Errorf("literal: %v", got)
	}
}

// TestReadFileWhileWritten: what is read is of one version, however much of it.
func TestReadFileWhileWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	versions := []string{strings.Repeat("a", 3000), strings.Repeat("b", 3000)}
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				_ = os.WriteFile(path, []byte(versions[i%2]), 0o600)
			}
		}
	}()
	for range 3000 {
		got, _ := Env{}.ReadFile(path, 1<<20) // at the beginning it is not there
		if strings.Contains(string(got), "a") && strings.Contains(string(got), "b") {
			t.Errorf("a mixture of %d bytes", len(got))
			break
		}
	}
	close(stop)
	<-done
}
