package knet

import (
	"encoding/binary"
	"math"
	"time"
)

const (
	// backoffStart is by how much the timeout is stretched after a link went down;
	// it sinks by one each second (link.h: KNET_LINK_PONG_TIMEOUT_BACKOFF).
	backoffStart = 10
	// latencyFactor is how often the latency is added to the timeout (links.h:
	// KNET_LINK_PONG_TIMEOUT_LAT_MUL).
	latencyFactor = 2
	// adjustInterval is how often the timeouts follow latency and back-off.
	adjustInterval = time.Second
	// retryStart is how long a packet that the kernel had no room for waits
	// (transport_udp.c: udp_transport_tx_sock_error sleeps as long, and holds up all
	// others). It doubles up to the ping interval.
	retryStart = 200 * time.Millisecond / 16

	noLatency = math.MaxUint32
)

// link is one way to a host (internals.h: struct knet_link).
type link struct {
	cfg       LinkConfig
	connected bool

	pingNext time.Time // when the next ping goes out
	pingLast time.Time
	retry    time.Duration // how long the last ping waited for room; 0: pongs came since
	pongLast time.Time     // zero: none since it was last down
	heard    time.Time     // what silence counts from: the last pong, or later a change of the timers
	pongs    int           // since it was last down
	timeout  time.Duration // without a pong for so long it is down
	backoff  int
	latency  time.Duration
	samples  int

	mtu           int  // application data in one packet
	mtuValid      bool // it is enough to be used
	mtuProven     bool // since it came up; until then all data goes in the smallest packets
	mtuLast       time.Time
	probe         probe
	protoOverhead int

	toldError time.Time // when a send that failed was last told of
	stats     LinkStats
}

func newLink(now time.Time, cfg LinkConfig) *link {
	l := &link{cfg: cfg, pingNext: now, backoff: backoffStart, mtuValid: true}
	l.stats.LatencyMin = noLatency
	l.stats.DownCount = 1 // as the original counts: enabled, and not connected
	l.setTimeout()
	return l
}

// setTimeout follows latency and back-off.
func (l *link) setTimeout() {
	l.timeout = l.cfg.PongTimeout*time.Duration(l.backoff) + latencyFactor*l.latency
}

// timersChanged lets new timers take effect at once. A link that is up stays so: its
// last pong was asked for by the old interval, and may be older than the new timeout.
func (l *link) timersChanged(now time.Time) {
	l.setTimeout()
	if !l.heard.IsZero() {
		l.heard = now
	}
	l.samples = min(l.samples, l.cfg.Precision)
	if next := l.pingLast.Add(l.cfg.PingInterval); !l.pingLast.IsZero() {
		if l.pingNext = next; next.Before(now) {
			l.pingNext = now
		}
	}
}

// deadline is when the link has to be looked at.
func (l *link) deadline() time.Time {
	if l.heard.IsZero() {
		return l.pingNext
	}
	return earlier(l.pingNext, l.heard.Add(l.timeout))
}

// adjustTimeouts is the original's work of each second (threads_heartbeat.c:
// _adjust_pong_timeouts).
func (e *Engine) adjustTimeouts() {
	for _, h := range e.hosts {
		for _, l := range h.links {
			l.backoff = max(l.backoff-1, 1)
			l.setTimeout()
		}
	}
}

// Paused tells that this process did not run for a while, until just now. Silence in
// that time proves nothing about links or packet sizes: it does not count. The
// original takes links down then that never failed.
func (e *Engine) Paused(d time.Duration) {
	for _, h := range e.hosts {
		for _, l := range h.links {
			if !l.heard.IsZero() {
				l.heard = l.heard.Add(d)
			}
			l.probe.until = l.probe.until.Add(d)
		}
	}
	e.fresh = false
}

// heartbeat pings when it is time, and takes the link down after silence
// (threads_heartbeat.c: _handle_check_each).
func (e *Engine) heartbeat(now time.Time, h *host, l *link) {
	if !now.Before(l.pingNext) {
		e.ping(now, h, l, true)
	}
	if !l.heard.IsZero() && now.Sub(l.heard) >= l.timeout {
		e.linkDown(now, h, l)
	}
}

// ping sends a ping; timed: by the clock.
func (e *Engine) ping(now time.Time, h *host, l *link, timed bool) {
	hdr := Header{Type: TypePing, Host: e.cfg.Self, Link: l.cfg.ID, Time: e.timespec(now), Seq: e.txSeq}
	if timed {
		hdr.Timed = 1
	}
	l.pingLast, l.pingNext = now, now.Add(l.cfg.PingInterval)
	e.fresh = false
	data := e.build(now, &hdr, nil, 0)
	if data == nil {
		return
	}
	if e.sizes.seals() {
		e.stats.TxCryptPingPackets++
	}
	l.stats.TxPingPackets++
	l.stats.TxPingBytes += uint64(len(data))
	e.send(TypePing, h, l, data)
}

// pingAll pings all links because a part of the sequence numbers was used up, so that
// those who get no data follow (threads_tx.c: _parse_recv_from_sock).
func (e *Engine) pingAll(now time.Time) {
	for _, h := range e.hosts {
		for _, l := range h.links {
			e.ping(now, h, l, false)
		}
	}
}

// timespec is a time as a ping carries it: seconds and nanoseconds since one second
// before the engine's start. Only we read it again.
func (e *Engine) timespec(now time.Time) (t pingTime) {
	d := now.Sub(e.start) + time.Second
	binary.LittleEndian.PutUint64(t[:], uint64(d/time.Second))
	binary.LittleEndian.PutUint64(t[8:], uint64(d%time.Second))
	return t
}

// since is how long ago a ping was sent by the time it carries; false: that cannot
// be ours.
func (e *Engine) since(now time.Time, t pingTime) (time.Duration, bool) {
	sec, nsec := binary.LittleEndian.Uint64(t[:]), binary.LittleEndian.Uint64(t[8:])
	if sec > math.MaxInt64/uint64(time.Second)-1 || nsec >= uint64(time.Second) {
		return 0, false
	}
	d := now.Sub(e.start) + time.Second - time.Duration(sec)*time.Second - time.Duration(nsec)
	return d, d >= 0
}

// onPing answers, and follows the sender's sequence number (threads_rx.c:
// _parse_recv_from_links, case PING).
func (e *Engine) onPing(now time.Time, h *host, l *link, hdr *Header, size int) {
	l.stats.RxPingPackets++
	l.stats.RxPingBytes += uint64(size)
	h.followPing(now, hdr, &e.pool)
	pong := *hdr
	pong.Type, pong.Host = TypePong, e.cfg.Self
	data := e.build(now, &pong, nil, 0)
	if data == nil {
		return
	}
	if e.sizes.seals() {
		e.stats.TxCryptPongPackets++
	}
	l.stats.TxPongPackets++
	l.stats.TxPongBytes += uint64(len(data))
	e.send(TypePong, h, l, data)
}

// overtaking is longer than a packet takes to come after one that was sent later.
const overtaking = 500 * time.Millisecond

// followPing takes the sequence number out of a ping. The same ping comes on all
// links; the first one counts. A sender at 0 has just started: when its last ping
// was of another number or, which the original does not see, when it had sent data
// that this ping cannot have been overtaken by. One that sends so much that it
// pings for it, none of which came to us, has moved far on.
func (h *host) followPing(now time.Time, hdr *Header, pool *bufferPool) {
	if hdr.Timed != 0 {
		again := h.window.top != 0 && now.Sub(h.dataLast) > overtaking
		if hdr.Seq == 0 && (h.seqTimed != 0 || again) {
			h.forget(0, pool)
		}
		h.seqTimed = hdr.Seq
		return
	}
	if hdr.Seq != h.seqUntimed {
		h.seqUntimed = hdr.Seq
		if !h.gotData {
			h.forget(hdr.Seq, pool)
		}
		h.gotData = false
	}
	h.window.fresh(hdr.Seq)
}

// forget starts the sender's numbers anew.
func (h *host) forget(seq uint16, pool *bufferPool) {
	h.window.reset(seq)
	h.defrag.clear(pool)
}

// onPong measures the latency and counts pongs until the link is up (threads_rx.c:
// _parse_recv_from_links, case PONG).
func (e *Engine) onPong(now time.Time, h *host, l *link, hdr *Header, size int) {
	l.stats.RxPongPackets++
	l.stats.RxPongBytes += uint64(size)
	latency, ok := e.since(now, hdr.Time)
	if !ok || latency > l.cfg.PongTimeout {
		// Late, but a sign of life: the time of the last pong counts it all the same.
		if ok {
			l.pongLast, l.heard = now, now
		}
		e.fresh = false
		e.tellLink(EventPongLate, h, l, 0, 0)
		return
	}
	if l.heard.IsZero() {
		e.fresh = false // silence counts from now on
	}
	l.pongLast, l.heard, l.retry = now, now, 0
	l.samples = min(l.samples+1, l.cfg.Precision)
	mean := (l.latency*time.Duration(l.samples-1) + latency.Truncate(time.Microsecond)) / time.Duration(l.samples)
	l.latency = mean.Truncate(time.Microsecond)
	if l.latency < l.timeout && !l.connected {
		if l.pongs >= l.cfg.PongCount {
			e.tellLink(EventLinkUp, h, l, 0, 0)
			e.linkUp(now, h, l)
		} else {
			l.pongs++
			e.tellLink(EventPong, h, l, l.pongs, 0)
		}
	}
	us := uint32(min(l.latency.Microseconds(), noLatency))
	l.stats.LatencyMax = max(l.stats.LatencyMax, us)
	l.stats.LatencyMin = min(l.stats.LatencyMin, us)
	l.stats.LatencyAve, l.stats.LatencySamples = us, uint32(l.samples)
	// A pong moves the deadline of the link only further away: Deadline may stay
	// too early once, which is cheaper than to look at all links for each pong.
}

// linkUp lets data go over the link, in the smallest packets until its MTU is known
// (links.c: _link_updown).
func (e *Engine) linkUp(now time.Time, h *host, l *link) {
	l.connected = true
	l.stats.UpCount++
	l.stats.LastUpTimes[l.stats.LastUpTimeIndex] = now
	l.stats.LastUpTimeIndex = (l.stats.LastUpTimeIndex + 1) % linkEvents
	e.tellLink(EventMTUReset, h, l, 0, 0)
	l.mtuProven, l.mtuLast = false, time.Time{}
	e.globalMTU()
	e.choose(now, h)
	e.startSearch(now, h, l)
}

// linkDown starts the count of pongs anew, and takes the link down if it was up
// (threads_heartbeat.c: _link_down).
func (e *Engine) linkDown(now time.Time, h *host, l *link) {
	l.pongs, l.pongLast, l.heard, l.backoff = 0, time.Time{}, time.Time{}, backoffStart
	l.probe.stop()
	e.fresh = false
	if !l.connected {
		return
	}
	l.connected = false
	e.tellLink(EventLinkDown, h, l, 0, 0)
	l.stats.DownCount++
	l.stats.LastDownTimes[l.stats.LastDownTimeIndex] = now
	l.stats.LastDownTimeIndex = (l.stats.LastDownTimeIndex + 1) % linkEvents
	e.globalMTU()
	e.choose(now, h)
}
