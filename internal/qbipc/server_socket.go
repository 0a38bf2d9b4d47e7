package qbipc

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// socketConn is a server's end of a socket connection (ipc_socket.c). Requests
// and answers share one datagram socket, events have another; both are
// connected to the client's at the first use, when it has made them.
type socketConn struct {
	c              *Conn
	ctl            control
	msgs, events   datagrams
	base           string
	msgsTo, evTo   bool // connected
	watched, alive bool
}

// controlFile is the name in a connection's directory of the file with its counters.
func controlFile(service string) string { return "qb-control-" + service }

// openSockets makes the control file and the two sockets (ipc_socket.c:
// qb_ipcs_us_connect).
func (c *Conn) openSockets(dirfd int, res *connResponse) error {
	w := &socketConn{c: c, base: c.folder.path + "/qb-" + c.srv.o.Name,
		msgs: datagrams{fd: -1}, events: datagrams{fd: -1}}
	name := controlFile(c.srv.o.Name)
	if len(c.folder.path)+1+len(name) >= nameMax {
		return unix.ENAMETOOLONG
	}
	fd, err := createFile(dirfd, name, controlSize, &c.peer)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if w.ctl.m, err = mapShared(fd, controlSize); err != nil {
		return err
	}
	if w.msgs.fd, err = bindDatagram(w.base+"-request", c.maxMsg); err == nil {
		w.events.fd, err = bindDatagram(w.base+"-event-tx", c.maxMsg)
	}
	if err == nil {
		// The name is in /proc/net/unix for everybody to write to.
		w.msgs.creds = true
		err = unix.SetsockoptInt(w.msgs.fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	}
	if err == nil {
		err = c.srv.poll.Add(w.msgs.fd, pollIn, w.onRequest)
		w.watched, w.alive = err == nil, err == nil
	}
	if err != nil {
		w.close()
		return err
	}
	c.wire = w
	res.typ = Socket
	res.request = c.folder.path + "/" + name
	res.response = w.base
	return nil
}

func (w *socketConn) onRequest(uint32) {
	if !w.c.dead {
		w.c.serve()
	}
}

// waiting trusts the client's count as far as it limits the batch: what is
// really there is found by reading.
func (w *socketConn) waiting() (uint32, error) {
	n, err := w.ctl.load(channelRequest)
	return uint32(max(n, 1)), err
}

func (w *socketConn) request(buf []byte) (int, error) {
	for {
		n, uid, err := w.msgs.recv(buf)
		if err != nil {
			return 0, err
		}
		if uid == int64(w.c.peer.UID) {
			return n, w.ctl.add(channelRequest, -1)
		}
		w.c.srv.noise.say(w.c.srv.poll.Now(), LogWarning, fmt.Sprintf("message of user %d to the connection of user %d on %s is dropped",
			uid, w.c.peer.UID, w.c.srv.o.Name))
	}
}

func (w *socketConn) reply(hdr, body []byte) error {
	return w.send(&w.msgs, &w.msgsTo, "-response", channelResponse, hdr, body)
}

func (w *socketConn) event(hdr, body []byte) error {
	return w.send(&w.events, &w.evTo, "-event", channelEvent, hdr, body)
}

func (w *socketConn) send(d *datagrams, connected *bool, end string, channel uintptr, hdr, body []byte) error {
	if len(hdr)+len(body) > int(w.c.maxMsg) {
		return unix.EMSGSIZE
	}
	if !*connected {
		sa, err := sockaddr(w.base+end, false)
		if err != nil {
			return err
		}
		switch err := connectRaw(d.fd, sa); err {
		case nil:
			*connected = true
		case unix.ECONNREFUSED, unix.ENOENT, unix.EAGAIN:
			return unix.EAGAIN // the client has not made it yet
		default:
			return err
		}
	}
	if err := d.send(hdr, body); err != nil {
		return err
	}
	return w.ctl.add(channel, 1)
}

func (w *socketConn) setFlow(level int32) error {
	return w.ctl.store(channelRequest+controlFlow, level)
}

func (w *socketConn) watch(on bool) error {
	if on == w.watched {
		return nil
	}
	w.watched = on
	events := uint32(0)
	if on {
		events = pollIn
	}
	return w.c.srv.poll.Modify(w.msgs.fd, events)
}

func (w *socketConn) close() {
	if w.alive {
		w.c.srv.poll.Remove(w.msgs.fd)
		w.alive = false
	}
	w.msgs.close()
	w.events.close()
	w.ctl.m.unmap()
}
