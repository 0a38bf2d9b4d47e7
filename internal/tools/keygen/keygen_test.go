package keygen

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/pacesync/pacesync/internal/applet/applettest"
)

// run is the program in process: status, stdout, stderr.
func run(args ...string) (int, string, string) {
	return applettest.Run(Run, "corosync-keygen", "", args...)
}

func TestKeyIsWritten(t *testing.T) {
	dir := t.TempDir()
	source, key := filepath.Join(dir, "source"), filepath.Join(dir, "key")
	want := bytes.Repeat([]byte("0123456789abcdef"), 8)
	if err := os.WriteFile(source, append(bytes.Clone(want), "not this"...), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, errs := run("-r", source, "--size", "128", "--key="+key)
	wantOut := "Corosync Cluster Engine Authentication key generator.\nGathering 1024 bits for key from " + source +
		".\nWriting corosync key to " + key + ".\n"
	if status != 0 || out != wantOut || errs != "" {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	got, err := os.ReadFile(key)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("key %q, %v", got, err)
	}
	if info, _ := os.Stat(key); info.Mode().Perm() != 0o400 {
		t.Errorf("mode %v, want 0400", info.Mode().Perm())
	}
}

func TestFailures(t *testing.T) {
	dir := t.TempDir()
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	head := "Corosync Cluster Engine Authentication key generator.\nGathering 2048 bits for key from "
	for _, tt := range []struct {
		args      []string
		status    int
		out, errs string
	}{
		{[]string{"-s", "127"}, 1, "", "corosync-keygen: Unsupported key size (supported <128,4096>)\n\n"},
		{[]string{"-s", "4097"}, 1, "", "corosync-keygen: Unsupported key size (supported <128,4096>)\n\n"},
		{[]string{"-x"}, 1, "Error parsing command line options.\n", "corosync-keygen: invalid option -- 'x'\n"},
		{[]string{"-r", "/nonexistent"}, 1, head + "/nonexistent.\n", "corosync-keygen: Failed to open random source: No such file or directory\n"},
		{[]string{"-r", "/"}, 1, head + "/.\n", "corosync-keygen: Could not read /dev/random: Is a directory\n"},
		{[]string{"-k", "/nonexistent/key"}, 2, head + "/dev/urandom.\n", "corosync-keygen: Could not create /nonexistent/key: No such file or directory\n"},
		{[]string{"-r", short}, 1, head + short + ".\nPress keys on your keyboard to generate entropy (1248 bits still needed).\n",
			"corosync-keygen: " + short + " ended after 100 of 256 bytes: name a source of random bytes that does not end, such as /dev/urandom\n"},
		{[]string{"-h"}, 0, usage, ""},
	} {
		if status, out, errs := run(tt.args...); status != tt.status || out != tt.out || errs != tt.errs {
			t.Errorf("%q: status %d, want %d\n%q\n%q\n%q\n%q", tt.args, status, tt.status, out, tt.out, errs, tt.errs)
		}
	}
}
