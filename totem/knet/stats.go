package knet

import (
	"net/netip"
	"time"
)

// linkEvents is how many times of links coming up and going down are kept
// (libknet.h: MAX_LINK_EVENTS).
const linkEvents = 16

// LinkStats are the counters of a link (libknet.h: struct knet_link_stats).
type LinkStats struct {
	TxDataPackets, RxDataPackets uint64
	TxDataBytes, RxDataBytes     uint64
	TxPingPackets, RxPingPackets uint64
	TxPingBytes, RxPingBytes     uint64
	TxPongPackets, RxPongPackets uint64
	TxPongBytes, RxPongBytes     uint64
	TxPMTUPackets, RxPMTUPackets uint64
	TxPMTUBytes, RxPMTUBytes     uint64

	// The totals are filled in by Status.
	TxTotalPackets, RxTotalPackets uint64
	TxTotalBytes, RxTotalBytes     uint64
	TxTotalErrors, TxTotalRetries  uint64

	TxPMTUErrors, TxPMTURetries uint32
	TxPingErrors, TxPingRetries uint32
	TxPongErrors, TxPongRetries uint32
	TxDataErrors, TxDataRetries uint32

	// In microseconds. LatencyMin is 2^32-1 before the first pong, as the original's.
	LatencyMin, LatencyMax, LatencyAve, LatencySamples uint32

	DownCount, UpCount uint32
	// The times of the last changes, rings: the index is where the next one goes.
	LastUpTimes, LastDownTimes         [linkEvents]time.Time
	LastUpTimeIndex, LastDownTimeIndex int
}

// total fills in the sums.
func (s *LinkStats) total() {
	s.RxTotalPackets = s.RxDataPackets + s.RxPingPackets + s.RxPongPackets + s.RxPMTUPackets
	s.TxTotalPackets = s.TxDataPackets + s.TxPingPackets + s.TxPongPackets + s.TxPMTUPackets
	s.RxTotalBytes = s.RxDataBytes + s.RxPingBytes + s.RxPongBytes + s.RxPMTUBytes
	s.TxTotalBytes = s.TxDataBytes + s.TxPingBytes + s.TxPongBytes + s.TxPMTUBytes
	s.TxTotalErrors = uint64(s.TxDataErrors) + uint64(s.TxPingErrors) + uint64(s.TxPongErrors) + uint64(s.TxPMTUErrors)
	s.TxTotalRetries = uint64(s.TxDataRetries) + uint64(s.TxPingRetries) + uint64(s.TxPongRetries) + uint64(s.TxPMTURetries)
}

// LinkStatus is what is known of a link (libknet.h: struct knet_link_status).
type LinkStatus struct {
	Local, Remote netip.AddrPort
	Enabled       bool
	Connected     bool
	DynConnected  bool          // never: there are no links to unknown addresses
	Loopback      bool          // the link of this host to itself
	Latency       time.Duration // mean over the last pongs
	PongLast      time.Time     // zero: none since the link was last down
	MTU           int           // of application data in a packet
	ProtoOverhead int           // headers around it; 0 before the first discovery
	Stats         LinkStats
}

// HostStatus is what is known of a host (libknet.h: struct knet_host_status).
type HostStatus struct {
	Reachable bool
}

// Timing is how long something took, in the unit of Config.Nanotime. Before the
// first time Min is 2^64-1, as the original's; 0 after ClearStats.
type Timing struct {
	Ave, Min, Max uint64
	n             uint64
}

func (t *Timing) add(d uint64) {
	if t.n == 0 || d < t.Min {
		t.Min = d
	}
	t.Max = max(t.Max, d)
	t.Ave = (t.Ave*t.n + d) / (t.n + 1)
	t.n++
}

// Stats are the counters of the whole (libknet.h: struct knet_handle_stats), and
// what was dropped.
type Stats struct {
	TxUncompressedPackets     uint64
	TxCompressedPackets       uint64
	TxCompressedOriginalBytes uint64
	TxCompressedSizeBytes     uint64
	TxCompressTime            Timing
	RxCompressedPackets       uint64
	RxCompressedOriginalBytes uint64
	RxCompressedSizeBytes     uint64
	RxCompressTime            Timing
	TxCryptPackets            uint64
	TxCryptByteOverhead       uint64
	TxCryptTime               Timing
	RxCryptPackets            uint64
	RxCryptTime               Timing

	// Of the packets that are not data (internals.h: struct knet_handle_stats_extra).
	TxCryptPingPackets, TxCryptPongPackets, TxCryptPMTUPackets, TxCryptPMTUReplyPackets uint64

	// RxClearPackets came in clear and were taken, although there is a key: nodes
	// that go over to no encryption send so.
	RxClearPackets uint64

	// Dropped counts packets that were dropped, by reason.
	Dropped [DropReasons]uint64
}

// LinkKey names a link.
type LinkKey struct {
	Host HostID
	Link uint8
}

// Stats copies the counters into dst.
func (e *Engine) Stats(dst *Stats) {
	*dst = e.stats
	// The original counts packets that are not data as well when asked (handle.c:
	// knet_handle_get_stats).
	dst.TxCryptPackets += e.stats.TxCryptPingPackets + e.stats.TxCryptPongPackets +
		e.stats.TxCryptPMTUPackets + e.stats.TxCryptPMTUReplyPackets
}

// ClearStats sets all counters to zero (cmap key stats.clear.knet).
func (e *Engine) ClearStats() {
	e.stats = Stats{}
	e.loop.stats = LinkStats{}
	for _, h := range e.hosts {
		for _, l := range h.links {
			l.stats = LinkStats{}
		}
	}
}

// MTU is how many bytes of application data go into one packet now.
func (e *Engine) MTU() int { return e.dataMTU }

// HostStatus tells about a host; false when there is none of that id.
func (e *Engine) HostStatus(id HostID) (HostStatus, bool) {
	if id == e.cfg.Self {
		return HostStatus{Reachable: true}, true
	}
	h := e.host(id)
	if h == nil {
		return HostStatus{}, false
	}
	return HostStatus{Reachable: h.reachable()}, true
}

// Status copies what is known of a link into dst; false when there is no such link.
func (e *Engine) Status(key LinkKey, dst *LinkStatus) bool {
	if key.Host == e.cfg.Self && key.Link == e.cfg.LoopbackLink {
		*dst = LinkStatus{Enabled: true, Connected: true, Loopback: true, MTU: maxMTU, Stats: e.loop.stats}
		dst.Stats.total()
		return true
	}
	h := e.host(key.Host)
	if h == nil || key.Link >= MaxLinks || h.byID[key.Link] == nil {
		return false
	}
	l := h.byID[key.Link]
	*dst = LinkStatus{
		Local: l.cfg.Local, Remote: l.cfg.Remote, Enabled: true, Connected: l.connected,
		Latency: l.latency, PongLast: l.pongLast, MTU: l.mtu, ProtoOverhead: l.protoOverhead, Stats: l.stats,
	}
	dst.Stats.total()
	return true
}

// Links calls yield for every link, this host's own first, then by host and number.
func (e *Engine) Links(yield func(LinkKey) bool) {
	if !yield(LinkKey{e.cfg.Self, e.cfg.LoopbackLink}) {
		return
	}
	for _, h := range e.hosts {
		for _, l := range h.links {
			if !yield(LinkKey{h.id, l.cfg.ID}) {
				return
			}
		}
	}
}
