package constraint

import (
	"regexp"
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
)

// location reads a location constraint (pcmk__unpack_location).
func (b *builder) location(n *xmltree.Node) {
	sets, ok := b.sets(n, false, side{"rsc", "role", "role"})
	for _, s := range sets {
		rs, ok := b.resources(s)
		for _, r := range rs {
			b.locate(n, r, s.attr("role"), s.attr("score"), nil)
		}
		if !ok {
			return
		}
	}
	if len(sets) > 0 || !ok {
		return
	}
	if id, has := n.Get("rsc"); has {
		b.locate(n, b.resource(id), "", "", nil)
	}
	if pattern, has := n.Get("rsc-pattern"); has {
		b.pattern(n, pattern)
	}
}

// pattern applies a location constraint to all top-level resources whose id matches.
func (b *builder) pattern(n *xmltree.Node, pattern string) {
	pattern, invert := strings.CutPrefix(pattern, "!")
	re, err := regexp.CompilePOSIX(pattern)
	if err != nil {
		b.c.Report(model.ConfigErr, "unpack_simple_location", "Ignoring constraint '"+n.ID()+"' because rsc-pattern has invalid value '"+pattern+"'")
		return
	}
	for _, r := range b.c.Resources {
		m := re.FindStringSubmatch(r.ID)
		switch {
		case !invert && m != nil:
			b.locate(n, r, "", "", &rules.Match{Groups: m})
		case invert && m == nil:
			b.locate(n, r, "", "", nil)
		}
	}
}

// locate makes the constraint for one resource (unpack_rsc_location).
func (b *builder) locate(n *xmltree.Node, r *model.Resource, role, value string, m *rules.Match) {
	if r == nil {
		return
	}
	given := value != ""
	if !given {
		value, given = n.Get("score")
	}
	node, has := n.Get("node")
	if !has || !given {
		b.locateByRules(n, r, m)
		return
	}
	match := b.c.Node(node)
	if match == nil {
		return
	}
	l := b.newLocation(n.ID(), r, n.Attr("resource-discovery"))
	l.Nodes = []model.NodeScore{{Node: match, Score: b.score(value)}}
	filtered := role != ""
	if !filtered {
		role, filtered = n.Get("role")
	}
	switch parsed := b.c.RoleAttr(role, filtered); {
	case filtered && parsed == model.Unknown:
		b.c.Report(model.PeErr, "unpack_rsc_location", "Invalid constraint "+n.ID()+": Bad role "+role)
	case parsed == model.Stopped, parsed == model.Promoted:
		l.Role = parsed
	}
}

func (b *builder) locateByRules(n *xmltree.Node, r *model.Resource, m *rules.Match) {
	var next rules.Change
	empty := true
	first := len(b.c.Locations)
	n.Each("rule", func(x *xmltree.Node) {
		empty = false
		if rule := rules.ParseRule(x, b.doc.Lookup); rule != nil {
			b.locateByRule(n, r, rule, m, &next)
		} else {
			b.dangling(x)
		}
	})
	if next.Set {
		for _, l := range b.c.Locations[first:] {
			l.Until = next.At.Unix
		}
	}
	if empty {
		b.c.Report(model.ConfigErr, "unpack_rsc_location", "Ignoring constraint '"+n.ID()+"' because it contains no rules")
	}
	if next.Set {
		b.c.Recheck(next.At.Unix)
	}
}

// locateByRule makes the constraint of one rule (generate_location_rule).
func (b *builder) locateByRule(n *xmltree.Node, r *model.Resource, rule *rules.Rule, m *rules.Match, next *rules.Change) {
	role := b.c.RoleAttr(rule.Role, rule.Role != "")
	if rule.Role != "" && role == model.Unknown {
		b.c.Report(model.PeErr, "generate_location_rule", "Bad role specified for "+rule.ID+": "+rule.Role)
		return
	}
	l := b.newLocation(rule.ID, r, n.Attr("resource-discovery"))
	l.Of = n.ID()
	if role != model.Unpromoted {
		l.Role = role
	}
	attr := rule.ScoreAttribute
	if m != nil {
		attr = m.Expand(attr)
	}
	for _, node := range b.c.Nodes {
		env := rules.Env{Attrs: node.Attrs, Now: b.c.Now, Problem: b.c.RuleProblem, Match: m, ValueSources: true, Params: r.Params(node), Meta: r.Meta, Next: next}
		if !rule.Pass(&env) {
			continue
		}
		s := b.ruleScore(rule, attr, r, node)
		if rule.Or {
			s = score.Add(node.Score, s)
		}
		l.Nodes = append(l.Nodes, model.NodeScore{Node: node, Score: s})
	}
	if !rule.Or { // the order in which displays list them
		slices.Reverse(l.Nodes)
	}
}

func (b *builder) ruleScore(rule *rules.Rule, attr string, r *model.Resource, n *model.Node) score.Score {
	if rule.Score != "" {
		return b.score(rule.Score)
	}
	if rule.ScoreAttribute == "" {
		b.c.Report(model.PeErr, "get_node_score", "Rule "+rule.ID+": no score specified.  Assuming 0.")
		return 0
	}
	v, ok := r.NodeAttr(n, attr)
	if !ok {
		return -model.Inf
	}
	return b.score(v)
}

func (b *builder) newLocation(id string, r *model.Resource, discovery string) *model.Location {
	l := &model.Location{ID: id, Rsc: r}
	switch strings.ToLower(discovery) {
	case "", "always":
	case "never":
		l.Discover = model.DiscoverNever
	case "exclusive":
		l.Discover = model.DiscoverExclusive
		r.ExclusiveDiscover = true
	default:
		b.c.Report(model.PeErr, "pcmk__new_location", "Invalid resource-discovery value "+discovery+" in location constraint")
	}
	b.c.Locations = append(b.c.Locations, l)
	r.Locations = append(r.Locations, l)
	return l
}

// Health bans or prefers nodes by their health (pcmk__apply_node_health).
func Health(c *model.Cluster) {
	strategy := strings.ToLower(c.Opt.HealthStrategy)
	if strategy == "none" {
		return
	}
	b := &builder{c: c}
	for _, n := range c.Nodes {
		sum := score.Score(0)
		if strategy == "progressive" {
			sum = c.Opt.HealthBase
		}
		sum = healthSum(c, n, sum)
		if sum == 0 {
			continue
		}
		for _, r := range c.Resources {
			if sum > 0 || !model.True(r.Meta["allow-unhealthy-nodes"]) {
				l := b.newLocation(c.Opt.HealthStrategy, r, "")
				l.Health, l.Nodes = true, []model.NodeScore{{Node: n, Score: sum}}
			}
		}
	}
}

// healthSum adds the health attributes of a node. A ban wins whatever the order.
func healthSum(c *model.Cluster, n *model.Node, sum score.Score) score.Score {
	total, pos, neg := int64(sum), sum >= model.Inf, sum <= -model.Inf
	for name, v := range n.Attrs {
		if strings.HasPrefix(name, "#health") {
			s := c.Score(v)
			total, pos, neg = total+int64(s), pos || s >= model.Inf, neg || s <= -model.Inf
		}
	}
	switch {
	case neg:
		return -model.Inf
	case pos:
		return model.Inf
	}
	return score.Clamp(total)
}
