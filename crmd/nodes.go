package crmd

import (
	"fmt"
	"syscall"

	"github.com/pacesync/pacesync/crmd/fsa"
	"github.com/pacesync/pacesync/crmd/join"
	"github.com/pacesync/pacesync/internal/crmcluster"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// peerChanged takes news of a peer (peer_update_callback).
func (c *Controller) peerChanged(ch crmcluster.Change) {
	p := ch.Peer
	if ch.Kind == crmcluster.ProcessChanged && p.Online && !c.leading {
		// So that it learns our name.
		c.log.debug("Sending hello to node %d so that it learns our node name", p.ID)
		if c.cluster != nil {
			c.cluster.Send(p, pcmk.MsgCRMD, request("hello", nil, "", "crmd", "crmd").root)
		}
	}
	if p.Name == "" {
		return
	}
	appeared := false
	switch ch.Kind {
	case crmcluster.Named:
		c.log.info("Cluster node %s is now %s", p.Name, stateText(p.State))
		return
	case crmcluster.StateChanged:
		c.log.info("Cluster node %s is now %s (was %s)", p.Name, stateText(p.State), stateText(ch.Old))
		if p.State == crmcluster.Member {
			appeared = true
			c.fence.nodeUp(p.Name)
		} else {
			c.removeVoter(p.Name)
		}
		c.alertNode(p)
	case crmcluster.ProcessChanged:
		c.log.info("Node %s is %s a peer | DC=%s", p.Name, map[bool]string{true: "now", false: "no longer"}[p.Online], c.dcText())
		appeared = p.Online
		if !c.peerProcess(p) {
			c.vanished(p)
			return
		}
	}
	c.vanished(p)
	if c.leading {
		c.peerChangedDC(p, appeared)
	}
}

func stateText(s crmcluster.State) string {
	if s == crmcluster.Unknown {
		return "in unknown state"
	}
	return s.String()
}

func (c *Controller) dcText() string {
	switch {
	case c.leading:
		return "true"
	case c.dc() == "":
		return "<none>"
	}
	return c.dc()
}

// peerProcess: a controller came to the group or left it. False when that is
// of no concern now.
func (c *Controller) peerProcess(p *crmcluster.Peer) bool {
	if !p.Online {
		c.removeVoter(p.Name)
	}
	if !c.cib.connected() || c.state() == fsa.Stopping {
		return false
	}
	switch {
	case p.ID == c.id && !p.Online:
		c.log.notice("Our peer connection failed")
		c.input(fsa.Error, fsa.CauseStatus, "peer_update_callback")
	case sameName(p.Name, c.dc()) && !p.Active():
		c.log.notice("Our peer on the DC (%s) is dead", c.dc())
		c.input(fsa.Elect, fsa.CauseStatus, "peer_update_callback")
		if _, features := c.joiner.DC(); compareVersions(features, "3.0.9") > 0 {
			c.dropAttributes(p)
		}
	case c.leading, c.dcLeft, c.dc() == "":
		// Normally the DC does this; without one every node has to.
		if p.Online {
			c.fence.syncHistory()
		} else {
			c.dropAttributes(p)
		}
	}
	return true
}

// peerChangedDC is what the DC does about a node that comes or goes.
func (c *Controller) peerChangedDC(p *crmcluster.Peer, appeared bool) {
	if appeared && p.Active() {
		c.inputFirst(fsa.NodeJoin, fsa.CauseInternal, "peer_update_callback")
	}
	flags := nodePeer
	dead := !p.Online && p.State != crmcluster.Member
	down, expected := c.te.matchDown(p.UUID())
	switch {
	case expected && down.task == "stonith":
		c.log.trace("Updating CIB, fencer reported fencing of %s complete=%v", p.Name, down.confirmed)
	case expected && !appeared && down.task == "do_shutdown":
		flags |= nodeJoin | nodeExpected
		c.peerDown(p)
		c.checkJoin()
		if dead {
			c.log.notice("%s of peer %s is complete | action=%d", down.task, p.Name, down.action)
			c.te.confirmDown(p.UUID())
		} else {
			c.log.info("%s of peer %s is in progress | action=%d", down.task, p.Name, down.action)
		}
	case expected:
		c.log.trace("Node %s was expected to %s (op %d)", p.Name, down.task, down.action)
	case !appeared:
		if c.te.known() {
			c.log.warn("Stonith/shutdown of node %s was not expected", p.Name)
		} else {
			c.log.info("Stonith/shutdown of node %s is unknown to the current DC", p.Name)
		}
		c.setJoin(p.Name, join.None)
		c.checkJoin()
		c.te.abort(infinity, completeRestart, "Node failure", nil)
		c.te.nodeGone(p.UUID())
	}
	if n := c.nodeState(p, flags, "peer_update_callback"); n != nil {
		c.cib.modify("status", n, cibAnon, c.logFailure("Node state update"))
	}
}

// peerDown notes that a node left as wanted (crmd_peer_down).
func (c *Controller) peerDown(p *crmcluster.Peer) {
	c.setJoin(p.Name, join.None)
	c.setExpected(p, "down")
}

// logFailure is for writes whose failure changes nothing here.
func (c *Controller) logFailure(what string) func(cibResult) {
	return func(r cibResult) {
		if !r.ok() {
			c.log.err("%s (CIB call %d) failed: %s", what, r.call, r.rc)
		}
	}
}

// orError is for writes without which we cannot go on.
func (c *Controller) orError(what, origin string) func(cibResult) {
	return func(r cibResult) {
		if !r.ok() {
			c.log.err("%s %d failed: %s (%d)", what, r.call, r.rc, r.rc.Legacy())
			c.fail(fsa.Error, origin)
		}
	}
}

// section is what of a node's state is deleted.
type section uint8

const (
	sectionLRM section = iota
	sectionLRMUnlocked
	sectionAttrs
	sectionAll
	sectionAllUnlocked
)

// xpath names the section of a node, with what to call it in logs
// (controld_based.c: controld_delete_node_state).
func (s section) xpath(node string) (path, what string) {
	state := fmt.Sprintf("//node_state[@uname='%s']", node)
	unlocked := state + "//lrm_rsc_op|" + state + "//lrm_resource[not(@shutdown-lock)]"
	switch s {
	case sectionLRM:
		return state + "/lrm", "resource history for node " + node
	case sectionLRMUnlocked:
		return unlocked, "resource history (other than shutdown locks) for node " + node
	case sectionAttrs:
		return state + "/transient_attributes", "transient attributes for node " + node
	case sectionAll:
		return state + "/*", "all state for node " + node
	}
	return unlocked + "|" + state + "/transient_attributes", "all state (other than shutdown locks) for node " + node
}

// deleteState deletes part of a node's state from the CIB.
func (c *Controller) deleteState(node string, s section, opts cibOpt) {
	path, what := s.xpath(node)
	call := c.cib.remove(path, nil, opts|cibQuorumOverride|cibXPath|cibMultiple, func(r cibResult) {
		if r.ok() {
			c.log.debug("Deletion of %s (via CIB call %d) succeeded", what, r.call)
		} else {
			c.log.warn("Deletion of %s (via CIB call %d) failed: %s | rc=%d", what, r.call, r.rc, r.rc.Legacy())
		}
	})
	c.log.info("Deleting %s (via CIB call %d) | xpath=%s", what, call, path)
}

// populateNodes writes the known nodes, and on the DC their states, to the CIB.
// known: only those that the membership told of, not all configured ones
// (populate_cib_nodes).
func (c *Controller) populateNodes(f nodeFlags, known bool, origin string) {
	list := xmltree.New("nodes")
	for _, p := range c.peers.All() {
		if p.UUID() == "" || p.Name == "" {
			continue
		}
		list.AddNew("node", xmltree.Attr{Name: "id", Value: p.UUID()}, xmltree.Attr{Name: "uname", Value: p.Name})
		if known {
			c.removeNamesakes(p)
		}
	}
	opts := cibScopeLocal | cibQuorumOverride
	c.cib.modify("nodes", list, opts, c.orError("Node list update", "node_list_update_callback"))
	if !c.leading {
		return
	}
	status := xmltree.New("status")
	for _, p := range c.peers.All() {
		if n := c.nodeState(p, f, origin); n != nil {
			status.Add(n)
		}
	}
	c.cib.modify("status", status, opts, c.orError("Node update", "crmd_node_update_complete"))
}

// removeNamesakes deletes nodes from the CIB that have a node's name, another
// id, and that nobody knows (search_conflicting_node_callback).
func (c *Controller) removeNamesakes(p *crmcluster.Peer) {
	id, name := p.UUID(), p.Name
	path := fmt.Sprintf("/cib/configuration/nodes/node[@uname='%s'][@id!='%s']", name, id)
	c.cib.query(path, cibScopeLocal|cibXPath, func(r cibResult) {
		switch {
		case r.rc == pcmk.RC(syscall.ENXIO):
		case !r.ok():
			c.log.notice("Searching conflicting nodes for %s failed: %s (%d)", id, r.rc, r.rc.Legacy())
		case r.output == nil:
		case r.output.Name == "node":
			c.removeUnknown(r.output, id)
		default:
			r.output.Each("node", func(n *xmltree.Node) { c.removeUnknown(n, id) })
		}
	})
}

func (c *Controller) removeUnknown(n *xmltree.Node, id string) {
	for _, p := range c.peers.All() {
		if p.UUID() == n.ID() && sameName(p.Name, n.Attr("uname")) {
			return
		}
	}
	c.log.notice("Deleting unknown node %s/%s which has conflicting uname with %s", n.ID(), n.Attr("uname"), id)
	opts := cibScopeLocal | cibQuorumOverride
	entry := func(name string) *xmltree.Node {
		return xmltree.New(name, xmltree.Attr{Name: "id", Value: n.ID()}, xmltree.Attr{Name: "uname", Value: n.Attr("uname")})
	}
	c.cib.remove("nodes", entry("node"), opts, c.logFailure("Deletion of a conflicting node"))
	c.cib.remove("status", entry("node_state"), opts, c.logFailure("Deletion of a conflicting node's state"))
}

// updateQuorum writes to the CIB whether there is quorum and who is DC, when
// that changed or force says so (crm_update_quorum).
func (c *Controller) updateQuorum(quorum, force bool) {
	c.hadQuorum = c.hadQuorum || quorum
	if c.leading && (force || c.wasQuorate != quorum) {
		have := "0"
		if quorum {
			have = "1"
		}
		n := xmltree.New("cib", xmltree.Attr{Name: "have-quorum", Value: have}, xmltree.Attr{Name: "dc-uuid", Value: c.nodeID()})
		call := c.cib.modify("cib", n, cibScopeLocal|cibQuorumOverride, c.orError("Quorum update", "cib_quorum_update_complete"))
		c.log.debug("Updating quorum status to %v (call=%d)", quorum, call)
		if quorum {
			// Several nodes may be coming: the one that brings quorum must not have
			// the others fenced.
			c.te.abortAfter(quorumPause, infinity, completeRestart, "Quorum gained")
		} else {
			c.te.abort(infinity, completeRestart, "Quorum lost", nil)
		}
	}
	c.wasQuorate = quorum
}
