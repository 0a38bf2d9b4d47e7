package rules

import (
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
)

type exprKind uint8

const (
	never exprKind = iota // unknown element
	attrExpr
	roleExpr
	dateExpr
	rscExpr
	opExpr
	nested
)

// expr is one condition of a rule. Attribute expressions use attr to source;
// the others keep their element, which names what they need.
type expr struct {
	kind                         exprKind
	attr, op, value, typ, source string
	hasAttr, hasValue            bool
	rule                         *Rule
	n                            *xmltree.Node
	duration, spec               *xmltree.Node
	hasStart, hasEnd, hasOp      bool
	start, end                   string
}

func parseExpr(n *xmltree.Node, look Lookup) expr {
	e := expr{n: n}
	switch n.Name {
	case "rule":
		if e.rule = ParseRule(n, look); e.rule != nil {
			e.kind = nested
		}
	case "date_expression":
		e.kind, e.op = dateExpr, n.Attr("operation")
		e.start, e.hasStart = n.Get("start")
		e.end, e.hasEnd = n.Get("end")
		e.duration, e.spec = n.Child("duration"), n.Child("date_spec")
	case "rsc_expression":
		e.kind = rscExpr
	case "op_expression":
		e.kind = opExpr
	case "expression":
		e.kind = attrExpr
		e.attr, e.hasAttr = n.Get("attribute")
		e.value, e.hasValue = n.Get("value")
		e.op, e.hasOp = n.Get("operation")
		e.typ, e.source = n.Attr("type"), n.Attr("value-source")
		if e.attr == "#role" {
			e.kind = roleExpr
		}
	}
	return e
}

func (e *expr) pass(env *Env) bool {
	switch e.kind {
	case nested:
		return e.rule.Pass(env)
	case attrExpr:
		return env.Attrs != nil && e.complete(env) && e.passAttr(env)
	case roleExpr:
		return e.passRole(env)
	case dateExpr:
		return e.passDate(env)
	case rscExpr:
		return e.passRsc(env.Agent)
	case opExpr:
		return e.passOp(env.Op)
	}
	return false
}

// complete says whether an expression has what it needs (pe__eval_attr_expr).
func (e *expr) complete(env *Env) bool {
	missing := ""
	switch {
	case !e.hasAttr:
		missing = "attribute"
	case !e.hasOp:
		missing = "operation"
	default:
		return true
	}
	env.problem("pe__eval_attr_expr", "Expression "+e.n.ID()+" invalid: "+missing+" not specified")
	return false
}

func (e *expr) passAttr(env *Env) bool {
	attr, value, has := e.attr, e.value, e.hasValue
	if env.Match != nil {
		attr = env.Match.Expand(attr)
	}
	if env.ValueSources {
		if value == "" {
			has = false
		}
		switch {
		case strings.EqualFold(e.source, "param"):
			value, has = env.Params[value]
		case strings.EqualFold(e.source, "meta"):
			value, has = env.Meta[value]
		}
	}
	left, hasLeft := env.Attrs[attr]
	return accept(left, hasLeft, value, has, e.typ, strings.ToLower(e.op))
}

func accept(l string, hasL bool, r string, hasR bool, typ, op string) bool {
	switch op {
	case "defined":
		return hasL
	case "not_defined":
		return !hasL
	}
	cmp := 0
	switch {
	case hasL && hasR:
		cmp = compare(l, r, typ, op)
	case hasL:
		cmp = 1
	case hasR:
		cmp = -1
	}
	switch op {
	case "eq":
		return cmp == 0
	case "ne":
		return cmp != 0
	}
	if !hasL || !hasR {
		return false
	}
	switch op {
	case "lt":
		return cmp < 0
	case "lte":
		return cmp <= 0
	case "gt":
		return cmp > 0
	case "gte":
		return cmp >= 0
	}
	return false
}

// compare orders two values by type; without one, ordering operations compare
// numbers and the others strings (compare_attr_expr_vals).
func compare(l, r, typ, op string) int {
	typ = strings.ToLower(typ)
	if typ == "" {
		typ = "string"
		switch op {
		case "lt", "lte", "gt", "gte":
			typ = "integer"
			if strings.IndexByte(l, '.') >= 0 || strings.IndexByte(r, '.') >= 0 {
				typ = "number"
			}
		}
	}
	switch typ {
	case "integer":
		a, okA := score.LeadingInt(l)
		b, okB := score.LeadingInt(r)
		if okA && okB {
			return order(a < b, a > b)
		}
	case "number":
		a, errA := strconv.ParseFloat(strings.TrimSpace(l), 64)
		b, errB := strconv.ParseFloat(strings.TrimSpace(r), 64)
		if errA == nil && errB == nil {
			return order(a < b, a > b)
		}
	case "version":
		return CompareVersions(l, r)
	case "string":
	default:
		return 0
	}
	return strings.Compare(strings.ToLower(l), strings.ToLower(r))
}

func order(less, more bool) int {
	switch {
	case less:
		return -1
	case more:
		return 1
	}
	return 0
}

// CompareVersions orders dotted versions; a missing part is 0 (compare_version).
func CompareVersions(a, b string) int {
	if a == "" || b == "" {
		return order(a == "" && b != "", a != "" && b == "")
	}
	for a != "" || b != "" {
		var x, y int64
		x, a = versionPart(a)
		y, b = versionPart(b)
		if x != y {
			return order(x < y, true)
		}
	}
	return 0
}

func versionPart(s string) (int64, string) {
	if s == "" {
		return 0, ""
	}
	v, _ := score.LeadingInt(s)
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	if i == 0 {
		i = 1
	}
	return v, strings.TrimPrefix(s[i:], ".")
}

func (e *expr) passRole(env *Env) bool {
	r := env.Role
	if r == Unknown {
		return false
	}
	switch strings.ToLower(e.op) {
	case "defined":
		return r > Started
	case "not_defined":
		return r < Unpromoted
	case "eq":
		return ParseRole(e.value) == r
	case "ne":
		return r >= Unpromoted && ParseRole(e.value) != r
	}
	return false
}

func (e *expr) passRsc(a *Agent) bool {
	if a == nil {
		return false
	}
	class, hasClass := e.n.Get("class")
	typ, hasType := e.n.Get("type")
	return (!hasClass || class == a.Class) && e.n.Attr("provider") == a.Provider && (!hasType || typ == a.Type)
}

func (e *expr) passOp(op *Op) bool {
	if op == nil {
		return false
	}
	if s, has := e.n.Get("interval"); has {
		if ms, ok := iso8601.IntervalMS(s); !ok || ms != op.IntervalMS {
			return false
		}
	}
	return e.n.Attr("name") == op.Name
}

// DateVerdict is what a date expression comes to at a time.
type DateVerdict uint8

// The verdicts (results.h: pcmk_rc_before_range and its neighbours).
const (
	Undetermined DateVerdict = iota // something is missing or malformed
	BeforeRange
	WithinRange
	AfterRange
	Satisfied // of a date_spec
)

// Date evaluates a date_expression by itself.
func Date(n *xmltree.Node, env *Env) DateVerdict {
	e := parseExpr(n, nil)
	return e.dateVerdict(env)
}

// passDate evaluates a date expression and notes when it would change.
func (e *expr) passDate(env *Env) bool {
	v := e.dateVerdict(env)
	return v == WithinRange || v == Satisfied
}

// dateVerdict is pe__eval_date_expr.
func (e *expr) dateVerdict(env *Env) DateVerdict {
	start, okStart := e.date(e.start, e.hasStart, env)
	end, okEnd := e.date(e.end, e.hasEnd, env)
	if okStart && !okEnd && e.duration != nil {
		end, okEnd = addDuration(start, e.duration), true
	}
	switch strings.ToLower(e.op) {
	case "", "in_range":
		switch {
		case !okStart && !okEnd:
			return Undetermined
		case okStart && env.Now.Compare(start) < 0:
			env.Next.at(start)
			return BeforeRange
		case okEnd && env.Now.Compare(end) > 0:
			return AfterRange
		}
		if okEnd {
			env.Next.at(end.AddSeconds(1))
		}
		return WithinRange
	case "date_spec":
		return cron(env.Now, e.spec)
	case "gt":
		switch {
		case !okStart:
			return Undetermined
		case env.Now.Compare(start) > 0:
			return WithinRange
		}
		env.Next.at(start.AddSeconds(1))
		return BeforeRange
	case "lt":
		switch {
		case !okEnd:
			return Undetermined
		case env.Now.Compare(end) < 0:
			env.Next.at(end)
			return WithinRange
		}
		return AfterRange
	}
	return Undetermined
}

func (e *expr) date(s string, has bool, env *Env) (iso8601.Time, bool) {
	if !has {
		return iso8601.Time{}, false
	}
	t, err := iso8601.Parse(s, env.Now)
	return t, err == nil
}

func addDuration(t iso8601.Time, n *xmltree.Node) iso8601.Time {
	get := func(name string) int64 {
		v, _ := score.LeadingInt(n.Attr(name))
		return v
	}
	t = t.AddYears(int(get("years"))).AddMonths(int(get("months")))
	return t.AddSeconds(((get("weeks")*7+get("days"))*24+get("hours"))*3600 + get("minutes")*60 + get("seconds"))
}

// cron evaluates a date_spec: what it says of larger units counts first
// (pe_cron_range_satisfied).
func cron(now iso8601.Time, n *xmltree.Node) DateVerdict {
	y, mo, d := now.Date()
	h, mi, s := now.Clock()
	wy, w, wd := now.ISOWeek()
	for _, f := range [...]struct {
		name  string
		value int
	}{{"years", y}, {"months", mo}, {"monthdays", d}, {"hours", h}, {"minutes", mi}, {"seconds", s},
		{"yeardays", now.YearDay()}, {"weekyears", wy}, {"weeks", w}, {"weekdays", wd}, {"moon", moon(now)}} {
		if spec, has := n.Get(f.name); has {
			if v := inRange(spec, int64(f.value)); v != WithinRange {
				return v
			}
		}
	}
	return Satisfied
}

// inRange says where v is, seen from "3", "3-5", "3-" or "-5"; what is no range never excludes.
func inRange(spec string, v int64) DateVerdict {
	if spec == "" || spec == "-" {
		return WithinRange
	}
	if spec[0] == '-' {
		hi, ok := score.LeadingInt(spec[1:])
		return within(v, v, hi, ok)
	}
	lo, ok := score.LeadingInt(spec)
	_, rest, ranged := strings.Cut(spec, "-")
	switch {
	case !ranged:
		return within(v, lo, lo, ok)
	case rest == "":
		return within(v, lo, v, ok)
	}
	hi, okToo := score.LeadingInt(rest)
	return within(v, lo, hi, ok && okToo)
}

func within(v, lo, hi int64, valid bool) DateVerdict {
	switch {
	case !valid:
		return WithinRange
	case v < lo:
		return BeforeRange
	case v > hi:
		return AfterRange
	}
	return WithinRange
}

// moon is the phase of the moon from 0 to 7 (phase_of_the_moon).
func moon(t iso8601.Time) int {
	y, _, _ := t.Date()
	golden := y%19 + 1
	epact := (11*golden + 18) % 30
	if (epact == 25 && golden > 11) || epact == 24 {
		epact++
	}
	return ((((t.YearDay()+epact)*6 + 11) % 177) / 22) & 7
}
