package wire

import (
	"cmp"
	"fmt"
)

// NodeID is a node's number; 0 is no node.
type NodeID uint32

// Seq numbers the messages of one ring; it wraps.
type Seq uint32

// Before reports whether s is older than t, allowing for the wrap
// (include/corosync/sq.h: sq_lt_compare): once either is in the upper half
// both are shifted down by AdjustRollover, then compared plainly.
func (s Seq) Before(t Seq) bool {
	s, t = rollover(s, t)
	return s < t
}

// BeforeEq reports whether s is older than t or equal to it.
func (s Seq) BeforeEq(t Seq) bool {
	s, t = rollover(s, t)
	return s <= t
}

// rolloverShift is how far numbers move back for a comparison near the wrap
// (sq.h: ADJUST_ROLLOVER_VALUE).
const rolloverShift = 0x10000

// rollover returns both numbers as they are compared (sq.h:
// ADJUST_ROLLOVER_POINT).
func rollover(s, t Seq) (Seq, Seq) {
	if s > 0x80000000 || t > 0x80000000 {
		return s - rolloverShift, t - rolloverShift
	}
	return s, t
}

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
