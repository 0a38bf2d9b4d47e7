package wire

import "fmt"

const holdCancelLen = 25

// HoldCancel makes the representative of an idle ring let the token go
// (totemsrp.c: struct token_hold_cancel). Upstream takes the ring id of a
// sender with the other byte order unconverted and so ignores it; here it works.
//
//	ring_id@13
type HoldCancel struct {
	Header
	Ring RingID
}

func (m *HoldCancel) parse(h Header, c *cursor) error {
	if len(c.b) < holdCancelLen {
		return ErrShort
	}
	m.Header = h
	m.Ring = c.ring()
	return nil
}

// Append writes the message.
func (m *HoldCancel) Append(b []byte) []byte {
	m.Type = TypeHoldCancel
	b = m.append(b)
	return appendRing(b, m.Ring)
}

func (m *HoldCancel) String() string {
	return fmt.Sprintf("HoldCancel from=%d ring=%s", m.Node, m.Ring)
}
