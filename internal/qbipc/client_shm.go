package qbipc

import (
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// shmWire is a client's end of a shared-memory connection (ipc_shm.c).
type shmWire struct {
	c                 *Client
	req, res, ev      *ring
	paths             [3]string
	ts                unix.Timespec
	oneByte, eventOne [1]byte
}

func dialSHM(c *Client, r connResponse) (clientWire, error) {
	w := &shmWire{c: c, paths: [3]string{r.request, r.response, r.event}}
	var err error
	if w.req, err = openRing(r.request, c.maxMsg, true); err == nil {
		if w.res, err = openRing(r.response, c.maxMsg, false); err == nil {
			w.ev, err = openRing(r.event, c.maxMsg, false)
		}
	}
	if err != nil {
		w.close(false)
		return nil, err
	}
	return w, nil
}

func (w *shmWire) flow() (int32, error) {
	refs, err := w.req.refCount()
	if err != nil {
		return 0, err
	}
	if refs != 2 {
		return 0, unix.ENOTCONN
	}
	return w.req.userData()
}

// send puts the message into the ring and one byte into the stream, which is
// what the server polls.
func (w *shmWire) send(hdr, body []byte) error {
	if err := w.req.write(hdr, body); err != nil {
		return err
	}
	for {
		err := sendByte(w.c.sock, &w.oneByte)
		if err != unix.EAGAIN {
			return err
		}
		if err := pollFD(w.c.sock, unix.POLLOUT, livenessSlice); err != nil && err != unix.ETIMEDOUT {
			return err
		}
		if w.c.hungUp() {
			return unix.ENOTCONN
		}
	}
}

func sendByte(fd int, b *[1]byte) error {
	for {
		_, err := unix.SendmsgN(fd, b[:], nil, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
		switch err {
		case unix.EINTR:
		case unix.EPIPE, unix.ECONNRESET:
			return unix.ENOTCONN
		default:
			return err
		}
	}
}

func (w *shmWire) reply(buf []byte, d time.Duration) (n int, err error) {
	defer w.res.recoverFault(debug.SetPanicOnFault(true), &err)
	if !w.res.sem().wait(d, &w.ts) {
		return 0, unix.EAGAIN
	}
	return w.res.take(buf)
}

// event reads from the ring first: its chunk is there before the byte in the
// stream is.
func (w *shmWire) event(buf []byte) (int, error) {
	n, err := w.ev.tryRead(buf)
	if err == nil {
		return n, w.eatByte()
	}
	return 0, err
}

// eatByte takes the event's byte out of the stream. It follows the chunk, so it
// may still be on its way; it never is if the server is gone.
func (w *shmWire) eatByte() error {
	for {
		n, err := unix.Read(w.c.sock, w.eventOne[:])
		switch {
		case err == unix.EAGAIN:
			if w.c.closed.Load() {
				return unix.ENOTCONN
			}
			if err := pollFD(w.c.sock, unix.POLLIN, livenessSlice); err != nil && err != unix.ETIMEDOUT {
				return err
			}
		case err == unix.EINTR:
		case err == nil && n == 0, err == unix.ECONNRESET:
			return nil
		default:
			return err
		}
	}
}

func (w *shmWire) eventFD() int { return w.c.sock }

func (w *shmWire) close(ghost bool) {
	for _, r := range []*ring{w.req, w.res, w.ev} {
		if r != nil && r.data.base != nil {
			// The server reads it as "client gone". It may be gone itself.
			_ = r.setRefCount(0)
			r.unmap()
		}
	}
	if !ghost {
		return
	}
	for _, p := range w.paths {
		_ = unix.Unlink(p + "-header")
		_ = unix.Unlink(p + "-data")
	}
	if dir := dirOf(w.paths[0]); dir != "" {
		_ = unix.Rmdir(dir)
	}
}
