package wire

import "fmt"

const mergeDetectLen = 29

// MergeDetect announces a ring to others that may be near (totemsrp.c: struct
// memb_merge_detect).
//
//	system_from u32@13  ring_id@17
type MergeDetect struct {
	Header
	From NodeID
	Ring RingID
}

func (m *MergeDetect) parse(h Header, c *cursor) error {
	if len(c.b) < mergeDetectLen {
		return ErrShort
	}
	m.Header = h
	m.From = c.node()
	m.Ring = c.ring()
	if m.From == 0 {
		return ErrNodeZero
	}
	return nil
}

// Append writes the message.
func (m *MergeDetect) Append(b []byte) []byte {
	m.Type = TypeMergeDetect
	b = m.append(b)
	b = appendU32(b, uint32(m.From))
	return appendRing(b, m.Ring)
}

func (m *MergeDetect) String() string {
	return fmt.Sprintf("MergeDetect from=%d ring=%s", m.From, m.Ring)
}
