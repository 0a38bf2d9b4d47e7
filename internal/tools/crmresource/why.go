package crmresource

import (
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/pengine/model"
)

// why shows which resources do not run, and what in the configuration keeps them
// (message "resource-reasons-list").
func (p *program) why() {
	if p.out.Format == pcmkout.XML {
		p.whyXML()
		return
	}
	p.out.Begin("Resource Reasons")
	say := func(text string) { p.out.Item("reason", "Resource "+text) }
	switch {
	case p.rsc == nil && p.node == nil:
		for _, r := range p.c.Resources {
			say(r.ID + running(r))
			p.check(r, nil)
		}
	case p.rsc != nil && p.node != nil:
		if onNode(p.rsc, p.node) {
			say(p.rsc.ID + " is running on host " + p.node.Name)
		} else {
			say(p.rsc.ID + " is not running on host " + p.node.Name)
		}
		p.check(p.rsc, p.node)
	case p.rsc != nil:
		say(p.rsc.ID + running(p.rsc))
		p.check(p.rsc, nil)
	default:
		for _, r := range p.node.Running {
			say(r.ID + " is running on host " + p.node.Name)
			p.check(r, p.node)
		}
	}
	p.out.End()
}

func running(r *model.Resource) string {
	if _, all := r.Locate(model.Now); all == nil {
		return " is not running"
	}
	return " is running"
}

func onNode(r *model.Resource, n *model.Node) bool {
	_, all := r.Locate(model.Now)
	return slices.Contains(all, n)
}

func (p *program) whyXML() {
	x := p.out.Parent("reason")
	some := func(r *model.Resource) string {
		if _, all := r.Locate(model.Now); all == nil {
			return "false"
		}
		return "true"
	}
	switch {
	case p.rsc == nil && p.node == nil:
		p.out.Parent("resources")
		for _, r := range p.c.Resources {
			p.out.Parent("resource", "id", r.ID, "running", some(r))
			p.check(r, nil)
			p.out.Pop()
		}
		p.out.Pop()
	case p.rsc != nil && p.node != nil:
		if onNode(p.rsc, p.node) {
			x.Set("running_on", p.node.Name)
		}
		p.check(p.rsc, p.node)
	case p.rsc != nil:
		x.Set("running", some(p.rsc))
		p.check(p.rsc, nil)
	default:
		p.out.Parent("resources")
		for _, r := range p.node.Running {
			p.out.Parent("resource", "id", r.ID, "running", "true", "host", p.node.Name)
			p.check(r, p.node)
			p.out.Pop()
		}
		p.out.Pop()
	}
}

// check tells what in the configuration keeps a resource from running, or from
// being managed (cli_resource_check).
func (p *program) check(r *model.Resource, n *model.Node) {
	stopped, unpromotable, unmanaged := false, false, false
	if t, ok := r.Meta["target-role"]; ok {
		switch rules.ParseRole(t) {
		case model.Stopped:
			stopped = true
		case model.Unpromoted:
			unpromotable = r.Top().Is(model.Promotable)
		}
	}
	if m, ok := r.Meta["is-managed"]; ok {
		unmanaged = !model.True(m)
	}
	sick := p.unhealthy(r, n)
	parent := r.Top().ID
	if p.out.Format == pcmkout.XML {
		x := p.out.Node("check", "id", parent)
		for _, a := range []struct {
			is          bool
			name, value string
		}{{stopped, "remain_stopped", "true"}, {unpromotable, "promotable", "false"}, {unmanaged, "unmanaged", "true"}} {
			if a.is {
				x.Set(a.name, a.value)
			}
		}
		if r.LockNode != nil {
			x.Set("locked-to", r.LockNode.Name)
		}
		if sick {
			x.Set("unhealthy", "true")
		}
		return
	}
	if !stopped && !unpromotable && !unmanaged && r.LockNode == nil && !sick {
		return
	}
	p.out.Begin("Resource Checks")
	if stopped {
		p.out.Item("check", "Configuration specifies '"+parent+"' should remain stopped")
	}
	if unpromotable {
		p.out.Item("check", "Configuration specifies '"+parent+"' should not be promoted")
	}
	if unmanaged {
		p.out.Item("check", "Configuration prevents cluster from stopping or starting unmanaged '"+parent+"'")
	}
	if r.LockNode != nil {
		p.out.Item("check", "'"+parent+"' is locked to node "+r.LockNode.Name+" due to shutdown")
	}
	if sick {
		p.out.Item("check", "'"+parent+"' cannot run on unhealthy nodes due to node-health-strategy='"+p.c.Opt.All["node-health-strategy"]+"'")
	}
	p.out.End()
}

// unhealthy says whether the health of a node, or of all that are allowed, keeps r away.
func (p *program) unhealthy(r *model.Resource, n *model.Node) bool {
	limit := 0
	switch strings.ToLower(p.c.Opt.HealthStrategy) {
	case "migrate-on-red":
		limit = -1
	case "only-green":
	default:
		return false
	}
	v := p.view()
	if n != nil {
		return v.Health(n) <= limit
	}
	any := false
	for w := range r.Allowed.All {
		if v.Health(w.Node) > limit {
			return false
		}
		any = true
	}
	return any
}
