package daemon

import (
	cfgwire "github.com/pacesync/pacesync/internal/corosync/cfg/wire"
	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/totem"
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
	// status is the state of a node and its links; false: knet has none of this id.
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
