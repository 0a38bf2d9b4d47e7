// Package daemon is the corosync daemon: it reads the configuration, starts the
// ring, the service engines and the library sockets on one loop thread, and
// ends them again.
//
// cmd/pacesync runs it under the name corosync. Upstream: exec/main.c,
// exec/service.c, exec/ipc_glue.c.
package daemon

import (
	"net/netip"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/internal/corosync/logsys"
	"github.com/pacesync/pacesync/internal/corosync/loop"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/corosync/sync"
	"github.com/pacesync/pacesync/totem"
)

// Daemon is one running corosync. After start everything in it is owned by the loop.
type Daemon struct {
	opts options
	// detached: another process has read the configuration and left us behind.
	detached bool
	self     uint32
	cfg      *config.Config
	cmap     *cmap.Map
	logs     *logsys.System
	log      loggers

	loop     *loop.Loop
	net      network
	node     *totem.Node
	registry registry
	engines  engines
	sync     *sync.Layer
	clients  clients
	sched    schedWatch
	pid      *pidFile
	soon     []func() // to run at the end of this turn

	ring     service.RingID
	members  []uint32 // of the regular view, ascending
	syncing  bool
	notified bool // systemd knows that we are ready
	ending   bool
	status   int
}

// loggers are the daemon's own log subsystems.
type loggers struct {
	main, totem, knet, serv, sync, qb *logsys.Logger
}

func newLoggers(s *logsys.System) loggers {
	return loggers{main: s.Subsys("MAIN"), totem: s.Subsys("TOTEM"), knet: s.Subsys("KNET"), serv: s.Subsys("SERV"), sync: s.Subsys("SYNC"), qb: s.Subsys("QB")}
}

// token is the effective token timeout.
func (d *Daemon) token() time.Duration { return d.cfg.Totem.Token }

// linkAddrs are a node's addresses, one per configured link.
func (d *Daemon) linkAddrs(id uint32) []netip.Addr {
	var out []netip.Addr
	for _, n := range d.cfg.Nodes {
		if n.ID != id {
			continue
		}
		for _, a := range n.Addrs {
			if a.IsValid() {
				out = append(out, a)
			}
		}
	}
	return out
}

// setSyncing tells clients that a sync runs or ended.
func (d *Daemon) setSyncing(on bool) {
	if d.syncing != on {
		d.syncing = on
		d.clients.updateFlow()
	}
}

// drainTime is how long a leaving node waits for its last messages, those that tell
// of its clients' end, to be sent. A ring that turns takes a fraction of it.
const drainTime = 500 * time.Millisecond

// shutdown ends the daemon after the current turn: services are unloaded, what
// they sent goes out, the ring is left, the loop stops. With leave false it falls
// silent at once, as after a kill.
func (d *Daemon) shutdown(status int, leave bool) {
	if d.ending {
		return
	}
	d.ending, d.status = true, status
	d.loop.Post(func() {
		if !leave {
			d.node.Silence()
			d.loop.Stop()
			return
		}
		d.unload()
		deadline := d.loop.Now().Add(drainTime)
		d.loop.EachTurn(func() bool {
			if d.node.Idle() || d.loop.Now().After(deadline) {
				d.node.Leave()
				d.loop.Stop()
			}
			return false
		})
		d.loop.After(drainTime, func() {}) // wakes the loop for the deadline
	})
}

// unload stops the services, the ones that others depend on first.
func (d *Daemon) unload() {
	d.log.serv.Notice("Unloading all Corosync service engines.")
	for _, e := range d.registry.unloadOrder() {
		if e.Stop != nil {
			e.Stop()
		}
		d.clients.close(e)
		d.registry.byID[e.ID] = nil
		d.log.serv.Notice("Service engine unloaded: %s", e.Title)
	}
}
