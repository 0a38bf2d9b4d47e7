package lab

import (
	"fmt"
	"strconv"
	"strings"
)

// MTUs that a cable can have: the kernel's limits for veth and IPv4.
const (
	MinMTU = 68
	MaxMTU = 65535
)

// SetMTU changes the MTU of a node's cable on one network, at both ends, until the
// node is switched off. The switch drops what is too large for the receiver's
// cable and tells nobody, as switches do.
func (n *Node) SetMTU(network, mtu int) error {
	if mtu < MinMTU || mtu > MaxMTU {
		return fmt.Errorf("lab: MTU %d: %d to %d are possible", mtu, MinMTU, MaxMTU)
	}
	size := strconv.Itoa(mtu)
	if _, err := n.lab.onSwitch("", "ip", "link", "set", n.port(network), "mtu", size); err != nil {
		return err
	}
	return n.ip(fmt.Sprintf("link set eth%d mtu %s\n", network, size))
}

// SetMTU changes the MTU of a whole network; AllNetworks stands for all.
func (l *Lab) SetMTU(network, mtu int) error {
	for _, n := range l.Nodes() {
		for k := range l.Networks() {
			if n.On() && (network == k || network == AllNetworks) {
				if err := n.SetMTU(k, mtu); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// SetInterface takes the node's interface down or up, as `ip link set` does there:
// its routes and its IPv6 address go, its IPv4 address stays (see SetAddr for what
// ifdown does beyond that).
func (n *Node) SetInterface(network int, up bool) error {
	how := "down"
	if up {
		how = "up"
	}
	cmd := fmt.Sprintf("link set eth%d %s\n", network, how)
	if up {
		cmd += n.addrCommand6(network) + defaultRoute(network)
	}
	return n.ip(cmd)
}

// SetAddr takes the node's addresses on a network away or gives them back.
func (n *Node) SetAddr(network int, have bool) error {
	if !have {
		return n.ip(fmt.Sprintf("addr flush dev eth%d scope global\n", network))
	}
	return n.ip(n.addrCommand(network) + defaultRoute(network))
}

// defaultRoute goes with the interface or the last address of network 0.
func defaultRoute(network int) string {
	if network != 0 {
		return ""
	}
	return "route replace default dev eth0\n" // multicast needs a route
}

// addrCommand is the lines for ip -batch that give the interface its addresses.
func (n *Node) addrCommand(network int) string {
	return fmt.Sprintf("addr add %s/24 brd + dev eth%d\n%s", n.Addr(network), network, n.addrCommand6(network))
}

// addrCommand6 is that of IPv6. Nobody else has the address, so it need not be asked for.
func (n *Node) addrCommand6(network int) string {
	if !IPv6() {
		return ""
	}
	return fmt.Sprintf("addr replace %s/64 dev eth%d nodad\n", n.Addr6(network), network)
}

// ip runs commands of ip(8), one per line, on the node.
func (n *Node) ip(commands string) error {
	pid := n.PID()
	if pid == 0 {
		return fmt.Errorf("lab: %s is switched off", n.st.Name)
	}
	return ipOf(pid, commands)
}

// ipOf runs commands of ip(8) in the network namespace of a process.
func ipOf(pid int, commands string) error {
	if _, err := run(commands, "nsenter", "-t", strconv.Itoa(pid), "-n", "--", "ip", "-batch", "-"); err != nil {
		return fmt.Errorf("%w (%s)", err, strings.TrimSpace(commands))
	}
	return nil
}

// InNet runs fn on a thread in the node's network namespace; sockets that it
// opens stay there.
func (n *Node) InNet(fn func() error) error {
	pid := n.PID()
	if pid == 0 {
		return fmt.Errorf("lab: %s is switched off", n.st.Name)
	}
	return inNetns(fmt.Sprintf("/proc/%d/ns/net", pid), fn)
}
