package crmd

import (
	"context"
	"log/slog"
	"time"

	"github.com/pacesync/pacesync/crmd/election"
	"github.com/pacesync/pacesync/crmd/fsa"
	"github.com/pacesync/pacesync/crmd/join"
	"github.com/pacesync/pacesync/internal/crmcluster"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/pcmk"
)

// payload is what belongs to an input of the state machine.
type payload struct {
	msg   *message
	sched *schedReply
}

// Options describe a controller.
type Options struct {
	Log *slog.Logger
}

// Controller is the daemon. Everything in it is owned by the goroutine of Run,
// except events.
type Controller struct {
	log    logger
	events chan func()   // whatever happened, to be done on the loop
	done   chan struct{} // closed when the loop has ended
	later  []func()
	fsa    *fsa.Machine[payload]

	// What is connected, and what we are (upstream: the R_ flags).
	starting   bool // local start is not complete
	leading    bool // we are the DC
	stayDown   bool // do not start us again
	recovering bool
	leaving    bool // connections that end now end because of us
	membership bool // a membership is known
	peerData   bool // and the group
	configured bool // options were read
	haveCIB    bool // ours is the CIB that all go on with
	askedCIB   bool // the best one is being synchronised

	cluster     *crmcluster.Cluster
	connecting  bool // to the cluster
	self        string
	id          uint32
	clusterName string // as corosync has it
	peers       *crmcluster.Peers
	seq         uint64 // of the membership
	quorate     bool
	hadQuorum   bool
	wasQuorate  bool                // as the CIB was told
	missing     map[uint32]*absence // controllers that vanished
	dcLeft      bool                // the DC is among those who leave the group now
	voting      *election.Election
	leader      *join.Leader
	joiner      *join.Joiner
	firstJoin   bool

	cib      *cibConn
	attrd    *attrdConn
	sched    schedConn
	te       transitioner
	exec     executor
	fence    fencer
	ipc      *crmipc.Server
	clients  map[string]*crmipc.Client
	clientIn chan crmipc.Event

	opt      options
	timers   timers
	throttle throttle
	alerts   alertList

	exiting  bool
	exitCode pcmk.Exit
}

// eventBacklog is how many events may wait for the loop before who brings them
// has to.
const eventBacklog = 256

// New returns a controller that is not connected to anything.
func New(o Options) *Controller {
	c := &Controller{
		log: logger{o.Log}, events: make(chan func(), eventBacklog), done: make(chan struct{}), fsa: fsa.New[payload](),
		starting: true, firstJoin: true, clients: map[string]*crmipc.Client{}, clientIn: make(chan crmipc.Event, eventBacklog),
		peers: crmcluster.NewPeers(0, "", true), missing: map[uint32]*absence{},
	}
	c.opt = defaultOptions()
	c.cib = newCIBConn(c)
	c.attrd = newAttrdConn(c)
	c.timers = newTimers(c)
	c.throttle = newThrottle(c)
	c.te = newTransitioner(c)
	c.exec = newExecutor(c)
	c.fence = newFencer(c)
	return c
}

// Run is the life of the daemon: it returns its exit status.
func (c *Controller) Run(ctx context.Context) pcmk.Exit {
	defer close(c.done)
	c.input(fsa.Startup, fsa.CauseStartup, "crmd_init")
	c.run()
	for !c.exiting {
		select {
		case f := <-c.events:
			f()
		case ev := <-c.clientIn:
			c.fromClient(ev)
		case <-ctx.Done():
			c.exit(pcmk.ExitOK)
		}
		c.run()
	}
	c.cleanUp()
	return c.exitCode
}

// Shutdown asks the controller to leave the cluster; asked twice, it leaves at
// once (crm_shutdown). It may be called from any goroutine.
func (c *Controller) Shutdown() { c.post(c.shutDown) }

// post has f called on the loop. It may be called from any goroutine but the
// loop's own, where defer_ is the one to use.
func (c *Controller) post(f func()) {
	select {
	case c.events <- f:
	case <-c.done:
	}
}

// defer_ has f called when the current event is done with.
func (c *Controller) defer_(f func()) { c.later = append(c.later, f) }

// run brings the state machine to rest.
func (c *Controller) run() {
	c.fsa.Wake()
	for !c.exiting {
		s, ok := c.fsa.Next()
		switch {
		case ok && s.Changed:
			c.stateChanged(s)
		case ok:
			c.do(s)
		case len(c.later) > 0:
			f := c.later[0]
			c.later = c.later[1:]
			f()
		default:
			return
		}
	}
}

// timer calls a function on the loop after a while.
type timer struct{ t *time.Timer }

// after has f called on the loop once d has passed, unless the timer is stopped
// on the loop before.
func (c *Controller) after(d time.Duration, f func()) *timer {
	t := &timer{}
	t.t = time.AfterFunc(d, func() {
		c.post(func() {
			if t.t != nil {
				t.t = nil
				f()
			}
		})
	})
	return t
}

// stop ends the timer; a nil one is none.
func (t *timer) stop() {
	if t != nil && t.t != nil {
		t.t.Stop()
		t.t = nil
	}
}

// running says whether the timer will still call its function.
func (t *timer) running() bool { return t != nil && t.t != nil }

func (c *Controller) name() string       { return c.self }
func (c *Controller) nodeID() string     { return c.peers.ByID(c.id).UUID() }
func (c *Controller) isDC() bool         { return c.leading }
func (c *Controller) state() fsa.State   { return c.fsa.State() }
func (c *Controller) shuttingDown() bool { return c.fsa.ShuttingDown }

// dc is the name of the DC, empty while none is known.
func (c *Controller) dc() string {
	if c.joiner == nil {
		return ""
	}
	name, _ := c.joiner.DC()
	return name
}

// input appends an input of the state machine (register_fsa_input).
func (c *Controller) input(in fsa.Input, cause fsa.Cause, origin string) {
	c.fsa.Push(fsa.Event[payload]{Input: in, Cause: cause, Origin: origin})
}

// inputWith appends an input with its message.
func (c *Controller) inputWith(in fsa.Input, cause fsa.Cause, origin string, p payload) {
	c.fsa.Push(fsa.Event[payload]{Input: in, Cause: cause, Origin: origin, Data: p, Full: true})
}

// inputFirst puts an input before those that wait (register_fsa_input_before).
func (c *Controller) inputFirst(in fsa.Input, cause fsa.Cause, origin string) {
	c.fsa.PushFirst(fsa.Event[payload]{Input: in, Cause: cause, Origin: origin})
}

// fail is an input of failure, which goes before what was about to be done
// (register_fsa_error).
func (c *Controller) fail(in fsa.Input, origin string) {
	c.log.info("Resetting the current action list")
	c.fsa.Fail(fsa.Event[payload]{Input: in, Cause: fsa.CauseInternal, Origin: origin})
}

// exit ends the daemon once the current action is done with (crmd_exit).
func (c *Controller) exit(code pcmk.Exit) {
	if c.exiting {
		return
	}
	switch {
	case c.stayDown:
		c.log.warn("Inhibiting respawn | remapping exit code %d to %d", code, pcmk.ExitFatal)
		code = pcmk.ExitFatal
	case code == pcmk.ExitOK && c.recovering:
		c.log.err("Could not recover from internal error")
		code = pcmk.ExitError
	}
	if code != pcmk.ExitOK {
		c.log.notice("Forcing immediate exit with status %d (%s)", code, code)
	}
	c.exiting, c.exitCode = true, code
}

// cleanUp ends what is connected, so that nothing of us is left behind.
func (c *Controller) cleanUp() {
	c.leaving = true
	c.closeIPC()
	c.fence.disconnect(true)
	c.sched.close()
	c.attrd.close()
	c.cib.close()
	if c.cluster != nil {
		cl := c.cluster
		c.cluster = nil
		cl.Close()
	}
}
