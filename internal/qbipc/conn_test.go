package qbipc

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/testwait"
	"golang.org/x/sys/unix"
)

// TestClientSeen: what a service knows of its client, and that it can drop it in
// the middle of a request.
func TestClientSeen(t *testing.T) {
	bothWires(t, func(t *testing.T, o Options) {
		o.MaxMsg = 8192
		ts := startServer(t, o)
		c := ts.dial()
		var stats, cleared ConnStats
		ts.do(func() {
			ts.message = func(c *Conn, _ []byte) bool {
				if c.PID() != uint32(os.Getpid()) || c.UID() != uint32(os.Getuid()) || c.GID() != uint32(os.Getgid()) {
					t.Errorf("process %d of user %d, group %d", c.PID(), c.UID(), c.GID())
				}
				if c.Handle() == 0 || c.Server() != ts.srv || c.Server().Name() != ts.name || c.MaxMsg() < 8192 {
					t.Errorf("handle %d, messages up to %d", c.Handle(), c.MaxMsg())
				}
				c.SetState("mine")
				stats = c.Stats()
				c.ClearStats()
				cleared = c.Stats()
				c.Close()
				c.Reply(make([]byte, ResponseHeaderSize), nil) // nobody is there
				c.Event(make([]byte, ResponseHeaderSize), nil)
				return c.State() == "mine"
			}
		})
		if _, err := c.Request(request(idEcho, nil), 10*time.Second); err == nil {
			t.Error("a dropped client was answered")
		}
		testwait.For(t, 5*time.Second, "the end of the client", func() bool { return ts.conns() == 0 })
		ts.do(func() {
			if stats.Requests != 1 || cleared.Requests != 0 {
				t.Errorf("%d requests, after clearing %d", stats.Requests, cleared.Requests)
			}
			if s := ts.srv.Stats(); s.Active != 0 || s.Closed != 1 || ts.closed != 1 {
				t.Errorf("%+v, %d told", s, ts.closed)
			}
			if ts.srv.ClearStats(); ts.srv.Stats().Closed != 0 {
				t.Error("not cleared")
			}
		})
	})
}

// TestTooLongForClient: what no client of that size can take is not sent, and said.
func TestTooLongForClient(t *testing.T) {
	bothWires(t, func(t *testing.T, o Options) {
		ts := startServer(t, o)
		c := ts.dial()
		ts.do(func() {
			ts.message = func(c *Conn, _ []byte) bool {
				long := make([]byte, c.MaxMsg())
				c.Event(make([]byte, ResponseHeaderSize), long)
				c.Reply(make([]byte, ResponseHeaderSize), long)
				hdr := make([]byte, ResponseHeaderSize)
				PutResponseHeader(hdr, idEcho, ResponseHeaderSize, 1)
				c.Reply(hdr, nil)
				return true
			}
		})
		if _, err := c.Request(request(idEcho, nil), 10*time.Second); err != nil {
			t.Errorf("the answer that fits: %v", err)
		}
		for _, what := range []string{"event", "answer"} {
			if !slices.ContainsFunc(ts.logged(), func(l string) bool { return strings.Contains(l, what+" of ") && strings.Contains(l, "not sent") }) {
				t.Errorf("nothing is said of the %s: %q", what, ts.logged())
			}
		}
	})
}

// TestFlowToTruncatedFile: flow control is a word in memory that the client can
// take away; it is then dropped, and the daemon goes on.
func TestFlowToTruncatedFile(t *testing.T) {
	ts := startServer(t, Options{Sockets: true})
	ts.dial()
	ts.do(func() {
		for c := range ts.srv.Conns() {
			if err := os.Truncate(filepath.Join(c.folder.path, "qb-control-"+ts.name), 0); err != nil {
				t.Error(err)
			}
		}
		ts.srv.SetRate(RateOff)
	})
	testwait.For(t, 5*time.Second, "the end of the client", func() bool { return ts.conns() == 0 })
	ts.do(func() { ts.srv.SetRate(RateNormal) })
	if _, err := ts.dial().Request(request(idEcho, nil), 10*time.Second); err != nil {
		t.Error(err)
	}
}

// TestNoFolder: without a place for its files a client is refused with the reason.
func TestNoFolder(t *testing.T) {
	bothWires(t, func(t *testing.T, o Options) {
		ts := startServer(t, o)
		if err := os.Remove(ts.dir); err != nil {
			t.Fatal(err)
		}
		if _, err := Dial(ts.name, DialOptions{Timeout: 10 * time.Second}); !errors.Is(err, unix.ENOENT) {
			t.Errorf("%v, want ENOENT", err)
		}
		if err := os.Mkdir(ts.dir, 0o755); err != nil {
			t.Fatal(err)
		}
		ts.dial()
	})
}

// refusing is a poller that cannot watch.
type refusing struct{ nopPoller }

func (refusing) Modify(int, uint32) error { return unix.ENOMEM }

// TestCannotWatch: a client that cannot be watched any more ends.
func TestCannotWatch(t *testing.T) {
	for _, mask := range []uint32{0, unix.EPOLLRDHUP | pollIn} { // the stream, the datagrams
		c, _ := fuzzConn(t)
		c.srv.o.Sockets, c.srv.poll, c.mask = true, refusing{}, mask
		c.wire = &socketConn{c: c, msgs: datagrams{fd: -1}, events: datagrams{fd: -1}}
		c.watch()
		if !c.dead {
			t.Errorf("mask %d: it lives", mask)
		}
		c.watch() // once more does no harm
		c.onStream(pollIn)
	}
}

// TestShortDatagram: a message longer than any that was agreed on is no message.
func TestShortDatagram(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])
	d := datagrams{fd: pair[1]}
	if err := unix.Send(pair[0], []byte("hello"), 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.recv(make([]byte, 4)); err != unix.ENOBUFS {
		t.Errorf("%v, want ENOBUFS", err)
	}
	if _, _, err := d.recv(make([]byte, 4)); err != unix.EAGAIN {
		t.Errorf("%v, want EAGAIN", err)
	}
	unix.Close(pair[0])
	if err := d.send([]byte("x"), nil); err != unix.ENOTCONN {
		t.Errorf("sent to nobody: %v, want ENOTCONN", err)
	}
}

// TestConnResponseRefused: what no server says.
func TestConnResponseRefused(t *testing.T) {
	var good [connResponseSize]byte
	(&connResponse{typ: SHM, maxMsg: 1 << 20, handle: 7, request: "/a", response: "/b", event: "/c"}).put(&good)
	if _, err := parseConnResponse(good[:]); err != nil {
		t.Fatal(err)
	}
	endless := bytes.Clone(good[:])
	for i := 40 + pathMax; i < 40+2*pathMax; i++ {
		endless[i] = 'x'
	}
	other := bytes.Clone(good[:])
	PutResponseHeader(other, 5, connResponseSize, 0)
	positive := bytes.Clone(good[:])
	PutResponseHeader(positive, msgAuthenticate, connResponseSize, 5)
	for name, b := range map[string][]byte{"short": good[:connResponseSize-1], "a path without end": endless, "another id": other, "a positive error": positive} {
		if r, err := parseConnResponse(b); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if _, _, _, ok := ResponseHeader(good[:ResponseHeaderSize-1]); ok {
		t.Error("a header of 23 bytes")
	}
}

// TestOutQueue: the queue gives back what was put in, in order, and counts it,
// however pushes and pops alternate.
func TestOutQueue(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	kept := &blocks{}
	q, other := outQueue{from: kept}, outQueue{from: kept}
	var want [][]byte
	for range 5000 {
		if rng.IntN(100) < 52 {
			hdr, body := []byte{byte(rng.Uint32())}, make([]byte, rng.IntN(9))
			switch rng.IntN(50) {
			case 0:
				body = bytes.Repeat(hdr, 1+rng.IntN(100000))
			case 1:
				body = bytes.Repeat(hdr, blockMax-lengthSize+rng.IntN(3)-2)
				other.push(hdr, body) // and is forgotten: its block serves the first queue
				other.drop()
			}
			q.push(hdr, body)
			want = append(want, append(hdr, body...))
		} else if len(want) > 0 {
			if !bytes.Equal(q.first(), want[0]) {
				t.Fatalf("%x, want %x", q.first(), want[0])
			}
			q.pop()
			want = want[1:]
		}
		cost := int64(0)
		for _, m := range want {
			cost += int64(len(m)) + queueItemCost
		}
		if q.empty() != (len(want) == 0) || q.bytes != cost {
			t.Fatalf("empty %v, %d bytes; want %d messages of %d bytes", q.empty(), q.bytes, len(want), cost)
		}
		if kept.bytes > blocksKept {
			t.Fatalf("%d bytes of free blocks, at most %d", kept.bytes, blocksKept)
		}
	}
}

// TestOutQueueAllocatesNothing: messages that wait again and again use the same memory.
func TestOutQueueAllocatesNothing(t *testing.T) {
	q, body := outQueue{from: &blocks{}}, make([]byte, 1024)
	wait := func() {
		for range 500 {
			q.push(nil, body)
		}
		for !q.empty() {
			q.pop()
		}
	}
	wait()
	if n := testing.AllocsPerRun(20, wait); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
