// Package lab makes hosts out of namespaces: a cluster on one machine whose
// nodes can be cut, paused and switched off.
//
// A node is a network, mount, PID, UTS and IPC namespace with its own
// /etc/corosync, /etc/pacemaker, /var/lib/{corosync,pacemaker}, /var/log, /run
// and /dev/shm; everything else it shares with the machine. Its PID 1 holds the
// namespaces: killing it ends every process of the node, which is what the
// power switch does. The nodes hang on bridges in one more network namespace,
// the switch; cuts and loss are nftables rules there, so that a node notices
// nothing but missing packets. Delay, reordering and duplication are a Relay
// between a node's cable and its bridge. All addresses exist inside only.
//
// Each half of the stack (corosync, pacemaker) and the tools can be the
// installed originals or ours, per node. Ours cover the originals' paths in the
// node's view (a read-only overlay), so the original cannot run there and
// /proc/PID/exe and the process name are the installed ones.
//
//	/run/pacesync-lab/NAME/lab.json     the lab: nodes, networks, cuts
//	                      /switch.pid   holder of the switch's namespace
//	                      /shared/      seen by every node as /run/lab
//	                      /ours/        links to our binary under all its names
//	                      /nodes/n1/    pid, disk/ (etc, var), layer/ (added files), *.out
//
// The end-to-end tests, `pacesync lab` and `pacesync demo` are built on it. All
// state is in these files and in /proc, so several processes can work on one
// lab, and Down clears what a crashed one left. Needs root, ip, nft, nsenter.
package lab
