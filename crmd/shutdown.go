package crmd

import (
	"github.com/pacesync/pacesync/crmd/fsa"
	"github.com/pacesync/pacesync/internal/pcmk"
)

// shutDown begins to leave the cluster, or ends at once when it began already
// (crm_shutdown).
func (c *Controller) shutDown() {
	if c.shuttingDown() {
		c.log.err("Escalating shutdown")
		c.inputFirst(fsa.Error, fsa.CauseShutdown, "crm_shutdown")
		return
	}
	c.fsa.ShuttingDown = true
	c.input(fsa.Shutdown, fsa.CauseShutdown, "crm_shutdown")
	t := c.timers.shutdown
	if t.period == 0 {
		t.period = defaultShutdownEscalation
	}
	c.log.notice(msgShutdown, t.period.Milliseconds())
	t.start()
}

// askShutdown tells everybody that this node wants to leave; the DC acts on
// it, the others will not fence us for it (do_shutdown_req).
func (c *Controller) askShutdown() {
	c.fsa.ShuttingDown = true
	dc := c.dc()
	if dc == "" {
		dc = "not set"
	}
	c.log.info("Sending shutdown request to all peers (DC is %s)", dc)
	if c.cluster == nil {
		c.fail(fsa.Error, "do_shutdown_req")
		return
	}
	c.send("", request("req_shutdown", nil, "", "crmd", "crmd"))
}

// startedUp opens for clients once all connections are there; false while they
// are not (do_started).
func (c *Controller) startedUp() bool {
	wait := func(what string) bool {
		c.log.debug("Delaying start, %s", what)
		return false
	}
	switch {
	case c.state() != fsa.Starting:
		c.log.err("Start cancelled... %s", c.state())
		return true
	case !c.membership:
		return wait("no membership data")
	case !c.exec.connected():
		return wait("not connected to executor")
	case !c.cib.connected():
		return wait("CIB not connected")
	case !c.configured:
		return wait("Config not read")
	case !c.peerData:
		return wait("No peer data")
	}
	if err := c.openIPC(); err != nil {
		c.log.err("Failed to create IPC server: shutting down and inhibiting respawn: %v", err)
		c.stayDown = true
		c.fail(fsa.Error, "do_started")
	} else {
		c.log.notice(msgStarted)
	}
	c.fence.connect()
	c.starting = false
	c.input(fsa.BePending, fsa.CauseInternal, "do_started")
	return true
}

// attrdFailed: an attribute could not be set. A DC without attributes would
// have the scheduler decide on wrong facts, so somebody else should be DC; a
// node that leaves cannot ask by attribute and goes without (handle_attr_error).
func (c *Controller) attrdFailed() {
	switch {
	case c.leading:
		c.exit(pcmk.ExitFatal)
	case c.shuttingDown():
		c.input(fsa.Fail, fsa.CauseInternal, "handle_attr_error")
	}
}
