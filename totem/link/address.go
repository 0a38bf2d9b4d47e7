package link

import (
	"fmt"
	"net"
	"net/netip"
)

// AddressUp says whether addr belongs to an interface that is up. It reads the
// kernel's tables and allocates: call it away from the loop. The error is the
// kernel's refusal to tell.
func AddressUp(addr netip.Addr) (bool, error) {
	ifaces, err := net.Interfaces()
	if err != nil {
		return false, fmt.Errorf("totem: list interfaces: %w", err)
	}
	for _, iface := range ifaces {
		if iface.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := iface.Addrs()
		if err != nil {
			continue // the interface vanished meanwhile
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Unmap() == addr.Unmap() {
				return true, nil
			}
		}
	}
	return false, nil
}
