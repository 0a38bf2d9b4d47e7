// Package attr finds, sets and deletes single attributes in the CIB: of nodes,
// for good or until they leave, of the cluster, of the defaults, of tickets.
//
// crm_attribute and other tools call it, on the CIB manager or on a file. It
// replaces lib/cib/cib_attrs.c.
package attr

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// CIB carries out requests; its errors are a pcmk.RC. client.Conn is one.
type CIB interface {
	Do(ctx context.Context, call client.Call) (*xmltree.Node, error)
}

// Place says where an attribute is, or is to be. Only Section is required.
type Place struct {
	Section string // crm_config, nodes, status, op_defaults, rsc_defaults, tickets
	Node    string // id of the node in the CIB
	SetType string // utilization, when it is not the section's usual one
	Set     string // id of the set
	ID      string // id of the nvpair
	Name    string
	Remote  bool // the node runs Pacemaker Remote
}

// ErrNotUnique says that several attributes fit; they have been told.
var ErrNotUnique = pcmk.RC(unix.ENOTUNIQ)

// sectionPath is where a section of the CIB is (cib.c: pcmk_cib_xpath_for).
func sectionPath(section string) string {
	switch section {
	case "status":
		return "//cib/status"
	case "configuration":
		return "//cib/configuration"
	case "crm_config", "nodes", "resources", "constraints", "op_defaults", "rsc_defaults", "acls", "fencing-topology", "tags", "alerts":
		return "//cib/configuration/" + section
	}
	return ""
}

// xpath is the expression for an attribute, the error an RC (cib_attrs.c: find_attr).
func (p Place) xpath() (string, error) {
	section, node, set, tickets := p.Section, p.Node, p.SetType, false
	if set == "" {
		set = "instance_attributes"
	}
	switch strings.ToLower(section) {
	case "crm_config":
		node, set = "", "cluster_property_set"
	case "op_defaults", "rsc_defaults":
		node, set = "", "meta_attributes"
	case "tickets":
		node, section, tickets = "", "status", true
	default:
		if node == "" {
			return "", pcmk.RC(unix.EINVAL)
		}
	}
	x := sectionPath(section)
	if x == "" {
		return "", pcmk.RC(unix.ENOMSG)
	}
	switch {
	case tickets:
		x += "//tickets"
	case node != "" && strings.EqualFold(section, "status"):
		x += "//node_state[@id='" + node + "']"
		set = "transient_attributes"
	case node != "":
		x += "//node[@id='" + node + "']"
	}
	x += "//" + set
	if p.Set != "" {
		x += "[@id='" + p.Set + "']"
	}
	x += "//nvpair"
	switch {
	case p.ID != "" && p.Name != "":
		x += "[@id='" + p.ID + "' and @name='" + p.Name + "']"
	case p.ID != "":
		x += "[@id='" + p.ID + "']"
	case p.Name != "":
		x += "[@name='" + p.Name + "']"
	}
	return x, nil
}

// Find returns the attributes that fit, ENXIO when there is none.
func Find(ctx context.Context, cib CIB, p Place) ([]*xmltree.Node, error) {
	x, err := p.xpath()
	if err != nil {
		return nil, err
	}
	found, err := cib.Do(ctx, client.Call{Op: client.Query, Section: x, Options: client.ScopeLocal | client.XPath})
	if err != nil {
		return nil, err
	}
	return matches(found), nil
}

// matches opens the wrapper that several matches come in.
func matches(found *xmltree.Node) []*xmltree.Node {
	if !found.HasElements() {
		return []*xmltree.Node{found}
	}
	var out []*xmltree.Node
	found.Elements(func(n *xmltree.Node) { out = append(out, n) })
	return out
}

// only returns the id of the one match; of several it tells the user and fails.
func only(found []*xmltree.Node, name string, tell func(string)) (string, error) {
	if len(found) == 1 {
		return found[0].ID(), nil
	}
	tell("Multiple attributes match name=" + name)
	for _, n := range found {
		tell(fmt.Sprintf("  Value: %s \t(id=%s)", n.Attr("value"), n.ID()))
	}
	return "", ErrNotUnique
}

// Delete removes an attribute (cib__delete_node_attr). tell gets what is for the user.
func Delete(ctx context.Context, cib CIB, p Place, opts client.Opt, tell func(string)) error {
	id, shown := p.ID, "(null)"
	if id == "" {
		found, err := Find(ctx, cib, p)
		if err == nil {
			id, err = only(found, p.Name, tell)
		}
		if errors.Is(err, ErrNotUnique) {
			return nil // the original tells it and is content
		}
		if err != nil {
			return err
		}
		shown = id
	}
	pair := xmltree.New("nvpair", xmltree.Attr{Name: "id", Value: id})
	if p.Name != "" {
		pair.Set("name", p.Name)
	}
	if _, err := cib.Do(ctx, client.Call{Op: client.Delete, Section: p.Section, Data: pair, Options: opts | client.QuorumOverride}); err != nil {
		return err
	}
	kind := "option"
	if p.Node != "" {
		kind = "attribute"
	}
	text := fmt.Sprintf("Deleted %s %s: id=%s", p.Section, kind, shown)
	if p.Set != "" {
		text += " set=" + p.Set
	}
	if p.Name != "" {
		text += " name=" + p.Name
	}
	tell(text)
	return nil
}

// Update sets an attribute, made with all around it if it is not there
// (cib__update_node_attr). fail gets why it could not be.
func Update(ctx context.Context, cib CIB, p Place, value string, opts client.Opt, tell, fail func(string)) error {
	found, err := Find(ctx, cib, p)
	var top, parent *xmltree.Node
	section := p.Section
	switch {
	case err == nil:
		if p.ID, err = only(found, p.Name, tell); err != nil {
			return err
		}
	case errors.Is(err, unix.ENXIO):
		if top, parent, section, err = p.frame(); err != nil {
			return err
		}
		p.Set = parent.ID()
		if p.ID == "" {
			p.ID = strings.NewReplacer(":", ".", "#", ".").Replace(p.Set + "-" + p.Name)
		} else if p.Name == "" {
			p.Name = p.ID
		}
	default:
		return err
	}
	pair := xmltree.New("nvpair", xmltree.Attr{Name: "id", Value: p.ID})
	if p.Name != "" {
		pair.Set("name", p.Name)
	}
	pair.Set("value", value)
	if parent != nil {
		parent.Add(pair)
	} else {
		top = pair
	}
	_, err = cib.Do(ctx, client.Call{Op: client.Modify, Section: section, Data: top, Options: opts | client.QuorumOverride})
	if err != nil {
		set := p.Set
		if set == "" {
			set = "<null>"
		}
		fail(fmt.Sprintf("Error setting %s=%s (section=%s, set=%s): %v", p.Name, value, section, set, asRC(err)))
	}
	return err
}

// frame makes what a new attribute stands in: top is the update, parent the set.
func (p Place) frame() (top, parent *xmltree.Node, section string, err error) {
	section = p.Section
	setTag, set := "instance_attributes", p.Set
	if p.SetType != "" {
		setTag = p.SetType
	}
	switch strings.ToLower(section) {
	case "tickets":
		section = "status"
		top = xmltree.New("status")
		parent = top.AddNew("tickets")
		return top, p.set(parent, setTag, set, "status-tickets"), section, nil
	case "nodes":
		top = xmltree.New("node", xmltree.Attr{Name: "id", Value: p.Node})
		parent = top
		if p.Remote {
			top = xmltree.New("nodes")
			parent = top.AddNew("node", xmltree.Attr{Name: "type", Value: "remote"},
				xmltree.Attr{Name: "id", Value: p.Node}, xmltree.Attr{Name: "uname", Value: p.Node})
		}
	case "status":
		top = xmltree.New("node_state", xmltree.Attr{Name: "id", Value: p.Node})
		parent = top.AddNew("transient_attributes", xmltree.Attr{Name: "id", Value: p.Node})
	case "crm_config":
		top = xmltree.New(section)
		return top, p.set(top, "cluster_property_set", set, "cib-bootstrap-options"), section, nil
	default:
		top = xmltree.New(section)
		return top, p.set(top, "meta_attributes", set, section+"-options"), section, nil
	}
	if p.Node == "" {
		return nil, nil, section, pcmk.RC(unix.EINVAL)
	}
	id := section + "-" + p.Node
	if p.SetType != "" {
		id += "-" + p.SetType
	}
	return top, p.set(parent, setTag, set, id), section, nil
}

func (p Place) set(parent *xmltree.Node, tag, id, byDefault string) *xmltree.Node {
	if id == "" {
		id = byDefault
	}
	return parent.AddNew(tag, xmltree.Attr{Name: "id", Value: id})
}

// asRC is the RC within an error, for its text.
func asRC(err error) error {
	var rc pcmk.RC
	if errors.As(err, &rc) {
		return rc
	}
	return err
}

// NodeID finds a node's id in the CIB by its name, whatever the case: of a
// cluster node, a remote node, a guest node, or one that only its state is left
// of. ENXIO: there is none (query_node_uuid).
func NodeID(ctx context.Context, cib CIB, name string) (id string, remote bool, err error) {
	lower := strings.ToLower(name)
	same := func(what string) string {
		return "[translate(" + what + ",'ABCDEFGHIJKLMNOPQRSTUVWXYZ','abcdefghijklmnopqrstuvwxyz') ='" + lower + "']"
	}
	const primitive = "|/cib/configuration/resources/primitive"
	x := "/cib/configuration/nodes/node" + same("@uname") +
		primitive + "[@class='ocf'][@provider='pacemaker'][@type='remote']" + same("@id") +
		primitive + "/meta_attributes/nvpair[@name='remote-node']" + same("@value") +
		"|/cib/status/node_state[@remote_node='true']" + same("@id")
	found, err := cib.Do(ctx, client.Call{Op: client.Query, Section: x, Options: client.ScopeLocal | client.XPath})
	if err != nil {
		return "", false, pcmk.RC(unix.ENXIO)
	}
	n := found
	if n.Name == "xpath-query" {
		n = matches(found)[0]
	}
	switch n.Name {
	case "node":
		if remote = strings.EqualFold(n.Attr("type"), "remote"); remote {
			id = n.Attr("uname")
		} else {
			id = n.ID()
		}
	case "primitive":
		id, remote = n.ID(), true
	case "nvpair":
		id, remote = n.Attr("value"), true
	case "node_state":
		id, remote = n.Attr("uname"), n.Attr("remote_node") == "true"
	}
	if id == "" {
		return "", false, pcmk.RC(unix.ENXIO)
	}
	return id, remote, nil
}
