package explain

import (
	"slices"
	"strings"

	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// maxChain bounds how far actions are followed to find what blocks a start.
const maxChain = 2000

// state tells what is to be said about a resource apart from nodes: what blocks it,
// what it waits for, what is going on.
func (e *Explainer) state(a *Answer, s *subject) {
	add := func(f Finding) {
		if !slices.Contains(a.Reasons, f) {
			a.Reasons = append(a.Reasons, f)
		}
	}
	for _, p := range s.parts {
		e.moves(p, add)
	}
	for _, r := range leaves(s.parts) {
		e.unmanaged(r, add)
		e.wanted(r, add)
		e.blocked(r, add)
		e.goingOn(r, add)
	}
	e.partners(s, add)
	e.planned(s, add)
	e.later(s, add)
	own := func(f Finding) bool {
		return f.Kind == WaitsFor && slices.ContainsFunc(leaves(s.parts), func(r *model.Resource) bool { return r.ID == f.Rsc })
	}
	if others := slices.DeleteFunc(slices.Clone(a.Reasons), own); len(others) > 0 {
		a.Reasons = others // that a member waits for one before it goes without saying
	}
}

// leaves are the primitives in resources.
func leaves(rs []*model.Resource) (out []*model.Resource) {
	for _, r := range rs {
		if len(r.Children) == 0 {
			out = append(out, r)
		} else {
			out = append(out, leaves(r.Children)...)
		}
	}
	return out
}

// unmanaged says why the cluster leaves a resource alone.
func (e *Explainer) unmanaged(r *model.Resource, add func(Finding)) {
	if r.Is(model.Managed) {
		return
	}
	said := false
	tell := func(f Finding) { said = true; add(f) }
	if r.Is(model.Block) {
		f := Finding{Kind: Blocked, Rsc: r.ID}
		if o := e.worstFailure(r, nil); o != nil {
			f = Finding{Kind: BlockedFailure, Rsc: r.ID, Op: opName(o), Node: o.Node.Name, Value: resultText(o)}
		}
		tell(f)
	}
	if e.c.Opt.MaintenanceMode {
		tell(Finding{Kind: MaintenanceMode, ID: e.optionID("maintenance-mode")})
	}
	if p := e.metaPair(r, "maintenance"); p != nil && model.True(p.Attr("value")) {
		tell(Finding{Kind: ResourceMaintenance, Rsc: r.PrintID(), ID: p.ID()})
	}
	if p := e.metaPair(r, "is-managed"); p != nil && !model.True(p.Attr("value")) {
		tell(Finding{Kind: IsUnmanaged, Rsc: r.PrintID(), ID: p.ID()})
	}
	for _, n := range r.RunningOn {
		if n.Maintenance {
			tell(Finding{Kind: NodeMaintenance, Node: n.Name, ID: e.nodeAttrID(n, "maintenance")})
		}
	}
	if e.c.Opt.StonithEnabled && !e.c.Opt.HaveStonith {
		tell(Finding{Kind: NoFencing})
	}
	if !said && r.Is(model.Orphan) {
		tell(Finding{Kind: Orphan})
	}
}

// wanted tells what the configuration or the quorum says about all nodes.
func (e *Explainer) wanted(r *model.Resource, add func(Finding)) {
	if e.c.Opt.StopEverything {
		add(Finding{Kind: StopAll, ID: e.optionID("stop-all-resources")})
	}
	if r.IsDisabled() && r.Is(model.Managed) {
		k := TargetRole
		if r.NextRole > model.Stopped {
			k = TargetUnpromoted
		}
		if k == TargetRole {
			add(e.targetRole(Finding{Kind: k, Score: -model.Inf}, r))
		}
	}
	if policy := e.c.Opt.All["no-quorum-policy"]; !e.c.HaveQuorum && e.c.Opt.NoQuorum != model.QuorumIgnore && r.Is(model.Managed) && !e.stays(r) &&
		r.Flags&(model.NeedsQuorum|model.NeedsFencing) != 0 {
		add(Finding{Kind: NoQuorum, Value: policy})
	}
}

// stays says whether a resource is active and remains where it is.
func (e *Explainer) stays(r *model.Resource) bool {
	return r.Assigned != nil && r.RunsOn(r.Assigned) && e.starts(r)
}

// blocked tells what a start has to wait for, and what makes it impossible.
func (e *Explainer) blocked(r *model.Resource, add func(Finding)) {
	for _, n := range r.RunningOn {
		if n.Unclean && !plan.CanFence(e.c, n) && r.Is(model.Managed) {
			add(Finding{Kind: CannotFence, Node: n.Name, Value: e.whyNotFence()})
		}
	}
	if r.Assigned == nil {
		return
	}
	start := r.First("", model.Start, r.Assigned)
	if start == nil || start.Is(model.Optional) {
		return
	}
	if !start.Is(model.Runnable) {
		if f, ok := e.obstacle(r, start); ok {
			add(f)
		}
		return
	}
	e.fencingBefore(start, add)
}

func (e *Explainer) whyNotFence() string {
	switch {
	case !e.c.Opt.StonithEnabled:
		return "stonith-enabled=false"
	case !e.c.Opt.HaveStonith:
		return "there is no fence device"
	}
	return "there is no quorum"
}

// obstacle finds the action that makes a start impossible.
func (e *Explainer) obstacle(r *model.Resource, start *model.Action) (Finding, bool) {
	seen := map[*model.Action]bool{}
	var find func(a *model.Action) (Finding, bool)
	find = func(a *model.Action) (Finding, bool) {
		if seen[a] || len(seen) > maxChain {
			return Finding{}, false
		}
		seen[a] = true
		for i := len(a.Before) - 1; i >= 0; i-- {
			edge := a.Before[i]
			f := edge.First
			if f.Rsc != nil && f.Is(model.Pseudo) && f.Task == start.Task && r.Within(f.Rsc) {
				// Whether a collective can start is known only through what is before it.
				if out, ok := find(f); ok {
					return out, true
				}
				continue
			}
			if f.Is(model.Runnable) || f == a || (edge.Type|edge.AfterType)&(model.RunnableLeft|model.ImpliesThen|model.OrderRestart|model.OneOrMore) == 0 {
				continue
			}
			if o := e.anyOf(f); o != nil {
				return o.finding(), true
			}
			if f.Rsc == nil || f.Rsc != r && (f.Rsc.Within(r.Top()) || r.Within(f.Rsc)) && f.Is(model.Pseudo) {
				if out, ok := find(f); ok {
					return out, true
				}
				continue
			}
			if f.Rsc == r && f.Task == model.Stop && f.Node != nil {
				return Finding{Kind: WaitsForStop, Rsc: r.ID, Node: f.Node.Name}, true
			}
			if f.Rsc == r {
				continue
			}
			out := Finding{Kind: WaitsFor, Op: taskName(f.Task), Rsc: f.Rsc.ID}
			if o := e.ordering(f.Rsc, r); o != nil {
				out = o.finding()
			}
			return out, true
		}
		return Finding{}, false
	}
	return find(start)
}

// order is an ordering of the configuration.
type order struct{ *model.Ordering }

func (o order) finding() Finding {
	f := Finding{Kind: WaitsForOrder, ID: o.ID, Rsc: o.FirstRsc.ID, Op: model.Start}
	if o.FirstRsc.Parent.IsClone() {
		f.Rsc = o.FirstRsc.Parent.ID
	}
	if _, task, _, ok := model.SplitKey(o.FirstKey); ok {
		f.Op = taskName(task)
	}
	return f
}

// anyOf returns the ordering behind a point that stands for "enough of these", nil
// for other actions.
func (e *Explainer) anyOf(a *model.Action) *order {
	if a.Rsc != nil || !a.Is(model.RequiresAny) {
		return nil
	}
	for _, o := range e.c.Orderings {
		if o.Then == a && o.ID != "" && o.FirstRsc != nil {
			return &order{o}
		}
	}
	return nil
}

// taskName is the name of a task for people: points of collectives stand for what
// they complete.
func taskName(task string) string {
	switch task {
	case model.Running:
		return model.Start
	case model.StoppedTask:
		return model.Stop
	case model.PromotedTask:
		return model.Promote
	case model.Demoted:
		return model.Demote
	}
	return task
}

// ordering returns the configured order of two resources, or of what holds them.
func (e *Explainer) ordering(first, then *model.Resource) *order {
	holds := func(o, r *model.Resource) bool { return o == r || r.Within(o) || o != nil && o.Within(r.Top()) }
	for _, o := range e.c.Orderings {
		if o.ID != "" && o.FirstRsc != nil && o.ThenRsc != nil && holds(o.FirstRsc, first) && holds(o.ThenRsc, then) {
			return &order{o}
		}
	}
	return nil
}

// fencingBefore tells which nodes are fenced before an action.
func (e *Explainer) fencingBefore(a *model.Action, add func(Finding)) {
	seen := map[*model.Action]bool{a: true}
	var guests []Finding
	for queue := []*model.Action{a}; len(queue) > 0 && len(seen) < maxChain; queue = queue[1:] {
		for _, edge := range queue[0].Before {
			f := edge.First
			if seen[f] || !edge.Drawn {
				continue
			}
			seen[f] = true
			if f.Task == model.Fence && f.Node != nil && f.Meta["stonith_action"] != "on" {
				if wait := (Finding{Kind: WaitsForFencing, Node: f.Node.Name, Value: f.Reason}); f.Node.IsGuest() {
					guests = append(guests, wait)
				} else {
					add(wait)
				}
				continue
			}
			queue = append(queue, f)
		}
	}
	for _, f := range guests { // they are fenced by stopping what holds them
		add(f)
	}
}

// goingOn tells what happens to a resource now.
func (e *Explainer) goingOn(r *model.Resource, add func(Finding)) {
	if r.PendingTask != "" && r.PendingNode != nil {
		add(Finding{Kind: InFlight, Rsc: r.ID, Op: r.PendingTask, Node: r.PendingNode.Name})
	}
	if r.PartialSource != nil && r.PartialTarget != nil {
		add(Finding{Kind: Migrating, Rsc: r.ID, Of: r.PartialSource.Name, Node: r.PartialTarget.Name})
	}
	if !r.Is(model.Managed) {
		return
	}
	from := r.Current()
	if r.Is(model.Failed) && from != nil && r.Assigned != nil && r.NextRole != model.Stopped {
		if o := e.worstFailure(r, from); o != nil {
			add(Finding{Kind: Recovers, Rsc: r.ID, Op: opName(o), Node: from.Name, Value: resultText(o)})
		}
	}
}

// moves tells that a part goes to another node, and that a member goes otherwise
// than its group.
func (e *Explainer) moves(p *model.Resource, add func(Finding)) {
	d := decider(p)
	for _, r := range leaves([]*model.Resource{p}) {
		from, f := r.Current(), Finding{Kind: Moves, Rsc: r.ID}
		if r.Assigned == nil || from == nil || from == r.Assigned || r.NextRole == model.Stopped || !r.Is(model.Managed) || !e.starts(r) {
			continue
		}
		f.Of, f.Node = from.Name, r.Assigned.Name
		switch {
		case r == d:
			f.Rsc = p.ID
		case d.Current() == from && d.Assigned == r.Assigned:
			continue
		}
		add(f)
	}
}

// planned tells what is about to be done to a resource in its place.
func (e *Explainer) planned(s *subject, add func(Finding)) {
	for i := range e.run.Changes.Resources {
		c := &e.run.Changes.Resources[i]
		if !slices.ContainsFunc(s.parts, func(p *model.Resource) bool { return c.Rsc == p || c.Rsc.Within(p) }) {
			continue
		}
		switch c.What {
		case "Restart", "Reload", "Re-promote", "Demote", "Promote":
			add(Finding{Kind: Planned, Rsc: c.Rsc.ID, Op: strings.ToLower(c.What), Value: c.Reason()})
		}
	}
}

// partners tells of instances that lost their place because an interleaved clone has
// none for them.
func (e *Explainer) partners(s *subject, add func(Finding)) {
	for _, p := range s.parts {
		other := p.NoPartner
		if other == nil || decider(p).Assigned != nil {
			continue
		}
		f := Finding{Kind: NoPartner, Rsc: other.ID}
		if o := e.ordering(other, p); o != nil {
			f.ID = o.ID
		}
		for _, k := range e.c.Colocations {
			if f.ID == "" && k.Dependent == p.Parent && k.Primary == other {
				f.ID = k.ID
			}
		}
		add(f)
	}
}

// later tells of rules that say nothing about any node now but will.
func (e *Explainer) later(s *subject, add func(Finding)) {
	for _, p := range s.parts {
		for r := p; r != nil; r = r.Parent {
			for _, l := range r.Locations {
				if l.Of != "" && l.Until != 0 && len(l.Nodes) == 0 {
					add(Finding{Kind: RuleChanges, ID: l.ID, Of: l.Of, Until: l.Until})
				}
			}
		}
	}
}
