package link

import (
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sockaddr is a raw socket address of either family.
type sockaddr struct {
	raw [unix.SizeofSockaddrInet6]byte
	len uint32
}

// makeSockaddr encodes addr:port as the kernel wants it.
func makeSockaddr(addr netip.Addr, port uint16) (s sockaddr) {
	if addr.Is6() {
		sa := (*unix.RawSockaddrInet6)(unsafe.Pointer(&s.raw))
		sa.Family = unix.AF_INET6
		sa.Port = port<<8 | port>>8
		sa.Addr = addr.As16()
		s.len = unix.SizeofSockaddrInet6
		return s
	}
	sa := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.raw))
	sa.Family = unix.AF_INET
	sa.Port = port<<8 | port>>8
	sa.Addr = addr.As4()
	s.len = unix.SizeofSockaddrInet4
	return s
}

// addr decodes the address; the zero Addr when the family is neither.
func (s *sockaddr) addr() netip.Addr {
	switch (*unix.RawSockaddr)(unsafe.Pointer(&s.raw)).Family {
	case unix.AF_INET:
		return netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(&s.raw)).Addr)
	case unix.AF_INET6:
		return netip.AddrFrom16((*unix.RawSockaddrInet6)(unsafe.Pointer(&s.raw)).Addr)
	}
	return netip.Addr{}
}

// port decodes the port; 0 when the family is neither.
func (s *sockaddr) port() uint16 {
	var p uint16
	switch (*unix.RawSockaddr)(unsafe.Pointer(&s.raw)).Family {
	case unix.AF_INET:
		p = (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.raw)).Port
	case unix.AF_INET6:
		p = (*unix.RawSockaddrInet6)(unsafe.Pointer(&s.raw)).Port
	}
	return p<<8 | p>>8
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   uint32
}

// rxRing is the buffers of one recvmmsg call. All of it is made once and locked
// in memory with the rest of the process.
type rxRing struct {
	msgs    [rxBatch]mmsghdr
	iovs    [rxBatch]unix.Iovec
	from    [rxBatch]sockaddr
	bufs    []byte
	packets [][]byte
}

func (r *rxRing) init() {
	r.bufs = make([]byte, rxBatch*FrameMax)
	r.packets = make([][]byte, 0, rxBatch)
	for i := range r.msgs {
		r.iovs[i].Base = &r.bufs[i*FrameMax]
		r.iovs[i].SetLen(FrameMax)
		r.msgs[i].hdr.Iov = &r.iovs[i]
		r.msgs[i].hdr.SetIovlen(1)
		r.msgs[i].hdr.Name = &r.from[i].raw[0]
	}
}

// read fills the ring from fd without waiting and returns the number of
// datagrams; with none, errno says why (EAGAIN: nothing there). The raw system
// call keeps the thread's processor: it never blocks.
func (r *rxRing) read(fd int) (n int, errno syscall.Errno) {
	for i := range r.msgs {
		r.msgs[i].hdr.Namelen = uint32(len(r.from[i].raw))
		r.msgs[i].hdr.Flags = 0
	}
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&r.msgs)), rxBatch, unix.MSG_DONTWAIT, 0, 0)
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			return 0, errno
		}
		return int(n), 0
	}
}

// at is datagram i of the last read.
func (r *rxRing) at(i int) (data []byte, from netip.Addr, truncated bool) {
	m := &r.msgs[i]
	base := i * FrameMax
	return r.bufs[base : base+int(m.len)], r.from[i].addr(), m.hdr.Flags&unix.MSG_TRUNC != 0
}

// txQueue collects datagrams for one sendmmsg call. All of them leave through
// the same descriptor; a change of descriptor flushes first, so that order holds.
type txQueue struct {
	fd   int
	n    int
	msgs [txBatch]mmsghdr
	iovs [txBatch]unix.Iovec
}

func (q *txQueue) init() {
	q.fd = -1
	for i := range q.msgs {
		q.msgs[i].hdr.Iov = &q.iovs[i]
		q.msgs[i].hdr.SetIovlen(1)
	}
}

// full says that the queue must be flushed before a datagram through fd is added.
func (q *txQueue) full(fd int) bool { return q.n == txBatch || q.n > 0 && q.fd != fd }

// add puts one datagram into the queue; it refers to data and to.
func (q *txQueue) add(fd int, data []byte, to *sockaddr) {
	q.fd = fd
	q.iovs[q.n].Base = unsafe.SliceData(data)
	q.iovs[q.n].SetLen(len(data))
	q.msgs[q.n].hdr.Name = &to.raw[0]
	q.msgs[q.n].hdr.Namelen = to.len
	q.n++
}

// verdict is what becomes of a datagram that the kernel refused.
type verdict uint8

const (
	giveUp verdict = iota // go on with the next one
	again                 // try it once more
)

// flush sends everything and tells sent of each datagram that the kernel took;
// failed decides about the others. It must not say again without end.
func (q *txQueue) flush(sent func(i, bytes int), failed func(i int, errno syscall.Errno) verdict) {
	for i := 0; i < q.n; {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(q.fd), uintptr(unsafe.Pointer(&q.msgs[i])), uintptr(q.n-i), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch {
		case errno == syscall.EINTR:
		case errno != 0:
			if failed(i, errno) == giveUp {
				i++
			}
		default:
			for range n {
				sent(i, int(q.iovs[i].Len))
				i++
			}
		}
	}
	for i := range q.n {
		q.iovs[i].Base = nil // let the collector have the datagram
	}
	q.n = 0
}
