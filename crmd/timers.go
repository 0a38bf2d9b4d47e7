package crmd

import (
	"time"

	"github.com/pacesync/pacesync/crmd/fsa"
)

// fsaTimer gives the state machine an input when it runs out
// (controld_timers.c: fsa_timer_t).
type fsaTimer struct {
	c      *Controller
	name   string
	input  fsa.Input
	severe bool // that it runs out is an error
	period time.Duration
	t      *timer
	pops   int
}

// timers are the controller's own: how long it waits for others.
type timers struct {
	dc           *fsaTimer // for a DC, dc-deadtime
	integration  *fsaTimer // for nodes to answer offers
	finalization *fsaTimer // for nodes to confirm
	transition   *fsaTimer // for more to happen before calculating, transition-delay
	recheck      *fsaTimer // until calculating again although nothing happened
	shutdown     *fsaTimer // for the DC to let us go
	election     *timer
}

func newTimers(c *Controller) timers {
	t := func(name string, in fsa.Input, severe bool, period time.Duration) *fsaTimer {
		return &fsaTimer{c: c, name: name, input: in, severe: severe, period: period}
	}
	return timers{
		dc:           t("Election Trigger", fsa.DCTimeout, false, defaultDCDeadtime),
		integration:  t("Integration Timer", fsa.Integrated, true, defaultIntegration),
		finalization: t("Finalization Timer", fsa.Elect, false, defaultFinalization),
		transition:   t("New Transition Timer", fsa.PECalc, false, 0),
		recheck:      t("Cluster Recheck Timer", fsa.PECalc, false, 0),
		shutdown:     t("Shutdown Escalation", fsa.Stop, true, defaultShutdownEscalation),
	}
}

// start arms the timer unless it runs or its period is zero.
func (t *fsaTimer) start() {
	if t.period <= 0 || t.t.running() {
		return
	}
	t.c.log.debug("Started %s (inject %s if pops after %dms)", t.name, t.input, t.period.Milliseconds())
	t.t = t.c.after(t.period, t.pop)
}

func (t *fsaTimer) stop()         { t.t.stop() }
func (t *fsaTimer) running() bool { return t.t.running() }

// loopLimit is how many times the wait for a DC may run out before it is worth
// saying.
const loopLimit = 5

func (t *fsaTimer) pop() {
	c := t.c
	if t.severe {
		c.log.err("%s just popped in state %s! | input=%s time=%dms", t.name, c.state(), t.input, t.period.Milliseconds())
	} else {
		c.log.info("%s just popped | input=%s time=%dms", t.name, t.input, t.period.Milliseconds())
		t.pops++
	}
	if t == c.timers.dc && t.pops > loopLimit {
		c.log.notice("We appear to be in an election loop, something may be wrong")
		t.pops = 0
	}
	switch {
	case t == c.timers.integration:
		c.integrationOver()
	case t == c.timers.recheck && c.state() != fsa.Idle, t == c.timers.finalization && c.state() != fsa.FinalizeJoin:
		c.log.debug("Discarding %s event in state: %s", t.input, c.state())
	default:
		c.input(t.input, fsa.CauseTimer, "crm_timer_popped")
	}
}

// startRecheck arms the timer that has the scheduler look again: at the latest
// after cluster-recheck-interval, sooner when the last calculation knew that
// something becomes due (controld_start_recheck_timer).
func (c *Controller) startRecheck() {
	period := c.opt.recheck
	if by := c.te.recheckBy(); !by.IsZero() {
		left := time.Until(by).Truncate(time.Second)
		if left < time.Second {
			left = 500 * time.Millisecond
		}
		period = min(period, left)
	}
	c.timers.recheck.period = period
	c.timers.recheck.start()
}
