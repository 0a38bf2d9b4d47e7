package wire

import (
	"encoding/binary"
	"fmt"
)

// PackLen is the length of the pack header before the lengths.
const PackLen = 8

// Reasons to refuse the payload of an mcast.
const (
	ErrPackCount  Error = "packed payload announces more messages than it has room for"
	ErrPackLength Error = "packed payload does not have the length of its messages"
)

// Pack is the payload of an mcast: several messages, of which the first may
// continue one of the packet before and the last may go on in the next
// (totempg.c: struct totempg_mcast).
//
//	version i16@0 (0)  type i16@2 (0)  fragmented u8@4  continuation u8@5
//	msg_count u16@6  lengths u16[msg_count]@8  data
type Pack struct {
	Fragmented   uint8 // id of the fragment that the last message continues in; 0: it is complete
	Continuation uint8 // id that the packet before gave for the rest of its last message
	Count        int
	lens         []byte
	data         []byte
	big          bool
}

// ParsePack reads a payload; its byte order is the mcast's.
func ParsePack(b []byte, swapped bool) (Pack, error) {
	if len(b) < PackLen {
		return Pack{}, ErrShort
	}
	c := cursor{b: b, big: swapped}
	c.off = 4 // version and type: zero, and not looked at
	p := Pack{big: swapped}
	p.Fragmented = c.u8()
	p.Continuation = c.u8()
	p.Count = int(c.u16())
	if c.rest() < 2*p.Count {
		return Pack{}, ErrPackCount
	}
	p.lens = b[PackLen : PackLen+2*p.Count]
	p.data = b[PackLen+2*p.Count:]
	total := 0
	for i := range p.Count {
		total += p.Len(i)
	}
	if total != len(p.data) {
		return Pack{}, ErrPackLength
	}
	return p, nil
}

// Len is the length of piece i.
func (p *Pack) Len(i int) int {
	if p.big {
		return int(binary.BigEndian.Uint16(p.lens[2*i:]))
	}
	return int(binary.LittleEndian.Uint16(p.lens[2*i:]))
}

// Next returns the piece i, which must be asked for in order, from 0.
func (p *Pack) Next(i int) []byte {
	n := p.Len(i)
	piece := p.data[:n:n]
	p.data = p.data[n:]
	return piece
}

// AppendPack writes the pack header and the lengths; the data follows.
func AppendPack(b []byte, fragmented, continuation uint8, lens []uint16) []byte {
	b = append(b, 0, 0, 0, 0, fragmented, continuation)
	b = appendU16(b, uint16(len(lens)))
	for _, n := range lens {
		b = appendU16(b, n)
	}
	return b
}

func (p Pack) String() string {
	s := fmt.Sprintf("Pack fragmented=%d continuation=%d lens=(", p.Fragmented, p.Continuation)
	for i := range p.Count {
		if i > 0 {
			s += " "
		}
		s += fmt.Sprint(p.Len(i))
	}
	return s + ")"
}
