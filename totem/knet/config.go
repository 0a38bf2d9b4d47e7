package knet

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// HostID is a node id. On this wire it has 16 bits.
type HostID uint16

// MaxLinks is how many links two hosts may have (libknet.h: KNET_MAX_LINK).
const MaxLinks = 8

// Policy is how a host's links are used (totem.link_mode).
type Policy uint8

// The policies (libknet.h: KNET_LINK_POLICY_*).
const (
	PolicyPassive Policy = iota // the connected link of the highest priority
	PolicyActive                // all connected links at once
	PolicyRR                    // the connected links in turn
)

func (p Policy) String() string {
	switch p {
	case PolicyPassive:
		return "passive"
	case PolicyActive:
		return "active"
	case PolicyRR:
		return "rr"
	}
	return "policy " + strconv.Itoa(int(p))
}

// Transport is what carries a link (libknet.h: KNET_TRANSPORT_*).
type Transport uint8

// The transports. SCTP is known so that it can be refused.
const (
	TransportUDP  Transport = 0
	TransportSCTP Transport = 1
)

// Config is all that an Engine has to know. It is not changed by it.
type Config struct {
	Self  HostID
	Hosts []HostConfig // the other hosts
	// Loopback hands what is sent to this host, or to all, back to it. Without it,
	// only the counters of its own link move: a ring core that keeps its own copy
	// has no use for another.
	Loopback bool
	// LoopbackLink is the number under which Status shows the link to this host
	// itself.
	LoopbackLink uint8
	Policy       Policy
	// PMTUDInterval is the time from one discovery of the MTU to the next; 0 is 30 s.
	PMTUDInterval time.Duration
	// MTU is the size of an IP packet, when it shall not be discovered; else 0.
	MTU int
	// BlockUnlisted tells that packets from addresses which are nobody's are worth
	// a warning (totem.block_unlisted_ips). They are dropped in any case.
	BlockUnlisted bool

	Crypto Crypto // nil: all goes in clear
	// AllowClear takes packets in clear although Crypto is set: because that has no
	// key, or while a cluster changes to encryption.
	AllowClear bool

	Compress Compression // nil: nothing is compressed, what arrives so is dropped
	// CompressThreshold is the length above which a datagram is compressed; 0 is 100.
	CompressThreshold int

	// Nanotime measures how long sealing and compressing take, for Stats; nil: the
	// times there stay 0.
	Nanotime func() int64
}

// HostConfig is another host.
type HostConfig struct {
	ID    HostID
	Links []LinkConfig
}

// LinkConfig is one way to a host.
type LinkConfig struct {
	ID            uint8 // 0 to 7, the same number on both sides
	Transport     Transport
	Local, Remote netip.AddrPort
	Priority      uint8 // for passive: the highest is used
	PingInterval  time.Duration
	PongTimeout   time.Duration
	Precision     int // of how many pongs the latency is the mean; 0 is 2048
	PongCount     int // pongs before a link is up, 1 to 255; 0 is 5
}

// Crypto seals and opens packets. Packets are changed in place.
type Crypto interface {
	// Configured tells that there is a key: packets are opened.
	Configured() bool
	// Salt is how many bytes Seal puts before a packet, Sealed the length of a
	// sealed packet of n bytes, Plain the longest packet that fits into n bytes.
	// While packets go out in clear they are 0, n and n.
	Salt() int
	Sealed(n int) int
	Plain(n int) int
	// Seal seals packets. Each starts with Salt bytes of room and has the capacity
	// for its sealed length, which it gets.
	Seal(packets [][]byte) error
	// Open gives the part of packet that is the opened packet. After an error, packet
	// is as it was.
	Open(packet []byte) ([]byte, error)
}

// Compression makes datagrams smaller.
type Compression interface {
	// Model is the number on the wire of what Compress makes; 0: do not compress.
	Model() uint8
	// Compress appends src, compressed, to dst.
	Compress(dst, src []byte) ([]byte, error)
	// Decompress appends src, as the model says, to dst; it is an error when that has
	// more than limit bytes.
	Decompress(dst []byte, model uint8, src []byte, limit int) ([]byte, error)
}

const (
	defaultPMTUDInterval     = 30 * time.Second // totemconfig.c: KNET_PMTUD_INTERVAL
	defaultPrecision         = 2048             // libknet.h: KNET_LINK_DEFAULT_PING_PRECISION
	defaultPongCount         = 5                // libknet.h: KNET_LINK_DEFAULT_PONG_COUNT
	defaultCompressThreshold = 100              // libknet.h: KNET_COMPRESS_THRESHOLD
	maxMTU                   = 65535            // what fits the length field of an IP packet
)

// Check says what is wrong with the configuration.
func (c *Config) Check() error {
	switch {
	case c.Self == 0:
		return errors.New("knet: node id 0 of this host: ids are 1 to 65535")
	case c.Policy > PolicyRR:
		return fmt.Errorf("knet: link mode %d: must be passive, active or rr", c.Policy)
	case c.LoopbackLink >= MaxLinks:
		return fmt.Errorf("knet: link %d of this host: links are 0 to %d", c.LoopbackLink, MaxLinks-1)
	case c.MTU < 0 || c.MTU > maxMTU:
		return fmt.Errorf("knet: MTU %d: must be 0 (discover) to %d", c.MTU, maxMTU)
	case c.PMTUDInterval < 0:
		return fmt.Errorf("knet: MTU discovery interval %v is negative", c.PMTUDInterval)
	case c.CompressThreshold < 0 || c.CompressThreshold > MaxPacket:
		return fmt.Errorf("knet: compression threshold %d: must be 0 to %d", c.CompressThreshold, MaxPacket)
	}
	seen := make([]HostID, 0, len(c.Hosts))
	for i := range c.Hosts {
		h := &c.Hosts[i]
		switch {
		case h.ID == 0:
			return errors.New("knet: node id 0: ids are 1 to 65535")
		case h.ID == c.Self:
			return fmt.Errorf("knet: host %d is this host: it has no links to itself", h.ID)
		case slices.Contains(seen, h.ID):
			return fmt.Errorf("knet: host %d is there twice", h.ID)
		}
		seen = append(seen, h.ID)
		if err := h.check(); err != nil {
			return err
		}
	}
	return c.checkMTU()
}

// checkMTU refuses a manual MTU that leaves no room for data.
func (c *Config) checkMTU() error {
	if c.MTU == 0 {
		return nil
	}
	s := sizesOf(c.Crypto)
	for i := range c.Hosts {
		for _, l := range c.Hosts[i].Links {
			if s.mtu(c.MTU, l.Remote.Addr().Is6()) < s.minMTU() {
				return fmt.Errorf("knet: MTU %d is too small for host %d link %d", c.MTU, c.Hosts[i].ID, l.ID)
			}
		}
	}
	return nil
}

func (h *HostConfig) check() error {
	var seen [MaxLinks]bool
	for i := range h.Links {
		l := &h.Links[i]
		if l.ID >= MaxLinks {
			return fmt.Errorf("knet: host %d link %d: links are 0 to %d", h.ID, l.ID, MaxLinks-1)
		}
		if seen[l.ID] {
			return fmt.Errorf("knet: host %d link %d is there twice", h.ID, l.ID)
		}
		seen[l.ID] = true
		if err := l.check(); err != nil {
			return fmt.Errorf("knet: host %d link %d: %w", h.ID, l.ID, err)
		}
	}
	return nil
}

func (l *LinkConfig) check() error {
	switch {
	case l.Transport == TransportSCTP:
		return errors.New("transport sctp is not supported: set knet_transport to udp")
	case l.Transport != TransportUDP:
		return fmt.Errorf("transport %d is not known", l.Transport)
	case !l.Local.IsValid() || !l.Remote.IsValid():
		return errors.New("an address is missing")
	case l.Local.Addr().Unmap().Is4() != l.Remote.Addr().Unmap().Is4():
		return fmt.Errorf("local address %v and remote address %v are of different families", l.Local, l.Remote)
	case l.Remote.Port() == 0:
		return fmt.Errorf("remote address %v has port 0", l.Remote)
	case l.PingInterval <= 0:
		return fmt.Errorf("ping interval %v: must be greater than 0", l.PingInterval)
	case l.PongTimeout <= 0:
		return fmt.Errorf("pong timeout %v: must be greater than 0", l.PongTimeout)
	case l.Precision < 0:
		return fmt.Errorf("ping precision %d is negative", l.Precision)
	case l.PongCount < 0 || l.PongCount > 255:
		return fmt.Errorf("pong count %d: must be 1 to 255", l.PongCount)
	}
	return nil
}

// normal fills in defaults and brings addresses into one form.
func (l LinkConfig) normal() LinkConfig {
	l.Local = unmap(l.Local)
	l.Remote = unmap(l.Remote)
	if l.Precision == 0 {
		l.Precision = defaultPrecision
	}
	if l.PongCount == 0 {
		l.PongCount = defaultPongCount
	}
	return l
}

func unmap(a netip.AddrPort) netip.AddrPort {
	if a.Addr().Is4In6() {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	return a
}

// normal fills in defaults.
func (c Config) normal() Config {
	if c.PMTUDInterval == 0 {
		c.PMTUDInterval = defaultPMTUDInterval
	}
	if c.CompressThreshold == 0 {
		c.CompressThreshold = defaultCompressThreshold
	}
	return c
}
