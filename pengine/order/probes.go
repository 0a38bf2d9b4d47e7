package order

import (
	"strings"

	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/place"
)

// orderProbes makes restarts and stops wait for the probes that they depend on
// (pcmk__order_probes).
func orderProbes(c *model.Cluster) {
	if ways := waysToRestarts(c); ways != nil {
		for _, r := range c.Resources {
			ways.probesBeforeRestarts(r)
		}
	}
	probesBeforeStops(c)
}

// ways marks actions, by their number, from which orders lead to a restart. What is
// not marked need not be followed: in a chain of resources that only start, each
// probe would be followed to the end of the chain for nothing.
type ways []bool

// waysToRestarts goes back along the orders from all that restarts; nil when nothing
// does.
func waysToRestarts(c *model.Cluster) (w ways) {
	var open []*model.Action
	for _, a := range c.Actions {
		if restarts(a) == nil {
			continue
		}
		if w == nil {
			most := 0
			for _, b := range c.Actions {
				most = max(most, b.ID)
			}
			w = make(ways, most+1)
		}
		w[a.ID] = true
		open = append(open, a)
	}
	for len(open) > 0 {
		a := open[len(open)-1]
		open = open[:len(open)-1]
		for _, e := range a.Before {
			if f := e.First; !w[f.ID] {
				w[f.ID] = true
				open = append(open, f)
			}
		}
	}
	return w
}

// restarts returns the stops or demotes of a primitive that is started or promoted
// by a.
func restarts(a *model.Action) []*model.Action {
	r := a.Rsc
	if r == nil || r.Variant != model.Primitive {
		return nil
	}
	switch a.Task {
	case model.Start:
		return r.ActionsFor(model.Key(r.ID, model.Stop, 0), nil)
	case model.Promote:
		return r.ActionsFor(model.Key(r.ID, model.Demote, 0), nil)
	}
	return nil
}

// probesBeforeRestarts is add_restart_orderings_for_rsc.
func (w ways) probesBeforeRestarts(r *model.Resource) {
	if r.Variant != model.Primitive {
		for _, k := range r.Children {
			w.probesBeforeRestarts(k)
		}
		return
	}
	for _, p := range r.ActionsFor(model.Key(r.ID, model.Monitor, 0), nil) {
		for i := len(p.After) - 1; i >= 0; i-- {
			var seen []*model.Action
			w.probeBeforeRestart(p, p.After[i].Then, &seen)
			for _, a := range seen {
				a.Clear(model.Tracking)
			}
		}
	}
}

// probeBeforeRestart follows orders from a probe and makes stops and demotes of what
// comes later wait for it (add_restart_orderings_for_probe).
func (w ways) probeBeforeRestart(p, after *model.Action, seen *[]*model.Action) {
	if p.Rsc == nil || p.Rsc.Variant != model.Primitive || p.Task != model.Monitor || !w[after.ID] || after.Is(model.Tracking) {
		return
	}
	after.Set(model.Tracking)
	*seen = append(*seen, after)
	r := after.Rsc
	if p.Rsc != r {
		for _, a := range restarts(after) {
			if !a.Is(model.Pseudo) {
				model.Link(p, a, model.OrderOptional)
			}
		}
	}
	interleave := false
	var compatible *model.Resource
	if r != nil && r.Variant > model.Group {
		if interleave = model.True(r.Meta["interleave"]); interleave {
			compatible = place.Compatible(p.Rsc, r, model.Unknown, false)
		}
	}
	for i := len(after.After) - 1; i >= 0; i-- {
		e := after.After[i]
		if e.AfterType&model.ImpliesThen == 0 {
			tr := e.Then.Rsc
			if r == nil || r.Variant < model.Group || p.Rsc.Parent == r || tr == nil || tr.Variant > model.Group || r != tr.Parent {
				continue
			}
			if r.Variant > model.Group && interleave && (compatible == nil || compatible != tr) {
				continue
			}
		}
		w.probeBeforeRestart(p, e.Then, seen)
	}
}

// probesBeforeStops makes what waits for a stop also wait for the probes of the same
// resource (add_probe_orderings_for_stops).
func probesBeforeStops(c *model.Cluster) {
	for _, o := range c.Orderings {
		if o.Type == 0 || o.FirstRsc == nil || o.FirstRsc == o.ThenRsc {
			continue
		}
		if (o.First == nil && o.FirstKey == "") || (o.Then == nil && o.ThenKey == "") || !isStop(o.First, o.FirstKey) {
			continue
		}
		if o.ThenRsc != nil && o.FirstRsc.Container == o.ThenRsc && isStop(o.Then, o.ThenKey) {
			continue
		}
		probes := o.FirstRsc.ActionsFor(model.Key(o.FirstRsc.ID, model.Monitor, 0), nil)
		if len(probes) == 0 {
			continue
		}
		t := model.OrderOptional | o.Type&(model.OrderFirstNonMigratable|model.SameNode)
		if o.Type == model.AntiColocation || o.Type == model.OrderLoad {
			t = o.Type
		}
		var thens []*model.Action
		if o.Then != nil {
			thens = []*model.Action{o.Then}
		} else if o.ThenRsc != nil {
			thens = o.ThenRsc.ActionsFor(o.ThenKey, nil)
		}
		for _, p := range probes {
			for _, a := range thens {
				if probeMatters(p, a) {
					model.Link(p, a, t)
				}
			}
		}
	}
}

func isStop(a *model.Action, key string) bool {
	if a != nil {
		return a.Task == model.Stop
	}
	return strings.HasSuffix(key, "_stop_0")
}

// probeMatters is probe_needed_before_action.
func probeMatters(p, then *model.Action) bool {
	same := p.Node == then.Node
	switch {
	case p.Node == nil || then.Node == nil:
		return true
	case then.Task == model.Fence && same:
		return then.Meta["stonith_action"] != "on"
	case then.Task == model.Shutdown && !same:
		return false
	}
	return true
}
