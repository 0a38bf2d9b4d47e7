package qbipc

import (
	"container/list"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// handshake is a client that connected and has not sent its whole request yet.
type handshake struct {
	srv   *Server
	fd    int
	place *list.Element
	until time.Time
	got   int
	buf   [connRequestSize]byte
	cred  credentials
	known bool
}

func (s *Server) startHandshake(fd int) {
	// Without it the kernel would not tell who sends. It is set on the
	// listening socket too, for what was sent before we came here.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		unix.Close(fd)
		return
	}
	if s.shaking.Len() >= maxHandshakes {
		s.noise.say(s.poll.Now(), LogWarning, "Too many clients connect and say nothing; closing the oldest")
		s.shaking.Front().Value.(*handshake).close()
	}
	h := &handshake{srv: s, fd: fd, until: s.poll.Now().Add(s.o.HandshakeTimeout)}
	if err := s.poll.Add(fd, pollIn|unix.EPOLLRDHUP, h.onReady); err != nil {
		s.noise.say(s.poll.Now(), LogError, err.Error())
		unix.Close(fd)
		return
	}
	h.place = s.shaking.PushBack(h)
	if s.shaking.Len() == 1 {
		s.shakingTimer.Reset(h.until)
	}
}

// close gives the client up.
func (h *handshake) close() {
	h.detach()
	unix.Close(h.fd)
}

func (h *handshake) detach() {
	h.srv.shaking.Remove(h.place)
	h.srv.poll.Remove(h.fd)
}

func (s *Server) expireHandshakes() {
	for e := s.shaking.Front(); e != nil; e = s.shaking.Front() {
		h := e.Value.(*handshake)
		if h.until.After(s.poll.Now()) {
			s.shakingTimer.Reset(h.until)
			return
		}
		s.noise.say(s.poll.Now(), LogDebug, fmt.Sprintf("client on fd %d connected and said nothing", h.fd))
		h.close()
	}
}

// onReady reads the request, as much of it as is there.
func (h *handshake) onReady(events uint32) {
	if events&pollIn == 0 {
		h.close()
		return
	}
	var oob [64]byte
	n, oobn, _, _, err := unix.Recvmsg(h.fd, h.buf[h.got:], oob[:], unix.MSG_CMSG_CLOEXEC)
	switch {
	case err == unix.EAGAIN, err == unix.EINTR:
		return
	case err != nil || n == 0:
		h.close()
		return
	}
	closeRights(oob[:oobn])
	if cred, ok := findCredentials(oob[:oobn]); ok && !h.known {
		h.cred, h.known = cred, true
	}
	if h.got += n; h.got < len(h.buf) {
		return
	}
	req, err := parseConnRequest(h.buf[:])
	if err == nil && !h.known {
		err = fmt.Errorf("qbipc: client on fd %d without credentials", h.fd)
	}
	if err != nil {
		h.srv.noise.say(h.srv.poll.Now(), LogDebug, err.Error())
		h.close()
		return
	}
	h.detach()
	if err := unix.SetsockoptInt(h.fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 0); err != nil {
		unix.Close(h.fd)
		return
	}
	h.srv.admit(h.fd, h.cred, req)
}

// closeRights closes descriptors that a client sent along unasked.
func closeRights(oob []byte) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return
	}
	for _, m := range msgs {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
}

// lastHandle numbers the connections of the whole process, all servers
// together: the owner's name for a client must not depend on the service.
var lastHandle atomic.Uint64

// admit decides about a client that introduced itself, makes its connection and
// answers (ipc_setup.c: handle_new_connection).
func (s *Server) admit(fd int, cred credentials, req connRequest) {
	peer := Peer{PID: uint32(cred.pid), UID: cred.uid, GID: cred.gid,
		OwnerUID: cred.uid, OwnerGID: cred.gid, Mode: 0o600,
		FreeFiles: s.files - 1 - fd} // the kernel gives out the lowest number that is free
	c := &Conn{srv: s, sock: fd, peer: peer, handle: lastHandle.Add(1),
		maxMsg: max(req.maxMsg, s.o.MaxMsg, connResponseSize),
		events: outQueue{from: &s.blocks}, replies: outQueue{from: &s.blocks}}
	dir := folderName(s, c)
	var err error
	switch {
	case len(s.conns) >= s.o.MaxConns:
		err = unix.EMFILE
	case c.maxMsg > s.o.MaxMsgLimit:
		err = unix.EMSGSIZE
	default:
		err = s.o.Handler.Accept(&c.peer)
	}
	if err != nil {
		s.refuse(fd, dir, err)
		return
	}
	res := connResponse{maxMsg: c.maxMsg, handle: c.handle}
	if err := c.open(&res); err != nil {
		s.refuse(fd, dir, err)
		return
	}
	s.conns = append(s.conns, c)
	s.stats.Active++
	if uint32(len(s.buf)) < c.maxMsg {
		s.buf = make([]byte, c.maxMsg)
	}
	if err := sendResponse(fd, &res); err != nil {
		c.opened = false
		c.doom("no answer to its connection request: " + err.Error())
		return
	}
	c.opened = true
	s.log(LogDebug, "IPC credentials authenticated ("+c.folder.path+"/qb)")
	s.o.Handler.Opened(c)
}

// maxFiles is how many descriptors this process may have; Go has raised the limit as
// far as it may be before main began.
func maxFiles() int {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil || lim.Cur > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(lim.Cur)
}

// refuse tells a client why it may not connect.
func (s *Server) refuse(fd int, dir string, why error) {
	now := s.poll.Now()
	errno := errnoOf(why)
	switch errno {
	case unix.EACCES:
		s.noise.say(now, LogError, "Invalid IPC credentials ("+dir+"/qb).")
	case unix.EAGAIN:
		s.noise.say(now, LogWarning, "Denied connection, is not ready ("+dir+"/qb)")
	default:
		s.noise.say(now, LogError, fmt.Sprintf("Error in connection setup (%s/qb): %v", dir, why))
	}
	// Whether it hears it or not, it is gone.
	_ = sendResponse(fd, &connResponse{err: errno})
	_ = unix.Shutdown(fd, unix.SHUT_RDWR)
	unix.Close(fd)
}

// sendResponse sends the whole reply with one call; a fresh socket has room.
func sendResponse(fd int, r *connResponse) error {
	var b [connResponseSize]byte
	r.put(&b)
	n, err := unix.SendmsgN(fd, b[:], nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
	if err == nil && n != len(b) {
		err = unix.EAGAIN
	}
	return err
}
