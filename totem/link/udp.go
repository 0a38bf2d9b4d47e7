package link

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/corosync/loop"
)

// UDP is multicast UDP (totemudp.c): what goes to all nodes is sent once, to a
// group that all have joined, or as a broadcast. Everything leaves from the port
// below the configured one.
//
// Upstream sends its own messages to itself too, through a pair of sockets; here
// the ring core has them already, and what the network brings back is dropped.
type UDP struct {
	datagrams
	group   sockaddr
	groupfd int  // bound to the group and port
	tokenfd int  // bound to the local address and port
	txfd    int  // bound to the local address and port - 1
	grouped bool // the last datagram queued goes to the group
}

// NewUDP makes the transport without sockets, for a node whose interface is not there
// yet; Reopen makes them.
func NewUDP(cfg UDPConfig) *UDP {
	u := &UDP{groupfd: -1, tokenfd: -1, txfd: -1}
	u.start(cfg)
	return u
}

// OpenUDP binds the sockets and joins the group on the local interface. The error
// names the address that it is about.
func OpenUDP(cfg UDPConfig) (*UDP, error) {
	u := NewUDP(cfg)
	if err := u.open(); err != nil {
		return nil, err
	}
	return u, nil
}

func (u *UDP) open() error {
	local := u.cfg.Local.Addr
	if u.cfg.Group.Is4() != local.Is4() {
		return fmt.Errorf("totem: udp: %v and the local address %v are not of one family", u.cfg.Group, local)
	}
	u.group = u.sockaddr(u.cfg.Group, u.cfg.Port)
	var err error
	u.txfd, err = u.datagrams.open(local, u.cfg.Port-1, u.setSender)
	if err == nil {
		u.tokenfd, err = u.datagrams.open(local, u.cfg.Port, nil)
	}
	if err == nil {
		u.groupfd, err = u.datagrams.open(u.cfg.Group, u.cfg.Port, u.setReceiver)
	}
	if err != nil {
		u.Close()
		return fmt.Errorf("totem: udp: bind %w", err)
	}
	return nil
}

// broadcast says that there is no group to join.
func (u *UDP) broadcast() bool { return !u.cfg.Group.IsMulticast() }

// setSender chooses the interface and the reach of what goes to the group.
func (u *UDP) setSender(fd int) error {
	index, ttl := u.cfg.Local.Index, int(u.cfg.TTL)
	switch {
	case u.broadcast():
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1)
	case u.cfg.Group.Is4():
		return errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0),
			unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, ttl),
			unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Address: u.cfg.Local.Addr.As4(), Ifindex: int32(index)}))
	}
	return errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0),
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, ttl),
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, index))
}

// setReceiver joins the group. Other clusters of this machine may use the same
// group and port.
func (u *UDP) setReceiver(fd int) error {
	reuse := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	index := u.cfg.Local.Index
	switch {
	case u.broadcast():
		return errors.Join(reuse, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1))
	case u.cfg.Group.Is4():
		return errors.Join(reuse, unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP,
			&unix.IPMreqn{Multiaddr: u.cfg.Group.As4(), Address: u.cfg.Local.Addr.As4(), Ifindex: int32(index)}))
	}
	return errors.Join(reuse, unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP,
		&unix.IPv6Mreq{Multiaddr: u.cfg.Group.As16(), Interface: uint32(index)}))
}

// Attach watches for incoming datagrams.
func (u *UDP) Attach(l *loop.Loop, readable func()) error {
	u.loop, u.readable = l, readable
	return u.watch(u.groupfd, u.tokenfd)
}

// Detach ends the watch.
func (u *UDP) Detach() { u.unwatch(u.groupfd, u.tokenfd) }

// Reopen makes the sockets anew, at the place where the node's address is now, and
// joins the group there: the kernel forgets who had joined on an interface that
// loses its last address. After an error there are no sockets, until a Reopen that
// works.
func (u *UDP) Reopen(local Interface) error {
	u.Detach()
	u.Close()
	u.cfg.Local = local
	u.Follow(u.cfg)
	if err := u.open(); err != nil {
		return err
	}
	return u.watch(u.groupfd, u.tokenfd)
}

// Close frees the sockets.
func (u *UDP) Close() { closeAll(&u.groupfd, &u.tokenfd, &u.txfd) }

// How a batch is shared out: most of it is the group's, some is left for tokens and
// for what reached the group before the tokens were read.
const (
	groupBatch = rxBatch * 3 / 4
	tokenBatch = rxBatch / 8
)

// Receive reads what has arrived, at most one batch, and returns the datagrams.
// They are valid until the next Receive. more says that there may be others.
//
// Messages and tokens come through two sockets. A token must not overtake the
// messages sent before it, or the node asks for what is already here; upstream
// drains the group's socket before it looks at a token (totemudp_recv_flush). So the
// tokens are read once the group's socket was empty, and it is read again after
// them.
func (u *UDP) Receive() (packets [][]byte, more bool) {
	n, _ := u.rx.read(u.groupfd, 0, groupBatch)
	if n == groupBatch {
		return u.sift(n, u.others), true
	}
	tokens, _ := u.rx.read(u.tokenfd, n, tokenBatch)
	more = tokens == tokenBatch
	if n += tokens; tokens > 0 {
		late, _ := u.rx.read(u.groupfd, n, rxBatch-n)
		n += late
	}
	return u.sift(n, u.others), more
}

// others tells what other nodes sent from what came back: broadcasts do.
func (u *UDP) others(from netip.Addr) bool { return from != u.cfg.Local.Addr }

func anybody(netip.Addr) bool { return true }

// SendAll queues data for the group. data must stay as it is until Flush.
func (u *UDP) SendAll(data []byte) {
	same := u.room(u.txfd) && u.grouped
	u.tx.addJoined(u.txfd, data, &u.group, same)
	u.grouped = true
}

// SendTo queues data for one node; false when the nodelist has no such node.
// data must stay as it is until Flush.
func (u *UDP) SendTo(node uint32, data []byte) bool {
	p := u.peer(node)
	if p == nil {
		return false
	}
	u.room(u.txfd)
	u.tx.add(u.txfd, data, &p.sa)
	u.grouped = false
	return true
}

// Flush hands the queued datagrams to the kernel, in order.
func (u *UDP) Flush() {
	u.send()
	u.grouped = false
}
