package crmipc

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/loop"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/qbipc"
	"github.com/pacesync/pacesync/internal/xmltree"
)

const (
	// queueMax is how many events may wait for a client that reads slowly before
	// it is in danger of eviction (ipc_server.c: PCMK_IPC_DEFAULT_QUEUE_MAX).
	queueMax = 500
	// backlogLook is how often queues are looked at: a client is evicted when its
	// queue is above the limit twice running and has not shrunk in between.
	backlogLook = time.Second
)

// EventKind says what an Event tells.
type EventKind uint8

const (
	// Connected: Client is new.
	Connected EventKind = iota + 1
	// Message: Client sent the request XML, with ID and Flags.
	Message
	// Disconnected: Client is gone; what is sent to it goes nowhere.
	Disconnected
)

// Event is what a server tells the daemon's loop. XML belongs to the receiver.
type Event struct {
	Kind   EventKind
	Client *Client
	ID     uint32
	Flags  Flags
	XML    *xmltree.Node
}

// Ack acknowledges a request with a status, if its sender waits for an answer
// (ipc_server.c: pcmk__ipc_send_ack).
func (e Event) Ack(status pcmk.Exit) { e.AckAs("ack", "", status) }

// Nack is Ack with the element that says no.
func (e Event) Nack(status pcmk.Exit) { e.AckAs("nack", "", status) }

// AckAs is Ack with a choice of element and, if not empty, a protocol version.
func (e Event) AckAs(tag, version string, status pcmk.Exit) {
	if e.Flags&WantReply != 0 {
		e.Client.send(e.ID, ackXML(tag, version, status), e.Flags)
	}
}

func ackXML(tag, version string, status pcmk.Exit) *xmltree.Node {
	n := xmltree.New(tag,
		xmltree.Attr{Name: "function", Value: "pacesync"},
		xmltree.Attr{Name: "line", Value: "0"},
		xmltree.Attr{Name: "status", Value: status.Itoa()})
	if version != "" {
		n.Set("ipc-protocol-version", version)
	}
	return n
}

// ServerOptions describe a daemon's server. Events is required.
type ServerOptions struct {
	// Events gets everything. While nobody reads it the server waits, and with it
	// the clients; so a daemon's loop may send to clients at any time.
	Events chan<- Event
	// Log gets what an operator should know; nil: none.
	Log *slog.Logger
	// Accept may refuse a client by an errno (EACCES, EAGAIN); it runs on the
	// server's goroutine. nil: whoever the kernel lets open the files.
	Accept func(service string, pid, uid, gid uint32) error
}

// Server offers one or more sockets of a daemon. Its methods may be called from
// any goroutine.
type Server struct {
	o         ServerOptions
	loop      *loop.Loop
	sockets   []*qbipc.Server
	quit      chan struct{}
	done      chan struct{}
	short     int // from this length on messages are packed
	haclient  uint32
	hacluster uint32
	looking   bool // a look at the queues is due
	eventID   uint32
}

// Listen makes the sockets and serves them. The error names the socket;
// EADDRINUSE: another daemon has it.
func Listen(o ServerOptions, services ...string) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	uid, gid, err := pcmk.DaemonUser()
	if err != nil {
		o.Log.Warn("Could not find user and group IDs for user " + pcmk.User)
		gid = ^uint32(0) // keeps the process's own
	}
	l, err := loop.New()
	if err != nil {
		return nil, fmt.Errorf("crmipc: %w", err)
	}
	l.Shared()
	s := &Server{o: o, loop: l, quit: make(chan struct{}), done: make(chan struct{}), short: pcmk.IPCBuffer(), haclient: gid, hacluster: uid}
	for _, name := range services {
		qs, err := qbipc.NewServer(qbipc.OnLoop(l), qbipc.Options{
			Name: name, Handler: &handler{s, name}, Sockets: pcmk.Env("ipc_type") == "socket",
			MaxMsg: uint32(s.short), Log: s.log,
		})
		if err != nil {
			s.closeSockets()
			l.Close()
			return nil, fmt.Errorf("crmipc: %w", err)
		}
		s.sockets = append(s.sockets, qs)
	}
	go s.run()
	return s, nil
}

func (s *Server) log(level qbipc.Level, text string) {
	switch level {
	case qbipc.LogError:
		s.o.Log.Error(text)
	case qbipc.LogWarning:
		s.o.Log.Warn(text)
	default:
		s.o.Log.Debug(text)
	}
}

func (s *Server) run() {
	defer close(s.done)
	if err := s.loop.Run(); err != nil {
		panic(fmt.Sprintf("crmipc: %v", err)) // epoll itself failed: our own mistake
	}
	s.closeSockets()
	s.loop.Close()
}

func (s *Server) closeSockets() {
	for _, q := range s.sockets {
		q.Close()
	}
}

// Close drops all clients, gives the sockets back and returns when that is
// done. No event comes any more.
func (s *Server) Close() {
	select {
	case <-s.quit:
	default:
		close(s.quit)
		s.loop.Stop()
	}
	<-s.done
}

// tell passes an event to the daemon, unless the server ends.
func (s *Server) tell(ev Event) {
	select {
	case s.o.Events <- ev:
	case <-s.quit:
	}
}

// handler is qbipc's view of one socket.
type handler struct {
	srv     *Server
	service string
}

// Accept gives the connection's files to the group, so that its members and
// root can use them and nobody else can (ipc_server.c: pcmk__new_client).
func (h *handler) Accept(p *qbipc.Peer) error {
	if h.srv.o.Accept != nil {
		if err := h.srv.o.Accept(h.service, p.PID, p.UID, p.GID); err != nil {
			return err
		}
	}
	if p.UID != 0 {
		p.OwnerUID, p.OwnerGID, p.Mode = ^uint32(0), h.srv.haclient, 0o660
	}
	return nil
}

// Opened makes the client that the daemon will know.
func (h *handler) Opened(c *qbipc.Conn) {
	cl := &Client{
		ID: newUUID(), Service: h.service, PID: int(c.PID()), UID: c.UID(), GID: c.GID(), User: pcmk.UserName(c.UID()),
		Privileged: c.UID() == 0 || h.srv.haclient != ^uint32(0) && c.UID() == h.srv.hacluster,
		srv:        h.srv, conn: c, queueMax: queueMax,
	}
	if cl.User == pcmk.NoUser {
		h.srv.o.Log.Error(fmt.Sprintf("Unable to enforce ACLs for user ID %d, assuming unprivileged", c.UID()))
	}
	c.SetState(cl)
	h.srv.o.Log.Debug(fmt.Sprintf("New IPC client %s for PID %d with uid %d and gid %d", cl.ID, cl.PID, cl.UID, cl.GID))
	h.srv.tell(Event{Kind: Connected, Client: cl})
}

// Message decodes one request. One that is none is answered with the status of
// a broken protocol and goes no further.
func (h *handler) Message(c *qbipc.Conn, msg []byte) (more bool) {
	cl := c.State().(*Client)
	head, text, err := Decode(msg)
	var root *xmltree.Node
	if err == nil {
		root, err = xmltree.ParseString(text, xmltree.Limits{Bytes: MaxText})
	}
	ev := Event{Kind: Message, Client: cl, ID: head.ID, Flags: head.Flags, XML: root}
	if head.Flags&Proxied != 0 {
		cl.proxied = true
	}
	if err != nil {
		h.srv.o.Log.Error(fmt.Sprintf("Dropping a request of client %d on %s: %v", cl.PID, h.service, err))
		ev.Ack(pcmk.ExitProtocol)
		return true
	}
	h.srv.tell(ev)
	return true
}

// Closed is the client's end.
func (h *handler) Closed(c *qbipc.Conn) {
	cl := c.State().(*Client)
	cl.gone = true
	h.srv.tell(Event{Kind: Disconnected, Client: cl})
}

// lookSoon arms the look at the queues.
func (s *Server) lookSoon() {
	if !s.looking {
		s.looking = true
		s.loop.After(backlogLook, s.lookAtQueues)
	}
}

// lookAtQueues warns of clients that fall behind and drops those that stay so
// (ipc_server.c: crm_ipcs_flush_events).
func (s *Server) lookAtQueues() {
	s.looking = false
	for _, q := range s.sockets {
		for c := range q.Conns() {
			cl, ok := c.State().(*Client)
			if !ok || cl.gone {
				continue
			}
			n := c.Stats().Queued
			if n == 0 {
				cl.backlog = 0
				continue
			}
			s.lookSoon()
			switch {
			case n <= max(cl.queueMax, queueMax):
			case cl.backlog <= 1 || n < cl.backlog:
				s.o.Log.Warn(fmt.Sprintf("Client with process ID %d has a backlog of %d messages", cl.PID, n))
			default:
				s.o.Log.Error(fmt.Sprintf("Evicting client with process ID %d due to backlog of %d messages", cl.PID, n))
				c.Close()
			}
			cl.backlog = n
		}
	}
}
