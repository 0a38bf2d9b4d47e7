package lab

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// prefix of all addresses: network k, node id i is 10.78.k.i, and fd78:0:0:k::i
// where the kernel has IPv6. Labs do not see each other, so all of them use the
// same.
const (
	prefix  = "10.78"
	prefix6 = "fd78:0:0"
)

// Any stands for all nodes in a Fault, AllNetworks for all networks.
const (
	Any         = "*"
	AllNetworks = -1
)

// Fault is what the switch does to packets on their way from one node to
// another. Immutable.
type Fault struct {
	From, To string  // node name or Any
	Net      int     // network or AllNetworks
	Percent  float64 // of packets lost, at random; 100: cut
	KeepARP  bool    // ARP and ICMPv6 still pass: without them no packet goes the other way either
	// Larger: only packets of more bytes than that, IP header included; 0: all. Nobody
	// is told: a black hole for path MTU discovery.
	Larger int `json:",omitempty"`
}

func (f Fault) String() string {
	what := fmt.Sprintf("loses %g %%", f.Percent)
	if f.Percent >= 100 {
		what = "cut"
	}
	if f.Larger > 0 {
		what += fmt.Sprintf(" above %d bytes", f.Larger)
	}
	net := ""
	if f.Net != AllNetworks {
		net = fmt.Sprintf(" on net%d", f.Net)
	}
	return fmt.Sprintf("%s -> %s%s: %s", f.From, f.To, net, what)
}

// startSwitch makes the namespace with one bridge per network.
func (l *Lab) startSwitch(networks int) error {
	cmd := exec.Command("env", "--ignore-signal=CHLD", "sleep", "infinity")
	cmd.Env = environment(l.name + "/switch")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("lab: switch: %w", err)
	}
	go cmd.Wait() // reaps it, whenever it ends
	if err := os.WriteFile(l.path("switch.pid"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o644); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	var b strings.Builder
	b.WriteString("link set lo up\n")
	for k := range networks {
		// A bridge without an address of its own takes the least of its ports': it
		// would change when a node goes, and what nodes know of the switch with it.
		fmt.Fprintf(&b, "link add br%d address 02:00:00:00:fe:%02x type bridge mcast_snooping 0\nlink set br%d up\n", k, k, k)
	}
	_, err := l.onSwitch(b.String(), "ip", "-batch", "-")
	return err
}

// onSwitch runs a command in the switch's namespace.
func (l *Lab) onSwitch(input string, args ...string) (string, error) {
	pid, err := os.ReadFile(l.path("switch.pid"))
	if err != nil {
		return "", fmt.Errorf("lab: %s has no switch: %w", l.name, err)
	}
	return run(input, "nsenter", append([]string{"-t", string(pid), "-n", "--"}, args...)...)
}

// Addr is the address of host id on a network of the lab.
func Addr(network, id int) string { return fmt.Sprintf("%s.%d.%d", prefix, network, id) }

// Addr6 is Addr of IPv6.
func Addr6(network, id int) string {
	return netip.MustParseAddr(fmt.Sprintf("%s:%x::%x", prefix6, network, id)).String()
}

// IPv6 says whether the kernel, and so every node of a lab, has it.
func IPv6() bool {
	_, err := os.Stat("/proc/sys/net/ipv6")
	return err == nil
}

// AddSwitchAddr gives the switch an address of its own on a network, for a
// service that is no node's.
func (l *Lab) AddSwitchAddr(network int, addr string) error {
	_, err := l.onSwitch("", "ip", "addr", "add", addr+"/24", "dev", fmt.Sprintf("br%d", network))
	return err
}

// InSwitch runs fn on a thread in the switch's network namespace; sockets that
// it opens stay there.
func (l *Lab) InSwitch(fn func() error) error {
	pid, err := os.ReadFile(l.path("switch.pid"))
	if err != nil {
		return fmt.Errorf("lab: %s has no switch: %w", l.name, err)
	}
	return inNetns(fmt.Sprintf("/proc/%s/ns/net", pid), fn)
}

// port is the switch's end of a node's cable.
func (n *Node) port(net int) string { return fmt.Sprintf("p%d.%d", n.st.ID, net) }

// plug connects the node to all networks: a cable per network, eth0, eth1, …
func (n *Node) plug(pid, networks int) error {
	var sw, node strings.Builder
	node.WriteString("link set lo up\n")
	for k := range networks {
		fmt.Fprintf(&sw, "link add %s type veth peer name eth%d netns %d\n", n.port(k), k, pid)
		fmt.Fprintf(&sw, "link set %s master br%d\nlink set %s up\n", n.port(k), k, n.port(k))
		// Large messages are cut before they leave, as on a wire: the faults at the
		// switch are about packets.
		fmt.Fprintf(&node, "%slink set eth%d gso_max_segs 1 up\n", n.addrCommand(k), k)
	}
	node.WriteString(defaultRoute(0))
	if _, err := n.lab.onSwitch(sw.String(), "ip", "-batch", "-"); err != nil {
		return err
	}
	return ipOf(pid, node.String())
}

// unplug removes the node's cables. The kernel takes down a dead node's
// network only some time later; a new cable of the same name must not wait.
func (n *Node) unplug(networks int) {
	for k := range networks {
		n.lab.onSwitch("", "ip", "link", "del", n.port(k)) // already gone: fine
	}
}

// Link takes the node's link on one network down or up at the switch: the node
// sees its carrier go, as with a pulled cable.
func (n *Node) Link(net int, up bool) error {
	how := "down"
	if up {
		how = "up"
	}
	_, err := n.lab.onSwitch("", "ip", "link", "set", n.port(net), how)
	return err
}

// Cut stops all packets between a and b, in both directions, on all networks.
// Either may be Any: Cut("n1", Any) isolates n1.
func (l *Lab) Cut(a, b string) error {
	return l.AddFaults(Fault{From: a, To: b, Net: AllNetworks, Percent: 100}, Fault{From: b, To: a, Net: AllNetworks, Percent: 100})
}

// CutOneWay stops packets from one node to another and leaves the way back.
func (l *Lab) CutOneWay(from, to string) error {
	return l.AddFaults(Fault{From: from, To: to, Net: AllNetworks, Percent: 100, KeepARP: true})
}

// CutNet is Cut on one network only.
func (l *Lab) CutNet(a, b string, net int) error {
	return l.AddFaults(Fault{From: a, To: b, Net: net, Percent: 100}, Fault{From: b, To: a, Net: net, Percent: 100})
}

// Loss drops a share of all packets of the lab at random.
func (l *Lab) Loss(percent float64) error {
	return l.AddFaults(Fault{From: Any, To: Any, Net: AllNetworks, Percent: percent, KeepARP: true})
}

// AddFaults adds faults to those there are.
func (l *Lab) AddFaults(faults ...Fault) error {
	return l.update(func(st *state) error {
		for _, f := range faults {
			if f.Percent < 0 || f.Percent > 100 {
				return fmt.Errorf("lab: loss of %g %%: between 0 and 100 are possible", f.Percent)
			}
			if f.Net < AllNetworks || f.Net >= st.Networks {
				return fmt.Errorf("lab: network %d: the lab has 0 to %d", f.Net, st.Networks-1)
			}
		}
		st.Faults = append(st.Faults, faults...)
		return l.loadRules(st)
	})
}

// Heal removes all faults.
func (l *Lab) Heal() error {
	return l.update(func(st *state) error {
		st.Faults = nil
		return l.loadRules(st)
	})
}

// HealBetween removes the faults between two nodes; either may be Any, which
// stands for every fault on that side.
func (l *Lab) HealBetween(a, b string) error {
	match := func(want, have string) bool { return want == Any || want == have }
	return l.update(func(st *state) error {
		var keep []Fault
		for _, f := range st.Faults {
			if !(match(a, f.From) && match(b, f.To)) && !(match(b, f.From) && match(a, f.To)) {
				keep = append(keep, f)
			}
		}
		st.Faults = keep
		return l.loadRules(st)
	})
}

// Faults returns what is wrong with the network now.
func (l *Lab) Faults() []Fault {
	st, _ := l.load()
	return st.Faults
}

// loadRules puts the faults into the switch, all at once.
func (l *Lab) loadRules(st *state) error {
	rules, err := ruleset(st)
	if err != nil {
		return err
	}
	_, err = l.onSwitch(rules, "nft", "-f", "-")
	return err
}

// ruleset renders the faults as an nftables script that replaces the old ones.
func ruleset(st *state) (string, error) {
	var b strings.Builder
	b.WriteString("table bridge lab\ndelete table bridge lab\ntable bridge lab {\n chain forward {\n  type filter hook forward priority 0; policy accept;\n")
	for _, f := range st.Faults {
		from, err := portMatch(st, "iifname", f.From, f.Net)
		if err != nil {
			return "", err
		}
		to, err := portMatch(st, "oifname", f.To, f.Net)
		if err != nil {
			return "", err
		}
		drop := "drop"
		if f.Percent < 100 {
			drop = fmt.Sprintf("numgen random mod 10000 < %d drop", int(f.Percent*100))
		}
		if f.Larger > 0 {
			drop = fmt.Sprintf("meta length > %d %s", f.Larger, drop)
		}
		drops := []string{drop}
		if f.KeepARP { // 58 is ICMPv6: nft takes names from /etc/protocols, which a small system lacks
			drops = []string{"ether type != { arp, ip6 } " + drop, "meta l4proto != 58 ether type ip6 " + drop}
		}
		for _, drop := range drops {
			fmt.Fprintf(&b, "  %s%s%s\n", from, to, drop)
		}
	}
	b.WriteString(" }\n}\n")
	return b.String(), nil
}

// portMatch renders the condition that a packet comes from or goes to a node.
func portMatch(st *state, key, node string, net int) (string, error) {
	nets := []int{net}
	if net == AllNetworks {
		nets = nil
		for k := range st.Networks {
			nets = append(nets, k)
		}
	}
	var ports []string
	for _, n := range st.Nodes {
		if node == Any || node == n.Name {
			for _, k := range nets {
				node := &Node{st: n}
				ports = append(ports, strconv.Quote(node.port(k)), strconv.Quote(node.farPort(k)))
			}
		}
	}
	if len(ports) == 0 {
		return "", fmt.Errorf("lab: no node %q in lab %s", node, st.Name)
	}
	return fmt.Sprintf("%s { %s } ", key, strings.Join(ports, ", ")), nil
}
