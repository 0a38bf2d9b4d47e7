package crmd

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/pacesync/pacesync/crmd/fsa"
	"github.com/pacesync/pacesync/crmd/history"
	"github.com/pacesync/pacesync/crmd/transition"
	"github.com/pacesync/pacesync/internal/crmcluster"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// teUnit carries out what the transition engine decides. It is owned by the loop.
type teUnit struct {
	c       *Controller
	engine  *transition.Engine
	inputs  []transition.Input
	running bool
	timer   *timer
	due     time.Time
}

func newTransitioner(c *Controller) *teUnit {
	return &teUnit{c: c}
}

// core returns the engine, made when the name of this node is known.
func (t *teUnit) core() *transition.Engine {
	if t.engine == nil {
		t.engine = transition.New(transition.Config{
			Self: t.c.name(), Client: fencerClientName(), Throttle: &t.c.throttle.limits,
		})
	}
	return t.engine
}

// step gives the engine an input and does what follows. An input that comes up
// meanwhile waits for its turn.
func (t *teUnit) step(in transition.Input) {
	t.inputs = append(t.inputs, in)
	if t.running {
		return
	}
	t.running = true
	for len(t.inputs) > 0 {
		in := t.inputs[0]
		t.inputs = t.inputs[1:]
		e := t.core()
		e.SetEnv(t.env())
		e.Step(time.Now(), in)
		t.drain()
	}
	t.running = false
	t.arm()
}

// drain does what the engine asks for.
func (t *teUnit) drain() {
	for _, f := range t.engine.Take() {
		t.effect(f)
	}
}

// arm has the engine called when its next action is lost.
func (t *teUnit) arm() {
	at := t.engine.Deadline()
	if at.Equal(t.due) {
		return
	}
	t.timer.stop()
	t.due = at
	if !at.IsZero() {
		t.timer = t.c.after(max(0, time.Until(at)), func() {
			t.due = time.Time{}
			t.step(transition.Tick{})
		})
	}
}

// env is what the engine has to know of the controller.
func (t *teUnit) env() transition.Env {
	c := t.c
	e := transition.Env{Phase: transition.Busy, DC: c.isDC(), OurDC: c.dc(), Peers: c.peers.Active(), Alone: c.onlyMember(), ID: t.nodeID, Name: t.nodeName, Remote: c.isRemote}
	switch c.state() {
	case fsa.Starting, fsa.Pending, fsa.NotDC, fsa.Halt, fsa.Stopping, fsa.Terminate:
		e.Phase = transition.Closed
	case fsa.Idle, fsa.PolicyEngine, fsa.TransitionEngine:
		e.Phase = transition.Open
	}
	return e
}

func (t *teUnit) nodeID(name string) string {
	if p := t.c.peers.ByName(name); p != nil && p.ID != 0 {
		return p.UUID()
	}
	if t.c.isRemote(name) {
		return name
	}
	return ""
}

func (t *teUnit) nodeName(id string) string {
	if p := t.peer(id); p != nil {
		return p.Name
	}
	if t.c.isRemote(id) {
		return id
	}
	return ""
}

func (t *teUnit) peer(id string) *crmcluster.Peer {
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return nil
	}
	return t.c.peers.ByID(uint32(n))
}

// effect does one thing that the engine asks for.
func (t *teUnit) effect(f transition.Effect) {
	c := t.c
	switch f := f.(type) {
	case transition.Log:
		c.log.at(levelOf(int(f.Level)), "%s", []any{f.Text})
	case transition.Invoke:
		t.invokeOn(f)
	case transition.Command:
		m := request(f.Action.Task, f.Action.XML.Copy(), f.To, "crmd", "tengine")
		m.root.Set("transition-key", f.Key)
		c.send(f.To, m)
	case transition.ExpectDown:
		c.setExpected(c.peerOf(f.Node), "down")
	case transition.Maintenance:
		for _, p := range c.peers.All() {
			if p.Name != "" && p.Name != c.name() {
				c.send(p.Name, request(f.Action.Task, f.Action.XML.Copy(), p.Name, "crmd", "tengine"))
			}
		}
	case transition.PseudoDone: // concerns connections to remote nodes
	case transition.RecordLost:
		t.recordLost(f)
	case transition.Failed:
		t.countFailure(f)
	case transition.Finished:
		t.finished(f)
	case transition.Outdated:
		t.recalculate()
	case transition.Unwanted:
		c.sched.forget()
	default:
		t.fencing(f)
	}
}

// invokeOn sends an operation to the executor of a node.
func (t *teUnit) invokeOn(f transition.Invoke) {
	x := f.Action.XML.Copy()
	x.Set("transition-key", f.Key)
	m := request("lrm_invoke", x, f.To, "lrmd", "tengine")
	if f.Local {
		t.c.exec.invoke(m)
		return
	}
	t.c.send(f.To, m)
}

// recordLost writes a failure of an operation whose result never came
// (controld_record_action_event).
func (t *teUnit) recordLost(f transition.RecordLost) {
	a, now := f.Action, time.Now().Unix()
	op := history.Op{
		Rsc: a.Agent.ID, Task: a.Task, Interval: a.Interval, Key: f.Key, CallID: -1, Status: pcmk.ExecTimeout, RC: pcmk.OCFError,
		Reason: f.Reason, Params: a.Params, RunAt: now, ChangedAt: now,
	}
	state := xmltree.New("node_state", xmltree.Attr{Name: "id", Value: a.NodeID}, xmltree.Attr{Name: "uname", Value: a.Node})
	x := state.AddNew("lrm", xmltree.Attr{Name: "id", Value: a.NodeID}).AddNew("lrm_resources").
		AddNew("lrm_resource", xmltree.Attr{Name: "id", Value: a.Agent.ID}, xmltree.Attr{Name: "type", Value: a.Agent.Type}, xmltree.Attr{Name: "class", Value: a.Agent.Class})
	if a.Agent.Provider != "" {
		x.Set("provider", a.Agent.Provider)
	}
	op.Enter(x, history.Write{Node: a.Node, Origin: "controld_record_action_event"})
	t.c.cib.modify("status", state, cibQuorumOverride|cibScopeLocal, t.c.logFailure("Update of a lost action"))
}

// countFailure sets the attributes that count failures of a resource (update_failcount).
func (t *teUnit) countFailure(f transition.Failed) {
	node := t.nodeName(f.NodeID)
	if node == "" {
		t.c.log.err("Cannot count a failure of %s: node %s is not known", f.Rsc, f.NodeID)
		return
	}
	op := fmt.Sprintf("%s#%s_%d", f.Rsc, f.Task, f.Interval)
	remote := t.c.isRemote(node)
	var set []nodeAttr
	if f.Count != "" {
		set = append(set, nodeAttr{name: "fail-count-" + op, value: f.Count})
	}
	set = append(set, nodeAttr{name: "last-failure-" + op, value: strconv.FormatInt(f.At, 10)})
	t.c.attrd.updateList(node, remote, set)
}

// finished turns the end of a transition into an input (notify_crmd).
func (t *teUnit) finished(f transition.Finished) {
	c := t.c
	switch f.Next {
	case transition.Done, transition.Wait:
		if c.state() == fsa.TransitionEngine {
			c.input(fsa.TESuccess, fsa.CauseInternal, "notify_crmd")
		}
	case transition.Restart:
		switch c.state() {
		case fsa.TransitionEngine:
			t.recalculate()
		case fsa.PolicyEngine:
			c.calculate()
		}
	case transition.Shutdown:
		if c.shuttingDown() {
			c.input(fsa.Stop, fsa.CauseInternal, "notify_crmd")
			return
		}
		c.log.err("We didn't ask to be shut down, yet the scheduler is telling us to")
		c.input(fsa.TerminateNow, fsa.CauseInternal, "notify_crmd")
	}
}

// recalculate asks for a new transition: at once, or when the option transition-delay
// says so.
func (t *teUnit) recalculate() {
	delay := t.c.timers.transition
	if delay.period > 0 {
		delay.stop()
		delay.start()
		return
	}
	t.c.input(fsa.PECalc, fsa.CauseInternal, "abort_transition_graph")
}

func (t *teUnit) start() { t.step(transition.Start{UUID: newUUID()}) }
func (t *teUnit) stop()  { t.step(transition.Stop{}) }

// invoke begins to execute a graph (do_te_invoke).
func (t *teUnit) invoke(r schedReply) {
	if t.c.timers.transition.running() {
		t.c.log.debug("The transitioner wait for a transition timer")
		return
	}
	g, notes, err := transition.Decode(r.graph, r.input)
	for _, n := range notes {
		t.c.log.err("%s", n)
	}
	if err != nil {
		t.c.log.err("Cannot execute the transition of %s: %v", r.input, err)
		t.c.fail(fsa.Fail, "do_te_invoke")
		return
	}
	t.step(transition.Load{Graph: g, Ref: r.ref})
}

func (t *teUnit) cancel() bool {
	t.abort(infinity, completeRestart, "Peer Cancelled", nil)
	return t.active()
}

func (t *teUnit) halt() bool {
	t.abort(infinity, completeWait, "Peer Halt", nil)
	return t.active()
}

func (t *teUnit) active() bool { return t.engine != nil && t.engine.Active() }

func (t *teUnit) known() bool {
	return t.engine != nil && t.engine.Graph() != nil && t.engine.Graph().ID != -1
}

func (t *teUnit) abort(prio int, next completion, reason string, cause *xmltree.Node) {
	t.step(transition.Abort{Priority: prio, Next: nextOf(next), Text: reason, Cause: transition.CauseOf(cause), Source: "abort_transition"})
}

func (t *teUnit) abortAfter(d time.Duration, prio int, next completion, reason string) {
	t.step(transition.AbortLater{After: d, Abort: transition.Abort{Priority: prio, Next: nextOf(next), Text: reason, Source: "abort_timer_popped"}})
}

func nextOf(c completion) transition.Next {
	switch c {
	case completeDone:
		return transition.Done
	case completeWait:
		return transition.Wait
	case completeRestart:
		return transition.Restart
	}
	return transition.Shutdown
}

// cibChanged gives the engine a change of the CIB (te_update_diff).
func (t *teUnit) cibChanged(notify *xmltree.Node) {
	if t.engine == nil || t.engine.Graph() == nil {
		return
	}
	if rc, err := strconv.Atoi(notify.Attr("cib_rc")); err == nil && rc < 0 {
		return
	}
	var patch *xmltree.Node
	if r := notify.Child("cib_update_result"); r != nil {
		patch = r.Child("diff")
	}
	d, ok := transition.DecodeDiff(patch, notify.Attr("cib_op"))
	if !ok {
		t.c.log.warn("Ignoring malformed CIB update (unknown patch format)")
		return
	}
	t.step(d)
}

// missed gives the engine the history of all nodes, after changes of it were not told.
func (t *teUnit) missed(status *xmltree.Node) {
	if t.active() {
		t.step(transition.Missed{Results: transition.DecodeResults(status)})
	}
}

func (t *teUnit) nodeGone(id string) {
	t.step(transition.NodeDown{ID: id, Name: t.nodeName(id)})
}

func (t *teUnit) matchDown(id string) (downEvent, bool) {
	if t.engine == nil {
		return downEvent{}, false
	}
	a := t.engine.Down(id)
	t.drain()
	if a == nil {
		return downEvent{}, false
	}
	return downEvent{task: a.Task, action: a.ID, confirmed: a.Confirmed()}, true
}

func (t *teUnit) confirmDown(id string) {
	if t.engine == nil {
		return
	}
	if a := t.engine.Down(id); a != nil {
		t.engine.ConfirmDown(time.Now(), a)
	}
	t.drain()
	t.arm()
}

func (t *teUnit) optionsChanged() { t.core().SetMaxAttempts(t.c.opt.maxAttempts) }

func (t *teUnit) throttleChanged() { t.step(transition.Tick{}) }

// message takes results that do not come through the CIB (process_te_message).
func (t *teUnit) message(m *message) {
	switch {
	case m.sysTo != "tengine":
		t.c.log.info("Received invalid transition request: subsystem '%s' not 'tengine'", m.sysTo)
		return
	case m.task != "lrm_invoke":
		t.c.log.info("Received invalid transition request: command '%s' not 'lrm_invoke'", m.task)
		return
	case m.sysFrom != "lrmd":
		t.c.log.info("Received invalid transition request: from '%s' not 'lrmd'", m.sysFrom)
		return
	}
	t.c.log.debug("Processing transition request with ref='%s' origin='%s'", m.ref, m.from)
	results := transition.DecodeResults(m.data)
	if len(results) == 0 {
		t.c.log.err("Received transition request with no results (bug?)")
		return
	}
	t.step(transition.Results{Results: results})
}

func (t *teUnit) recheckBy() time.Time {
	if t.engine == nil || t.engine.Graph() == nil || t.engine.Graph().RecheckBy == 0 {
		return time.Time{}
	}
	return time.Unix(t.engine.Graph().RecheckBy, 0)
}

// levelOf is a level of syslog as one of ours.
func levelOf(syslog int) slog.Level {
	switch syslog {
	case 2:
		return levelCrit
	case 3:
		return levelError
	case 4:
		return levelWarning
	case 5:
		return levelNotice
	case 6:
		return levelInfo
	}
	return levelDebug
}

// newUUID is a random identifier.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
