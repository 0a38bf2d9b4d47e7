// Package wire holds the messages of the quorum service (3, library only) and
// of the votequorum service (5): those between nodes (exec) and those between
// library clients and the daemon. The daemon's engines (package quorum) parse
// requests and exec messages and append replies and events; the client library
// does the opposite. Messages between nodes may come in the other byte order;
// library messages never leave the machine.
//
// Votequorum types and constants start with Vote, those of qdevice clients
// with Qdevice.
//
// Between nodes (header 16 bytes):
//
//	0 NODEINFO               32: nodeid @16, votes @20, expected @24, flags @28
//	1 RECONFIGURE            32: nodeid @16, value @20, param u8 @24
//	2 QDEVICE_REG           280: operation @16, name [255] @20
//	3 QDEVICE_RECONFIGURE   528: old [255] @16, new [255] @271
//
// Upstream: include/corosync/ipc_quorum.h, ipc_votequorum.h, structures of
// exec/votequorum.c.
package wire
