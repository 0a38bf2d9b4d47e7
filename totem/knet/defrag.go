package knet

import "time"

// defragBuffers is how many datagrams of one sender are put together at the same
// time (internals.h: KNET_DEFRAG_BUFFERS). It is also how far back the sender's
// numbers may be: older ones make room.
const defragBuffers = 32

// buffer is a datagram in reassembly.
//
// Invariant: once size is known, size*(num-1)+last <= MaxPacket, so that the last
// fragment, kept at the end until then, is not overwritten.
type buffer struct {
	seq       uint16
	num       uint8 // how many fragments there are
	got       uint8 // how many are here
	size      int   // of a fragment but the last; 0: not known yet
	last      int   // of the last one; 0: not here yet
	lastAtEnd bool  // the last one waits at the end of data
	updated   time.Time
	have      [4]uint64 // bits of the fragments that are here
	data      [MaxPacket]byte
}

// bufferPool keeps buffers for the next datagrams. It holds at most as many as were
// in use at one time: 32 for each host.
type bufferPool struct{ free []*buffer }

func (p *bufferPool) get() *buffer {
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		return b
	}
	return new(buffer)
}

func (p *bufferPool) put(b *buffer) { p.free = append(p.free, b) }

// defrag is the reassembly of one sender's datagrams (threads_rx.c: pckt_defrag).
type defrag struct {
	bufs [defragBuffers]*buffer // nil: free
}

// clear gives all buffers back.
func (d *defrag) clear(pool *bufferPool) {
	for i, b := range d.bufs {
		if b != nil {
			pool.put(b)
			d.bufs[i] = nil
		}
	}
}

// expire gives back the buffers of numbers outside (top-32, top] (host.c:
// _reclaim_old_defrag_bufs) and tells how many. So there is room for each number
// inside, and none of those gives way to another.
func (d *defrag) expire(top uint16, pool *bufferPool) (n int) {
	for i, b := range d.bufs {
		if b != nil && top-b.seq >= defragBuffers {
			pool.put(b)
			d.bufs[i] = nil
			n++
		}
	}
	return n
}

// find gives the slot that a datagram is in, or a free one, or that of the datagram
// which waited longest. used: it holds this datagram, or another one.
func (d *defrag) find(seq uint16) (slot int, used bool) {
	slot = -1
	oldest := 0
	for i, b := range d.bufs {
		switch {
		case b == nil:
			if slot < 0 {
				slot = i
			}
		case b.seq == seq:
			return i, true
		case d.bufs[oldest] != nil && b.older(d.bufs[oldest]):
			oldest = i
		}
	}
	if slot >= 0 {
		return slot, false
	}
	return oldest, true
}

// older tells which of two datagrams has waited longer: packets read together have
// the same time.
func (b *buffer) older(o *buffer) bool {
	return b.updated.Before(o.updated) || b.updated.Equal(o.updated) && int16(b.seq-o.seq) < 0
}

// fits tells whether a fragment can be one of this datagram: same count, and sizes
// that go together.
func (b *buffer) fits(h *Header, n int) bool {
	if h.Fragments != b.num {
		return false
	}
	size, last := b.size, b.last
	if h.Fragment == h.Fragments {
		last = n
	} else {
		if size != 0 && size != n {
			return false
		}
		size = n
	}
	if size == 0 {
		return true
	}
	return last <= size && size*int(b.num-1)+max(last, 1) <= MaxPacket
}

// add takes a fragment that fits; false: it is here already.
func (b *buffer) add(h *Header, payload []byte) bool {
	bit := uint64(1) << (h.Fragment % 64)
	if b.have[h.Fragment/64]&bit != 0 {
		return false
	}
	b.have[h.Fragment/64] |= bit
	b.got++
	if h.Fragment < h.Fragments {
		b.size = len(payload)
		copy(b.data[b.size*int(h.Fragment-1):], payload)
		return true
	}
	b.last = len(payload)
	if b.size == 0 {
		// Where it belongs is not known before another one came: the sender's MTU
		// need not be ours.
		b.lastAtEnd = true
		copy(b.data[MaxPacket-b.last:], payload)
		return true
	}
	copy(b.data[b.size*int(b.num-1):], payload)
	return true
}

// whole gives the datagram when all is here.
func (b *buffer) whole() ([]byte, bool) {
	if b.got < b.num {
		return nil, false
	}
	at := b.size * int(b.num-1)
	if b.lastAtEnd {
		copy(b.data[at:], b.data[MaxPacket-b.last:])
		b.lastAtEnd = false
	}
	return b.data[:at+b.last], true
}

// start makes it ready for another datagram.
func (b *buffer) start(h *Header) {
	b.seq, b.num, b.got = h.Seq, h.Fragments, 0
	b.size, b.last, b.lastAtEnd = 0, 0, false
	b.have = [4]uint64{}
}
