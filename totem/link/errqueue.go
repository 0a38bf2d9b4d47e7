package link

import (
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// errQueue reads a socket's error queue (ip(7): IP_RECVERR), where the kernel puts
// what ICMP messages and its own checks said of datagrams that were sent. The
// buffers are made once.
type errQueue struct {
	hdr     unix.Msghdr
	iov     unix.Iovec
	to      sockaddr
	data    [64]byte // the beginning of the datagram itself, unused
	control [512]byte
}

func (q *errQueue) init() {
	q.iov.Base = &q.data[0]
	q.iov.SetLen(len(q.data))
	q.hdr.Iov = &q.iov
	q.hdr.SetIovlen(1)
}

// read takes one entry off; ok is false when there is none. The failure is zero
// for an entry that says nothing.
func (q *errQueue) read(fd int) (f Failure, ok bool) {
	q.hdr.Name, q.hdr.Namelen = &q.to.raw[0], uint32(len(q.to.raw))
	q.hdr.Control = &q.control[0]
	q.hdr.SetControllen(len(q.control))
	q.hdr.Flags = 0
	for {
		_, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&q.hdr)), unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			return f, false
		}
		break
	}
	if e := extendedError(q.control[:min(int(q.hdr.Controllen), len(q.control))]); e != nil {
		f.Errno = syscall.Errno(e.Errno)
		f.To = netip.AddrPortFrom(q.to.addr(), q.to.port())
		if f.Errno == syscall.EMSGSIZE {
			f.MTU = int(e.Info)
		}
	}
	return f, true
}

// extendedError finds the kernel's report among control messages; nil: none.
func extendedError(control []byte) *unix.SockExtendedErr {
	for len(control) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
		n := int(h.Len)
		if n < unix.SizeofCmsghdr || n > len(control) {
			return nil
		}
		v4 := h.Level == unix.IPPROTO_IP && h.Type == unix.IP_RECVERR
		v6 := h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_RECVERR
		if (v4 || v6) && n >= unix.CmsgLen(int(unsafe.Sizeof(unix.SockExtendedErr{}))) {
			return (*unix.SockExtendedErr)(unsafe.Pointer(&control[unix.CmsgLen(0)]))
		}
		control = control[min(len(control), unix.CmsgSpace(n-unix.CmsgLen(0))):]
	}
	return nil
}
