// Package super decides for pacemakerd: which daemon to start, to respawn, to
// stop and when to give the node up. It is a pure core; internal/pacemakerd is
// its shell and its only caller.
//
// A daemon that ends is started again, unless it asks otherwise by its exit
// status: 100 stops Pacemaker on this node, 101 resets the node. With
// PCMK_fail_fast any unexpected end resets the node. Once a second one daemon,
// in turn, is asked over its socket whether it lives; one that does not answer
// five times running is killed. A stop goes backwards through the daemons, each
// waiting for the one before; what takes longer than three minutes is killed,
// but for the controller, which may be moving resources.
//
// Upstream: daemons/pacemakerd/pcmkd_subdaemons.c.
package super

import (
	"fmt"
	"time"

	"github.com/pacesync/pacesync/internal/pcmk"
)

// Limits and intervals (pcmkd_subdaemons.c).
const (
	maxRespawn    = 100 // ends of one daemon; the counter never goes back
	checkInterval = time.Second
	checkRetries  = 5
	escalateAfter = 3 * time.Minute
	stillWaiting  = 30 * time.Second
)

// Liveness is what a look at a daemon found.
type Liveness uint8

// Results of a look.
const (
	Alive        Liveness = iota // it answers on its socket
	PIDOnly                      // the process is there and does not answer
	Unresponsive                 // neither
	Unauthorized                 // somebody else has the socket
	Broken                       // the look itself failed
)

// Config is fixed for the life of the process.
type Config struct {
	Daemons  []pcmk.Daemon // in the order of their start
	FailFast bool          // PCMK_fail_fast
	SBD      bool          // sbd watches us
	SBDSync  bool          // and tells when to start
}

// Event is what happens. One of the types below.
type Event interface{ event() }

type (
	// Found is a daemon that ran before we did; all come before Begin.
	Found struct{ Daemon, PID int }
	// Begin starts the work.
	Begin struct{}
	// Started is the process of a Start.
	Started struct{ Daemon, PID int }
	// Exited is the end of a process of ours. Signal is 0 after an exit.
	Exited struct {
		Daemon, PID, Signal, Code int
		SignalName                string
		Core                      bool
	}
	// Looked answers a Look: PID is whom the socket belongs to, 0 for nobody.
	Looked struct {
		Daemon, Tracked, PID int
		Result               Liveness
		AfterExit            bool // as the Look said
		Cluster              bool // corosync answers; looked at only after an exit
	}
	// Stop is a signal or a client's request to shut down.
	Stop struct{}
	// ClusterBack is the return of corosync after a loss.
	ClusterBack struct{}
	// SBDPing is sbd's question for our state; SBDGone the end of its connection
	// after it saw that the shutdown is complete.
	SBDPing struct{}
	SBDGone struct{}
)

func (Found) event()       {}
func (Begin) event()       {}
func (Started) event()     {}
func (Exited) event()      {}
func (Looked) event()      {}
func (Stop) event()        {}
func (ClusterBack) event() {}
func (SBDPing) event()     {}
func (SBDGone) event()     {}

// Effect is what the shell is to do, in order. One of the types below.
type Effect interface{ effect() }

type (
	// Start starts a daemon. Respawn: not the first time since our start.
	Start struct {
		Daemon  int
		Respawn bool
	}
	// Kill sends a signal to a process.
	Kill struct {
		Daemon, PID int
		Signal      Signal
	}
	// Look asks whether a daemon lives; AfterExit: and whether the cluster does.
	Look struct {
		Daemon, Tracked int
		AfterExit       bool
	}
	// Panic resets the node.
	Panic struct{ Why string }
	// Quit ends pacemakerd. Fatal: corosync is to end as well.
	Quit struct{ Fatal bool }
	// Log is one line of the log.
	Log struct {
		Level Level
		Text  string
	}
)

func (Start) effect() {}
func (Kill) effect()  {}
func (Look) effect()  {}
func (Panic) effect() {}
func (Quit) effect()  {}
func (Log) effect()   {}

// Signal is one of the three that daemons get.
type Signal uint8

// Signals.
const (
	Term Signal = iota
	Killed
	Segv // leaves a core that shows what hung
)

// Level is the importance of a log line, with syslog's numbers.
type Level uint8

// Levels.
const (
	Emerg Level = 0
	Error Level = iota + 2
	Warning
	Notice
	Info
	Debug
)

// child is one supervised daemon.
type child struct {
	pcmk.Daemon
	pid      int
	ends     int // how often it ended
	checks   int // looks without an answer, running
	respawn  bool
	adopted  bool // ran before us: its end is seen by looks alone
	retry    bool // waits for corosync to be started again
	escalate time.Time
}

// Super is the supervisor. All methods must be called from one goroutine; it
// does no I/O and reads no clock.
type Super struct {
	cfg      Config
	children []child
	state    State
	lastGood time.Time // the last look that found all well
	nextLook time.Time
	looking  bool // an answer is due
	turn     int  // whose look is next
	began    bool

	stopping bool
	phase    int // the child that the stop waits for, downwards
	stopSaid time.Time
	fatal    bool
	sbdGone  bool
	quit     bool

	out []Effect
}

// New makes a supervisor that has done nothing yet.
func New(now time.Time, cfg Config) *Super {
	s := &Super{cfg: cfg, state: Init, lastGood: now, phase: len(cfg.Daemons) - 1}
	for _, d := range cfg.Daemons {
		s.children = append(s.children, child{Daemon: d, respawn: true})
	}
	return s
}

// State is what clients are told.
func (s *Super) State() State { return s.state }

// LastGood is when the last look found a daemon in order.
func (s *Super) LastGood() time.Time { return s.lastGood }

// Take returns and forgets the effects of the Steps since the last call.
func (s *Super) Take() []Effect {
	out := s.out
	s.out = nil
	return out
}

// Deadline is when Step has to be called with a nil event at the latest.
func (s *Super) Deadline() time.Time {
	var at time.Time
	earliest := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if !s.looking {
		earliest(s.nextLook)
	}
	for i := range s.children {
		earliest(s.children[i].escalate)
	}
	return at
}

// Step takes in an event, or the time alone.
func (s *Super) Step(now time.Time, ev Event) {
	switch ev := ev.(type) {
	case Found:
		c := &s.children[ev.Daemon]
		c.pid, c.adopted = ev.PID, true
		s.log(Notice, "Tracking existing %s process (pid=%d)", c.Program, ev.PID)
	case Begin:
		s.nextLook = now.Add(checkInterval)
		if s.cfg.SBD && s.cfg.SBDSync {
			s.log(Notice, "Waiting for startup-trigger from SBD.")
			s.state = WaitForPing
			break
		}
		s.begin()
	case Started:
		s.children[ev.Daemon].pid = ev.PID
		if s.stopping { // asked to stop while it was being started
			s.work(now)
		}
	case Exited:
		s.exited(now, ev)
	case Looked:
		s.looked(now, ev)
	case Stop:
		if !s.stopping {
			s.stopping = true
			s.log(Notice, "Shutting down Pacemaker")
			s.state = ShuttingDown
		}
		s.work(now)
	case ClusterBack:
		s.clusterBack()
	case SBDPing:
		if s.state == WaitForPing {
			s.log(Notice, "Received startup-trigger from SBD.")
			s.begin()
		}
	case SBDGone:
		s.sbdGone = true
		if s.stopping {
			s.work(now)
		}
	}
	s.timers(now)
}

func (s *Super) log(l Level, format string, args ...any) {
	s.out = append(s.out, Log{l, fmt.Sprintf(format, args...)})
}

func (s *Super) do(e Effect) { s.out = append(s.out, e) }

// begin starts every daemon that does not run yet (init_children_processes).
func (s *Super) begin() {
	s.state = StartingDaemons
	for i := range s.children {
		if s.children[i].pid == 0 {
			s.start(i)
		}
	}
	s.began = true
	s.state = Running
}

func (s *Super) start(i int) {
	c := &s.children[i]
	c.adopted, c.checks, c.retry = false, 0, false
	s.do(Start{i, s.began})
}

// timers does what is due.
func (s *Super) timers(now time.Time) {
	for i := range s.children {
		c := &s.children[i]
		if !c.escalate.IsZero() && !c.escalate.After(now) {
			c.escalate = time.Time{}
			if c.pid != 0 {
				s.log(Error, "Child %s not terminating in a timely manner, forcing", c.Program)
				s.do(Kill{i, c.pid, Segv})
			}
		}
	}
	if s.looking || s.nextLook.IsZero() || s.nextLook.After(now) || s.quit {
		return
	}
	s.looking = true
	s.do(Look{Daemon: s.turn, Tracked: s.children[s.turn].pid})
}

// exited is the end of a daemon (pcmk_child_exit).
func (s *Super) exited(now time.Time, ev Exited) {
	c := &s.children[ev.Daemon]
	if ev.PID != c.pid && ev.PID != 0 {
		return // replaced already
	}
	switch {
	case ev.Signal != 0:
		level, core := Error, ""
		if ev.SignalName == "Killed" {
			level = Warning
		}
		if ev.Core {
			core = " and dumped core"
		}
		s.log(level, "%s[%d] terminated with signal %d (%s)%s", c.Program, ev.PID, ev.Signal, ev.SignalName, core)
	case ev.Code == int(pcmk.ExitOK):
		s.log(Info, "%s[%d] exited with status %d (%s)", c.Program, ev.PID, ev.Code, pcmk.Exit(ev.Code))
	case ev.Code == int(pcmk.ExitFatal):
		s.log(Warning, "Shutting cluster down because %s[%d] had fatal failure", c.Program, ev.PID)
		s.giveUp(c)
	case ev.Code == int(pcmk.ExitPanic):
		s.log(Emerg, "%s[%d] instructed the machine to reset", c.Program, ev.PID)
		s.do(Panic{c.Program + " asked for it"})
		s.giveUp(c)
	default:
		s.log(Error, "%s[%d] exited with status %d (%s)", c.Program, ev.PID, ev.Code, pcmk.Exit(ev.Code))
	}
	s.ended(now, ev.Daemon)
}

func (s *Super) giveUp(c *child) {
	c.respawn = false
	s.fatal = true
	if !s.stopping {
		s.stopping = true
		s.log(Notice, "Shutting down Pacemaker")
		s.state = ShuttingDown
	}
}

// ended decides what follows the end of a daemon (pcmk_process_exit).
func (s *Super) ended(now time.Time, i int) {
	c := &s.children[i]
	c.pid, c.adopted, c.checks, c.escalate = 0, false, 0, time.Time{}
	c.ends++
	if c.ends > maxRespawn {
		s.log(Error, "Child respawn count exceeded by %s", c.Program)
		c.respawn = false
	}
	switch {
	case s.stopping:
		s.work(now)
	case !c.respawn:
	case s.cfg.FailFast:
		s.log(Error, "Rebooting system because of %s", c.Program)
		s.do(Panic{c.Program + " ended"})
	default:
		// Somebody else may serve its socket already.
		s.do(Look{Daemon: i, AfterExit: true})
	}
}

// looked takes in a look's answer.
func (s *Super) looked(now time.Time, ev Looked) {
	c := &s.children[ev.Daemon]
	if ev.AfterExit {
		if c.pid == 0 && !s.stopping && c.respawn {
			s.revive(ev)
		}
		return
	}
	s.looking = false
	s.nextLook = now.Add(checkInterval)
	if s.turn++; s.turn == len(s.children) {
		s.turn = 0
	}
	if ev.Tracked == c.pid { // neither started nor ended meanwhile
		s.checked(now, ev)
	}
}

// revive starts a daemon again after an unexpected end (the second half of
// pcmk_process_exit).
func (s *Super) revive(ev Looked) {
	c := &s.children[ev.Daemon]
	switch {
	case ev.Result == Alive:
		s.log(Warning, "One-off suppressing strict respawning of a child process %s, appears alright per %s IPC end-point", c.Program, c.Endpoint)
		c.pid, c.adopted = ev.PID, true
	case c.Grouped && !ev.Cluster:
		if !c.retry {
			s.log(Notice, "Not respawning %s subdaemon until cluster returns", c.Program)
		}
		c.retry = true
	default:
		s.log(Notice, "Respawning %s subdaemon after unexpected exit", c.Program)
		s.start(ev.Daemon)
	}
}

// clusterBack starts what waited for corosync (restart_cluster_subdaemons).
func (s *Super) clusterBack() {
	for i := range s.children {
		if c := &s.children[i]; c.retry && c.pid == 0 && !s.stopping {
			s.log(Notice, "Respawning cluster-based subdaemon: %s", c.Program)
			s.start(i)
		}
	}
}

// checked is one look of the round (check_next_subdaemon).
func (s *Super) checked(now time.Time, ev Looked) {
	c := &s.children[ev.Daemon]
	switch ev.Result {
	case Alive:
		if c.pid != 0 && ev.PID != 0 && ev.PID != c.pid {
			s.do(Kill{ev.Daemon, c.pid, Killed}) // it lost its socket to another process of the same kind
		}
		if ev.PID != 0 && ev.PID != c.pid {
			c.pid, c.adopted = ev.PID, true
		}
		c.checks = 0
		s.lastGood = now
	case PIDOnly:
		if c.checks++; c.checks < checkRetries {
			s.log(Notice, "%s[%d] is unresponsive to ipc after %d tries", c.Program, c.pid, c.checks)
			if c.respawn {
				s.lastGood = now
			}
			return
		}
		s.log(Error, "%s[%d] is unresponsive to ipc after %d tries but we found the pid so have it killed that we can restart",
			c.Program, c.pid, c.checks)
		s.do(Kill{ev.Daemon, c.pid, Killed})
		if c.respawn {
			c.checks = 0
		}
	case Unresponsive:
		if !c.respawn && c.ends <= maxRespawn {
			s.lastGood = now // it is down because it is to be
		}
		if c.pid == 0 && c.retry && c.respawn && !s.stopping {
			// Corosync may have been busy when it was asked, and not gone: then nothing tells
			// of its return, and upstream never starts the daemon again.
			s.do(Look{Daemon: ev.Daemon, AfterExit: true})
			return
		}
		if !c.adopted {
			return // its end comes by itself
		}
		level := Notice
		if c.respawn {
			level = Error
		}
		s.log(level, "%s[%d] terminated", c.Program, c.pid)
		s.ended(now, ev.Daemon)
	default:
		s.log(Error, "%s cannot be supervised any more", c.Program)
		s.fatal, s.quit = true, true
		s.do(Quit{Fatal: true})
	}
}

// work goes on with a stop as far as it can (pcmk_shutdown_worker).
func (s *Super) work(now time.Time) {
	if s.quit {
		return
	}
	for ; s.phase >= 0; s.phase-- {
		c := &s.children[s.phase]
		switch {
		case c.pid == 0:
			s.log(Debug, "%s confirmed stopped", c.Program)
			continue
		case c.respawn:
			c.respawn = false
			s.stopSaid = now.Add(stillWaiting)
			s.log(Notice, "Stopping %s", c.Program)
			s.do(Kill{s.phase, c.pid, Term})
			// The last one, the controller, may take as long as resources do.
			if s.phase < len(s.children)-1 {
				c.escalate = now.Add(escalateAfter)
			}
		case !now.Before(s.stopSaid):
			s.stopSaid = now.Add(stillWaiting)
			s.log(Notice, "Still waiting for %s to terminate", c.Program)
		}
		return
	}
	if s.state != ShutdownComplete {
		s.log(Notice, "Shutdown complete")
		s.state = ShutdownComplete
	}
	if !s.fatal && s.cfg.SBD && s.cfg.SBDSync && !s.sbdGone {
		s.log(Notice, "Waiting for SBD to pick up shutdown-complete-state.")
		return
	}
	s.quit = true
	if s.fatal {
		s.log(Notice, "Shutting down and staying down after fatal error")
	}
	s.do(Quit{Fatal: s.fatal})
}
