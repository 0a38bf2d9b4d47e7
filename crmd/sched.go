package crmd

import (
	"context"
	"os"
	"strconv"
	"time"

	"github.com/pacesync/pacesync/crmd/fsa"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/daemonkit"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// schedTimeout is how long a calculation may take. A DC whose scheduler does
// not answer ends, so that another node can be DC (controld_schedulerd.c).
const schedTimeout = 2 * time.Minute

// How often the DC tries to reach the scheduler, and the time between.
const (
	schedTries = 60
	schedRetry = 250 * time.Millisecond
)

// schedConn is the connection to the scheduler, which the DC has.
type schedConn struct {
	conn    *crmipc.Conn
	dialing bool
	wanted  bool   // it must be there
	ref     string // request whose answer is awaited, empty for none
	limit   *timer
	query   int    // newest CIB query for a calculation
	stopped int    // counts closings, so that a late connection is known as such
	tries   int    // to connect
	hold    *timer // until a controller that vanished had its time to come back
}

// expect says which request is being answered, none when ref is empty.
func (s *schedConn) expect(ref string) {
	s.ref = ref
	s.limit.stop()
}

// forget: the answer that is on its way is out of date.
func (s *schedConn) forget() { s.expect("") }

func (s *schedConn) close() {
	s.wanted, s.dialing, s.tries = false, false, 0
	s.stopped++
	s.expect("")
	s.hold.stop()
	if s.conn != nil {
		conn := s.conn
		s.conn = nil
		_ = conn.Close()
	}
}

// startScheduler begins to connect to the scheduler (A_PE_START).
func (c *Controller) startScheduler() {
	s := &c.sched
	if c.state() == fsa.Stopping {
		c.log.info("Ignoring request to connect to scheduler while shutting down")
		return
	}
	s.wanted = true
	if s.conn != nil || s.dialing {
		return
	}
	s.dialing = true
	round := s.stopped
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
		defer cancel()
		conn, err := crmipc.Dial(ctx, "pengine", crmipc.DialOptions{Buffer: crmipc.SchedulerBuffer})
		c.post(func() { c.schedulerUp(round, conn, err) })
	}()
}

func (c *Controller) schedulerUp(round int, conn *crmipc.Conn, err error) {
	s := &c.sched
	if round != s.stopped {
		if conn != nil {
			_ = conn.Close()
		}
		return
	}
	if err != nil {
		c.log.warn("Could not connect to scheduler: %v", err)
		if s.tries++; s.tries >= schedTries {
			s.dialing = false
			c.fail(fsa.Fail, "do_pe_control")
			return
		}
		c.after(schedRetry, func() { // until then it counts as being dialled
			if round == s.stopped {
				s.dialing = false
				c.startScheduler()
			}
		})
		return
	}
	s.conn, s.dialing, s.tries = conn, false, 0
	conn.Pump(func(in crmipc.Incoming, err error) {
		c.post(func() {
			switch {
			case s.conn != conn:
			case err != nil:
				c.schedulerLost()
			default:
				c.schedulerReply(in.XML)
			}
		})
	})
}

// schedulerLost: pacemakerd starts the scheduler again; what it was asked is asked
// again then. The original's DC ends, and another is elected.
func (c *Controller) schedulerLost() {
	s := &c.sched
	wanted, asked := s.wanted, s.ref != ""
	s.close()
	if !wanted {
		c.log.info("Connection to the scheduler released")
		return
	}
	c.log.warn("Connection to the scheduler failed, connecting again")
	c.startScheduler()
	if asked {
		c.fsa.Require(fsa.PEInvoke)
	}
}

// invokeScheduler has the cluster's state calculated (do_pe_invoke); true
// while it has to wait for the connection.
func (c *Controller) invokeScheduler() (stall bool) {
	s := &c.sched
	switch {
	case !c.leading:
		c.log.err("Not invoking scheduler because not DC: A_PE_INVOKE")
		return false
	case s.conn == nil && c.shuttingDown() && !s.dialing && s.tries == 0:
		c.log.err("Cannot shut down gracefully without the scheduler")
		c.inputFirst(fsa.TerminateNow, fsa.CauseInternal, "do_pe_invoke")
		return false
	case s.conn == nil:
		c.log.info("Waiting for the scheduler to connect")
		c.startScheduler()
		return true
	case c.state() != fsa.PolicyEngine:
		c.log.notice("Not invoking scheduler because in state %s", c.state())
		return false
	case !c.haveCIB:
		c.log.err("Attempted to invoke scheduler without consistent Cluster Information Base!")
		c.inputFirst(fsa.Elect, fsa.CauseInternal, "do_pe_invoke")
		return false
	}
	c.sched.expect("")
	s.query = c.cib.query("", cibScopeLocal, c.calculateWith)
	c.log.debug("Query %d: Requesting the current CIB: %s", s.query, c.state())
	return false
}

// calculateWith sends the CIB to the scheduler (do_pe_invoke_callback).
func (c *Controller) calculateWith(r cibResult) {
	s := &c.sched
	switch {
	case !r.ok() || r.output == nil:
		c.log.err("Could not retrieve the Cluster Information Base: %s | rc=%d call=%d", r.rc, r.rc.Legacy(), r.call)
		c.fail(fsa.Error, "do_pe_invoke_callback")
		return
	case r.call != s.query:
		c.log.trace("Skipping superseded CIB query: %d (current=%d)", r.call, s.query)
		return
	case !c.leading, s.conn == nil:
		c.log.debug("No need to invoke the scheduler anymore")
		return
	case c.state() != fsa.PolicyEngine:
		c.log.debug("Discarding scheduler request in state: %s", c.state())
		return
	case c.cib.pending() > 0:
		// What we wrote ourselves belongs to the calculation: ask again once it is in.
		c.log.debug("Re-asking for the CIB: %d other peer updates still pending", c.cib.pending())
		c.cib.whenIdle(func() { c.fsa.Require(fsa.PEInvoke) })
		return
	}
	if left := c.graceLeft(); left > 0 {
		c.log.info("Waiting %s for a controller to come back before calculating", left.Round(time.Millisecond))
		c.sched.hold.stop()
		c.sched.hold = c.after(left, func() { c.fsa.Require(fsa.PEInvoke) })
		return
	}
	cib := r.output
	cib.Remove()
	cib.Set("dc-uuid", c.nodeID())
	cib.Set("have-quorum", "0")
	if c.wasQuorate {
		cib.Set("have-quorum", "1")
	}
	forceOption(cib, "have-watchdog", boolText(watchdogActive()))
	if c.hadQuorum && !c.quorate {
		cib.Set("no-quorum-panic", "1")
	}
	req := crmipc.NewRequest("pe_calc", "", "pengine", program, strconv.Itoa(os.Getpid()), cib)
	s.expect(req.Attr("reference"))
	if err := s.conn.Post(req); err != nil {
		c.log.warn("Could not contact the scheduler: %v", err)
		c.schedulerLost()
		return
	}
	s.limit = c.after(schedTimeout, func() {
		if c.leading {
			c.log.crit("The scheduler did not answer within %s", schedTimeout)
			c.exit(pcmk.ExitFatal)
		}
	})
	c.log.debug("Invoking the scheduler: query=%d, ref=%s, seq=%d, quorate=%v", r.call, s.ref, c.seq, c.wasQuorate)
}

// forceOption sets a cluster option in a copy of the CIB (force_local_option).
func forceOption(cib *xmltree.Node, name, value string) {
	conf := child(cib, "configuration")
	config := child(conf, "crm_config")
	found := false
	config.Each("cluster_property_set", func(set *xmltree.Node) {
		set.Each("nvpair", func(nv *xmltree.Node) {
			if nv.Attr("name") == name {
				nv.Set("value", value)
				found = true
			}
		})
	})
	if found {
		return
	}
	set := config.Child("cluster_property_set")
	if set == nil {
		set = config.AddNew("cluster_property_set", xmltree.Attr{Name: "id", Value: propertySet})
	}
	set.AddNew("nvpair", xmltree.Attr{Name: "id", Value: propertySet + "-" + name}, xmltree.Attr{Name: "name", Value: name}, xmltree.Attr{Name: "value", Value: value})
}

func child(n *xmltree.Node, name string) *xmltree.Node {
	if c := n.Child(name); c != nil {
		return c
	}
	return n.AddNew(name)
}

// schedulerReply is the scheduler's answer (handle_reply).
func (c *Controller) schedulerReply(n *xmltree.Node) {
	m, err := decodeMessage(n)
	switch {
	case n.Name == "ack" || n.Name == "nack":
		return
	case err != nil:
		c.log.warn("Received invalid message from the scheduler: %v", err)
		return
	case m.task != "pe_calc" || !c.leading:
		return
	case m.ref == "":
		c.log.err("pe_calc - Ignoring calculation with no reference")
		return
	case m.ref != c.sched.ref:
		c.log.info("pe_calc calculation %s is obsolete", m.ref)
		return
	}
	c.sched.expect("")
	c.inputWith(fsa.PESuccess, fsa.CauseIPC, "handle_response", payload{sched: &schedReply{ref: m.ref, input: n.Attr("crm-tgraph-in"), graph: m.data}})
}

// invokeTE executes what the scheduler answered (do_te_invoke).
func (c *Controller) invokeTE(r *schedReply) {
	switch {
	case !c.leading || c.state() != fsa.TransitionEngine:
		c.log.notice("No need to invoke the TE (A_TE_INVOKE) in state %s", c.state())
	case r == nil || r.graph == nil:
		c.log.err("Bad command: the scheduler's answer has no graph")
		c.fail(fsa.Fail, "do_te_invoke")
	default:
		c.te.invoke(*r)
	}
}

// calculate has the cluster's state calculated again.
func (c *Controller) calculate() { c.input(fsa.PECalc, fsa.CauseInternal, "abort_transition_graph") }

func watchdogActive() bool { return daemonkit.LocateSBD() != 0 }
