package qbipc

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// ConnStats are one client's counters, as stats.ipcs of Corosync shows them
// (qbipcs.h: struct qb_ipcs_connection_stats, corosync ipcs_stats.h).
type ConnStats struct {
	Requests         uint64
	Responses        uint64
	Events           uint64
	SendRetries      uint64
	RecvRetries      uint64
	FlowControl      int32  // level now
	FlowControlCount uint64 // changes of it
	Queueing         bool   // events wait in memory
	Queued           uint32 // how many
	Sent             uint32 // events sent since the queue was last empty
	QueuedBytes      int64  // memory they take, answers included
}

// Conn is one client of a Server, owned by the server's Poller. It has the
// methods of Corosync's service.Conn.
type Conn struct {
	srv    *Server
	handle uint64
	peer   Peer
	sock   int
	maxMsg uint32
	folder folder
	wire   serverWire
	state  any
	stats  ConnStats
	opened bool   // the handler knows of it
	dead   bool   // no more input or output; ends in this or the next turn
	mask   uint32 // what the stream socket is watched for
	owed   int    // requests served whose bytes have not come yet
	stray  int    // bytes without a request
	notify int    // events whose bytes could not be sent yet

	events  outQueue
	replies outQueue
	retry   Timer
	delay   time.Duration
	crowded bool // so many events wait that the client is to send less (Options.Crowded)
}

// serverWire is what differs between shared memory and sockets. Errors other
// than EAGAIN end the connection.
type serverWire interface {
	// waiting is how many requests there may be; 0 only if there is none.
	waiting() (uint32, error)
	// request copies the next request into buf; EAGAIN: there is none.
	request(buf []byte) (int, error)
	// reply and event pass on a message; EAGAIN: no room, nothing was done.
	reply(hdr, body []byte) error
	event(hdr, body []byte) error
	setFlow(level int32) error
	// watch starts or stops looking for requests.
	watch(on bool) error
	// close unmaps and closes everything but the stream socket.
	close()
}

// Handle is unique for the life of the process and never 0.
func (c *Conn) Handle() uint64 { return c.handle }

// PID of the client, from its credentials.
func (c *Conn) PID() uint32 { return c.peer.PID }

// UID of the client, from its credentials.
func (c *Conn) UID() uint32 { return c.peer.UID }

// GID of the client, from its credentials.
func (c *Conn) GID() uint32 { return c.peer.GID }

// State is the owner's value for this client.
func (c *Conn) State() any { return c.state }

// SetState sets the owner's value for this client.
func (c *Conn) SetState(v any) { c.state = v }

// Server is the service that the client is connected to.
func (c *Conn) Server() *Server { return c.srv }

// MaxMsg is the longest message that the connection carries.
func (c *Conn) MaxMsg() int { return int(c.maxMsg) }

// Stats returns the client's counters.
func (c *Conn) Stats() ConnStats {
	s := c.stats
	s.QueuedBytes = c.events.bytes + c.replies.bytes
	return s
}

// ClearStats resets the counters, not what is queued (ipc_glue.c:
// cs_ipcs_clear_stats).
func (c *Conn) ClearStats() {
	s := &c.stats
	*s = ConnStats{FlowControl: s.FlowControl, Queueing: s.Queueing, Queued: s.Queued}
}

// Close drops the client; Handler.Closed follows in a later turn.
func (c *Conn) Close() { c.doom("closed by the service") }

// open makes the connection's files and watches its socket.
func (c *Conn) open(res *connResponse) error {
	f, dirfd, err := makeFolder(folderName(c.srv, c))
	if err != nil {
		return err
	}
	defer unix.Close(dirfd)
	c.folder = f
	if c.srv.o.Sockets {
		err = c.openSockets(dirfd, res)
	} else {
		err = c.openRings(dirfd, res)
	}
	if err == nil {
		c.retry = c.srv.poll.NewTimer(c.retryQueues)
		err = c.tellFlow()
	}
	if err == nil {
		err = c.wire.watch(c.reading())
	}
	if err == nil {
		err = handOver(dirfd, &c.peer)
	}
	if err == nil {
		c.mask = c.wantMask()
		err = c.srv.poll.Add(c.sock, c.mask, c.onStream)
	}
	if err == nil {
		return nil
	}
	if c.wire != nil {
		c.wire.close()
	}
	c.srv.removeFolder(f)
	return err
}

// doom ends the connection soon. It is safe at any time, also inside calls that
// the handler makes.
func (c *Conn) doom(why string) {
	if c.dead {
		return
	}
	c.dead = true
	c.srv.noise.say(c.srv.poll.Now(), LogDebug, fmt.Sprintf("client %d on %s: %s", c.peer.PID, c.srv.o.Name, why))
	c.srv.doomed = append(c.srv.doomed, c)
	c.srv.doomTimer.Reset(c.srv.poll.Now())
}

// fail is doom for what only a broken or hostile client does.
func (c *Conn) fail(what string, err error) {
	if !c.dead && err != unix.ENOTCONN {
		c.srv.noise.say(c.srv.poll.Now(), LogError, fmt.Sprintf("client %d of user %d on %s is dropped: %s: %v",
			c.peer.PID, c.peer.UID, c.srv.o.Name, what, err))
	}
	c.doom(what)
}

// end takes the connection apart (ipcs.c: qb_ipcs_disconnect).
func (c *Conn) end() {
	s := c.srv
	s.poll.Remove(c.sock)
	c.retry.Stop()
	c.wire.close()
	_ = unix.Shutdown(c.sock, unix.SHUT_RDWR)
	unix.Close(c.sock)
	s.removeFolder(c.folder)
	c.events.drop()
	c.replies.drop()
	if i := slices.Index(s.conns, c); i >= 0 {
		s.conns[i] = s.conns[len(s.conns)-1]
		s.conns[len(s.conns)-1] = nil
		s.conns = s.conns[:len(s.conns)-1]
	}
	s.stats.Active--
	s.stats.Closed++
	if c.opened {
		s.o.Handler.Closed(c)
	}
}

// onStream is the client's stream socket: with shared memory each request rings
// here, and in both variants its end tells that the client is gone.
func (c *Conn) onStream(events uint32) {
	switch {
	case c.dead:
	case events&pollGone != 0:
		c.doom("hung up")
	default:
		if events&pollOut != 0 {
			c.sendNotify()
		}
		if events&pollIn != 0 {
			c.streamInput()
		}
	}
}

func (c *Conn) streamInput() {
	if c.srv.o.Sockets {
		// Nothing but the end ever comes here.
		c.eatBytes(1)
		return
	}
	c.serve()
}

// serve handles a batch of requests. A client that sends has often just read, too:
// what waits for it goes first.
func (c *Conn) serve() {
	if !c.events.empty() {
		if c.flushEvents(); c.dead {
			return
		}
	}
	n, err := c.wire.waiting()
	if err != nil {
		c.fail("request ring", err)
		return
	}
	if n == 0 {
		c.eatBytes(max(c.owed, 1))
		return
	}
	served, bytes := 0, 0
	for range min(n, c.srv.rate.batch()) {
		if c.dead || bytes >= batchBytes || !c.reading() {
			break
		}
		n, err := c.wire.request(c.srv.buf)
		if err == unix.EAGAIN {
			c.stats.RecvRetries++
			break
		}
		if err != nil {
			c.fail("request", err)
			return
		}
		served++
		bytes += n
		if !c.message(c.srv.buf[:n]) {
			break
		}
	}
	if c.dead || c.srv.o.Sockets {
		return
	}
	if c.owed += served; c.owed > 0 {
		c.eatBytes(c.owed)
	}
}

// message checks a request's header and passes the request on.
func (c *Conn) message(msg []byte) (more bool) {
	id, size, ok := RequestHeader(msg)
	switch {
	case ok && id == msgDisconnect:
		c.doom("asked to disconnect")
		return false
	case !ok || size < RequestHeaderSize || int64(size) > int64(len(msg)):
		c.fail(fmt.Sprintf("request %d says %d bytes and has %d", id, size, len(msg)), unix.EBADMSG)
		return false
	}
	c.stats.Requests++
	return c.srv.o.Handler.Message(c, msg[:size]) && !c.dead
}

// eatBytes takes up to n of the client's bytes out of the stream. Bytes may
// come after their requests, and never without one: those are counted, and a
// client that sends many is dropped.
func (c *Conn) eatBytes(n int) {
	buf := c.srv.bell[:]
	for n > 0 {
		got, err := readBell(c.sock, buf[:min(n, len(buf))])
		switch {
		case err == unix.EAGAIN:
			return
		case err == unix.EINTR:
			continue
		case err != nil || got == 0:
			c.doom("hung up")
			return
		}
		n -= got
		if c.owed -= got; c.owed < 0 {
			c.stray -= c.owed
			c.owed = 0
			if c.stray > maxStrayBytes {
				c.fail("bytes without requests", unix.EBADMSG)
				return
			}
		}
	}
}

// applyFlow makes the server's rate known to the client and stops or resumes
// reading.
func (c *Conn) applyFlow() {
	if err := c.tellFlow(); err != nil {
		c.fail("flow control", err)
		return
	}
	c.watch()
}

func (c *Conn) tellFlow() error {
	level := c.srv.rate.flow()
	if level == 0 && c.crowded {
		level = 2
	}
	if level == c.stats.FlowControl {
		return nil
	}
	c.stats.FlowControl = level
	c.stats.FlowControlCount++
	return c.wire.setFlow(level)
}

// reading tells whether requests are looked for. A client that does not read
// its answers is not asked for more.
func (c *Conn) reading() bool { return c.srv.rate.flow() == 0 && c.replies.empty() }

func (c *Conn) wantMask() uint32 {
	mask := uint32(unix.EPOLLRDHUP)
	if c.reading() || c.srv.o.Sockets {
		mask |= pollIn
	}
	if c.notify > 0 {
		mask |= pollOut
	}
	return mask
}

// watch sets what the sockets are watched for.
func (c *Conn) watch() {
	if c.dead {
		return
	}
	if mask := c.wantMask(); mask != c.mask {
		if err := c.srv.poll.Modify(c.sock, mask); err != nil {
			c.fail("watch", err)
			return
		}
		c.mask = mask
	}
	if err := c.wire.watch(c.reading()); err != nil {
		c.fail("watch", err)
	}
}
