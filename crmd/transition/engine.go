package transition

import (
	"fmt"
	"strings"
	"time"
)

// Phase is what the state of the controller allows the engine.
type Phase uint8

// The phases.
const (
	Closed Phase = iota // not the DC, or leaving: nothing runs and nothing is aborted
	Busy                // elections and joins: a transition ends, changes of a finished one are not looked at
	Open                // idle, deciding or executing
)

// Env is what the engine has to know of the controller around it.
type Env struct {
	Phase Phase
	DC    bool   // this node is the DC
	OurDC string // the DC, empty when there is none
	Peers int    // active cluster nodes
	Alone bool   // this node is the only one that joined: it may fence itself
	// ID returns the id of a node, empty when the node is not known; Name the reverse.
	ID   func(name string) string
	Name func(id string) string
	// Remote says whether a node, by name or id, is a Pacemaker Remote node.
	Remote func(node string) bool
}

// Config is what an Engine is made with.
type Config struct {
	Self   string // name of this node
	Client string // name that this controller has at the fencer: "pacemaker-controld.PID"

	Throttle *Throttle // what the nodes say of their load; shared with who hears it
}

// Engine executes transitions. It is owned by the controller's loop.
type Engine struct {
	cfg   Config
	env   Env
	uuid  string // of this engine, in every transition key
	graph *Graph // nil while the engine is stopped
	jobs  map[string]*jobs

	stopOffset, startOffset string // what failed stops and starts count, INFINITY unless a graph says else

	fenceMax   int            // failed attempts after which fencing is not tried again at once
	fenceFails map[string]int // by node
	cleanup    []string       // nodes fenced while there was no DC to write it down

	delayed struct { // an abort that comes later, unless another does before
		at    time.Time
		abort Abort
	}
	trigger bool
	out     []Effect
}

// New returns an engine that is stopped.
func New(cfg Config) *Engine {
	return &Engine{
		cfg: cfg, jobs: map[string]*jobs{}, fenceMax: defaultFenceMax, fenceFails: map[string]int{},
		stopOffset: "INFINITY", startOffset: "INFINITY",
	}
}

// SetEnv tells the engine what changed around it. It is called before Step.
func (e *Engine) SetEnv(env Env) { e.env = env }

// Take returns what is to be done, in order, and forgets it.
func (e *Engine) Take() []Effect {
	out := e.out
	e.out = nil
	return out
}

// Deadline is when Step wants to be called with Tick, zero for never.
func (e *Engine) Deadline() time.Time {
	at := e.delayed.at
	if e.graph == nil {
		return at
	}
	for _, s := range e.graph.Synapses {
		for _, a := range s.Actions {
			if !a.deadline.IsZero() && (at.IsZero() || a.deadline.Before(at)) {
				at = a.deadline
			}
		}
	}
	return at
}

// Step takes an event and lets the transition go on.
func (e *Engine) Step(now time.Time, in Input) {
	switch in := in.(type) {
	case Start:
		e.start(in)
	case Stop:
		e.graph = nil
		e.note(Info, "Transitioner is now inactive")
	case Load:
		e.load(in)
	case Abort:
		e.abort(in)
	case AbortLater:
		e.delayed.at, e.delayed.abort = now.Add(in.After), in.Abort
	case Diff:
		e.diff(now, in)
	case Results:
		for i := range in.Results {
			e.result(now, &in.Results[i])
		}
	case Missed:
		e.missed(now, in.Results)
	case Undelivered:
		e.undelivered(in)
	case FenceResult:
		e.fenceResult(now, in)
	case FenceNotice:
		e.fenceNotice(in)
	case FencerLost:
		e.fencerLost()
	case NodeDown:
		e.nodeDown(in)
	case Tick:
	default:
		panic(fmt.Sprintf("transition: unknown input %T", in))
	}
	e.expire(now)
	for e.trigger {
		e.trigger = false
		e.process(now)
	}
}

// start begins with a graph that is over and asks for another (do_te_control).
func (e *Engine) start(in Start) {
	if e.graph != nil {
		e.note(Debug, "The transitioner is already active")
		return
	}
	if e.uuid == "" {
		e.uuid = in.UUID
		e.note(Info, "Registering TE UUID: "+e.uuid)
	}
	e.graph = blank()
	e.note(Debug, "Transitioner is now active")
}

// Active says whether a transition is under execution.
func (e *Engine) Active() bool { return e.graph != nil && !e.graph.complete }

// Graph returns the newest graph, nil while the engine is stopped.
func (e *Engine) Graph() *Graph { return e.graph }

// load begins with a graph that the policy engine made (do_te_invoke, A_TE_INVOKE).
func (e *Engine) load(in Load) {
	switch {
	case e.graph == nil:
		e.note(Err, "Ignoring a transition graph: the transitioner is not active")
		return
	case !e.graph.complete:
		e.note(Info, "Another transition is already active")
		e.abort(Abort{Infinity, Restart, "Transition Active", nil, "do_te_invoke:187"})
		return
	}
	e.graph = in.Graph
	e.notef(Info, "Processing graph %d (ref=%s) derived from %s", e.graph.ID, in.Ref, e.graph.Source)
	clear(e.jobs)
	if e.graph.StopOffset != "" {
		e.stopOffset = e.graph.StopOffset
	}
	if e.graph.StartOffset != "" {
		e.startOffset = e.graph.StartOffset
	}
	e.trigger = true
}

// process lets the graph go on as far as it can (te_graph_trigger).
func (e *Engine) process(now time.Time) {
	g := e.graph
	if g == nil || e.env.Phase == Closed {
		return
	}
	if !g.complete {
		limit := g.BatchLimit
		g.BatchLimit = e.cfg.Throttle.Total(limit, e.env.Peers)
		status := e.pass(now)
		g.BatchLimit = limit
		switch status {
		case graphActive, graphPending:
			return
		case graphTerminated:
			e.note(Warning, "Transition failed: terminated")
			e.describe()
		}
	}
	e.notef(Debug, "Transition %d is now complete", g.ID)
	g.complete = true
	for _, s := range g.Synapses {
		for _, a := range s.Actions {
			a.deadline = time.Time{}
		}
	}
	reason := g.reason
	if reason == "" {
		reason = "unspecified reason"
	}
	e.notef(Debug, "Transition %d status: %s - %s", g.ID, g.next, reason)
	e.emit(Finished{Graph: g.ID, Next: g.next})
	g.reason, g.next = "", Done
}

type graphStatus uint8

const (
	graphActive graphStatus = iota
	graphPending
	graphComplete
	graphTerminated
)

// pass begins every synapse that may begin (pcmk__execute_graph).
func (e *Engine) pass(now time.Time) graphStatus {
	g := e.graph
	g.fired, g.pending, g.skipped, g.completed, g.incomplete = 0, 0, 0, 0, 0
	for _, s := range g.Synapses {
		if s.confirmed {
			g.completed++
		} else if !s.failed && s.executed {
			g.pending++
		}
	}
	failed := false
	for _, s := range g.Synapses {
		if g.BatchLimit > 0 && g.pending >= g.BatchLimit {
			e.notef(Debug, "Throttling graph execution: batch limit (%d) reached", g.BatchLimit)
			break
		}
		switch {
		case s.failed:
			g.skipped++
		case s.confirmed || s.executed:
		case !e.may(s):
			g.incomplete++
		default:
			g.fired++
			if !e.fire(now, s) {
				failed = true
				g.abort = Infinity
				g.incomplete++
				g.fired--
			}
			if !s.confirmed {
				g.pending++
			}
		}
	}
	return e.sum(failed)
}

// sum says how a pass ended, in the words of the original.
func (e *Engine) sum(failed bool) graphStatus {
	g := e.graph
	status, text, level := graphActive, "In progress", Debug
	switch {
	case g.pending == 0 && g.fired == 0 && g.incomplete != 0 && g.abort <= 0:
		status, text, level = graphTerminated, "Terminated", Warning
	case g.pending == 0 && g.fired == 0 && g.skipped != 0:
		status, text, level = graphComplete, "Stopped", Notice
	case g.pending == 0 && g.fired == 0:
		status, text, level = graphComplete, "Complete", Notice
	case g.fired == 0:
		status = graphPending
	}
	if failed && level == Debug {
		level = Err
	}
	e.notef(level, "Transition %d (Complete=%d, Pending=%d, Fired=%d, Skipped=%d, Incomplete=%d, Source=%s): %s",
		g.ID, g.completed, g.pending, g.fired, g.skipped, g.incomplete, g.Source, text)
	return status
}

// may says whether a synapse may begin now (should_fire_synapse).
func (e *Engine) may(s *Synapse) bool {
	if len(s.open) > 0 {
		return false
	}
	for _, a := range s.Actions {
		switch {
		case a.Kind == Pseudo:
		case s.Priority < e.graph.abort:
			e.graph.skipped++
			return false
		case !e.allowed(a):
			return false
		}
	}
	return true
}

// fire begins the actions of a synapse; false means that one could not begin. One
// without actions, which no scheduler makes, is done with at once: nothing else
// would ever end it, nor the transition (the original waits for it without end).
func (e *Engine) fire(now time.Time, s *Synapse) bool {
	s.executed, s.confirmed = true, len(s.Actions) == 0
	for _, a := range s.Actions {
		if err := e.initiate(now, a); err != nil {
			e.notef(Err, "Failed initiating <%s id=%d> in synapse %d: %v", a.XML.Name, a.ID, s.ID, err)
			e.notef(Err, "Synapse %d failed to fire", s.ID)
			s.confirmed, a.confirmed, a.failed = true, true, true
			return false
		}
	}
	return true
}

// expire fails the actions whose results did not come in time (action_timer_callback),
// and aborts what was to be aborted by now (abort_timer_popped).
func (e *Engine) expire(now time.Time) {
	if at := e.delayed.at; !at.IsZero() && !now.Before(at) {
		e.delayed.at = time.Time{}
		if e.env.DC {
			e.abort(e.delayed.abort)
		}
	}
	if e.graph == nil {
		return
	}
	for _, s := range e.graph.Synapses {
		for _, a := range s.Actions {
			if !a.deadline.IsZero() && !now.Before(a.deadline) {
				a.deadline = time.Time{}
				e.lost(a)
			}
		}
	}
}

// lost fails an action whose result did not come in time.
func (e *Engine) lost(a *Action) {
	task, via := a.Task, a.Router
	if task == "" {
		task = "unknown action"
	}
	if via == "" {
		via = "controller"
	}
	if e.graph.complete {
		e.notef(Notice, "Node %s did not send %s result (via %s) within %dms (ignoring because transition not in progress)",
			a.Node, task, via, a.Timeout.Milliseconds())
		return
	}
	e.notef(Err, "Node %s did not send %s result (via %s) within %dms (action timeout plus cluster-delay)",
		a.Node, task, via, (a.Timeout + e.graph.ClusterDelay).Milliseconds())
	e.describeSynapse(Err, a.synapse)
	a.failed = true
	e.confirm(a)
	e.abort(Abort{Infinity, Restart, "Action lost", nil, "action_timer_callback:678"})
	if a.Kind != Resource || !Recordable(task) || a.Agent == nil {
		return
	}
	e.notef(Warning, "%s %d: %s on %s timed out", a.XML.Name, a.ID, a.OpKey, a.Node)
	reason := "Local executor did not return result in time"
	if !strings.EqualFold(a.Node, e.cfg.Self) {
		reason = "Controller on " + a.Where() + " did not return result in time"
	}
	a.sentUpdate = true
	e.emit(RecordLost{Action: a, Key: e.key(a, a.TargetRC), Reason: reason})
}

// Recordable says whether results of a task belong in the CIB (controld_action_is_recordable).
func Recordable(task string) bool {
	switch strings.ToLower(task) {
	case taskCancel, "delete", "notify", "meta-data":
		return false
	}
	return true
}

// confirm notes that an action has ended and lets the graph go on (te_action_confirmed).
func (e *Engine) confirm(a *Action) {
	e.settle(a)
	e.graph.confirm(a)
	e.trigger = true
}

// settle notes that an action has ended.
func (e *Engine) settle(a *Action) {
	if a.confirmed {
		return
	}
	if a.Kind == Resource && a.Node != "" {
		e.count(a, -1)
	}
	a.confirmed = true
}
