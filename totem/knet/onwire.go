package knet

import (
	"encoding/binary"
	"strconv"
)

// PacketType tells the five packets apart (onwire.h: KNET_HEADER_TYPE_*).
type PacketType uint8

// The packets of version 1. All but data have the bit 0x80.
const (
	TypeData       PacketType = 0x00 // what the application sends
	TypePing       PacketType = 0x81 // is the link alive?
	TypePong       PacketType = 0x82 // it is
	TypePMTUD      PacketType = 0x83 // does a packet of this size get through?
	TypePMTUDReply PacketType = 0x84 // it did
)

func (t PacketType) String() string {
	switch t {
	case TypeData:
		return "data"
	case TypePing:
		return "ping"
	case TypePong:
		return "pong"
	case TypePMTUD:
		return "pmtud"
	case TypePMTUDReply:
		return "pmtud reply"
	}
	return "type " + strconv.Itoa(int(t))
}

const (
	version    = 1
	headerSize = 6  // before what the types differ in
	dataSize   = 14 // header of a data packet
	pingSize   = 26 // a whole ping or pong; also the largest header there is
	pmtudSize  = 9  // header of a PMTUD packet; a whole reply

	// allHeader is what every size computation takes as the header, whatever the
	// packet (onwire.h: KNET_HEADER_ALL_SIZE).
	allHeader = pingSize

	// MaxPacket is the largest application datagram (libknet.h: KNET_MAX_PACKET_SIZE).
	MaxPacket = 65536
	// maxFragments is how many fragments one may have: the original's receiver
	// indexes an array of 255 with numbers from 1 (internals.h: PCKT_FRAG_MAX).
	maxFragments = 254
)

// pingTime is the time in a ping: struct timespec of its sender, echoed unread.
type pingTime [16]byte

// Header is a packet without its payload. Which fields mean something depends on Type.
type Header struct {
	Type PacketType
	Host HostID // the sender

	// Of data.
	Seq       uint16 // of data and pings: 0 is never sent in data
	Compress  uint8  // model that the payload is compressed with, 0: none
	Broadcast bool   // for all hosts
	Fragments uint8  // how many there are of this datagram
	Fragment  uint8  // which one this is, from 1; 0 when it is whole
	Channel   int8

	// Of the others.
	Link  uint8    // the number of the link it was sent on
	Time  pingTime // ping, pong
	Timed uint8    // ping, pong: 1 sent by the clock, 0 because so much data was sent
	Size  uint16   // pmtud, reply: of the whole IP packet
}

// Error is why a packet was refused. It is a constant text, so refusing costs nothing.
type Error string

func (e Error) Error() string { return "knet: " + string(e) }

// Reasons to refuse a packet whatever the state.
const (
	ErrShort   Error = "packet is too short"
	ErrVersion Error = "packet version does not match"
	ErrType    Error = "unknown packet type"
)

// parse reads the header of an opened packet and returns what follows it.
func (h *Header) parse(b []byte) (payload []byte, err error) {
	if len(b) < headerSize+1 {
		return nil, ErrShort
	}
	if b[0] != version {
		return nil, ErrVersion
	}
	*h = Header{Type: PacketType(b[1]), Host: HostID(binary.BigEndian.Uint16(b[2:]))}
	switch h.Type {
	case TypeData:
		if len(b) <= dataSize {
			return nil, ErrShort
		}
		h.Seq = binary.BigEndian.Uint16(b[6:])
		h.Compress = b[8]
		h.Broadcast = b[10] != 0
		h.Fragments, h.Fragment = b[11], b[12]
		h.Channel = int8(b[13])
		return b[dataSize:], nil
	case TypePing, TypePong:
		if len(b) < pingSize {
			return nil, ErrShort
		}
		h.Link = b[6]
		h.Time = pingTime(b[7:])
		h.Seq = binary.BigEndian.Uint16(b[23:])
		h.Timed = b[25]
		return b[pingSize:], nil
	case TypePMTUD, TypePMTUDReply:
		if len(b) < pmtudSize {
			return nil, ErrShort
		}
		h.Link = b[6]
		h.Size = binary.LittleEndian.Uint16(b[7:])
		return b[pmtudSize:], nil
	}
	return nil, ErrType
}

// length is how many bytes append writes.
func (h *Header) length() int {
	switch h.Type {
	case TypeData:
		return dataSize
	case TypePing, TypePong:
		return pingSize
	}
	return pmtudSize
}

// append writes the header.
func (h *Header) append(b []byte) []byte {
	b = append(b, version, byte(h.Type), byte(h.Host>>8), byte(h.Host), 0, 0)
	switch h.Type {
	case TypeData:
		var broadcast byte
		if h.Broadcast {
			broadcast = 1
		}
		return append(b, byte(h.Seq>>8), byte(h.Seq), h.Compress, 0, broadcast, h.Fragments, h.Fragment, byte(h.Channel))
	case TypePing, TypePong:
		b = append(b, h.Link)
		b = append(b, h.Time[:]...)
		return append(b, byte(h.Seq>>8), byte(h.Seq), h.Timed)
	case TypePMTUD, TypePMTUDReply:
		return append(b, h.Link, byte(h.Size), byte(h.Size>>8))
	}
	panic("knet: packet of " + h.Type.String() + " cannot be sent")
}
