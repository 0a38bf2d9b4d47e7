package order

import (
	"strings"

	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/place"
)

// orderProbes makes restarts and stops wait for the probes that they depend on
// (pcmk__order_probes).
func orderProbes(c *model.Cluster) {
	for _, r := range c.Resources {
		probesBeforeRestarts(r)
	}
	probesBeforeStops(c)
}

// probesBeforeRestarts is add_restart_orderings_for_rsc.
func probesBeforeRestarts(r *model.Resource) {
	if r.Variant != model.Primitive {
		for _, k := range r.Children {
			probesBeforeRestarts(k)
		}
		return
	}
	for _, p := range r.ActionsFor(model.Key(r.ID, model.Monitor, 0), nil) {
		for i := len(p.After) - 1; i >= 0; i-- {
			var seen []*model.Action
			probeBeforeRestart(p, p.After[i].Then, &seen)
			for _, a := range seen {
				a.Clear(model.Tracking)
			}
		}
	}
}

// probeBeforeRestart follows orders from a probe and makes stops and demotes of what
// comes later wait for it (add_restart_orderings_for_probe).
func probeBeforeRestart(p, after *model.Action, seen *[]*model.Action) {
	if p.Rsc == nil || p.Rsc.Variant != model.Primitive || p.Task != model.Monitor || after.Is(model.Tracking) {
		return
	}
	after.Set(model.Tracking)
	*seen = append(*seen, after)
	r := after.Rsc
	if r != nil && r.Variant == model.Primitive && p.Rsc != r {
		task := ""
		switch after.Task {
		case model.Start:
			task = model.Stop
		case model.Promote:
			task = model.Demote
		}
		if task != "" {
			for _, a := range r.ActionsFor(model.Key(r.ID, task, 0), nil) {
				if !a.Is(model.Pseudo) {
					model.Link(p, a, model.OrderOptional)
				}
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
		probeBeforeRestart(p, e.Then, seen)
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
