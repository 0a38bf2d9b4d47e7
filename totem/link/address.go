package link

import (
	"fmt"
	"net"
	"net/netip"
)

// Interface is where this node is on a network. The zero value is nowhere.
type Interface struct {
	Index int
	Addr  netip.Addr // of this node
	Up    bool
}

// FindInterface looks for the interface of a node (totemip.c:
// totemip_iface_check): the one that has the address want, else the first in whose
// network want is; the node's address is the interface's then. ErrNoInterface: there
// is none. It reads the kernel's tables and allocates: call it away from the
// loop.
func FindInterface(want netip.Addr) (Interface, error) {
	ifaces, err := net.Interfaces()
	if err != nil {
		return Interface{}, fmt.Errorf("totem: list interfaces: %w", err)
	}
	want = want.WithZone("").Unmap()
	var found Interface
	for _, iface := range ifaces {
		addrs, err := iface.Addrs()
		if err != nil {
			continue // the interface vanished meanwhile
		}
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err != nil {
				continue
			}
			here := Interface{Index: iface.Index, Addr: p.Addr().Unmap(), Up: iface.Flags&net.FlagUp != 0}
			if here.Addr == want {
				return here, nil
			}
			if !found.Addr.IsValid() && p.Contains(want) {
				found = here
			}
		}
	}
	if !found.Addr.IsValid() {
		return Interface{}, ErrNoInterface
	}
	return found, nil
}

// ErrNoInterface says that no interface has the address wanted, nor one of its
// network.
const ErrNoInterface = linkError("no network interface has this address or one of its network")

type linkError string

func (e linkError) Error() string { return string(e) }
