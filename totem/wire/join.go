package wire

import (
	"fmt"
	"slices"
)

const joinLen = 33

// ErrJoinNodes refuses a join message with longer lists than a ring can have.
const ErrJoinNodes Error = "join message lists more than 384 nodes"

// Join tells what its sender believes: who is there (Proc) and who of them is
// not to be counted (Failed). With Header.Node 0 it is a leave: the sender is
// the last of Failed and not in Proc (totemsrp.c: struct memb_join).
//
//	system_from u32@13  proc_entries u32@17  failed_entries u32@21
//	ring_seq u64@25  proc u32[]@33  failed u32[]
type Join struct {
	Header
	From    NodeID
	RingSeq uint64 // of the sender's last ring
	Proc    []NodeID
	Failed  []NodeID
}

func (j *Join) parse(h Header, c *cursor) error {
	if len(c.b) < joinLen {
		return ErrShort
	}
	j.Header = h
	j.From = c.node()
	np, nf := c.u32(), c.u32()
	j.RingSeq = c.u64()
	if np > MaxNodes || nf > MaxNodes {
		return ErrJoinNodes
	}
	if c.rest() < int(np+nf)*4 {
		return ErrShort
	}
	j.Proc = c.nodes(j.Proc, int(np))
	j.Failed = c.nodes(j.Failed, int(nf))
	if j.From == 0 || slices.Contains(j.Proc, 0) || slices.Contains(j.Failed, 0) {
		return ErrNodeZero
	}
	return nil
}

// IsLeave reports whether the sender says goodbye.
func (j *Join) IsLeave() bool { return j.Node == 0 }

// Append writes the message.
func (j *Join) Append(b []byte) []byte {
	j.Type = TypeJoin
	b = j.append(b)
	b = appendU32(b, uint32(j.From))
	b = appendU32(b, uint32(len(j.Proc)))
	b = appendU32(b, uint32(len(j.Failed)))
	b = appendU64(b, j.RingSeq)
	b = appendNodes(b, j.Proc)
	return appendNodes(b, j.Failed)
}

func (j *Join) String() string {
	name := "Join"
	if j.IsLeave() {
		name = "Leave"
	}
	return fmt.Sprintf("%s from=%d ringseq=%x proc=%s failed=%s", name, j.From, j.RingSeq, List(j.Proc), List(j.Failed))
}

// List prints node ids as stories and logs do: (1 2 3).
func List(ids []NodeID) string {
	b := []byte{'('}
	for i, id := range ids {
		if i > 0 {
			b = append(b, ' ')
		}
		b = fmt.Appendf(b, "%d", uint32(id))
	}
	return string(append(b, ')'))
}
