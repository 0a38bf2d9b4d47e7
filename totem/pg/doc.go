// Package pg packs messages into ring packets and takes them apart: several
// small messages share a packet, a large one spans many. Its Engine is the
// whole pure protocol of a node: it owns the srp.Ring.
//
// Callers: the shell in totem, the simulator in totem/totemtest.
// Upstream: exec/totempg.c.
package pg
