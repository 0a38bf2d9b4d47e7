package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/crmcluster"
	"github.com/pacesync/pacesync/internal/daemonkit"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// clusterLink is the process group of the fencers, as a Cluster. Its state
// belongs to the loop of the fencer.
type clusterLink struct {
	cluster *crmcluster.Cluster
	peers   *crmcluster.Peers
	events  chan crmcluster.Event
	log     *daemonkit.Logger
}

func join(ctx context.Context, log *daemonkit.Logger) (*clusterLink, error) {
	l := &clusterLink{events: make(chan crmcluster.Event, 64), log: log}
	var err error
	l.cluster, err = crmcluster.Join(ctx, crmcluster.Options{Program: programName, Events: l.events, Log: log.Logger})
	if err != nil {
		return nil, err
	}
	l.peers = crmcluster.NewPeers(l.cluster.NodeID(), l.cluster.Name(), false)
	return l, nil
}

// Close leaves the group.
func (l *clusterLink) Close() { l.cluster.Close() }

// pump brings the group's events to the fencer's loop.
func (l *clusterLink) pump(f *Fencer, stop func()) {
	for {
		select {
		case <-f.ctx.Done():
			return
		case ev := <-l.events:
			f.Post(func(now time.Time) { l.take(now, f, ev, stop) })
		}
	}
}

func (l *clusterLink) take(now time.Time, f *Fencer, ev crmcluster.Event, stop func()) {
	switch ev.Kind {
	case crmcluster.Received:
		p, changes := l.peers.Get(ev.Node, ev.Name)
		l.changed(changes)
		f.Peer(now, p.Name, ev.XML)
	case crmcluster.Lost:
		l.log.Crit("Lost connection to cluster layer, shutting down", slog.Any("why", ev.Err))
		stop()
	default:
		l.changed(l.peers.Apply(ev, now))
	}
}

// changed tells the peers our name when there is news of nodes
// (st_peer_update_callback).
func (l *clusterLink) changed(changes []crmcluster.Change) {
	for _, c := range changes {
		if c.Kind == crmcluster.ProcessChanged {
			continue
		}
		if c.Kind == crmcluster.StateChanged {
			l.log.Notice(fmt.Sprintf("Node %s state is now %s", c.Peer.Name, c.Peer.State))
		}
		l.log.Debug(fmt.Sprintf("Broadcasting our uname because of node %d", c.Peer.ID))
		l.Send("", wire.Poke{}.XML())
	}
}

// Send is part of Cluster.
func (l *clusterLink) Send(to string, doc *xmltree.Node) {
	var p *crmcluster.Peer
	if to != "" {
		if p = l.peers.ByName(to); p == nil {
			p = &crmcluster.Peer{Name: to}
		}
	}
	l.cluster.Send(p, pcmk.MsgStonithNG, doc)
}

// Peers is part of Cluster.
func (l *clusterLink) Peers() []string {
	var out []string
	for _, p := range l.peers.All() {
		if p.Online && p.Name != "" {
			out = append(out, p.Name)
		}
	}
	return out
}

// NodeID is part of Cluster.
func (l *clusterLink) NodeID(name string) uint32 {
	if p := l.peers.ByName(name); p != nil {
		return p.ID
	}
	return 0
}

// NodeName is part of Cluster.
func (l *clusterLink) NodeName(id uint32) string {
	if p := l.peers.ByID(id); p != nil {
		return p.Name
	}
	return ""
}

// Forget is part of Cluster.
func (l *clusterLink) Forget(id uint32, name string) { l.peers.Forget(id, name) }
