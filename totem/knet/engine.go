package knet

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"
)

// Engine is knet's side of one node. Owned by the loop: it does no I/O, starts no
// goroutine and never reads a clock. Datagrams and time go in by Receive, Send and
// Step, what is to be done comes out by Output.
type Engine struct {
	cfg   Config // normal
	start time.Time
	sizes sizes
	hosts []*host // by id
	loop  link    // to this host itself: only its counters live

	txSeq   uint16 // of the last datagram sent
	frames  bool   // ChannelFrames is open
	dataMTU int    // application data in one packet
	adjust  time.Time
	next    time.Time // earliest deadline of hosts and searches, when fresh
	fresh   bool

	pool       bufferPool
	out, spare *Output
	packets    [][]byte // of the datagram being sent
	one        [1][]byte
	packed     []byte // the datagram being sent, compressed
	stats      Stats
	told       [DropReasons]time.Time // when a drop was last told of
}

// host is another node.
type host struct {
	id    HostID
	links []*link // by number
	byID  [MaxLinks]*link

	active  [MaxLinks]*link // those that data goes out on, rr: the next one first
	actives int
	best    uint8 // passive: number of the link told of last

	window     window
	defrag     defrag
	gotData    bool // since the last untimed ping
	dataLast   time.Time
	seqUntimed uint16 // of the last untimed and timed ping
	seqTimed   uint16
}

func (h *host) reachable() bool { return h.actives > 0 }

// New makes an engine. The first pings are due at once.
func New(now time.Time, cfg Config) (*Engine, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	e := &Engine{start: now, adjust: now.Add(adjustInterval), out: new(Output), spare: new(Output)}
	e.loop.stats.LatencyMin, e.loop.stats.UpCount = noLatency, 1
	for _, t := range []*Timing{&e.stats.TxCompressTime, &e.stats.RxCompressTime, &e.stats.TxCryptTime, &e.stats.RxCryptTime} {
		t.Min = math.MaxUint64
	}
	e.cfg = Config{Self: cfg.Self, MTU: cfg.MTU}
	e.sizes = sizesOf(cfg.Crypto)
	e.dataMTU = e.sizes.minMTU()
	e.apply(now, cfg)
	return e, nil
}

// Reconfigure takes over another configuration: hosts and links are added and
// removed, timers, priorities and policy change, what stays keeps its state. On an
// error nothing has changed. A link whose addresses change is a new one.
func (e *Engine) Reconfigure(now time.Time, cfg Config) error {
	if err := cfg.Check(); err != nil {
		return err
	}
	if cfg.Self != e.cfg.Self {
		return fmt.Errorf("knet: node id of this host cannot change from %d to %d", e.cfg.Self, cfg.Self)
	}
	mtu := e.cfg.MTU
	e.apply(now, cfg)
	if mtu != cfg.MTU {
		e.tell(Event{Kind: EventMTUManual, N: cfg.MTU})
		e.rediscover(now)
	}
	return nil
}

// CryptoChanged tells that Config.Crypto seals with another key or none: the room
// for data is another one, which is discovered anew (crypto.c: crypto_use_config).
func (e *Engine) CryptoChanged(now time.Time) {
	e.sizes = sizesOf(e.cfg.Crypto)
	e.rediscover(now)
}

// Step does what is due: pings, links that were silent for too long, discoveries.
func (e *Engine) Step(now time.Time) {
	if e.fresh && now.Before(e.next) {
		return
	}
	e.fresh = false
	for !now.Before(e.adjust) {
		e.adjust = e.adjust.Add(adjustInterval)
		if lag := now.Sub(e.adjust); lag > time.Minute {
			e.adjust = now.Add(adjustInterval) // the process slept: one step is enough
		}
		e.adjustTimeouts()
	}
	for _, h := range e.hosts {
		for _, l := range h.links {
			e.heartbeat(now, h, l)
		}
	}
	e.discover(now)
}

// Deadline is when Step has something to do again.
func (e *Engine) Deadline() time.Time {
	if e.fresh {
		return e.next
	}
	e.next, e.fresh = e.adjust, true
	for _, h := range e.hosts {
		for _, l := range h.links {
			e.next = earlier(e.next, l.deadline())
			e.next = earlier(e.next, e.searchDeadline(l))
		}
	}
	return e.next
}

// earlier is the earlier of two times; a zero time is none.
func earlier(a, b time.Time) time.Time {
	if b.IsZero() || !a.IsZero() && a.Before(b) {
		return a
	}
	return b
}

// host finds a host; nil: there is none of that id.
func (e *Engine) host(id HostID) *host {
	i, ok := slices.BinarySearchFunc(e.hosts, id, func(h *host, id HostID) int { return int(h.id) - int(id) })
	if !ok {
		return nil
	}
	return e.hosts[i]
}

// tell adds an event.
func (e *Engine) tell(ev Event) { e.out.Events = append(e.out.Events, ev) }

// tellLink adds an event about a link.
func (e *Engine) tellLink(kind EventKind, h *host, l *link, n, m int) {
	e.tell(Event{Kind: kind, Host: h.id, Link: l.cfg.ID, N: n, M: m})
}

// dropInterval is how often a drop is told of, for each reason; all are counted.
const dropInterval = time.Second

// drop counts a packet that is not used, and tells why now and then.
func (e *Engine) drop(now time.Time, why Drop, ev Event) {
	e.stats.Dropped[why]++
	if last := e.told[why]; !last.IsZero() && now.Sub(last) < dropInterval {
		return
	}
	e.told[why] = now
	ev.Kind, ev.Drop = EventDropped, why
	e.tell(ev)
}

// send queues a packet for a link.
func (e *Engine) send(t PacketType, h *host, l *link, data []byte) {
	e.out.Send = append(e.out.Send, Datagram{Type: t, Host: h.id, Link: l.cfg.ID, Local: l.cfg.Local, To: l.cfg.Remote, Data: data})
}

// build writes a packet and seals it; nil: it cannot be sealed.
func (e *Engine) build(now time.Time, hdr *Header, payload []byte, padding int) []byte {
	plain := hdr.length() + len(payload) + padding
	salt := e.salt()
	b := e.out.room(max(e.sizes.sealed(plain), salt+plain))[:salt]
	b = hdr.append(b)
	b = append(b, payload...)
	end := len(b)
	b = b[:end+padding]
	clear(b[end:])
	if !e.sizes.seals() {
		return b
	}
	e.one[0] = b
	if err := e.cfg.Crypto.Seal(e.one[:]); err != nil {
		e.drop(now, DropSeal, Event{Host: hdr.Host})
		return nil
	}
	return e.one[0]
}

func (e *Engine) salt() int {
	if e.cfg.Crypto == nil {
		return 0
	}
	return e.cfg.Crypto.Salt()
}

// apply makes hosts and links what cfg says, which was checked.
func (e *Engine) apply(now time.Time, cfg Config) {
	e.fresh = false
	policy := e.cfg.Policy
	old := e.sizes
	e.cfg = cfg.normal()
	e.cfg.Hosts = nil // the links have theirs
	e.sizes = sizesOf(cfg.Crypto)
	e.hosts = slices.DeleteFunc(e.hosts, func(h *host) bool {
		return !slices.ContainsFunc(cfg.Hosts, func(c HostConfig) bool { return c.ID == h.id }) && e.removeHost(now, h)
	})
	for i := range cfg.Hosts {
		e.applyHost(now, &cfg.Hosts[i], policy != cfg.Policy)
	}
	if old.extra != e.sizes.extra || old.block != e.sizes.block {
		e.rediscover(now)
	}
	e.globalMTU()
}

// removeHost takes a host away.
func (e *Engine) removeHost(now time.Time, h *host) bool {
	for _, l := range h.links {
		e.tellLink(EventLinkRemoved, h, l, 0, 0)
	}
	h.links, h.byID = nil, [MaxLinks]*link{}
	e.choose(now, h)
	return true
}

// applyHost makes a host's links what its configuration says.
func (e *Engine) applyHost(now time.Time, cfg *HostConfig, policyChanged bool) {
	h := e.host(cfg.ID)
	isNew := h == nil
	if isNew {
		h = &host{id: cfg.ID}
		at, _ := slices.BinarySearchFunc(e.hosts, cfg.ID, func(h *host, id HostID) int { return int(h.id) - int(id) })
		e.hosts = slices.Insert(e.hosts, at, h)
	}
	changed := isNew || policyChanged
	h.links = slices.DeleteFunc(h.links, func(l *link) bool {
		i := slices.IndexFunc(cfg.Links, func(c LinkConfig) bool { return c.ID == l.cfg.ID })
		if i >= 0 && sameAddresses(cfg.Links[i].normal(), l.cfg) {
			return false
		}
		e.tellLink(EventLinkRemoved, h, l, 0, 0)
		h.byID[l.cfg.ID] = nil
		changed = true
		return true
	})
	for _, c := range cfg.Links {
		if e.applyLink(now, h, c.normal()) {
			changed = true
		}
	}
	if changed {
		e.choose(now, h)
	}
}

func sameAddresses(a, b LinkConfig) bool {
	return a.Local == b.Local && a.Remote == b.Remote && a.Transport == b.Transport
}

// applyLink adds a link or changes its timers; changed: which links carry data has
// to be thought over.
func (e *Engine) applyLink(now time.Time, h *host, cfg LinkConfig) (changed bool) {
	l := h.byID[cfg.ID]
	if l == nil {
		l = newLink(now, cfg)
		l.mtu = e.sizes.firstMTU(cfg.Remote.Addr().Is6())
		h.byID[cfg.ID] = l
		at, _ := slices.BinarySearchFunc(h.links, cfg.ID, func(l *link, id uint8) int { return int(l.cfg.ID) - int(id) })
		h.links = slices.Insert(h.links, at, l)
		e.tellLink(EventLinkConfigured, h, l, 0, 0)
		return true
	}
	old := l.cfg
	l.cfg = cfg
	if old.PingInterval != cfg.PingInterval || old.PongTimeout != cfg.PongTimeout || old.Precision != cfg.Precision {
		e.tellLink(EventTimers, h, l, int(cfg.PingInterval.Microseconds()), int(cfg.PongTimeout.Microseconds()))
		l.timersChanged(now)
	}
	if old.Priority != cfg.Priority {
		e.tellLink(EventPriority, h, l, int(cfg.Priority), 0)
		return true
	}
	return false
}

// linkAt finds the link that datagrams to an address go out on.
func (e *Engine) linkAt(local, remote netip.AddrPort) (*host, *link) {
	for _, h := range e.hosts {
		for _, l := range h.links {
			if l.cfg.Remote == remote && (!local.IsValid() || local == l.cfg.Local) {
				return h, l
			}
		}
	}
	return nil, nil
}
