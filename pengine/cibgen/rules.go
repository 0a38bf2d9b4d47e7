package cibgen

import (
	"strconv"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// dates around Now, which is 2023-11-14 22:13:20 UTC.
func dates() []string {
	return []string{"2023-11-14", "2023-11-14 22:13:20Z", "2023-11-15 00:00:00Z", "2023-11-01T10:00:00+01:00", "2024-01-01", "2022-05-05 05:05:05Z", "20231114T221320Z", "2023-318", "2023-W46-2"}
}

// dateRule adds a rule about the time. score is for rules of locations.
func (g *gen) dateRule(to *xmltree.Node, score string) {
	r := to.AddNew("rule", a("id", g.id("rule")))
	if score != "" {
		r.Set("score", score)
	}
	if g.chance(30) {
		r.Set("boolean-op", one(g, "and", "or"))
	}
	for range 1 + g.IntN(2) {
		g.dateExpression(r)
	}
}

func (g *gen) dateExpression(to *xmltree.Node) {
	e := to.AddNew("date_expression", a("id", g.id("date")))
	switch g.IntN(5) {
	case 0:
		g.features["date gt"] = true
		e.Set("operation", "gt")
		e.Set("start", pick(g, dates()))
	case 1:
		g.features["date lt"] = true
		e.Set("operation", "lt")
		e.Set("end", pick(g, dates()))
	case 2:
		g.features["date in_range"] = true
		e.Set("operation", "in_range")
		e.Set("start", "2023-01-01")
		e.Set("end", pick(g, dates()))
	case 3:
		g.features["date duration"] = true
		e.Set("operation", "in_range")
		e.Set("start", pick(g, dates()))
		e.AddNew("duration", a("id", g.id("dur")), a(one(g, "hours", "days", "weeks", "months", "years", "minutes", "seconds"), one(g, "1", "3", "40")))
	case 4:
		g.features["date_spec"] = true
		e.Set("operation", "date_spec")
		spec := e.AddNew("date_spec", a("id", g.id("spec")))
		for range 1 + g.IntN(2) {
			p := pick(g, [][2]string{{"hours", "9-17"}, {"hours", "22"}, {"weekdays", "1-5"}, {"weekdays", "6-7"}, {"monthdays", "1-15"}, {"months", "11"},
				{"years", "2023"}, {"yeardays", "300-330"}, {"weeks", "40-50"}, {"weekyears", "2023-2024"}, {"moon", "4"}, {"hours", "20-"}})
			spec.Set(p[0], p[1])
		}
	}
}

// attributeExpression asks for a node attribute.
func (g *gen) attributeExpression(to *xmltree.Node) {
	e := to.AddNew("expression", a("id", g.id("expr")))
	name := pick(g, g.attrs)
	if g.chance(30) {
		name = one(g, "#uname", "#id", "#kind", "#is_dc", "#cluster-name", "#site-name", "#ra-version")
	}
	e.Set("attribute", name)
	op := one(g, "defined", "not_defined", "lt", "gt", "lte", "gte", "eq", "ne")
	e.Set("operation", op)
	if op == "defined" || op == "not_defined" {
		return
	}
	switch name {
	case "#uname":
		e.Set("value", pick(g, g.nodes))
	case "#kind":
		e.Set("value", one(g, "cluster", "remote", "container"))
	case "#is_dc":
		e.Set("value", one(g, "true", "false"))
	default:
		e.Set("value", one(g, "east", "west", "1", "2", "3.5", "10", "node1"))
	}
	if g.feature("expression type", 30) {
		e.Set("type", one(g, "string", "number", "integer", "version"))
	}
	if g.feature("value-source", 25) {
		e.Set("value-source", one(g, "literal", "param", "meta"))
	}
}

// expressionRule adds a rule about resources or operations to a set of defaults.
func (g *gen) expressionRule(to *xmltree.Node, kind string) {
	r := xmltree.New("rule", a("id", g.id("rule")), a("score", "INFINITY"))
	prependTo(to, r)
	if kind == "<rsc_expression" {
		r.AddNew("rsc_expression", a("id", g.id("rsc")), a("class", "ocf"), a("provider", one(g, "heartbeat", "pacemaker")), a("type", one(g, "Dummy", "Stateful")))
		return
	}
	r.AddNew("op_expression", a("id", g.id("op")), a("name", one(g, "monitor", "start", "stop")))
}

// prependTo puts c before the other children.
func prependTo(to, c *xmltree.Node) {
	copied := to.Copy()
	var old []*xmltree.Node
	to.Elements(func(n *xmltree.Node) { old = append(old, n) })
	for _, n := range old {
		n.Remove()
	}
	to.Add(c)
	var rest []*xmltree.Node
	copied.Elements(func(n *xmltree.Node) { rest = append(rest, n) })
	for _, n := range rest {
		n.Remove()
		to.Add(n)
	}
}

// locationRule adds a rule to a location constraint.
func (g *gen) locationRule(to *xmltree.Node) {
	score := g.score()
	if g.feature("location date rule", 25) {
		g.dateRule(to, score)
		return
	}
	r := to.AddNew("rule", a("id", g.id("rule")))
	if g.feature("score-attribute", 10) {
		r.Set("score-attribute", pick(g, g.attrs))
	} else {
		r.Set("score", score)
	}
	if g.feature("rule role", 10) {
		r.Set("role", one(g, "Promoted", "Unpromoted", "Started", "Stopped", "Master", "Slave"))
	}
	if g.chance(40) {
		r.Set("boolean-op", one(g, "and", "or"))
	}
	for range 1 + g.IntN(3) {
		switch {
		case g.feature("nested rule", 10):
			inner := r.AddNew("rule", a("id", g.id("rule")), a("score", "0"), a("boolean-op", one(g, "and", "or")))
			g.attributeExpression(inner)
			g.dateExpression(inner)
		case g.chance(15):
			g.dateExpression(r)
		default:
			g.attributeExpression(r)
		}
	}
}

// score is a score as people write them.
func (g *gen) score() string {
	switch g.IntN(8) {
	case 0:
		return "INFINITY"
	case 1:
		return "-INFINITY"
	case 2:
		return "0"
	case 3:
		return strconv.Itoa(-g.IntN(200))
	case 4:
		return one(g, "+INFINITY", "1000000", "-1000001", "999999")
	}
	return strconv.Itoa(g.IntN(500))
}
