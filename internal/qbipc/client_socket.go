package qbipc

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Control file of a socket connection (ipc_socket.c: struct ipc_us_control, one
// each for requests, responses and events): sent i32, flow_control i32.
const (
	controlSize = 24
	controlFlow = 4
)

// control is the mapped control file.
type control struct{ m mapping }

func (c *control) recoverFault(old bool, err *error) {
	debug.SetPanicOnFault(old)
	if p := recover(); p != nil {
		if !isFaultIn(p, c.m) {
			panic(p)
		}
		*err = ErrFault
	}
}

// Words of the control file: channel*8 is the count of messages sent and not
// yet read, controlFlow behind it the flow control level.
const (
	channelRequest  = 0
	channelResponse = 8
	channelEvent    = 16
)

func (c *control) load(off uintptr) (v int32, err error) {
	defer c.recoverFault(debug.SetPanicOnFault(true), &err)
	return atomic.LoadInt32((*int32)(unsafe.Add(c.m.base, off))), nil
}

func (c *control) store(off uintptr, v int32) (err error) {
	defer c.recoverFault(debug.SetPanicOnFault(true), &err)
	atomic.StoreInt32((*int32)(unsafe.Add(c.m.base, off)), v)
	return nil
}

func (c *control) add(off uintptr, d int32) (err error) {
	defer c.recoverFault(debug.SetPanicOnFault(true), &err)
	atomic.AddInt32((*int32)(unsafe.Add(c.m.base, off)), d)
	return nil
}

// socketWire is a client's end of a socket connection (ipc_socket.c).
type socketWire struct {
	c       *Client
	ctl     control
	ctlPath string
	msgs    datagrams // requests out, replies in: used under the request lock
	events  datagrams // used under the event lock
}

func dialSocket(c *Client, r connResponse) (clientWire, error) {
	w := &socketWire{c: c, ctlPath: r.request, msgs: datagrams{fd: -1}, events: datagrams{fd: -1}}
	fd, err := unix.Open(r.request, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", r.request, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Size < controlSize {
		return nil, fmt.Errorf("%s has %d bytes, want %d: %w", r.request, st.Size, controlSize, ErrCorrupt)
	}
	if w.ctl.m, err = mapShared(fd, controlSize); err != nil {
		return nil, err
	}
	if w.msgs.fd, err = pairDatagram(r.response+"-response", r.response+"-request", c.maxMsg); err == nil {
		w.events.fd, err = pairDatagram(r.response+"-event", r.response+"-event-tx", c.maxMsg)
	}
	if err != nil {
		w.close(false)
		return nil, err
	}
	return w, nil
}

// pairDatagram makes a datagram socket with one name that is connected to
// another. Names that start with a slash are abstract on every machine
// (ipc_socket.c: set_sock_addr).
func pairDatagram(local, remote string, maxMsg uint32) (int, error) {
	fd, err := bindDatagram(local, maxMsg)
	if err != nil {
		return -1, err
	}
	sa, err := sockaddr(remote, false)
	if err == nil {
		err = connectRaw(fd, sa)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("connect to %q: %w", remote, err)
	}
	return fd, nil
}

// bindDatagram makes a datagram socket with buffers for one message of maxMsg
// bytes at least (ipc_socket.c: qb_ipc_dgram_sock_setup, set_sock_size).
func bindDatagram(name string, maxMsg uint32) (int, error) {
	sa, err := sockaddr(name, false)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := bindRaw(fd, sa); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("bind %q: %w", name, err)
	}
	for _, opt := range []int{unix.SO_SNDBUF, unix.SO_RCVBUF} {
		have, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, opt)
		if err == nil && have <= int(maxMsg) {
			err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, opt, int(maxMsg))
		}
		if err != nil {
			unix.Close(fd)
			return -1, fmt.Errorf("buffer size of %q: %w", name, err)
		}
	}
	return fd, nil
}

func (w *socketWire) flow() (int32, error) { return w.ctl.load(channelRequest + controlFlow) }

func (w *socketWire) send(hdr, body []byte) error {
	if err := w.msgs.send(hdr, body); err != nil {
		return err
	}
	return w.ctl.add(channelRequest, 1)
}

func (w *socketWire) reply(buf []byte, d time.Duration) (int, error) {
	n, _, err := w.msgs.recv(buf)
	if err == unix.EAGAIN && d > 0 {
		if err := pollFD(w.msgs.fd, unix.POLLIN, d); err != nil && err != unix.ETIMEDOUT {
			return 0, err
		}
		n, _, err = w.msgs.recv(buf)
	}
	if err == nil {
		err = w.ctl.add(channelResponse, -1)
	}
	return n, err
}

func (w *socketWire) event(buf []byte) (int, error) {
	n, _, err := w.events.recv(buf)
	if err == nil {
		err = w.ctl.add(channelEvent, -1)
	}
	return n, err
}

func (w *socketWire) eventFD() int { return w.events.fd }

// close removes the files in any case, as the original's client does.
func (w *socketWire) close(bool) {
	w.msgs.close()
	w.events.close()
	w.ctl.m.unmap()
	_ = unix.Unlink(w.ctlPath)
	if dir := dirOf(w.ctlPath); dir != "" {
		_ = unix.Rmdir(dir)
	}
}
