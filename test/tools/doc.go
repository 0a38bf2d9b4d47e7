// Package tools compares our command-line tools with the originals: every
// option and many mistakes, in the same node, against the same daemon, byte by
// byte; and, through the tools, our daemon with the original. It needs a lab
// (E2E=1, root) and Debian's corosync.
package tools
