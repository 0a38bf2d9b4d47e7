package daemon

import (
	"time"

	"github.com/pacesync/pacesync/cpg"
	"github.com/pacesync/pacesync/internal/corosync/cfg"
	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/quorum"
	"github.com/pacesync/pacesync/totem/pg"
)

// engines are the services of this daemon, in the order in which they are
// loaded (service.c: default_services).
type engines struct {
	order []*service.Engine
	stats *cmap.Stats
	vote  *quorum.Engines
}

// makeEngines builds the service engines for the configuration.
func (d *Daemon) makeEngines() {
	h := host{d}
	d.engines.stats = cmap.NewStats(cmap.Source{
		Totem:        func() *pg.Stats { return d.node.Stats() },
		SendFailures: func() uint32 { return d.net.SendFailures() },
		IPC:          func() (active, closed uint64) { return d.clients.active, d.clients.closed },
		Now:          func() time.Time { return d.loop.Now() },
		Clear:        d.clearStats,
	})
	d.engines.vote = quorum.NewEngines(h, quorum.Options{
		Map: d.cmap, QuorumLog: d.logs.Subsys("QUORUM").Log, VoteLog: d.logs.Subsys("VOTEQ").Log,
		Barrier: quorum.NewBarrierFile(d.cfg.System.StateDir),
	})
	d.engines.vote.OnQuorate(func(bool) { d.clients.updateFlow() })
	d.engines.order = []*service.Engine{
		cmap.NewService(h, d.cmap, d.engines.stats, d.logs.Subsys("CMAP").Log).Engine(),
		cfg.NewService(h, reconfigurer{d}, d.cmap, d.logs.Subsys("CFG").Log).Engine(),
		cpg.NewEngine(h, d.logs.Subsys("CPG").Log),
	}
	d.engines.order = append(d.engines.order, d.minorEngines(h)...)
	d.engines.order = append(d.engines.order, d.engines.vote.List()...)
}

// quorate says whether this partition may provide service.
func (d *Daemon) quorate() bool { return d.engines.vote.Quorate() }

// noteSchedMiss adds an entry to stats.schedmiss.
func (d *Daemon) noteSchedMiss(at time.Time, gap time.Duration) {
	d.engines.stats.AddSchedMiss(at, gap)
}

// clearStats sets counters to zero: "knet", "ipc" or "totem".
func (d *Daemon) clearStats(what string) {
	switch what {
	case "totem":
		d.node.ClearStats()
	case "knet":
		d.net.clearStats()
	case "ipc":
		d.clients.clearStats()
	}
}
