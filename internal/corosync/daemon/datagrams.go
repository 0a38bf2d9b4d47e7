package daemon

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	cfgwire "github.com/pacesync/pacesync/internal/corosync/cfg/wire"
	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/internal/corosync/loop"
	"github.com/pacesync/pacesync/totem"
	"github.com/pacesync/pacesync/totem/link"
)

// datagramLink is a transport of bare UDP: *link.UDPU or *link.UDP.
type datagramLink interface {
	totem.Transport
	SendFailures() uint32
	Follow(link.UDPConfig)
	Reopen(link.Interface) error
	Close()
}

// datagramNet is udpu or udp, with an eye on the interface that it uses
// (totemudpu.c, totemudp.c: timer_function_netif_check_timeout). Owned by the loop.
type datagramNet struct {
	datagramLink
	d    *Daemon
	bind netip.Addr     // of the configuration: the address, or one of its network
	here link.Interface // not Up: there are no sockets, or they are of no use
	said string         // why the sockets could not be made
	sees *link.InterfaceWatch
	// looking: the kernel is being asked where the address is; again: something has
	// changed since.
	looking, again bool
	retry          *loop.Timer // while the interface is down
}

// Upstream tries so often to bind a socket, and waits so long times the number of
// the attempt in between (totemudp.c: BIND_MAX_RETRIES, BIND_RETRIES_INTERVAL).
const (
	bindRetries  = 10
	bindInterval = 100 * time.Millisecond
)

// openDatagrams opens the transport. As upstream, udp waits for an interface that is
// down, and udpu does not start.
func (d *Daemon) openDatagrams() (network, error) {
	how := "Unicast"
	if d.cfg.Transport == config.UDP {
		how = "Multicast"
	}
	d.log.totem.Notice("Initializing transport (UDP/IP %s).", how)
	n := &datagramNet{d: d, bind: bindAddress(&d.cfg.Links[0])}
	var err error
	n.here, err = findInterface(n.bind, &d.cfg.Links[0])
	if err == nil && !n.here.Up {
		err = errors.New("the interface is down")
	}
	switch {
	case err == nil:
		err = n.open()
	case d.cfg.Transport == config.UDP:
		n.here = link.Interface{}
		_, cfg := linkConfigOf(d.cfg, n.here)
		n.datagramLink = link.NewUDP(cfg)
		d.log.totem.Notice("The network interface is down.")
		d.log.totem.Warning("address %v of this node: %v: waiting for it", n.bind, err)
		err = nil
	default:
		err = fmt.Errorf("address %v of this node: %w: check nodelist in %s and the network", n.bind, err, d.opts.file)
	}
	if err == nil {
		n.sees, err = link.OpenInterfaceWatch()
	}
	if err != nil {
		return nil, err
	}
	return n, nil
}

// open makes the sockets, with some patience.
func (n *datagramNet) open() (err error) {
	d := n.d
	for try := 1; ; try++ {
		n.datagramLink, err = openLink(linkConfigOf(d.cfg, n.here))
		if err == nil || !link.IsTransient(err) || try > bindRetries {
			break
		}
		d.log.totem.Warning("%v", err)
		time.Sleep(time.Duration(try) * bindInterval)
	}
	if err == nil {
		d.log.totem.Notice("The network interface [%v] is now up.", n.here.Addr)
	}
	return err
}

// openLink opens the transport that the configuration wants.
func openLink(t config.Transport, cfg link.UDPConfig) (datagramLink, error) {
	if t == config.UDP {
		return link.OpenUDP(cfg)
	}
	return link.OpenUDPU(cfg)
}

// bindAddress is what the interface is looked for by: the node's address in the
// nodelist, without one bindnetaddr.
func bindAddress(l *config.Link) netip.Addr {
	if l.Local.IsValid() {
		return l.Local
	}
	return l.BindNet
}

// findInterface finds where this node is. An address of the nodelist has to be there
// itself: the others send the token to it. Upstream then takes any of the same
// network, and the ring does not form.
func findInterface(bind netip.Addr, l *config.Link) (link.Interface, error) {
	here, err := link.FindInterface(bind)
	if err == nil && bind == l.Local && here.Addr != bind {
		err = link.ErrNoInterface
	}
	return here, err
}

// linkConfigOf is the part of the configuration that the sockets need.
func linkConfigOf(c *config.Config, here link.Interface) (config.Transport, link.UDPConfig) {
	l := &c.Links[0]
	out := link.UDPConfig{Self: c.NodeID, Local: here, Port: l.Port, AnySource: !c.Totem.BlockUnlistedIPs, DSCP: c.DSCP, Group: l.Mcast, TTL: l.TTL}
	for _, m := range l.Members {
		out.Peers = append(out.Peers, link.Peer{NodeID: m.NodeID, Addr: m.Addr})
	}
	return c.Transport, out
}

// Attach begins to receive, and to watch the interface.
func (n *datagramNet) Attach(l *loop.Loop, readable func()) error {
	n.retry = l.NewTimer(n.look)
	if err := n.sees.Attach(l, n.changed); err != nil {
		return err
	}
	if !n.here.Up {
		n.look()
	}
	return n.datagramLink.Attach(l, readable)
}

// Close frees the sockets.
func (n *datagramNet) Close() {
	n.sees.Close(n.d.loop)
	n.datagramLink.Close()
}

// changed is told by the kernel of a change to an interface; 0: to any.
func (n *datagramNet) changed(index int) {
	if index == 0 || !n.here.Up || index == n.here.Index {
		n.look()
	}
}

// look asks the kernel, away from the loop, where the node's address is.
func (n *datagramNet) look() {
	if n.looking {
		n.again = true
		return
	}
	n.looking = true
	bind, l := n.bind, &n.d.cfg.Links[0]
	go func() {
		here, err := findInterface(bind, l)
		if err != nil {
			here = link.Interface{}
		}
		n.d.loop.Post(func() { n.found(here) })
	}()
}

// found compares where the node's address is with where it was. While it is
// nowhere, or on an interface that is down, the sockets stay as they are and what is sent
// fails; when it is back they are made anew, since the kernel may have forgotten
// the multicast group, and a node that was alone looks for the others.
func (n *datagramNet) found(here link.Interface) {
	n.looking = false
	was := n.here
	switch {
	case n.d.ending || here == was && here.Up:
	case here.Up:
		if err := n.Reopen(here); err != nil {
			if n.said != err.Error() {
				n.d.log.totem.Warning("%v", err)
			}
			n.said, here.Up = err.Error(), false
			break
		}
		n.said = ""
		n.d.log.totem.Notice("The network interface [%v] is now up.", here.Addr)
		if len(n.d.members) <= 1 {
			n.d.node.LinkUp()
		}
	case was.Up:
		n.d.log.totem.Notice("The network interface is down.")
	}
	n.here = here
	if !here.Up && !n.d.ending {
		n.retry.Reset(n.d.loop.Now().Add(n.d.cfg.Totem.Downcheck))
	}
	if n.again {
		n.again = false
		n.look()
	}
}

// follow takes over the nodelist; of udpu it logs which nodes packets are sent to no
// more and which from now on (totemudpu.c: totemudpu_member_add,
// totemudpu_member_remove).
func (n *datagramNet) follow(prev, next *config.Config) {
	var old []config.Member
	if prev != nil {
		old = prev.Links[0].Members
		n.refresh(next)
	}
	now := next.Links[0].Members
	n.d.tellConfiguring(next, func(int, *config.Link) {})
	if next.Transport != config.UDPU {
		return
	}
	for _, m := range old {
		if !slices.Contains(now, m) {
			n.d.log.totem.Notice("removing UDPU member {%s}", m.Addr)
		}
	}
	for _, m := range now {
		if !slices.Contains(old, m) {
			n.d.log.totem.Notice("adding new UDPU member {%s}", m.Addr)
		}
	}
}

// refresh takes over the nodes and whether others are heard.
func (n *datagramNet) refresh(next *config.Config) {
	_, cfg := linkConfigOf(next, n.here)
	n.Follow(cfg)
}

func (n *datagramNet) publish(*cmap.Stats) {}
func (n *datagramNet) cryptoPhase(uint32)  {}
func (n *datagramNet) clearStats()         {}

// status is the state of a node: connected is being in the ring, the address is the
// node's own. While this node's interface is down no link is enabled, so that the
// tools list none (totemudpu.c: totemudpu_nodestatus_get).
func (n *datagramNet) status(node uint32) (st cfgwire.NodeStatus, known bool) {
	st.Reachable = slices.Contains(n.d.members, node)
	for _, m := range n.d.cfg.Links[0].Members {
		if m.NodeID == node {
			st.Links[0] = cfgwire.Link{Enabled: n.here.Up, Connected: st.Reachable, MTU: uint32(netMTU(n.d.cfg)), Source: m.Addr.String()}
		}
	}
	return st, true
}
