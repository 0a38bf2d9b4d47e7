package link

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// FrameBuffer is room for any Ethernet frame that an interface may hand out: its
// greatest MTU and the header.
const FrameBuffer = 1 << 16

// Tap is a virtual Ethernet interface of this machine that lives as long as its
// descriptor. What the machine sends over it is read here as frames, and what is
// written here the machine receives. Owned by the loop.
//
// Upstream: kronosnet's libnozzle (libnozzle.c).
type Tap struct {
	name  string
	index int
	fd    int
}

// OpenTap makes the interface; it is down and has a random hardware address. The
// errors are the kernel's; E2BIG: no name for an interface.
func OpenTap(name string) (*Tap, error) {
	if name == "" || len(name) >= unix.IFNAMSIZ {
		return nil, unix.E2BIG
	}
	req, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	t := &Tap{name: name, fd: fd}
	req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	if err == nil && req.Name() != name {
		err = unix.EBUSY // the kernel took the name for a pattern
	}
	if err == nil {
		var dev *net.Interface
		if dev, err = net.InterfaceByName(name); err == nil {
			t.index = dev.Index
			return t, nil
		}
	}
	t.Close()
	return nil, err
}

// Close takes the interface away.
func (t *Tap) Close() {
	unix.Close(t.fd)
	t.fd = -1
}

// FD is the descriptor to watch for frames.
func (t *Tap) FD() int { return t.fd }

// Name is the interface's.
func (t *Tap) Name() string { return t.name }

// SetMAC sets the hardware address.
func (t *Tap) SetMAC(mac net.HardwareAddr) error {
	return routeRequest(appendAttr(t.linkMessage(0, 0), unix.IFLA_ADDRESS, mac), unix.RTM_NEWLINK, 0)
}

// SetUp sets the interface up or down.
func (t *Tap) SetUp(up bool) error {
	flags := uint32(0)
	if up {
		flags = unix.IFF_UP
	}
	return routeRequest(t.linkMessage(flags, unix.IFF_UP), unix.RTM_NEWLINK, 0)
}

// linkMessage is struct ifinfomsg: flags are set as far as they are in change.
func (t *Tap) linkMessage(flags, change uint32) []byte {
	m := append(newMessage(), unix.AF_UNSPEC, 0, 0, 0)
	for _, v := range []uint32{uint32(t.index), flags, change} {
		m = binary.NativeEndian.AppendUint32(m, v)
	}
	return m
}

// Read reads a frame; 0: there is none.
func (t *Tap) Read(buf []byte) int {
	n, err := unix.Read(t.fd, buf)
	if err != nil {
		return 0
	}
	return n
}

// Write hands a frame to the machine. It fails while the interface is down.
func (t *Tap) Write(frame []byte) error {
	_, err := unix.Write(t.fd, frame)
	return err
}

// AddAddress gives the interface an address; an IPv4 one gets its network's
// broadcast address with it.
func (t *Tap) AddAddress(p netip.Prefix) error {
	addr := p.Addr()
	family := uint8(unix.AF_INET)
	if addr.Is6() {
		family = unix.AF_INET6
	}
	m := append(newMessage(), family, uint8(p.Bits()), 0, unix.RT_SCOPE_UNIVERSE)
	m = binary.NativeEndian.AppendUint32(m, uint32(t.index))
	m = appendAttr(m, unix.IFA_LOCAL, addr.AsSlice())
	m = appendAttr(m, unix.IFA_ADDRESS, addr.AsSlice())
	if addr.Is4() {
		m = appendAttr(m, unix.IFA_BROADCAST, broadcast(p))
	}
	return routeRequest(m, unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
}

// broadcast is the last address of an IPv4 network.
func broadcast(p netip.Prefix) []byte {
	b := p.Addr().As4()
	n := binary.BigEndian.Uint32(b[:])
	binary.BigEndian.PutUint32(b[:], n|uint32(1<<(32-p.Bits())-1))
	return b[:]
}

// newMessage has room for the header, which routeRequest writes.
func newMessage() []byte { return make([]byte, unix.SizeofNlMsghdr, 128) }

// appendAttr adds an attribute, and what fills it up to a multiple of 4 bytes.
func appendAttr(m []byte, typ uint16, value []byte) []byte {
	m = binary.NativeEndian.AppendUint16(m, uint16(unix.SizeofRtAttr+len(value)))
	m = binary.NativeEndian.AppendUint16(m, typ)
	m = append(m, value...)
	return append(m, make([]byte, -len(value)&3)...)
}

// routeRequest asks the kernel's routing layer for a change and waits for its word,
// which it has ready at once. m was begun by newMessage.
func routeRequest(m []byte, typ, flags uint16) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	binary.NativeEndian.PutUint32(m, uint32(len(m)))
	binary.NativeEndian.PutUint16(m[4:], typ)
	binary.NativeEndian.PutUint16(m[6:], flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	if err := unix.Sendto(fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	var b [1024]byte
	n, _, err := unix.Recvfrom(fd, b[:], 0)
	if err != nil {
		return err
	}
	if n < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(b[4:]) != unix.NLMSG_ERROR {
		return errors.New("the kernel's answer is no acknowledgement")
	}
	if errno := -int32(binary.NativeEndian.Uint32(b[unix.SizeofNlMsghdr:])); errno != 0 {
		return unix.Errno(errno)
	}
	return nil
}
