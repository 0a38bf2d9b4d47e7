package qbipc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/loop"
	"github.com/pacesync/pacesync/internal/testwait"
	"golang.org/x/sys/unix"
)

// Ids of the test service.
const (
	idEcho   = 1 // answers with the same bytes behind a response header
	idEvents = 2 // u32 count @16, u32 size @20: sends events, answers first
	idSilent = 3 // no answer
)

var testNames atomic.Uint32

// testServer runs a Server on its own loop.
type testServer struct {
	t    testing.TB
	loop *loop.Loop
	srv  *Server
	name string
	dir  string

	// Owned by the loop.
	accept  func(p *Peer) error
	message func(c *Conn, msg []byte) bool
	opened  int
	closed  int
	hdr     [ResponseHeaderSize + 8]byte

	mu  sync.Mutex
	log []string
}

func startServer(t testing.TB, o Options) *testServer {
	t.Helper()
	l, err := loop.New()
	if err != nil {
		t.Fatal(err)
	}
	// Short names: in the socket variant they must fit into an address.
	dir, err := os.MkdirTemp("", "qb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ts := &testServer{t: t, loop: l, dir: dir, name: fmt.Sprintf("t%d-%d", os.Getpid(), testNames.Add(1))}
	o.Name, o.Handler, o.ShmDir = ts.name, ts, ts.dir
	o.Log = func(level Level, text string) {
		ts.mu.Lock()
		ts.log = append(ts.log, fmt.Sprintf("%d %s", level, text))
		ts.mu.Unlock()
	}
	if ts.srv, err = NewServer(OnLoop(l), o); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- l.Run() }()
	t.Cleanup(func() {
		ts.do(ts.srv.Close)
		l.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		l.Close()
		if left := ts.files(); len(left) != 0 {
			t.Errorf("files left: %v", left)
		}
		if t.Failed() {
			t.Log(strings.Join(ts.logged(), "\n"))
		}
	})
	return ts
}

// do runs fn on the loop and waits for it.
func (ts *testServer) do(fn func()) {
	done := make(chan struct{})
	ts.loop.Post(func() { fn(); close(done) })
	<-done
}

func (ts *testServer) logged() []string {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return append([]string(nil), ts.log...)
}

func (ts *testServer) hasLogged(text string) bool {
	return strings.Contains(strings.Join(ts.logged(), "\n"), text)
}

func (ts *testServer) files() (names []string) {
	dirs, err := os.ReadDir(ts.dir)
	if err != nil {
		ts.t.Fatal(err)
	}
	for _, d := range dirs {
		names = append(names, d.Name())
	}
	return names
}

func (ts *testServer) conns() (n int) {
	ts.do(func() { n = len(ts.srv.conns) })
	return n
}

func (ts *testServer) dial() *Client {
	ts.t.Helper()
	c, err := Dial(ts.name, DialOptions{Timeout: 10 * time.Second})
	if err != nil {
		ts.t.Fatal(err)
	}
	ts.t.Cleanup(func() { c.Close() })
	return c
}

func (ts *testServer) Accept(p *Peer) error {
	if ts.accept != nil {
		return ts.accept(p)
	}
	return nil
}
func (ts *testServer) Opened(*Conn) { ts.opened++ }
func (ts *testServer) Closed(*Conn) { ts.closed++ }

func (ts *testServer) Message(c *Conn, msg []byte) bool {
	if ts.message != nil {
		return ts.message(c, msg)
	}
	id, _, _ := RequestHeader(msg)
	switch id {
	case idEcho:
		hdr := ts.hdr[:ResponseHeaderSize]
		PutResponseHeader(hdr, idEcho, len(hdr)+len(msg)-RequestHeaderSize, 1)
		c.Reply(hdr, msg[RequestHeaderSize:])
	case idEvents:
		n, size := binary.LittleEndian.Uint32(msg[16:]), binary.LittleEndian.Uint32(msg[20:])
		hdr := ts.hdr[:]
		PutResponseHeader(hdr, idEvents, ResponseHeaderSize, 1)
		c.Reply(hdr[:ResponseHeaderSize], nil)
		body := make([]byte, size)
		for i := range n {
			PutResponseHeader(hdr, idEvents, len(hdr)+len(body), 1)
			binary.LittleEndian.PutUint64(hdr[ResponseHeaderSize:], uint64(i))
			c.Event(hdr, body)
		}
	}
	return true
}

// request builds a request with a body.
func request(id int32, body []byte) []byte {
	m := make([]byte, RequestHeaderSize+len(body))
	PutRequestHeader(m, id, len(m))
	copy(m[RequestHeaderSize:], body)
	return m
}

func askEvents(n, size uint32) []byte {
	b := make([]byte, 8)
	binary.LittleEndian.PutUint32(b, n)
	binary.LittleEndian.PutUint32(b[4:], size)
	return request(idEvents, b)
}

// bothWires runs a test over shared memory and over sockets.
func bothWires(t *testing.T, test func(t *testing.T, o Options)) {
	t.Run("shm", func(t *testing.T) { test(t, Options{}) })
	t.Run("socket", func(t *testing.T) { test(t, Options{Sockets: true}) })
}

func TestRequestAndReply(t *testing.T) {
	bothWires(t, func(t *testing.T, o Options) {
		ts := startServer(t, o)
		c := ts.dial()
		sizes := []int{0, 1, 3, 4, 5, 1000, 100_000}
		if !o.Sockets {
			sizes = append(sizes, c.MaxMsg()-ResponseHeaderSize-4, c.MaxMsg()-ResponseHeaderSize)
		}
		for range 30 {
			for _, n := range sizes {
				body := bytes.Repeat([]byte{byte(n), 0x5a}, n/2+1)[:n]
				res, err := c.Request(request(idEcho, body), 10*time.Second)
				if err != nil {
					t.Fatalf("%d bytes: %v", n, err)
				}
				if id, size, code, ok := ResponseHeader(res); !ok || id != idEcho || int(size) != len(res) || code != 1 {
					t.Fatalf("%d bytes: header %d %d %d of %d", n, id, size, code, len(res))
				}
				if !bytes.Equal(res[ResponseHeaderSize:], body) {
					t.Fatalf("%d bytes came back changed", n)
				}
			}
		}
		if _, err := c.Request(make([]byte, c.MaxMsg()+1), time.Second); !errors.Is(err, unix.EMSGSIZE) {
			t.Errorf("too long a request: %v, want EMSGSIZE", err)
		}
		c.Close()
		testwait.For(t, 5*time.Second, "the end of the connection", func() bool { return ts.conns() == 0 && len(ts.files()) == 0 })
		if ts.opened != 1 || ts.closed != 1 {
			t.Errorf("opened %d, closed %d", ts.opened, ts.closed)
		}
	})
}

// TestEventsAreNeverDropped: far more events than the ring holds reach a client
// that reads late, in order, and the statistics tell of the queue.
func TestEventsAreNeverDropped(t *testing.T) {
	bothWires(t, func(t *testing.T, o Options) {
		ts := startServer(t, o)
		c := ts.dial()
		const n, size = 3000, 2000
		if _, err := c.Request(askEvents(n, size), 10*time.Second); err != nil {
			t.Fatal(err)
		}
		testwait.For(t, 5*time.Second, "a queue", func() (ok bool) {
			ts.do(func() { ok = ts.srv.conns[0].Stats().Queueing })
			return ok
		})
		for i := range uint64(n) {
			ev, err := c.Recv(10 * time.Second)
			if err != nil {
				t.Fatalf("event %d: %v", i, err)
			}
			if got := binary.LittleEndian.Uint64(ev[ResponseHeaderSize:]); got != i || len(ev) != 32+size {
				t.Fatalf("event %d has number %d and %d bytes", i, got, len(ev))
			}
			if i%500 == 0 { // requests and events are independent
				if _, err := c.Request(request(idEcho, nil), 10*time.Second); err != nil {
					t.Fatal(err)
				}
			}
		}
		testwait.For(t, 5*time.Second, "an empty queue", func() (ok bool) {
			ts.do(func() {
				s := ts.srv.conns[0].Stats()
				ok = !s.Queueing && s.Queued == 0 && s.QueuedBytes == 0 && s.Events == n
			})
			return ok
		})
		if !ts.hasLogged("Q empty, queued:0 sent:") {
			t.Error("the end of queueing was not logged")
		}
	})
}

func TestSlowReaderIsDroppedAtItsLimit(t *testing.T) {
	bothWires(t, func(t *testing.T, o Options) {
		o.MaxQueue = 4 << 20
		ts := startServer(t, o)
		slow, good := ts.dial(), ts.dial()
		for range 10 {
			if err := slow.Send(askEvents(100, 10_000)); err != nil {
				break
			}
		}
		testwait.For(t, 5*time.Second, "the slow client's end", func() bool { return ts.conns() == 1 })
		if !ts.hasLogged("it does not read") {
			t.Error("the reason was not logged")
		}
		if _, err := good.Request(request(idEcho, nil), 10*time.Second); err != nil {
			t.Errorf("the other client: %v", err)
		}
		for {
			_, err := slow.Recv(10 * time.Second)
			if errors.Is(err, unix.ENOTCONN) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestCrowdedClientSendsLess: while many events wait for a client, what it sends
// with limit 2 is refused, and nothing else.
func TestCrowdedClientSendsLess(t *testing.T) {
	bothWires(t, func(t *testing.T, o Options) {
		o.Crowded = 4 << 20
		ts := startServer(t, o)
		c, other := ts.dial(), ts.dial()
		for range 7 {
			if err := c.Send(askEvents(100, 10_000)); err != nil {
				t.Fatal(err)
			}
		}
		level := func(c *Client, limit int32) error {
			c.SetFlowControlMax(limit)
			return c.Send(request(idSilent, nil))
		}
		testwait.For(t, 5*time.Second, "it to be crowded", func() bool { return errors.Is(level(c, 2), unix.EAGAIN) })
		if err := level(c, 1); err != nil {
			t.Errorf("with limit 1: %v", err)
		}
		if err := level(other, 2); err != nil {
			t.Errorf("the other client: %v", err)
		}
		for range 700 {
			if _, err := c.Recv(10 * time.Second); err != nil {
				t.Fatal(err)
			}
		}
		testwait.For(t, 5*time.Second, "it to be crowded no more", func() bool { return level(c, 2) == nil })
	})
}

// TestUnreadReplies: a client that asks and never reads the answers is not
// served any more, and gets all answers once it reads.
func TestUnreadReplies(t *testing.T) {
	ts := startServer(t, Options{})
	c := ts.dial()
	body := make([]byte, 100_000)
	sent := 0
	for sent < 15 {
		binary.LittleEndian.PutUint32(body, uint32(sent))
		if err := c.Send(request(idEcho, body)); err == nil {
			sent++
		} else if !errors.Is(err, unix.EAGAIN) {
			t.Fatal(err)
		}
	}
	testwait.For(t, 5*time.Second, "a waiting answer", func() (ok bool) {
		ts.do(func() { ok = !ts.srv.conns[0].replies.empty() })
		return ok
	})
	c.reqMu.Lock()
	defer c.reqMu.Unlock()
	buf := make([]byte, c.MaxMsg())
	for i := range uint32(sent) {
		if _, err := c.nextReply(buf, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		if got := binary.LittleEndian.Uint32(buf[ResponseHeaderSize:]); got != i {
			t.Fatalf("answer %d is that of request %d", i, got)
		}
	}
	c.owed = 0
}

func TestFlowControl(t *testing.T) {
	bothWires(t, func(t *testing.T, o Options) {
		ts := startServer(t, o)
		c := ts.dial()
		ts.do(func() { ts.srv.SetRate(RateOff) })
		if _, err := c.Request(request(idEcho, nil), time.Second); !errors.Is(err, unix.EAGAIN) {
			t.Errorf("at level 1: %v, want EAGAIN", err)
		}
		ts.do(func() { ts.srv.SetRate(RateOff2) })
		if _, err := c.Request(request(idEcho, []byte{1}), 20*time.Millisecond); !errors.Is(err, unix.ETIMEDOUT) {
			t.Errorf("at level 2: %v, want ETIMEDOUT", err)
		}
		c.SetFlowControlMax(2)
		if err := c.Send(request(idSilent, nil)); !errors.Is(err, unix.EAGAIN) {
			t.Errorf("at level 2 with limit 2: %v, want EAGAIN", err)
		}
		late := ts.dial() // comes while it is on
		if err := late.Send(request(idSilent, nil)); err != nil {
			t.Errorf("new client at level 2: %v", err)
		}
		var served uint64
		ts.do(func() {
			for c := range ts.srv.Conns() {
				served += c.Stats().Requests
			}
		})
		if served != 0 {
			t.Errorf("%d requests served under flow control", served)
		}
		ts.do(func() { ts.srv.SetRate(RateFast) })
		// The late answer of the first request is not taken for this one's.
		res, err := c.Request(request(idEcho, []byte{2}), 10*time.Second)
		if err != nil || res[ResponseHeaderSize] != 2 {
			t.Errorf("after flow control: %v %v", res, err)
		}
		var count uint64
		ts.do(func() {
			for c := range ts.srv.Conns() {
				count = max(count, c.Stats().FlowControlCount)
			}
		})
		if count != 3 {
			t.Errorf("%d flow control changes, want 3", count)
		}
	})
}

// TestBatches: with many requests waiting, the number served in one turn
// follows the rate.
func TestBatches(t *testing.T) {
	for _, tc := range []struct {
		rate Rate
		want int
	}{{RateSlow, 1}, {RateNormal, 5}, {RateFast, 50}} {
		ts := startServer(t, Options{})
		c := ts.dial()
		ts.do(func() { ts.srv.SetRate(RateOff2) })
		for range 60 {
			if err := c.Send(request(idSilent, nil)); err != nil {
				t.Fatal(err)
			}
		}
		turn, most := 0, 0
		inTurn := map[int]int{}
		ts.do(func() {
			ts.message = func(*Conn, []byte) bool { inTurn[turn]++; return true }
			ts.loop.EachTurn(func() bool { most = max(most, inTurn[turn]); turn++; return false })
			ts.srv.SetRate(tc.rate)
		})
		testwait.For(t, 5*time.Second, "all requests", func() (ok bool) {
			ts.do(func() { ok = ts.srv.conns[0].Stats().Requests == 60 && ts.srv.conns[0].owed == 0 })
			return ok
		})
		ts.do(func() {
			if most != tc.want {
				t.Errorf("rate %d: %d in one turn, want %d", tc.rate, most, tc.want)
			}
		})
	}
}

func TestRefusal(t *testing.T) {
	bothWires(t, func(t *testing.T, o Options) {
		for _, e := range []unix.Errno{unix.EACCES, unix.EAGAIN, unix.EMFILE} {
			t.Run(unix.ErrnoName(e), func(t *testing.T) {
				ts := startServer(t, o)
				ts.do(func() { ts.accept = func(*Peer) error { return e } })
				if _, err := Dial(ts.name, DialOptions{}); !errors.Is(err, e) {
					t.Errorf("got %v, want %v", err, e)
				}
				if ts.opened != 0 || ts.closed != 0 {
					t.Errorf("opened %d, closed %d", ts.opened, ts.closed)
				}
			})
		}
	})
	ts := startServer(t, Options{MaxMsgLimit: 1 << 20})
	if _, err := Dial(ts.name, DialOptions{MaxMsg: 2 << 20}); !errors.Is(err, unix.EMSGSIZE) {
		t.Errorf("too large a request: %v, want EMSGSIZE", err)
	}
}

func TestPeerCredentials(t *testing.T) {
	ts := startServer(t, Options{})
	var got Peer
	ts.do(func() { ts.accept = func(p *Peer) error { got = *p; return nil } })
	c := ts.dial()
	ts.do(func() {})
	if got.PID != uint32(os.Getpid()) || got.UID != uint32(os.Getuid()) || got.GID != uint32(os.Getgid()) {
		t.Errorf("peer %+v", got)
	}
	if c.ServerPID() != os.Getpid() {
		t.Errorf("server is process %d", c.ServerPID())
	}
}

func TestNameTaken(t *testing.T) {
	ts := startServer(t, Options{})
	_, err := NewServer(OnLoop(ts.loop), Options{Name: ts.name, Handler: ts})
	if !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), ts.name) {
		t.Errorf("second server: %v", err)
	}
}

// TestServerEnds: clients see ENOTCONN and nothing is left.
func TestServerEnds(t *testing.T) {
	bothWires(t, func(t *testing.T, o Options) {
		ts := startServer(t, o)
		c := ts.dial()
		ts.do(ts.srv.Close)
		if _, err := c.Request(request(idEcho, nil), 10*time.Second); !errors.Is(err, unix.ENOTCONN) {
			t.Errorf("request: %v", err)
		}
		if _, err := c.Recv(10 * time.Second); !errors.Is(err, unix.ENOTCONN) {
			t.Errorf("event: %v", err)
		}
		if ts.closed != 1 {
			t.Errorf("closed %d", ts.closed)
		}
	})
}

// TestCloseWakesWaiters: Close ends a Recv and a Request that wait for ever.
func TestCloseWakesWaiters(t *testing.T) {
	bothWires(t, func(t *testing.T, o Options) {
		ts := startServer(t, o)
		c := ts.dial()
		errs := make(chan error, 2)
		go func() { _, err := c.Recv(-1); errs <- err }()
		go func() { _, err := c.Request(request(idSilent, nil), -1); errs <- err }()
		testwait.For(t, 5*time.Second, "the request", func() (ok bool) {
			ts.do(func() { ok = ts.srv.conns[0].Stats().Requests == 1 })
			return ok
		})
		c.Close()
		for range 2 {
			if err := <-errs; !errors.Is(err, unix.ENOTCONN) {
				t.Errorf("got %v, want ENOTCONN", err)
			}
		}
	})
}

// TestSteadyStateAllocatesNothing: neither side allocates per request or event.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	bothWires(t, func(t *testing.T, o Options) {
		ts := startServer(t, o)
		c := ts.dial()
		req, buf := request(idEcho, make([]byte, 100)), make([]byte, 4096)
		allocs := testing.AllocsPerRun(200, func() {
			if _, err := c.RequestInto(buf, req, nil, 10*time.Second); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("a request allocates %v times", allocs)
		}
		ts.do(func() {
			ts.message = func(c *Conn, _ []byte) bool {
				PutResponseHeader(ts.hdr[:], 7, len(ts.hdr), 1)
				c.Event(ts.hdr[:], nil)
				return true
			}
		})
		silent := request(idSilent, nil)
		allocs = testing.AllocsPerRun(200, func() {
			if err := c.Send(silent); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Recv(10 * time.Second); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("an event allocates %v times", allocs)
		}
	})
}
