package wire

import "encoding/binary"

// cursor reads fields one after the other in the sender's byte order. The
// caller has checked the length; reading past the end is a bug and panics.
type cursor struct {
	b   []byte
	off int
	big bool
}

func (c *cursor) rest() int { return len(c.b) - c.off }

func (c *cursor) u8() uint8 {
	v := c.b[c.off]
	c.off++
	return v
}

func (c *cursor) u16() uint16 {
	s := c.b[c.off : c.off+2]
	c.off += 2
	if c.big {
		return binary.BigEndian.Uint16(s)
	}
	return binary.LittleEndian.Uint16(s)
}

func (c *cursor) u32() uint32 {
	s := c.b[c.off : c.off+4]
	c.off += 4
	if c.big {
		return binary.BigEndian.Uint32(s)
	}
	return binary.LittleEndian.Uint32(s)
}

func (c *cursor) u64() uint64 {
	s := c.b[c.off : c.off+8]
	c.off += 8
	if c.big {
		return binary.BigEndian.Uint64(s)
	}
	return binary.LittleEndian.Uint64(s)
}

func (c *cursor) node() NodeID { return NodeID(c.u32()) }
func (c *cursor) seq() Seq     { return Seq(c.u32()) }

// ring reads a struct memb_ring_id: rep u32, seq u64.
func (c *cursor) ring() RingID {
	rep := c.node()
	return RingID{rep, c.u64()}
}

// nodes reads n node ids into dst, whose memory is used again.
func (c *cursor) nodes(dst []NodeID, n int) []NodeID {
	dst = dst[:0]
	for range n {
		dst = append(dst, c.node())
	}
	return dst
}

// We write little-endian on every machine; the magic tells the receiver.

func appendU16(b []byte, v uint16) []byte { return binary.LittleEndian.AppendUint16(b, v) }
func appendU32(b []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(b, v) }
func appendU64(b []byte, v uint64) []byte { return binary.LittleEndian.AppendUint64(b, v) }
func putU32(b []byte, v uint32)           { binary.LittleEndian.PutUint32(b, v) }

func appendRing(b []byte, r RingID) []byte {
	return appendU64(appendU32(b, uint32(r.Rep)), r.Seq)
}

func appendNodes(b []byte, ids []NodeID) []byte {
	for _, id := range ids {
		b = appendU32(b, uint32(id))
	}
	return b
}
