package wire

import "fmt"

// McastLen is the length of an mcast before its payload.
const McastLen = 45

// Values of Header.Encapsulated in an mcast (totemsrp.c: enum
// encapsulation_type).
const (
	Encapsulated = 1 // the payload is a whole mcast of the old ring
	Plain        = 2
)

const (
	offMcastSeq     = 17
	offMcastThisSeq = 21
	offMcastRing    = 25
)

// Mcast is one message of a ring (totemsrp.c: struct mcast).
//
//	system_from u32@13  seq u32@17  this_seqno i32@21  ring_id@25
//	node_id u32@37 (0)  guarantee i32@41 (0)  payload@45
type Mcast struct {
	Header
	From      NodeID // who sent it first; a retransmission keeps it
	Seq       Seq
	ThisSeq   uint32 // counts all messages of the sending process
	Ring      RingID
	NodeID    uint32 // unused
	Guarantee uint32 // agreed and safe are not told apart
	Payload   []byte // aliases the datagram
}

// ErrEncapsulation refuses an mcast that is neither plain nor encapsulated.
const ErrEncapsulation Error = "mcast is neither plain nor encapsulated"

func (m *Mcast) parse(h Header, c *cursor) error {
	if len(c.b) < McastLen {
		return ErrShort
	}
	m.Header = h
	m.From = c.node()
	m.Seq = c.seq()
	m.ThisSeq = c.u32()
	m.Ring = c.ring()
	m.NodeID = c.u32()
	m.Guarantee = c.u32()
	m.Payload = c.b[c.off:]
	if h.Node == 0 || m.From == 0 {
		return ErrNodeZero
	}
	if h.Encapsulated != Plain && h.Encapsulated != Encapsulated {
		return ErrEncapsulation
	}
	return nil
}

// Append writes the message, header and payload.
func (m *Mcast) Append(b []byte) []byte {
	m.Type = TypeMcast
	b = m.append(b)
	b = appendU32(b, uint32(m.From))
	b = appendU32(b, uint32(m.Seq))
	b = appendU32(b, m.ThisSeq)
	b = appendRing(b, m.Ring)
	b = appendU32(b, m.NodeID)
	b = appendU32(b, m.Guarantee)
	return append(b, m.Payload...)
}

// StampMcast gives a finished mcast of ours its place: ring, number and the
// process's own count. That is known only when the token is there.
func StampMcast(b []byte, ring RingID, seq Seq, thisSeq uint32) {
	putU32(b[offMcastSeq:], uint32(seq))
	putU32(b[offMcastThisSeq:], thisSeq)
	appendRing(b[:offMcastRing], ring)
}

func (m *Mcast) String() string {
	enc := ""
	if m.Header.Encapsulated == Encapsulated {
		enc = " encapsulated"
	}
	return fmt.Sprintf("Mcast ring=%s seq=%x from=%d len=%d%s", m.Ring, uint32(m.Seq), m.From, len(m.Payload), enc)
}

// ParseMcast parses one mcast that is known to be one, as the payload of an
// encapsulated one must be.
func ParseMcast(b []byte, m *Mcast) error {
	c := cursor{b: b}
	var h Header
	if err := h.parse(&c); err != nil {
		return err
	}
	if h.Type != TypeMcast {
		return ErrType
	}
	return m.parse(h, &c)
}
