package graph

import (
	"strconv"

	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/action"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/order"
	"github.com/pacesync/pacesync/pengine/plan"
)

type builder struct {
	c *model.Cluster
	g *Graph
}

// Build makes the graph of everything that has to be done (pcmk__create_graph).
func Build(c *model.Cluster, transition int) *Graph {
	b := &builder{c, &Graph{}}
	b.header(transition)
	for _, r := range c.Resources {
		b.resource(r)
	}
	b.maintenance()
	for i := len(c.Actions) - 1; i >= 0; i-- {
		b.action(c.Actions[i])
	}
	return b.g
}

func (b *builder) header(transition int) {
	opt := &b.c.Opt
	add := func(name, value string) { b.g.Attrs = append(b.g.Attrs, xmltree.Attr{Name: name, Value: value}) }
	add("cluster-delay", opt.All["cluster-delay"])
	add("stonith-timeout", opt.All["stonith-timeout"])
	add("failed-stop-offset", "INFINITY")
	if opt.StartFailureFatal {
		add("failed-start-offset", "INFINITY")
	} else {
		add("failed-start-offset", "1")
	}
	add("batch-limit", opt.All["batch-limit"])
	add("transition_id", strconv.Itoa(transition))
	if v := opt.All["migration-limit"]; positive(v) {
		add("migration-limit", v)
	}
	if b.c.RecheckBy > 0 {
		add("recheck-by", strconv.FormatInt(b.c.RecheckBy, 10))
	}
}

func positive(s string) bool {
	v, ok := score.LeadingInt(s)
	return ok && v > 0
}

// resource adds the actions of a resource (cmds->add_actions_to_graph).
func (b *builder) resource(r *model.Resource) {
	switch r.Variant {
	case model.Clone:
		for i := len(r.Actions) - 1; i >= 0; i-- {
			order.Flags(r.Actions[i], nil)
		}
		for _, d := range []*model.NotifyData{r.Clone.StartNotify, r.Clone.StopNotify, r.Clone.PromoteNotify, r.Clone.DemoteNotify} {
			action.Notifications(r, d)
		}
		for _, k := range r.Children {
			b.resource(k)
		}
	case model.Bundle:
		b.bundle(r)
		return
	}
	for i := len(r.Actions) - 1; i >= 0; i-- {
		b.action(r.Actions[i])
	}
	for _, k := range r.Children {
		b.resource(k)
	}
}

func (b *builder) bundle(r *model.Resource) {
	if r.Bundle.Child != nil {
		b.resource(r.Bundle.Child)
	}
	for _, rep := range r.Bundle.Replicas {
		if rep.Remote != nil {
			if addr := plan.BundleAddr(rep.Remote, nil); addr != "" {
				rep.Remote.Params(nil)["addr"] = addr
			}
		}
		for _, k := range []*model.Resource{rep.IP, rep.Container, rep.Remote} {
			if k != nil {
				b.resource(k)
			}
		}
	}
}

// maintenance reports remote nodes whose maintenance state changed
// (add_maintenance_update).
func (b *builder) maintenance() {
	if len(b.maintenanceNodes()) > 0 {
		plan.PseudoOp(b.c, model.Maintain).Set(model.PrintAlways)
	}
}

func (b *builder) maintenanceNodes() []xmltree.Attr {
	var out []xmltree.Attr
	for _, n := range b.c.Nodes {
		now := 0
		if n.Maintenance {
			now = 1
		}
		if n.Kind == model.Remote && now != n.RemoteMaintenance {
			out = append(out, xmltree.Attr{Name: n.ID, Value: strconv.Itoa(now)})
		}
	}
	return out
}

// action adds one action unless it is there or does not count (add_action_to_graph).
func (b *builder) action(a *model.Action) {
	if !a.Is(model.Dedup) {
		order.Deduplicate(a)
		a.Set(model.Dedup)
	}
	if a.Is(model.Dumped) || !order.Counts(a) {
		return
	}
	a.Set(model.Dumped)
	s := &Synapse{ID: len(b.g.Synapses)}
	p := a.Priority
	if a.Rsc != nil && a.Rsc.Priority > p {
		p = a.Rsc.Priority
	}
	s.Priority = int(max(p, 0))
	b.g.Synapses = append(b.g.Synapses, s)
	s.Event = b.event(a, true)
	for i := len(a.Before) - 1; i >= 0; i-- {
		if e := a.Before[i]; order.CountsInput(a, e) {
			e.Drawn = true
			s.Inputs = append(s.Inputs, b.event(e.First, false))
		}
	}
}
