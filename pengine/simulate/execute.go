package simulate

import (
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/graph"
	"github.com/pacesync/pacesync/pengine/model"
)

// Execution carries out a transition on a CIB.
type Execution struct {
	tell    teller
	Cluster *model.Cluster // that the graph was made from
	Graph   *graph.Graph
	CIB     *xmltree.Node // is changed
	Now     int64         // when operations are said to have happened
	Fail    []string      // operations that fail: RESOURCE_TASK_INTERVAL@NODE=RC
	Nodes   bool          // also make missing entries of the nodes section

	abort  int           // synapses below this priority are not begun
	users  map[int][]int // by event id: the synapses that wait for it
	open   []int         // by synapse: inputs that are missing
	fired  []bool        // by synapse
	status *xmltree.Node
	known  map[*xmltree.Node]map[string][]*xmltree.Node // by node state: its histories by their id
	twins  map[*xmltree.Node]bool                       // node states that have elements twice

	changed bool // the CIB is not what it was
}

// Run executes every synapse whose inputs are confirmed, pass by pass, and says
// whether the graph came to an end.
func (x *Execution) Run() bool {
	x.status = statusSection(x.CIB)
	x.users = map[int][]int{}
	x.open = make([]int, len(x.Graph.Synapses))
	x.fired = make([]bool, len(x.Graph.Synapses))
	for i, s := range x.Graph.Synapses {
		seen := map[int]bool{}
		for _, in := range s.Inputs {
			if !seen[in.ID] {
				seen[in.ID] = true
				x.users[in.ID] = append(x.users[in.ID], i)
				x.open[i]++
			}
		}
	}
	for {
		fired, skipped, left := x.pass()
		if fired == 0 {
			return left == skipped || x.abort > 0
		}
	}
}

func (x *Execution) pass() (fired, skipped, left int) {
	for i, s := range x.Graph.Synapses {
		switch {
		case x.fired[i]:
		case x.open[i] > 0:
			left++
		case s.Event.Kind != graph.PseudoEvent && s.Priority < x.abort:
			skipped++
			left++
		default:
			fired++
			x.fired[i] = true
			x.fire(s)
		}
	}
	return fired, skipped, left
}

// fire carries out an event; what waits for a failed one is never begun, unless
// it is as urgent as can be.
func (x *Execution) fire(s *graph.Synapse) {
	ok := true
	switch e := s.Event; {
	case e.Kind == graph.PseudoEvent:
		x.tell.pseudo(e)
	case e.Kind == graph.RscOp:
		ok = x.operation(e)
	case e.Attr("operation") == model.Fence:
		x.fence(e)
	default:
		x.tell.cluster(e)
	}
	for _, i := range x.users[s.Event.ID] {
		if ok || x.Graph.Synapses[i].Priority == int(score.Infinity) {
			x.open[i]--
		}
	}
}

// fence takes a node down and forgets what it knew, as the controller does.
func (x *Execution) fence(e *graph.Event) {
	op, target := e.Param("CRM_meta_stonith_action"), e.Attr("on_node")
	x.tell.fencing(target, op)
	if strings.EqualFold(op, "on") {
		return
	}
	state := x.node(target, "")
	if x.setNode(state, false, "simulate_fencing_action") {
		x.touch(false)
	}
	x.settle(state, nil)
	x.forget(target)
}

// operation records the result of an operation of a resource; false means it failed.
func (x *Execution) operation(e *graph.Event) bool {
	task, node := e.Attr("operation"), e.Attr("on_node")
	if task == "probe_complete" || e.Rsc == nil {
		return task == "probe_complete"
	}
	name := e.Rsc.ID()
	rsc := name
	if long := e.Rsc.Attr("long-id"); x.Cluster.Find(name) == nil && long != "" && x.Cluster.Find(long) != nil {
		rsc = long
	}
	if strings.EqualFold(task, model.Delete) || strings.EqualFold(task, "meta-data") {
		x.tell.resource(rsc, task, node, 0)
		return true
	}
	id := e.Attr("on_node_uuid")
	if e.Attr("router_node") != "" {
		id = node
	}
	ms, _ := strconv.ParseUint(e.Param("CRM_meta_interval"), 10, 32)
	target := max(model.Int(e.Param("CRM_meta_op_target_rc"), 0), 0)
	state := x.node(node, id)
	hist := x.history(state, agentOf{rsc, name, e.Rsc.Attr("class"), e.Rsc.Attr("provider"), e.Rsc.Attr("type")})
	if hist == nil {
		x.abort = int(score.Infinity)
		return false
	}
	x.tell.resource(rsc, task, node, uint32(ms))
	rec := record{rsc: name, task: task, ms: uint32(ms), rc: target, target: target, now: x.Now, reason: "User-injected result", event: e}
	match, rc, failed := x.failure(rsc, name, &rec, node)
	if failed {
		x.tell.Infof("Pretending action %d failed with rc=%d", e.ID, rc)
		x.abort, rec.rc = int(score.Infinity), rc
		x.failCount(state, match, &rec)
	}
	rec.add(hist)
	x.settle(state, hist)
	x.touch(false)
	return !failed
}

// failure looks for an operation among those that are to fail. The first part of
// the specification, up to its first "=", names the operation.
func (x *Execution) failure(rsc, name string, r *record, node string) (match string, rc int, ok bool) {
	for _, spec := range x.Fail {
		for _, id := range []string{rsc, name} {
			key := model.Key(id, r.task, r.ms) + "@" + node + "="
			if len(spec) < len(key) || !strings.EqualFold(spec[:len(key)], key) {
				continue
			}
			_, v, _ := strings.Cut(spec, "=")
			if n, valid := score.LeadingInt(v); valid {
				return id, int(n), true
			}
			x.tell.Errf("Invalid failed operation '%s' (result code must be integer)", spec)
			break
		}
	}
	return "", 0, false
}
