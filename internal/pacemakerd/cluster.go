package pacemakerd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cfg/cfgclient"
	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/cmap/cmapclient"
	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/daemonkit"
	"github.com/pacesync/pacesync/internal/pcmk"
)

// Tries to reach corosync, each pause longer by a second (pcmkd_corosync.c).
const (
	configTries  = 5
	clusterTries = 30
	callLimit    = 10 * time.Second
)

// readConfig takes from corosync's map what concerns Pacemaker, and lets the
// daemons' group use corosync; false: corosync is not there (mcp_read_config).
func readConfig(k *daemonkit.Kit) bool {
	for try := 1; ; try++ {
		err := configure(k)
		if err == nil {
			break
		}
		if try == configTries {
			k.Log.Crit("Could not connect to Corosync CMAP: "+libipc.Strerror(err), "why", err)
			return false
		}
		k.Log.Info(fmt.Sprintf("Could not connect to Corosync CMAP: %s (retrying in %ds)", libipc.Strerror(err), try))
		time.Sleep(time.Duration(try) * time.Second)
	}
	k.Log.Info("Reading configuration for corosync stack")
	pcmk.SetEnv(pcmk.EnvClusterType, "corosync")
	pcmk.SetEnv(pcmk.EnvQuorumType, "corosync")
	return true
}

func configure(k *daemonkit.Kit) error {
	ctx, cancel := context.WithTimeout(context.Background(), callLimit)
	defer cancel()
	m, err := cmapclient.Dial(ctx, cmapclient.ICMAP)
	if err != nil {
		return err
	}
	defer m.Close()
	if pcmk.Env(pcmk.EnvDebug) == "" {
		debug, err := m.GetString(ctx, "logging.debug")
		if err == nil && pcmk.IsTrue(debug) {
			pcmk.SetEnv(pcmk.EnvDebug, "1")
		} else {
			pcmk.SetEnv(pcmk.EnvDebug, "0")
		}
	}
	_, gid, err := pcmk.DaemonUser()
	if err != nil {
		k.Log.Warn(fmt.Sprintf("Could not authorize group with Corosync: No group found for user %s", pcmk.User))
		return nil
	}
	if err := m.Set(ctx, fmt.Sprintf("uidgid.gid.%d", gid), cmap.U8(1)); err != nil {
		k.Log.Warn("Could not authorize group with Corosync: "+libipc.Strerror(err), "group", gid)
	}
	return nil
}

// watcher holds the connection to corosync that tells of its end and asks
// before a shutdown. It runs in a goroutine of its own.
type watcher struct {
	log  *daemonkit.Logger
	back func() // corosync came back after a loss
	conn *cfgclient.Client
}

// connect is the first connection; it waits for a busy corosync.
func (w *watcher) connect(ctx context.Context) error {
	for try := 1; ; try++ {
		err := w.dial(ctx)
		code := libipc.Code(err)
		if err == nil || code != service.ErrTryAgain && code != service.ErrQueueFull || try == clusterTries {
			return err
		}
		time.Sleep(time.Duration(try) * time.Second)
	}
}

func (w *watcher) dial(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	c, err := cfgclient.Dial(ctx)
	if err != nil {
		return err
	}
	node, err := c.LocalGet(ctx)
	if err == nil {
		w.log.Debug(fmt.Sprintf("Corosync reports local node ID is %d", node))
		err = c.TrackStart(ctx)
	}
	if err != nil {
		return errors.Join(err, c.Close())
	}
	w.conn = c
	return nil
}

// reconnectPause is between two tries after corosync went away.
const reconnectPause = time.Second

// run answers requests to shut corosync down, and connects again after a loss.
func (w *watcher) run(ctx context.Context) {
	for ctx.Err() == nil {
		flags, err := w.conn.Next(ctx)
		if err == nil {
			kind := "optional"
			switch flags {
			case cfgclient.ShutdownImmediate:
				kind = "immediate"
			case cfgclient.ShutdownRegardless:
				kind = "forced"
			}
			w.log.Info("Corosync wants to shut down: " + kind)
			// Never while resources may run here.
			if err := w.conn.ReplyToShutdown(ctx, cfgclient.ShutdownNo); err != nil {
				w.log.Warn("Could not answer Corosync: " + err.Error())
			}
			continue
		}
		if ctx.Err() != nil {
			return
		}
		w.log.Warn("Lost connection to cluster layer (connection will be reattempted once per second)")
		_ = w.conn.Close()
		if !w.reconnect(ctx) {
			return
		}
		w.log.Notice("Cluster reconnect succeeded")
		w.back()
	}
}

func (w *watcher) reconnect(ctx context.Context) bool {
	tick := time.NewTicker(reconnectPause)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
		if w.dial(ctx) == nil {
			return true
		}
		w.log.Info("Cluster reconnect failed (connection will be reattempted once per second)")
	}
}

// stopCorosync ends corosync after a fatal failure (pcmkd_shutdown_corosync).
func stopCorosync(log *daemonkit.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), callLimit)
	defer cancel()
	c, err := cfgclient.Dial(ctx)
	if err != nil {
		log.Warn("Unable to shut down Corosync: No connection")
		return
	}
	defer c.Close()
	log.Info("Asking Corosync to shut down")
	if err := c.TryShutdown(ctx, cfgclient.ShutdownImmediate); err != nil {
		log.Warn("Corosync shutdown failed: " + libipc.Strerror(err))
	}
}
