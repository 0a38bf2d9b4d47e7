package link

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/corosync/loop"
)

const (
	// FrameMax is the largest datagram taken from the network. UDP carries no more.
	FrameMax = 65536
	// rcvBuf is what upstream asks for on its receiving sockets, in bytes.
	rcvBuf = 16 * 65536
	// rxBatch is how many datagrams one system call may bring in. The ring's
	// window is 50 messages, so that a whole window and the token fit.
	rxBatch = 64
	// txBatch is how many datagrams one system call may take out.
	txBatch = 64
	// prioInteractive is TC_PRIO_INTERACTIVE: ours go before bulk traffic.
	prioInteractive = 6
)

// Peer is a configured node and its address.
type Peer struct {
	NodeID uint32
	Addr   netip.Addr
}

// UDPConfig describes a network of bare UDP, udpu's or udp's. Immutable.
type UDPConfig struct {
	Self  uint32
	Local Interface // where this node's address is
	Port  uint16
	Peers []Peer // all nodes of the nodelist; ours may be among them
	// AnySource, of udpu: takes datagrams from addresses that are not in Peers
	// (totem.block_unlisted_ips: no). udp always does, as upstream.
	AnySource bool
	DSCP      uint8 // totem.ip_dscp; 0: none
	// Group and TTL are udp's: the multicast address, or 255.255.255.255, and how
	// many hops its datagrams may take.
	Group netip.Addr
	TTL   uint8
}

// Stats counts what the link did with datagrams.
type Stats struct {
	RxPackets, RxBytes   uint64
	RxForeign            uint64 // from an address outside the nodelist
	RxTruncated          uint64
	TxPackets, TxBytes   uint64
	TxErrors             uint64 // sends that the kernel refused
	TxConsecutiveFailure uint64 // since the last send that worked
}

// peer is a destination. Its own node is not one: the ring core delivers to itself.
type peer struct {
	id   uint32
	addr netip.Addr
	sa   sockaddr
}

// datagrams is what udpu and udp have in common: destinations, buffers, counters
// and the watch of the sockets that receive.
type datagrams struct {
	cfg      UDPConfig
	peers    []peer
	loop     *loop.Loop // nil: not attached
	readable func()
	rx       rxRing
	tx       txQueue
	stats    Stats
}

// start takes over a configuration and makes the buffers.
func (d *datagrams) start(cfg UDPConfig) {
	d.cfg = cfg
	d.Follow(cfg)
	d.rx.init(rxBatch)
	d.tx.init()
}

// Follow takes over what may change while the sockets stay: Peers and AnySource.
func (d *datagrams) Follow(cfg UDPConfig) {
	d.cfg.Peers, d.cfg.AnySource = cfg.Peers, cfg.AnySource
	d.peers = d.peers[:0]
	for _, p := range cfg.Peers {
		if p.NodeID != d.cfg.Self {
			d.peers = append(d.peers, peer{id: p.NodeID, addr: p.Addr, sa: d.sockaddr(p.Addr, d.cfg.Port)})
		}
	}
}

// sockaddr is an address on this network; those that mean something on one
// interface only get its number. Upstream gives every address the number 2.
func (d *datagrams) sockaddr(addr netip.Addr, port uint16) sockaddr {
	sa := makeSockaddr(addr, port)
	sa.setScope(scope(addr, d.cfg.Local.Index))
	return sa
}

func scope(addr netip.Addr, index int) uint32 {
	if addr.Is6() && (addr.IsLinkLocalUnicast() || addr.IsLinkLocalMulticast() || addr.IsInterfaceLocalMulticast()) {
		return uint32(index)
	}
	return 0
}

// watch begins to watch the sockets that receive, if there is a loop and there are any.
func (d *datagrams) watch(fds ...int) error {
	for _, fd := range fds {
		if d.loop == nil || fd < 0 {
			continue
		}
		if err := d.loop.Add(fd, loop.Readable, loop.High, func(uint32) { d.readable() }); err != nil {
			return err
		}
	}
	return nil
}

// unwatch ends the watch; sockets that are closed are watched no more anyway.
func (d *datagrams) unwatch(fds ...int) {
	for _, fd := range fds {
		if d.loop != nil && fd >= 0 {
			d.loop.Remove(fd)
		}
	}
}

// Stats returns the counters so far.
func (d *datagrams) Stats() *Stats { return &d.stats }

// SendFailures is how many sends failed since the last that worked.
func (d *datagrams) SendFailures() uint32 { return uint32(d.stats.TxConsecutiveFailure) }

// sift drops those of the first n datagrams read that are nobody's business.
func (d *datagrams) sift(n int, mine func(from netip.Addr) bool) [][]byte {
	packets := d.rx.packets[:0]
	for i := range n {
		data, from, truncated := d.rx.at(i)
		switch {
		case truncated:
			d.stats.RxTruncated++
		case !mine(from):
			d.stats.RxForeign++
		default:
			d.stats.RxPackets++
			d.stats.RxBytes += uint64(len(data))
			packets = append(packets, data)
		}
	}
	return packets
}

// known says whether addr belongs to the nodelist.
func (d *datagrams) known(addr netip.Addr) bool {
	if addr == d.cfg.Local.Addr {
		return true
	}
	for i := range d.peers {
		if d.peers[i].addr == addr {
			return true
		}
	}
	return false
}

// peer is the node of the nodelist with this id, without its own; nil: there is none.
func (d *datagrams) peer(node uint32) *peer {
	for i := range d.peers {
		if d.peers[i].id == node {
			return &d.peers[i]
		}
	}
	return nil
}

// room makes room for a datagram through fd; it says whether there was.
func (d *datagrams) room(fd int) bool {
	if d.tx.full(fd) {
		d.send()
		return false
	}
	return true
}

// send hands the queued datagrams to the kernel. What it refuses is counted and
// dropped: Totem expects loss, and must never wait.
func (d *datagrams) send() {
	d.tx.flush(func(_, bytes int) {
		d.stats.TxPackets++
		d.stats.TxBytes += uint64(bytes)
		d.stats.TxConsecutiveFailure = 0
	}, func(int, syscall.Errno) verdict {
		d.stats.TxErrors++
		d.stats.TxConsecutiveFailure++
		return giveUp
	})
}

// open makes a socket bound to addr:port, of those that send marked as wished.
func (d *datagrams) open(addr netip.Addr, port uint16, set func(fd int) error) (int, error) {
	return openUDP(addr, port, scope(addr, d.cfg.Local.Index), func(fd int) error {
		if set != nil {
			if err := set(fd); err != nil {
				return err
			}
		}
		return setDSCP(fd, addr.Is6(), d.cfg.DSCP)
	})
}

// setDSCP marks all that a socket sends with a code point; 0 changes nothing. The
// original sets it for IPv4 alone (util.c of 3.1.10: set_socket_dscp).
func setDSCP(fd int, v6 bool, dscp uint8) error {
	if dscp == 0 {
		return nil
	}
	level, name := unix.IPPROTO_IP, unix.IP_TOS
	if v6 {
		level, name = unix.IPPROTO_IPV6, unix.IPV6_TCLASS
	}
	return unix.SetsockoptInt(fd, level, name, int(dscp)<<2)
}

// openUDP makes a nonblocking socket bound to addr:port; set, if not nil, is
// called before the bind.
func openUDP(addr netip.Addr, port uint16, scope uint32, set func(fd int) error) (int, error) {
	family := unix.AF_INET
	if addr.Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return -1, err
	}
	// Bigger buffers and a priority are wishes: without them the ring works, slower.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, rcvBuf)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, rcvBuf)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, prioInteractive)
	if set != nil {
		err = set(fd)
	}
	var sa unix.Sockaddr = &unix.SockaddrInet6{Addr: addr.As16(), Port: int(port), ZoneId: scope}
	if addr.Is4() {
		sa = &unix.SockaddrInet4{Addr: addr.As4(), Port: int(port)}
	}
	if err == nil {
		err = unix.Bind(fd, sa)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("%v: %w", netip.AddrPortFrom(addr, port), err)
	}
	return fd, nil
}

// closeAll closes sockets and marks them so.
func closeAll(fds ...*int) {
	for _, fd := range fds {
		if *fd >= 0 {
			unix.Close(*fd)
		}
		*fd = -1
	}
}

// IsTransient says that an Open that failed may work a little later: an IPv6
// address is not to be used before the kernel knows that nobody else has it, and
// a predecessor's sockets may not be closed yet.
func IsTransient(err error) bool {
	return errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EADDRINUSE)
}
