package crmd

import (
	"log/slog"

	"github.com/pacesync/pacesync/crmd/fsa"
	"github.com/pacesync/pacesync/crmd/join"
	"github.com/pacesync/pacesync/internal/pcmk"
)

// stateChanged tells of a change of state; what the change brings are actions
// of the state machine.
func (c *Controller) stateChanged(s fsa.Step[payload]) {
	level := levelInfo
	switch {
	case s.From == fsa.Idle, s.To == fsa.Idle, s.From == fsa.NotDC, s.To == fsa.NotDC, s.From == fsa.Election, s.From == fsa.Starting:
		level = levelNotice
	case s.To == fsa.Recovery:
		level = levelWarning
	}
	c.log.at(level, msgTransition, []any{s.From, s.To, s.Event.Input, s.Event.Cause, s.Event.Origin})
	if s.To == fsa.FinalizeJoin || s.To == fsa.PolicyEngine {
		if s.Event.Cause == fsa.CauseTimer {
			c.log.info("Progressed to state %s after %s", s.To, s.Event.Cause)
		}
	}
}

// do carries out one action.
func (c *Controller) do(s fsa.Step[payload]) {
	switch s.Action {
	case fsa.LogError, fsa.LogWarn, fsa.LogInfo:
		c.logInput(s)
	case fsa.Exit1, fsa.Exit0:
		c.doExit(s.Action)
	default:
		if !c.doLocal(s) && !c.doMember(s) {
			c.doDC(s)
		}
	}
}

func (c *Controller) logInput(s fsa.Step[payload]) {
	level := slog.Level(levelInfo)
	switch s.Action {
	case fsa.LogError:
		level = levelError
	case fsa.LogWarn:
		level = levelWarning
	}
	c.log.at(level, msgInput, []any{s.Event.Input, c.state(), s.Event.Origin})
}

func (c *Controller) doExit(a fsa.Action) {
	c.exec.stopRecurring()
	if a == fsa.Exit1 {
		c.log.err("Performing A_EXIT_1 - forcefully exiting the controller")
		c.exit(pcmk.ExitError)
		return
	}
	c.log.info("Performing A_EXIT_0 - gracefully exiting the controller")
	c.exit(pcmk.ExitOK)
}

// stallIf has the action tried again later.
func (c *Controller) stallIf(a fsa.Action, stall bool) {
	if stall {
		c.fsa.Stall(a)
	}
}

// doLocal carries out what concerns this node's connections and timers.
func (c *Controller) doLocal(s fsa.Step[payload]) bool {
	switch s.Action {
	case fsa.StartUp:
	case fsa.CIBConnect:
		c.cib.connect()
	case fsa.ClusterConnect:
		c.connectCluster()
	case fsa.ReadConfig:
		c.throttle.start()
		c.readOptions()
	case fsa.LRMConnect:
		c.stallIf(s.Action, c.cluster == nil || c.exec.connect())
	case fsa.LRMReconnect:
		c.exec.reconnect()
	case fsa.LRMDisconnect:
		c.stallIf(s.Action, c.exec.disconnect())
	case fsa.LRMHandle: // the executor unit takes its events itself
	case fsa.ClusterDisconnect:
		c.disconnectCluster()
	case fsa.CIBDisconnect:
		c.stallIf(s.Action, !c.cib.disconnect())
	case fsa.Started:
		c.stallIf(s.Action, !c.startedUp())
	case fsa.StopIPC:
		c.closeIPC()
		c.input(fsa.TerminateNow, fsa.CauseInternal, "do_stop")
	case fsa.ShutdownBegin:
		c.fsa.ShuttingDown = true
		c.fence.disconnect(false)
	case fsa.Recover:
		c.recovering = true
		c.log.warn("Fast-tracking shutdown in response to errors")
		c.input(fsa.TerminateNow, fsa.CauseInternal, "do_recover")
	case fsa.DCTimerStop:
		c.timers.dc.stop()
	case fsa.DCTimerStart:
		c.timers.dc.start()
		if c.leading {
			c.input(fsa.Elect, s.Event.Cause, "do_timer_control") // there can be only one
		}
	case fsa.IntegrateTimerStop:
		c.timers.integration.stop()
	case fsa.IntegrateTimerStart:
		c.timers.integration.start()
	case fsa.FinalizeTimerStop:
		c.timers.finalization.stop()
	case fsa.FinalizeTimerStart:
		c.timers.finalization.start()
	case fsa.RecheckStop:
		c.timers.recheck.stop()
	case fsa.RecheckStart:
		c.startRecheck()
	default:
		return false
	}
	return true
}

// doMember carries out a node's part in the cluster.
func (c *Controller) doMember(s fsa.Step[payload]) bool {
	switch s.Action {
	case fsa.ElectionTimerStop:
		c.stopElectionTimer()
	case fsa.CIBSecondary:
		c.cib.setSecondary()
	case fsa.ForgetDC:
		c.forgetDC()
	case fsa.EnterMember:
		c.timers.dc.pops = 0
		c.fence.notDC()
		if c.shuttingDown() {
			c.log.info("(Re)Issuing shutdown request now that we have a new DC")
		}
	case fsa.Vote, fsa.ElectionStart:
		c.vote()
	case fsa.CountVote:
		c.countVote(s.Event.Data.msg)
	case fsa.ElectionCheck:
		c.checkElection()
	case fsa.JoinQuery:
		c.queryDC()
	case fsa.Announce:
		c.announce()
	case fsa.JoinAsk:
		c.acceptOffer(s.Event.Data.msg)
	case fsa.JoinAccepted:
		c.joinResult(s.Event.Data.msg, s.Event.Cause)
	case fsa.AskShutdown:
		c.askShutdown()
	default:
		return false
	}
	return true
}

// doDC carries out the DC's part.
func (c *Controller) doDC(s fsa.Step[payload]) {
	switch s.Action {
	case fsa.DCTakeover:
		c.takeOver()
	case fsa.DCRelease:
		c.release()
	case fsa.DCReleased:
		c.released()
	case fsa.OfferAll:
		c.offerAll()
	case fsa.OfferOne:
		c.offerOne(s.Event.Data.msg)
	case fsa.TakeRequest:
		c.takeRequest(s.Event.Data.msg)
	case fsa.TakeHistory:
		c.takeHistory(s.Event.Data.msg)
	case fsa.Finalize:
		c.stallIf(s.Action, c.finalize())
	case fsa.JoinFinal:
		c.log.debug("Ensuring DC, quorum and node attributes are up-to-date")
		c.updateQuorum(c.quorate, true)
	case fsa.EnterIntegrated:
		c.enterIntegrated()
	case fsa.EnterCalculate:
		c.timers.dc.pops = 0
		c.checkJoinCounts()
	case fsa.RecordNodes:
		c.populateNodes(nodeAll, true, "do_state_transition")
	case fsa.TEStart:
		if c.state() != fsa.Stopping {
			c.te.start()
		}
	case fsa.TEStop:
		c.te.stop()
	case fsa.TEHalt:
		c.stallIf(s.Action, c.leading && c.te.halt())
	case fsa.TECancel:
		c.stallIf(s.Action, c.leading && c.te.cancel())
	case fsa.TEInvoke:
		c.invokeTE(s.Event.Data.sched)
	case fsa.PEStart:
		c.startScheduler()
	case fsa.PEStop:
		c.sched.close()
	case fsa.PEInvoke:
		c.stallIf(s.Action, c.invokeScheduler())
	default:
		panic("crmd: no way to do " + s.Action.String())
	}
}

// stage is the current state as joining sees it.
func (c *Controller) stage() join.Stage {
	switch c.state() {
	case fsa.Integration:
		return join.Integrating
	case fsa.FinalizeJoin:
		return join.Finalizing
	}
	return join.Elsewhere
}
