package ipc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/qbipc"
	"github.com/pacesync/pacesync/internal/testneed"
	"github.com/pacesync/pacesync/internal/testwait"
)

// waitEmpty waits until the server has no client and no folder is left.
func waitEmpty(t *testing.T, s *echoServer) {
	t.Helper()
	testwait.For(t, 20*time.Second, "no client and no file", func() bool {
		return s.clients() == 0 && len(shmFolders(t)) == 0
	})
}

func openFiles(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

// attack is one run of the hostile client.
type attack struct {
	mode string
	arg  int
	dies bool // it ends by a signal of its own
}

func attacks() (all []attack) {
	add := func(mode string, n int) {
		for i := range n {
			all = append(all, attack{mode: mode, arg: i})
		}
	}
	if mode := os.Getenv("HOSTILE"); mode != "" { // one kind, many times
		add(mode, 30)
		return all
	}
	add("truncate", 6)
	add("sizes", 15)
	add("ignored", 1)
	add("scribble", 3)
	add("swap", 1)
	add("flicker", 1)
	add("garbage", 4)
	add("rights", 1)
	add("bytes", 1)
	add("deaf", 1)
	add("fill", 3)
	add("litter", 1)
	add("swapdir", 1)
	for i := range 35 {
		all = append(all, attack{mode: "step", arg: i, dies: true})
	}
	return all
}

// TestHostileClient: whatever a client does to its socket, its files and the
// file system, the server lives, others are served meanwhile, and nothing is
// left: no file, no descriptor, no memory.
func TestHostileClient(t *testing.T) {
	if sandbox(t, "24m") {
		return
	}
	if err := os.WriteFile("/run/canary", []byte("alive"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("/run/canarydir", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("/run/canarydir/qb-request-echo-header", []byte("alive"), 0o600); err != nil {
		t.Fatal(err)
	}
	hostile, client := build(t, "hostile"), build(t, "echo_client")
	s := startEcho(t, qbipc.Options{Name: "echo", MaxQueue: 8 << 20, HandshakeTimeout: 2 * time.Second})
	s.do(func() { s.maxBurst = 200 })
	runClient(t, client, "echo", "check", "100", "100")
	waitEmpty(t, s)
	before := openFiles(t)
	stopOther, slowest := serveAnother(t)
	for _, a := range attacks() {
		start := time.Now()
		out, err := exec.Command(hostile, "echo", a.mode, strconv.Itoa(a.arg)).CombinedOutput()
		killed := false
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			killed = exit.Sys().(syscall.WaitStatus).Signaled()
		}
		if (err != nil) != a.dies || killed != a.dies {
			t.Errorf("%s %d: %v\n%s", a.mode, a.arg, err, out)
		}
		testwait.For(t, 10*time.Second, fmt.Sprintf("the end of %s %d", a.mode, a.arg), func() bool {
			return s.clients() == 1 && len(shmFolders(t)) == 1
		})
		if d := slowest(); d > 100*time.Millisecond {
			t.Logf("%s %d: an answer to the client next door took %v", a.mode, a.arg, d)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s %d took %v", a.mode, a.arg, d)
		}
	}
	stopOther()
	runClient(t, client, "echo", "check", "100", "100")
	waitEmpty(t, s)
	testwait.For(t, 10*time.Second, fmt.Sprintf("%d open files as before", before), func() bool { return openFiles(t) == before })
	for _, f := range []string{"/run/canary", "/run/canarydir/qb-request-echo-header"} {
		if b, err := os.ReadFile(f); err != nil || string(b) != "alive" {
			t.Errorf("%s was touched through a link: %q %v", f, b, err)
		}
	}
	if left, _ := os.ReadDir("/dev/shm"); len(left) != 0 {
		t.Errorf("left under /dev/shm: %v", left)
	}
}

// serveAnother is the client next door: it must get its answers all the time.
// slowest is the longest wait since the last look.
func serveAnother(t *testing.T) (stop func(), slowest func() time.Duration) {
	t.Helper()
	c := dial(t, "echo")
	done := make(chan struct{})
	var ended atomic.Bool
	var worst atomic.Int64
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		req := make([]byte, 1000)
		qbipc.PutRequestHeader(req, idEcho, len(req))
		n := 0
		for ; !ended.Load(); n++ {
			start := time.Now()
			if _, err := c.RequestInto(buf, req, nil, 5*time.Second); err != nil {
				t.Errorf("the client next door: %v", err)
				return
			}
			worst.Store(max(worst.Load(), int64(time.Since(start))))
		}
		t.Logf("the client next door got %d answers", n)
	}()
	stop = func() {
		ended.Store(true)
		<-done
		c.Close()
	}
	return stop, func() time.Duration { return time.Duration(worst.Swap(0)) }
}

// TestSilentFlood: thousands of clients that connect and say nothing keep
// nobody else out and are thrown out.
func TestSilentFlood(t *testing.T) {
	if sandbox(t, "64m") {
		return
	}
	s := startEcho(t, qbipc.Options{Name: "echo", HandshakeTimeout: 2 * time.Second})
	before := openFiles(t)
	hostile, client := build(t, "hostile"), build(t, "echo_client")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	flood := exec.CommandContext(ctx, hostile, "echo", "flood", "900")
	out, err := flood.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := flood.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 9)
	if _, err := out.Read(line); err != nil || string(line) != "flooding\n" {
		t.Fatalf("%q %v", line, err)
	}
	for range 5 {
		if out := runClient(t, client, "echo", "check", "10", "10"); out != "ok" {
			t.Error(out)
		}
	}
	testwait.For(t, 10*time.Second, "the silent ones to be thrown out", func() bool { return openFiles(t) <= before+3 })
	cancel()
	flood.Wait()
	waitEmpty(t, s)
}

// TestStrangersAreRefused: user nobody gets EACCES from the access check and
// the reason is logged as the original does.
func TestStrangersAreRefused(t *testing.T) {
	if sandbox(t, "64m") {
		return
	}
	setpriv := testneed.Program(t, "setpriv")
	client := build(t, "echo_client")
	// nobody must be able to reach the program.
	if err := os.Rename(client, "/dev/shm/echo_client"); err != nil {
		b, err := os.ReadFile(client)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("/dev/shm/echo_client", b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	granted := uint32(1 << 31)
	s := startEcho(t, qbipc.Options{Name: "echo"})
	s.do(func() {
		s.accept = func(p *qbipc.Peer) error {
			if p.UID == 0 || p.GID == 0 || p.UID == granted {
				return nil
			}
			return unix.EACCES
		}
	})
	asNobody := []string{"--reuid", "65534", "--regid", "65534", "--clear-groups", "/dev/shm/echo_client", "echo", "check", "500", "100"}
	out, err := exec.Command(setpriv, asNobody...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "Permission denied") {
		t.Errorf("nobody: %v %s", err, out)
	}
	if !strings.Contains(s.logged(), "Invalid IPC credentials (/dev/shm/qb-") {
		t.Error("the refusal was not logged")
	}
	s.do(func() { granted = 65534 })
	// With a grant the files belong to nobody and everything works.
	if out, err := exec.Command(setpriv, asNobody...).CombinedOutput(); err != nil || string(out) != "ok\n" {
		t.Errorf("nobody with a grant: %v %s", err, out)
	}
	waitEmpty(t, s)
}
