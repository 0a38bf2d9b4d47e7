// Package link is the sockets under the Totem ring: it moves datagrams between
// this node and the configured others and knows nothing of their content.
//
// Its caller is the corosync daemon's loop, which owns every value here.
// Upstream: exec/totemudpu.c. Unlike there, an interface that goes down is
// never replaced by 127.0.0.1 (a node that talks to itself is a ring of one
// anyway): sends fail and are counted until the interface is back.
package link

import (
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/corosync/loop"
)

const (
	// FrameMax is the largest datagram taken from the network. UDP carries no more.
	FrameMax = 65536
	// rcvBuf is what upstream asks for on its receiving socket, in bytes.
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

// UDPUConfig describes one udpu network. Immutable.
type UDPUConfig struct {
	Self  uint32
	Bind  netip.Addr
	Port  uint16
	Peers []Peer // all nodes of the nodelist; ours may be among them
	// AnySource takes datagrams from addresses that are not in Peers
	// (totem.block_unlisted_ips: no).
	AnySource bool
	DSCP      uint8 // totem.ip_dscp; 0: none
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

// UDPU is unicast UDP: what goes to all nodes is sent to each by itself.
type UDPU struct {
	cfg    UDPUConfig
	rxfd   int // bound to Bind:Port; receives everything and sends the token
	txfd   int // bound to Bind and any port; sends what goes to all nodes
	peers  []peer
	all    [][]byte   // queued for every other node, in order
	loop   *loop.Loop // nil: not attached
	rx     rxRing
	tx     txQueue
	stats  Stats
	closed bool
}

// peer is a destination. Its own node is not one: the ring core delivers to itself.
type peer struct {
	id   uint32
	addr netip.Addr
	sa   sockaddr
}

// OpenUDPU binds the sockets. The error names the address when that is not on
// this machine.
func OpenUDPU(cfg UDPUConfig) (*UDPU, error) {
	u := &UDPU{rxfd: -1, txfd: -1}
	u.setPeers(cfg)
	var err error
	if u.rxfd, err = openUDP(cfg.Bind, cfg.Port); err == nil {
		u.txfd, err = openUDP(cfg.Bind, 0)
	}
	for _, fd := range []int{u.rxfd, u.txfd} {
		if err == nil {
			err = setDSCP(fd, cfg.Bind.Is6(), cfg.DSCP)
		}
	}
	if err != nil {
		u.Close()
		return nil, fmt.Errorf("totem: udpu: bind %v: %w", netip.AddrPortFrom(cfg.Bind, cfg.Port), err)
	}
	u.rx.init(rxBatch)
	u.tx.init()
	u.all = make([][]byte, 0, txBatch)
	return u, nil
}

// openUDP makes a nonblocking socket bound to addr:port.
func openUDP(addr netip.Addr, port uint16) (int, error) {
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
	var sa unix.Sockaddr
	if addr.Is6() {
		sa = &unix.SockaddrInet6{Addr: addr.As16(), Port: int(port)}
	} else {
		sa = &unix.SockaddrInet4{Addr: addr.As4(), Port: int(port)}
	}
	if err := unix.Bind(fd, sa); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
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

// setPeers takes over the destinations of cfg.
func (u *UDPU) setPeers(cfg UDPUConfig) {
	u.cfg = cfg
	u.peers = u.peers[:0]
	for _, p := range cfg.Peers {
		if p.NodeID != cfg.Self {
			u.peers = append(u.peers, peer{id: p.NodeID, addr: p.Addr, sa: makeSockaddr(p.Addr, cfg.Port)})
		}
	}
}

// SetPeers replaces the nodelist, at a configuration reload.
func (u *UDPU) SetPeers(peers []Peer) {
	cfg := u.cfg
	cfg.Peers = peers
	u.setPeers(cfg)
}

// Attach watches for incoming datagrams.
func (u *UDPU) Attach(l *loop.Loop, readable func()) error {
	u.loop = l
	return l.Add(u.rxfd, loop.Readable, loop.High, func(uint32) { readable() })
}

// Detach ends the watch.
func (u *UDPU) Detach() {
	if u.loop != nil {
		u.loop.Remove(u.rxfd)
	}
}

// Stats returns the counters so far.
func (u *UDPU) Stats() *Stats { return &u.stats }

// SendFailures is how many sends failed since the last that worked.
func (u *UDPU) SendFailures() uint32 { return uint32(u.stats.TxConsecutiveFailure) }

// Close frees the sockets.
func (u *UDPU) Close() {
	if u.closed {
		return
	}
	u.closed = true
	for _, fd := range []int{u.rxfd, u.txfd} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// Receive reads what has arrived, at most one batch, and returns the datagrams.
// They are valid until the next Receive. more says that there may be others.
func (u *UDPU) Receive() (packets [][]byte, more bool) {
	// Errors but EAGAIN (ECONNREFUSED from ICMP) concern datagrams we sent and are
	// no reason to stop.
	n, _ := u.rx.read(u.rxfd)
	packets = u.rx.packets[:0]
	for i := range n {
		data, from, truncated := u.rx.at(i)
		switch {
		case truncated:
			u.stats.RxTruncated++
		case !u.cfg.AnySource && !u.known(from):
			u.stats.RxForeign++
		default:
			u.stats.RxPackets++
			u.stats.RxBytes += uint64(len(data))
			packets = append(packets, data)
		}
	}
	return packets, n == rxBatch
}

// known says whether addr belongs to the nodelist.
func (u *UDPU) known(addr netip.Addr) bool {
	if addr == u.cfg.Bind {
		return true
	}
	for i := range u.peers {
		if u.peers[i].addr == addr {
			return true
		}
	}
	return false
}

// SendAll queues data for every other node. data must stay as it is until Flush.
func (u *UDPU) SendAll(data []byte) {
	if len(u.all) == cap(u.all) {
		u.Flush()
	}
	u.all = append(u.all, data)
}

// SendTo queues data for one node; false when the nodelist has no such node.
// data must stay as it is until Flush.
func (u *UDPU) SendTo(node uint32, data []byte) bool {
	for i := range u.peers {
		if u.peers[i].id == node {
			u.spread()
			u.room(u.rxfd)
			u.tx.add(u.rxfd, data, &u.peers[i].sa)
			return true
		}
	}
	return false
}

// spread queues what goes to all: for one peer after the other, so that the kernel
// can take the datagrams of each as one message.
func (u *UDPU) spread() {
	for i := range u.peers {
		same := false
		for _, data := range u.all {
			same = u.room(u.txfd) && same
			u.tx.addJoined(u.txfd, data, &u.peers[i].sa, same)
			same = true
		}
	}
	clear(u.all) // let the collector have the datagrams
	u.all = u.all[:0]
}

// room makes room for a datagram through fd; it says whether there was.
func (u *UDPU) room(fd int) bool {
	if u.tx.full(fd) {
		u.send()
		return false
	}
	return true
}

// Flush hands the queued datagrams to the kernel, those for one node in their order.
// What the kernel refuses is counted and dropped: Totem expects loss, and must
// never wait.
func (u *UDPU) Flush() {
	u.spread()
	u.send()
}

func (u *UDPU) send() {
	u.tx.flush(func(_, bytes int) {
		u.stats.TxPackets++
		u.stats.TxBytes += uint64(bytes)
		u.stats.TxConsecutiveFailure = 0
	}, func(int, syscall.Errno) verdict {
		u.stats.TxErrors++
		u.stats.TxConsecutiveFailure++
		return giveUp
	})
}
