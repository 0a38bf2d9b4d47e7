package simulate

import (
	"strings"

	"github.com/pacesync/pacesync/pengine/model"
)

// Summary prints what a transition will do, by node and by resource.
func Summary(t *Text, c *model.Cluster) {
	t.Begin("Transition Summary")
	for i := len(c.Actions) - 1; i >= 0; i-- {
		if a := c.Actions[i]; a.Rsc == nil && !a.Is(model.Optional) {
			summarizeNode(t, a)
		}
	}
	s := summary{t: t, width: 5, detail: 5}
	for _, r := range c.Resources {
		s.resource(r)
	}
	t.End()
}

func summarizeNode(t *Text, a *model.Action) {
	var task string
	switch {
	case strings.EqualFold(a.Task, model.Shutdown):
		task = "Shutdown"
	case strings.EqualFold(a.Task, model.Fence):
		task = "Fence (" + a.Meta["stonith_action"] + ")"
	default:
		return
	}
	name := a.Node.Name
	if a.Node.IsGuest() {
		name += " (resource: " + a.Node.RemoteRsc.Container.ID + ")"
	}
	if a.Reason != "" {
		t.Item("%s %s '%s'", task, name, a.Reason)
	} else {
		t.Item("%s %s", task, name)
	}
}

// summary prints one line per change of a resource; the columns only get wider.
type summary struct {
	t             *Text
	width, detail int
}

func (s *summary) resource(r *model.Resource) {
	if r.Variant == model.Bundle {
		for _, rep := range r.Bundle.Replicas {
			for _, k := range []*model.Resource{rep.IP, rep.Container, rep.Remote, rep.Child} {
				if k != nil {
					s.resource(k)
				}
			}
		}
		return
	}
	if len(r.Children) > 0 {
		for _, k := range r.Children {
			s.resource(k)
		}
		return
	}
	current := r.Current()
	if current == nil && r.Is(model.Orphan) {
		return
	}
	if current != nil && r.Role == model.Stopped {
		r.Role = model.Started
	}
	if r.Is(model.Managed) && (current != nil || r.Assigned != nil) {
		s.changes(change{r: r, from: current, to: r.Assigned})
	}
}

// change is what happens to a primitive.
type change struct {
	r                           *model.Resource
	from, to                    *model.Node
	start, stop, promote, demte *model.Action
}

// first returns the oldest of the actions that match (pe__resource_actions).
func first(r *model.Resource, n *model.Node, task string) *model.Action {
	for _, a := range r.ActionsFor(model.Key(r.ID, task, 0), n) {
		return a
	}
	return nil
}

func (s *summary) changes(c change) {
	r := c.r
	find := func(n *model.Node, task string) *model.Action { return first(r, n, task) }
	c.start = find(c.to, model.Start)
	var at *model.Node
	if c.start != nil && c.start.Is(model.Runnable) {
		at = c.from
	}
	c.stop = find(at, model.Stop)
	if c.stop == nil && r.Is(model.StopUnexpected) {
		c.stop = find(nil, model.Stop)
	}
	c.promote, c.demte = find(c.to, model.Promote), find(c.to, model.Demote)
	if r.Role == r.NextRole {
		s.sameRole(c)
		return
	}
	moving := c.from != nil && c.to != nil && c.from != c.to
	switch {
	case c.stop != nil && (r.NextRole == model.Stopped || (c.start != nil && !c.start.Is(model.Runnable))):
		s.stops(c)
	case c.stop != nil && r.Is(model.Failed|model.StopOnFail):
		s.item("Recover", c, c.to, c.stop, c.start)
	case moving:
		s.item("Move", c, c.to, c.stop, nil)
	case r.Is(model.Reload):
		s.item("Reload", c, c.to, c.start, nil)
	case c.stop != nil && !c.stop.Is(model.Optional):
		s.item("Restart", c, c.to, c.start, nil)
	case r.Role == model.Promoted:
		s.item("Demote", c, c.to, c.demte, nil)
	case r.NextRole == model.Promoted:
		s.item("Promote", c, c.to, c.promote, nil)
	case r.Role == model.Stopped && r.NextRole > model.Stopped:
		s.item("Start", c, c.to, c.start, nil)
	}
}

func (s *summary) stops(c change) {
	for _, n := range c.r.RunningOn {
		stop := first(c.r, n, model.Stop)
		source := c.start
		if stop != nil && stop.Reason != "" {
			source = stop
		}
		c.from = n
		s.item("Stop", c, nil, stop, source)
	}
}

func (s *summary) sameRole(c change) {
	r := c.r
	if c.to == nil {
		return
	}
	migrate := first(r, c.to, model.MigrateFrom)
	switch {
	case migrate != nil && c.from != nil && migrate.Is(model.Runnable):
		s.item("Migrate", c, c.to, c.start, nil)
	case r.Is(model.Reload):
		s.item("Reload", c, c.to, c.start, nil)
	case c.start == nil || c.start.Is(model.Optional):
		if c.demte != nil && c.promote != nil && !c.demte.Is(model.Optional) && !c.promote.Is(model.Optional) {
			s.item("Re-promote", c, c.to, c.promote, c.demte)
		}
	case !c.start.Is(model.Runnable):
		source := c.start
		if c.stop != nil && c.stop.Reason != "" {
			source = c.stop
		}
		s.item("Stop", c, nil, c.stop, source)
	case c.from != nil && c.from != c.to && r.Is(model.Failed):
		s.item("Recover", c, c.to, c.stop, nil)
	case c.from != nil && c.from != c.to:
		s.item("Move", c, c.to, c.stop, nil)
	case r.Is(model.Failed):
		s.item("Recover", c, nil, c.stop, nil)
	default:
		s.item("Restart", c, c.to, c.start, nil)
	}
}

// item prints a change; source is the action whose reason counts, nil for a itself.
func (s *summary) item(what string, c change, to *model.Node, a, source *model.Action) {
	if source == nil {
		source = a
	}
	if len(c.r.ID) > s.width {
		s.width = len(c.r.ID) + 2
	}
	d := detail(c.r, c.from, to)
	s.detail = max(s.detail, len(d))
	reason, runnable := "", a != nil && a.Is(model.Runnable)
	switch {
	case source != nil && source.Reason != "" && !runnable:
		reason = "  due to " + source.Reason + " (blocked)"
	case source != nil && source.Reason != "":
		reason = "  due to " + source.Reason
	case !runnable:
		reason = "  blocked"
	}
	s.t.Item("%-8s   %-*s   ( %*s )%s", what, s.width, c.r.ID, s.detail, d, reason)
}

// detail says where and in which roles a resource was and will be.
func detail(r *model.Resource, from, to *model.Node) string {
	role := r.Role > model.Started || r.NextRole > model.Unpromoted
	was, will := r.Role.String(), r.NextRole.String()
	same := r.Role == r.NextRole
	switch {
	case from == nil && to == nil:
		return ""
	case from == nil && role:
		return was + " -> " + will + " " + to.Name
	case from == nil:
		return to.Name
	case to == nil && role:
		return was + " " + from.Name
	case to == nil:
		return from.Name
	case role && same && from == to:
		return was + " " + from.Name
	case same && from == to:
		return from.Name
	case role && same:
		return from.Name + " -> " + to.Name + " " + was
	case same:
		return from.Name + " -> " + to.Name
	case from == to:
		return was + " -> " + will + " " + from.Name
	}
	return was + " " + from.Name + " -> " + will + " " + to.Name
}
