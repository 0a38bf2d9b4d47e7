// Package cibgen makes random CIBs from a seed: whole configurations that conform
// to the schema, with every feature of the scheduler, and status sections as a
// cluster's history leaves them. The differential tests give them to our
// scheduler and to the original's; it replaces nothing upstream.
package cibgen

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Now is the time that the CIBs are made for, in seconds since the epoch:
// histories end shortly before it, date rules lie around it.
const Now = 1_700_000_000

// CIB is one generated CIB. Immutable.
type CIB struct {
	Seed     uint64
	Root     *xmltree.Node
	Features []string // what it has, sorted
}

// gen makes one CIB.
type gen struct {
	*rand.Rand
	next     int // of the numbers in ids
	features map[string]bool

	cib, config, resources, constraints *xmltree.Node

	nodes     []string // names of cluster nodes
	remotes   []string // names of remote and guest nodes
	tops      []*xmltree.Node
	prims     []*xmltree.Node // every primitive, wherever
	templates []string
	used      []string // the templates that a resource uses
	tickets   []string
	tags      []string
	tagged    map[string][]string // what is under a tag
	stonith   []string
	attrs     []string // names of node attributes that rules ask for
}

// New makes the configuration of a seed, with a status in which all nodes are
// online and nothing has run yet.
func New(seed uint64) *CIB {
	g := &gen{Rand: rand.New(rand.NewPCG(seed, 0x6369)), features: map[string]bool{}, tagged: map[string][]string{}, attrs: []string{"site", "rack", "load"}}
	g.cib = xmltree.New("cib", a("crm_feature_set", "3.16.1"), a("validate-with", "pacemaker-3.9"), a("epoch", "10"), a("num_updates", "3"), a("admin_epoch", "0"))
	g.config = g.cib.AddNew("configuration")
	options := g.config.AddNew("crm_config")
	nodes := g.config.AddNew("nodes")
	g.resources = g.config.AddNew("resources")
	g.constraints = g.config.AddNew("constraints")
	g.clusterNodes(nodes)
	g.options(options)
	g.makeResources()
	if len(g.tops) > 0 { // a cluster may have no resources
		g.makeTags()
		g.makeConstraints()
	}
	g.topology()
	g.defaults()
	g.firstStatus()
	c := &CIB{Seed: seed, Root: g.cib}
	for f := range g.features {
		c.Features = append(c.Features, f)
	}
	slices.Sort(c.Features)
	return c
}

func a(name, value string) xmltree.Attr { return xmltree.Attr{Name: name, Value: value} }

// chance is true in percent of cases.
func (g *gen) chance(percent int) bool { return g.IntN(100) < percent }

// feature is chance, and notes what it decided for.
func (g *gen) feature(name string, percent int) bool {
	if !g.chance(percent) {
		return false
	}
	g.features[name] = true
	return true
}

func pick[T any](g *gen, from []T) T { return from[g.IntN(len(from))] }

func one(g *gen, from ...string) string { return from[g.IntN(len(from))] }

// id is a new id.
func (g *gen) id(prefix string) string {
	g.next++
	return prefix + "-" + strconv.Itoa(g.next)
}

// pairs adds a set of name-value pairs, if there are any, and returns it.
func (g *gen) pairs(to *xmltree.Node, kind string, pairs ...[2]string) *xmltree.Node {
	if len(pairs) == 0 {
		return nil
	}
	set := to.AddNew(kind, a("id", g.id("set")))
	for _, p := range pairs {
		set.AddNew("nvpair", a("id", g.id("nv")), a("name", p[0]), a("value", p[1]))
	}
	return set
}

// some adds each pair of the table with its chance, noting the feature.
type maybe struct {
	name    string
	percent int
	values  []string
}

func (g *gen) some(prefix string, table []maybe) (out [][2]string) {
	for _, m := range table {
		if g.feature(prefix+m.name, m.percent) {
			out = append(out, [2]string{m.name, pick(g, m.values)})
		}
	}
	return out
}

func v(values ...string) []string { return values }

// clusterOptions is every option that the scheduler reads.
func clusterOptions() []maybe {
	return []maybe{
		{"no-quorum-policy", 30, v("stop", "freeze", "ignore", "demote", "suicide")},
		{"symmetric-cluster", 12, v("false", "true")},
		{"maintenance-mode", 4, v("true", "false")},
		{"start-failure-is-fatal", 12, v("false", "true")},
		{"enable-startup-probes", 8, v("false", "true")},
		{"stonith-action", 15, v("reboot", "off")},
		{"stonith-timeout", 8, v("60s", "2min", "90000ms")},
		{"concurrent-fencing", 10, v("true", "false")},
		{"startup-fencing", 8, v("false", "true")},
		{"priority-fencing-delay", 8, v("30s", "10")},
		{"have-watchdog", 6, v("true", "false")},
		{"stonith-watchdog-timeout", 4, v("10s", "0")},
		{"cluster-delay", 5, v("30s", "60s")},
		{"batch-limit", 8, v("0", "5", "30")},
		{"migration-limit", 6, v("1", "2", "-1")},
		{"stop-all-resources", 4, v("true", "false")},
		{"stop-orphan-resources", 8, v("false", "true")},
		{"stop-orphan-actions", 8, v("false", "true")},
		{"remove-after-stop", 6, v("true", "false")},
		{"pe-error-series-max", 5, v("-1", "10")},
		{"node-health-strategy", 15, v("none", "migrate-on-red", "only-green", "progressive", "custom")},
		{"node-health-base", 6, v("10", "-5", "100")},
		{"node-health-green", 8, v("5", "0")},
		{"node-health-yellow", 6, v("-5", "0")},
		{"node-health-red", 6, v("-INFINITY", "-20")},
		{"placement-strategy", 25, v("default", "utilization", "minimal", "balanced")},
		{"shutdown-lock", 10, v("true", "false")},
		{"shutdown-lock-limit", 5, v("0", "10min", "1h")},
		{"cluster-recheck-interval", 5, v("15min", "60s")},
	}
}

func (g *gen) options(to *xmltree.Node) {
	table := clusterOptions()
	pairs := [][2]string{{"cluster-infrastructure", "corosync"}}
	fencing := one(g, "true", "true", "true", "false")
	pairs = append(pairs, [2]string{"stonith-enabled", fencing})
	pairs = append(pairs, g.some("option ", table)...)
	set := to.AddNew("cluster_property_set", a("id", "cib-bootstrap-options"))
	for _, p := range pairs {
		set.AddNew("nvpair", a("id", "cib-bootstrap-options-"+p[0]), a("name", p[0]), a("value", p[1]))
	}
	if g.feature("option rule", 4) {
		set := to.AddNew("cluster_property_set", a("id", g.id("options")), a("score", one(g, "10", "INFINITY")))
		g.dateRule(set, "")
		set.AddNew("nvpair", a("id", g.id("nv")), a("name", "maintenance-mode"), a("value", one(g, "true", "false")))
	}
	quorum := "1"
	if g.feature("no quorum", 10) {
		quorum = "0"
	}
	g.cib.Set("have-quorum", quorum)
	g.cib.Set("dc-uuid", "1")
}

// nodeAttributes is what can be set on a node.
func nodeAttributes() []maybe {
	return []maybe{
		{"standby", 8, v("on", "true", "off")},
		{"maintenance", 5, v("true", "false")},
		{"#health-cpu", 8, v("red", "yellow", "green")},
		{"#health-disk", 5, v("red", "yellow", "-10", "7")},
		{"site", 40, v("east", "west")},
		{"rack", 25, v("1", "2", "10")},
		{"load", 15, v("0.5", "3", "12.25")},
		{"priority-x", 5, v("1")},
	}
}

func (g *gen) clusterNodes(to *xmltree.Node) {
	count := 1 + g.IntN(5)
	for i := range count {
		name := fmt.Sprintf("node%d", i+1)
		g.nodes = append(g.nodes, name)
		n := to.AddNew("node", a("id", strconv.Itoa(i+1)), a("uname", name))
		if g.feature("node type", 5) {
			n.Set("type", one(g, "member", "ping"))
		}
		g.pairs(n, "instance_attributes", g.some("node attribute ", nodeAttributes())...)
		if g.feature("node utilization", 25) {
			g.pairs(n, "utilization", [2]string{"cpu", one(g, "2", "4", "8")}, [2]string{"memory", one(g, "1024", "4096")})
		}
	}
}

func (g *gen) defaults() {
	if g.feature("rsc_defaults", 20) {
		set := g.pairs(g.config.AddNew("rsc_defaults"), "meta_attributes", [2]string{"resource-stickiness", one(g, "1", "100", "INFINITY", "-1")})
		if g.feature("rsc_defaults rule", 20) {
			g.expressionRule(set, "<rsc_expression")
		}
		if g.chance(30) {
			set.AddNew("nvpair", a("id", g.id("nv")), a("name", "migration-threshold"), a("value", one(g, "1", "3")))
		}
	}
	if g.feature("op_defaults", 12) {
		set := g.pairs(g.config.AddNew("op_defaults"), "meta_attributes", [2]string{one(g, "timeout", "on-fail", "record-pending"), one(g, "30s", "restart", "true")})
		if g.feature("op_defaults rule", 20) {
			g.expressionRule(set, "<op_expression")
		}
	}
}

// makeTags puts resources under tags that constraints can name.
func (g *gen) makeTags() {
	if !g.feature("tag", 15) {
		return
	}
	tags := g.config.AddNew("tags")
	for range 1 + g.IntN(2) {
		tag := tags.AddNew("tag", a("id", g.id("tag")))
		seen := map[string]bool{}
		for range 1 + g.IntN(3) {
			id := pick(g, g.tops).ID()
			if !seen[id] {
				seen[id] = true
				tag.AddNew("obj_ref", a("id", id))
				g.tagged[tag.ID()] = append(g.tagged[tag.ID()], id)
			}
		}
		g.tags = append(g.tags, tag.ID())
	}
}

// topology adds fencing levels.
func (g *gen) topology() {
	if len(g.stonith) == 0 || !g.feature("fencing topology", 15) {
		return
	}
	top := g.config.AddNew("fencing-topology")
	for i, n := range g.nodes {
		if g.chance(60) {
			top.AddNew("fencing-level", a("id", g.id("level")), a("target", n), a("index", strconv.Itoa(1+i%2)), a("devices", pick(g, g.stonith)))
		}
	}
}
