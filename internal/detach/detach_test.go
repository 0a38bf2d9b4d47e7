package detach

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/testwait"
)

// TestMain is the program of the test when it is in the background: it says
// whether it leads a session, whether its children would think they were in the
// background, and its arguments.
func TestMain(m *testing.M) {
	if Detached("program") {
		sid, _ := unix.Getsid(0)
		out := os.Getenv(mark) + "|"
		if sid == os.Getpid() {
			out += "leader"
		}
		for _, a := range os.Args[1:] {
			out += " " + a
		}
		tmp := os.Getenv("OUT") + ".new"
		_ = os.WriteFile(tmp, []byte(out), 0o644)
		_ = os.Rename(tmp, os.Getenv("OUT"))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestStart(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	t.Setenv("OUT", out)
	if err := Start(&applet.Env{Name: "program"}, []string{"-x", "y"}); err != nil {
		t.Fatal(err)
	}
	var got []byte
	testwait.For(t, 20*time.Second, "the program to write", func() bool {
		b, err := os.ReadFile(out)
		got = b
		return err == nil
	})
	if want := []byte("|leader program -x y"); !bytes.Equal(got, want) {
		t.Errorf("the background program says %q, want %q", got, want)
	}
	if Detached("program") {
		t.Error("the test itself counts as detached")
	}
}
