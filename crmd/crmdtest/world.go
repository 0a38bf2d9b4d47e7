package crmdtest

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/pacesync/pacesync/cib/doc"
	"github.com/pacesync/pacesync/crmd/history"
	"github.com/pacesync/pacesync/crmd/transition"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/sim"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine"
)

// World is a cluster in one process: the policy engine, the transition engine of a DC
// that never fails, and on each node a Keeper with a model of an executor. Time is
// virtual and everything that happens comes from one seed.
type World struct {
	Faults bool // operations fail and nodes are lost
	Liar   bool // the fence device says that it did what it did not

	rng    *rand.Rand
	queue  sim.Queue[func()]
	now    time.Duration
	cib    *xmltree.Node
	engine *transition.Engine
	nodes  []*node
	plan   plan

	transitions int
	asked       int  // request to the policy engine that counts
	computing   bool // one is under way
	inputs      []transition.Input
	stepping    bool
	idle        bool
	log         []string
	problems    []string
}

// epoch is the time at the beginning of every world.
const epoch = 1700000000

// node is a machine. What runs there runs until the machine is stopped, whatever the
// cluster believes.
type node struct {
	w        *World
	name, id string
	up       bool // the machine runs
	member   bool // the cluster hears it
	life     int  // counts its starts, so that what belongs to an earlier one is known
	keeper   *history.Keeper
	agents   map[string]history.Agent
	active   map[string]bool // resources that run
	busy     map[string][]job
	calls    int
	recur    map[string]*recurring // by operation key
	inputs   []history.Input
	stepping bool
}

type job struct {
	op   history.Op
	call int
}

type recurring struct {
	op   history.Op
	call int
	last pcmk.OCF
	seen bool
}

// plan is what the cluster has to do, for the checks.
type plan struct {
	names  []string
	groups [][]string  // members in order
	orders [][2]string // first, then
	clone  string      // may run on every node
}

// NewWorld makes a cluster of a seed.
func NewWorld(seed uint64, faults bool) *World {
	w := &World{Faults: faults, rng: sim.NewRand(seed, 1)}
	names := []string{"n1", "n2", "n3", "n4", "n5"}[:2+w.rng.IntN(4)]
	for i, n := range names {
		w.nodes = append(w.nodes, &node{w: w, name: n, id: strconv.Itoa(i + 1)})
	}
	w.cib = w.configure(names)
	w.engine = transition.New(transition.Config{Self: "observer", Client: "observer", Throttle: &transition.Throttle{Max: 4}})
	w.step(transition.Start{UUID: "00000000-0000-4000-8000-" + fmt.Sprintf("%012d", seed%1000000000000)})
	for _, n := range w.nodes {
		n.boot()
	}
	w.ask()
	return w
}

// configure makes a configuration: primitives, a group, a clone, an order, fencing.
func (w *World) configure(names []string) *xmltree.Node {
	var b strings.Builder
	b.WriteString(`<cib crm_feature_set="3.16.1" validate-with="pacemaker-3.9" epoch="1" num_updates="0" admin_epoch="0" have-quorum="1"><configuration><crm_config><cluster_property_set id="o">`)
	fmt.Fprintf(&b, `<nvpair id="o-b" name="batch-limit" value="%d"/><nvpair id="o-s" name="stonith-enabled" value="true"/><nvpair id="o-f" name="start-failure-is-fatal" value="%t"/>`,
		w.rng.IntN(4)*3, w.rng.IntN(2) == 0)
	b.WriteString(`</cluster_property_set></crm_config><nodes>`)
	for i, n := range names {
		fmt.Fprintf(&b, `<node id="%d" uname="%s"/>`, i+1, n)
	}
	b.WriteString(`</nodes><resources><primitive id="fencing" class="stonith" type="fence_dummy"/>`)
	primitive := func(id string) string {
		w.plan.names = append(w.plan.names, id)
		return fmt.Sprintf(`<primitive id="%s" class="ocf" provider="pacemaker" type="Dummy"><instance_attributes id="%s-i"><nvpair id="%s-p" name="passwd" value="x"/></instance_attributes>`+
			`<operations><op id="%s-m" name="monitor" interval="10s"/></operations><meta_attributes id="%s-a"><nvpair id="%s-t" name="failure-timeout" value="60s"/></meta_attributes></primitive>`, id, id, id, id, id, id)
	}
	for i := range 1 + w.rng.IntN(4) {
		b.WriteString(primitive("p" + strconv.Itoa(i)))
	}
	var group []string
	b.WriteString(`<group id="g">`)
	for i := range 2 + w.rng.IntN(2) {
		group = append(group, "g"+strconv.Itoa(i))
		b.WriteString(primitive(group[i]))
	}
	b.WriteString(`</group><clone id="c">`)
	b.WriteString(primitive("ci"))
	b.WriteString(`</clone></resources><constraints><rsc_order id="ord" first="p0" then="g"/></constraints></configuration><status/></cib>`)
	w.plan.groups, w.plan.orders, w.plan.clone = [][]string{group}, [][2]string{{"p0", group[0]}}, "ci"
	x, err := xmltree.ParseString(b.String(), xmltree.Limits{})
	if err != nil {
		panic(err)
	}
	return x
}

func (w *World) at(d time.Duration, f func()) { w.queue.Put(w.now+d, f) }
func (w *World) soon(f func())                { w.at(sim.Between(w.rng, time.Millisecond, 20*time.Millisecond), f) }
func (w *World) clock() time.Time             { return time.Unix(epoch, 0).Add(w.now) }

func (w *World) problem(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf("%8s ", w.now)+fmt.Sprintf(format, args...))
}

func (w *World) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%8s ", w.now)+fmt.Sprintf(format, args...))
}

// Run lets the world go on until a time, or until nothing happens any more.
func (w *World) Run(until time.Duration) {
	for len(w.problems) == 0 {
		at, ok := w.queue.Next()
		if d := w.engine.Deadline(); !d.IsZero() {
			if due := d.Sub(time.Unix(epoch, 0)); due <= until && (!ok || due < at) {
				w.now = max(w.now, due)
				w.step(transition.Tick{})
				continue
			}
		}
		if !ok || at > until {
			w.now = until
			return
		}
		_, f := w.queue.Pop()
		w.now = at
		f()
	}
}

// write changes the CIB, and tells the engine after a while.
func (w *World) write(r doc.Request) {
	r.ManageVersion = true
	out, err := doc.Perform(w.cib, r)
	if err != nil {
		w.problem("the CIB refuses %s of %s: %v", r.Op, r.Section, err)
		return
	}
	w.cib = out.CIB
	if out.Patch == nil {
		return
	}
	d, ok := transition.DecodeDiff(out.Patch, string(r.Op))
	if !ok {
		w.problem("no patchset: %s", out.Patch)
		return
	}
	w.step(d)
}

func (w *World) modify(section string, x *xmltree.Node) {
	w.write(doc.Request{Op: doc.Modify, Section: section, Input: x, CanCreate: true})
}

// state changes what the CIB says of a node.
func (w *World) state(n *node, attrs ...string) {
	x := xmltree.New("node_state", xmltree.Attr{Name: "id", Value: n.id}, xmltree.Attr{Name: "uname", Value: n.name})
	for i := 0; i < len(attrs); i += 2 {
		x.Set(attrs[i], attrs[i+1])
	}
	w.modify("status", x)
}

// forget deletes elements below the state of a node.
func (w *World) forget(n *node, names ...string) {
	for s := w.cib.Child("status").Child("node_state"); s != nil; s = s.NextNamed() {
		if s.ID() != n.id {
			continue
		}
		for _, k := range names {
			if c := s.Child(k); c != nil {
				x := xmltree.New("node_state", xmltree.Attr{Name: "id", Value: n.id})
				x.AddNew(k, xmltree.Attr{Name: "id", Value: c.ID()})
				w.write(doc.Request{Op: doc.Delete, Section: "status", Input: x.First})
			}
		}
		return
	}
}

func (w *World) env() transition.Env {
	e := transition.Env{Phase: transition.Open, DC: true, ID: w.idOf, Name: func(id string) string {
		for _, n := range w.nodes {
			if n.id == id {
				return n.name
			}
		}
		return ""
	}, Remote: func(string) bool { return false }}
	for _, n := range w.nodes {
		if n.member {
			e.Peers++
		}
	}
	return e
}

func (w *World) idOf(name string) string {
	if n := w.node(name); n != nil {
		return n.id
	}
	return ""
}

func (w *World) node(name string) *node {
	for _, n := range w.nodes {
		if n.name == name {
			return n
		}
	}
	return nil
}

// step gives the engine an input.
func (w *World) step(in transition.Input) {
	w.inputs = append(w.inputs, in)
	if w.stepping {
		return
	}
	w.stepping = true
	for len(w.inputs) > 0 {
		in := w.inputs[0]
		w.inputs = w.inputs[1:]
		w.engine.SetEnv(w.env())
		w.engine.Step(w.clock(), in)
		for _, f := range w.engine.Take() {
			w.effect(f)
		}
	}
	w.stepping = false
}

func (w *World) effect(f transition.Effect) {
	switch f := f.(type) {
	case transition.Log:
		if f.Level <= transition.Notice {
			w.note("dc: %s", f.Text)
		}
	case transition.Invoke:
		w.deliver(f.To, f.Action, f.Key)
	case transition.Command:
		w.command(f)
	case transition.Fence:
		w.fence(f)
	case transition.NodeFenced:
		n := w.node(f.Name)
		w.state(n, "join", "down", "expected", "down", "in_ccm", "false", "crmd", "offline")
		w.forget(n, "lrm", "transient_attributes")
	case transition.Failed:
		w.failed(f)
	case transition.RecordLost:
		w.recordLost(f)
	case transition.Finished:
		w.idle = f.Next != transition.Restart
		if !w.idle {
			w.ask()
		}
	case transition.Outdated:
		w.ask()
	case transition.Unwanted:
		w.asked++
	}
}

// deliver brings an operation to a node; to one that is lost it never comes.
func (w *World) deliver(to string, a *transition.Action, key string) {
	n := w.node(to)
	x := a.XML.Copy()
	x.Set("transition-key", key)
	life := n.life
	w.soon(func() {
		if !n.member || n.life != life {
			return
		}
		r, err := history.DecodeRequest("", x, history.Origin{Sys: "tengine"})
		if err != nil {
			w.problem("%s: %v", x, err)
			return
		}
		n.step(r)
	})
}

// command does what controllers do: clear a count of failures.
func (w *World) command(f transition.Command) {
	a := f.Action
	if a.Task != "clear_failcount" || a.Agent == nil {
		return
	}
	w.soon(func() {
		n := w.node(a.Node)
		for s := w.cib.Child("status").Child("node_state"); s != nil; s = s.NextNamed() {
			if s.ID() != n.id || s.Path("transient_attributes", "instance_attributes") == nil {
				continue
			}
			s.Path("transient_attributes", "instance_attributes").Each("nvpair", func(v *xmltree.Node) {
				if name := v.Attr("name"); strings.HasPrefix(name, "fail-count-"+a.Agent.ID+"#") || strings.HasPrefix(name, "last-failure-"+a.Agent.ID+"#") {
					w.write(doc.Request{Op: doc.Delete, Section: "status", Input: xmltree.New("nvpair", xmltree.Attr{Name: "id", Value: v.ID()})})
				}
			})
		}
		if n.member {
			n.step(history.ClearFailure{Rsc: a.Agent.ID, Task: a.Params["CRM_meta_clear_failure_op"]})
		}
	})
}

// failed counts a failure, as the attribute manager does.
func (w *World) failed(f transition.Failed) {
	op := fmt.Sprintf("%s#%s_%d", f.Rsc, f.Task, f.Interval)
	w.soon(func() {
		if f.Count != "" {
			w.attribute(f.NodeID, "fail-count-"+op, f.Count)
		}
		w.attribute(f.NodeID, "last-failure-"+op, strconv.FormatInt(f.At, 10))
	})
}

func (w *World) attribute(id, name, value string) {
	var old int
	w.cib.Child("status").Find(func(x *xmltree.Node) bool {
		if x.Name == "nvpair" && x.ID() == "status-"+id+"-"+name {
			old, _ = strconv.Atoi(x.Attr("value"))
			if x.Attr("value") == "INFINITY" {
				old = 1000000
			}
		}
		return false
	})
	if value == "value++" {
		value = strconv.Itoa(old + 1)
	}
	x := xmltree.New("node_state", xmltree.Attr{Name: "id", Value: id})
	x.AddNew("transient_attributes", xmltree.Attr{Name: "id", Value: id}).
		AddNew("instance_attributes", xmltree.Attr{Name: "id", Value: "status-" + id}).
		AddNew("nvpair", xmltree.Attr{Name: "id", Value: "status-" + id + "-" + name}, xmltree.Attr{Name: "name", Value: name}, xmltree.Attr{Name: "value", Value: value})
	w.modify("status", x)
}

func (w *World) recordLost(f transition.RecordLost) {
	a := f.Action
	op := history.Op{Rsc: a.Agent.ID, Task: a.Task, Interval: a.Interval, Key: f.Key, CallID: -1, Status: pcmk.ExecTimeout, RC: pcmk.OCFError,
		Reason: f.Reason, Params: a.Params, RunAt: w.clock().Unix()}
	x := xmltree.New("node_state", xmltree.Attr{Name: "id", Value: a.NodeID}, xmltree.Attr{Name: "uname", Value: a.Node})
	op.Enter(x.AddNew("lrm", xmltree.Attr{Name: "id", Value: a.NodeID}).AddNew("lrm_resources").
		AddNew("lrm_resource", xmltree.Attr{Name: "id", Value: a.Agent.ID}, xmltree.Attr{Name: "class", Value: a.Agent.Class}, xmltree.Attr{Name: "type", Value: a.Agent.Type}), history.Write{Node: a.Node, Origin: "test"})
	w.modify("status", x)
}

// fence stops a machine, or fails to.
func (w *World) fence(f transition.Fence) {
	w.at(sim.Between(w.rng, 100*time.Millisecond, 3*time.Second), func() {
		if w.Faults && sim.Chance(w.rng, 0.2) {
			w.step(transition.FenceResult{Key: f.Key, Status: pcmk.ExecError, Exit: 1})
			return
		}
		n := w.node(f.Target)
		if f.How != "on" && !w.Liar {
			w.note("%s is off", n.name)
			n.crash()
			w.at(sim.Between(w.rng, 10*time.Second, 40*time.Second), n.boot)
		}
		w.step(transition.FenceResult{Key: f.Key})
	})
}

// ask asks the policy engine for a transition.
func (w *World) ask() {
	w.asked++
	w.idle = false
	if w.computing {
		return
	}
	w.computing = true
	w.compute()
}

// compute answers the newest request; one that came meanwhile begins anew.
func (w *World) compute() {
	n := w.asked
	w.at(sim.Between(w.rng, time.Millisecond, 100*time.Millisecond), func() {
		if w.engine.Active() || n != w.asked {
			if w.engine.Active() {
				w.computing = false // its end asks again
				return
			}
			w.compute()
			return
		}
		w.computing = false
		w.transitions++
		r, err := pengine.Run(pengine.Input{CIB: w.cib, Now: iso8601.Time{Unix: w.clock().Unix()}, Transition: w.transitions})
		if err != nil {
			w.problem("policy engine: %v", err)
			return
		}
		g, notes, err := transition.Decode(r.Graph.XML(), "world")
		if err != nil || len(notes) > 0 {
			w.problem("graph: %v %v", err, notes)
			return
		}
		w.note("transition %d: %d synapses", w.transitions, len(g.Synapses))
		w.step(transition.Load{Graph: g})
	})
}
