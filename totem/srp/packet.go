package srp

import "math/bits"

// Packet is one mcast as it is on the wire, held by the queues that need it.
// Owned by the loop.
type Packet struct {
	B     []byte
	refs  int
	class int
}

// pool hands out packets and takes them back, so that messages cost no
// allocation once it is warm. What is given back can still be referred to by the
// last Output (Send, Up); it waits in limbo until the next Step.
type pool struct {
	free  [packetClasses][]*Packet
	limbo []*Packet
}

const (
	minClass      = 7 // 128 bytes: the smallest buffer
	packetClasses = 18
	// maxFreeBytes bounds what one class keeps: a full sort queue of udp packets.
	maxFreeBytes = sortQueueSize << 11
)

// get returns a packet with one reference, empty, with room for n bytes.
func (p *pool) get(n int) *Packet {
	class := max(bits.Len(uint(max(n, 1)-1)), minClass)
	list := p.free[class]
	if len(list) == 0 {
		return &Packet{B: make([]byte, 0, 1<<class), refs: 1, class: class}
	}
	pkt := list[len(list)-1]
	p.free[class] = list[:len(list)-1]
	pkt.B, pkt.refs = pkt.B[:0], 1
	return pkt
}

// put drops one reference.
func (p *pool) put(pkt *Packet) {
	pkt.refs--
	if pkt.refs < 0 {
		panic("srp: packet given back twice")
	}
	if pkt.refs == 0 {
		p.limbo = append(p.limbo, pkt)
	}
}

// reclaim makes what was given back before usable again: the Outputs that may
// refer to it are invalid now.
func (p *pool) reclaim() {
	for i, pkt := range p.limbo {
		if len(p.free[pkt.class]) < maxFreeBytes>>pkt.class && cap(pkt.B) == 1<<pkt.class {
			p.free[pkt.class] = append(p.free[pkt.class], pkt)
		}
		p.limbo[i] = nil
	}
	p.limbo = p.limbo[:0]
}
