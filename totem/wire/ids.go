package wire

import (
	"cmp"
	"fmt"
)

// NodeID is a node's number; 0 is no node.
type NodeID uint32

// MaxNodes is the most nodes a ring can have (totem.h: PROCESSOR_COUNT_MAX);
// every list of nodes on the wire is held to it.
const MaxNodes = 384

// Seq numbers the messages of one ring, and the tokens; it wraps.
type Seq uint32

// Before reports whether s is older than t, by serial number arithmetic (RFC
// 1982). Upstream shifts both down by 0x10000 when either is in the upper half
// and compares plainly (include/corosync/sq.h: sq_lt_compare); for numbers less
// than 0x10000 apart, which is four times the sort queue, the answers are equal.
func (s Seq) Before(t Seq) bool { return int32(s-t) < 0 }

// BeforeEq reports whether s is older than t or equal to it.
func (s Seq) BeforeEq(t Seq) bool { return int32(s-t) <= 0 }

// RingID names one ring: the node that formed it and a number that only grows.
type RingID struct {
	Rep NodeID
	Seq uint64
}

// String gives the form that logs use: rep.seq, both in hex.
func (r RingID) String() string { return fmt.Sprintf("%x.%x", uint32(r.Rep), r.Seq) }

// Compare orders ring ids by number, then representative.
func (r RingID) Compare(o RingID) int {
	if c := cmp.Compare(r.Seq, o.Seq); c != 0 {
		return c
	}
	return cmp.Compare(r.Rep, o.Rep)
}
