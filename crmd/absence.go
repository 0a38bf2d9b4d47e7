package crmd

import (
	"time"

	"github.com/pacesync/pacesync/crmd/fsa"
	"github.com/pacesync/pacesync/internal/crmcluster"
)

// absence is what is known of a controller that ended while its node stayed in the
// ring. pacemakerd starts it again, so its node is not fenced at once.
type absence struct {
	until time.Time // it is waited for, zero: it is not away
	first time.Time // the first of the times that are counted
	count int
}

const (
	// respawnGrace is how long the DC waits for such a controller before it calculates:
	// a node whose controller is away is fenced. A node that is lost is not waited for,
	// so what this delays is the recovery of nodes where Pacemaker alone is gone for good.
	// Upstream has such a grace by accident: it sleeps for a second when its own updates of
	// the CIB are not answered yet (controld_schedulerd.c: do_pe_invoke_callback).
	respawnGrace = 10 * time.Second
	// A controller that keeps ending is waited for maxAbsences times within
	// absencePeriod, and then no more.
	maxAbsences   = 30
	absencePeriod = 2 * time.Minute
)

// crashed tells whether the controller of a node ended without having said that it
// leaves and without its node being lost. A controller that has just started may know
// of others by their group before it knows the membership.
func crashed(p *crmcluster.Peer) bool {
	return p.State != crmcluster.Gone && !p.Online && p.Expected != "down"
}

// again notes that the controller is gone.
func (a *absence) again(now time.Time) {
	if now.Sub(a.first) > absencePeriod {
		a.first, a.count = now, 0
	}
	a.count++
	a.until = time.Time{}
	if a.count <= maxAbsences {
		a.until = now.Add(respawnGrace)
	}
}

// vanished notes that the controller of a member is gone, or is not missed any
// more because it is back or its node is lost. Every node keeps count, since the
// controller that is gone may be the DC's.
func (c *Controller) vanished(p *crmcluster.Peer) {
	a := c.missing[p.ID]
	switch {
	case crashed(p):
		if a == nil {
			a = &absence{}
			c.missing[p.ID] = a
		}
		a.again(time.Now())
		return
	case a == nil || a.until.IsZero():
		return
	}
	a.until = time.Time{}
	if p.State == crmcluster.Gone && (c.leading || c.dc() == "" || sameName(p.Name, c.dc())) {
		c.dropAttributes(p) // they were kept for it to come back
	}
	if c.sched.hold.running() && c.graceLeft() == 0 {
		c.sched.hold.stop()
		c.fsa.Require(fsa.PEInvoke)
	}
}

// graceLeft is how long controllers that vanished still have.
func (c *Controller) graceLeft() time.Duration {
	var left time.Duration
	for _, a := range c.missing {
		if !a.until.IsZero() {
			left = max(left, time.Until(a.until))
		}
	}
	return left
}

// dropAttributes deletes the transient attributes of a node that left. Those of a node
// whose controller alone ended stay: its attribute manager lives, and nobody would
// write them again; promoted resources would lose their scores. If the controller does
// not come back its node is fenced, and they go with the rest of its state.
func (c *Controller) dropAttributes(p *crmcluster.Peer) {
	if !crashed(p) {
		c.deleteState(p.Name, sectionAttrs, cibScopeLocal)
	}
}
