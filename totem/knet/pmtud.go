package knet

import "time"

const (
	// probeSizes bounds the sizes one discovery tries: halving from 65535 takes 17,
	// the rest is for an MTU that changes meanwhile (threads_pmtud.c: failsafe).
	probeSizes = 30
	// probeAttempts is how often a packet of one size is sent before that size counts
	// as too big: a lost packet is no smaller path.
	probeAttempts = 2
	// probeFirstMin is how long the first of them is waited for, at least.
	probeFirstMin = 200 * time.Millisecond
	// probeFull is how many attempts of a search may meet a full socket and not count.
	probeFull = 16
	// discoverRetry and discoverRetryMax are how long a discovery that failed waits
	// for the next, doubling. The original's runs 5 times a second for ever.
	discoverRetry    = 200 * time.Millisecond
	discoverRetryMax = 5 * time.Second
)

// probe is the search for a link's MTU. Sizes are those of IP packets.
//
// Invariant while active: good < size < bad, but for the first size of a search.
type probe struct {
	active   bool
	size     int  // asked about now
	good     int  // gets through
	bad      int  // doesn't, or cannot be
	sizes    int  // how many were asked about
	attempts int  // of this size
	bytes    int  // of the last attempt, as it counts as sent; 0 if it was refused
	known    int  // what was in use when the search began; 0: nothing was proven
	top      bool // the greatest size was asked about
	next     bool // so was the one above known
	until    time.Time
	full     int // attempts that the kernel had no room for
	warned   bool

	again time.Time     // the next discovery does not start before
	wait  time.Duration // it was put off for so long
}

func (p *probe) stop() { p.active, p.again, p.wait = false, time.Time{}, 0 }

// searchDeadline is when discover has something to do for a link; zero: never.
func (e *Engine) searchDeadline(l *link) time.Time {
	switch {
	case !l.connected || e.cfg.MTU != 0:
		return time.Time{}
	case l.probe.active:
		return l.probe.until
	case l.mtuLast.IsZero():
		return l.probe.again
	}
	due := l.mtuLast.Add(e.cfg.PMTUDInterval)
	if due.Before(l.probe.again) {
		return l.probe.again
	}
	return due
}

// discover does what is due in the discovery of MTUs (threads_pmtud.c:
// _handle_pmtud_link_thread). The links are searched at the same time, not one
// after the other: a slow one holds up no other.
func (e *Engine) discover(now time.Time) {
	for _, h := range e.hosts {
		for _, l := range h.links {
			due := e.searchDeadline(l)
			switch {
			case due.IsZero() || now.Before(due):
			case l.probe.active:
				e.probeLost(now, h, l)
			default:
				e.startSearch(now, h, l)
			}
		}
	}
}

// rediscover starts all searches anew, with data in the smallest packets until they
// are done (threads_common.c: force_pmtud_run).
func (e *Engine) rediscover(now time.Time) {
	e.fresh = false
	for _, h := range e.hosts {
		for _, l := range h.links {
			l.mtuProven = false
			if l.connected {
				e.startSearch(now, h, l)
			} else {
				l.mtu = e.sizes.firstMTU(l.six())
			}
		}
	}
	e.globalMTU()
}

func (l *link) six() bool { return l.cfg.Remote.Addr().Is6() }

// onwire is the size of the IP packet that carries so much data.
func (e *Engine) onwire(mtu int, six bool) int {
	return e.sizes.sealed(mtu+allHeader) + ipHeader(six)
}

// startSearch begins a discovery at the top: the kernel refuses what is greater than
// the interface's MTU at once and says how much goes. A size in use is asked about
// first: when the network got narrower, its data is lost, and each moment counts.
func (e *Engine) startSearch(now time.Time, h *host, l *link) {
	e.fresh = false
	if e.cfg.MTU != 0 {
		e.found(now, h, l, e.cfg.MTU)
		return
	}
	l.protoOverhead = ipHeader(l.six()) + allHeader + e.sizes.extra
	e.tellLink(EventMTUStart, h, l, 0, 0)
	l.probe = probe{
		active: true, good: e.sizes.sealed(pingSize) + ipHeader(l.six()), bad: maxMTU + 1,
		again: l.probe.again, wait: l.probe.wait,
	}
	first := maxMTU
	if l.mtuProven {
		first = e.onwire(l.mtu, l.six())
		l.probe.known = first
	}
	l.probe.top = first >= maxMTU
	e.tryOnwire(now, h, l, first)
}

// tryOnwire asks for a size, or ends the search when that tells nothing more.
func (e *Engine) tryOnwire(now time.Time, h *host, l *link, size int) {
	p := &l.probe
	floor := e.onwire(e.sizes.minMTU(), l.six())
	switch {
	case p.bad <= floor:
		e.found(now, h, l, min(p.good, floor-1)) // what may still fit is of no use
		return
	case size < floor && p.good < floor:
		size = floor
	}
	size = e.onwire(e.sizes.mtu(size, l.six()), l.six()) // padding takes whole blocks only
	if size <= p.good {
		e.found(now, h, l, p.good)
		return
	}
	if p.sizes++; p.sizes > probeSizes {
		e.abortSearch(now, h, l, 0)
		return
	}
	p.size, p.attempts = size, 0
	e.sendProbe(now, h, l)
}

// sendProbe sends a packet of the size in question.
func (e *Engine) sendProbe(now time.Time, h *host, l *link) {
	p := &l.probe
	p.attempts++
	p.until = now.Add(l.probeTimeout(p.attempts))
	e.fresh = false
	hdr := Header{Type: TypePMTUD, Host: e.cfg.Self, Link: l.cfg.ID, Size: uint16(p.size)}
	data := e.build(now, &hdr, nil, e.sizes.mtu(p.size, l.six())+allHeader-pmtudSize)
	if data == nil {
		return
	}
	if e.sizes.seals() {
		e.stats.TxCryptPMTUPackets++
	}
	p.bytes = len(data)
	l.stats.TxPMTUPackets++
	l.stats.TxPMTUBytes += uint64(p.bytes)
	e.send(TypePMTUD, h, l, data)
}

// probeTimeout is how long a reply is waited for: short at first, then as long as
// the original waits, without the back-off of a link that was down.
func (l *link) probeTimeout(attempt int) time.Duration {
	long := l.cfg.PongTimeout + latencyFactor*l.latency
	if attempt < probeAttempts {
		return min(long, max(probeFirstMin, 2*latencyFactor*l.latency))
	}
	return long
}

// onReply goes on upward: the size gets through. Replies to other sizes come late.
func (e *Engine) onReply(now time.Time, h *host, l *link, hdr *Header) {
	if p := &l.probe; p.active && int(hdr.Size) == p.size {
		p.good = p.size
		e.halve(now, h, l)
	}
}

// probeLost asks once more, then goes on downward.
func (e *Engine) probeLost(now time.Time, h *host, l *link) {
	p := &l.probe
	if p.attempts < probeAttempts {
		e.sendProbe(now, h, l)
		return
	}
	p.bad = p.size
	if !p.warned {
		p.warned = true
		e.tellLink(EventMTUSuspect, h, l, p.size, 0)
		e.tell(Event{Kind: EventMTUSuspectHint})
	}
	if p.size <= e.onwire(l.mtu, l.six()) && l.mtuProven {
		// Data of the size in use gets lost as well: smaller packets, at once.
		l.mtuProven = false
		e.globalMTU()
	}
	e.halve(now, h, l)
}

// probeRefused goes on at what the kernel says that fits, 0: it didn't say.
func (e *Engine) probeRefused(now time.Time, h *host, l *link, fits int) {
	p := &l.probe
	if p.bytes > 0 { // only what went out counts (threads_pmtud.c: _handle_check_link_pmtud)
		l.stats.TxPMTUPackets--
		l.stats.TxPMTUBytes -= uint64(p.bytes)
		p.bytes = 0
	}
	if fits <= 0 || fits >= p.size {
		p.bad = p.size
		e.halve(now, h, l)
		return
	}
	p.bad = fits + 1
	if fits <= p.good {
		e.found(now, h, l, fits) // less than what the search took for sure
		return
	}
	e.tryOnwire(now, h, l, fits)
}

// halve tries the middle between what fits and what doesn't, or ends the search.
func (e *Engine) halve(now time.Time, h *host, l *link) {
	p := &l.probe
	if p.bad <= p.good+max(e.sizes.block, 1) {
		e.found(now, h, l, p.good)
		return
	}
	known := p.known != 0 && p.good == p.known
	switch {
	case known && !p.top:
		p.top = true
		e.tryOnwire(now, h, l, maxMTU)
	case known && !p.next:
		// It is likely that nothing changed: then this ends the search.
		p.next = true
		e.tryOnwire(now, h, l, p.good+max(e.sizes.block, 1))
	default:
		e.tryOnwire(now, h, l, (p.good+p.bad)/2)
	}
}

// found ends a search (threads_pmtud.c: _handle_check_pmtud).
func (e *Engine) found(now time.Time, h *host, l *link, onwire int) {
	old := l.mtu
	mtu := e.sizes.mtu(onwire, l.six())
	l.probe.active = false
	e.fresh = false
	if mtu < e.sizes.minMTU() {
		e.tellLink(EventMTUInvalid, h, l, mtu, 0)
		e.postpone(now, l)
		e.setValid(now, h, l, false)
		return
	}
	l.mtu, l.mtuProven, l.mtuLast = mtu, true, now
	l.probe.wait, l.probe.again = 0, now.Add(discoverRetry)
	if e.cfg.MTU == 0 {
		if old != mtu {
			e.tellLink(EventMTULink, h, l, old, mtu)
		}
		e.tellLink(EventMTUDone, h, l, mtu, 0)
	}
	e.setValid(now, h, l, true)
}

// setValid keeps data off a link whose packets are too small, or lets it on again.
func (e *Engine) setValid(now time.Time, h *host, l *link, valid bool) {
	was := l.mtuValid
	l.mtuValid = valid
	e.globalMTU()
	if was != valid {
		e.choose(now, h)
	}
}

// abortSearch gives up for now. The link stays in use: whether it works is for the
// pings to say. The original takes its data off it, so that links were up with no
// active links.
func (e *Engine) abortSearch(now time.Time, h *host, l *link, errno Errno) {
	l.probe.active = false
	e.fresh = false
	e.tell(Event{Kind: EventMTUAborted, Host: h.id, Link: l.cfg.ID, Errno: errno})
	e.postpone(now, l)
}

// postpone lets the next search of a link wait, longer each time.
func (e *Engine) postpone(now time.Time, l *link) {
	p := &l.probe
	p.wait = min(max(2*p.wait, discoverRetry), discoverRetryMax)
	p.again = now.Add(p.wait)
	l.mtuLast = time.Time{}
}

// globalMTU sets how much data goes into a packet: as much as the narrowest link
// takes, since the same packets go to all. A link whose MTU is not proven yet takes
// the smallest only.
func (e *Engine) globalMTU() {
	lowest := 0
	for _, h := range e.hosts {
		for _, l := range h.links {
			switch {
			case !l.connected || !l.mtuValid:
			case !l.mtuProven:
				e.dataMTU = e.sizes.minMTU()
				return
			case lowest == 0 || l.mtu < lowest:
				lowest = l.mtu
			}
		}
	}
	if lowest != 0 && lowest != e.dataMTU {
		e.dataMTU = lowest
		e.tell(Event{Kind: EventMTUGlobal, N: lowest})
	}
}
