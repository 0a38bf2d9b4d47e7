// Package explain says why resources are where they are: it reads the reasons that
// the policy engine noted, and tries changes by running the engine again.
//
// New runs the engine on a CIB; Resource answers about one resource, Summary about
// all. The package decides nothing itself: what it names is the engine's choice.
// pengine/explain/tell writes answers as text, XML and JSON; pacesync explain is
// the program. The original has no such tool; crm_simulate -s shows the scores,
// crm_resource --why lists a part of the reasons.
package explain

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/similar"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine"
	"github.com/pacesync/pacesync/pengine/model"
)

// Explainer holds a CIB and what the engine made of it. It is owned by one goroutine.
type Explainer struct {
	cib    *xmltree.Node
	now    iso8601.Time
	live   bool // private values are known
	run    *pengine.Result
	c      *model.Cluster
	budget int // runs of the engine left for looking for changes
}

// Input is what is to be explained.
type Input struct {
	CIB  *xmltree.Node // is not changed
	Now  iso8601.Time
	Live bool // of a running cluster: nothing private is missing
	Runs int  // how often the engine may run to find changes, 0 for the default
}

// DefaultRuns bounds the search for changes: a run is some milliseconds.
const DefaultRuns = 300

// New runs the engine.
func New(in Input) (*Explainer, error) {
	e := &Explainer{cib: in.CIB, now: in.Now, live: in.Live, budget: in.Runs}
	if e.budget == 0 {
		e.budget = DefaultRuns
	}
	var err error
	if e.run, err = e.schedule(in.CIB, true); err != nil {
		return nil, err
	}
	e.c = e.run.Cluster
	return e, nil
}

func (e *Explainer) schedule(cib *xmltree.Node, why bool) (*pengine.Result, error) {
	return pengine.Run(pengine.Input{CIB: cib, Now: e.now, Sanitized: !e.live, Explain: why})
}

// Query is a question.
type Query struct {
	Resource string
	Node     string // why there, or why not there; empty for all nodes
	Changes  bool   // look for changes as well
}

// Unknown is the error of a question about something that there is not.
type Unknown struct {
	What, Name string
	Similar    []string // names that may have been meant
	Known      []string // names that there are, when none is similar
}

// maxKnown bounds how many names an error lists.
const maxKnown = 12

func unknown(what, name string, names []string) *Unknown {
	u := &Unknown{What: what, Name: name, Similar: similar.Names(name, names)}
	if len(u.Similar) == 0 {
		u.Known = names
	}
	return u
}

func (u *Unknown) Error() string {
	text := "there is no " + u.What + " '" + u.Name + "'"
	switch {
	case len(u.Similar) > 0:
		text += "; did you mean " + strings.Join(u.Similar, " or ") + "?"
	case len(u.Known) > maxKnown:
		text += "; there are " + strings.Join(u.Known[:maxKnown], ", ") + " and more"
	case len(u.Known) > 0:
		text += "; there are " + strings.Join(u.Known, ", ")
	}
	return text
}

// ErrEmpty is the error of a question without a resource.
var ErrEmpty = errors.New("no resource was named")

// Place is where an instance of a resource is or goes, and in which role.
type Place struct{ Instance, Node, Role string }

// Answer is all that is to be said about a resource.
type Answer struct {
	Resource string
	Variant  string // primitive, group, clone, promotable clone, bundle
	Leader   string // whose scores decide, when not its own: the first member of a group
	Instance []string
	Now      []Place
	Next     []Place
	Reasons  []Finding // about the resource as a whole
	Nodes    []NodeAnswer
	Changes  []Change
	Tried    bool   // changes were looked for
	Asked    string // the node of the question
	Promote  bool   // it is there; the changes would promote it
	Recheck  int64  // when time alone will change something, 0 for never
}

// NodeAnswer says what speaks for and against a node.
type NodeAnswer struct {
	Node     string
	Instance string      // whose scores these are
	Score    score.Score // as crm_simulate shows it
	Known    bool        // there is a score
	Usable   bool        // the state of the node allows it
	Chosen   bool
	Role     string    // that it has there in the end
	Choice   []Finding // how it was chosen, or promoted
	Reasons  []Finding // what adds up to the score, and what else speaks against the node
	Promoted []Finding // what adds up to the promotion score
}

// Resource answers a question.
func (e *Explainer) Resource(q Query) (*Answer, error) {
	if q.Resource == "" {
		return nil, ErrEmpty
	}
	s, err := e.subject(q.Resource)
	if err != nil {
		return nil, err
	}
	var only *model.Node
	if q.Node != "" {
		if only = e.c.Node(q.Node); only == nil {
			return nil, unknown("node", q.Node, e.nodeNames())
		}
	}
	a := &Answer{Resource: s.name, Variant: s.variant(), Recheck: e.c.RecheckBy}
	e.places(a, s)
	e.state(a, s)
	for _, n := range e.c.Nodes {
		if (only == nil && e.hidden(s, n)) || (only != nil && n != only) {
			continue
		}
		a.Nodes = append(a.Nodes, e.onNode(s, n)...)
	}
	if lead := s.parts[0]; len(s.parts) == 1 && decider(lead) != lead {
		a.Leader = decider(lead).ID
	}
	if only != nil {
		a.Asked = only.Name
	}
	if q.Changes {
		e.changes(a, s, only)
	}
	return a, nil
}

// hidden says whether a node is of no interest: the node of another bundle's or
// guest's, where the resource can never be.
func (e *Explainer) hidden(s *subject, n *model.Node) bool {
	if !n.IsGuest() && !s.parts[0].Bundled() {
		return false
	}
	if n.Kind != model.Remote && s.parts[0].Bundled() && s.parts[0].Top() == s.parts[0] {
		return false
	}
	return !slices.ContainsFunc(s.parts, func(p *model.Resource) bool {
		w := decider(p).Allowed.Get(n)
		return w != nil && w.Score > -model.Inf
	})
}

func (e *Explainer) places(a *Answer, s *subject) {
	for _, p := range s.parts {
		d := decider(p)
		role := func(r model.Role) string {
			if r == model.Unknown {
				r = model.Started
			}
			return r.String()
		}
		for _, n := range d.RunningOn {
			a.Now = append(a.Now, Place{p.ID, n.Name, role(p.State(true))})
		}
		if n := d.Assigned; n != nil && e.starts(p) {
			a.Next = append(a.Next, Place{p.ID, n.Name, role(p.State(false))})
		}
		a.Instance = append(a.Instance, p.ID)
	}
}

// starts says whether a part that has a place will be active there: it is, or its
// start can be done.
func (e *Explainer) starts(p *model.Resource) bool {
	if len(p.Children) > 0 {
		for _, k := range p.Children {
			if !e.starts(k) {
				return false
			}
		}
		return true
	}
	if p.NextRole == model.Stopped && p.Is(model.Managed) {
		return false
	}
	start := p.First("", model.Start, p.Assigned)
	return start == nil || start.Is(model.Optional) && p.RunsOn(p.Assigned) || start.Is(model.Runnable)
}

// subject is the resource that is asked about and the parts that have a place each.
type subject struct {
	name  string
	top   *model.Resource
	parts []*model.Resource
}

func (s *subject) variant() string {
	switch {
	case s.top.Variant == model.Group:
		return "group"
	case s.top.Variant == model.Bundle:
		return "bundle"
	case s.top.Is(model.Promotable) && s.top.IsClone():
		return "promotable clone"
	case s.top.IsClone():
		return "clone"
	}
	if p := s.top.Parent; p != nil {
		return "primitive in " + p.ID
	}
	return "primitive"
}

// decider is the resource whose scores decide where r goes: of a group its first member.
func decider(r *model.Resource) *model.Resource {
	for r.Variant == model.Group && len(r.Children) > 0 {
		r = r.Children[0]
	}
	return r
}

// subject finds what a name means: a resource, an instance, or what a clone is made
// of, which stands for all its instances.
func (e *Explainer) subject(name string) (*subject, error) {
	var exact, same []*model.Resource
	var names []string
	e.walk(func(r *model.Resource) {
		names = append(names, r.ID)
		switch {
		case r.ID == name:
			exact = append(exact, r)
		case r.XMLID == name:
			same = append(same, r)
		}
	})
	if len(exact) > 0 {
		r := exact[0]
		s := &subject{name: r.ID, top: r, parts: []*model.Resource{r}}
		switch {
		case r.IsClone() && len(r.Children) > 0:
			s.parts = r.Children
		case r.Variant == model.Bundle && len(r.Bundle.Replicas) > 0:
			s.parts = nil
			for _, rep := range r.Bundle.Replicas {
				s.parts = append(s.parts, rep.Container)
			}
		}
		return s, nil
	}
	if len(same) > 0 {
		return &subject{name: name, top: same[0].Top(), parts: same}, nil
	}
	u := unknown("resource", name, names)
	if len(u.Known) > 0 { // of a long list, those that a user configured
		u.Known = nil
		for _, r := range e.c.Resources {
			u.Known = append(u.Known, r.ID)
		}
	}
	return nil, u
}

// walk visits all resources, those that bundles are made of too.
func (e *Explainer) walk(f func(*model.Resource)) {
	seen := map[*model.Resource]bool{}
	var visit func(r *model.Resource)
	visit = func(r *model.Resource) {
		if r == nil || seen[r] {
			return
		}
		seen[r] = true
		f(r)
		for _, k := range r.Children {
			visit(k)
		}
		if r.Variant == model.Bundle {
			for _, rep := range r.Bundle.Replicas {
				for _, k := range []*model.Resource{rep.IP, rep.Container, rep.Remote, rep.Child} {
					visit(k)
				}
			}
		}
	}
	for _, r := range e.c.Resources {
		visit(r)
	}
}

func (e *Explainer) nodeNames() (out []string) {
	for _, n := range e.c.Nodes {
		out = append(out, n.Name)
	}
	return out
}

// times sorts names and says how often those come that come more than once.
func times(nodes []string) (out []string) {
	model.MergeSort(nodes, model.CompareNames)
	for i, n := range nodes {
		if i > 0 && nodes[i-1] == n {
			continue
		}
		k := i
		for k < len(nodes) && nodes[k] == n {
			k++
		}
		if k -= i; k > 1 {
			n += fmt.Sprintf(" (%d times)", k)
		}
		out = append(out, n)
	}
	return out
}

// Line is one resource in a summary.
type Line struct {
	Resource, Variant string
	Where             string   // where it will be, with roles
	Reason            *Finding // the one that says most
	Cause             *Finding // what is behind it: of a move, what is wrong with the old node or good at the new one
	Blocked           bool     // it is not as it should be
}

// Summary says one thing about each top-level resource.
func (e *Explainer) Summary() []Line {
	var out []Line
	for _, r := range e.c.Resources {
		if r.Is(model.Orphan) && len(r.RunningOn) == 0 {
			continue
		}
		a, err := e.Resource(Query{Resource: r.ID})
		if err != nil {
			continue
		}
		out = append(out, line(a))
	}
	slices.SortStableFunc(out, func(a, b Line) int { return strings.Compare(a.Resource, b.Resource) })
	return out
}

func line(a *Answer) Line {
	l := Line{Resource: a.Resource, Variant: a.Variant, Where: Where(a.Next), Blocked: len(a.Next) == 0}
	for i := range a.Reasons {
		if a.Reasons[i].Kind != RuleChanges { // that can wait
			l.Reason = &a.Reasons[i]
			break
		}
	}
	if l.Reason == nil && len(a.Next) == 0 {
		l.Reason = firstBan(a)
	}
	if l.Reason != nil && l.Reason.Kind == Moves {
		l.Cause = moveCause(a, l.Reason)
	}
	for i := range a.Nodes {
		n := &a.Nodes[i]
		if l.Reason == nil && n.Chosen && len(n.Choice) > 0 {
			l.Reason = &n.Choice[0]
			if l.Reason.Kind == ChosenBest {
				l.Cause = weightiest(n)
			}
		}
	}
	return l
}

// weightiest is the reason that does most for a node.
func weightiest(n *NodeAnswer) *Finding {
	var best *Finding
	for i := range n.Reasons {
		if f := &n.Reasons[i]; f.Scored() && f.Score > 0 && (best == nil || f.Score > best.Score) {
			best = f
		}
	}
	return best
}

// moveCause is what rules out the node that a resource leaves, else why the new one
// was chosen.
func moveCause(a *Answer, move *Finding) *Finding {
	for i := range a.Nodes {
		for j := range a.Nodes[i].Reasons {
			if f := &a.Nodes[i].Reasons[j]; a.Nodes[i].Node == move.Of && f.Ban() {
				return f
			}
		}
	}
	for i := range a.Nodes {
		if n := &a.Nodes[i]; n.Node == move.Node && n.Chosen && len(n.Choice) > 0 {
			return &n.Choice[0]
		}
	}
	return nil
}

// firstBan is the reason that says most about why a resource runs nowhere: one of its
// own before one that ties it to another node, and that before the state of a node.
func firstBan(a *Answer) *Finding {
	weight := func(f *Finding) int {
		switch {
		case f.Kind < NodeScore:
			return 1
		case f.Kind == Elsewhere || f.Kind == Member:
			return 2
		}
		return 3
	}
	var some *Finding
	for i := range a.Nodes {
		n := &a.Nodes[i]
		banned := slices.ContainsFunc(n.Reasons, func(f Finding) bool { return f.Ban() })
		for j := range n.Reasons {
			f := &n.Reasons[j]
			against := f.Ban() || !banned && n.Score < 0 && f.Scored() && f.Score < 0
			if against && (some == nil || weight(f) > weight(some)) {
				some = f
			}
		}
	}
	return some
}

// Where says in words where instances are.
func Where(places []Place) string {
	if len(places) == 0 {
		return "nowhere"
	}
	var roles []string
	by := map[string][]string{}
	for _, p := range places {
		if by[p.Role] == nil {
			roles = append(roles, p.Role)
		}
		by[p.Role] = append(by[p.Role], p.Node)
	}
	slices.Sort(roles)
	var out []string
	for _, r := range roles {
		nodes := times(by[r])
		out = append(out, fmt.Sprintf("on %s (%s)", strings.Join(nodes, ", "), r))
	}
	return strings.Join(out, ", ")
}
