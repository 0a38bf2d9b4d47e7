package qbipc

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// DefaultMaxMsg is what Corosync's libraries ask for (IPC_REQUEST_SIZE).
	DefaultMaxMsg = 1 << 20
	// DefaultDialTimeout bounds the handshake. A healthy daemon answers at once,
	// also when it refuses.
	DefaultDialTimeout = 30 * time.Second
	// maxReplyMsg bounds what a server may make us map.
	maxReplyMsg = 1 << 30

	// livenessSlice is how often a waiting request looks whether the server is
	// still there (libqb: 2 s, QB_IPC_MAX_WAIT_MS).
	livenessSlice = 200 * time.Millisecond
	// ghostLooks and ghostPause: how long Close waits for a killed server's
	// process to vanish before it leaves the files alone (ipc_shm.c:
	// qb_ipcc_shm_disconnect).
	ghostLooks = 4
	// fullLooks and fullPause: how long a request that was refused with EAGAIN
	// tries again, when no other is under way.
	fullLooks  = 20
	fullPause  = 200 * time.Microsecond
	ghostPause = 10 * time.Millisecond
)

// DialOptions are optional; the zero value suits Corosync's services.
type DialOptions struct {
	// MaxMsg is the longest message wanted; the server may allow more. 0 means
	// DefaultMaxMsg.
	MaxMsg uint32
	// Timeout bounds the handshake; 0 means DefaultDialTimeout.
	Timeout time.Duration
	// Trust says which servers to talk to, besides those of uid 0 and of our
	// own user. Anybody may own an abstract socket name, so a client must look.
	Trust func(pid int32, uid, gid uint32) bool
}

// Client is one connection to a service. Safe for concurrent use: requests are
// served one after the other, and so are calls of Recv.
//
// Errors wrap a unix.Errno as libqb would return it; ENOTCONN means that the
// server is gone.
type Client struct {
	name   string
	sock   int
	maxMsg uint32
	server credentials
	wire   clientWire
	fcMax  atomic.Int32
	closed atomic.Bool
	lost   atomic.Bool // the server's end hung up

	reqMu sync.Mutex
	buf   []byte // for replies; made at the first Request
	owed  int    // replies of requests that timed out, still to come

	eventMu  sync.Mutex
	eventBuf []byte // made at the first Recv
}

// clientWire is what differs between shared memory and sockets.
type clientWire interface {
	// send passes on one message of two parts, or returns EAGAIN without room.
	send(hdr, body []byte) error
	// reply copies the next reply into buf, waiting up to d; EAGAIN: none came.
	reply(buf []byte, d time.Duration) (int, error)
	// event copies the next event into buf; EAGAIN: there is none.
	event(buf []byte) (int, error)
	// eventFD becomes readable with each event.
	eventFD() int
	// flow is the server's flow control word.
	flow() (int32, error)
	// close frees everything but the stream socket. ghost: the server's process
	// is gone, so its files are ours to remove.
	close(ghost bool)
}

// Dial connects to a service by its socket name.
func Dial(service string, o DialOptions) (*Client, error) {
	if o.MaxMsg == 0 {
		o.MaxMsg = DefaultMaxMsg
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultDialTimeout
	}
	c := &Client{name: service, sock: -1}
	c.fcMax.Store(1)
	if err := c.dial(o); err != nil {
		if c.sock >= 0 {
			unix.Close(c.sock)
		}
		return nil, fmt.Errorf("qbipc: connect to %q: %w", service, err)
	}
	return c, nil
}

func (c *Client) dial(o DialOptions) error {
	sa, err := sockaddr(c.name, filesystemSockets())
	if err != nil {
		return err
	}
	c.sock, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		c.sock = -1
		return err
	}
	if err := connectRaw(c.sock, sa); err != nil {
		return err
	}
	res, err := c.shake(max(o.MaxMsg, connResponseSize), time.Now().Add(o.Timeout))
	if err != nil {
		return err
	}
	s := c.server
	if s.uid != 0 && s.uid != uint32(unix.Geteuid()) && (o.Trust == nil || !o.Trust(s.pid, s.uid, s.gid)) {
		return fmt.Errorf("the server is process %d of user %d and not of root: %w", s.pid, s.uid, unix.EACCES)
	}
	if res.maxMsg == 0 || res.maxMsg > maxReplyMsg {
		return fmt.Errorf("the server offers messages of %d bytes: %w", res.maxMsg, unix.EBADMSG)
	}
	c.maxMsg = res.maxMsg
	switch res.typ {
	case SHM:
		c.wire, err = dialSHM(c, res)
	case Socket:
		c.wire, err = dialSocket(c, res)
	default:
		err = fmt.Errorf("connection type %d: %w", res.typ, unix.ENOTSUP)
	}
	return err
}

// shake sends the request and reads the reply and the server's identity
// (ipc_setup.c: qb_ipcc_us_setup_connect, qb_ipcc_setup_connect_continue).
func (c *Client) shake(maxMsg uint32, deadline time.Time) (connResponse, error) {
	if err := unix.SetsockoptInt(c.sock, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return connResponse{}, err
	}
	if err := unix.Send(c.sock, connRequest{maxMsg}.append(nil), unix.MSG_NOSIGNAL); err != nil {
		return connResponse{}, err
	}
	buf := make([]byte, connResponseSize)
	oob := make([]byte, unix.CmsgSpace(unix.SizeofUcred))
	known := false
	for got := 0; got < len(buf); {
		n, oobn, _, _, err := unix.Recvmsg(c.sock, buf[got:], oob, 0)
		switch {
		case err == unix.EAGAIN:
			if err := pollFD(c.sock, unix.POLLIN, time.Until(deadline)); err != nil {
				return connResponse{}, err
			}
			continue
		case err == unix.EINTR:
			continue
		case err != nil:
			return connResponse{}, err
		case n == 0:
			return connResponse{}, unix.ENOTCONN
		}
		if cred, ok := findCredentials(oob[:oobn]); ok && !known {
			c.server, known = cred, true
		}
		got += n
	}
	if err := unix.SetsockoptInt(c.sock, unix.SOL_SOCKET, unix.SO_PASSCRED, 0); err != nil {
		return connResponse{}, err
	}
	res, err := parseConnResponse(buf)
	if err != nil {
		return res, fmt.Errorf("%w: %w", err, unix.EBADMSG)
	}
	if res.err != 0 {
		return res, res.err
	}
	if !known {
		return res, fmt.Errorf("the server did not say who it is: %w", unix.EACCES)
	}
	return res, nil
}

// pollFD waits for one of events on fd; ETIMEDOUT when d has passed, for ever
// with a negative d. Hang-up and error count as arrival.
func pollFD(fd int, events int16, d time.Duration) error {
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
	var deadline time.Time
	ms := -1
	if d >= 0 {
		deadline = time.Now().Add(d)
		ms = pollMillis(d)
	}
	for {
		n, err := unix.Poll(fds, ms)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return err
		case n > 0:
			return nil
		}
		if d >= 0 {
			left := time.Until(deadline)
			if left <= 0 {
				return unix.ETIMEDOUT
			}
			ms = pollMillis(left)
		}
	}
}

func pollMillis(d time.Duration) int {
	if d <= 0 {
		return 0
	}
	return int(min((d+time.Millisecond-1)/time.Millisecond, 1<<30))
}

// Name is the service's socket name.
func (c *Client) Name() string { return c.name }

// MaxMsg is the longest message the connection carries, in both directions.
func (c *Client) MaxMsg() int { return int(c.maxMsg) }

// ServerPID, as the kernel told when the server answered.
func (c *Client) ServerPID() int { return int(c.server.pid) }

// EventFD becomes readable when an event waits or the server is gone. It is
// for polling alone: read with Recv.
func (c *Client) EventFD() int { return c.wire.eventFD() }

// SetFlowControlMax sets up to which flow control level (0 to 2) requests are
// refused with EAGAIN; higher levels let them queue. The default is 1
// (ipcc.c: qb_ipcc_fc_enable_max_set).
func (c *Client) SetFlowControlMax(level int32) { c.fcMax.Store(level) }

// Send passes on a request that has no answer.
func (c *Client) Send(msg []byte) error { return c.SendParts(msg, nil) }

// SendParts is Send for a message in two parts.
func (c *Client) SendParts(hdr, body []byte) error {
	c.reqMu.Lock()
	defer c.reqMu.Unlock()
	return c.wrap("send", c.send(hdr, body))
}

func (c *Client) wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("qbipc: %s %s: %w", c.name, what, err)
}

func (c *Client) send(hdr, body []byte) error {
	if c.closed.Load() || c.lost.Load() {
		return unix.ENOTCONN
	}
	if uint64(len(hdr))+uint64(len(body)) > uint64(c.maxMsg) {
		return unix.EMSGSIZE
	}
	level, err := c.wire.flow()
	if err != nil {
		return err
	}
	if level > 0 && level <= c.fcMax.Load() {
		return unix.EAGAIN
	}
	return c.wire.send(hdr, body)
}

// Request sends msg and returns the answer, which is the caller's to keep. It
// waits up to timeout, for ever if that is negative; ETIMEDOUT then, and the
// late answer is thrown away by a later Request.
func (c *Client) Request(msg []byte, timeout time.Duration) ([]byte, error) {
	return c.RequestParts(msg, nil, timeout)
}

// RequestParts is Request for a message in two parts.
func (c *Client) RequestParts(hdr, body []byte, timeout time.Duration) ([]byte, error) {
	c.reqMu.Lock()
	defer c.reqMu.Unlock()
	if c.buf == nil {
		c.buf = make([]byte, c.maxMsg)
	}
	n, err := c.exchange(hdr, body, c.buf, timeout)
	if err != nil {
		return nil, c.wrap("request", err)
	}
	return append([]byte(nil), c.buf[:n]...), nil
}

// RequestInto is Request with the answer in the caller's memory; ENOBUFS when
// that is too short. It allocates nothing.
func (c *Client) RequestInto(buf, hdr, body []byte, timeout time.Duration) (int, error) {
	c.reqMu.Lock()
	defer c.reqMu.Unlock()
	n, err := c.exchange(hdr, body, buf, timeout)
	return n, c.wrap("request", err)
}

func (c *Client) exchange(hdr, body, buf []byte, timeout time.Duration) (int, error) {
	err := c.send(hdr, body)
	// libqb's server answers a request before it frees its chunk, so a large
	// request right after another may find the ring full for an instant.
	for looks := 0; err == unix.EAGAIN && c.owed == 0 && looks < fullLooks; looks++ {
		time.Sleep(fullPause)
		err = c.send(hdr, body)
	}
	if err != nil {
		return 0, err
	}
	c.owed++
	n, err := c.nextReply(buf, timeout)
	for err == nil && c.owed > 0 {
		n, err = c.nextReply(buf, timeout)
	}
	return n, err
}

// nextReply waits for one reply and counts it.
func (c *Client) nextReply(buf []byte, timeout time.Duration) (int, error) {
	var deadline time.Time
	if timeout >= 0 {
		deadline = time.Now().Add(timeout)
	}
	for {
		slice := livenessSlice
		if timeout >= 0 {
			slice = min(slice, time.Until(deadline))
		}
		n, err := c.wire.reply(buf, slice)
		if err != unix.EAGAIN {
			if err == nil {
				c.owed--
			}
			return n, err
		}
		if c.hungUp() {
			return 0, unix.ENOTCONN
		}
		if timeout >= 0 && time.Until(deadline) <= 0 {
			return 0, unix.ETIMEDOUT
		}
	}
}

// hungUp looks whether the server's end is closed.
func (c *Client) hungUp() bool {
	if c.closed.Load() || c.lost.Load() {
		return true
	}
	fds := [1]unix.PollFd{{Fd: int32(c.sock), Events: unix.POLLRDHUP}}
	if n, err := unix.Poll(fds[:], 0); err == nil && n > 0 {
		c.lost.Store(true)
		return true
	}
	return false
}

// Recv waits for the next event, for ever with a negative timeout. The result
// is valid until the next Recv. ETIMEDOUT: none came.
func (c *Client) Recv(timeout time.Duration) ([]byte, error) {
	c.eventMu.Lock()
	defer c.eventMu.Unlock()
	if c.closed.Load() {
		return nil, c.wrap("event", unix.ENOTCONN)
	}
	if c.eventBuf == nil {
		c.eventBuf = make([]byte, c.maxMsg)
	}
	var deadline time.Time
	if timeout >= 0 {
		deadline = time.Now().Add(timeout)
	}
	for {
		n, err := c.wire.event(c.eventBuf)
		if err == nil {
			return c.eventBuf[:n], nil
		}
		if err != unix.EAGAIN {
			return nil, c.wrap("event", err)
		}
		if c.hungUp() {
			return nil, c.wrap("event", unix.ENOTCONN)
		}
		left := timeout
		if timeout >= 0 {
			left = max(0, time.Until(deadline))
		}
		if err := c.awaitEvent(left); err != nil {
			return nil, c.wrap("event", err)
		}
	}
}

// awaitEvent sleeps until the event descriptor or the stream has something.
func (c *Client) awaitEvent(d time.Duration) error {
	fd := c.wire.eventFD()
	if fd == c.sock {
		return pollFD(fd, unix.POLLIN, d)
	}
	// The datagram socket does not tell of the server's end.
	if d < 0 || d > livenessSlice {
		if err := pollFD(fd, unix.POLLIN, livenessSlice); err != unix.ETIMEDOUT {
			return err
		}
		return nil
	}
	return pollFD(fd, unix.POLLIN, d)
}

// Close ends the connection. Waiting calls return ENOTCONN.
func (c *Client) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	ghost := c.serverIsGone()
	// This wakes a waiting Recv; a waiting Request looks every livenessSlice.
	_ = unix.Shutdown(c.sock, unix.SHUT_RDWR)
	c.reqMu.Lock()
	defer c.reqMu.Unlock()
	c.eventMu.Lock()
	defer c.eventMu.Unlock()
	c.wire.close(ghost)
	return unix.Close(c.sock)
}

// serverIsGone tells whether the server hung up and its process has ended, by a
// crash perhaps: then nobody else will remove the files.
func (c *Client) serverIsGone() bool {
	fds := [1]unix.PollFd{{Fd: int32(c.sock), Events: unix.POLLRDHUP}}
	if n, err := unix.Poll(fds[:], 0); err != nil || n == 0 {
		return false
	}
	for range ghostLooks {
		if unix.Kill(int(c.server.pid), 0) == unix.ESRCH {
			return true
		}
		time.Sleep(ghostPause)
	}
	return false
}
