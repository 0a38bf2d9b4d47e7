package knet

import (
	"net/netip"
	"time"
)

// Failure is what the kernel said about a datagram.
type Failure struct {
	// Local and To are the ends the datagram went between. Local may be zero.
	Local, To netip.AddrPort
	// Type is the datagram's, when that is known; else TypeData.
	Type  PacketType
	Errno Errno
	// MTU is the greatest packet that the path takes, headers included, when Errno is
	// EMSGSIZE and the kernel knows; else 0.
	MTU int
	// Now tells that the send itself failed. Otherwise it is an ICMP error, which
	// came back later.
	Now bool
}

// Failed takes in what the kernel said about a datagram. Nothing is sent again at
// once, whatever the error: the original's loop over a send that fails can take
// all of a processor. Lost data is the application's to repeat, a ping waits for
// room or for its next turn.
func (e *Engine) Failed(now time.Time, f Failure) {
	h, l := e.linkAt(unmap(f.Local), unmap(f.To))
	if l == nil {
		return // removed meanwhile
	}
	switch {
	case f.Errno == EMSGSIZE || f.Now && f.Errno == EPERM && (f.Type == TypeData || f.Type == TypePMTUD):
		e.tooBig(now, h, l, f)
	case !f.Now:
		e.unreachable(now, h, l, f)
	case f.Errno.full():
		e.noRoom(now, l, f.Type)
	default:
		l.countError(f.Type)
		if l.toldError.IsZero() || now.Sub(l.toldError) >= dropInterval {
			l.toldError = now
			e.tell(Event{Kind: EventSendFailed, Host: h.id, Link: l.cfg.ID, Errno: f.Errno, Addr: l.cfg.Remote})
		}
		if l.probe.active {
			e.abortSearch(now, h, l, f.Errno)
		}
	}
}

// tooBig looks for the MTU anew: it shrank, or the packet was a probe. An ICMP error
// may be anybody's: it only makes us look.
func (e *Engine) tooBig(now time.Time, h *host, l *link, f Failure) {
	if f.MTU > 0 {
		e.tellLink(EventMTUKernel, h, l, f.MTU, 0)
	}
	switch {
	case !l.connected || e.cfg.MTU != 0:
		return
	case l.probe.active:
		if f.Now && f.Type == TypePMTUD && f.MTU < l.probe.size {
			e.probeRefused(now, h, l, f.MTU)
		}
		return
	case f.Now && (f.MTU == 0 || f.MTU < e.onwire(l.mtu, l.six())):
		l.mtuProven = false
		e.globalMTU()
	}
	if now.Before(l.probe.again) {
		l.mtuLast = time.Time{} // as soon as the last search is over long enough
		e.fresh = false
		return
	}
	e.startSearch(now, h, l)
}

// unreachable takes a link down when ICMP says that nobody is there.
func (e *Engine) unreachable(now time.Time, h *host, l *link, f Failure) {
	if !f.Errno.gone() || !l.connected {
		return
	}
	e.tell(Event{Kind: EventUnreachable, Host: h.id, Link: l.cfg.ID, Errno: f.Errno, Addr: l.cfg.Remote})
	e.linkDown(now, h, l)
}

// noRoom lets a ping or a probe be sent again soon; others are lost.
func (e *Engine) noRoom(now time.Time, l *link, t PacketType) {
	e.fresh = false
	switch t {
	case TypePing:
		l.stats.TxPingRetries++
		l.retry = min(max(2*l.retry, retryStart), l.cfg.PingInterval)
		if next := now.Add(l.retry); next.Before(l.pingNext) {
			l.pingNext = next
		}
	case TypePMTUD:
		l.stats.TxPMTURetries++
		p := &l.probe
		if next := now.Add(retryStart); p.active && p.full < probeFull && next.Before(p.until) {
			p.until = next
			p.attempts = max(p.attempts-1, 0)
			p.full++
		}
	case TypePong:
		l.stats.TxPongRetries++
	case TypePMTUDReply:
		l.stats.TxPMTURetries++
	case TypeData:
		l.stats.TxDataRetries++
	}
}

// countError counts a send that failed for good.
func (l *link) countError(t PacketType) {
	switch t {
	case TypePing:
		l.stats.TxPingErrors++
	case TypePong:
		l.stats.TxPongErrors++
	case TypePMTUD, TypePMTUDReply:
		l.stats.TxPMTUErrors++
	case TypeData:
		l.stats.TxDataErrors++
	}
}
