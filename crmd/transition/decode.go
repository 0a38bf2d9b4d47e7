package transition

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
)

// MaxActions bounds a graph: the original has no limit, and clusters of a few hundred
// nodes with thousands of clones stay far below.
const MaxActions = 1 << 20

// Decode reads a transition graph (pcmk__unpack_graph). source is where its input is
// kept. Actions that the original passes over are passed over; notes say which.
func Decode(x *xmltree.Node, source string) (g *Graph, notes []string, err error) {
	if x == nil || x.Name != "transition_graph" {
		return nil, nil, errors.New("transition: not a transition graph")
	}
	id, ok := x.Get("transition_id")
	if !ok {
		return nil, nil, errors.New("transition: graph without transition_id")
	}
	delay, ok := x.Get("cluster-delay")
	if !ok {
		return nil, nil, errors.New("transition: graph without cluster-delay")
	}
	g = &Graph{
		ID: scanMin(id, -1), Source: source, ClusterDelay: interval(delay),
		MigrationLimit: scanMin(x.Attr("migration-limit"), -1),
		StopOffset:     x.Attr("failed-stop-offset"), StartOffset: x.Attr("failed-start-offset"),
		actions: map[int]*Action{}, users: map[int][]*Synapse{},
	}
	g.StonithTimeout = g.ClusterDelay
	if t, ok := x.Get("stonith-timeout"); ok {
		g.StonithTimeout = interval(t)
	}
	if n, err := strconv.Atoi(x.Attr("batch-limit")); err == nil {
		g.BatchLimit = max(n, -1)
	}
	if n, err := strconv.ParseInt(x.Attr("recheck-by"), 10, 64); err == nil && n > 0 {
		g.RecheckBy = n
	}
	d := decoder{g: g}
	for s := x.Child("synapse"); s != nil; s = s.NextNamed() {
		if err := d.synapse(s); err != nil {
			return nil, d.notes, err
		}
	}
	return g, d.notes, nil
}

type decoder struct {
	g     *Graph
	count int
	notes []string
}

func (d *decoder) synapse(x *xmltree.Node) error {
	s := &Synapse{ID: scanMin(x.ID(), 0), Priority: scanMin(x.Attr("priority"), 0)}
	for set := x.Child("action_set"); set != nil; set = set.NextNamed() {
		for e := set.First; e != nil; e = e.Next {
			if e.Kind != xmltree.Element {
				continue
			}
			a := d.action(e)
			if a == nil {
				continue
			}
			if d.count++; d.count > MaxActions {
				return fmt.Errorf("transition: graph of more than %d actions", MaxActions)
			}
			a.synapse = s
			s.Actions = append(s.Actions, a)
			if d.g.actions[a.ID] == nil {
				d.g.actions[a.ID] = a
			}
		}
	}
	for in := x.Child("inputs"); in != nil; in = in.NextNamed() {
		for t := in.Child("trigger"); t != nil; t = t.NextNamed() {
			for e := t.First; e != nil; e = e.Next {
				if e.Kind == xmltree.Element {
					d.input(s, e)
				}
			}
		}
	}
	d.g.Synapses = append(d.g.Synapses, s)
	return nil
}

func (d *decoder) input(s *Synapse, x *xmltree.Node) {
	if _, ok := d.kind(x); !ok {
		return
	}
	id := scanMin(x.ID(), -1)
	if s.open == nil {
		s.open = map[int]bool{}
	}
	if !s.open[id] {
		s.open[id] = true
		d.g.users[id] = append(d.g.users[id], s)
	}
}

// kind says what sort of action an element is; false for one that is passed over.
func (d *decoder) kind(x *xmltree.Node) (Kind, bool) {
	if _, ok := x.Get("id"); !ok {
		d.notes = append(d.notes, "Ignoring transition graph action without id (bug?)")
		return 0, false
	}
	switch {
	case strings.EqualFold(x.Name, "rsc_op"):
		return Resource, true
	case strings.EqualFold(x.Name, "pseudo_event"):
		return Pseudo, true
	case strings.EqualFold(x.Name, "crm_event"):
		return Cluster, true
	}
	d.notes = append(d.notes, "Ignoring transition graph action of unknown type '"+x.Name+"' (bug?)")
	return 0, false
}

func (d *decoder) action(x *xmltree.Node) *Action {
	kind, ok := d.kind(x)
	if !ok {
		return nil
	}
	a := &Action{
		ID: scanMin(x.ID(), -1), Kind: kind, XML: x,
		Task: x.Attr("operation"), OpKey: x.Attr("operation_key"), Mode: x.Attr("mode"),
		Node: x.Attr("on_node"), NodeID: x.Attr("on_node_uuid"), Router: x.Attr("router_node"),
		Params: Params(x),
	}
	a.Timeout = time.Duration(scanMin(a.Meta("timeout"), 0)+scanMin(a.Meta("start_delay"), 0)) * time.Millisecond
	if n, err := strconv.ParseUint(a.Meta("interval"), 10, 32); err == nil {
		a.Interval = uint32(n)
	}
	a.TargetRC = scanMin(a.Meta("op_target_rc"), 0)
	a.canFail = model.True(a.Meta("can_fail"))
	if p := primitive(x); p != nil {
		a.Agent = &Agent{ID: p.ID(), LongID: p.Attr("long-id"), Class: p.Attr("class"), Provider: p.Attr("provider"), Type: p.Attr("type")}
	}
	if down := x.Child("downed"); down != nil {
		for n := down.Child("node"); n != nil; n = n.NextNamed() {
			a.Downed = append(a.Downed, n.ID())
		}
	}
	return a
}

func primitive(x *xmltree.Node) *xmltree.Node {
	return x.Find(func(n *xmltree.Node) bool { return n.Name == "primitive" })
}

// Params collects the parameters of an action (xml2list): the attributes of its
// element attributes, and those whose names cannot be attributes.
func Params(x *xmltree.Node) map[string]string {
	out := map[string]string{}
	list := x.Find(func(n *xmltree.Node) bool { return n.Name == "attributes" })
	if list == nil {
		return out
	}
	for _, a := range list.Attrs {
		out[a.Name] = a.Value
	}
	for p := list.Child("param"); p != nil; p = p.NextNamed() {
		if k := p.Attr("name"); k != "" {
			out[k] = p.Attr("value")
		}
	}
	return out
}

// scanMin reads a number that is at least least (pcmk__scan_min_int).
func scanMin(s string, least int) int {
	n, ok := score.LeadingInt(s)
	if !ok {
		return least
	}
	return int(max(min(n, 1<<31-1), int64(least)))
}

func interval(s string) time.Duration {
	ms, _ := iso8601.IntervalMS(s)
	return time.Duration(ms) * time.Millisecond
}
