package knet

import (
	"net/netip"
	"time"
)

// Receive takes in one UDP datagram. local is the address of the socket that it came
// in at (zero: not known), which has to be the link's. data may be changed, and is
// referred to by the next Output.
func (e *Engine) Receive(now time.Time, local, from netip.AddrPort, data []byte) {
	local, from = unmap(local), unmap(from)
	plain, inClear, ok := e.open(data)
	if !ok {
		e.drop(now, DropSealed, Event{Addr: from, N: len(data)})
		return
	}
	var hdr Header
	payload, err := hdr.parse(plain)
	if err != nil {
		e.drop(now, DropMalformed, Event{Addr: from, N: len(data)})
		return
	}
	h := e.host(hdr.Host)
	if h == nil {
		e.drop(now, DropHost, Event{Addr: from, Host: hdr.Host})
		return
	}
	l, why := h.source(&hdr, from)
	if l == nil {
		if why == DropAddress && !e.cfg.BlockUnlisted {
			e.stats.Dropped[why]++
			return
		}
		e.drop(now, why, Event{Addr: from, Host: h.id, Link: hdr.Link})
		return
	}
	if local.IsValid() && local != l.cfg.Local {
		e.drop(now, DropLocal, Event{Addr: from, Host: h.id, Link: l.cfg.ID})
		return
	}
	if inClear {
		e.stats.RxClearPackets++
	}
	switch hdr.Type {
	case TypeData:
		e.onData(now, h, l, &hdr, payload, len(plain))
	case TypePing:
		e.onPing(now, h, l, &hdr, len(plain))
	case TypePong:
		e.onPong(now, h, l, &hdr, len(plain))
	case TypePMTUD:
		l.stats.RxPMTUPackets++
		l.stats.RxPMTUBytes += uint64(len(plain))
		e.replyPMTUD(now, h, l, &hdr)
	case TypePMTUDReply:
		l.stats.RxPMTUPackets++
		l.stats.RxPMTUBytes += uint64(len(plain))
		e.onReply(now, h, l, &hdr)
	}
}

// open gives the packet without its encryption. What does not authenticate changes
// nothing; in clear it is taken only when that is allowed (threads_rx.c:
// _parse_recv_from_links). inClear: although there is a key.
func (e *Engine) open(data []byte) (plain []byte, inClear, ok bool) {
	c := e.cfg.Crypto
	if c == nil || !c.Configured() {
		return data, false, c == nil || e.cfg.AllowClear
	}
	began := e.nanotime()
	plain, err := c.Open(data)
	if err != nil {
		return data, true, e.cfg.AllowClear
	}
	e.stats.RxCryptTime.add(e.since64(began))
	e.stats.RxCryptPackets++
	return plain, false, true
}

// source is the link a packet came on. The number in a control packet counts only
// if the packet came from that link's host (CVE-2026-15812); the original's receiver
// looks at its port for data alone, so we do too.
func (h *host) source(hdr *Header, from netip.AddrPort) (*link, Drop) {
	if hdr.Type == TypeData {
		for _, l := range h.links {
			if l.cfg.Remote == from {
				return l, 0
			}
		}
		return nil, DropSource
	}
	if hdr.Link >= MaxLinks || h.byID[hdr.Link] == nil {
		return nil, DropLink
	}
	l := h.byID[hdr.Link]
	if l.cfg.Remote.Addr() != from.Addr() {
		return nil, DropAddress
	}
	return l, 0
}

// onData delivers a datagram once, when it is whole.
func (e *Engine) onData(now time.Time, h *host, l *link, hdr *Header, payload []byte, size int) {
	l.stats.RxDataPackets++
	l.stats.RxDataBytes += uint64(size)
	if !h.reachable() {
		if l.connected || l.pongs == 0 || !l.mtuValid {
			e.drop(now, DropEarly, Event{Host: h.id})
			return
		}
		// The sender sees us already and our pings are answered: to wait for the last
		// pong would only lose what it sends (knet 1.28: _fast_data_up).
		e.tellLink(EventDataUp, h, l, 0, 0)
		e.tellLink(EventLinkUp, h, l, 0, 0) // the line that operators look for
		e.linkUp(now, h, l)
	}
	h.gotData, h.dataLast = true, now
	if !h.window.fresh(hdr.Seq) {
		e.drop(now, DropDuplicate, Event{Host: h.id})
		return
	}
	e.stats.Dropped[DropIncomplete] += uint64(h.defrag.expire(h.window.top, &e.pool))
	if hdr.Fragments == 0 || hdr.Fragments > maxFragments || hdr.Fragments > 1 && (hdr.Fragment == 0 || hdr.Fragment > hdr.Fragments) {
		e.drop(now, DropFragment, Event{Host: h.id, N: int(hdr.Fragment), M: int(hdr.Fragments)})
		return
	}
	if hdr.Fragments == 1 {
		e.deliver(now, h, hdr, payload)
		return
	}
	if b := e.assemble(now, h, hdr, payload); b != nil {
		whole, _ := b.whole()
		e.out.held = append(e.out.held, b)
		e.deliver(now, h, hdr, whole)
	}
}

// assemble adds a fragment and gives the buffer when its datagram is whole.
func (e *Engine) assemble(now time.Time, h *host, hdr *Header, payload []byte) *buffer {
	bad := Event{Host: h.id, N: int(hdr.Fragment), M: int(hdr.Fragments)}
	slot, used := h.defrag.find(hdr.Seq)
	b := h.defrag.bufs[slot]
	if !used || b.seq != hdr.Seq {
		if h.window.started.has(hdr.Seq) {
			e.drop(now, DropFragment, bad) // its buffer was given up
			return nil
		}
		if used {
			e.stats.Dropped[DropIncomplete]++
		} else {
			b = e.pool.get()
			h.defrag.bufs[slot] = b
		}
		h.window.started.set(hdr.Seq)
		b.start(hdr)
	}
	b.updated = now
	if !b.fits(hdr, len(payload)) {
		e.drop(now, DropFragment, bad)
		return nil
	}
	if !b.add(hdr, payload) {
		return nil
	}
	if _, ok := b.whole(); !ok {
		return nil
	}
	h.defrag.bufs[slot] = nil
	return b
}

// deliver hands a whole datagram up. Only now its number is used up: what could not
// be decompressed may come again on another link.
func (e *Engine) deliver(now time.Time, h *host, hdr *Header, data []byte) {
	if hdr.Compress != 0 {
		var ok bool
		if data, ok = e.decompress(now, h, hdr, data); !ok {
			return
		}
	}
	if hdr.Channel != ChannelRing && (hdr.Channel != ChannelFrames || !e.frames) {
		e.drop(now, DropChannel, Event{Host: h.id, N: int(hdr.Channel)})
		return
	}
	h.window.delivered.set(hdr.Seq)
	e.out.Up = append(e.out.Up, Delivery{From: h.id, Broadcast: hdr.Broadcast, Channel: hdr.Channel, Data: data})
}

// decompress is bounded: no datagram is longer than MaxPacket.
func (e *Engine) decompress(now time.Time, h *host, hdr *Header, data []byte) ([]byte, bool) {
	why := Event{Host: h.id, N: int(hdr.Compress)}
	if e.cfg.Compress == nil {
		e.drop(now, DropDecompress, why)
		return nil, false
	}
	began := e.nanotime()
	room := e.out.room(MaxPacket)
	plain, err := e.cfg.Compress.Decompress(room, hdr.Compress, data, MaxPacket)
	if err != nil || len(plain) == 0 || len(plain) > MaxPacket {
		e.out.release(room, 0)
		e.drop(now, DropDecompress, why)
		return nil, false
	}
	e.out.release(room, len(plain))
	e.stats.RxCompressTime.add(e.since64(began))
	e.stats.RxCompressedPackets++
	e.stats.RxCompressedOriginalBytes += uint64(len(plain))
	e.stats.RxCompressedSizeBytes += uint64(len(data))
	return plain, true
}

// replyPMTUD confirms that a packet of its size came, from wherever the search is.
func (e *Engine) replyPMTUD(now time.Time, h *host, l *link, hdr *Header) {
	reply := Header{Type: TypePMTUDReply, Host: e.cfg.Self, Link: hdr.Link, Size: hdr.Size}
	data := e.build(now, &reply, nil, 0)
	if data == nil {
		return
	}
	if e.sizes.seals() {
		e.stats.TxCryptPMTUReplyPackets++
	}
	e.send(TypePMTUDReply, h, l, data)
}
