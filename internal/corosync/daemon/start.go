package daemon

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	sdnotify "github.com/coreos/go-systemd/v22/daemon"

	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/internal/corosync/loop"
	"github.com/pacesync/pacesync/internal/corosync/sync"
	"github.com/pacesync/pacesync/totem"
	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

// serve starts everything, runs the loop until the daemon is told to end, and
// cleans up. The order is the original's (main.c: main): what can be refused
// without trace comes before what others can see.
func (d *Daemon) serve() error {
	d.becomeRealTime()
	l, err := loop.New()
	if err != nil {
		return &exitError{status: exitFatal, err: err}
	}
	defer l.Close()
	d.loop = l
	d.sched.start(d)
	defer d.watchSignals()()
	if d.pid, err = lockPIDFile(pidFilePath); err != nil {
		return pidFileError(err)
	}
	if err := d.openRing(); err != nil {
		return err
	}
	defer d.net.Close()
	if err := d.loadServices(); err != nil {
		return err
	}
	d.followKeys()
	d.net.publish(d.engines.stats)
	d.net.follow(nil, d.cfg)
	if err := d.node.Start(); err != nil {
		return &exitError{status: exitFatal, err: err}
	}
	l.EachTurn(d.runSoon)
	l.EachTurn(d.clients.turn)
	if err := d.runLoop(); err != nil {
		return &exitError{status: exitFatal, err: err}
	}
	d.pid.remove()
	if d.status != exitOK {
		return &exitError{status: d.status}
	}
	return nil
}

func (d *Daemon) runLoop() error {
	defer d.crashed()
	return d.loop.Run()
}

// becomeRealTime applies system.sched_rr, priority and move_to_root_cgroup and
// locks the memory. What the system refuses is told and lived without.
func (d *Daemon) becomeRealTime() {
	tuneRuntime()
	sys := d.cfg.System
	if sys.MoveToRootCgroup == "yes" {
		d.warn(moveToRootCgroup())
	}
	nice, _ := niceValue(sys.Priority) // run has refused what is none
	if sys.SchedRR {
		err := setRealTime()
		if err != nil && sys.MoveToRootCgroup == "auto" {
			d.warn(moveToRootCgroup())
			err = setRealTime()
		}
		nice = 0
		if err != nil {
			d.warn(refused(fmt.Sprintf("Could not set SCHED_RR at priority %d", schedPriority), err))
			nice = math.MinInt32
		}
	}
	d.warn(setNice(nice))
	d.warn(lockMemory())
}

func (d *Daemon) warn(err error) {
	if err != nil {
		d.log.main.Warning("%v", err)
	}
}

func pidFileError(err error) error {
	if errors.Is(err, errRunning) {
		return &exitError{status: exitRunning, err: errors.New("Another Corosync instance is already running.")}
	}
	return &exitError{status: exitPIDFile, err: fmt.Errorf("Corosync Executive couldn't create lock file. %v", err)}
}

// openRing makes the sockets and the protocol; nothing is sent yet.
func (d *Daemon) openRing() error {
	var err error
	switch d.cfg.Transport {
	case config.UDPU, config.UDP:
		d.net, err = d.openDatagrams()
	case config.Knet:
		d.net, err = d.openKnet()
	}
	if err != nil {
		return &exitError{status: exitFatal, err: err}
	}
	d.tellRing()
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(d.self)))
	store := newRingIDFile(d.cfg.System.StateDir, d.self)
	d.node, err = totem.Open(d.loop, ringConfig(d.cfg), d.net, store, upper{d}, rng)
	if err != nil {
		return &exitError{status: exitRingID, err: err}
	}
	return nil
}

// mtuOverhead is what two mcast headers take from netmtu (totemsrp.c:
// totemsrp_net_mtu_adjust).
const mtuOverhead = 90

// Upstream takes every netmtu; below or above these its queues and buffers do not
// hold, and it crashes.
const (
	minNetMTU = 256
	maxNetMTU = 65536
)

// netMTU is what is left of netmtu for the content of a packet.
func netMTU(c *config.Config) int { return min(max(int(c.NetMTU), minNetMTU), maxNetMTU) - mtuOverhead }

// tellRing logs what of the configuration cannot have the effect that was wished.
func (d *Daemon) tellRing() {
	c := d.cfg
	if used := netMTU(c) + mtuOverhead; used != int(c.NetMTU) {
		d.log.totem.Warning("netmtu: %d is outside of %d to %d: %d is used", c.NetMTU, minNetMTU, maxNetMTU, used)
	}
	heartbeat := time.Duration(c.Totem.HeartbeatFailuresAllowed)*c.Totem.TokenRetransmit + c.Totem.MaxNetworkDelay
	switch {
	case c.Totem.HeartbeatFailuresAllowed == 0:
		d.log.totem.Debug("HeartBeat is Disabled. To enable set heartbeat_failures_allowed > 0")
	case heartbeat >= c.Totem.Token || heartbeat < 0:
		d.log.totem.Warning("total heartbeat_timeout (%d ms) is not less than token timeout (%d ms)", heartbeat.Milliseconds(), c.Totem.Token.Milliseconds())
		d.log.totem.Warning("heartbeat_timeout = heartbeat_failures_allowed * token_retransmit_timeout + max_network_delay")
		d.log.totem.Warning("heartbeat timeout should be less than the token timeout. Heartbeat is disabled!!")
	default:
		d.log.totem.Debug("total heartbeat_timeout (%d ms)", heartbeat.Milliseconds())
	}
}

// ringConfig is the part of the configuration that the protocol needs.
func ringConfig(c *config.Config) srp.Config {
	t := &c.Totem
	warning := int(t.TokenWarningPercent)
	if warning == 0 {
		warning = -1 // off; the ring takes 0 for the default
	}
	return srp.Config{
		NodeID: wire.NodeID(c.NodeID),
		Token:  t.Token, TokenRetransmit: t.TokenRetransmit, Hold: t.Hold,
		Join: t.Join, SendJoin: t.SendJoin, Consensus: t.Consensus,
		Merge: t.Merge, Downcheck: t.Downcheck, MaxNetworkDelay: t.MaxNetworkDelay,
		TokenWarning: warning, FailRecvConst: int(t.FailRecvConst), SeqnoUnchangedConst: int(t.SeqnoUnchangedConst),
		MissCountConst: int(t.MissCount), WindowSize: int(t.WindowSize), MaxMessages: int(t.MaxMessages),
		HeartbeatFailuresAllowed:    int(t.HeartbeatFailuresAllowed),
		CancelTokenHoldOnRetransmit: t.CancelHoldOnRetrans,
		NetMTU:                      netMTU(c),
	}
}

// loadServices starts the engines in the original's order (service.c:
// default_services), opens their sockets, and makes the sync layer for them.
func (d *Daemon) loadServices() error {
	d.clients = clients{d: d, notes: map[uint64]*note{}}
	d.makeEngines()
	for _, e := range d.engines.order {
		err := d.registry.load(d.cmap, e)
		if err == nil {
			d.log.serv.Notice("Service engine loaded: %s [%d]", e.Title, e.ID)
			err = d.clients.open(e)
		}
		if err != nil {
			name := e.Name
			if e.LoadedBy != "" {
				name = e.LoadedBy
			}
			d.log.serv.Error("Service engine '%s' failed to load for reason '%v'", name, err)
			return &exitError{status: exitService, keys: config.QuorumKeys(d.cmap)}
		}
	}
	d.initControls()
	d.sync = sync.New(d.registry.order, d.log.sync.Log)
	return nil
}

// notifyReady tells systemd, once, that the daemon serves.
func (d *Daemon) notifyReady() {
	if _, err := sdnotify.SdNotify(false, sdnotify.SdNotifyReady); err != nil {
		d.log.main.Warning("cannot tell systemd that the daemon is ready: %v", err)
	}
}
