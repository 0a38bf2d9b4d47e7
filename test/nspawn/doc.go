// Package nspawn holds the end-to-end tests that need systemd: a Debian 12 tree
// is booted by systemd-nspawn, our package is installed in it with apt, and the
// cluster runs under systemctl, or on two such machines by pcs and its daemon.
// They need root and the packages of `make deps`; the tree is made once, in
// $NSPAWN_BASE (/var/tmp/pacesync-nspawn).
package nspawn
