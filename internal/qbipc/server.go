package qbipc

import (
	"container/list"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Limits of a server. Each has its reason beside it.
const (
	// DefaultMaxMsgLimit is the longest message that a client may ask for: three
	// rings of that size are allocated for it, in memory that may be locked.
	DefaultMaxMsgLimit = 64 << 20
	// DefaultMaxQueue bounds the events and answers that wait in memory for one
	// client that does not read. Beyond it that client is dropped: it costs the
	// node more than it is worth. The original queues without limit (corosync
	// issues 70, 110, 692: growth until the kernel kills the daemon). 256 MiB
	// are some 250 of the largest CPG messages, or half an hour of a busy
	// Pacemaker cluster.
	DefaultMaxQueue = 256 << 20
	// DefaultMaxConns bounds the clients of one service.
	DefaultMaxConns = 2048
	// DefaultHandshakeTimeout is for clients that connect and say nothing.
	DefaultHandshakeTimeout = 5 * time.Second

	maxHandshakes  = 128                    // started and not finished; then the oldest is closed
	acceptBatch    = 16                     // new clients per wake, so that a flood leaves time to others
	acceptPause    = 100 * time.Millisecond // when descriptors run out
	listenBacklog  = unix.SOMAXCONN
	batchBytes     = 1 << 20 // of requests per wake and client: copying them takes a tenth of a millisecond
	queueItemCost  = 64      // bytes that a queued message costs beside its own
	maxStrayBytes  = 1024
	retryFirst     = time.Millisecond
	retryLast      = 20 * time.Millisecond
	removeTries    = 10
	removeInterval = 100 * time.Millisecond
)

// Level is how much a log line matters.
type Level uint8

// Levels of log lines, in the original's terms.
const (
	LogError Level = iota
	LogWarning
	LogInfo
	LogDebug
)

// Peer is who wants to connect. Accept may change the Owner fields.
type Peer struct {
	PID, UID, GID uint32
	// OwnerUID, OwnerGID and Mode are given to the connection's files; the
	// default is the peer and 0600 (ipcs.c: qb_ipcs_connection_auth_set).
	OwnerUID, OwnerGID uint32
	Mode               uint32
	// FreeFiles is how many more descriptors this process may open, about. A client
	// costs one, or three with sockets.
	FreeFiles int
}

// Handler is what a server's owner does. All of it is called on the Poller.
type Handler interface {
	// Accept decides about a client before anything is made for it. The error's
	// unix.Errno is sent to it: EACCES refuses, EAGAIN asks to come again.
	Accept(p *Peer) error
	// Opened tells of a new client, after it was told that it is connected.
	Opened(c *Conn)
	// Message is one request. msg is valid during the call alone; it starts with
	// the request header, whose size is len(msg). With more false the next
	// requests of this client wait for the next turn of the loop (ipcs.c: a
	// negative result of msg_process).
	Message(c *Conn, msg []byte) (more bool)
	// Closed is the last call for a client.
	Closed(c *Conn)
}

// Options describe a server. Name and Handler are required.
type Options struct {
	Name    string
	Handler Handler
	// Sockets selects the datagram variant; it cannot carry messages larger
	// than the kernel's socket buffers.
	Sockets bool
	// MaxMsg is granted to a client that asks for less.
	MaxMsg uint32
	// Zero means the default of the same name.
	MaxMsgLimit      uint32
	MaxQueue         int64
	MaxConns         int
	HandshakeTimeout time.Duration
	// Crowded: from so many bytes of unread events on, the client's own messages of
	// the kind that asks for it (flow control level 2, of libcpg's the multicasts) are
	// refused until half of them are read. 0: never.
	Crowded int64
	// ShmDir is where connections get their folder; empty: /dev/shm.
	ShmDir string
	// Log gets one line of text; nil: none.
	Log func(level Level, text string)
}

// ServerStats are counters of a server (qbipcs.h: struct qb_ipcs_stats).
type ServerStats struct {
	Active uint32
	Closed uint32
}

// Rate is how eagerly requests are read (qbipcs.h: enum qb_ipcs_rate_limit).
type Rate uint8

// Rates. With Off and Off2 nothing is read; clients refuse to send at Off,
// and at Off2 they queue unless they set their limit to 2.
const (
	RateNormal Rate = iota
	RateFast
	RateSlow
	RateOff
	RateOff2
)

// batch is the number of requests served per wake and client (ipcs.c:
// _request_q_len_get).
func (r Rate) batch() uint32 {
	switch r {
	case RateFast:
		return 50
	case RateNormal:
		return 5
	default:
		return 1
	}
}

// flow is the word that clients see.
func (r Rate) flow() int32 {
	switch r {
	case RateOff:
		return 1
	case RateOff2:
		return 2
	default:
		return 0
	}
}

// Server offers one service. It is owned by its Poller's thread.
type Server struct {
	o      Options
	poll   Poller
	listen int
	path   string // of a file-system socket
	pid    int
	files  int // that this process may have open
	rate   Rate
	stats  ServerStats
	conns  []*Conn
	buf    []byte    // the request being served
	blocks blocks    // for what waits for clients
	bell   [256]byte // bytes to and from the stream sockets; their values mean nothing

	shaking      *list.List // of *handshake, the oldest first
	shakingTimer Timer
	listenTimer  Timer
	doomed       []*Conn
	doomTimer    Timer
	leftovers    []leftover
	leftTimer    Timer
	noise        noise
}

// NewServer makes the socket and serves it on the Poller. An error names the
// socket; EADDRINUSE means that another daemon has it.
func NewServer(p Poller, o Options) (*Server, error) {
	if o.Handler == nil {
		return nil, fmt.Errorf("qbipc: server %q: no handler", o.Name)
	}
	if o.MaxMsgLimit == 0 {
		o.MaxMsgLimit = DefaultMaxMsgLimit
	}
	if o.MaxQueue == 0 {
		o.MaxQueue = DefaultMaxQueue
	}
	if o.MaxConns == 0 {
		o.MaxConns = DefaultMaxConns
	}
	if o.HandshakeTimeout == 0 {
		o.HandshakeTimeout = DefaultHandshakeTimeout
	}
	if o.ShmDir == "" {
		o.ShmDir = "/dev/shm"
	}
	s := &Server{o: o, poll: p, listen: -1, pid: os.Getpid(), files: maxFiles(), shaking: list.New()}
	if err := s.publish(); err != nil {
		return nil, fmt.Errorf("qbipc: server %q: %w", o.Name, err)
	}
	s.sweep()
	s.shakingTimer = p.NewTimer(s.expireHandshakes)
	s.listenTimer = p.NewTimer(func() { s.watchListener(pollIn) })
	s.doomTimer = p.NewTimer(s.bury)
	s.leftTimer = p.NewTimer(s.removeLeftovers)
	s.noise.log = s.log
	return s, nil
}

// publish binds the name and listens (ipc_setup.c: qb_ipcs_us_publish).
func (s *Server) publish() error {
	files := filesystemSockets()
	sa, err := sockaddr(s.o.Name, files)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if files {
		s.path = socketDir + "/" + s.o.Name
		_ = unix.Unlink(s.path)
	}
	err = bindRaw(fd, sa)
	if err == nil && files {
		// Everybody may connect; Accept decides.
		err = unix.Chmod(s.path, 0o777)
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	}
	if err == nil {
		err = unix.Listen(fd, listenBacklog)
	}
	if err == nil {
		err = s.poll.Add(fd, pollIn, s.onListener)
	}
	if err != nil {
		unix.Close(fd)
		return err
	}
	s.listen = fd
	s.log(LogInfo, "server name: "+s.o.Name)
	return nil
}

// Close drops all clients and gives the name back.
func (s *Server) Close() {
	if s.listen < 0 {
		return
	}
	s.poll.Remove(s.listen)
	unix.Close(s.listen)
	s.listen = -1
	if s.path != "" {
		_ = unix.Unlink(s.path)
	}
	for s.shaking.Len() > 0 {
		s.shaking.Front().Value.(*handshake).close()
	}
	for _, c := range slices.Clone(s.conns) {
		c.doom("the server ends")
	}
	s.bury()
	for i := range s.leftovers {
		s.leftovers[i].remove()
	}
	s.leftovers = nil
	for _, t := range []Timer{s.shakingTimer, s.listenTimer, s.doomTimer, s.leftTimer} {
		t.Stop()
	}
}

// Name is the service's socket name.
func (s *Server) Name() string { return s.o.Name }

// Stats returns the server's counters; ClearStats resets what only counts.
func (s *Server) Stats() ServerStats { return s.stats }

// ClearStats resets the count of closed connections.
func (s *Server) ClearStats() { s.stats.Closed = 0 }

// Conns are the connected clients, in no order.
func (s *Server) Conns() iter.Seq[*Conn] { return slices.Values(s.conns) }

// SetRate sets how eagerly requests are read, and flow control with it, for all
// clients now and later (ipcs.c: qb_ipcs_request_rate_limit). Setting the same
// rate again costs nothing.
func (s *Server) SetRate(r Rate) {
	if s.rate == r {
		return
	}
	old := s.rate.flow()
	s.rate = r
	if r.flow() == old {
		return
	}
	for _, c := range s.conns {
		c.applyFlow()
	}
}

func (s *Server) log(level Level, text string) {
	if s.o.Log != nil {
		s.o.Log(level, text)
	}
}

func (s *Server) watchListener(events uint32) {
	if s.listen >= 0 {
		if err := s.poll.Modify(s.listen, events); err != nil {
			s.log(LogError, fmt.Sprintf("Could not watch the socket %s: %v", s.o.Name, err))
		}
	}
}

// onListener takes in new clients.
func (s *Server) onListener(uint32) {
	for range acceptBatch {
		fd, _, err := unix.Accept4(s.listen, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch {
		case err == nil:
			s.startHandshake(fd)
		case err == unix.EINTR, err == unix.ECONNABORTED:
		case err == unix.EAGAIN:
			return
		default:
			// Out of descriptors or memory: the socket stays readable, so look
			// away for a while.
			s.noise.say(s.poll.Now(), LogError, "Could not accept client connection: "+err.Error())
			s.watchListener(0)
			s.listenTimer.Reset(s.poll.Now().Add(acceptPause))
			return
		}
	}
}

// bury ends the connections that were doomed during this turn. The rest of the
// program hears of it here, never in the middle of a call of its own.
func (s *Server) bury() {
	for len(s.doomed) > 0 {
		c := s.doomed[0]
		s.doomed = s.doomed[1:]
		c.end()
	}
	s.doomed = nil
}

// errnoOf is the errno that an error carries, EIO if none.
func errnoOf(err error) unix.Errno {
	var e unix.Errno
	switch {
	case errors.As(err, &e):
		return e
	default:
		return unix.EIO
	}
}
