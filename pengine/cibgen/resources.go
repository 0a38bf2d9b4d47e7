package cibgen

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// metaAttributes is what every kind of resource can have.
func metaAttributes() []maybe {
	return []maybe{
		{"target-role", 8, v("Started", "Stopped", "Promoted", "Unpromoted", "Master", "Slave")},
		{"is-managed", 5, v("false", "true")},
		{"maintenance", 4, v("true", "false")},
		{"resource-stickiness", 12, v("1", "50", "INFINITY", "-10", "0")},
		{"priority", 12, v("1", "10", "-5", "INFINITY")},
		{"multiple-active", 8, v("stop_start", "stop_only", "block", "stop_unexpected")},
		{"migration-threshold", 15, v("1", "2", "3", "INFINITY", "0")},
		{"failure-timeout", 12, v("60s", "10min", "1d", "0")},
		{"allow-migrate", 12, v("true", "false")},
		{"requires", 8, v("nothing", "quorum", "fencing", "unfencing")},
		{"critical", 5, v("false", "true")},
		{"allow-unhealthy-nodes", 4, v("true", "false")},
		{"restart-type", 3, v("ignore", "restart")},
		{"container-attribute-target", 3, v("host")},
	}
}

func (g *gen) makeResources() {
	for range g.IntN(3) {
		if g.feature("template", 25) {
			g.template()
		}
	}
	if g.feature("ticket", 18) {
		g.tickets = []string{"ticketA", "ticketB"}[:1+g.IntN(2)]
	}
	if g.chance(70) {
		for range 1 + g.IntN(2) {
			g.fenceDevice()
		}
	}
	for range 1 + g.IntN(7) {
		switch k := g.IntN(100); {
		case k < 42:
			g.top(g.primitive(g.resources))
		case k < 56:
			g.features["group"] = true
			g.top(g.group(g.resources))
		case k < 78:
			g.clone()
		case k < 87:
			g.bundle()
		case k < 93:
			g.remote()
		default:
			g.guest()
		}
	}
}

func (g *gen) top(n *xmltree.Node) { g.tops = append(g.tops, n) }

func (g *gen) template() {
	id := g.id("tmpl")
	n := g.resources.AddNew("template", a("id", id), a("class", "ocf"), a("provider", "heartbeat"), a("type", "Dummy"))
	g.pairs(n, "meta_attributes", g.some("meta ", metaAttributes())...)
	g.operations(n, false)
	g.templates = append(g.templates, id)
}

// agents are classes that the scheduler treats differently.
func agents() [][3]string {
	return [][3]string{{"ocf", "heartbeat", "Dummy"}, {"ocf", "pacemaker", "Dummy"}, {"ocf", "heartbeat", "IPaddr2"},
		{"systemd", "", "httpd"}, {"lsb", "", "oldscript"}, {"service", "", "thing"}, {"ocf", "heartbeat", "VirtualDomain"}}
}

// primitive adds one with everything that it may have.
func (g *gen) primitive(to *xmltree.Node) *xmltree.Node {
	n := to.AddNew("primitive", a("id", g.id("rsc")))
	if len(g.templates) > 0 && g.feature("template use", 25) {
		t := pick(g, g.templates)
		n.Set("template", t)
		if !slices.Contains(g.used, t) {
			g.used = append(g.used, t)
		}
	} else {
		setAgent(n, pick(g, agents()))
	}
	g.metaAndParams(n)
	if g.feature("resource utilization", 20) {
		g.pairs(n, "utilization", [2]string{"cpu", one(g, "1", "2", "3")}, [2]string{"memory", one(g, "512", "2048")})
	}
	g.operations(n, false)
	g.prims = append(g.prims, n)
	return n
}

func setAgent(n *xmltree.Node, agent [3]string) {
	n.Set("class", agent[0])
	if agent[1] != "" {
		n.Set("provider", agent[1])
	}
	n.Set("type", agent[2])
}

func (g *gen) metaAndParams(n *xmltree.Node) {
	meta := g.some("meta ", metaAttributes())
	if set := g.pairs(n, "meta_attributes", meta...); set != nil && g.feature("meta rule", 5) {
		r := xmltree.New("rule", a("id", g.id("rule")), a("score", "5"))
		g.dateExpression(r)
		prependTo(set, r)
	}
	if g.feature("parameters", 25) {
		set := g.pairs(n, "instance_attributes", [2]string{"state", "/run/state-" + n.ID()}, [2]string{"fake", one(g, "a", "b")})
		if g.feature("parameter rule", 15) {
			r := xmltree.New("rule", a("id", g.id("rule")), a("score", "INFINITY"))
			g.attributeExpression(r)
			prependTo(set, r)
		}
	}
}

// operations adds operations; statefulAgent: also those of promotable resources.
func (g *gen) operations(n *xmltree.Node, statefulAgent bool) {
	if !g.chance(70) {
		return
	}
	ops := n.AddNew("operations")
	op := func(name, interval string) *xmltree.Node {
		o := ops.AddNew("op", a("id", g.id("op")), a("name", name), a("interval", interval))
		g.opAttributes(o)
		return o
	}
	if g.chance(80) {
		o := op("monitor", one(g, "10s", "10", "30s", "1min"))
		if statefulAgent {
			o.Set("role", one(g, "Unpromoted", "Slave", "Started"))
		}
	}
	if statefulAgent && g.chance(80) {
		op("monitor", one(g, "11s", "7s")).Set("role", one(g, "Promoted", "Master"))
	}
	if g.feature("monitor stopped", 5) {
		op("monitor", "23s").Set("role", "Stopped")
	}
	for _, name := range []string{"start", "stop", "promote", "demote", "migrate_to", "migrate_from"} {
		if g.chance(15) {
			op(name, one(g, "0", "0s"))
		}
	}
}

func (g *gen) opAttributes(o *xmltree.Node) {
	for _, m := range []maybe{
		{"timeout", 50, v("20s", "60", "1min", "120000ms")},
		{"on-fail", 20, v("ignore", "block", "stop", "restart", "standby", "fence", "restart-container", "demote")},
		{"enabled", 5, v("false", "true")},
		{"start-delay", 4, v("5s", "0")},
		{"record-pending", 4, v("true", "false")},
		{"interval-origin", 3, v("2023-11-14 00:00:00Z")},
	} {
		if _, delayed := o.Get("start-delay"); delayed && m.name == "interval-origin" {
			continue // one excludes the other
		}
		if g.feature("op "+m.name, m.percent) {
			o.Set(m.name, pick(g, m.values))
		}
	}
	if g.feature("op timeout in meta", 5) {
		g.pairs(o, "meta_attributes", [2]string{"timeout", "44s"})
	}
	if g.feature("op parameters", 5) {
		g.pairs(o, "instance_attributes", [2]string{"OCF_CHECK_LEVEL", "10"})
	}
}

func (g *gen) group(to *xmltree.Node) *xmltree.Node {
	n := to.AddNew("group", a("id", g.id("grp")))
	g.pairs(n, "meta_attributes", g.some("meta ", append(metaAttributes(), maybe{"ordered", 5, v("false", "true")}, maybe{"collocated", 12, v("false", "true")}))...)
	for range 1 + g.IntN(4) {
		g.primitive(n)
	}
	return n
}

// cloneMeta is what clones have besides.
func cloneMeta() []maybe {
	return []maybe{
		{"clone-max", 25, v("1", "2", "3", "5", "0")},
		{"clone-node-max", 15, v("1", "2")},
		{"clone-min", 8, v("1", "2")},
		{"globally-unique", 15, v("true", "false")},
		{"interleave", 35, v("true", "false")},
		{"ordered", 12, v("true", "false")},
		{"notify", 25, v("true", "false")},
	}
}

func (g *gen) clone() {
	n := g.resources.AddNew("clone", a("id", g.id("clone")))
	g.features["clone"] = true
	promotable := g.feature("promotable", 40)
	table := append(cloneMeta(), metaAttributes()...)
	meta := g.some("meta ", table)
	if promotable {
		meta = append(meta, [2]string{"promotable", "true"})
		meta = append(meta, g.some("promotable ", []maybe{{"promoted-max", 25, v("1", "2", "0")}, {"promoted-node-max", 10, v("1", "2")}, {"master-max", 12, v("2")}})...)
	}
	g.pairs(n, "meta_attributes", meta...)
	switch {
	case g.feature("cloned group", 30):
		grp := n.AddNew("group", a("id", g.id("grp")))
		for range 1 + g.IntN(3) {
			g.cloned(grp, promotable)
		}
	default:
		g.cloned(n, promotable)
	}
	g.top(n)
}

// cloned adds a primitive to a clone or cloned group.
func (g *gen) cloned(to *xmltree.Node, promotable bool) {
	if !promotable {
		g.primitive(to)
		return
	}
	n := to.AddNew("primitive", a("id", g.id("rsc")), a("class", "ocf"), a("provider", "pacemaker"), a("type", "Stateful"))
	g.metaAndParams(n)
	g.operations(n, true)
	g.prims = append(g.prims, n)
}

func (g *gen) fenceDevice() {
	id := g.id("fence")
	kind := one(g, "fence_xvm", "fence_ipmilan", "fence_scsi")
	n := g.resources.AddNew("primitive", a("id", id), a("class", "stonith"), a("type", kind))
	params := [][2]string{{"pcmk_host_list", pick(g, g.nodes)}}
	if g.chance(30) {
		params = append(params, [2]string{"pcmk_delay_base", "5s"})
	}
	g.pairs(n, "instance_attributes", params...)
	if g.feature("unfencing", 12) {
		g.pairs(n, "meta_attributes", [2]string{"provides", "unfencing"})
	}
	g.operations(n, false)
	g.stonith = append(g.stonith, id)
	g.prims = append(g.prims, n)
	g.top(n)
}

func (g *gen) bundle() {
	if !g.chance(80) {
		return
	}
	g.features["bundle"] = true
	n := g.resources.AddNew("bundle", a("id", g.id("bundle")))
	c := n.AddNew(one(g, "docker", "podman", "rkt"), a("image", "image:tag"))
	for _, m := range []maybe{{"replicas", 60, v("1", "2", "3")}, {"replicas-per-host", 30, v("1", "2")}, {"promoted-max", 35, v("1", "2")},
		{"run-command", 30, v("/bin/run")}, {"network", 30, v("host")}, {"options", 30, v("--log-driver=journald")}} {
		if g.feature("bundle "+m.name, m.percent) {
			c.Set(m.name, pick(g, m.values))
		}
	}
	_, perHost := c.Get("replicas-per-host")
	if perHost || g.chance(60) {
		net := n.AddNew("network", a("control-port", strconv.Itoa(3121+g.IntN(20))))
		if g.chance(60) {
			net.Set("ip-range-start", fmt.Sprintf("192.168.%d.10", g.IntN(200)))
			net.Set("host-netmask", "24")
		}
		if g.feature("bundle ports", 50) {
			net.AddNew("port-mapping", a("id", g.id("port")), a("port", "80"))
		}
	}
	if g.feature("bundle storage", 50) {
		s := n.AddNew("storage")
		s.AddNew("storage-mapping", a("id", g.id("map")), a(one(g, "source-dir", "source-dir-root"), "/srv"), a("target-dir", "/var/www"), a("options", "rw"))
	}
	if g.feature("bundle primitive", 70) {
		_, promoted := c.Get("promoted-max")
		if n.Child("network") == nil {
			n.Child(c.Name).AddAfter(xmltree.New("network", a("ip-range-start", fmt.Sprintf("192.168.%d.10", g.IntN(200)))))
		}
		g.cloned(n, promoted)
	}
	if g.chance(25) {
		meta := xmltree.New("meta_attributes", a("id", g.id("set")))
		meta.AddNew("nvpair", a("id", g.id("nv")), a("name", one(g, "target-role", "is-managed", "resource-stickiness")), a("value", one(g, "Started", "true", "5")))
		prependTo(n, meta)
	}
	g.top(n)
}

func (g *gen) remote() {
	g.features["remote node"] = true
	id := g.id("remote")
	n := g.resources.AddNew("primitive", a("id", id), a("class", "ocf"), a("provider", "pacemaker"), a("type", "remote"))
	g.pairs(n, "instance_attributes", append([][2]string{{"server", "192.168.1.9"}}, g.some("remote ", []maybe{{"reconnect_interval", 25, v("60s", "30")}})...)...)
	g.pairs(n, "meta_attributes", g.some("meta ", metaAttributes()[:5])...)
	g.operations(n, false)
	g.remotes = append(g.remotes, id)
	g.prims = append(g.prims, n)
	g.top(n)
}

func (g *gen) guest() {
	g.features["guest node"] = true
	n := g.primitive(g.resources)
	name := g.id("guest")
	pairs := append([][2]string{{"remote-node", name}}, g.some("guest ", []maybe{{"remote-port", 35, v("3121")}, {"remote-addr", 35, v("192.168.1.20")}, {"remote-connect-timeout", 35, v("30s")}, {"remote-allow-migrate", 30, v("false")}})...)
	if meta := n.Child("meta_attributes"); meta != nil {
		for _, p := range pairs {
			meta.AddNew("nvpair", a("id", g.id("nv")), a("name", p[0]), a("value", p[1]))
		}
	} else {
		meta := xmltree.New("meta_attributes", a("id", g.id("set")))
		for _, p := range pairs {
			meta.AddNew("nvpair", a("id", g.id("nv")), a("name", p[0]), a("value", p[1]))
		}
		prependTo(n, meta)
	}
	g.remotes = append(g.remotes, name)
	g.top(n)
}
