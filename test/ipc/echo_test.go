package ipc

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/loop"
	"github.com/pacesync/pacesync/internal/qbipc"
	"github.com/pacesync/pacesync/internal/testneed"
)

// Ids of the test service, see c/echo.h.
const (
	idEcho   = 1
	idEvents = 2
	idSilent = 3
	idFlood  = 4
)

// build compiles a program of c/ and returns its path.
func build(t testing.TB, name string) string {
	t.Helper()
	gcc := testneed.Program(t, "gcc")
	testneed.File(t, "/usr/include/qb/qbipcc.h")
	bin := filepath.Join(t.TempDir(), name)
	out, err := exec.Command(gcc, "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", bin, "c/"+name+".c", "-lqb", "-lpthread").CombinedOutput()
	if err != nil || len(out) != 0 {
		t.Fatalf("gcc %s: %v\n%s", name, err, out)
	}
	return bin
}

// echoServer is the test service on our server.
type echoServer struct {
	loop   *loop.Loop
	srv    *qbipc.Server
	accept func(*qbipc.Peer) error
	done   chan error
	hdr    [qbipc.ResponseHeaderSize + 8]byte
	body   []byte
	burst  burst
	// maxBurst bounds a burst where the request for it may be garbage: a hostile
	// client can make its ring look empty for ever. 0: no bound.
	maxBurst uint64

	mu  sync.Mutex
	log []string
}

// burst is what remains of a request for events.
type burst struct {
	c         *qbipc.Conn
	next, end uint64
}

// startEcho serves on a loop of its own until stop.
func startEcho(t testing.TB, o qbipc.Options) *echoServer {
	t.Helper()
	l, err := loop.New()
	if err != nil {
		t.Fatal(err)
	}
	s := &echoServer{loop: l, done: make(chan error, 1), maxBurst: 10_000}
	o.Handler = s
	o.Log = func(level qbipc.Level, text string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.log = append(s.log, fmt.Sprintf("%d %s", level, text))
	}
	if s.srv, err = qbipc.NewServer(qbipc.OnLoop(l), o); err != nil {
		t.Fatal(err)
	}
	l.EachTurn(s.sendEvents)
	go func() { s.done <- l.Run() }()
	t.Cleanup(func() {
		s.do(s.srv.Close)
		l.Stop()
		if err := <-s.done; err != nil {
			t.Error(err)
		}
		l.Close()
		if t.Failed() {
			t.Log("server:\n" + s.logged())
		}
	})
	return s
}

func (s *echoServer) do(fn func()) {
	done := make(chan struct{})
	s.loop.Post(func() { fn(); close(done) })
	<-done
}

func (s *echoServer) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.log, "\n")
}

func (s *echoServer) clients() (n int) {
	s.do(func() { n = int(s.srv.Stats().Active) })
	return n
}

func (s *echoServer) Accept(p *qbipc.Peer) error {
	if s.accept != nil {
		return s.accept(p)
	}
	return nil
}
func (s *echoServer) Opened(*qbipc.Conn) {}
func (s *echoServer) Closed(c *qbipc.Conn) {
	if s.burst.c == c {
		s.burst = burst{}
	}
}

func (s *echoServer) Message(c *qbipc.Conn, msg []byte) bool {
	id, _, _ := qbipc.RequestHeader(msg)
	hdr := s.hdr[:qbipc.ResponseHeaderSize]
	switch id {
	case idEcho:
		qbipc.PutResponseHeader(hdr, id, len(hdr)+len(msg)-qbipc.RequestHeaderSize, 1)
		c.Reply(hdr, msg[qbipc.RequestHeaderSize:])
	case idFlood:
		for range min(binary.LittleEndian.Uint32(msg[16:]), 1000) {
			qbipc.PutResponseHeader(hdr, id, len(hdr)+5000, 1)
			c.Event(hdr, make([]byte, 5000))
		}
	case idEvents:
		qbipc.PutResponseHeader(hdr, id, len(hdr), 1)
		c.Reply(hdr, nil)
		if len(msg) < 24 {
			return true
		}
		s.burst = burst{c: c, end: uint64(binary.LittleEndian.Uint32(msg[16:]))}
		if s.maxBurst > 0 {
			s.burst.end = min(s.burst.end, s.maxBurst)
		}
		s.body = make([]byte, min(binary.LittleEndian.Uint32(msg[20:]), 1<<20))
		s.sendEvents()
	}
	return true
}

// sendEvents goes on with a burst while the client's ring has room, so that a
// throughput test measures the ring and not the queue in memory.
func (s *echoServer) sendEvents() (more bool) {
	b := &s.burst
	for b.c != nil && b.next < b.end && !b.c.Stats().Queueing {
		qbipc.PutResponseHeader(s.hdr[:], idEvents, len(s.hdr)+len(s.body), 1)
		binary.LittleEndian.PutUint64(s.hdr[qbipc.ResponseHeaderSize:], b.next)
		fill(s.body, byte(b.next))
		b.c.Event(s.hdr[:], s.body)
		b.next++
	}
	return false
}

// startOriginalEcho runs the C server.
func startOriginalEcho(t testing.TB, name, typ string) {
	t.Helper()
	cmd := exec.Command(build(t, "echo_server"), name, typ)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("echo_server: %q %v", line, err)
	}
}

func runClient(t testing.TB, bin string, args ...string) string {
	t.Helper()
	cmd := exec.Command(bin, args...)
	cmd.Env = append(os.Environ(), "LARGEST="+os.Getenv("LARGEST_ECHO"))
	if os.Getenv("LARGEST_ECHO") == "" {
		cmd.Env = os.Environ()
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", filepath.Base(bin), args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestOriginalClient: an unchanged libqb client echoes messages of every size
// and reads more events than its ring holds, from our server.
func TestOriginalClient(t *testing.T) {
	for _, typ := range []string{"shm", "socket"} {
		t.Run(typ, func(t *testing.T) {
			if sandbox(t, "64m") {
				return
			}
			if typ == "socket" {
				t.Setenv("LARGEST_ECHO", "100000")
			}
			s := startEcho(t, qbipc.Options{Name: "echo", Sockets: typ == "socket"})
			bin := build(t, "echo_client")
			for range 3 {
				if out := runClient(t, bin, "echo", "check", "4000", "1500"); out != "ok" {
					t.Error(out)
				}
			}
			waitEmpty(t, s)
		})
	}
}

// TestOriginalServer: our client does the same with an unchanged libqb server.
func TestOriginalServer(t *testing.T) {
	for _, typ := range []string{"shm", "socket"} {
		t.Run(typ, func(t *testing.T) {
			if sandbox(t, "64m") {
				return
			}
			startOriginalEcho(t, "echo", typ)
			c := dial(t, "echo")
			largest := c.MaxMsg() - qbipc.ResponseHeaderSize
			if typ == "socket" {
				largest = 100_000
			}
			for n := 0; n < 3*largest; n = n*2 + 1 {
				size := min(n, largest)
				body := bytes.Repeat([]byte{byte(n >> 3)}, size)
				req := make([]byte, qbipc.RequestHeaderSize+size)
				qbipc.PutRequestHeader(req, idEcho, len(req))
				copy(req[qbipc.RequestHeaderSize:], body)
				res, err := c.Request(req, 10*time.Second)
				if err != nil || !bytes.Equal(res[qbipc.ResponseHeaderSize:], body) {
					t.Fatalf("%d bytes: %v", size, err)
				}
			}
			req := make([]byte, 24)
			qbipc.PutRequestHeader(req, idEvents, len(req))
			binary.LittleEndian.PutUint32(req[16:], 4000)
			binary.LittleEndian.PutUint32(req[20:], 1500)
			if _, err := c.Request(req, 10*time.Second); err != nil {
				t.Fatal(err)
			}
			for i := range uint64(4000) {
				ev, err := c.Recv(10 * time.Second)
				if err != nil || len(ev) != 32+1500 || binary.LittleEndian.Uint64(ev[24:]) != i || ev[1531] != byte(i) {
					t.Fatalf("event %d: %v, %d bytes", i, err, len(ev))
				}
			}
		})
	}
}

// fill is C's memset.
func fill(b []byte, v byte) {
	for n := copy(b, []byte{v}); n > 0 && n < len(b); {
		n += copy(b[n:], b[:n])
	}
}
