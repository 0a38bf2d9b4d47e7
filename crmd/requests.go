package crmd

import (
	"strconv"
	"time"

	"github.com/pacesync/pacesync/crmd/fsa"
	"github.com/pacesync/pacesync/crmd/join"
	"github.com/pacesync/pacesync/internal/crmcluster"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// handleRequest answers a request, or returns the input that it is
// (handle_request).
func (c *Controller) handleRequest(m *message, cause fsa.Cause) fsa.Input {
	if m.task == "req_shutdown" {
		c.setExpected(c.peers.ByName(m.from), "down")
		if !c.leading {
			return fsa.Null
		}
	}
	if c.leading {
		if in, done := c.handleAsDC(m); done {
			return in
		}
	}
	switch m.task {
	case "no-vote", "vote":
		c.fsa.PushActions(fsa.Event[payload]{Cause: fsa.CauseHA, Origin: "handle_request", Data: payload{msg: m}, Full: true}, fsa.CountVote, fsa.ElectionCheck)
		if m.task == "vote" && c.state() == fsa.Halt {
			c.log.debug("Forcing an election from S_HALT")
			return fsa.Elect
		}
	case "throttle":
		c.throttle.update(m)
		if c.leading {
			c.te.throttleChanged()
		}
	case "clear_failcount":
		c.clearFailcount(m)
	case "join_offer":
		return c.takeOffer(m)
	case "join_ack_nack":
		c.log.debug("Raising I_JOIN_RESULT: join-%s", m.root.Attr("join_id"))
		return fsa.JoinResult
	case "lrm_delete":
		if m.data == nil || m.data.Attr("mode") != "cib" {
			m.readdress("lrmd")
			return fsa.Router
		}
		c.exec.deleteFromCIB(m)
	case "lrm_fail", "lrm_refresh", "probe_again":
		m.readdress("lrmd")
		return fsa.Router
	case "noop":
	case "start_shutdown":
		c.shutDown()
	case "ping":
		c.answerPing(m)
	case "node-info":
		c.answerNodeInfo(m)
	case "list-nodes":
		c.answerNodes(m)
	case "rm_node_cache":
		c.forgetNode(m, cause)
	case "maintenance_nodes": // of remote nodes, which are not run here yet
	case "do_shutdown":
		return c.allowedToStop(m)
	default:
		if c.leading {
			c.log.err("Unexpected request (%s) sent to the DC", m.task)
		}
	}
	return fsa.Null
}

// handleAsDC handles what only a DC does.
func (c *Controller) handleAsDC(m *message) (in fsa.Input, done bool) {
	switch m.task {
	case "join_announce":
		return fsa.NodeJoin, true
	case "join_request":
		return fsa.JoinRequest, true
	case "join_confirm":
		return fsa.JoinResult, true
	case "do_shutdown":
		return c.allowedToStopDC(m), true
	case "req_shutdown":
		c.wantsToLeave(m)
		return fsa.Null, true
	case "remote_state": // of remote nodes, which are not run here yet
		return fsa.Null, true
	}
	return fsa.Null, false
}

// takeOffer checks that we can work under that DC (verify_feature_set).
func (c *Controller) takeOffer(m *message) fsa.Input {
	dc := m.root.Attr("crm_feature_set")
	if dc == "" {
		dc = "3.0.14" // older than those that say
	}
	if !join.Compatible(dc, pcmk.FeatureSet) {
		c.log.err("Local feature set (%s) is incompatible with DC's (%s)", pcmk.FeatureSet, dc)
		c.stayDown = true
		c.exit(pcmk.ExitFatal)
		return fsa.Null
	}
	c.log.debug("Raising I_JOIN_OFFER: join-%s", m.root.Attr("join_id"))
	return fsa.JoinOffer
}

// wantsToLeave: a node asks the DC to be let go. The attribute makes the
// scheduler stop everything there (handle_shutdown_request).
func (c *Controller) wantsToLeave(m *message) {
	from := m.from
	if from == "" {
		from = c.self
	}
	c.log.info("Creating shutdown request for %s (state=%s)", from, c.state())
	c.attrd.update(from, "shutdown", strconv.FormatInt(time.Now().Unix(), 10), "", false)
}

// allowedToStop: the DC lets this node go (handle_shutdown_ack).
func (c *Controller) allowedToStop(m *message) fsa.Input {
	switch {
	case m.from == "":
		c.log.warn("Ignoring shutdown request without origin specified")
		return fsa.Null
	case c.dc() != "" && !sameName(m.from, c.dc()):
		c.log.warn("Ignoring shutdown request from %s because DC is %s", m.from, c.dc())
		return fsa.Null
	case c.shuttingDown():
		c.log.info("Shutting down controller after confirmation from %s", m.from)
	default:
		c.log.err("Shutting down controller after unexpected shutdown request from %s", m.from)
		c.stayDown = true
	}
	return fsa.Stop
}

// allowedToStopDC is the same for the DC itself (handle_shutdown_self_ack).
func (c *Controller) allowedToStopDC(m *message) fsa.Input {
	switch {
	case c.shuttingDown():
		c.log.info("Shutting down controller")
		return fsa.Stop
	case sameName(m.from, c.dc()):
		c.log.err("Shutting down controller immediately due to unexpected shutdown confirmation")
		return fsa.TerminateNow
	case c.state() != fsa.Stopping:
		c.log.err("Starting new DC election because %s is confirming shutdown we did not request", m.from)
		return fsa.Elect
	}
	return fsa.Null
}

func (c *Controller) answerPing(m *message) {
	c.log.notice(msgPing, c.state()) // test suites wait for it
	c.respond(m, response(m, xmltree.New("ping_response", xmltree.Attr{Name: "crm_subsystem", Value: m.sysTo},
		xmltree.Attr{Name: "crmd_state", Value: c.state().String()}, xmltree.Attr{Name: "result", Value: "ok"})))
}

func (c *Controller) answerNodes(m *message) {
	list := xmltree.New("nodes")
	for _, p := range c.peers.All() {
		n := list.AddNew("node", xmltree.Attr{Name: "id", Value: strconv.FormatUint(uint64(p.ID), 10)})
		if p.Name != "" {
			n.Set("uname", p.Name)
		}
		if p.State != crmcluster.Unknown {
			n.Set("in_ccm", p.State.String())
		}
	}
	c.respond(m, response(m, list))
}

func (c *Controller) answerNodeInfo(m *message) {
	n := xmltree.New("node", xmltree.Attr{Name: "crm_subsystem", Value: "crmd"}, xmltree.Attr{Name: "have-quorum", Value: boolText(c.wasQuorate)})
	id, err := strconv.ParseUint(m.root.Attr("id"), 10, 32)
	if err != nil {
		id = 0
	}
	name := m.root.Attr("uname")
	if id == 0 && name == "" {
		name = c.self
	}
	p := c.peers.ByID(uint32(id))
	if p == nil {
		p = c.peers.ByName(name)
	}
	if p != nil {
		n.Set("id", strconv.FormatUint(uint64(p.ID), 10))
		// The CIB's id has the same name and is the same.
		if p.Name != "" {
			n.Set("uname", p.Name)
		}
		if p.State != crmcluster.Unknown {
			n.Set("crmd", p.State.String())
		}
		n.Set("remote_node", "false")
	}
	c.respond(m, response(m, n))
}

// forgetNode drops a node from the cache, here and then everywhere. Upstream's
// message to the peers lacks the node; ours has it.
func (c *Controller) forgetNode(m *message, cause fsa.Cause) {
	id, _ := m.number("id")
	name := m.root.Attr("uname")
	if cause == fsa.CauseIPC {
		out := request("rm_node_cache", nil, "", "crmd", "crmd")
		for _, a := range []string{"id", "uname"} {
			if v, ok := m.root.Get(a); ok {
				out.root.Set(a, v)
			}
		}
		c.send("", out)
		c.log.notice("Instructing peers to remove references to node %s/%d", name, id)
		return
	}
	if n := c.peers.Forget(uint32(max(id, 0)), name); n > 0 {
		c.log.notice("Purged %d peer%s with id=%d uname=%s from the membership cache", n, plural(n), id, name)
	}
	if name != "" && c.peers.ByName(name) == nil {
		c.leader.Forget(name)
	}
	c.fence.forget(name)
}

// clearFailcount forgets the failures of a resource on a node, as attributes
// and in the history (handle_failcount_op).
func (c *Controller) clearFailcount(m *message) {
	var rsc, op string
	var interval uint64
	node := ""
	if m.data != nil {
		node = m.data.Attr("on_node")
		m.data.Each("primitive", func(n *xmltree.Node) { rsc = n.ID() })
		m.data.Each("attributes", func(n *xmltree.Node) {
			op = n.Attr("CRM_meta_clear_failure_op")
			interval, _ = strconv.ParseUint(n.Attr("CRM_meta_clear_failure_interval"), 10, 32)
		})
	}
	if rsc == "" || node == "" {
		c.log.warn("invalid failcount op: %s", m.root)
		return
	}
	spec := ""
	if interval > 0 {
		spec = strconv.FormatUint(interval, 10) + "ms"
	}
	c.attrd.clearFailures(node, rsc, op, spec, m.data.Attr("router_node") != "")
	c.exec.clearLastFailure(rsc, node, op, uint(interval))
}
