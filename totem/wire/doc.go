// Package wire holds the Totem messages as Corosync 3.1 puts them on the
// network: one file per message, parsed and checked once at the edge.
//
// All fields are packed, in the sender's byte order; the header's magic tells
// which. A parsed value is in our order; Swapped says that it was not.
// Parsed messages that carry lists or payloads alias the datagram.
//
// Callers: totem/srp (everything), totem/pg (the packed payload), test tools.
// Upstream: exec/totemsrp.c (struct mcast, orf_token, memb_join, …),
// include/corosync/totem/totem.h (struct totem_message_header),
// exec/totempg.c (struct totempg_mcast).
package wire
