package wire

import (
	"fmt"
	"strings"
)

const (
	commitLen      = 41
	commitEntryLen = 24
)

// Reasons to refuse a commit token.
const (
	ErrCommitNodes Error = "commit token lists no node or more than 384"
	ErrCommitIndex Error = "commit token has its index outside the list"
	ErrCommitOrder Error = "commit token lists nodes out of order"
)

// CommitEntry is what one member tells about the ring it comes from
// (totemsrp.c: struct memb_commit_token_memb_entry).
type CommitEntry struct {
	Ring          RingID // the old ring
	Aru           Seq    // received there without a gap
	HighDelivered Seq
	Received      bool // nothing is missing that any earlier member has
}

// CommitToken forms a ring: on its first way round every member fills in its
// entry, on the second all learn all entries (totemsrp.c: struct
// memb_commit_token).
//
//	token_seq u32@13  ring_id@17  retrans_flg u32@29  memb_index i32@33
//	addr_entries i32@37  addr u32[n]@41
//	then n entries: ring_id, aru u32, high_delivered u32, received_flg u32
type CommitToken struct {
	Header
	TokenSeq    Seq // counts sendings
	Ring        RingID
	RetransFlag uint32
	Index       int // the member to fill in its entry next; all done: the number of members
	Addr        []NodeID
	Entry       []CommitEntry
}

func (t *CommitToken) parse(h Header, c *cursor) error {
	if len(c.b) < commitLen {
		return ErrShort
	}
	t.Header = h
	t.TokenSeq = c.seq()
	t.Ring = c.ring()
	t.RetransFlag = c.u32()
	idx, n := c.u32(), c.u32()
	switch {
	case n == 0 || n > MaxNodes:
		return ErrCommitNodes
	case idx > n:
		return ErrCommitIndex
	case c.rest() < int(n)*(4+commitEntryLen):
		return ErrShort
	case h.Node == 0:
		return ErrNodeZero
	}
	t.Index = int(idx)
	t.Addr = c.nodes(t.Addr, int(n))
	for i, id := range t.Addr {
		if id == 0 {
			return ErrNodeZero
		}
		if i > 0 && t.Addr[i-1] >= id {
			return ErrCommitOrder
		}
	}
	t.Entry = t.Entry[:0]
	for range n {
		ring := c.ring()
		aru, high := c.seq(), c.seq()
		t.Entry = append(t.Entry, CommitEntry{ring, aru, high, c.u32() != 0})
	}
	return nil
}

// Append writes the commit token.
func (t *CommitToken) Append(b []byte) []byte {
	t.Type = TypeCommitToken
	b = t.append(b)
	b = appendU32(b, uint32(t.TokenSeq))
	b = appendRing(b, t.Ring)
	b = appendU32(b, t.RetransFlag)
	b = appendU32(b, uint32(t.Index))
	b = appendU32(b, uint32(len(t.Addr)))
	b = appendNodes(b, t.Addr)
	for _, e := range t.Entry {
		b = appendRing(b, e.Ring)
		b = appendU32(b, uint32(e.Aru))
		b = appendU32(b, uint32(e.HighDelivered))
		received := uint32(0)
		if e.Received {
			received = 1
		}
		b = appendU32(b, received)
	}
	return b
}

// CopyFrom makes t an independent copy of o, using its own memory again.
func (t *CommitToken) CopyFrom(o *CommitToken) {
	addr, entry := append(t.Addr[:0], o.Addr...), append(t.Entry[:0], o.Entry...)
	*t = *o
	t.Addr, t.Entry = addr, entry
}

func (t *CommitToken) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "CommitToken ring=%s tseq=%d index=%d", t.Ring, uint32(t.TokenSeq), t.Index)
	for i, id := range t.Addr {
		fmt.Fprintf(&b, " %d", uint32(id))
		if e := t.Entry[i]; e.Ring != (RingID{}) {
			fmt.Fprintf(&b, "{%s aru=%x high=%x received=%v}", e.Ring, uint32(e.Aru), uint32(e.HighDelivered), e.Received)
		}
	}
	return b.String()
}
