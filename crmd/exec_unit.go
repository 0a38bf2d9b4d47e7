package crmd

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/crmd/fsa"
	"github.com/pacesync/pacesync/crmd/history"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/lrmd/client"
	"github.com/pacesync/pacesync/lrmd/wire"
)

const (
	// How often to connect to the executor and the time between: as long as upstream
	// tries (controld_execd.c: MAX_LRM_REG_FAILS), but every second counts for a
	// controller that others wait for.
	execTries   = 240
	execRetry   = 250 * time.Millisecond
	execTimeout = 30 * time.Second
	// execBacklog is how many requests may wait for the executor: with one for each
	// resource of a large node there is room left.
	execBacklog = 16384
)

// execUnit is the connection to the executor of this node and the history of what it
// did. It is owned by the loop.
type execUnit struct {
	c       *Controller
	keeper  *history.Keeper
	conn    *client.Client
	jobs    chan func(context.Context, *client.Client)
	dialing bool
	failed  int // attempts to connect
	leaving bool
	asked   bool // what recurs was cancelled, since we leave
	inputs  []history.Input
	running bool
	writing int // updates of the CIB without an answer
}

func newExecutor(c *Controller) *execUnit { return &execUnit{c: c} }

// connect connects to the executor (do_lrm_control); true while that is not done.
func (u *execUnit) connect() (stall bool) {
	if u.keeper == nil {
		u.keeper = history.New(u.c.name(), u.c.nodeID(), false)
	}
	if u.conn != nil {
		return false
	}
	if u.dialing {
		return true
	}
	if u.failed >= execTries {
		u.c.log.err("Failed to connect to the executor the max allowed %d times", u.failed)
		u.c.fail(fsa.Error, "do_lrm_control")
		return false
	}
	u.dialing = true
	u.leaving, u.asked = false, false
	u.c.log.debug("Connecting to the local executor")
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), execTimeout)
		defer cancel()
		conn, err := client.Dial(ctx, "crmd")
		u.c.post(func() { u.dialed(conn, err) })
	}()
	return true
}

func (u *execUnit) dialed(conn *client.Client, err error) {
	if err != nil {
		u.failed++
		u.c.log.warn("Failed to connect to the local executor %d times (%d max): %v", u.failed, execTries, err)
		u.c.after(execRetry, func() { u.dialing = false })
		return
	}
	u.dialing, u.failed, u.conn = false, 0, conn
	u.jobs = make(chan func(context.Context, *client.Client), execBacklog)
	go work(conn, u.jobs)
	conn.Pump(func(n wire.Notify, err error) { u.c.post(func() { u.notified(conn, n, err) }) })
	u.c.log.info("Connection to the local executor established")
}

// work asks the executor one thing after the other, so that nothing waits for it but this.
func work(conn *client.Client, jobs <-chan func(context.Context, *client.Client)) {
	for f := range jobs {
		ctx, cancel := context.WithTimeout(context.Background(), execTimeout)
		f(ctx, conn)
		cancel()
	}
}

// ask has the executor asked, and the answer given to the keeper. An executor that is
// gone gives none: that an operation could not be begun because of that is no failure of
// the resource, and above all no failed stop, for which its node would be fenced. This
// controller ends then, and the DC has everything probed.
func (u *execUnit) ask(f func(ctx context.Context, conn *client.Client) (history.Input, error)) {
	if u.conn == nil {
		return
	}
	conn := u.conn
	job := func(ctx context.Context, conn *client.Client) {
		in, err := f(ctx, conn)
		u.c.post(func() {
			switch {
			case conn != u.conn:
			case gone(err):
				u.c.log.debug("executor: %v", err)
				u.lost(conn)
			default:
				u.step(in)
			}
		})
	}
	select {
	case u.jobs <- job:
	default:
		u.c.log.err("The executor does not answer: %d requests wait for it", execBacklog)
		u.lost(conn)
	}
}

// gone tells whether an error means that the connection is lost, and is no answer of
// the executor.
func gone(err error) bool {
	var rc pcmk.RC
	if errors.As(err, &rc) {
		return false
	}
	return errors.Is(err, syscall.ENOTCONN) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// codeOf is an error of the executor's client as a result.
func codeOf(err error) pcmk.RC {
	var rc pcmk.RC
	switch {
	case err == nil:
		return pcmk.OK
	case errors.As(err, &rc):
		return rc
	}
	return pcmk.RC(syscall.ENOTCONN)
}

// notified takes an event of the executor, or the end of the connection.
func (u *execUnit) notified(conn *client.Client, n wire.Notify, err error) {
	switch {
	case conn != u.conn:
	case err != nil:
		u.lost(conn)
	case n.Op == wire.OpRscExec:
		u.step(history.Event{Op: opOf(n)})
	}
}

func opOf(n wire.Notify) history.Op {
	o := history.Op{
		Rsc: n.RscID, Task: n.Action, Interval: n.Interval, Timeout: n.Timeout, StartDelay: n.StartDelay, Key: n.UserData,
		CallID: n.CallID, Status: n.Status, RC: n.Result, Reason: n.ExitReason, Output: n.Output,
		RunAt: n.RunTime, ChangedAt: n.RCChange, ExecTime: n.ExecTime, QueueTime: n.QueueTime, Deleted: n.Deleted,
		Params: make(map[string]string, len(n.Params)),
	}
	for _, p := range n.Params {
		o.Params[p.Name] = p.Value
	}
	return o
}

// lost reacts to the end of the connection (lrm_connection_destroy).
func (u *execUnit) lost(conn *client.Client) {
	_ = conn.Close()
	u.conn = nil
	close(u.jobs)
	if u.leaving {
		u.c.log.info("Disconnected from executor")
		return
	}
	u.c.log.crit("Connection to executor failed")
	u.c.input(fsa.Error, fsa.CauseInternal, "lrm_connection_destroy")
}

// disconnect leaves the executor; true while operations are under way.
func (u *execUnit) disconnect() (stall bool) {
	if u.keeper == nil || u.conn == nil {
		return false
	}
	if !u.stopped(u.c.state() == fsa.Terminate) {
		return true
	}
	u.c.log.info("Disconnecting from the executor")
	u.leaving = true
	conn := u.conn
	u.conn = nil
	close(u.jobs)
	_ = conn.Close()
	u.keeper.Reset()
	u.c.log.notice("Disconnected from the executor")
	return false
}

func (u *execUnit) reconnect() {
	if u.disconnect() {
		return
	}
	u.connect()
}

// stopped cancels what recurs, and says whether everything else has ended
// (lrm_state_verify_stopped).
func (u *execUnit) stopped(last bool) bool {
	when := "lrm disconnect"
	switch {
	case u.c.state() == fsa.Terminate:
		when = "shutdown"
	case u.c.shuttingDown():
		when = "shutdown... waiting"
	}
	if !u.asked && u.conn != nil {
		u.asked = true
		u.step(history.Quit{})
	}
	if n := u.keeper.Pending(); n > 0 {
		u.c.log.info("%d pending executor operations at %s", n, when)
		if last {
			for _, p := range u.keeper.PendingNames() {
				u.c.log.err("Pending action: %s", p)
			}
		}
		return last
	}
	active := u.keeper.Active()
	for _, id := range active {
		u.c.log.debug("Found %s active at %s", id, when)
	}
	if len(active) > 0 {
		u.c.log.err("%d resources were active at %s", len(active), when)
	}
	return true
}

func (u *execUnit) stopRecurring() {
	if u.keeper != nil {
		u.stopped(true)
	}
}

func (u *execUnit) connected() bool      { return u.conn != nil }
func (u *execUnit) updatesPending() bool { return u.writing > 0 }

// invoke takes a request of the transitioner or of a tool (do_lrm_invoke).
func (u *execUnit) invoke(m *message) {
	verb := m.task
	if verb == "lrm_invoke" {
		verb = ""
	}
	r, err := history.DecodeRequest(verb, m.data, history.Origin{Sys: m.sysFrom, Host: m.from, User: m.user, Reference: m.ref})
	if err != nil {
		u.c.log.err("Invalid execution request: %v", err)
		return
	}
	switch {
	case u.keeper == nil:
		u.c.log.err("Invalid execution request: the executor is not connected")
	case r.Target != "" && !sameName(r.Target, u.c.name()):
		u.refuseRemote(r)
	default:
		u.step(r)
	}
}

// refuseRemote fails an operation on a remote node: there is no connection to any.
func (u *execUnit) refuseRemote(r history.Request) {
	u.c.log.err("Failing action because local node has never had connection to remote node %s", r.Target)
	k := history.New(r.Target, r.Target, true)
	k.Step(time.Now(), history.Refuse{Request: r, Status: pcmk.ExecNotConnected, RC: pcmk.OCFError, Reason: "Local node has no connection to remote"})
	for _, f := range k.Take() {
		switch f.(type) {
		case history.Log, history.Update, history.Answer:
			u.effect(f)
		}
	}
}

// nodeState is what this node tells of itself when it joins
// (controld_query_executor_state).
func (u *execUnit) nodeState() *xmltree.Node {
	if u.keeper == nil {
		u.c.log.err("Could not find executor state for node %s", u.c.name())
		return nil
	}
	state := u.c.nodeState(u.c.peers.Self(), nodeCluster|nodePeer, "controld_query_executor_state")
	if state != nil {
		state.Add(u.keeper.Resources())
	}
	return state
}

func (u *execUnit) clearLastFailure(rsc, node, op string, ms uint) {
	if u.keeper != nil && sameName(node, u.c.name()) {
		u.step(history.ClearFailure{Rsc: rsc, Task: op, Interval: uint32(ms)})
	}
}

// step gives the keeper an input and does what follows.
func (u *execUnit) step(in history.Input) {
	u.inputs = append(u.inputs, in)
	if u.running {
		return
	}
	u.running = true
	for len(u.inputs) > 0 {
		in := u.inputs[0]
		u.inputs = u.inputs[1:]
		s := u.c.state()
		u.keeper.SetState(history.State{
			Name: s.String(), Leaving: u.c.shuttingDown(), LockRscs: u.c.opt.shutdownLock,
			Execute: s == fsa.NotDC || s == fsa.PolicyEngine || s == fsa.TransitionEngine,
		})
		u.keeper.Step(time.Now(), in)
		for _, f := range u.keeper.Take() {
			u.effect(f)
		}
	}
	u.running = false
}

// effect does one thing that the keeper asks for.
func (u *execUnit) effect(f history.Effect) {
	c := u.c
	switch f := f.(type) {
	case history.Log:
		c.log.at(levelOf(int(f.Level)), "%s", []any{f.Text})
	case history.Update:
		u.update(f)
	case history.Erase:
		u.erase(f)
	case history.MayDelete:
		c.cib.request(cibCall{op: "cib_delete", section: f.Path, opts: cibDryRun | cibXPath, user: f.User}, func(r cibResult) {
			u.step(history.Deletable{Token: f.Token, RC: r.rc})
		})
	case history.Delete:
		u.deleteHistory(f)
	case history.Answer:
		u.answer(f)
	case history.Reprobed:
		c.relay(request("lrm_invoke", nil, f.Host, f.Sys, "lrmd"), true)
	case history.ForgetNode:
		c.deleteState(c.name(), sectionLRM, cibScopeLocal)
		c.attrd.updateList(c.name(), false, []nodeAttr{{name: "probe_complete"}})
	case history.Refreshed:
		u.refreshed()
	case history.Alert:
		c.alertResource(f.Op)
	case history.NoStart:
		c.input(fsa.Shutdown, fsa.CauseShutdown, "do_lrm_rsc_op")
	case history.Broken:
		c.fail(fsa.Fail, "do_lrm_rsc_op")
	case history.Changed: // the loop looks at what stalled after every event
	default:
		u.toExecutor(f)
	}
}

// toExecutor does what concerns the executor.
func (u *execUnit) toExecutor(f history.Effect) {
	switch f := f.(type) {
	case history.QueryInfo:
		u.ask(func(ctx context.Context, conn *client.Client) (history.Input, error) {
			r, err := conn.Info(ctx, f.Rsc)
			return history.Info{Rsc: f.Rsc, Known: err == nil, Agent: history.Agent{Class: r.Class, Provider: r.Provider, Type: r.Type}}, err
		})
	case history.Register:
		u.ask(func(ctx context.Context, conn *client.Client) (history.Input, error) {
			err := conn.Register(ctx, wire.Rsc{ID: f.Rsc, Class: f.Agent.Class, Provider: f.Agent.Provider, Type: f.Agent.Type}, wire.DropRecurring)
			return history.Registered{Rsc: f.Rsc, RC: codeOf(err)}, err
		})
	case history.Unregister:
		u.ask(func(ctx context.Context, conn *client.Client) (history.Input, error) {
			err := conn.Unregister(ctx, f.Rsc)
			return history.Unregistered{Token: f.Token, RC: codeOf(err)}, err
		})
	case history.Exec:
		u.execute(f)
	case history.Cancel:
		u.ask(func(ctx context.Context, conn *client.Client) (history.Input, error) {
			err := conn.Cancel(ctx, f.Rsc, f.Task, f.Interval)
			return history.Cancelled{Token: f.Token, RC: codeOf(err)}, err
		})
	case history.Describe:
		u.describe(f)
	default:
		panic("crmd: unknown effect of the history")
	}
}

func (u *execUnit) execute(f history.Exec) {
	op := client.Operation{
		RscID: f.Op.Rsc, Action: f.Op.Task, UserData: f.Op.Key, Interval: f.Op.Interval, Timeout: f.Op.Timeout,
		StartDelay: f.Op.StartDelay, Options: wire.NotifyChangesOnly,
	}
	for _, k := range slices.Sorted(maps.Keys(f.Op.Params)) {
		op.Params = append(op.Params, wire.Param{Name: k, Value: f.Op.Params[k]})
	}
	u.ask(func(ctx context.Context, conn *client.Client) (history.Input, error) {
		call, err := conn.Exec(ctx, op)
		return history.Started{Token: f.Token, CallID: call, RC: codeOf(err)}, err
	})
}

// update writes a result to the CIB (do_update_resource).
func (u *execUnit) update(f history.Update) {
	u.writing++
	u.c.cib.modify("status", f.Status, u.c.smartOpts(), func(r cibResult) {
		u.writing--
		switch {
		case r.ok(), r.rc == pcmk.RCDiffFailed, r.rc == pcmk.RCDiffResync:
		default:
			u.c.log.warn("Resource update %d failed: (rc=%d) %s", r.call, r.rc.Legacy(), r.rc)
		}
	})
}

func (u *execUnit) erase(f history.Erase) {
	done := u.c.logFailure("Erasing an operation's history")
	if f.Match != nil {
		u.c.cib.remove("status", f.Match, cibQuorumOverride, done)
		return
	}
	u.c.cib.remove(f.Path, nil, cibQuorumOverride|cibXPath, func(r cibResult) {
		if !r.ok() && r.rc != pcmk.RC(syscall.ENXIO) {
			done(r)
		}
	})
}

// deleteHistory removes a resource from the CIB (controld_delete_resource_history).
func (u *execUnit) deleteHistory(f history.Delete) {
	c, what := u.c, "resource history for "+f.Rsc+" on "+u.c.name()
	call := c.cib.request(cibCall{op: "cib_delete", section: f.Path, opts: c.smartOpts() | cibXPath, user: f.User}, func(r cibResult) {
		if r.ok() {
			c.log.debug("Deletion of %s (via CIB call %d) succeeded", what, r.call)
		} else {
			c.log.warn("Deletion of %s (via CIB call %d) failed: %s | rc=%d", what, r.call, r.rc, r.rc.Legacy())
		}
	})
	c.log.info("Clearing %s (via CIB call %d) | xpath=%s", what, call, f.Path)
}

// answer tells a result to who asked for it.
func (u *execUnit) answer(f history.Answer) {
	u.c.relay(request("lrm_invoke", f.State, f.Host, f.Sys, "lrmd"), true)
}

// refreshed has the DC look again after history was deleted, which it does not notice
// otherwise (controld_trigger_delete_refresh).
func (u *execUnit) refreshed() {
	set := xmltree.New("crm_config").AddNew("cluster_property_set", xmltree.Attr{Name: "id", Value: "cib-bootstrap-options"})
	set.AddNew("nvpair", xmltree.Attr{Name: "id", Value: "cib-bootstrap-options-last-lrm-refresh"},
		xmltree.Attr{Name: "name", Value: "last-lrm-refresh"}, xmltree.Attr{Name: "value", Value: strconv.FormatInt(time.Now().Unix(), 10)})
	u.c.cib.modify("crm_config", set.Parent, 0, u.c.logFailure("Refresh after a deletion"))
}

// deleteFromCIB deletes the history of a resource on a node that is away
// (handle_lrm_delete, mode "cib").
func (u *execUnit) deleteFromCIB(m *message) {
	c := u.c
	if m.data == nil {
		return
	}
	rsc, node := m.data.Child("primitive"), m.data.Attr("on_node")
	if rsc == nil {
		return
	}
	id := rsc.ID()
	path := "//node_state[@uname='" + node + "']/lrm/lrm_resources/lrm_resource[@id='" + id + "']"
	c.log.debug("Handling lrm_delete for %s on %s locally (clearing CIB resource history only)", id, node)
	c.cib.request(cibCall{op: "cib_delete", section: path, opts: cibDryRun | cibXPath, user: m.user}, func(r cibResult) {
		if r.ok() {
			u.deleteHistory(history.Delete{Rsc: id, Path: path, User: m.user})
		}
		u.answerDeletion(m, id, r.rc)
	})
}

// answerDeletion tells whether a history was deleted.
func (u *execUnit) answerDeletion(m *message, rsc string, rc pcmk.RC) {
	if m.sysFrom == "" {
		return
	}
	key := m.root.Attr("transition-key")
	if m.sysFrom != "tengine" {
		key = m.data.Attr("transition-key")
	}
	o := history.Op{Rsc: rsc, Task: "delete", Key: key, Params: map[string]string{"crm_feature_set": featureSet}}
	switch rc {
	case pcmk.OK:
	case pcmk.RC(syscall.EACCES):
		o.Status, o.RC = pcmk.ExecError, pcmk.OCFInsufficientPriv
	default:
		o.Status, o.RC = pcmk.ExecError, pcmk.OCFError
	}
	c := u.c
	c.log.info("Notifying %s on %s that %s was%s deleted", m.sysFrom, m.from, rsc, map[bool]string{false: " not"}[rc == pcmk.OK])
	const origin = "controld_ack_event_directly"
	state := xmltree.New("node_state", xmltree.Attr{Name: "id", Value: c.nodeID()}, xmltree.Attr{Name: "uname", Value: c.name()},
		xmltree.Attr{Name: "crm-debug-origin", Value: origin})
	x := state.AddNew("lrm", xmltree.Attr{Name: "id", Value: c.nodeID()}).AddNew("lrm_resources").
		AddNew("lrm_resource", xmltree.Attr{Name: "id", Value: rsc})
	o.Enter(x, history.Write{Node: c.name(), Origin: origin})
	c.relay(request("lrm_invoke", state, m.from, m.sysFrom, "lrmd"), true)
	if m.sysFrom != "tengine" {
		u.refreshed()
	}
}

// alert runs an alert agent.
func (u *execUnit) alert(id, path string, timeout time.Duration, env []xmltree.Attr) {
	if u.conn == nil {
		return
	}
	a := client.Alert{ID: id, Path: path, Timeout: int(timeout / time.Millisecond)}
	for _, v := range env {
		a.Params = append(a.Params, wire.Param{Name: v.Name, Value: v.Value})
	}
	job := func(ctx context.Context, conn *client.Client) {
		if err := conn.ExecAlert(ctx, a); err != nil {
			u.c.log.err("Could not execute alert %s: %v", id, err)
		}
	}
	select {
	case u.jobs <- job:
	default:
		u.c.log.err("Could not execute alert %s: the executor does not answer", id)
	}
}
