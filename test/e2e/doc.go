// Package e2e holds the end-to-end tests: whole daemons on the nodes of a lab,
// ours and Debian's mixed, driven by Debian's unchanged tools and by C clients
// linked with its libraries. They need root and the packages of `make deps`.
package e2e
