// Package tools compares our command-line tools with the originals: every
// option and many mistakes, in the same node, against the same daemon, byte by
// byte. It needs a lab (E2E=1, root) and Debian's corosync; TOOLS_DAEMON=ours
// runs the same table on our daemon.
package tools
