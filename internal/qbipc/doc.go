// Package qbipc is libqb's client/server IPC: the stream-socket handshake, the
// shared-memory rings with their semaphores, and the datagram-socket variant.
//
// It owns the byte layout of both, a Client (library side) and a Server (daemon
// side). Unchanged C clients talk to Server, Client talks to unchanged C
// daemons. The package knows nothing of what the messages mean: corosync's
// services, Pacemaker's daemons and the command-line tools are its callers.
//
// The shared files are hostile ground for a server. The client maps the same
// pages: it may rewrite, truncate or unlink them at any instant. So a server
// keeps its own pointers and sizes and only publishes them, reads each shared
// word once, checks it, copies a message out before anything parses it, never
// waits for a client, and turns a memory fault in a mapping into the loss of
// that one client (see fault.go).
//
// Layout of a ring's header file (libqb lib/ringbuffer_int.h: struct
// qb_ringbuffer_shared_s), little endian on all machines we run on:
//
//	write_pt   u32 @0      next word to write
//	read_pt    u32 @4      next word to read
//	word_size  u32 @8      length of the data file in 4-byte words
//	hdr_path   [4096] @12  path of this file
//	data_path  [4096] @4108 path of the data file
//	ref_count  i32 @8204   1 created, 2 client attached, 0 closed
//	posix_sem  @8208       glibc sem_t: u64 {value, waiters}, u32 private flag
//	user_data  i32 @8240   flow control, in the request ring alone
//
// A chunk in the data file is {u32 size, u32 magic, bytes}, rounded up to whole
// words. The data file is mapped twice back to back, so no chunk is split.
//
// Upstream: libqb 2.0.6 lib/ringbuffer.c, ringbuffer_helper.c, ipc_setup.c,
// ipc_shm.c, ipc_socket.c, ipcs.c, ipcc.c, unix.c.
package qbipc
