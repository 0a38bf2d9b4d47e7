package ipc

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/qbipc"
	"github.com/pacesync/pacesync/internal/testneed"
	"github.com/pacesync/pacesync/internal/testwait"
)

// TestSameFiles: a connected client finds the same files with our server as
// with libqb's: names, owners, modes, sizes and every byte of the headers.
func TestSameFiles(t *testing.T) {
	for _, typ := range []string{"shm", "socket"} {
		t.Run(typ, func(t *testing.T) {
			if sandbox(t, "64m") {
				return
			}
			client := build(t, "echo_client")
			startOriginalEcho(t, "theirs", typ)
			theirs := filesOfClient(t, client, "theirs")
			s := startEcho(t, qbipc.Options{Name: "yours1", Sockets: typ == "socket"})
			ours := filesOfClient(t, client, "yours1")
			waitEmpty(t, s)
			ours = strings.ReplaceAll(ours, "yours1", "theirs")
			if ours != theirs {
				t.Errorf("libqb:\n%s\nours:\n%s", theirs, ours)
			}
		})
	}
}

// filesOfClient describes what is under /dev/shm while a client of user nobody
// is connected, with ids and random letters taken out.
func filesOfClient(t *testing.T, client, name string) string {
	t.Helper()
	b, err := os.ReadFile(client)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("/run/echo_client", b, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(testneed.Program(t, "setpriv"), "--reuid", "65534", "--regid", "65533", "--clear-groups", "/run/echo_client", name, "hold", "0", "0")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 10)
	if _, err := out.Read(line); err != nil || string(line) != "connected\n" {
		t.Fatalf("%q %v", line, err)
	}
	ids := regexp.MustCompile(`qb-\d+-\d+-\d+-[A-Za-z0-9]{6}`)
	var text strings.Builder
	err = filepath.WalkDir("/dev/shm", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == "/dev/shm" {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		size := info.Size()
		if d.IsDir() {
			size = 0
		}
		fmt.Fprintf(&text, "%s %v %d:%d %d bytes, %d blocks\n", ids.ReplaceAllString(path, "DIR"), info.Mode(), st.Uid, st.Gid, size, st.Blocks)
		if strings.HasSuffix(path, "-header") || strings.Contains(path, "control") {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&text, "%s\n", ids.ReplaceAllString(describe(t, b), "DIR"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	testwait.For(t, 10*time.Second, "the folder's end", func() bool { return len(shmFolders(t)) == 0 })
	return text.String()
}

// describe shows every byte of a ring's header or of a control file, with the
// two path fields as strings.
func describe(t *testing.T, b []byte) string {
	t.Helper()
	if len(b) < 8204 {
		return fmt.Sprintf("%x", b)
	}
	text := fmt.Sprintf("%x", b[:12])
	for _, field := range [][]byte{b[12:4108], b[4108:8204]} {
		name, rest, _ := bytes.Cut(field, []byte{0})
		if len(bytes.Trim(rest, "\x00")) != 0 {
			t.Errorf("bytes behind the path %q", name)
		}
		text += fmt.Sprintf(" %q", name)
	}
	return text + fmt.Sprintf(" %x", b[8204:])
}

// TestFileSystemSockets: with /etc/libqb/force-filesystem-sockets both sides
// meet at a file, as libqb does.
func TestFileSystemSockets(t *testing.T) {
	for _, typ := range []string{"shm", "socket"} {
		t.Run(typ, func(t *testing.T) {
			if sandbox(t, "64m") {
				return
			}
			// Debian's libqb has them in /tmp.
			if err := syscall.Mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777"); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll("/etc/libqb", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile("/etc/libqb/force-filesystem-sockets", nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if typ == "socket" {
				t.Setenv("LARGEST_ECHO", "100000")
			}
			client := build(t, "echo_client")
			s := startEcho(t, qbipc.Options{Name: "yours", Sockets: typ == "socket"})
			startOriginalEcho(t, "theirs", typ)
			for _, name := range []string{"yours", "theirs"} {
				st, err := os.Stat("/tmp/" + name)
				if err != nil || st.Mode() != fs.ModeSocket|0o777 {
					t.Errorf("%s: %v %v", name, st, err)
				}
			}
			if out := runClient(t, client, "yours", "check", "100", "100"); out != "ok" {
				t.Error(out)
			}
			c := dial(t, "theirs")
			req := make([]byte, 100)
			qbipc.PutRequestHeader(req, idEcho, len(req))
			if _, err := c.Request(req, 10*time.Second); err != nil {
				t.Error(err)
			}
			c.Close()
			waitEmpty(t, s)
			s.do(s.srv.Close)
			if _, err := os.Stat("/tmp/yours"); err == nil {
				t.Error("the socket's file is left")
			}
		})
	}
}
