package crmd

import (
	"context"
	"fmt"
	"time"

	"github.com/pacesync/pacesync/crmd/election"
	"github.com/pacesync/pacesync/crmd/fsa"
	"github.com/pacesync/pacesync/crmd/join"
	"github.com/pacesync/pacesync/internal/corosync/cmap/cmapclient"
	"github.com/pacesync/pacesync/internal/crmcluster"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Limits of connecting to corosync.
const (
	clusterTimeout = time.Minute
	clusterBacklog = 256
)

// configuredNode is a node of corosync's node list.
type configuredNode struct {
	id   uint32
	name string
}

// connectCluster begins to join the group of controllers; clusterUp follows.
func (c *Controller) connectCluster() {
	if c.cluster != nil || c.connecting {
		return
	}
	c.connecting = true
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), clusterTimeout)
		defer cancel()
		events := make(chan crmcluster.Event, clusterBacklog)
		nodes, name, err := corosyncNodes(ctx)
		var cl *crmcluster.Cluster
		if err == nil {
			cl, err = crmcluster.Join(ctx, crmcluster.Options{Program: "pacemaker-controld", Events: events, Quorum: true, Log: c.log.h})
		}
		c.post(func() { c.clusterUp(cl, nodes, name, err) })
		if err != nil {
			return
		}
		for {
			select {
			case ev := <-events:
				c.post(func() { c.clusterEvent(cl, ev) })
			case <-c.done:
				return
			}
		}
	}()
}

// corosyncNodes reads corosync's node list and the cluster's name.
func corosyncNodes(ctx context.Context) ([]configuredNode, string, error) {
	m, err := cmapclient.Dial(ctx, cmapclient.ICMAP)
	if err != nil {
		return nil, "", err
	}
	defer m.Close()
	cluster, err := m.GetString(ctx, "totem.cluster_name")
	if err != nil {
		cluster = "" // it has none
	}
	var out []configuredNode
	for i := 0; ; i++ {
		id, err := m.GetUint32(ctx, fmt.Sprintf("nodelist.node.%d.nodeid", i))
		if err != nil {
			return out, cluster, nil
		}
		name, err := crmcluster.NodeName(ctx, id)
		if err != nil {
			return nil, "", err
		}
		out = append(out, configuredNode{id, name})
	}
}

// clusterUp is the end of connecting: from now on there are peers.
func (c *Controller) clusterUp(cl *crmcluster.Cluster, nodes []configuredNode, clusterName string, err error) {
	c.connecting = false
	if err != nil {
		c.log.err("Could not connect to the cluster: %v", err)
		c.fail(fsa.Error, "do_ha_control")
		return
	}
	c.cluster, c.self, c.id, c.clusterName = cl, cl.Name(), cl.NodeID(), clusterName
	c.peers = crmcluster.NewPeers(c.id, c.self, true)
	c.peers.Self().Online = false // until the group says so
	for _, n := range nodes {
		c.peers.Get(n.id, n.name)
	}
	c.voting = election.New(election.Config{Self: c.self, FeatureSet: pcmk.FeatureSet, Timeout: c.opt.election})
	c.leader = join.NewLeader(c.self, pcmk.FeatureSet)
	c.joiner = join.NewJoiner(c.self)
	c.log.info("Connected to the cluster")
	if c.cib.connected() {
		c.populateNodes(0, false, "do_ha_control")
	}
}

func (c *Controller) disconnectCluster() {
	if c.cluster == nil {
		return
	}
	c.leaving = true
	cl := c.cluster
	c.cluster = nil
	cl.Close()
	c.log.info("Disconnected from the cluster")
}

// clusterEvent takes what the cluster layer tells.
func (c *Controller) clusterEvent(cl *crmcluster.Cluster, ev crmcluster.Event) {
	if cl != c.cluster {
		return
	}
	switch ev.Kind {
	case crmcluster.Received:
		ev.XML.Set("src", ev.Name)
		c.fromPeer(ev)
	case crmcluster.Confchg:
		c.groupChanged(ev)
	case crmcluster.Quorum:
		c.quorumChanged(ev)
	case crmcluster.Lost:
		if c.leaving {
			c.log.info("Corosync connection closed")
			return
		}
		c.log.crit(msgLostPeer)
		c.log.debug("cluster: %v", ev.Err)
		c.exit(pcmk.ExitDisconnect)
	}
}

func (c *Controller) groupChanged(ev crmcluster.Event) {
	c.peerData = true
	if dc := c.peers.ByName(c.dc()); dc != nil {
		for _, left := range ev.Left {
			c.dcLeft = c.dcLeft || left.Node == dc.ID
		}
	}
	for _, ch := range c.peers.Apply(ev, time.Now()) {
		c.peerChanged(ch)
	}
	c.dcLeft = false
}

func (c *Controller) quorumChanged(ev crmcluster.Event) {
	switch {
	case ev.Quorate && !c.quorate:
		c.log.notice("Quorum acquired | membership=%d members=%d", ev.Ring, len(ev.View))
	case !ev.Quorate && c.quorate:
		c.log.warn("Quorum lost | membership=%d members=%d", ev.Ring, len(ev.View))
	case ev.Quorate:
		c.log.info("Quorum retained | membership=%d members=%d", ev.Ring, len(ev.View))
	default:
		c.log.info("Quorum still lost | membership=%d members=%d", ev.Ring, len(ev.View))
	}
	c.quorate = ev.Quorate
	if len(ev.View) == 0 && !c.membership {
		c.log.info("Corosync membership is still forming, ignoring")
		return
	}
	for _, ch := range c.peers.Apply(ev, time.Now()) {
		c.peerChanged(ch)
	}
	c.updateQuorum(c.quorate, false)
	c.membershipChanged(ev.Ring)
}

// membershipChanged is the end of a membership event (post_cache_update).
func (c *Controller) membershipChanged(seq uint64) {
	c.seq = seq
	c.log.debug("Updated cache after membership event %d.", seq)
	for _, p := range c.peers.All() {
		if !p.Active() {
			c.peerInactive(p)
		}
	}
	c.membership = true
	if c.leading {
		c.populateNodes(nodeCluster|nodePeer|nodeExpected, true, "post_cache_update")
	}
	c.fsa.Require(fsa.ElectionCheck)
	from := "crmd"
	if c.leading {
		from = "dc"
	}
	// All are reminded that we are here, which shows two DCs to each other.
	c.send("", request("noop", nil, "", "crmd", from))
}

// peerInactive is done for every node that does not take part, after each
// membership event (reap_dead_nodes).
func (c *Controller) peerInactive(p *crmcluster.Peer) {
	if p.Name != "" {
		c.setJoin(p.Name, join.None)
		switch {
		case p.ID == c.id && c.peerData:
			c.log.err("We're not part of the cluster anymore")
			c.input(fsa.Error, fsa.CauseInternal, "reap_dead_nodes")
		case !c.leading && sameName(p.Name, c.dc()):
			c.log.warn("Our DC node (%s) left the cluster", p.Name)
			c.input(fsa.Elect, fsa.CauseInternal, "reap_dead_nodes")
		}
	}
	if c.stage() != join.Elsewhere {
		c.checkJoin()
	}
	if id := p.UUID(); id != "" {
		c.te.nodeGone(id)
	}
}

// send sends a message to the controller of one node, or to all when to is
// empty.
func (c *Controller) send(to string, m *message) { c.sendAs(to, m, pcmk.MsgCRMD) }

func (c *Controller) sendAs(to string, m *message, kind pcmk.MsgType) {
	if c.cluster == nil {
		return
	}
	var p *crmcluster.Peer
	if to != "" {
		if p = c.peers.ByName(to); p == nil {
			c.log.warn("Cannot send message %s: Unknown node %s", m.ref, to)
			return
		}
	}
	c.cluster.Send(p, kind, m.root)
}

// setExpected notes what a node is expected to be, "member" or "down" among
// others (pcmk__update_peer_expected).
func (c *Controller) setExpected(p *crmcluster.Peer, expected string) {
	if p == nil || p.Expected == expected {
		return
	}
	c.log.info("Node %s[%d] - expected state is now %s (was %s)", p.Name, p.ID, expected, orNone(p.Expected))
	p.Expected = expected
}

func orNone(s string) string {
	if s == "" {
		return "(null)"
	}
	return s
}

// peerOf returns the peer of that name, which is added when it is not known.
func (c *Controller) peerOf(name string) *crmcluster.Peer {
	p, _ := c.peers.Get(0, name)
	return p
}

// nodeFlags say which of a node's states are recorded (crm_update flags).
type nodeFlags uint8

const (
	nodeCluster  nodeFlags = 1 << iota // in_ccm
	nodePeer                           // crmd
	nodeJoin                           // join
	nodeExpected                       // expected

	nodeAll = nodeCluster | nodePeer | nodeJoin | nodeExpected
)

// nodeState builds a node_state entry (create_node_state_update); nil when
// nothing is known of the node.
func (c *Controller) nodeState(p *crmcluster.Peer, f nodeFlags, origin string) *xmltree.Node {
	if p.State == crmcluster.Unknown || p.UUID() == "" {
		c.log.info("Node update for %s cancelled: no state, not seen yet", p.Name)
		return nil
	}
	n := xmltree.New("node_state", xmltree.Attr{Name: "id", Value: p.UUID()}, xmltree.Attr{Name: "uname", Value: p.Name})
	if f&nodeCluster != 0 {
		n.Set("in_ccm", boolText(p.State == crmcluster.Member))
	}
	if f&nodePeer != 0 {
		n.Set("crmd", onlineText(p.Online))
	}
	if f&nodeJoin != 0 {
		n.Set("join", "down")
		if c.leader.Phase(p.Name) > join.None {
			n.Set("join", "member")
		}
	}
	if f&nodeExpected != 0 && p.Expected != "" {
		n.Set("expected", p.Expected)
	}
	n.Set("crm-debug-origin", origin)
	return n
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func onlineText(b bool) string {
	if b {
		return "online"
	}
	return "offline"
}
