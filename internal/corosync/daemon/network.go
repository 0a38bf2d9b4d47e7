package daemon

import (
	"fmt"
	"slices"

	cfgwire "github.com/pacesync/pacesync/internal/corosync/cfg/wire"
	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/totem"
	"github.com/pacesync/pacesync/totem/link"
)

// network is the transport of the ring, with what depends on its kind. Owned by
// the loop.
type network interface {
	totem.Transport
	// SendFailures is how many sends failed in a row.
	SendFailures() uint32
	Close()
	// publish adds the transport's statistics.
	publish(stats *cmap.Stats)
	// follow takes over the links and nodes of next, and tells the log of them;
	// prev is nil at the start.
	follow(prev, next *config.Config)
	// refresh takes over parameters that a written key changed.
	refresh(next *config.Config)
	// cryptoPhase activates (1) the new key or drops (2) the old.
	cryptoPhase(phase uint32)
	// status is the state of a node; false: knet has none of this id, udpu knows no
	// more than the ring.
	status(node uint32) (cfgwire.NodeStatus, bool)
	clearStats()
}

// tellConfiguring logs the links in use (totemconfig.c: configure_totem_links).
func (d *Daemon) tellConfiguring(c *config.Config, each func(i int, l *config.Link)) {
	for i := range c.Links {
		if l := &c.Links[i]; l.Configured {
			d.log.totem.Info("Configuring link %d", i)
			each(i, l)
		}
	}
}

// udpuNet is unicast UDP.
type udpuNet struct {
	*link.UDPU
	d *Daemon
}

func (d *Daemon) openUDPU() (network, error) {
	d.log.totem.Notice("Initializing transport (UDP/IP Unicast).")
	bind := d.cfg.Links[0].Local
	up, err := link.AddressUp(bind)
	if err == nil && !up {
		err = fmt.Errorf("address %v of this node is on no interface that is up: check nodelist in %s and the network", bind, d.opts.file)
	}
	if err != nil {
		return nil, err
	}
	u, err := link.OpenUDPU(udpuConfig(d.cfg))
	if err != nil {
		return nil, err
	}
	d.log.totem.Notice("The network interface [%v] is now up.", bind)
	return udpuNet{u, d}, nil
}

// udpuConfig is the part of the configuration that the sockets need.
func udpuConfig(c *config.Config) link.UDPUConfig {
	l := &c.Links[0]
	out := link.UDPUConfig{Self: c.NodeID, Bind: l.Local, Port: l.Port, AnySource: !c.Totem.BlockUnlistedIPs, DSCP: c.DSCP}
	for _, m := range l.Members {
		out.Peers = append(out.Peers, link.Peer{NodeID: m.NodeID, Addr: m.Addr})
	}
	return out
}

// follow takes over the nodelist and logs which nodes packets are sent to no more
// and which from now on (totemudpu.c: totemudpu_member_add, totemudpu_member_remove).
func (n udpuNet) follow(prev, next *config.Config) {
	var old []config.Member
	if prev != nil {
		old = prev.Links[0].Members
		n.SetPeers(udpuConfig(next).Peers)
	}
	now := next.Links[0].Members
	n.d.tellConfiguring(next, func(int, *config.Link) {})
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

func (n udpuNet) publish(*cmap.Stats)    {}
func (n udpuNet) refresh(*config.Config) {}
func (n udpuNet) cryptoPhase(uint32)     {}
func (n udpuNet) clearStats()            {}

func (n udpuNet) status(uint32) (cfgwire.NodeStatus, bool) { return cfgwire.NodeStatus{}, false }
