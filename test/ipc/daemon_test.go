package ipc

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/testneed"
	"github.com/pacesync/pacesync/internal/testwait"
)

// startOurs runs our corosync with one node inside the sandbox.
func startOurs(t *testing.T) *exec.Cmd {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "corosync")
	goTool := testneed.Program(t, "go")
	build := exec.Command(goTool, "build", "-o", bin, "github.com/pacesync/pacesync/cmd/pacesync")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return startDaemon(t, bin, "shm")
}

// TestHostileClientOfTheDaemon: our corosync lives through a hostile client on
// each of its sockets, serves another client meanwhile, and leaves no file.
func TestHostileClientOfTheDaemon(t *testing.T) {
	if sandbox(t, "24m") {
		return
	}
	hostile := build(t, "hostile")
	daemon := startOurs(t)
	c := dial(t, "cmap")
	fds := "/proc/" + strconv.Itoa(daemon.Process.Pid) + "/fd"
	open := func() int {
		files, err := os.ReadDir(fds)
		if err != nil {
			t.Fatalf("the daemon is gone: %v", err)
		}
		return len(files)
	}
	before := open()
	for _, a := range attacks() {
		switch {
		case a.mode == "truncate" && a.arg > 1, a.mode == "sizes" && a.arg > 12, a.mode == "ignored",
			a.mode == "flicker", a.mode == "deaf", a.mode == "fill" && a.arg > 0, a.mode == "swapdir":
			continue // these need the events of the test service
		}
		service := []string{"cmap", "cpg", "quorum", "votequorum", "cfg"}[(len(a.mode)+a.arg)%5]
		out, err := exec.Command(hostile, service, a.mode, strconv.Itoa(a.arg)).CombinedOutput()
		var exit *exec.ExitError
		killed := errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled()
		if (err != nil) != a.dies || killed != a.dies {
			t.Errorf("%s %d on %s: %v\n%s", a.mode, a.arg, service, err, out)
		}
		if code, value := cmapGet(t, c, "totem.cluster_name", 16); code != 1 || string(value) != "ipc\x00" {
			t.Fatalf("%s %d on %s: the client next door got code %d", a.mode, a.arg, service, code)
		}
	}
	testwait.For(t, 10*time.Second, "no files and descriptors left", func() bool {
		return len(shmFolders(t)) == 1 && open() == before
	})
}
