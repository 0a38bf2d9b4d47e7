package wire

import "strconv"

// Type tells the six messages apart (totemsrp.c: enum message_type).
type Type uint8

// The messages of the ring.
const (
	TypeToken       Type = 0 // the ordering token
	TypeMcast       Type = 1 // an ordered message
	TypeMergeDetect Type = 2 // "is there another ring?"
	TypeJoin        Type = 3 // membership: who is there, who failed; also the leave
	TypeCommitToken Type = 4 // membership: the new ring, collected and confirmed
	TypeHoldCancel  Type = 5 // "I have something to send: let the token go"
)

func (t Type) String() string {
	switch t {
	case TypeToken:
		return "Token"
	case TypeMcast:
		return "Mcast"
	case TypeMergeDetect:
		return "MergeDetect"
	case TypeJoin:
		return "Join"
	case TypeCommitToken:
		return "CommitToken"
	case TypeHoldCancel:
		return "HoldCancel"
	}
	return "Type" + strconv.Itoa(int(t))
}

const (
	magic        = 0xC070 // in the sender's order
	magicSwapped = 0x70C0
	version      = 3

	// HeaderLen is the length of what every message starts with.
	HeaderLen = 13

	offTarget = 9
)

// MaxDatagram is the largest datagram taken (totemsrp.c: FRAME_SIZE_MAX).
const MaxDatagram = 65536

// Header is what every message starts with (totem.h: struct
// totem_message_header, packed).
//
//	magic u16@0  version u8@2  type u8@3  encapsulated u8@4
//	nodeid u32@5  target_nodeid u32@9
type Header struct {
	Type         Type
	Encapsulated uint8  // mcast: Encapsulated or Plain; others 0
	Node         NodeID // the sender; 0 in a leave
	Target       NodeID // knet: receiver of a unicast; udp, udpu: meaningless
	Swapped      bool   // the sender's byte order was not ours
}

// Error is why a datagram was refused. It is a constant text, so refusing
// costs nothing.
type Error string

func (e Error) Error() string { return "totem: " + string(e) }

// Reasons of refusal that belong to no single message.
const (
	ErrShort      Error = "message is too short"
	ErrLong       Error = "message is longer than any can be"
	ErrType       Error = "unknown message type"
	ErrNodeZero   Error = "node id 0"
	ErrVersion    Error = "unsupported version"
	ErrCorosync22 Error = "bad magic number (probably sent by Corosync 2.2)"
	ErrCorosync23 Error = "bad magic number (probably sent by Corosync 2.3+)"
	ErrKnet       Error = "bad magic number (probably sent by unencrypted Kronosnet)"
	ErrOld        Error = "bad magic number (probably sent by unencrypted Corosync 2.0/2.1/1.x/OpenAIS)"
	ErrMagic      Error = "bad magic number (probably sent by encrypted Kronosnet/Corosync 2.0/2.1/1.x/OpenAIS or unknown)"
)

// parse reads and checks the header; c is left behind it, in the sender's order.
func (h *Header) parse(c *cursor) error {
	if len(c.b) < HeaderLen {
		return ErrShort
	}
	if len(c.b) > MaxDatagram {
		return ErrLong
	}
	switch m := c.u16(); m {
	case magic:
	case magicSwapped:
		c.big = true
	default:
		return guessMagic(c.b)
	}
	if c.u8() != version {
		return ErrVersion
	}
	h.Type = Type(c.u8())
	if h.Type > TypeHoldCancel {
		return ErrType
	}
	h.Encapsulated = c.u8()
	h.Node = NodeID(c.u32())
	h.Target = NodeID(c.u32())
	h.Swapped = c.big
	return nil
}

// guessMagic tells who may have sent it (totemsrp.c:
// check_message_header_validity).
func guessMagic(b []byte) error {
	switch {
	case b[0] == 0xFF && b[1] == 0xFF:
		return ErrCorosync22
	case b[0] == 0xFE && b[1] == 0xFE:
		return ErrCorosync23
	case b[0] == 1:
		return ErrKnet
	case b[0] <= 5:
		return ErrOld
	}
	return ErrMagic
}

// append writes the header in our order.
func (h *Header) append(b []byte) []byte {
	b = append(b, magic&0xff, magic>>8, version, byte(h.Type), h.Encapsulated)
	b = appendU32(b, uint32(h.Node))
	return appendU32(b, uint32(h.Target))
}

// SetTarget writes the receiver into a finished unicast datagram, as the knet
// transport does (totemknet.c: totemknet_token_target_set).
func SetTarget(b []byte, to NodeID) { putU32(b[offTarget:], uint32(to)) }

// PeekType tells the type of a datagram before it is parsed; false if its
// header is not ours.
func PeekType(b []byte) (Type, bool) {
	if len(b) < HeaderLen || b[2] != version {
		return 0, false
	}
	if m := uint16(b[0]) | uint16(b[1])<<8; m != magic && m != magicSwapped {
		return 0, false
	}
	t := Type(b[3])
	return t, t <= TypeHoldCancel
}
