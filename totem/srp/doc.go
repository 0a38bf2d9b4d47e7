// Package srp is the Totem single-ring protocol as a pure core: token, total
// order, retransmission, membership (operational, gather, commit, recovery).
//
// Caller: totem/pg, whose Engine owns the one Ring of a node. The ring does no
// I/O, starts no goroutine and never reads a clock.
//
// Upstream: exec/totemsrp.c.
package srp
