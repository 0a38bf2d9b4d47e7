package knet

import "time"

// Channels are the streams of datagrams that share the links, numbered as totemknet.c
// numbers them.
const (
	ChannelRing   = 0
	ChannelFrames = 1 // Ethernet frames of the virtual network interface (nozzle)
)

// Send queues a datagram of the ring for one host, 0: for all others, and takes a
// copy. Hosts that cannot be reached are left out: whoever needs it there sends it
// again (threads_tx.c: _parse_recv_from_sock).
func (e *Engine) Send(now time.Time, to HostID, data []byte) {
	if len(data) > 0 && len(data) <= MaxPacket && (to == 0 || to == e.cfg.Self) {
		e.sendSelf(data, to == 0)
	}
	if to == 0 || to != e.cfg.Self {
		e.queue(now, ChannelRing, to, data)
	}
}

// SendFrame queues an Ethernet frame likewise. A frame for all doesn't come back to
// this host: the original's does, but a host that hears itself takes that for a loop.
func (e *Engine) SendFrame(now time.Time, to HostID, frame []byte) {
	if to != e.cfg.Self {
		e.queue(now, ChannelFrames, to, frame)
	}
}

// OpenFrames tells whether somebody takes frames; while nobody does they are dropped.
func (e *Engine) OpenFrames(open bool) { e.frames = open }

// queue sends data to other hosts.
func (e *Engine) queue(now time.Time, channel int8, to HostID, data []byte) {
	if len(data) == 0 || len(data) > MaxPacket {
		e.drop(now, DropSize, Event{Host: to, N: len(data)})
		return
	}
	if !e.anyReachable(to) {
		e.drop(now, DropNoHost, Event{Host: to})
		return
	}
	hdr := Header{Type: TypeData, Host: e.cfg.Self, Broadcast: to == 0, Channel: channel}
	data = e.compress(data, &hdr)
	if e.txSeq++; e.txSeq == 0 {
		e.txSeq = 1 // 0 is a sender that has just started
	}
	hdr.Seq = e.txSeq
	if e.txSeq%untimedEvery == 0 {
		e.pingAll(now)
	}
	if !e.fragment(now, &hdr, data) {
		return
	}
	for _, h := range e.hosts {
		if h.reachable() && (to == 0 || to == h.id) {
			e.dispatch(h)
		}
	}
}

// untimedEvery is after how many datagrams all hosts are pinged, so that those which
// got none of them follow the numbers (threads_tx.c: SEQ_MAX / 8).
const untimedEvery = 65535 / 8

// sendSelf is the link of this host to itself.
func (e *Engine) sendSelf(data []byte, broadcast bool) {
	e.loop.stats.TxDataPackets++
	e.loop.stats.TxDataBytes += uint64(len(data))
	if e.cfg.Loopback {
		own := append(e.out.room(len(data)), data...)
		e.out.Up = append(e.out.Up, Delivery{From: e.cfg.Self, Broadcast: broadcast, Data: own})
	}
}

func (e *Engine) anyReachable(to HostID) bool {
	if to != 0 {
		h := e.host(to)
		return h != nil && h.reachable()
	}
	for _, h := range e.hosts {
		if h.reachable() {
			return true
		}
	}
	return false
}

// compress makes a long datagram smaller, if that works out.
func (e *Engine) compress(data []byte, hdr *Header) []byte {
	c := e.cfg.Compress
	if c == nil || c.Model() == 0 {
		return data
	}
	if len(data) <= e.cfg.CompressThreshold {
		e.stats.TxUncompressedPackets++
		return data
	}
	began := e.nanotime()
	packed, err := c.Compress(e.packed[:0], data)
	e.stats.TxCompressTime.add(e.since64(began))
	if err != nil {
		e.tell(Event{Kind: EventCompressFailed})
		e.stats.TxUncompressedPackets++
		return data
	}
	if cap(packed) > cap(e.packed) {
		e.packed = packed
	}
	e.stats.TxCompressedPackets++
	e.stats.TxCompressedOriginalBytes += uint64(len(data))
	e.stats.TxCompressedSizeBytes += uint64(len(packed))
	if len(packed) >= len(data) {
		e.stats.TxUncompressedPackets++
		return data
	}
	hdr.Compress = c.Model()
	return packed
}

// fragment fills packets with what carries data, sealed. The same packets go to all
// hosts on all links.
func (e *Engine) fragment(now time.Time, hdr *Header, data []byte) bool {
	n := (len(data) + e.dataMTU - 1) / e.dataMTU
	if n > maxFragments {
		e.drop(now, DropSize, Event{N: len(data)})
		return false
	}
	hdr.Fragments = uint8(n)
	e.packets = e.packets[:0]
	plain, salt := 0, e.salt()
	for i := range n {
		part := data[i*e.dataMTU : min((i+1)*e.dataMTU, len(data))]
		if n > 1 {
			hdr.Fragment = uint8(i + 1)
		}
		size := dataSize + len(part)
		plain += size
		b := e.out.room(max(e.sizes.sealed(size), salt+size))[:salt]
		e.packets = append(e.packets, append(hdr.append(b), part...))
	}
	if !e.sizes.seals() {
		return true
	}
	began := e.nanotime()
	if err := e.cfg.Crypto.Seal(e.packets); err != nil {
		e.drop(now, DropSeal, Event{})
		return false
	}
	e.stats.TxCryptTime.add(e.since64(began) / uint64(n))
	e.stats.TxCryptPackets += uint64(n)
	sealed := 0
	for _, p := range e.packets {
		sealed += len(p)
	}
	e.stats.TxCryptByteOverhead += uint64(sealed - plain)
	return true
}

// dispatch queues the packets for a host (threads_tx.c: _dispatch_to_links).
func (e *Engine) dispatch(h *host) {
	for _, l := range h.active[:h.actives] {
		for _, p := range e.packets {
			l.stats.TxDataPackets++
			l.stats.TxDataBytes += uint64(len(p))
			e.send(TypeData, h, l, p)
		}
		if e.cfg.Policy == PolicyRR {
			break
		}
	}
	if e.cfg.Policy == PolicyRR {
		h.rotate()
	}
}

func (e *Engine) nanotime() int64 {
	if e.cfg.Nanotime == nil {
		return 0
	}
	return e.cfg.Nanotime()
}

// since64 is the time since began.
func (e *Engine) since64(began int64) uint64 { return uint64(max(e.nanotime()-began, 0)) }
