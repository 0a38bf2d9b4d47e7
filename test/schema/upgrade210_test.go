package schema

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/cib/schema"
	"github.com/pacesync/pacesync/cib/schema/schemafiles"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// amount is how many CIBs a test makes: few, or with E2E_LONG many.
func amount(few, many int) int {
	if os.Getenv("E2E_LONG") != "" {
		return many
	}
	return few
}

// sheet applies an installed stylesheet to many CIBs at once.
func sheet(t *testing.T, name string, roots []*xmltree.Node) []*xmltree.Node {
	t.Helper()
	in := t.TempDir()
	args := []string{filepath.Join(schemafiles.Dir(), name)}
	for i, root := range roots {
		file := filepath.Join(in, fmt.Sprintf("%d.xml", i))
		if err := os.WriteFile(file, root.Append(nil), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	var said bytes.Buffer
	cmd := exec.Command("/usr/bin/xsltproc", args...)
	cmd.Stderr = &said
	out, err := cmd.Output() // one document behind the other
	if err != nil {
		t.Fatalf("%s: %v\n%.2000s", name, err, said.String())
	}
	all, err := xmltree.ParseString("<all>"+string(out)+"</all>", xmltree.Limits{Bytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	all.StripText()
	var made []*xmltree.Node
	all.Elements(func(n *xmltree.Node) { made = append(made, n) })
	if len(made) != len(roots) {
		t.Fatalf("%s: %d documents for %d", name, len(made), len(roots))
	}
	return made
}

// compareTo30 compares the step from 2.10 with the three stylesheets.
func compareTo30(t *testing.T, set *schema.Set, roots []*xmltree.Node) {
	t.Helper()
	for len(roots) > 0 {
		batch := roots[:min(len(roots), 100)]
		roots = roots[len(batch):]
		want := sheet(t, "upgrade-2.10-leave.xsl", sheet(t, "upgrade-2.10.xsl", sheet(t, "upgrade-2.10-enter.xsl", batch)))
		for i, root := range batch {
			before := root.String()
			got, _ := schema.UpgradeTo30(root)
			if root.String() != before {
				t.Errorf("the input changed: %s", before)
			}
			if !bytes.Equal(got.Append(nil), want[i].Append(nil)) {
				keep(t, "to30", root)
				t.Fatalf("%s\n got %s\nwant %s", before, got, want[i])
			}
		}
	}
}

func keep(t *testing.T, name string, root *xmltree.Node) {
	if dir := os.Getenv("SCHEMA_KEEP"); dir != "" {
		_ = os.WriteFile(filepath.Join(dir, name+".xml"), root.Append(nil), 0o644)
	}
	t.Helper()
}

// TestUpgradeTo30OfTheCases takes the CIBs of Pacemaker's scheduler tests, most of
// which were written for 1.x, first to 2.0 in Go.
func TestUpgradeTo30OfTheCases(t *testing.T) {
	labtest.Need(t, "/usr/bin/xsltproc")
	files, set, rnd := cases(t), load(t), rand.New(rand.NewPCG(210, 1))
	rnd.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	var roots []*xmltree.Node
	for _, file := range files[:min(len(files), amount(24, 1<<20))] {
		root, _ := schema.UpgradeTo20(parse(t, file))
		root.StripText()
		root.Set("validate-with", "pacemaker-2.10")
		roots = append(roots, root)
	}
	compareTo30(t, set, roots)
}

// TestUpgradeTo30 takes random CIBs with all that the stylesheets touch.
func TestUpgradeTo30(t *testing.T) {
	labtest.Need(t, "/usr/bin/xsltproc")
	set := load(t)
	var roots []*xmltree.Node
	valid, better := 0, 0
	for seed := range amount(60, 6000) {
		root := oldCIB(rand.New(rand.NewPCG(uint64(seed), 210)))
		roots = append(roots, root)
		if len(set.ValidateWith(root, set.Find("pacemaker-2.10"))) == 0 {
			valid++
			if up, _ := schema.UpgradeTo30(root); len(set.ValidateWith(up, set.Find("pacemaker-3.0"))) == 0 {
				better++
			}
		}
	}
	compareTo30(t, set, roots)
	t.Logf("%d CIBs, %d conform to 2.10, of them %d upgraded to 3.0", len(roots), valid, better)
	if valid < len(roots)/4 || better < valid/4 {
		t.Error("too few valid CIBs to show anything")
	}
}

// TestRemarksOfTo30 compares what is said during the step.
func TestRemarksOfTo30(t *testing.T) {
	labtest.Need(t, "/usr/bin/xsltproc")
	for seed := range amount(15, 400) {
		root := oldCIB(rand.New(rand.NewPCG(uint64(seed), 211)))
		_, remarks := schema.UpgradeTo30(root)
		var want strings.Builder
		for _, name := range []string{"upgrade-2.10-enter.xsl", "upgrade-2.10.xsl", "upgrade-2.10-leave.xsl"} {
			cmd := exec.Command("/usr/bin/xsltproc", filepath.Join(schemafiles.Dir(), name), "-")
			var said, out bytes.Buffer
			cmd.Stdin, cmd.Stderr, cmd.Stdout = strings.NewReader(root.String()), &said, &out
			if err := cmd.Run(); err != nil {
				t.Fatal(err)
			}
			want.WriteString(said.String())
			var err error
			if root, err = xmltree.Parse(out.Bytes(), xmltree.Limits{}); err != nil {
				t.Fatal(err)
			}
			root.StripText()
		}
		if got := told(remarks); got != want.String() {
			t.Fatalf("seed %d\n got %s\nwant %s", seed, got, want.String())
		}
	}
}

// old makes one CIB for pacemaker-2.10.
type old struct {
	*rand.Rand
	ids  int
	refs map[string][]string // ids of sets by element
}

func oldCIB(rnd *rand.Rand) *xmltree.Node {
	g := &old{Rand: rnd, refs: map[string][]string{}}
	cib := xmltree.New("cib", at("epoch", "3"), at("num_updates", "0"), at("admin_epoch", "0"), at("validate-with", "pacemaker-2.10"), at("crm_feature_set", "3.0.14"))
	conf := cib.AddNew("configuration")
	options := conf.AddNew("crm_config")
	for range g.IntN(4) {
		g.set(options, "cluster_property_set", g.properties, true)
	}
	nodes := conf.AddNew("nodes")
	for i := range g.IntN(4) {
		n := nodes.AddNew("node", at("id", fmt.Sprintf("n%d", i)), at("uname", fmt.Sprintf("node%d", i)))
		if g.one(2) {
			n.Set("type", g.pick("normal", "normal", "member", "ping", "remote"))
		}
		if g.one(3) {
			g.set(n, "instance_attributes", g.other, true)
		}
	}
	resources := conf.AddNew("resources")
	for range 1 + g.IntN(4) {
		g.resource(resources)
	}
	constraints := conf.AddNew("constraints")
	for range g.IntN(3) {
		c := constraints.AddNew("rsc_colocation", at("id", g.id()), at("rsc", "p1"), at("score", "5"))
		c.Set(g.pick("score-attribute", "score-attribute-mangle", "with-rsc", "node-attribute"), "v")
		c.Set("with-rsc", "p2")
		g.comment(c)
	}
	for _, name := range []string{"op_defaults", "rsc_defaults"} {
		if g.one(2) {
			d := conf.AddNew(name)
			g.comment(d)
			for range g.IntN(3) {
				g.set(d, "meta_attributes", func() (string, string) {
					return g.pick("timeout", "is-managed", "resource-stickiness", "migration-threshold", "x"), g.pick("1", "2")
				}, true)
			}
		}
	}
	g.comment(conf)
	status := cib.AddNew("status")
	if g.one(3) {
		s := status.AddNew("node_state", at("id", "n0"), at("uname", "node0")).AddNew("transient_attributes", at("id", "n0"))
		g.set(s, "instance_attributes", g.other, false)
	}
	return cib
}

func at(name, value string) xmltree.Attr   { return xmltree.Attr{Name: name, Value: value} }
func (g *old) one(in int) bool             { return g.IntN(in) == 0 }
func (g *old) pick(words ...string) string { return words[g.IntN(len(words))] }
func (g *old) other() (name, value string) {
	return g.pick("a", "b", "isolation", "requires", "timeout"), g.pick("1", "2", "")
}
func (g *old) id() string { g.ids++; return fmt.Sprintf("id%d", g.ids) }
func (g *old) comment(n *xmltree.Node) {
	for g.one(5) {
		n.Add(&xmltree.Node{Kind: xmltree.Comment, Name: g.pick("one", "two", " three ")})
	}
}

func (g *old) properties() (name, value string) {
	name = g.pick("cluster-infrastructure", "cluster_recheck_interval", "dc_deadtime", "default-action-timeout", "default_action_timeout",
		"default-migration-threshold", "default_migration_threshold", "default-resource-stickiness", "default_resource_stickiness",
		"default-resource-failure-stickiness", "default_resource_failure_stickiness", "election_timeout", "expected-quorum-votes",
		"is-managed-default", "is_managed_default", "no_quorum_policy", "notification-agent", "notification-recipient", "remove_after_stop",
		"shutdown_escalation", "startup_fencing", "stonith_action", "stonith_enabled", "stop_orphan_actions", "stop_orphan_resources",
		"symmetric_cluster", "transition_idle_timeout", "stonith-enabled", "batch-limit", "cluster-delay")
	return name, g.pick("1", "true", "-INFINITY", "-INFINITY", "corosync", "cman", "openais", "classic openais", "openais|cman", "", "stop")
}

func (g *old) meta() (name, value string) {
	return g.pick("isolation", "isolation-host", "isolation-instance", "isolation-wrapper", "resource-failure-stickiness", "resource_failure_stickiness",
		"resource-failure-stickiness", "target-role", "migration-threshold", "requires", "is-managed", "priority"), g.pick("-INFINITY", "-INFINITY", "1", "quorum", "")
}

func (g *old) instance() (name, value string) {
	return g.pick("pcmk_arg_map", "pcmk_arg_map", "pcmk_list_cmd", "pcmk_monitor_cmd", "pcmk_off_cmd", "pcmk_on_cmd", "pcmk_reboot_cmd",
		"pcmk_status_cmd", "pcmk_host_argument", "ip"), g.pick("port:plug", "port:a,b:c", "port:", "xport:y", "1", "uname:nodename")
}

func (g *old) opInstance() (name, value string) {
	return g.pick("requires", "requires", "interval-origin", "start-delay", "enabled", "on-fail", "record-pending", "role", "timeout", "timeout",
		"name", "interval", "OCF_CHECK_LEVEL"), g.pick("quorum", "10s", "Started", "fencing")
}

func (g *old) opMeta() (name, value string) {
	return g.pick("requires", "requires", "timeout", "x", "on-fail"), g.pick("quorum", "nothing", "10")
}

// set adds a set of pairs, a reference to another one, and comments.
func (g *old) set(parent *xmltree.Node, name string, pair func() (string, string), mayRefer bool) {
	g.comment(parent)
	if have := g.refs[name]; mayRefer && len(have) > 0 && g.one(5) {
		parent.AddNew(name, at("id-ref", have[g.IntN(len(have))]))
		return
	}
	s := parent.AddNew(name, at("id", g.id()))
	if mayRefer && !slices.Contains(g.refs[name], s.ID()) {
		g.refs[name] = append(g.refs[name], s.ID())
	}
	if g.one(4) {
		s.Set("score", g.pick("5", "INFINITY"))
	}
	rule := g.one(4)
	at1 := g.IntN(3)
	for i := range g.IntN(4) {
		if rule && i == at1 {
			g.rule(s)
			rule = false
		}
		g.comment(s)
		n, v := pair()
		k := s.AddNew("nvpair", at("id", g.id()), at("name", n), at("value", v))
		switch g.IntN(14) {
		case 0:
			k.Unset("value")
		case 1:
			k.Attrs[1], k.Attrs[2] = k.Attrs[2], k.Attrs[1]
		}
	}
	g.comment(s)
	if rule {
		g.rule(s)
		g.comment(s)
	}
}

func (g *old) rule(s *xmltree.Node) {
	r := s.AddNew("rule", at("id", g.id()), at("score", "0"))
	g.comment(r)
	r.AddNew("expression", at("id", g.id()), at("attribute", "#uname"), at("operation", "eq"), at("value", "node1"))
}

func (g *old) resource(parent *xmltree.Node) {
	switch g.IntN(5) {
	case 0:
		group := parent.AddNew("group", at("id", g.id()))
		if g.one(2) {
			g.set(group, "meta_attributes", g.meta, true)
		}
		for range 1 + g.IntN(2) {
			g.primitive(group, "primitive")
		}
	case 1:
		clone := parent.AddNew("clone", at("id", g.id()))
		if g.one(2) {
			g.set(clone, "meta_attributes", g.meta, true)
		}
		g.primitive(clone, "primitive")
	default:
		g.primitive(parent, g.pick("primitive", "primitive", "template"))
	}
}

func (g *old) primitive(parent *xmltree.Node, name string) {
	p := parent.AddNew(name, at("id", g.id()), at("class", "ocf"), at("provider", "heartbeat"), at("type", "Dummy"))
	parts := []func(){
		func() { g.set(p, "instance_attributes", g.instance, true) },
		func() { g.set(p, "meta_attributes", g.meta, true) },
		func() { g.set(p, "meta_attributes", g.meta, true) },
		func() { g.operations(p) }, func() {
			p.AddNew("utilization", at("id", g.id())).AddNew("nvpair", at("id", g.id()), at("name", "cpu"), at("value", "1"))
		},
	}
	g.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	for _, part := range parts[:1+g.IntN(len(parts))] {
		part()
	}
	g.comment(p)
}

func (g *old) operations(p *xmltree.Node) {
	if p.Child("operations") != nil {
		return
	}
	ops := p.AddNew("operations")
	for range 1 + g.IntN(4) {
		g.comment(ops)
		op := ops.AddNew("op", at("id", g.id()), at("name", g.pick("start", "start", "promote", "stop", "monitor")), at("interval", g.pick("0", "10s")))
		if g.one(5) {
			op.Set("requires", g.pick("quorum", "fencing", "nothing"))
		}
		if g.one(2) {
			op.Set("timeout", "20s")
		}
		for g.one(2) {
			if g.one(2) {
				g.set(op, "instance_attributes", g.opInstance, true)
			} else {
				g.set(op, "meta_attributes", g.opMeta, true)
			}
		}
		g.comment(op)
	}
}
