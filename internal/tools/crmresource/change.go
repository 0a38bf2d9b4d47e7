package crmresource

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/tools/session"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
)

// attribute is what a parameter is looked for by; empty fields do not matter.
type attribute struct{ rsc, kind, set, id, name string }

// find returns the id of a parameter in the CIB. Several that fit are shown and are
// an error, ENOTUNIQ; none is ENXIO (find_resource_attr).
func (p *program) find(a attribute) (id string, err error) {
	x, err := p.findPair(a)
	if err != nil {
		return "", err
	}
	return x.ID(), nil
}

func (p *program) findPair(a attribute) (*xmltree.Node, error) {
	x := `/cib/configuration/resources//*[@id="` + a.rsc + `"]`
	if a.kind != "" {
		x += "/" + a.kind
		if a.set != "" {
			x += `[@id="` + a.set + `"]`
		}
	}
	var by []string
	if a.id != "" {
		by = append(by, `@id="`+a.id+`"`)
	}
	if a.name != "" {
		by = append(by, `@name="`+a.name+`"`)
	}
	x += "//nvpair[" + strings.Join(by, " and ") + "]"
	found, err := p.cib.Do(p.ctx, client.Call{Op: client.Query, Section: x, Options: client.XPath | client.ScopeLocal})
	if err != nil {
		return nil, session.AsRC(err)
	}
	if !found.HasElements() {
		return found, nil
	}
	p.out.Info("Multiple attributes match name=" + a.name)
	found.Elements(func(n *xmltree.Node) {
		p.out.Info("  Value: " + n.Attr("value") + " \t(id=" + n.ID() + ")")
	})
	p.out.Spacer()
	return nil, pcmk.RC(unix.ENOTUNIQ)
}

// matching are the resources that a change of a parameter applies to, the one that
// was asked for last (find_matching_attr_resources).
func (p *program) matching(verb string, a attribute) []*model.Resource {
	r := p.rsc
	switch {
	case p.o.force:
	case r.Parent.IsClone():
		a.rsc = *p.o.id
		if _, err := p.find(a); err != nil {
			r = r.Parent
			p.out.Infof("Performing %s of '%s' on '%s', the parent of '%s'", verb, a.name, r.ID, *p.o.id)
		}
	case r.Parent == nil && r.IsClone() && len(r.Children) > 0:
		if k := r.Children[0]; k.Variant == model.Primitive {
			a.rsc = model.BaseName(k.ID)
			if _, err := p.find(a); err == nil {
				p.out.Infof("A value for '%s' already exists in child '%s', performing %s on that instead of '%s'", a.name, a.rsc, verb, *p.o.id)
				r = k
			}
		}
	default:
		return p.matchingBelow(r, a, 0)
	}
	return []*model.Resource{r}
}

func (p *program) matchingBelow(r *model.Resource, a attribute, depth int) (out []*model.Resource) {
	for _, k := range r.Children {
		out = append(out, p.matchingBelow(k, a, depth+1)...)
		if r.Variant == model.Clone {
			break
		}
	}
	a.rsc = model.BaseName(r.ID)
	if _, err := p.find(a); depth == 0 || err == nil {
		out = append(out, r)
	}
	return out
}

// update sets a parameter (cli_resource_update_attribute).
func (p *program) update() error {
	o := p.o
	top, id, set := p.rsc.Top().ID, text(o.pair), text(o.set)
	if o.pair == nil && !o.force {
		p.find(attribute{rsc: top, name: o.name})
	}
	list := []*model.Resource{p.rsc}
	if o.kind != "instance_attributes" {
		list = p.matching("update", attribute{"", o.kind, set, id, o.name})
	} else if !o.force {
		if have, err := p.find(attribute{top, "meta_attributes", set, id, o.name}); err == nil {
			if !p.out.Quiet {
				p.out.Errf("WARNING: There is already a meta attribute for '%s' called '%s' (id=%s)", top, o.name, have)
				p.out.Errf("         Delete '%s' first or use the force option to override", have)
			}
			return failed(pcmk.RC(unix.ENOTUNIQ))
		}
	}
	if set != "" || id != "" {
		list = list[len(list)-1:]
	}
	var result error
	for _, r := range list {
		have, err := p.setOn(r, id, &set)
		if !have {
			return err
		}
		result = err
		if o.recursive && o.kind == "meta_attributes" {
			p.updateDependents(r)
		}
	}
	return result
}

// updateDependents does the same to what is colocated with r, once each.
func (p *program) updateDependents(r *model.Resource) {
	if p.followed == nil {
		p.followed = map[*model.Resource]bool{}
		p.r.Constraints()
	}
	p.followed[r] = true
	for _, with := range r.WithThis {
		if with.Score <= 0 || p.followed[with.Dependent] {
			continue
		}
		o, q := *p.o, *p
		o.id, o.set, o.pair = &with.Dependent.ID, nil, nil
		q.o, q.rsc = &o, with.Dependent
		_ = q.update() // told there; what comes next does not depend on it
	}
}

// setOn sets the parameter of one resource. A set that had to be made is the one
// of those that follow, as in the original. ok is false when the rest is not to be tried.
func (p *program) setOn(r *model.Resource, id string, set *string) (ok bool, err error) {
	o, name := p.o, model.BaseName(r.ID)
	have, err := p.find(attribute{name, o.kind, *set, id, o.name})
	pair := xmltree.New("nvpair")
	doc, shown := pair, have
	switch {
	case err == nil:
		id = have
	case isNone(err):
		if *set == "" {
			*set = name + "-" + o.kind
		}
		if shown = "(null)"; id == "" {
			id = *set + "-" + o.name
			shown = id
		}
		x, _ := p.r.Element(r)
		doc = xmltree.New(x.Name, xmltree.Attr{Name: "id", Value: name})
		doc.AddNew(o.kind, xmltree.Attr{Name: "id", Value: *set}).Add(pair)
	default:
		return false, failed(session.RC(err))
	}
	pair.Set("id", id)
	pair.Set("name", o.name)
	pair.Set("value", *o.value)
	if err := p.call(client.Call{Op: client.Modify, Section: "resources", Data: doc}); err != nil {
		return true, err
	}
	about := "id=" + shown
	if *set != "" {
		about += " set=" + *set
	}
	p.out.Infof("Set '%s' option: %s name=%s value=%s", name, about, o.name, *o.value)
	return true, nil
}

// deleteParam deletes a parameter (cli_resource_delete_attribute).
func (p *program) deleteParam() error {
	o := p.o
	set, id := text(o.set), text(o.pair)
	if o.pair == nil && !o.force {
		p.find(attribute{rsc: p.rsc.Top().ID, name: o.name})
	}
	list := []*model.Resource{p.rsc}
	if o.kind == "meta_attributes" {
		list = p.matching("delete", attribute{"", o.kind, set, id, o.name})
	}
	for _, r := range list {
		name := model.BaseName(r.ID)
		have, err := p.find(attribute{name, o.kind, set, id, o.name})
		if isNone(err) {
			continue
		}
		if err != nil {
			return failed(session.RC(err))
		}
		if id == "" {
			id = have
		}
		pair := xmltree.New("nvpair", xmltree.Attr{Name: "id", Value: id}, xmltree.Attr{Name: "name", Value: o.name})
		if err := p.call(client.Call{Op: client.Delete, Section: "resources", Data: pair}); err != nil {
			return err
		}
		about := "id=" + have
		if set != "" {
			about += " set=" + set
		}
		p.out.Infof("Deleted '%s' option: %s name=%s", name, about, o.name)
	}
	return nil
}

func (p *program) setProperty() error {
	o := p.o
	switch {
	case text(o.element) == "":
		return usage("Must specify -t with resource type")
	case text(o.value) == "":
		return usage("Must supply -v with new value")
	}
	return p.call(client.Call{Op: client.Modify, Section: "resources", Data: xmltree.New(*o.element,
		xmltree.Attr{Name: "id", Value: *o.id}, xmltree.Attr{Name: o.name, Value: *o.value})})
}

func (p *program) remove() error {
	if p.o.element == nil {
		return failedWith(pcmk.RC(unix.ENXIO), "You need to specify a resource type with -t")
	}
	err := p.call(client.Call{Op: client.Delete, Section: "resources",
		Data: xmltree.New(*p.o.element, xmltree.Attr{Name: "id", Value: *p.o.id})})
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	return err
}
