package crmresource

import (
	"slices"

	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/pengine/model"
)

// constraints shows where a resource is wanted and with which others (message
// "locations-and-colocations").
func (p *program) constraints() {
	p.r.Constraints()
	r := p.rsc
	if !p.o.force {
		r = r.Top()
	}
	if p.out.Format == pcmkout.XML {
		p.out.Parent("constraints")
		defer p.out.Pop()
	}
	p.locationsOf(r)
	for _, dependents := range []bool{true, false} {
		(&colocated{program: p, dependents: dependents}).show(r)
	}
}

// locationsOf shows the location constraints of one resource.
func (p *program) locationsOf(r *model.Resource) {
	opened := false
	for _, l := range slices.Backward(r.Locations) {
		for _, n := range l.Nodes {
			if p.out.Format == pcmkout.XML {
				p.out.Node("rsc_location", "node", n.Node.Name, "rsc", r.ID, "id", l.ID, "score", n.Score.String())
				continue
			}
			if !opened {
				p.out.Begin("Locations")
				opened = true
			}
			p.out.Item("", "Node "+n.Node.Name+" (score="+n.Score.String()+", id="+l.ID+", rsc="+r.ID+")")
		}
	}
	if opened {
		p.out.End()
	}
}

// colocated follows colocations in one direction: to the resources that depend on
// one, or to those that it depends on.
type colocated struct {
	*program
	dependents bool
	seen       []*model.Resource
}

func (c *colocated) show(r *model.Resource) {
	if slices.Contains(c.seen, r) {
		return
	}
	c.seen = append(c.seen, r)
	list, title := r.ThisWith, "Resources "+r.ID+" is colocated with"
	if c.dependents {
		list, title = r.WithThis, "Resources colocated with "+r.ID
	}
	xml := c.out.Format == pcmkout.XML
	if !xml && len(list) > 0 {
		c.out.Begin(title)
		defer c.out.End()
	}
	for _, with := range list {
		other := with.Primary
		if c.dependents {
			other = with.Dependent
		}
		loop := slices.Contains(c.seen, other)
		switch {
		case xml:
			c.element(with)
		case loop:
			c.out.Item("", other.ID+" (id="+with.ID+" - loop)")
		default:
			c.out.Item("", c.header(other, with))
			c.out.BeginBare()
		}
		if loop {
			continue
		}
		c.locationsOf(other)
		if c.o.recursive {
			c.show(other)
		}
		if !xml {
			c.out.End()
		}
	}
}

// header is the line of one colocation.
func (c *colocated) header(other *model.Resource, with *model.Colocation) string {
	text := other.ID + " (score=" + with.Score.String()
	if with.PrimaryRole > model.Started {
		verb := "with"
		if c.dependents {
			verb = "needs"
		}
		text += ", " + verb + " role=" + with.PrimaryRole.String()
	}
	return text + ", id=" + with.ID + ")"
}

func (c *colocated) element(with *model.Colocation) {
	x := c.out.Node("rsc_colocation", "id", with.ID, "rsc", with.Dependent.ID, "with-rsc", with.Primary.ID, "score", with.Score.String())
	setIf(x, "node-attribute", with.NodeAttr)
	if with.DependentRole != model.Unknown {
		x.Set("rsc-role", with.DependentRole.String())
	}
	if with.PrimaryRole != model.Unknown {
		x.Set("with-rsc-role", with.PrimaryRole.String())
	}
}
