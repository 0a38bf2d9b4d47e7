// Package unchanged runs programs made for Debian's corosync, unchanged, beside
// it and beside ours: C programs with its libraries (folder c), its quorum
// device, dlm_controld, pcs and crm. What they say must be the same on both.
// It needs labs (E2E=1, root) and Debian's packages.
package unchanged
