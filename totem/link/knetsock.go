package link

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// knetBuf is what each socket's buffers hold, in bytes (libknet internals.h:
	// KNET_RING_RCVBUFF).
	knetBuf = 8 << 20
	// tosLowDelay is IPTOS_LOWDELAY, which libknet sets with KNET_LINK_FLAG_TRAFFICHIPRIO.
	tosLowDelay = 0x10
	// failuresMax bounds the failures kept between two calls of Failures; what is
	// beyond it says nothing new.
	failuresMax = 64
)

// ErrBuffers says that the kernel gave a socket smaller buffers than knet wants
// and that this process may not force it to.
var ErrBuffers = errors.New("socket buffers of 8 MiB need the capability CAP_NET_ADMIN, or a bigger net.core.rmem_max and net.core.wmem_max;" +
	" with system.allow_knet_handle_fallback: yes smaller ones do, slowly")

// KnetOptions is how knet's sockets are made. Immutable.
type KnetOptions struct {
	// SmallBuffers goes on with smaller buffers than wanted
	// (system.allow_knet_handle_fallback).
	SmallBuffers bool
	DSCP         uint8 // totem.ip_dscp; 0: low delay instead
}

// Failure is what the kernel said about a datagram we sent, at once or later
// through an ICMP message.
type Failure struct {
	Sock  int            // through which socket it went
	To    netip.AddrPort // where it was to go
	Errno syscall.Errno
	// MTU is the greatest packet that the path takes, headers included, when
	// Errno is EMSGSIZE and the kernel knows; else 0.
	MTU int
	Tag uint8 // given to Send, when Now
	// Now tells that the kernel refused the datagram itself, not a former one.
	Now bool
}

// KnetSockets are the UDP sockets of knet: one for each local address and port,
// shared by the links of all hosts. Owned by the loop.
//
// Nothing here waits or tries again without end: what the kernel refuses is told
// by Failures and dropped, and when it says that a destination cannot be reached,
// or that the socket is full, the rest of the batch for it is dropped unseen. An
// address that vanishes stays bound (IP_FREEBIND) and works again when it is back.
type KnetSockets struct {
	opts     KnetOptions
	socks    []knetSocket
	rx       groRing
	rxSock   int // whose datagrams rx holds
	tx       txQueue
	txSock   int
	txTo     [txBatch]sockaddr
	txTag    [txBatch]uint8
	blocked  blocked
	errs     errQueue
	failures []Failure

	onSent   func(i, bytes int)
	onFailed func(i int, errno syscall.Errno) verdict
	retried  bool // the datagram in work was tried twice
	small    bool // some socket has smaller buffers than wanted
}

type knetSocket struct {
	local netip.AddrPort
	fd    int // -1: free slot
}

// blocked is a destination that the rest of a batch is not sent to; everything
// when to is the zero address.
type blocked struct {
	on bool
	to sockaddr
}

// NewKnetSockets makes the buffers; there are no sockets yet.
func NewKnetSockets(opts KnetOptions) *KnetSockets {
	k := &KnetSockets{opts: opts, failures: make([]Failure, 0, failuresMax)}
	k.rx.init()
	k.tx.init()
	k.errs.init()
	k.onSent = func(int, int) { k.retried = false }
	k.onFailed = k.sendFailed
	return k
}

// Open binds a socket and returns its number; the same for an address and port
// that is bound already.
func (k *KnetSockets) Open(local netip.AddrPort) (sock int, err error) {
	free := -1
	for i, s := range k.socks {
		if s.fd >= 0 && s.local == local {
			return i, nil
		}
		if s.fd < 0 {
			free = i
		}
	}
	fd, err := k.openSocket(local)
	if err != nil {
		return -1, fmt.Errorf("totem: knet: socket %v: %w", local, err)
	}
	if free < 0 {
		free = len(k.socks)
		k.socks = append(k.socks, knetSocket{})
	}
	k.socks[free] = knetSocket{local: local, fd: fd}
	return free, nil
}

// Close frees a socket.
func (k *KnetSockets) Close(sock int) {
	k.Flush()
	if s := &k.socks[sock]; s.fd >= 0 {
		unix.Close(s.fd)
		*s = knetSocket{fd: -1}
	}
}

// CloseAll frees all sockets.
func (k *KnetSockets) CloseAll() {
	for i := range k.socks {
		k.Close(i)
	}
}

// FD is the descriptor to watch for datagrams and errors.
func (k *KnetSockets) FD(sock int) int { return k.socks[sock].fd }

// openSocket makes one socket as libknet does (transport_udp.c:
// udp_transport_link_set_config, transport_common.c: _configure_transport_socket).
func (k *KnetSockets) openSocket(local netip.AddrPort) (int, error) {
	family := unix.AF_INET
	if local.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return -1, err
	}
	if err := k.configure(fd, family); err != nil {
		unix.Close(fd)
		return -1, err
	}
	k.rx.join(fd)
	var sa unix.Sockaddr = &unix.SockaddrInet4{Addr: as4(local.Addr()), Port: int(local.Port())}
	if family == unix.AF_INET6 {
		sa = &unix.SockaddrInet6{Addr: local.Addr().As16(), Port: int(local.Port())}
	}
	if err := unix.Bind(fd, sa); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("bind: %w", err)
	}
	return fd, nil
}

func as4(a netip.Addr) (out [4]byte) {
	if a.Is4() {
		return a.As4()
	}
	return out
}

func (k *KnetSockets) configure(fd, family int) error {
	for _, o := range [...]struct{ name, force int }{{unix.SO_RCVBUF, unix.SO_RCVBUFFORCE}, {unix.SO_SNDBUF, unix.SO_SNDBUFFORCE}} {
		if err := k.setBuffer(fd, o.name, o.force); err != nil {
			return err
		}
	}
	type option struct{ level, name, value int }
	options := []option{
		{unix.SOL_SOCKET, unix.SO_PRIORITY, prioInteractive}, {unix.IPPROTO_IP, unix.IP_TOS, tosLowDelay},
		{unix.IPPROTO_IP, unix.IP_FREEBIND, 1},
	}
	if family == unix.AF_INET6 {
		options = append(options, option{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1}, option{unix.IPPROTO_IPV6, unix.IPV6_DONTFRAG, 1},
			option{unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE}, option{unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1})
	} else {
		options = append(options, option{unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE}, option{unix.IPPROTO_IP, unix.IP_RECVERR, 1})
	}
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return fmt.Errorf("setsockopt %d %d: %w", o.level, o.name, err)
		}
	}
	return setDSCP(fd, family == unix.AF_INET6, k.opts.DSCP)
}

// setBuffer sets a buffer size, by force where the system's limit is lower
// (transport_common.c: _configure_sockbuf).
func (k *KnetSockets) setBuffer(fd, name, force int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, name, knetBuf); err != nil {
		return err
	}
	if got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, name); err == nil && got >= knetBuf {
		return nil
	}
	err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, knetBuf)
	if err == unix.EPERM {
		if k.opts.SmallBuffers {
			k.small = true
			return nil
		}
		return ErrBuffers
	}
	return err
}

// Read reads what has arrived on a socket, at most one batch of n datagrams,
// which Datagram returns until the next Read. more says that there may be others.
func (k *KnetSockets) Read(sock int) (n int, more bool) {
	k.rxSock = sock
	fd := k.socks[sock].fd
	// A pending error of something sent hides what was received: it is taken off,
	// and the queue with it. Bounded, as new ones may come.
	for range 4 {
		n, full, errno := k.rx.read(fd)
		if n > 0 {
			return n, full
		}
		if errno == syscall.EAGAIN {
			break
		}
		k.drainErrors(sock)
	}
	return 0, false
}

// Datagram is datagram i of the last Read. Its bytes may be changed. A truncated
// one is empty.
func (k *KnetSockets) Datagram(i int) (data []byte, from netip.AddrPort) {
	data, sa := k.rx.datagram(i)
	return data, netip.AddrPortFrom(sa.addr(), sa.port())
}

// Send queues a datagram; data stays as it is until Flush. tag comes back in the
// Failure.
func (k *KnetSockets) Send(sock int, to netip.AddrPort, data []byte, tag uint8) {
	fd := k.socks[sock].fd
	if fd < 0 {
		return
	}
	if k.tx.full(fd) {
		k.Flush()
	}
	k.txSock = sock
	sa := &k.txTo[k.tx.n]
	k.txTag[k.tx.n] = tag
	*sa = makeSockaddr(to.Addr(), to.Port())
	k.tx.addJoined(fd, data, sa, k.tx.n > 0 && *sa == k.txTo[k.tx.n-1])
}

// Flush hands the queued datagrams to the kernel, in order.
func (k *KnetSockets) Flush() {
	if k.tx.n == 0 {
		return
	}
	k.blocked.on, k.retried = false, false
	k.tx.flush(k.onSent, k.onFailed)
}

// sendFailed decides about a datagram that the kernel refused. With IP_RECVERR
// the reason may be an earlier datagram's, to somebody else: then the error queue
// has it, and once it is emptied this one is tried again, once (transport_udp.c:
// udp_transport_tx_sock_error tries for ever).
func (k *KnetSockets) sendFailed(i int, errno syscall.Errno) verdict {
	to := &k.txTo[i]
	if k.blocked.on && k.blocked.to == *to {
		return giveUp // told already
	}
	switch {
	case isFull(errno): // the ring sends again what was lost
	case errno == syscall.EMSGSIZE:
		k.drainErrors(k.txSock) // has the MTU
	default:
		if k.drainErrors(k.txSock) && !k.retried {
			k.retried = true
			return again
		}
		k.blocked = blocked{on: true, to: *to}
	}
	k.retried = false
	f := Failure{Sock: k.txSock, To: netip.AddrPortFrom(to.addr(), to.port()), Errno: errno, Tag: k.txTag[i], Now: true}
	if errno == syscall.EMSGSIZE {
		f.MTU = k.takeMTU(f.To)
	}
	k.note(f)
	return giveUp
}

// takeMTU takes what the error queue said of a datagram that was too long just now out
// of the failures: it is the same failure, and only it has the MTU. 0: nothing was said.
func (k *KnetSockets) takeMTU(to netip.AddrPort) (mtu int) {
	for i := len(k.failures) - 1; i >= 0; i-- {
		if f := &k.failures[i]; !f.Now && f.Errno == syscall.EMSGSIZE && f.To == to {
			mtu = f.MTU
			k.failures = slices.Delete(k.failures, i, i+1)
			break
		}
	}
	return mtu
}

func (k *KnetSockets) note(f Failure) {
	if len(k.failures) < cap(k.failures) {
		k.failures = append(k.failures, f)
	}
}

// DrainErrors reads what the kernel has to say of datagrams sent through a socket.
// Call it when the descriptor reports an error.
func (k *KnetSockets) DrainErrors(sock int) { k.drainErrors(sock) }

func (k *KnetSockets) drainErrors(sock int) (any bool) {
	for range failuresMax {
		f, ok := k.errs.read(k.socks[sock].fd)
		if !ok {
			return any
		}
		any = true
		if f.Errno != 0 {
			f.Sock = sock
			k.note(f)
		}
	}
	return any
}

// Failures returns what failed since the last call, valid until the next call of
// any method.
func (k *KnetSockets) Failures() []Failure {
	out := k.failures
	k.failures = k.failures[:0]
	return out
}
