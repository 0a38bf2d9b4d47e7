package notifyd

import (
	"encoding/binary"
	"math/bits"
)

// The object identifiers of COROSYNC-MIB, below enterprise 35488.
const (
	trapNode   = 1
	trapQuorum = 2
	trapLink   = 4 // 3, for programs, is in the MIB alone

	objectNodeName   = 1
	objectNodeID     = 2
	objectNodeStatus = 3
	objectNodeAddr   = 4
	objectLocalID    = 5
	objectQuorum     = 21
	objectLinkNumber = 60
	objectLinkStatus = 61
)

// Types of BER and SNMP (RFC 3416, section 3; RFC 2578, section 2).
const (
	berInteger   = 0x02
	berString    = 0x04
	berOID       = 0x06
	berSequence  = 0x30
	berUnsigned  = 0x42
	berTimeTicks = 0x43
	pduTrapV2    = 0xa7
)

// versionV2c is the version's number in a message of SNMP v2c (RFC 1901).
const versionV2c = 1

// trap is a notification of SNMP v2c (RFC 3416, section 4.2.6).
type trap struct {
	community string
	request   uint32 // request-id
	uptime    uint32 // sysUpTime; the original puts the seconds of the epoch there
	kind      uint32 // trapNode, …
	objects   []object
}

// object is a variable binding: a number of type tag, or with berString a text.
type object struct {
	id     uint32
	tag    byte
	number uint32
	text   string
}

// append encodes the message with the shortest lengths, as net-snmp does.
func (t *trap) append(b []byte) []byte {
	bindings := binding(nil, []uint32{1, 3, 6, 1, 2, 1, 1, 3, 0}, berNumber(nil, berTimeTicks, t.uptime))
	bindings = binding(bindings, []uint32{1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0}, berIdentifier(nil, corosyncOID(0, t.kind)))
	for _, o := range t.objects {
		value := berValue(nil, berString, o.text)
		if o.tag != berString {
			value = berNumber(nil, o.tag, o.number)
		}
		bindings = binding(bindings, corosyncOID(1, o.id), value)
	}
	pdu := berNumber(nil, berInteger, t.request)
	pdu = berNumber(pdu, berInteger, 0) // error-status
	pdu = berNumber(pdu, berInteger, 0) // error-index
	pdu = berValue(pdu, berSequence, bindings)
	msg := berNumber(nil, berInteger, versionV2c)
	msg = berValue(msg, berString, t.community)
	msg = berValue(msg, pduTrapV2, pdu)
	return berValue(b, berSequence, msg)
}

func corosyncOID(branch, leaf uint32) []uint32 {
	return []uint32{1, 3, 6, 1, 4, 1, 35488, branch, leaf}
}

func binding(b []byte, id []uint32, value []byte) []byte {
	return berValue(b, berSequence, append(berIdentifier(nil, id), value...))
}

// berValue appends a value: tag, length, content.
func berValue[T string | []byte](b []byte, tag byte, content T) []byte {
	b = append(b, tag)
	if n := len(content); n < 0x80 {
		b = append(b, byte(n))
	} else {
		size := (bits.Len(uint(n)) + 7) / 8
		var be [8]byte
		binary.BigEndian.PutUint64(be[:], uint64(n))
		b = append(append(b, 0x80|byte(size)), be[8-size:]...)
	}
	return append(b, content...)
}

// berNumber appends a number that is not negative: big-endian, as short as its
// sign bit allows.
func berNumber(b []byte, tag byte, n uint32) []byte {
	var be [8]byte
	binary.BigEndian.PutUint64(be[:], uint64(n))
	size := bits.Len32(n)/8 + 1
	return berValue(b, tag, be[8-size:])
}

// berIdentifier appends an object identifier: the first two numbers in one, each
// number in groups of seven bits.
func berIdentifier(b []byte, id []uint32) []byte {
	var content []byte
	for _, n := range append([]uint32{id[0]*40 + id[1]}, id[2:]...) {
		for shift := max(0, (bits.Len32(n)-1)/7*7); shift > 0; shift -= 7 {
			content = append(content, byte(n>>shift)|0x80)
		}
		content = append(content, byte(n&0x7f))
	}
	return berValue(b, berOID, content)
}
