package daemon

import (
	"os"
	"os/signal"
	"syscall"
)

// watchSignals turns the signals that end the daemon, or ask for its state,
// into calls on the loop. SIGABRT and SIGSEGV, when somebody sends them, leave the
// flight recorder behind, whatever the loop does. SIGHUP keeps its default
// action, SIGPIPE is ignored.
func (d *Daemon) watchSignals() (stop func()) {
	signal.Ignore(syscall.SIGPIPE)
	c := make(chan os.Signal, 4)
	signal.Notify(c, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR2, syscall.SIGABRT, syscall.SIGSEGV)
	go func() {
		for s := range c {
			switch s {
			case syscall.SIGUSR2:
				d.loop.Post(d.dumpState)
			case syscall.SIGABRT, syscall.SIGSEGV:
				d.storeAtEnd()
				die(s.(syscall.Signal))
			default:
				d.loop.Post(func() {
					d.log.main.Notice("Node was shut down by a signal")
					d.shutdown(exitOK, true)
				})
			}
		}
	}()
	return func() {
		signal.Stop(c)
		close(c)
	}
}

// dumpState writes what the ring is doing to the log, for SIGUSR2 and the cmap
// key runtime.blackbox.dump_state.
func (d *Daemon) dumpState() {
	st := d.node.Stats()
	d.log.main.Notice("state: ring %x.%x members %v syncing %v queue level %d", d.ring.Rep, d.ring.Seq, d.members, d.syncing, d.clients.level)
	d.log.main.Notice("state: tokens received %d sent %d, messages sent %d resent %d received %d, gathers %d, dropped %d",
		st.OrfTokenRx, st.OrfTokenTx, st.McastTx, st.McastRetx, st.McastRx, st.GatherEntered, st.RxMsgDropped)
	d.log.main.Notice("state: clients active %d closed %d", d.clients.active, d.clients.closed)
}
