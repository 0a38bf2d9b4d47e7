// Package compress packs and unpacks what knet sends, with the seven models of
// libknet and their numbers on the wire. A message is compressed whole, before it
// is cut into fragments and sealed. A node unpacks whatever model comes, so nodes
// may differ in what they send.
//
// A peer may be hostile: what comes is unpacked up to a limit that the caller gives,
// and memory is taken for that limit, never for what a header claims (the original
// had no limit until 1.32).
//
// totem/knet calls it through an interface of its own and decides what is worth
// packing (threshold, smaller result); the daemon sets it up from the
// configuration. It replaces libknet/compress.c and compress_*.c.
package compress
