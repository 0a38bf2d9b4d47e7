package qbipc

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// datagrams is one end of a datagram socket. It keeps the system call's
// structures, so that a message costs no allocation. Used by one goroutine at a
// time.
type datagrams struct {
	fd  int
	msg unix.Msghdr
	iov [2]unix.Iovec
	// oob has room for SCM_CREDENTIALS and no more: descriptors that somebody
	// sends along find none and are dropped by the kernel.
	oob   [unix.SizeofCmsghdr + 16]byte
	creds bool // the socket has SO_PASSCRED
}

func (d *datagrams) setParts(a, b []byte) {
	n := 0
	for _, p := range [2][]byte{a, b} {
		if len(p) > 0 {
			d.iov[n].Base = unsafe.SliceData(p)
			d.iov[n].SetLen(len(p))
			n++
		}
	}
	d.msg = unix.Msghdr{Iov: &d.iov[0]}
	d.msg.SetIovlen(n)
}

func (d *datagrams) call(trap uintptr, flags int) (int, error) {
	for {
		n, _, e := unix.Syscall(trap, uintptr(d.fd), uintptr(unsafe.Pointer(&d.msg)), uintptr(flags))
		if e == 0 {
			return int(n), nil
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}

// send sends one message of two parts without waiting; EAGAIN without room.
func (d *datagrams) send(hdr, body []byte) error {
	d.setParts(hdr, body)
	_, err := d.call(unix.SYS_SENDMSG, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
	d.iov = [2]unix.Iovec{}
	switch err {
	case unix.ENOBUFS:
		return unix.EAGAIN
	case unix.ECONNREFUSED, unix.ECONNRESET, unix.EPIPE:
		return unix.ENOTCONN
	default:
		return err
	}
}

// recv reads one message without waiting; EAGAIN when there is none. With creds
// set, uid is the sender's user; else it is -1.
func (d *datagrams) recv(buf []byte) (n int, uid int64, err error) {
	d.setParts(buf, nil)
	if d.creds {
		d.msg.Control = &d.oob[0]
		d.msg.SetControllen(len(d.oob))
	}
	n, err = d.call(unix.SYS_RECVMSG, unix.MSG_DONTWAIT)
	d.iov = [2]unix.Iovec{}
	switch {
	case err == unix.ECONNRESET:
		return 0, -1, unix.ENOTCONN
	case err != nil:
		return 0, -1, err
	case d.msg.Flags&unix.MSG_TRUNC != 0:
		return 0, -1, unix.ENOBUFS
	}
	return n, d.sender(), nil
}

// sender is the uid in the control message, -1 without one.
func (d *datagrams) sender() int64 {
	const want = unix.SizeofCmsghdr + unix.SizeofUcred
	if !d.creds || d.msg.Controllen < want {
		return -1
	}
	c := (*unix.Cmsghdr)(unsafe.Pointer(&d.oob[0]))
	if c.Level != unix.SOL_SOCKET || c.Type != unix.SCM_CREDENTIALS || c.Len < want {
		return -1
	}
	return int64((*unix.Ucred)(unsafe.Pointer(&d.oob[unix.SizeofCmsghdr])).Uid)
}

func (d *datagrams) close() {
	if d.fd >= 0 {
		unix.Close(d.fd)
		d.fd = -1
	}
}
