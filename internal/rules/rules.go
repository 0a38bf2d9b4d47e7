// Package rules holds Pacemaker's rules and the blocks of name-value pairs that
// they guard, read once from XML and evaluated many times.
//
// The policy engine, the CIB tools and the controller use it. It replaces
// lib/pengine/rules.c.
package rules

import (
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Role is what a rule may ask about by #role. The numbers order the roles.
type Role uint8

// The roles of a resource (enum rsc_role_e).
const (
	Unknown Role = iota
	Stopped
	Started
	Unpromoted
	Promoted
)

// ParseRole reads the name of a role, old names included; Unknown for all else.
func ParseRole(s string) Role {
	for r, names := range [...][2]string{Stopped: {"Stopped"}, Started: {"Started"},
		Unpromoted: {"Unpromoted", "Slave"}, Promoted: {"Promoted", "Master"}} {
		if s != "" && (strings.EqualFold(s, names[0]) || strings.EqualFold(s, names[1])) {
			return Role(r)
		}
	}
	return Unknown
}

func (r Role) String() string {
	return [...]string{"Unknown", "Stopped", "Started", "Unpromoted", "Promoted"}[r]
}

// Agent names a resource agent for rsc_expression.
type Agent struct{ Class, Provider, Type string }

// Op names an operation for op_expression.
type Op struct {
	Name       string
	IntervalMS uint32
}

// Match is what a regular expression of a constraint matched: the submatches, which %0 to %9 refer to.
type Match struct{ Groups []string }

// Env is what a rule is evaluated against. The zero value of a field means that
// expressions about it are false.
type Env struct {
	Attrs        map[string]string // node attributes
	Role         Role
	Now          iso8601.Time
	Match        *Match
	ValueSources bool              // value-source is honoured, from Params and Meta
	Params, Meta map[string]string // for value-source
	Agent        *Agent
	Op           *Op
	Next         *Change // collects when the result can change; may be nil

	// Problem hears what is wrong with a rule, and which function of the original
	// says so; may be nil.
	Problem func(function, text string)
}

func (e *Env) problem(function, text string) {
	if e.Problem != nil {
		e.Problem(function, text)
	}
}

// Change is the earliest moment at which an evaluation would give another result.
type Change struct {
	At  iso8601.Time
	Set bool
}

func (c *Change) at(t iso8601.Time) {
	if c != nil && (!c.Set || t.Compare(c.At) < 0) {
		c.At, c.Set = t, true
	}
}

// Lookup finds the element of that name and id in a document, for id-ref.
type Lookup func(tag, id string) *xmltree.Node

func (l Lookup) expand(n *xmltree.Node) *xmltree.Node {
	if ref, ok := n.Get("id-ref"); ok {
		return l(n.Name, ref)
	}
	return n
}

// Rule is one rule. Immutable.
type Rule struct {
	ID             string
	Role           string // for rules of location constraints, as written
	Score          string
	ScoreAttribute string
	Or             bool
	exprs          []expr
}

// Set is one block of name-value pairs with the rules that must allow it. Immutable.
type Set struct {
	ID    string
	Score score.Score
	Rules []Rule
	Pairs []Pair
}

// Pair is one name and value; a value of #default unsets the name.
type Pair struct{ Name, Value string }

// ParseRule reads a rule; nil when it refers to one that does not exist.
func ParseRule(n *xmltree.Node, look Lookup) *Rule {
	if n = look.expand(n); n == nil {
		return nil
	}
	r := &Rule{ID: n.ID(), Role: n.Attr("role"), Score: n.Attr("score"), ScoreAttribute: n.Attr("score-attribute"),
		Or: strings.EqualFold(n.Attr("boolean-op"), "or")}
	n.Elements(func(c *xmltree.Node) { r.exprs = append(r.exprs, parseExpr(c, look)) })
	return r
}

// ParseRules reads the rules that are children of n.
func ParseRules(n *xmltree.Node, look Lookup) []Rule {
	var out []Rule
	n.Each("rule", func(c *xmltree.Node) {
		if r := ParseRule(c, look); r != nil {
			out = append(out, *r)
		} else {
			out = append(out, Rule{Or: true}) // a dangling reference never passes
		}
	})
	return out
}

// ParseSets reads the blocks named tag below n in the order in which they apply:
// the one called first, then by score, and of equal scores the later one first
// (make_pairs).
func ParseSets(n *xmltree.Node, tag, first string, look Lookup) []Set {
	var out []Set
	n.Each(tag, func(c *xmltree.Node) {
		if c = look.expand(c); c == nil {
			return
		}
		out = append(out, Set{ID: c.ID(), Score: score.Parse(c.Attr("score"), score.Health{}),
			Rules: ParseRules(c, look), Pairs: parsePairs(c, look)})
	})
	if len(out) < 2 {
		return out
	}
	slices.Reverse(out)
	slices.SortStableFunc(out, func(a, b Set) int {
		switch {
		case first != "" && strings.EqualFold(a.ID, first):
			return -1
		case first != "" && strings.EqualFold(b.ID, first):
			return 1
		}
		return int(b.Score) - int(a.Score)
	})
	return out
}

func parsePairs(n *xmltree.Node, look Lookup) []Pair {
	if f := n.First; f != nil && f.Kind == xmltree.Element && strings.EqualFold(f.Name, "attributes") {
		n = f
	}
	var out []Pair
	n.Each("nvpair", func(c *xmltree.Node) {
		name, okName := c.Get("name")
		value, okValue := c.Get("value")
		if ref := look.expand(c); ref != nil && ref != c {
			if !okName {
				name, okName = ref.Get("name")
			}
			if !okValue {
				value, okValue = ref.Get("value")
			}
		}
		if okName && okValue {
			out = append(out, Pair{name, value})
		}
	})
	return out
}

// HasRules says whether any of the sets depends on a rule.
func HasRules(sets []Set) bool {
	return slices.ContainsFunc(sets, func(s Set) bool { return len(s.Rules) > 0 })
}

// Apply puts the pairs of all sets whose rules pass into m. A name that is there
// already keeps its value unless overwrite is set.
func Apply(sets []Set, env *Env, m map[string]string, overwrite bool) {
	for i := range sets {
		if !PassAny(sets[i].Rules, env) {
			continue
		}
		for _, p := range sets[i].Pairs {
			_, have := m[p.Name]
			switch {
			case strings.EqualFold(p.Value, "#default"):
				delete(m, p.Name)
			case !have || overwrite:
				m[p.Name] = p.Value
			}
		}
	}
}

// PassAny says whether one of the rules passes; no rules pass.
func PassAny(rs []Rule, env *Env) bool {
	for i := range rs {
		if rs[i].Pass(env) {
			return true
		}
	}
	return len(rs) == 0
}

// Pass evaluates the rule.
func (r *Rule) Pass(env *Env) bool {
	for i := range r.exprs {
		if r.exprs[i].pass(env) == r.Or {
			return r.Or
		}
	}
	if len(r.exprs) == 0 {
		env.problem("pe_eval_expr", "Invalid Rule "+r.ID+": rules must contain at least one expression")
	}
	return !r.Or
}

// Expand replaces %0 to %9 in s by what they matched (pe_expand_re_matches).
func (m *Match) Expand(s string) string {
	if m == nil || strings.IndexByte(s, '%') < 0 {
		return s
	}
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9' {
			if k := int(s[i+1] - '0'); k < len(m.Groups) {
				b = append(b, m.Groups[k]...)
			}
			i++
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}
