// Package change says what a transition will do, by node and by resource: the
// transition summary as data.
//
// pengine runs it as a phase before it builds the graph, because looking for the
// actions of a node gives those without node that node, as in the original; the
// scheduler logs the result and crm_simulate prints it. It replaces
// pcmk__output_actions and the rsc-action messages.
package change

import (
	"fmt"
	"strings"

	"github.com/pacesync/pacesync/pengine/model"
)

// NodeChange is what happens to a node.
type NodeChange struct {
	Node   *model.Node
	What   string // Shutdown or Fence (OPERATION)
	Reason string
}

// Change is what happens to a primitive.
type Change struct {
	Rsc      *model.Resource
	What     string // Start, Move, Recover and so on
	From, To *model.Node
	Was      model.Role
	Will     model.Role
	Why      string // empty: not told
	Blocked  bool   // something keeps it from happening
}

// Changes is all that a transition does, in the order in which it is told.
type Changes struct {
	Nodes     []NodeChange
	Resources []Change
}

// Find looks through what was planned.
func Find(c *model.Cluster) *Changes {
	f := &finder{}
	for i := len(c.Actions) - 1; i >= 0; i-- {
		if a := c.Actions[i]; a.Rsc == nil && !a.Is(model.Optional) {
			f.node(a)
		}
	}
	for _, r := range c.Resources {
		f.resource(r)
	}
	return &f.out
}

type finder struct{ out Changes }

func (f *finder) node(a *model.Action) {
	switch {
	case strings.EqualFold(a.Task, model.Shutdown):
		f.out.Nodes = append(f.out.Nodes, NodeChange{a.Node, "Shutdown", a.Reason})
	case strings.EqualFold(a.Task, model.Fence):
		f.out.Nodes = append(f.out.Nodes, NodeChange{a.Node, "Fence (" + a.Meta["stonith_action"] + ")", a.Reason})
	}
}

func (f *finder) resource(r *model.Resource) {
	if r.Variant == model.Bundle {
		for _, rep := range r.Bundle.Replicas {
			for _, k := range []*model.Resource{rep.IP, rep.Container, rep.Remote, rep.Child} {
				if k != nil {
					f.resource(k)
				}
			}
		}
		return
	}
	if len(r.Children) > 0 {
		for _, k := range r.Children {
			f.resource(k)
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
		f.primitive(plans{r: r, from: current, to: r.Assigned})
	}
}

// plans are the actions that tell what happens to a primitive.
type plans struct {
	r                            *model.Resource
	from, to                     *model.Node
	start, stop, promote, demote *model.Action
}

// first returns the oldest of the actions that match (pe__resource_actions).
func first(r *model.Resource, n *model.Node, task string) *model.Action {
	for _, a := range r.ActionsFor(model.Key(r.ID, task, 0), n) {
		return a
	}
	return nil
}

func (f *finder) primitive(p plans) {
	r := p.r
	p.start = first(r, p.to, model.Start)
	var at *model.Node
	if p.start != nil && p.start.Is(model.Runnable) {
		at = p.from
	}
	p.stop = first(r, at, model.Stop)
	if p.stop == nil && r.Is(model.StopUnexpected) {
		p.stop = first(r, nil, model.Stop)
	}
	p.promote, p.demote = first(r, p.to, model.Promote), first(r, p.to, model.Demote)
	switch moving := p.from != nil && p.to != nil && p.from != p.to; {
	case r.Role == r.NextRole:
		f.sameRole(p)
	case p.stop != nil && (r.NextRole == model.Stopped || (p.start != nil && !p.start.Is(model.Runnable))):
		f.stops(p)
	case p.stop != nil && r.Is(model.Failed|model.StopOnFail):
		f.add("Recover", p, p.to, p.stop, p.start)
	case moving:
		f.add("Move", p, p.to, p.stop, nil)
	case r.Is(model.Reload):
		f.add("Reload", p, p.to, p.start, nil)
	case p.stop != nil && !p.stop.Is(model.Optional):
		f.add("Restart", p, p.to, p.start, nil)
	case r.Role == model.Promoted:
		f.add("Demote", p, p.to, p.demote, nil)
	case r.NextRole == model.Promoted:
		f.add("Promote", p, p.to, p.promote, nil)
	case r.Role == model.Stopped && r.NextRole > model.Stopped:
		f.add("Start", p, p.to, p.start, nil)
	}
}

func (f *finder) stops(p plans) {
	for _, n := range p.r.RunningOn {
		stop := first(p.r, n, model.Stop)
		source := p.start
		if stop != nil && stop.Reason != "" {
			source = stop
		}
		p.from = n
		f.add("Stop", p, nil, stop, source)
	}
}

func (f *finder) sameRole(p plans) {
	r := p.r
	if p.to == nil {
		return
	}
	migrate := first(r, p.to, model.MigrateFrom)
	switch {
	case migrate != nil && p.from != nil && migrate.Is(model.Runnable):
		f.add("Migrate", p, p.to, p.start, nil)
	case r.Is(model.Reload):
		f.add("Reload", p, p.to, p.start, nil)
	case p.start == nil || p.start.Is(model.Optional):
		if p.demote != nil && p.promote != nil && !p.demote.Is(model.Optional) && !p.promote.Is(model.Optional) {
			f.add("Re-promote", p, p.to, p.promote, p.demote)
		}
	case !p.start.Is(model.Runnable):
		source := p.start
		if p.stop != nil && p.stop.Reason != "" {
			source = p.stop
		}
		f.add("Stop", p, nil, p.stop, source)
	case p.from != nil && p.from != p.to && r.Is(model.Failed):
		f.add("Recover", p, p.to, p.stop, nil)
	case p.from != nil && p.from != p.to:
		f.add("Move", p, p.to, p.stop, nil)
	case r.Is(model.Failed):
		f.add("Recover", p, nil, p.stop, nil)
	default:
		f.add("Restart", p, p.to, p.start, nil)
	}
}

// add notes a change; source is the action whose reason counts, nil for a itself.
func (f *finder) add(what string, p plans, to *model.Node, a, source *model.Action) {
	if source == nil {
		source = a
	}
	ch := Change{Rsc: p.r, What: what, From: p.from, To: to, Was: p.r.Role, Will: p.r.NextRole}
	ch.Blocked = a == nil || !a.Is(model.Runnable)
	if source != nil {
		ch.Why = source.Reason
	}
	f.out.Resources = append(f.out.Resources, ch)
}

// Reason says why, and what blocks it.
func (c *Change) Reason() string {
	switch {
	case c.Why != "" && c.Blocked:
		return "due to " + c.Why + " (blocked)"
	case c.Why != "":
		return "due to " + c.Why
	case c.Blocked:
		return "blocked"
	}
	return ""
}

// Where says where and in which roles the resource was and will be.
func (c *Change) Where() string {
	role := c.Was > model.Started || c.Will > model.Unpromoted
	was, will := c.Was.String(), c.Will.String()
	same := c.Was == c.Will
	switch {
	case c.From == nil && c.To == nil:
		return ""
	case c.From == nil && role:
		return was + " -> " + will + " " + c.To.Name
	case c.From == nil:
		return c.To.Name
	case role && (c.To == nil || (same && c.From == c.To)):
		return was + " " + c.From.Name
	case c.To == nil, same && c.From == c.To:
		return c.From.Name
	case role && same:
		return c.From.Name + " -> " + c.To.Name + " " + was
	case same:
		return c.From.Name + " -> " + c.To.Name
	case c.From == c.To:
		return was + " -> " + will + " " + c.From.Name
	}
	return was + " " + c.From.Name + " -> " + will + " " + c.To.Name
}

// Name is how the node is called: a guest with its container.
func (n *NodeChange) Name() string {
	if n.Node.IsGuest() {
		return n.Node.Name + " (resource: " + n.Node.RemoteRsc.Container.ID + ")"
	}
	return n.Node.Name
}

// Lines tells the changes as crm_simulate does, in columns. A change of a node
// without reason is not told.
func (c *Changes) Lines() []string {
	var out []string
	for i := range c.Nodes {
		if n := &c.Nodes[i]; n.Reason != "" {
			out = append(out, n.What+" "+n.Name()+" '"+n.Reason+"'")
		}
	}
	width, detail := 5, 5
	for i := range c.Resources {
		if n := len(c.Resources[i].Rsc.ID); n > width {
			width = n + 2
		}
		detail = max(detail, len(c.Resources[i].Where()))
	}
	for i := range c.Resources {
		r := &c.Resources[i]
		where, reason := r.Where(), ""
		if why := r.Reason(); why != "" {
			reason = "  " + why
		}
		out = append(out, fmt.Sprintf("%-8s   %-*s   ( %*s )%s", r.What, width, r.Rsc.ID, detail, where, reason))
	}
	return out
}
