package transition

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/pacesync/pacesync/pengine/model"
)

var (
	errNoTask = errors.New("Protocol error")
	errNoNode = errors.New("Node not found")
)

// key is the transition key of an action (pcmk__transition_key).
func (e *Engine) key(a *Action, target int) string {
	return Key{Action: a.ID, Transition: e.graph.ID, TargetRC: target, UUID: e.uuid}.String()
}

// initiate begins an action (initiate_action).
func (e *Engine) initiate(now time.Time, a *Action) error {
	a.executed = true
	switch {
	case a.Kind == Pseudo:
		e.pseudo(a)
		return nil
	case a.Kind == Resource:
		return e.operation(now, a)
	case strings.EqualFold(a.Task, taskFence):
		return e.fence(a)
	}
	return e.command(now, a)
}

func (e *Engine) pseudo(a *Action) {
	if strings.EqualFold(a.Task, taskMaintenance) {
		e.emit(Maintenance{Action: a})
	} else {
		e.emit(PseudoDone{Action: a})
	}
	e.notef(Debug, "Pseudo-action %d (%s) fired and confirmed", a.ID, a.OpKey)
	e.confirm(a)
}

// operation sends an action to the executor that carries it out (execute_rsc_action).
func (e *Engine) operation(now time.Time, a *Action) error {
	if a.Node == "" {
		e.notef(Err, "Corrupted command(id=%d) %s: no node", a.ID, a.Task)
		return errNoNode
	}
	local := strings.EqualFold(a.Where(), e.cfg.Self)
	noWait := model.True(a.Meta("op_no_wait"))
	e.notef(Notice, "Initiating %s operation %s%s on %s%s | action %d", a.Task, a.OpKey, when(local, " locally"),
		a.Node, when(noWait, " without waiting"), a.ID)
	e.emit(Invoke{Action: a, To: a.Where(), Local: local, Key: e.key(a, a.TargetRC)})
	if noWait {
		e.notef(Info, "Action %d confirmed - no wait", a.ID)
		a.confirmed = true
		e.graph.confirm(a)
		e.trigger = true
		return nil
	}
	e.count(a, 1)
	e.wait(now, a)
	return nil
}

// wait gives an action the time that its result may take.
func (e *Engine) wait(now time.Time, a *Action) {
	if a.Timeout <= 0 {
		what := a.Task
		if a.Kind == Resource {
			what += " " + a.OpKey
		}
		e.notef(Err, "Action %d: %s on %s had an invalid timeout (%dms).  Using %dms instead",
			a.ID, what, a.Node, a.Timeout.Milliseconds(), e.graph.ClusterDelay.Milliseconds())
		a.Timeout = e.graph.ClusterDelay
	}
	a.deadline = now.Add(a.Timeout + e.graph.ClusterDelay)
}

// command sends an action to the controller that carries it out (execute_cluster_action).
func (e *Engine) command(now time.Time, a *Action) error {
	if a.Task == "" {
		return errNoTask
	}
	if a.Node == "" {
		return errNoNode
	}
	to := a.Router
	if to == "" {
		to = a.Node
		if a.Task == taskDelete && a.Mode == "cib" {
			to = e.cfg.Self
		}
	}
	local := strings.EqualFold(to, e.cfg.Self)
	noWait := model.True(a.Meta("op_no_wait"))
	e.notef(Info, "Handling controller request '%d' (%s on %s)%s%s", a.ID, a.Task, a.Node, when(local, " locally"), when(noWait, " without waiting"))
	if a.Task == taskShutdown {
		if local {
			e.notef(Info, "Controller request '%d' is a local shutdown", a.ID)
			e.graph.next, e.graph.reason = Shutdown, "local shutdown"
			e.confirm(a)
			return nil
		}
		e.emit(ExpectDown{Node: to})
	}
	e.emit(Command{Action: a, To: to, Key: e.key(a, a.TargetRC)})
	if noWait {
		e.confirm(a)
	} else {
		e.wait(now, a)
	}
	return nil
}

// fence asks the fencer to fence a node (controld_execute_fence_action). It has no
// timer: the fencer answers in its own time.
func (e *Engine) fence(a *Action) error {
	how := a.Meta("stonith_action")
	if a.NodeID == "" || a.Node == "" || how == "" {
		return errNoTask
	}
	delay, has := a.Params["CRM_meta_priority_fencing_delay"]
	text := ""
	if has {
		text = " priority_delay=" + delay
	}
	e.notef(Notice, "Requesting fencing (%s) of node %s | action=%d timeout=%d%s", how, a.Node, a.ID, e.graph.StonithTimeout.Milliseconds(), text)
	e.emit(Fence{
		Target: a.Node, How: how, Timeout: e.graph.StonithTimeout, Delay: time.Duration(scanMin(delay, 0)) * time.Second,
		Suicide: e.env.Alone, Key: e.key(a, 0),
	})
	return nil
}

// undelivered fails an action that could not be sent.
func (e *Engine) undelivered(in Undelivered) {
	if e.graph == nil || e.graph.complete {
		return
	}
	a := in.Action
	if a == nil || e.graph.actions[a.ID] != a || a.confirmed && !model.True(a.Meta("op_no_wait")) {
		return
	}
	e.notef(Err, "Action %d failed: send", a.ID)
	a.failed, a.deadline = true, time.Time{}
	e.settle(a)
	a.synapse.confirmed = true
	e.graph.abort = Infinity
	e.trigger = true
}

func when(ok bool, s string) string {
	if ok {
		return s
	}
	return ""
}

// describe logs what is left of a graph that came to no end (pcmk__log_graph).
func (e *Engine) describe() {
	g := e.graph
	if len(g.actions) == 0 {
		return
	}
	e.notef(Notice, "Graph %d with %d actions: batch-limit=%d jobs, network-delay=%dms",
		g.ID, len(g.actions), g.BatchLimit, g.ClusterDelay.Milliseconds())
	for _, s := range g.Synapses {
		e.describeSynapse(Notice, s)
	}
}

// describeSynapse logs how far the actions of a synapse came (log_synapse).
func (e *Engine) describeSynapse(level Level, s *Synapse) {
	state, waiting := "Pending", "none"
	switch {
	case s.failed:
		state = "Failed"
	case s.confirmed:
		state = "Completed"
	case s.executed:
		state = "In-flight"
	case len(s.open) == 0:
		state = "Ready"
	}
	var ids []string
	for _, id := range sortedKeys(s.open) {
		if e.graph.actions[id] != nil && !s.executed {
			ids = append(ids, strconv.Itoa(id))
		}
	}
	if len(ids) > 0 {
		waiting = strings.Join(ids, " ")
	}
	for _, a := range s.Actions {
		kind, on := [...]string{Resource: "resource", Pseudo: "pseudo", Cluster: "cluster"}[a.Kind], ""
		if a.Node != "" {
			on = " on " + a.Node
		}
		e.notef(level, "[Action %4d]: %-50s%s (priority: %d, waiting: %s)", a.ID, state+" "+kind+" op "+a.OpKey, on, s.Priority, waiting)
	}
	for _, id := range sortedKeys(s.open) {
		if e.graph.actions[id] == nil && !s.executed {
			e.notef(level, " * [Input %2d]: Unresolved dependency", id)
		}
	}
}
