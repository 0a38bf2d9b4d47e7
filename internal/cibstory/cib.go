package cibstory

import (
	"fmt"
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// CIB makes a CIB of the elements that matter: each goes to the section that it
// belongs to, and what is not said is as usual. There are two nodes, n1 and n2,
// members that are online, and fencing is disabled. Three elements are short forms:
//
//   - <cib …/> has attributes of the root,
//   - <nvpair name="N" value="V"/> at the top is a cluster option,
//   - <did node="n1" rsc="a" op="monitor" ms="10000" rc="7" …/> is an entry of the
//     history; further attributes replace those of lrm_rsc_op.
//
// The ids of name-value pairs and of sets of them may be left out.
func CIB(snippet string) (*xmltree.Node, error) {
	in, err := xmltree.ParseString("<story>"+snippet+"</story>", xmltree.Limits{})
	if err != nil {
		return nil, err
	}
	m := newMaker()
	for n := range elements(in) {
		if n.Name != "did" {
			m.place(n)
		}
	}
	for n := range elements(in) {
		if n.Name == "did" { // into the states that are there by now
			m.did(n)
		}
	}
	m.rest()
	name(m.cib, new(int))
	return m.cib, m.err
}

// maker is a CIB that is being made.
type maker struct {
	cib, options, nodes, resources, constraints, status *xmltree.Node
	calls                                               int // the last call-id given
	err                                                 error
}

func newMaker() *maker {
	attr := func(name, value string) xmltree.Attr { return xmltree.Attr{Name: name, Value: value} }
	m := &maker{cib: xmltree.New("cib", attr("validate-with", "pacemaker-3.9"), attr("epoch", "1"), attr("num_updates", "0"),
		attr("admin_epoch", "0"), attr("have-quorum", "1"), attr("crm_feature_set", "3.16.1"))}
	config := m.cib.AddNew("configuration")
	m.options = config.AddNew("crm_config").AddNew("cluster_property_set", attr("id", "options"))
	m.nodes, m.resources, m.constraints = config.AddNew("nodes"), config.AddNew("resources"), config.AddNew("constraints")
	m.status = m.cib.AddNew("status")
	return m
}

// elements are the children of a node that are elements; they may be moved meanwhile.
func elements(n *xmltree.Node) func(func(*xmltree.Node) bool) {
	var all []*xmltree.Node
	n.Elements(func(c *xmltree.Node) { all = append(all, c) })
	return func(yield func(*xmltree.Node) bool) {
		for _, c := range all {
			if !yield(c) {
				return
			}
		}
	}
}

func (m *maker) place(n *xmltree.Node) {
	switch config := m.cib.Child("configuration"); n.Name {
	case "cib":
		for _, a := range n.Attrs {
			m.cib.Set(a.Name, a.Value)
		}
	case "nvpair":
		m.options.Add(n.Copy())
	case "cluster_property_set":
		m.options.Parent.Add(n.Copy())
	case "node":
		m.nodes.Add(n.Copy())
	case "primitive", "group", "clone", "master", "bundle", "template":
		m.resources.Add(n.Copy())
	case "rsc_location", "rsc_colocation", "rsc_order", "rsc_ticket":
		m.constraints.Add(n.Copy())
	case "node_state", "tickets":
		m.status.Add(n.Copy())
	case "fencing-topology", "op_defaults", "rsc_defaults", "tags", "acls", "alerts":
		config.Add(n.Copy())
	default:
		m.err = fmt.Errorf("cibstory: a snippet has <%s>, which belongs nowhere", n.Name)
	}
}

// rest adds what the snippet did not say.
func (m *maker) rest() {
	if !m.options.HasElements() || m.options.Find(func(n *xmltree.Node) bool { return n.Attr("name") == "stonith-enabled" }) == nil {
		m.options.AddNew("nvpair", xmltree.Attr{Name: "name", Value: "stonith-enabled"}, xmltree.Attr{Name: "value", Value: "false"})
	}
	if m.nodes.Child("node") == nil {
		for _, n := range []string{"n1", "n2"} {
			m.nodes.AddNew("node", xmltree.Attr{Name: "id", Value: n}, xmltree.Attr{Name: "uname", Value: n})
		}
	}
	m.nodes.Each("node", func(n *xmltree.Node) {
		if typ := n.Attr("type"); n.Attr("uname") != "" && (typ == "" || typ == "member") {
			m.state(n.Attr("uname"))
		}
	})
}

// state is the element of a node's state, made when it is not there.
func (m *maker) state(node string) *xmltree.Node {
	for s := m.status.Child("node_state"); s != nil; s = s.NextNamed() {
		if s.Attr("uname") == node {
			return s
		}
	}
	s := m.status.AddNew("node_state", xmltree.Attr{Name: "id", Value: node}, xmltree.Attr{Name: "uname", Value: node})
	for n := m.nodes.Child("node"); n != nil; n = n.NextNamed() {
		if n.Attr("uname") == node {
			s.Set("id", n.ID())
		}
	}
	for _, a := range [][2]string{{"in_ccm", "true"}, {"crmd", "online"}, {"join", "member"}, {"expected", "member"}} {
		s.Set(a[0], a[1])
	}
	return s
}

// did adds an entry to the history of a resource on a node.
func (m *maker) did(n *xmltree.Node) {
	id, op := n.Attr("rsc"), n.Attr("op")
	ms, rc := orElse(n.Attr("ms"), "0"), orElse(n.Attr("rc"), "0")
	m.calls++
	o := xmltree.New("lrm_rsc_op")
	suffix := "_last_0"
	if ms != "0" {
		suffix = "_monitor_" + ms
	}
	key := id + "_" + op + "_" + ms
	target := "0"
	if op == "monitor" && ms == "0" {
		target = "7"
	}
	transition := "1:1:" + target + ":00000000-0000-0000-0000-000000000001"
	for _, a := range [][2]string{{"id", id + suffix}, {"operation_key", key}, {"operation", op}, {"transition-key", transition},
		{"call-id", fmt.Sprint(m.calls)}, {"rc-code", rc}, {"op-status", "0"}, {"interval", ms},
		{"last-rc-change", "1700000000"}, {"exec-time", "0"}, {"queue-time", "0"}, {"op-digest", noParameters}} {
		o.Set(a[0], a[1])
	}
	for _, a := range n.Attrs {
		switch a.Name {
		case "node", "rsc", "op", "ms", "rc", "class", "provider", "type":
		default:
			o.Set(a.Name, a.Value)
		}
	}
	if _, ok := n.Get("transition-magic"); !ok {
		o.Set("transition-magic", o.Attr("op-status")+":"+rc+";"+o.Attr("transition-key"))
	}
	all := m.history(n, id)
	for old := all.Child("lrm_rsc_op"); old != nil; old = old.NextNamed() {
		if old.ID() == o.ID() { // as in life: the last one stays
			old.Remove()
			break
		}
	}
	all.Add(o)
}

// noParameters is the digest of an operation without parameters.
const noParameters = "f2317cad3d54cec5d7d7aa7d0bf35cf8"

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// history is the element that holds the entries of a resource on a node. Its class,
// provider and type are those of the entry, or of the primitive of that name.
func (m *maker) history(n *xmltree.Node, id string) *xmltree.Node {
	state := m.state(n.Attr("node"))
	lrm := state.Child("lrm")
	if lrm == nil {
		lrm = state.AddNew("lrm", xmltree.Attr{Name: "id", Value: state.ID()})
		lrm.AddNew("lrm_resources")
	}
	all := lrm.Child("lrm_resources")
	for r := all.Child("lrm_resource"); r != nil; r = r.NextNamed() {
		if r.ID() == id {
			return r
		}
	}
	name, _, _ := strings.Cut(id, ":")
	from := n
	if _, ok := n.Get("class"); !ok {
		from = m.resources.Find(func(p *xmltree.Node) bool { return p.Name == "primitive" && p.ID() == name })
	}
	r := all.AddNew("lrm_resource", xmltree.Attr{Name: "id", Value: id})
	if from == nil {
		m.err = fmt.Errorf("cibstory: the history of %s needs a class, there is no such primitive", id)
		return r
	}
	for _, a := range []string{"class", "provider", "type"} {
		if v, ok := from.Get(a); ok {
			r.Set(a, v)
		}
	}
	return r
}

// name gives ids to the name-value pairs and sets that have none.
func name(n *xmltree.Node, last *int) {
	for c := range elements(n) {
		switch c.Name {
		case "nvpair", "meta_attributes", "instance_attributes", "utilization", "op":
			_, id := c.Get("id")
			if _, ref := c.Get("id-ref"); !id && !ref {
				*last++
				c.Attrs = append([]xmltree.Attr{{Name: "id", Value: fmt.Sprint("i", *last)}}, c.Attrs...)
			}
		}
		name(c, last)
	}
}
