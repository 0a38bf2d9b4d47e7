package crmd

import (
	"strings"

	"github.com/pacesync/pacesync/crmd/fsa"
	"github.com/pacesync/pacesync/internal/crmcluster"
	"github.com/pacesync/pacesync/internal/pcmk"
)

// fromPeer takes a message of the cluster (crmd_ha_msg_filter).
func (c *Controller) fromPeer(ev crmcluster.Event) {
	m, err := decodeMessage(ev.XML)
	if err != nil {
		c.log.warn("Received invalid message from %s: %v", ev.Name, err)
		return
	}
	c.peers.Get(ev.Node, ev.Name)
	switch {
	case c.leading && strings.EqualFold(m.sysFrom, "dc") && !sameName(m.from, c.self):
		if c.state() != fsa.Election {
			c.log.warn("Another DC detected: %s (op=%s)", m.from, m.task)
			c.fail(fsa.Elect, "crmd_ha_msg_filter")
		} else {
			c.log.info("Another DC detected: %s (op=%s)", m.from, m.task)
		}
		return
	case !c.leading && strings.EqualFold(m.sysTo, "dc"):
		return
	}
	c.route(m, fsa.CauseHA)
}

// route passes a message on, or handles it (route_message).
func (c *Controller) route(m *message, cause fsa.Cause) {
	if !c.relay(m, cause == fsa.CauseIPC) {
		c.handle(m, cause)
	}
}

// relay passes a message on to whom its header names; false when that is the
// controller itself (relay_message). local: it comes from this node.
func (c *Controller) relay(m *message, local bool) bool {
	if m.task == "hello" {
		return true
	}
	if m.sysTo == "" {
		c.log.warn("Received invalid message %s: no subsystem", m.ref)
		return true
	}
	to := strings.ToLower(m.sysTo)
	if to == "dc" || to == "dcib" || to == "tengine" {
		return c.relayToDC(m, to, local)
	}
	here := c.isLocal(m, to, local)
	switch {
	case here && (to == "crmd" || to == "cib"):
		return false
	case here:
		c.deliver(m)
		return true
	}
	kind := pcmk.TypeOfName(m.sysTo)
	if kind == pcmk.MsgNone {
		kind = pcmk.MsgCRMD
	}
	if m.hostTo != "" && c.peers.ByName(m.hostTo) == nil {
		c.log.warn("Cannot route message %s: Unknown node %s", m.ref, m.hostTo)
		return true
	}
	c.sendAs(m.hostTo, m, kind)
	return true
}

func (c *Controller) relayToDC(m *message, to string, local bool) bool {
	switch {
	case c.leading && to == "tengine":
		c.deliver(m)
	case c.leading:
		return false
	case local && m.sysFrom != "pengine" && m.sysFrom != "tengine":
		c.sendAs(m.hostTo, m, pcmk.MsgCRMD)
	default:
		// What the transitioner of a node that is no DC any more wants is void.
		c.log.trace("Discard message %s because we are not DC", m.ref)
	}
	return true
}

// isLocal says whether a message that is not for the DC is for this node.
func (c *Controller) isLocal(m *message, to string, local bool) bool {
	switch {
	case m.hostTo == "" && to == "crmd":
		// No node usually means all of them; but whoever asks about nodes may not
		// even know the name of his own.
		return !local || m.task == "node-info" || m.task == "list-nodes"
	case m.hostTo == "", sameName(m.hostTo, c.self):
		return true
	case to == "crmd" && m.task == "lrm_delete":
		return m.data != nil && m.data.Attr("mode") == "cib" // history of a node that is offline
	}
	return false
}

// deliver passes a message on to a subsystem or client of this node
// (send_msg_via_ipc).
func (c *Controller) deliver(m *message) {
	if m.from == "" {
		m.from = c.self
		m.root.Set("src", c.self)
	}
	if client := c.clients[m.sysTo]; client != nil {
		client.Event(m.root)
		return
	}
	switch m.sysTo {
	case "tengine":
		c.te.message(m)
	case "lrmd":
		c.exec.invoke(m)
	default:
		c.log.info("Received invalid request: unknown subsystem '%s'", m.sysTo)
	}
}

// respond answers a request.
func (c *Controller) respond(to *message, m *message) {
	if !c.relay(m, true) {
		c.log.debug("Answer %s of %s has no taker", m.ref, to.task)
	}
}

// handle does what a message for the controller asks for, or makes it an input
// of the state machine (handle_message).
func (c *Controller) handle(m *message, cause fsa.Cause) {
	in := fsa.Null
	if m.reply {
		c.handleReply(m)
	} else {
		in = c.handleRequest(m, cause)
	}
	switch in {
	case fsa.Null:
	case fsa.Router:
		c.route(m, cause)
	default:
		c.inputWith(in, cause, "route_message", payload{msg: m})
	}
}

func (c *Controller) handleReply(m *message) {
	switch m.task {
	case "vote", "req_shutdown", "do_shutdown":
	default:
		who := "controller"
		if c.leading {
			who = "DC"
		}
		c.log.err("Unexpected response (op=%s, src=%s) sent to the %s", m.task, m.from, who)
	}
}
