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

// setScope says which interface an IPv6 address is meant on; 0: it says itself.
func (s *sockaddr) setScope(index uint32) {
	if s.len == unix.SizeofSockaddrInet6 {
		(*unix.RawSockaddrInet6)(unsafe.Pointer(&s.raw)).Scope_id = index
	}
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
	batch   int // messages in one call, at most rxBatch
	msgs    [rxBatch]mmsghdr
	iovs    [rxBatch]unix.Iovec
	from    [rxBatch]sockaddr
	bufs    []byte
	packets [][]byte
}

func (r *rxRing) init(batch int) {
	r.batch = batch
	r.bufs = make([]byte, batch*FrameMax)
	r.packets = make([][]byte, 0, batch)
	for i := range batch {
		r.iovs[i].Base = &r.bufs[i*FrameMax]
		r.iovs[i].SetLen(FrameMax)
		r.msgs[i].hdr.Iov = &r.iovs[i]
		r.msgs[i].hdr.SetIovlen(1)
		r.msgs[i].hdr.Name = &r.from[i].raw[0]
	}
}

// read fills at most count places of the ring, from the given one on, from fd
// without waiting and returns the number of datagrams; with none, errno says why
// (EAGAIN: nothing there). The raw system call keeps the thread's processor: it
// never blocks.
func (r *rxRing) read(fd, first, count int) (n int, errno syscall.Errno) {
	msgs := r.msgs[first : first+count]
	for i := range msgs {
		msgs[i].hdr.Namelen = uint32(len(r.from[first+i].raw))
		msgs[i].hdr.Flags = 0
	}
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(msgs))), uintptr(count), unix.MSG_DONTWAIT, 0, 0)
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			return 0, errno
		}
		return int(n), 0
	}
}

// buffer is where message i lies.
func (r *rxRing) buffer(i int) []byte { return r.bufs[i*FrameMax : (i+1)*FrameMax] }

// at is the datagram at place i.
func (r *rxRing) at(i int) (data []byte, from netip.Addr, truncated bool) {
	m := &r.msgs[i]
	return r.buffer(i)[:m.len], r.from[i].addr(), m.hdr.Flags&unix.MSG_TRUNC != 0
}

// txQueue collects datagrams for one sendmmsg call. All of them leave through
// the same descriptor; a change of descriptor flushes first, so that order holds.
//
// Datagrams that follow one another to one destination and have one length, the last
// may be shorter, can be joined: the kernel takes them as one message and cuts it
// (UDP_SEGMENT, udp(7)). What leaves is the same.
type txQueue struct {
	fd    int
	n     int // datagrams
	m     int // messages: single datagrams or joined ones
	first [txBatch + 1]int
	msgs  [txBatch]mmsghdr
	iovs  [txBatch]unix.Iovec // one for each datagram
	cuts  [txBatch]segmentSize
	whole bool // the kernel does not cut messages for this route: nothing is joined
}

// segmentSize is the control message UDP_SEGMENT.
type segmentSize struct {
	hdr   unix.Cmsghdr
	bytes uint16
	_     [6]byte
}

const (
	segmentsMax = 64    // of a joined message (linux/udp.h: UDP_MAX_SEGMENTS, 128 since 6.9)
	joinedMax   = 64000 // bytes: with its headers it is less than an IP packet may have
)

func (q *txQueue) init() {
	q.fd = -1
	for i := range q.cuts {
		h := &q.cuts[i].hdr
		h.Level, h.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
		h.SetLen(unix.CmsgLen(2))
	}
}

// full says that the queue must be flushed before a datagram through fd is added.
func (q *txQueue) full(fd int) bool { return q.n == txBatch || q.n > 0 && q.fd != fd }

// add puts one datagram into the queue; it refers to data and to.
func (q *txQueue) add(fd int, data []byte, to *sockaddr) {
	q.fd = fd
	q.addMessage(q.n, to)
	q.append(data)
}

// addMessage begins a message with datagram i.
func (q *txQueue) addMessage(i int, to *sockaddr) {
	h := &q.msgs[q.m].hdr
	*h = unix.Msghdr{Name: &to.raw[0], Namelen: to.len, Iov: &q.iovs[i]}
	h.SetIovlen(1)
	q.first[q.m] = i
	q.m++
	q.first[q.m] = i + 1
}

func (q *txQueue) append(data []byte) {
	q.iovs[q.n].Base = unsafe.SliceData(data)
	q.iovs[q.n].SetLen(len(data))
	q.n++
}

// addJoined is add, which joins the datagram to the message before if it can.
// to is where the datagrams before went too.
func (q *txQueue) addJoined(fd int, data []byte, to *sockaddr, same bool) {
	if q.m == 0 || !same || q.whole || len(data) == 0 {
		q.add(fd, data, to)
		return
	}
	last := q.m - 1
	first, count := q.first[last], q.n-q.first[last]
	size := int(q.iovs[first].Len)
	if len(data) > size || int(q.iovs[q.n-1].Len) != size || count == segmentsMax || (count+1)*size > joinedMax {
		q.add(fd, data, to)
		return
	}
	q.append(data)
	q.first[q.m] = q.n
	h := &q.msgs[last].hdr
	h.SetIovlen(count + 1)
	q.cuts[last].bytes = uint16(size)
	h.Control = (*byte)(unsafe.Pointer(&q.cuts[last]))
	h.SetControllen(int(unsafe.Sizeof(q.cuts[last])))
}

// split makes single datagrams of message i.
func (q *txQueue) split(i int) {
	first, count := q.first[i], q.first[i+1]-q.first[i]
	more := count - 1
	copy(q.msgs[i+1+more:], q.msgs[i+1:q.m])
	copy(q.first[i+1+more:], q.first[i+1:q.m+1])
	q.m += more
	single := q.msgs[i].hdr
	single.Control = nil
	single.SetControllen(0)
	single.SetIovlen(1)
	for j := range count {
		q.msgs[i+j].hdr = single
		q.msgs[i+j].hdr.Iov = &q.iovs[first+j]
		q.first[i+j] = first + j
	}
}

// verdict is what becomes of a datagram that the kernel refused.
type verdict uint8

const (
	giveUp verdict = iota // go on with the next one
	again                 // try it once more
)

// flush sends everything and tells sent of each datagram that the kernel took;
// failed decides about the others. It must not say again without end. A joined
// message that the kernel refuses, because the path is too narrow or cannot have
// it cut, goes on as single datagrams.
func (q *txQueue) flush(sent func(i, bytes int), failed func(i int, errno syscall.Errno) verdict) {
	for i := 0; i < q.m; {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(q.fd), uintptr(unsafe.Pointer(&q.msgs[i])), uintptr(q.m-i), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		joined := q.first[i+1]-q.first[i] > 1
		switch {
		case errno == syscall.EINTR:
		case errno == 0:
			for d := q.first[i]; d < q.first[i+int(n)]; d++ {
				sent(d, int(q.iovs[d].Len))
			}
			i += int(n)
		case joined && !isFull(errno):
			// EIO: the route has no checksums to leave to the device (IPsec); an older
			// kernel than 4.18 doesn't know the option.
			q.whole = q.whole || errno == syscall.EIO || errno == syscall.ENOPROTOOPT
			q.split(i)
		default:
			if failed(q.first[i], errno) == giveUp {
				i++
			}
		}
	}
	for i := range q.n {
		q.iovs[i].Base = nil // let the collector have the datagram
	}
	q.n, q.m = 0, 0
}

// isFull says that there is no room now for anything.
func isFull(errno syscall.Errno) bool {
	return errno == syscall.EAGAIN || errno == syscall.ENOBUFS || errno == syscall.ENOMEM
}
