// Package wire holds the messages of the closed process group service (service
// 2): those between nodes (exec) and those between library clients and the
// daemon. The daemon's engine (package cpg) reads requests and exec messages
// and writes replies and events; the client library reads replies and events
// and writes requests. Each type says which side appends and which parses it.
// Messages between nodes may come in the other byte order; library messages
// never leave the machine.
//
// Slices in parsed values point into the message and live as long as it.
//
// Name: length u32 @0, value [128] @8, 136 bytes. Address: nodeid u32 @0, pid
// u32 @8, reason u32 @16, 24 bytes.
//
// Between nodes (header 16 bytes, JOINLIST 24):
//
//	0 PROCJOIN, 1 PROCLEAVE   168: name @16, pid @152, reason @160
//	2 JOINLIST             24+144n: {pid @0, name @8} each
//	3 MCAST                  184+n: name @16, msglen @152, pid @160, source {nodeid @168, conn u64 @176}, data @184
//	4 DOWNLIST_OLD                : ignored
//	5 DOWNLIST               1568: old_members @16, left_nodes @24, nodeids[384] @32
//	6 PARTIAL_MCAST          200+n: name @16, msglen @152, fraglen @160, pid @168, type @176, source @184, data @200
//
// Upstream: include/corosync/ipc_cpg.h, structures of exec/cpg.c.
package wire
