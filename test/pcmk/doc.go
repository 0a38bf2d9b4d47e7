// Package pcmk holds the end-to-end tests of single daemons of the Pacemaker
// half: ours among Debian's, on one, some or all nodes of a lab, with Debian's
// tools as clients. They need root and the packages of `make deps`.
package pcmk
