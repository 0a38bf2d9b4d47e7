package link

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// groBatch is how many messages one system call may bring in where each may be many
// datagrams: a socket must not keep the loop for longer than a token may wait.
const groBatch = 16

// groRing reads datagrams that the kernel hands over joined: those of one sender that
// followed one another and have one length, the last may be shorter (UDP_GRO, udp(7)).
// The fragments of a knet datagram are such, also over a network card.
type groRing struct {
	rxRing
	cuts     [groBatch]segmentSizeIn
	segments []segment
}

// segment is one datagram.
type segment struct {
	msg      uint16
	from, to uint32 // its place in the message
}

// segmentSizeIn is the control message UDP_GRO, which is wider than UDP_SEGMENT.
type segmentSizeIn struct {
	hdr   unix.Cmsghdr
	bytes int32
	_     [4]byte
}

func (r *groRing) init() {
	r.rxRing.init(groBatch)
	r.segments = make([]segment, 0, groBatch*segmentsMax)
	for i := range r.cuts {
		r.msgs[i].hdr.Control = (*byte)(unsafe.Pointer(&r.cuts[i]))
	}
}

// join asks the kernel for joined datagrams. One before 5.0 doesn't know that, and
// hands over one by one.
func (r *groRing) join(fd int) { _ = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) }

// read is rxRing's; n counts datagrams. full: there may be others.
func (r *groRing) read(fd int) (n int, full bool, errno syscall.Errno) {
	for i := range r.cuts {
		r.msgs[i].hdr.SetControllen(int(unsafe.Sizeof(r.cuts[i])))
	}
	msgs, errno := r.rxRing.read(fd, 0, r.batch)
	r.segments = r.segments[:0]
	for i := range msgs {
		r.cut(i)
	}
	return len(r.segments), msgs == groBatch, errno
}

// cut finds the datagrams of message i.
func (r *groRing) cut(i int) {
	end := r.msgs[i].len
	size := end
	c := &r.cuts[i]
	if r.msgs[i].hdr.Controllen > 0 && c.hdr.Level == unix.IPPROTO_UDP && c.hdr.Type == unix.UDP_GRO && c.bytes > 0 {
		size = uint32(c.bytes)
	}
	if size >= end { // one, which may be empty
		r.segments = append(r.segments, segment{msg: uint16(i), to: end})
		return
	}
	for from := uint32(0); from < end; from += size {
		r.segments = append(r.segments, segment{uint16(i), from, min(from+size, end)})
	}
}

// datagram is datagram i of the last read, empty when it was truncated.
func (r *groRing) datagram(i int) (data []byte, from *sockaddr) {
	s := r.segments[i]
	m := &r.msgs[s.msg]
	if m.hdr.Flags&unix.MSG_TRUNC != 0 {
		return nil, &r.from[s.msg]
	}
	buf := r.buffer(int(s.msg))
	return buf[s.from:s.to:s.to], &r.from[s.msg]
}
