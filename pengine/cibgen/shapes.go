package cibgen

import (
	"fmt"
	"strconv"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// shape makes a CIB of a given size without any chance in it: all nodes online,
// nothing known of any resource.
type shape struct {
	nodes                  int
	cib, rscs, constraints *xmltree.Node
	next                   int
}

func newShape(nodes int) *shape {
	s := &shape{nodes: nodes}
	s.cib = xmltree.New("cib", a("crm_feature_set", "3.16.1"), a("validate-with", "pacemaker-3.7"), a("admin_epoch", "1"), a("epoch", "1"),
		a("num_updates", "0"), a("have-quorum", "1"), a("dc-uuid", "1"))
	config := s.cib.AddNew("configuration")
	set := config.AddNew("crm_config").AddNew("cluster_property_set", a("id", "cib-bootstrap-options"))
	for _, o := range [][2]string{{"stonith-enabled", "false"}, {"no-quorum-policy", "stop"}, {"cluster-infrastructure", "corosync"}, {"have-watchdog", "false"}} {
		set.AddNew("nvpair", a("id", "opt-"+o[0]), a("name", o[0]), a("value", o[1]))
	}
	list := config.AddNew("nodes")
	s.rscs, s.constraints = config.AddNew("resources"), config.AddNew("constraints")
	status := s.cib.AddNew("status")
	for i := range nodes {
		id := strconv.Itoa(i + 1)
		list.AddNew("node", a("id", id), a("uname", s.node(i)))
		state := status.AddNew("node_state", a("id", id), a("uname", s.node(i)), a("in_ccm", "true"), a("crmd", "online"), a("join", "member"), a("expected", "member"))
		state.AddNew("transient_attributes", a("id", id)).AddNew("instance_attributes", a("id", "st-"+id))
		state.AddNew("lrm", a("id", id)).AddNew("lrm_resources")
	}
	return s
}

func (s *shape) node(i int) string { return fmt.Sprintf("node%03d", i%s.nodes+1) }

func (s *shape) primitive(to *xmltree.Node, i int) string {
	id := fmt.Sprintf("r%05d", i)
	p := to.AddNew("primitive", a("id", id), a("class", "ocf"), a("provider", "pacemaker"), a("type", "Dummy"))
	p.AddNew("operations").AddNew("op", a("id", id+"-mon"), a("name", "monitor"), a("interval", "10s"), a("timeout", "20s"))
	return id
}

// wish adds a constraint with a new id.
func (s *shape) wish(kind string, attrs ...xmltree.Attr) *xmltree.Node {
	s.next++
	return s.constraints.AddNew(kind, append([]xmltree.Attr{a("id", "wish-"+strconv.Itoa(s.next))}, attrs...)...)
}

func (s *shape) together(rsc, with, score string) {
	s.wish("rsc_colocation", a("rsc", rsc), a("with-rsc", with), a("score", score))
}

func (s *shape) after(first, then, kind string) {
	s.wish("rsc_order", a("first", first), a("then", then), a("kind", kind))
}

func (s *shape) prefer(rsc string, i, score int) {
	s.wish("rsc_location", a("rsc", rsc), a("node", s.node(i)), a("score", strconv.Itoa(score)))
}

// Mixed makes a cluster of primitives, half of them in groups of five, the others
// in colocated and ordered pairs, with orders between groups, preferences and rules.
// The speed of the scheduler is measured with it.
func Mixed(nodes, resources int) *xmltree.Node {
	s := newShape(nodes)
	half, last := resources/2, ""
	for k := 0; k < half; k += 5 {
		id, n := fmt.Sprintf("grp%05d", k), k/5
		g := s.rscs.AddNew("group", a("id", id))
		for j := k; j < min(half, k+5); j++ {
			s.primitive(g, j)
		}
		s.prefer(id, n, 50)
		switch n % 4 {
		case 3:
			s.after(last, id, "Optional")
		case 1:
			s.together(id, last, "-1000")
		}
		last = id
	}
	for k := half; k+1 < resources; k += 2 {
		x, y := s.primitive(s.rscs, k), s.primitive(s.rscs, k+1)
		s.together(y, x, "INFINITY")
		s.after(x, y, "Mandatory")
		s.prefer(x, (k-half)/2, 100)
	}
	if (resources-half)%2 == 1 {
		s.primitive(s.rscs, resources-1)
	}
	for k := 0; k < half; k += 50 {
		l := s.wish("rsc_location", a("rsc", fmt.Sprintf("r%05d", half+k)))
		r := l.AddNew("rule", a("id", l.ID()+"-r"), a("score", "-INFINITY"))
		r.AddNew("expression", a("id", l.ID()+"-e"), a("attribute", "#uname"), a("operation", "eq"), a("value", s.node(k+7)))
	}
	return s.cib
}

// Clones makes a cluster of interleaved clones, each ordered after and colocated
// with the one before.
func Clones(nodes, clones int) *xmltree.Node {
	s := newShape(nodes)
	last := ""
	for k := range clones {
		id := fmt.Sprintf("cl%05d", k)
		c := s.rscs.AddNew("clone", a("id", id))
		c.AddNew("meta_attributes", a("id", id+"-m")).AddNew("nvpair", a("id", id+"-i"), a("name", "interleave"), a("value", "true"))
		s.primitive(c, k)
		if last != "" {
			s.together(id, last, "INFINITY")
			s.after(last, id, "Mandatory")
		}
		last = id
	}
	return s.cib
}
