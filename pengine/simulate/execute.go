package simulate

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/graph"
	"github.com/pacesync/pacesync/pengine/model"
)

// Execution carries out a transition on a CIB.
type Execution struct {
	Text    *Text
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
		x.pseudo(e)
	case e.Kind == graph.RscOp:
		ok = x.operation(e)
	case e.Attr("operation") == model.Fence:
		x.fence(e)
	default:
		x.cluster(e)
	}
	for _, i := range x.users[s.Event.ID] {
		if ok || x.Graph.Synapses[i].Priority == int(score.Infinity) {
			x.open[i]--
		}
	}
}

func (x *Execution) pseudo(e *graph.Event) {
	if x.Text.Quiet {
		return
	}
	if n := e.Attr("on_node"); n != "" {
		x.Text.Item("Pseudo action:   %s on %s", e.Attr("operation_key"), n)
	} else {
		x.Text.Item("Pseudo action:   %s", e.Attr("operation_key"))
	}
}

func (x *Execution) cluster(e *graph.Event) {
	switch {
	case x.Text.Quiet:
	case e.Rsc != nil:
		x.Text.Item("Cluster action:  %s for %s on %s", e.Attr("operation"), e.Rsc.ID(), e.Attr("on_node"))
	default:
		x.Text.Item("Cluster action:  %s on %s", e.Attr("operation"), e.Attr("on_node"))
	}
}

func (x *Execution) fence(e *graph.Event) {
	op, target := e.Param("CRM_meta_stonith_action"), e.Attr("on_node")
	if !x.Text.Quiet {
		x.Text.Item("Fencing %s (%s)", target, op)
	}
	if strings.EqualFold(op, "on") {
		return
	}
	x.setNode(x.node(target, ""), false)
	x.forget(target)
}

func (x *Execution) announce(rsc, task, node string, ms uint32) {
	switch {
	case x.Text.Quiet:
	case ms > 0:
		x.Text.Item("Resource action: %-15s %s=%d on %s", rsc, task, ms, node)
	default:
		x.Text.Item("Resource action: %-15s %s on %s", rsc, task, node)
	}
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
		x.announce(rsc, task, node, 0)
		return true
	}
	id := e.Attr("on_node_uuid")
	if e.Attr("router_node") != "" {
		id = node
	}
	ms, _ := strconv.ParseUint(e.Param("CRM_meta_interval"), 10, 32)
	target := max(model.Int(e.Param("CRM_meta_op_target_rc"), 0), 0)
	state := x.node(node, id)
	hist := history(state, agentOf{rsc, name, e.Rsc.Attr("class"), e.Rsc.Attr("provider"), e.Rsc.Attr("type")})
	x.announce(rsc, task, node, uint32(ms))
	rec := record{rsc: name, task: task, ms: uint32(ms), rc: target, target: target, now: x.Now, event: e}
	match, rc, failed := x.failure(rsc, name, &rec, node)
	if failed {
		x.Text.Info(fmt.Sprintf("Pretending action %d failed with rc=%d", e.ID, rc))
		x.abort, rec.rc = int(score.Infinity), rc
		x.failCount(state, match, &rec)
	}
	rec.add(hist)
	return !failed
}

// failure looks for an operation among those that are to fail.
func (x *Execution) failure(rsc, name string, r *record, node string) (match string, rc int, ok bool) {
	for _, spec := range x.Fail {
		op, v, _ := strings.Cut(spec, "=")
		n, valid := score.LeadingInt(v)
		for _, id := range []string{rsc, name} {
			if valid && strings.EqualFold(op, model.Key(id, r.task, r.ms)+"@"+node) {
				return id, int(n), true
			}
		}
	}
	return "", 0, false
}
