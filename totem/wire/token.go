package wire

import (
	"fmt"
	"strings"
)

// MaxRtr is the longest retransmit list (totemsrp.c: RETRANSMIT_ENTRIES_MAX).
const MaxRtr = 30

const (
	tokenLen   = 57
	rtrItemLen = 16
	// maxToken is the largest token taken; upstream's buffer has this size
	// (totemsrp.c: message_handler_orf_token, CVE-2025-30472).
	maxToken = 1500
)

// Reasons to refuse a token.
const (
	ErrTokenLong Error = "token is larger than 1500 bytes"
	ErrTokenRtr  Error = "token has more than 30 retransmit entries"
)

// RtrItem asks for one message of one ring (totemsrp.c: struct rtr_item).
type RtrItem struct {
	Ring RingID
	Seq  Seq
}

// Token orders the messages of a ring, carries the requests for lost ones and
// limits the flow (totemsrp.c: struct orf_token).
//
//	seq u32@13  token_seq u32@17  aru u32@21  aru_addr u32@25  ring_id@29
//	backlog u32@41  fcc u32@45  retrans_flg i32@49  rtr_list_entries i32@53
//	rtr[]@57: ring_id, seq u32
type Token struct {
	Header
	Seq         Seq    // of the last message sent on the ring
	TokenSeq    Seq    // of this visit; older ones are repetitions
	Aru         Seq    // all received up to here
	AruAddr     NodeID // who lowered Aru; 0: nobody
	Ring        RingID
	Backlog     uint32 // messages waiting, all nodes
	Fcc         uint32 // messages sent in the last rotation, all nodes
	RetransFlag uint32 // recovery: somebody still has old messages to send
	NRtr        int
	Rtr         [MaxRtr]RtrItem
}

// parse reads what follows the header and checks it.
func (t *Token) parse(h Header, c *cursor) error {
	if len(c.b) > maxToken {
		return ErrTokenLong
	}
	if len(c.b) < tokenLen {
		return ErrShort
	}
	t.Header = h
	t.Seq = c.seq()
	t.TokenSeq = c.seq()
	t.Aru = c.seq()
	t.AruAddr = c.node()
	t.Ring = c.ring()
	t.Backlog = c.u32()
	t.Fcc = c.u32()
	t.RetransFlag = c.u32()
	n := c.u32()
	switch {
	case n > MaxRtr:
		return ErrTokenRtr
	case c.rest() < int(n)*rtrItemLen:
		return ErrShort
	case h.Node == 0:
		return ErrNodeZero
	}
	t.NRtr = int(n)
	for i := range t.NRtr {
		t.Rtr[i].Ring = c.ring()
		t.Rtr[i].Seq = c.seq()
	}
	return nil
}

// Append writes the token.
func (t *Token) Append(b []byte) []byte {
	t.Type = TypeToken
	b = t.append(b)
	b = appendU32(b, uint32(t.Seq))
	b = appendU32(b, uint32(t.TokenSeq))
	b = appendU32(b, uint32(t.Aru))
	b = appendU32(b, uint32(t.AruAddr))
	b = appendRing(b, t.Ring)
	b = appendU32(b, t.Backlog)
	b = appendU32(b, t.Fcc)
	b = appendU32(b, t.RetransFlag)
	b = appendU32(b, uint32(t.NRtr))
	for _, r := range t.Rtr[:t.NRtr] {
		b = appendRing(b, r.Ring)
		b = appendU32(b, uint32(r.Seq))
	}
	return b
}

// HasRtr reports whether the list asks for seq.
func (t *Token) HasRtr(seq Seq) bool {
	for i := range t.NRtr {
		if t.Rtr[i].Seq == seq {
			return true
		}
	}
	return false
}

// RemoveRtr takes entry i off the list; the order of the others stays.
func (t *Token) RemoveRtr(i int) {
	copy(t.Rtr[i:t.NRtr], t.Rtr[i+1:t.NRtr])
	t.NRtr--
}

// AddRtr puts a request on the list, which must not be full.
func (t *Token) AddRtr(ring RingID, seq Seq) {
	t.Rtr[t.NRtr] = RtrItem{ring, seq}
	t.NRtr++
}

func (t *Token) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Token ring=%s tseq=%x seq=%x aru=%x", t.Ring, uint32(t.TokenSeq), uint32(t.Seq), uint32(t.Aru))
	if t.AruAddr != 0 {
		fmt.Fprintf(&b, " aru_addr=%d", t.AruAddr)
	}
	if t.Backlog != 0 || t.Fcc != 0 {
		fmt.Fprintf(&b, " backlog=%d fcc=%d", t.Backlog, t.Fcc)
	}
	if t.RetransFlag != 0 {
		b.WriteString(" retrans")
	}
	if t.NRtr > 0 {
		b.WriteString(" rtr=(")
		for i, r := range t.Rtr[:t.NRtr] {
			if i > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprintf(&b, "%x", uint32(r.Seq))
		}
		b.WriteByte(')')
	}
	return b.String()
}
