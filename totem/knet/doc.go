// Package knet is kronosnet's on-wire protocol, version 1, as libknet 1.25 speaks
// it: up to eight links between this node and each other one, watched by pings,
// with path MTU discovery, fragments, deduplication, encryption and compression.
//
// Its caller is totem/link, which owns the sockets and gives the engine time and
// datagrams. The engine does no I/O, starts no goroutine and never reads a clock.
// Ciphers and compression come in as interfaces; totem/knet/crypt and
// totem/knet/compress have them. Upstream: kronosnet's libknet, files threads_rx.c,
// threads_tx.c, threads_heartbeat.c, threads_pmtud.c, host.c, links.c, onwire.c.
// Read in this order: onwire.go, config.go, engine.go; DESIGN.md says why.
//
// # Packets
//
// All numbers are big-endian but the size in PMTUD, which is the sender's own order
// (little-endian on all that runs knet), and the time in a ping, which nobody but
// its sender reads.
//
//	all     version u8@0 = 1   type u8@1   sender u16@2   0 u16@4
//	DATA    seq u16@6   compress u8@8   0 u8@9   broadcast u8@10   fragments u8@11
//	        fragment u8@12   channel i8@13   payload@14
//	PING    link u8@6   time [16]@7   seq u16@23   timed u8@25
//	PONG    the ping's bytes, from its receiver
//	PMTUD   link u8@6   size u16@7   zeros, so that the IP packet has that size
//	REPLY   the first nine bytes of the PMTUD packet, from its receiver
package knet
