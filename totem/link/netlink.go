package link

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/corosync/loop"
)

// InterfaceWatch tells when the kernel changes an interface or its addresses
// (rtnetlink(7)). Owned by the loop.
type InterfaceWatch struct {
	fd  int
	buf [8192]byte
}

// OpenInterfaceWatch begins to watch.
func OpenInterfaceWatch() (*InterfaceWatch, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR})
		if err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("totem: watch interfaces: %w", err)
	}
	return &InterfaceWatch{fd: fd}, nil
}

// Attach calls changed, on l, with the number of an interface that something happened to;
// 0 when messages were lost: it may be any.
func (w *InterfaceWatch) Attach(l *loop.Loop, changed func(index int)) error {
	return l.Add(w.fd, loop.Readable, loop.Low, func(uint32) { w.read(changed) })
}

// Close ends the watch.
func (w *InterfaceWatch) Close(l *loop.Loop) {
	l.Remove(w.fd)
	unix.Close(w.fd)
}

// read takes what there is. One turn of the loop reads no more than a few
// messages: the rest is reported again.
func (w *InterfaceWatch) read(changed func(index int)) {
	n, _, err := unix.Recvfrom(w.fd, w.buf[:], unix.MSG_DONTWAIT)
	if err == unix.ENOBUFS {
		changed(0)
		return
	}
	if err != nil {
		return
	}
	eachInterface(w.buf[:n], changed)
}

// eachInterface calls changed for every message of a datagram. In messages of links
// (ifinfomsg) and of addresses (ifaddrmsg) the interface's number is at one
// place.
func eachInterface(b []byte, changed func(index int)) {
	const index = unix.SizeofNlMsghdr + 4
	for len(b) >= index+4 {
		size := int(binary.NativeEndian.Uint32(b))
		if size < index+4 || size > len(b) {
			return
		}
		switch binary.NativeEndian.Uint16(b[4:]) {
		case unix.RTM_NEWLINK, unix.RTM_DELLINK, unix.RTM_NEWADDR, unix.RTM_DELADDR:
			changed(int(int32(binary.NativeEndian.Uint32(b[index:]))))
		}
		b = b[min((size+3)&^3, len(b)):]
	}
}
