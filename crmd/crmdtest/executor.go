package crmdtest

import (
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/cib/doc"
	"github.com/pacesync/pacesync/crmd/history"
	"github.com/pacesync/pacesync/crmd/transition"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/sim"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// boot starts a machine and has it join the cluster.
func (n *node) boot() {
	if n.up {
		return
	}
	n.up, n.member = true, true
	n.life++
	n.keeper = history.New(n.name, n.id, false)
	n.agents, n.active, n.busy, n.recur = map[string]history.Agent{}, map[string]bool{}, map[string][]job{}, map[string]*recurring{}
	n.w.note("%s is up", n.name)
	n.w.forget(n, "lrm", "transient_attributes")
	n.w.state(n, "in_ccm", "true", "crmd", "online", "join", "member", "expected", "member")
	x := xmltree.New("node_state", xmltree.Attr{Name: "id", Value: n.id})
	x.Add(n.keeper.Resources())
	n.w.modify("status", x)
	n.w.step(transition.Abort{Priority: transition.Infinity, Next: transition.Restart, Text: "Node join", Source: "world"})
}

// crash stops a machine: nothing of it runs any more.
func (n *node) crash() {
	n.up, n.member = false, false
	n.life++
	n.active = map[string]bool{}
	n.busy, n.recur = map[string][]job{}, map[string]*recurring{}
}

// lose takes a node out of the cluster, its machine running or not.
func (n *node) lose(stop bool) {
	if !n.member {
		return
	}
	if stop {
		n.w.note("%s crashes", n.name)
		n.crash()
	} else {
		n.w.note("%s is cut off", n.name)
		n.member = false
	}
	n.w.state(n, "in_ccm", "false", "crmd", "offline", "join", "down")
	n.w.step(transition.Abort{Priority: transition.Infinity, Next: transition.Restart, Text: "Node failure", Source: "world"})
	n.w.step(transition.NodeDown{ID: n.id, Name: n.name})
}

// step gives the node's keeper an input.
func (n *node) step(in history.Input) {
	n.inputs = append(n.inputs, in)
	if n.stepping {
		return
	}
	n.stepping = true
	for len(n.inputs) > 0 {
		in := n.inputs[0]
		n.inputs = n.inputs[1:]
		n.keeper.SetState(history.State{Name: "S_NOT_DC", Execute: true})
		n.keeper.Step(n.w.clock(), in)
		for _, f := range n.keeper.Take() {
			n.effect(f)
		}
	}
	n.stepping = false
}

// later does something on this node after a while, if it is still the same life of it.
func (n *node) later(d time.Duration, f func()) {
	life := n.life
	n.w.at(d, func() {
		if n.up && n.life == life {
			f()
		}
	})
}

// reply answers the keeper after a while.
func (n *node) reply(in history.Input) {
	n.later(sim.Between(n.w.rng, 0, 3*time.Millisecond), func() { n.step(in) })
}

// tell does something with the cluster, which hears it while the node is a member.
func (n *node) tell(f func()) {
	n.later(sim.Between(n.w.rng, time.Millisecond, time.Millisecond), func() {
		if n.member {
			f()
		}
	})
}

func (n *node) effect(f history.Effect) {
	switch f := f.(type) {
	case history.Log:
		if f.Level <= history.Notice {
			n.w.note("%s: %s", n.name, f.Text)
		}
	case history.QueryInfo:
		a, ok := n.agents[f.Rsc]
		n.reply(history.Info{Rsc: f.Rsc, Known: ok, Agent: a})
	case history.Register:
		n.agents[f.Rsc] = f.Agent
		n.reply(history.Registered{Rsc: f.Rsc})
	case history.Unregister:
		delete(n.agents, f.Rsc)
		n.reply(history.Unregistered{Token: f.Token})
	case history.Describe:
		n.reply(history.Described{Token: f.Token, Agent: f.Agent, Meta: &history.Metadata{Params: []history.Param{{Name: "passwd", Private: true}}}})
	case history.Exec:
		n.exec(f)
	case history.Cancel:
		n.cancel(f)
	case history.MayDelete:
		n.reply(history.Deletable{Token: f.Token})
	case history.Update:
		n.tell(func() { n.w.write(doc.Request{Op: doc.Modify, Section: "status", Input: f.Status, CanCreate: true}) })
	case history.Erase:
		n.tell(func() { n.erase(f) })
	case history.Answer:
		if f.Sys == "tengine" {
			n.tell(func() { n.w.step(transition.Results{Results: transition.DecodeResults(f.State)}) })
		}
	}
}

func (n *node) erase(f history.Erase) {
	if f.Match != nil {
		n.w.write(doc.Request{Op: doc.Delete, Section: "status", Input: f.Match})
	}
}

// exec queues an operation; each resource does one at a time.
func (n *node) exec(f history.Exec) {
	n.calls++
	call := n.calls
	n.reply(history.Started{Token: f.Token, CallID: call})
	n.busy[f.Op.Rsc] = append(n.busy[f.Op.Rsc], job{f.Op, call})
	if len(n.busy[f.Op.Rsc]) == 1 {
		n.begin(f.Op.Rsc)
	}
}

// begin runs the first operation in the queue of a resource.
func (n *node) begin(rsc string) {
	j := n.busy[rsc][0]
	if j.op.Task == "start" {
		n.w.checkStart(n, rsc)
	}
	took := sim.Between(n.w.rng, 5*time.Millisecond, 400*time.Millisecond)
	if n.w.Faults && sim.Chance(n.w.rng, 0.02) {
		took = time.Duration(j.op.Timeout) * time.Millisecond
	}
	if j.op.Task == "start" {
		n.later(took/2, func() { n.active[rsc] = true; n.w.checkActive(rsc) })
	}
	n.later(took, func() { n.finish(rsc, j, took) })
}

// finish ends an operation, well or not.
func (n *node) finish(rsc string, j job, took time.Duration) {
	o := j.op
	o.CallID, o.ExecTime = j.call, int(took.Milliseconds())
	o.RunAt, o.ChangedAt = n.w.clock().Unix(), n.w.clock().Unix()
	n.outcome(rsc, &o, took >= time.Duration(o.Timeout)*time.Millisecond && o.Timeout > 0)
	if o.Interval > 0 {
		n.recur[history.OpKey(o.Rsc, o.Task, o.Interval)] = &recurring{op: o, call: j.call, last: o.RC, seen: true}
		n.again(history.OpKey(o.Rsc, o.Task, o.Interval), j.call)
	}
	n.busy[rsc] = n.busy[rsc][1:]
	n.reply(history.Event{Op: o})
	if len(n.busy[rsc]) > 0 {
		n.begin(rsc)
	}
}

// outcome is what an operation does and how it ends.
func (n *node) outcome(rsc string, o *history.Op, late bool) {
	fail := n.w.Faults && sim.Chance(n.w.rng, 0.04)
	o.Status = pcmk.ExecDone
	switch {
	case late:
		o.Status, o.RC, o.Reason = pcmk.ExecTimeout, pcmk.OCFError, "too slow"
	case o.Task == "start":
		if o.RC = pcmk.OCFOK; fail {
			o.RC = pcmk.OCFError
		}
	case o.Task == "stop":
		if o.RC = pcmk.OCFOK; fail {
			o.RC = pcmk.OCFError
			return
		}
		n.active[rsc] = false
	case o.Task == "monitor":
		o.RC = pcmk.OCFNotRunning
		if n.active[rsc] {
			o.RC = pcmk.OCFOK
		}
		if fail && o.Interval > 0 {
			o.RC = pcmk.OCFNotRunning
			n.active[rsc] = false
		}
	default:
		o.RC = pcmk.OCFOK
	}
}

// again repeats a recurring operation. Only a change of its result is told.
func (n *node) again(key string, call int) {
	n.later(10*time.Second, func() {
		r := n.recur[key]
		if r == nil || r.call != call {
			return
		}
		o := r.op
		n.outcome(o.Rsc, &o, false)
		if o.RC != r.last {
			r.last = o.RC
			o.ChangedAt = n.w.clock().Unix()
			n.reply(history.Event{Op: o})
		}
		n.again(key, call)
	})
}

func (n *node) cancel(f history.Cancel) {
	key := history.OpKey(f.Rsc, f.Task, f.Interval)
	r := n.recur[key]
	if r == nil {
		for i, j := range n.busy[f.Rsc] {
			if i > 0 && j.op.Task == f.Task && j.op.Interval == f.Interval {
				n.busy[f.Rsc] = slices.Delete(n.busy[f.Rsc], i, i+1)
				n.cancelled(f, j.op, j.call)
				return
			}
		}
		n.reply(history.Cancelled{Token: f.Token, RC: pcmk.RC(syscall.EOPNOTSUPP)})
		return
	}
	delete(n.recur, key)
	n.cancelled(f, r.op, r.call)
}

func (n *node) cancelled(f history.Cancel, o history.Op, call int) {
	o.CallID, o.Status, o.RC = call, pcmk.ExecCancelled, pcmk.OCFOK
	n.step(history.Cancelled{Token: f.Token})
	n.reply(history.Event{Op: o})
}

// instance is the resource without the number of an instance.
func instance(rsc string) string {
	base, _, _ := strings.Cut(rsc, ":")
	return base
}

// checkActive sees that a resource is active once.
func (w *World) checkActive(rsc string) {
	if instance(rsc) == w.plan.clone || rsc == "fencing" {
		return
	}
	var on []string
	for _, n := range w.nodes {
		if n.active[rsc] {
			on = append(on, n.name)
		}
	}
	if len(on) > 1 {
		w.problem("%s is active on %s", rsc, strings.Join(on, " and "))
	}
}

// checkStart sees that what has to be active before a resource starts is.
func (w *World) checkStart(n *node, rsc string) {
	for _, g := range w.plan.groups {
		if i := slices.Index(g, rsc); i > 0 && !n.active[g[i-1]] {
			w.problem("%s starts on %s, where %s is not active", rsc, n.name, g[i-1])
		}
	}
	for _, o := range w.plan.orders {
		if o[1] == rsc && !slices.ContainsFunc(w.nodes, func(m *node) bool { return m.active[o[0]] }) {
			w.problem("%s starts although %s is active nowhere", rsc, o[0])
		}
	}
}

// Where tells where a resource is active.
func (w *World) Where(rsc string) []string {
	var on []string
	for _, n := range w.nodes {
		for _, k := range slices.Sorted(maps.Keys(n.active)) {
			if n.active[k] && instance(k) == rsc {
				on = append(on, n.name)
			}
		}
	}
	return on
}
