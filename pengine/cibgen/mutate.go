package cibgen

import (
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Mutate changes a few things in a CIB that somebody else wrote: values, options,
// constraints, what has happened. root is changed. It returns what was done, sorted.
func Mutate(seed uint64, root *xmltree.Node) []string {
	g := adopt(seed, root)
	if g == nil {
		return nil
	}
	for range 1 + g.IntN(4) {
		g.mutation()
	}
	var out []string
	for f := range g.features {
		out = append(out, f)
	}
	slices.Sort(out)
	return out
}

// adopt is a generator that goes on with a CIB; nil for one without the sections
// that each has.
func adopt(seed uint64, root *xmltree.Node) *gen {
	g := &gen{Rand: rand.New(rand.NewPCG(seed, 0x6d75)), features: map[string]bool{}, tagged: map[string][]string{}, next: 20000}
	g.attrs = []string{"site", "rack", "load"}
	g.cib, g.config = root, root.Child("configuration")
	g.resources, g.constraints = g.config.Child("resources"), g.config.Child("constraints")
	nodes := g.config.Child("nodes")
	if g.resources == nil || g.constraints == nil || nodes == nil || g.config.Child("crm_config") == nil || root.Child("status") == nil {
		return nil
	}
	nodes.Each("node", func(n *xmltree.Node) { g.nodes = append(g.nodes, n.Attr("uname")) })
	g.resources.Elements(func(n *xmltree.Node) {
		if n.Name != "template" {
			g.tops = append(g.tops, n)
		}
	})
	var walk func(*xmltree.Node)
	walk = func(n *xmltree.Node) {
		if n.Name == "primitive" {
			g.prims = append(g.prims, n)
		}
		n.Elements(walk)
	}
	walk(g.resources)
	if len(g.nodes) == 0 || len(g.tops) == 0 {
		return nil
	}
	return g
}

func (g *gen) mutation() {
	switch g.IntN(11) {
	case 0:
		g.features["mutation: option"] = true
		g.mutateOption()
	case 1:
		g.features["mutation: meta attribute"] = true
		g.mutateMeta()
	case 2:
		g.features["mutation: constraint"] = true
		g.pickConstraint()
	case 3:
		g.features["mutation: left out"] = true
		if n := g.anyOf("nvpair", "op", "rsc_location", "rsc_colocation", "rsc_order", "rsc_ticket", "lrm_rsc_op", "lrm_resource", "node_state", "utilization"); n != nil {
			n.Remove()
		}
	case 4:
		g.features["mutation: node state"] = true
		if n := g.anyOf("node_state"); n != nil {
			g.nodeState(n)
		}
	case 5:
		g.features["mutation: order of elements"] = true
		if n := g.anyOf("primitive", "group", "clone", "master", "bundle", "rsc_location", "rsc_colocation", "rsc_order", "node", "node_state"); n != nil {
			parent := n.Parent
			n.Remove()
			parent.Add(n)
		}
	case 6:
		g.features["mutation: operation"] = true
		if n := g.anyOf("op"); n != nil {
			g.opAttributes(n)
		}
	case 7:
		g.features["mutation: value"] = true
		g.mutateValue()
	case 8:
		g.features["mutation: records"] = true
		g.records(g.cib.Child("status"))
	default:
		g.features["mutation: event"] = true
		g.event(g.cib.Child("status"))
	}
}

func (g *gen) pickConstraint() {
	switch g.IntN(3) {
	case 0:
		g.location()
	case 1:
		g.colocation()
	default:
		g.order()
	}
}

// anyOf picks one of the elements of these names.
func (g *gen) anyOf(names ...string) *xmltree.Node {
	var all []*xmltree.Node
	var walk func(*xmltree.Node)
	walk = func(n *xmltree.Node) {
		if slices.Contains(names, n.Name) {
			all = append(all, n)
		}
		n.Elements(walk)
	}
	walk(g.cib)
	if len(all) == 0 {
		return nil
	}
	return pick(g, all)
}

// setPair gives a name in a set of pairs a value, which may replace one.
func (g *gen) setPair(set *xmltree.Node, name, value string) {
	found := false
	set.Each("nvpair", func(n *xmltree.Node) {
		if n.Attr("name") == name && !found {
			n.Set("value", value)
			found = true
		}
	})
	if !found {
		set.AddNew("nvpair", a("id", g.id("nv")), a("name", name), a("value", value))
	}
}

func (g *gen) mutateOption() {
	set := g.config.Child("crm_config").Child("cluster_property_set")
	if set == nil || set.Child("attributes") != nil { // the second: older than what a name-value pair is now
		return
	}
	m := pick(g, clusterOptions())
	g.setPair(set, m.name, pick(g, m.values))
}

func (g *gen) mutateMeta() {
	n := g.anyOf("primitive", "group", "clone", "bundle")
	if n == nil || n.Parent.Name == "bundle" {
		return
	}
	table := metaAttributes()
	if n.Name == "clone" {
		table = append(table, cloneMeta()...)
		table = append(table, maybe{"promotable", 0, v("true", "false")}, maybe{"promoted-max", 0, v("1", "2")})
	}
	m := pick(g, table)
	set := n.Child("meta_attributes")
	if set == nil {
		set = xmltree.New("meta_attributes", a("id", g.id("set")))
		prependTo(n, set)
	} else if set.Child("nvpair") == nil {
		return
	}
	g.setPair(set, m.name, pick(g, m.values))
}

// mutateValue gives an attribute another value of its kind.
func (g *gen) mutateValue() {
	kinds := []maybe{
		{"score", 0, v("INFINITY", "-INFINITY", "0", "10", "-10", "500")},
		{"rc-code", 0, v("0", "1", "7", "8", "9", "5", "193", "190")},
		{"op-status", 0, v("0", "-1", "4", "2", "6")},
		{"call-id", 0, v("1", "10", "50", "-1", "0")},
		{"operation", 0, v("start", "stop", "monitor", "promote", "demote", "migrate_to", "migrate_from")},
		{"on-fail", 0, v("ignore", "block", "stop", "restart", "standby", "fence")},
		{"interval", 0, v("0", "10000", "10s", "30000")},
		{"have-quorum", 0, v("0", "1")},
		{"kind", 0, v("Mandatory", "Optional", "Serialize")},
		{"symmetrical", 0, v("true", "false")},
		{"sequential", 0, v("true", "false")},
		{"require-all", 0, v("true", "false")},
		{"role", 0, v("Promoted", "Unpromoted", "Started")},
		{"rsc-role", 0, v("Promoted", "Unpromoted", "Started")},
		{"with-rsc-role", 0, v("Promoted", "Unpromoted", "Started")},
		{"granted", 0, v("true", "false")},
		{"replicas", 0, v("1", "2", "4")},
		{"last-rc-change", 0, v("0", strconv.Itoa(Now-30), strconv.Itoa(Now-5000))},
	}
	var all []func()
	var walk func(*xmltree.Node)
	walk = func(n *xmltree.Node) {
		for i := range n.Attrs {
			at := slices.IndexFunc(kinds, func(m maybe) bool { return m.name == n.Attrs[i].Name })
			if at >= 0 {
				all = append(all, func() { n.Attrs[i].Value = pick(g, kinds[at].values) })
			}
		}
		n.Elements(walk)
	}
	walk(g.cib)
	if len(all) > 0 {
		pick(g, all)()
	}
}
