package cibgen

import (
	"strconv"

	"github.com/pacesync/pacesync/internal/xmltree"
)

func (g *gen) makeConstraints() {
	for range g.IntN(2 * (1 + len(g.tops))) {
		if len(g.tickets) > 0 && g.chance(25) {
			g.ticket()
			continue
		}
		switch g.IntN(10) {
		case 0, 1, 2, 3:
			g.location()
		case 4, 5, 6:
			g.colocation()
		default:
			g.order()
		}
	}
	if g.symmetricOff() {
		for _, t := range g.tops { // or nothing would run
			if g.chance(80) {
				g.constraints.AddNew("rsc_location", a("id", g.id("loc")), a("rsc", t.ID()), a("node", pick(g, g.nodes)), a("score", "200"))
			}
		}
	}
}

func (g *gen) symmetricOff() bool { return g.features["option symmetric-cluster"] }

// target is a resource that a constraint can name: mostly a top-level one.
func (g *gen) target() string {
	switch k := g.IntN(100); {
	case k < 8 && len(g.prims) > 0:
		return pick(g, g.prims).ID()
	case k < 18 && len(g.tags) > 0:
		return pick(g, g.tags)
	case k < 21 && len(g.used) > 0:
		g.features["template in constraint"] = true
		return pick(g, g.used)
	}
	return pick(g, g.tops).ID()
}

// tops are the ids of the top-level resources that a target stands for.
func (g *gen) topsOf(target string) (out []string) {
	if under := g.tagged[target]; under != nil {
		return under
	}
	for _, t := range g.tops {
		found := t.ID() == target
		for _, p := range g.prims {
			for up := p; up != nil && !found; up = up.Parent {
				found = up == t && (p.ID() == target || p.Attr("template") == target)
			}
		}
		if found {
			out = append(out, t.ID())
		}
	}
	return out
}

// others are targets that have nothing in common with each other: the original
// stops with an assertion where a resource is ordered with itself.
type others struct {
	g    *gen
	seen map[string]bool
}

// next is another target; empty when none was found.
func (o *others) next() string {
	for range 20 {
		t := o.g.target()
		clash := false
		tops := o.g.topsOf(t)
		for _, id := range tops {
			clash = clash || o.seen[id]
		}
		if clash {
			continue
		}
		for _, id := range tops {
			o.seen[id] = true
		}
		return t
	}
	return ""
}

func (g *gen) others() *others { return &others{g, map[string]bool{}} }

func (g *gen) anyNode() string {
	if len(g.remotes) > 0 && g.chance(25) {
		return pick(g, g.remotes)
	}
	return pick(g, g.nodes)
}

func roles() []string {
	return []string{"Promoted", "Unpromoted", "Started", "Stopped", "Master", "Slave"}
}

func (g *gen) location() {
	n := g.constraints.AddNew("rsc_location", a("id", g.id("loc")))
	switch {
	case g.feature("location pattern", 8):
		n.Set("rsc-pattern", one(g, "^rsc-", "grp", "!fence", "-(1|2|3)", "clone.*"))
	case len(g.tops) > 1 && g.feature("location set", 8):
		g.sets(n, []maybe{{"role", 20, roles()}, {"score", 20, v("10", "-INFINITY")}})
	default:
		n.Set("rsc", g.target())
	}
	if n.Child("resource_set") == nil && g.feature("location role", 10) {
		n.Set("role", pick(g, roles()))
	}
	if g.feature("resource-discovery", 10) {
		n.Set("resource-discovery", one(g, "always", "never", "exclusive"))
	}
	if n.Child("resource_set") == nil && g.feature("location rule", 35) {
		for range 1 + g.IntN(2) {
			g.locationRule(n)
		}
		return
	}
	n.Set("node", g.anyNode())
	n.Set("score", g.score())
}

// sets adds resource sets with options out of a table.
func (g *gen) sets(to *xmltree.Node, table []maybe) {
	from := g.others()
	for range 1 + g.IntN(3) {
		first := from.next()
		if first == "" {
			break
		}
		s := to.AddNew("resource_set", a("id", g.id("set")))
		for _, m := range table {
			if g.feature("set "+m.name, m.percent) {
				s.Set(m.name, pick(g, m.values))
			}
		}
		s.AddNew("resource_ref", a("id", first))
		for range g.IntN(3) {
			if id := from.next(); id != "" {
				s.AddNew("resource_ref", a("id", id))
			}
		}
	}
}

func (g *gen) colocation() {
	n := g.constraints.AddNew("rsc_colocation", a("id", g.id("col")))
	if g.chance(85) {
		n.Set("score", g.score())
	}
	if g.feature("colocation set", 15) {
		g.sets(n, []maybe{{"sequential", 30, v("false", "true")}, {"role", 15, roles()}, {"score", 10, v("10", "INFINITY", "-5")}, {"ordering", 15, v("group", "listed")}})
		return
	}
	from := g.others()
	rsc, with := from.next(), from.next()
	if with == "" {
		n.Remove()
		return
	}
	n.Set("rsc", rsc)
	n.Set("with-rsc", with)
	if g.feature("colocation role", 20) {
		n.Set("rsc-role", pick(g, roles()))
	}
	if g.feature("colocation with role", 20) {
		n.Set("with-rsc-role", pick(g, roles()))
	}
	if g.feature("node-attribute", 8) {
		n.Set("node-attribute", one(g, "site", "rack", "#uname"))
	}
	if g.feature("influence", 10) {
		n.Set("influence", one(g, "true", "false"))
	}
}

func (g *gen) order() {
	n := g.constraints.AddNew("rsc_order", a("id", g.id("ord")))
	if g.chance(70) {
		n.Set("kind", one(g, "Mandatory", "Optional", "Serialize"))
		g.features["order kind "+n.Attr("kind")] = true
	} else if g.feature("order score", 20) {
		n.Set("score", one(g, "0", "INFINITY", "10"))
	}
	if g.feature("symmetrical", 15) && n.Attr("kind") != "Serialize" {
		n.Set("symmetrical", one(g, "false", "true"))
	}
	actions := v("start", "stop", "promote", "demote")
	if g.feature("order set", 15) {
		g.sets(n, []maybe{{"sequential", 30, v("false", "true")}, {"require-all", 20, v("false", "true")}, {"action", 15, actions}, {"role", 5, roles()}})
		return
	}
	from := g.others()
	first, then := from.next(), from.next()
	if then == "" {
		n.Remove()
		return
	}
	n.Set("first", first)
	n.Set("then", then)
	if g.feature("first-action", 25) {
		n.Set("first-action", pick(g, actions))
	}
	if g.feature("then-action", 25) {
		n.Set("then-action", pick(g, actions))
	}
	if g.feature("require-all", 8) {
		n.Set("require-all", one(g, "true", "false"))
	}
}

func (g *gen) ticket() {
	n := g.constraints.AddNew("rsc_ticket", a("id", g.id("tck")), a("ticket", pick(g, g.tickets)))
	if g.chance(70) {
		n.Set("loss-policy", one(g, "stop", "demote", "fence", "freeze"))
		g.features["loss-policy "+n.Attr("loss-policy")] = true
	}
	if g.feature("ticket set", 25) {
		g.sets(n, []maybe{{"role", 20, roles()}})
		return
	}
	n.Set("rsc", g.target())
	if g.feature("ticket role", 40) {
		n.Set("rsc-role", pick(g, roles()))
	}
}

// firstStatus makes all cluster nodes online and says who holds which ticket.
func (g *gen) firstStatus() {
	status := g.cib.AddNew("status")
	for i, name := range g.nodes {
		s := status.AddNew("node_state", a("id", strconv.Itoa(i+1)), a("uname", name), a("in_ccm", "true"), a("crmd", "online"),
			a("crm-debug-origin", "do_update_resource"), a("join", "member"), a("expected", "member"))
		s.AddNew("lrm", a("id", strconv.Itoa(i+1))).AddNew("lrm_resources")
		g.transient(s, strconv.Itoa(i+1))
	}
	if len(g.tickets) == 0 {
		return
	}
	tickets := status.AddNew("tickets")
	for _, t := range g.tickets {
		if g.chance(80) {
			s := tickets.AddNew("ticket_state", a("id", t), a("granted", one(g, "true", "false")))
			if g.feature("ticket standby", 25) {
				s.Set("standby", "true")
			}
			s.Set("last-granted", strconv.Itoa(Now-1000))
		}
	}
}

// transient adds the attributes that live as long as a node is up.
func (g *gen) transient(state *xmltree.Node, id string) {
	var pairs [][2]string
	for _, p := range g.prims {
		if p.Attr("type") == "Stateful" && g.feature("promotion score", 60) {
			pairs = append(pairs, [2]string{"master-" + p.ID(), one(g, "10", "5", "100", "-INFINITY", "0")})
		}
	}
	for _, m := range []maybe{{"site", 5, v("east", "west")}, {"#health-net", 4, v("red", "green", "-3")}, {"standby", 3, v("on")}, {"shutdown", 4, v(strconv.Itoa(Now - 5))},
		{"terminate", 3, v("true", strconv.Itoa(Now-20))}, {"load", 10, v("1", "7")}} {
		if g.feature("transient "+m.name, m.percent) {
			pairs = append(pairs, [2]string{m.name, pick(g, m.values)})
		}
	}
	if len(pairs) == 0 {
		return
	}
	g.pairs(state.AddNew("transient_attributes", a("id", id)), "instance_attributes", pairs...)
}
