// Package wiretest turns packets of the ring into those of a node with the other
// byte order, for tests: the originals run on machines of both, ours write
// little-endian everywhere. It reads the packets by itself, with nothing of
// totem/wire. It replaces no upstream file; what must be turned is what
// totemsrp.c's endian_convert functions turn back.
//
// Callers: tests of totem/wire and totem/pg, and the simulator.
package wiretest

import (
	"encoding/binary"
	"slices"
)

// Types of packets, and where an mcast has what is needed here (doc of totem/wire).
const (
	typeToken = iota
	typeMcast
	typeMerge
	typeJoin
	typeCommit
	typeHoldCancel

	offType, offKind     = 3, 4
	offFrom, offSeq      = 13, 17
	offRing              = 25
	mcastLen, packLen    = 45, 8
	encapsulated         = 1
	groupHead            = 4 // number of groups, length of the name
	offContinued, offNum = 5, 6
)

var le = binary.LittleEndian

// Number names a packet with messages: its ring and its place there.
type Number struct {
	Rep     uint32
	RingSeq uint64
	Seq     uint32
}

// Begun tells how many bytes of the message that a packet goes on with came in
// packets before; 4 or more when it does not matter.
type Begun func(Number) int

// Fields returns the packet with the fields of its own turned; what an mcast
// carries stays.
func Fields(b []byte) []byte {
	out := slices.Clone(b)
	out[0], out[1] = out[1], out[0]
	off := 5
	for _, w := range widths(b) {
		slices.Reverse(out[off : off+w])
		off += w
	}
	return out
}

// widths are the fields behind magic, version, type and encapsulation.
func widths(b []byte) []int {
	w := []int{4, 4} // node, target
	n32 := func(off int) int { return int(le.Uint32(b[off:])) }
	add := func(n int, f ...int) {
		for range n {
			w = append(w, f...)
		}
	}
	switch b[offType] {
	case typeToken:
		add(4, 4)
		add(1, 4, 8)
		add(4, 4)
		add(n32(53), 4, 8, 4)
	case typeMcast:
		add(3, 4)
		add(1, 4, 8)
		add(2, 4)
	case typeMerge:
		add(1, 4, 4, 8)
	case typeJoin:
		add(1, 4, 4, 4, 8)
		add(n32(17)+n32(21), 4)
	case typeCommit:
		add(1, 4, 4, 8, 4, 4, 4)
		add(n32(37), 4)
		add(n32(37), 4, 8, 4, 4, 4)
	case typeHoldCancel:
		add(1, 4, 8)
	}
	return w
}

// Packet returns what a node self of the other byte order sends in the place of
// b, which a node of ours does. What it only passes on (messages of others, whole
// within a recovery message or sent again) stays as it is.
func Packet(b []byte, self uint32, begun Begun) []byte {
	if b[offType] != typeMcast {
		return Fields(b)
	}
	if le.Uint32(b[offFrom:]) != self {
		return slices.Clone(b)
	}
	out := Fields(b)
	inner := out[mcastLen:]
	if b[offKind] == encapsulated {
		copy(inner, Packet(b[mcastLen:], self, begun))
		return out
	}
	turnPack(inner, begun(Number{le.Uint32(b[offRing:]), le.Uint64(b[offRing+4:]), le.Uint32(b[offSeq:])}))
	return out
}

// turnPack turns the lengths in a packet's payload, and the group header of each
// message, of the first of which begun bytes came before.
func turnPack(b []byte, begun int) {
	count := int(le.Uint16(b[offNum:]))
	if b[offContinued] == 0 {
		begun = 0
	}
	data := b[packLen+2*count:]
	for i := range count {
		n := int(le.Uint16(b[packLen+2*i:]))
		turnHead(data[:n], begun)
		data, begun = data[n:], 0
	}
	for at := offNum; at < packLen+2*count; at += 2 {
		slices.Reverse(b[at : at+2])
	}
}

// turnHead turns the header of a message, or what a packet has of it. Of the two
// numbers the first is 1 and the second the length of the name, which is what
// ends in front of the name; a number that is cut is known by that.
func turnHead(piece []byte, begun int) {
	if begun >= groupHead {
		return
	}
	var head [groupHead]byte
	copy(head[begun:], piece)
	switch {
	case begun == 1:
		head[0] = 1
	case begun == 3: // the name tells its length
		head[0], head[2] = 1, nameLen(piece[1:])
	}
	slices.Reverse(head[:2])
	slices.Reverse(head[2:])
	copy(piece, head[begun:])
}

func nameLen(rest []byte) byte {
	if len(rest) > 0 && rest[0] == 's' {
		return byte(len("sync"))
	}
	return 1
}
