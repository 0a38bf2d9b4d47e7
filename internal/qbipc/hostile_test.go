package qbipc

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/testwait"
	"golang.org/x/sys/unix"
)

// What needs a hostile client in a process of its own is in test/ipc.

// TestTruncatedControlFile: in the socket variant the shared file is small, and
// as little to be relied on.
func TestTruncatedControlFile(t *testing.T) {
	ts := startServer(t, Options{Sockets: true})
	bad, good := ts.dial(), ts.dial()
	var file string
	ts.do(func() {
		for c := range ts.srv.Conns() {
			if c.Handle() == min(ts.srv.conns[0].handle, ts.srv.conns[1].handle) {
				file = filepath.Join(c.folder.path, "qb-control-"+ts.name)
			}
		}
	})
	if err := os.Truncate(file, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := bad.Request(request(idEcho, nil), time.Second); !errors.Is(err, ErrFault) {
		t.Errorf("the client itself: %v, want ErrFault", err)
	}
	// The datagram gets the server to look at the file.
	if err := bad.wire.(*socketWire).msgs.send(request(idEcho, nil), nil); err != nil {
		t.Fatal(err)
	}
	testwait.For(t, 5*time.Second, "the end of the client", func() bool { return ts.conns() == 1 })
	if _, err := good.Request(request(idEcho, nil), 10*time.Second); err != nil {
		t.Errorf("the other client: %v", err)
	}
}

// TestSentDescriptors: descriptors that come along with messages do not stay.
func TestSentDescriptors(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	count := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	if err := unix.SetsockoptInt(pair[1], unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		t.Fatal(err)
	}
	for _, creds := range []bool{true, false} {
		d := datagrams{fd: pair[1], creds: creds}
		before := count()
		if err := unix.Sendmsg(pair[0], []byte("hello"), unix.UnixRights(0, 1, 2), nil, 0); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 10)
		n, uid, err := d.recv(buf)
		want := int64(-1)
		if creds {
			want = int64(os.Getuid())
		}
		if err != nil || string(buf[:n]) != "hello" || uid != want {
			t.Errorf("%q from %d, %v; want user %d", buf[:n], uid, err, want)
		}
		if after := count(); after != before {
			t.Errorf("creds %v: %d descriptors stayed", creds, after-before)
		}
	}
	unix.Close(pair[1])
}

func TestTooManyClients(t *testing.T) {
	ts := startServer(t, Options{MaxConns: 2})
	first := ts.dial()
	ts.dial()
	if _, err := Dial(ts.name, DialOptions{}); !errors.Is(err, unix.EMFILE) {
		t.Errorf("third client: %v, want EMFILE", err)
	}
	first.Close()
	testwait.For(t, 5*time.Second, "room", func() bool { return ts.conns() == 1 })
	ts.dial()
}

// TestStrayBytes: bytes in the stream without requests wake the server for
// nothing; it puts up with some and drops a client that sends many.
func TestStrayBytes(t *testing.T) {
	bothWires(t, func(t *testing.T, o Options) {
		ts := startServer(t, o)
		c := ts.dial()
		junk := make([]byte, maxStrayBytes)
		if _, err := unix.Write(c.sock, junk); err != nil {
			t.Fatal(err)
		}
		testwait.For(t, 5*time.Second, "the bytes to be eaten", func() (ok bool) {
			ts.do(func() { ok = ts.srv.conns[0].stray == len(junk) })
			return ok
		})
		if _, err := c.Request(request(idEcho, nil), 10*time.Second); err != nil {
			t.Errorf("request: %v", err)
		}
		if _, err := unix.Write(c.sock, junk); err != nil {
			t.Fatal(err)
		}
		testwait.For(t, 5*time.Second, "the end of the client", func() bool { return ts.conns() == 0 })
	})
}

// TestNoise: what clients can make the server log is limited per second.
func TestNoise(t *testing.T) {
	var lines []string
	n := noise{log: func(_ Level, text string) { lines = append(lines, text) }}
	now := time.Unix(100, 0)
	for range 50 {
		n.say(now, LogError, "refused")
	}
	n.say(now, LogWarning, "other")
	n.say(now.Add(time.Second), LogError, "refused")
	if len(lines) != noisePerSecond+3 || lines[noisePerSecond+1] != "30 more messages about clients were suppressed" {
		t.Errorf("%d lines: %q", len(lines), lines[noisePerSecond:])
	}
}
