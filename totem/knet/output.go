package knet

import "net/netip"

// Datagram is one UDP datagram to send, unfragmented (DF set).
type Datagram struct {
	Type      PacketType // what it is, before it was sealed
	Link      uint8
	Host      HostID
	Local, To netip.AddrPort
	Data      []byte
}

// Delivery is one application datagram, whole.
type Delivery struct {
	From      HostID
	Broadcast bool // it went to all hosts
	Channel   int8
	Data      []byte
}

// Output is what the engine wants done, in this order. Everything is valid until
// the next call of Output, payloads that came whole in one clear datagram only as
// long as the bytes given to Receive.
type Output struct {
	Send   []Datagram
	Up     []Delivery
	Events []Event

	arena []byte    // memory of packets built and opened
	held  []*buffer // reassembled datagrams in Up
}

// Empty reports whether there is nothing to do.
func (o *Output) Empty() bool { return len(o.Send) == 0 && len(o.Up) == 0 && len(o.Events) == 0 }

// arenaStart is the least size of an output's memory: a window of the ring in
// packets of 1.5 KB. It grows to what is needed and stays.
const arenaStart = 128 << 10

// reset forgets all and takes the memory back.
func (o *Output) reset(pool *bufferPool) {
	for i, b := range o.held {
		pool.put(b)
		o.held[i] = nil
	}
	clear(o.Send)
	clear(o.Up)
	o.Send, o.Up, o.Events, o.held = o.Send[:0], o.Up[:0], o.Events[:0], o.held[:0]
	o.arena = o.arena[:0]
}

// room gives n bytes of memory that nobody else uses until the reset; the slice has
// length 0.
func (o *Output) room(n int) []byte {
	if cap(o.arena)-len(o.arena) < n {
		// What is in use stays where it is; the new memory starts empty.
		o.arena = make([]byte, 0, max(2*cap(o.arena), n, arenaStart))
	}
	start := len(o.arena)
	o.arena = o.arena[:start+n]
	return o.arena[start : start : start+n]
}

// release gives back what was not used of room, which was taken last.
func (o *Output) release(room []byte, used int) {
	o.arena = o.arena[:len(o.arena)-cap(room)+used]
}

// Output gives what is to be done since the last call.
func (e *Engine) Output() *Output {
	out := e.out
	e.out = e.spare
	e.spare = out
	e.out.reset(&e.pool)
	return out
}
