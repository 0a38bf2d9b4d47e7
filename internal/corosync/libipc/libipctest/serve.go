// Package libipctest is a scripted daemon for tests of client libraries: a
// service whose answers the test writes, over the real transport.
package libipctest

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/loop"
	"github.com/pacesync/pacesync/internal/qbipc"
)

// Service answers one kind of client. Its functions run on the service's loop.
type Service struct {
	// Accept decides about a client; nil takes everybody.
	Accept func(p *qbipc.Peer) error
	// Message serves one request, whose id is its first word.
	Message func(c *qbipc.Conn, id int32, msg []byte)
}

type handler struct{ s Service }

func (h handler) Accept(p *qbipc.Peer) error {
	if h.s.Accept == nil {
		return nil
	}
	return h.s.Accept(p)
}

func (h handler) Opened(*qbipc.Conn) {}
func (h handler) Closed(*qbipc.Conn) {}

func (h handler) Message(c *qbipc.Conn, msg []byte) bool {
	id, _, _ := qbipc.RequestHeader(msg)
	h.s.Message(c, id, msg)
	return true
}

var names atomic.Uint32

// Daemon is a running Service.
type Daemon struct {
	Name string // of the socket
	loop *loop.Loop
	srv  *qbipc.Server
}

// Serve starts the service under a name of its own; it ends with the test.
func Serve(t testing.TB, s Service) *Daemon {
	t.Helper()
	l, err := loop.New()
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{Name: fmt.Sprintf("lt%d-%d", os.Getpid(), names.Add(1)), loop: l}
	if d.srv, err = qbipc.NewServer(qbipc.OnLoop(l), qbipc.Options{Name: d.Name, Handler: handler{s}, ShmDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- l.Run() }()
	t.Cleanup(func() {
		d.Do(d.srv.Close)
		l.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		l.Close()
	})
	return d
}

// Do runs fn on the loop and waits for it.
func (d *Daemon) Do(fn func()) {
	done := make(chan struct{})
	d.loop.Post(func() { fn(); close(done) })
	<-done
}

// Event sends an event to every client.
func (d *Daemon) Event(msg []byte) {
	d.Do(func() {
		for c := range d.srv.Conns() {
			c.Event(msg, nil)
		}
	})
}

// Shut ends all connections, as a dying daemon does.
func (d *Daemon) Shut() { d.Do(d.srv.Close) }
