package knet

// windowSize is how many sequence numbers back a datagram is told from one that
// came already (internals.h: KNET_CBUFFER_SIZE).
const windowSize = 4096

// bitmap is one bit for each number of the window.
type bitmap [windowSize / 64]uint64

func (m *bitmap) has(seq uint16) bool {
	i := seq % windowSize
	return m[i/64]&(1<<(i%64)) != 0
}

func (m *bitmap) set(seq uint16) {
	i := seq % windowSize
	m[i/64] |= 1 << (i % 64)
}

func (m *bitmap) unset(seq uint16) {
	i := seq % windowSize
	m[i/64] &^= 1 << (i % 64)
}

// window knows which datagrams of one sender came (host.c: _seq_num_lookup). All of
// a sender's datagrams share the numbers, those to others too, so gaps are normal.
//
// Invariant: only numbers in (top-4096, top] are set.
type window struct {
	top       uint16 // highest number seen; 0: none yet
	delivered bitmap
	started   bitmap // the datagram's reassembly began: later on, its fragments come too late
}

// reset forgets all; numbers go on from top.
func (w *window) reset(top uint16) { *w = window{top: top} }

// fresh moves the window so that seq is in it and tells whether its datagram was
// not delivered yet. A number far away starts anew: the sender did.
func (w *window) fresh(seq uint16) bool {
	if w.top == 0 {
		w.top = seq
	}
	if behind := w.top - seq; behind < windowSize {
		return !w.delivered.has(seq)
	}
	if ahead := seq - w.top; ahead >= windowSize {
		w.reset(seq)
		return true
	}
	for w.top != seq {
		w.top++
		w.delivered.unset(w.top)
		w.started.unset(w.top)
	}
	return true
}
