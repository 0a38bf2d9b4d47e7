// Package clients runs our client libraries (cpg, quorum, votequorum, cmap,
// cfg) inside nodes against the original daemon, and against ours. It needs a
// lab (E2E=1, root) and Debian's corosync.
package clients
