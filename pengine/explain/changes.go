package explain

import (
	"slices"
	"strconv"

	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine"
	"github.com/pacesync/pacesync/pengine/model"
)

// Change is a change of the cluster that the engine was seen to answer as wanted.
type Change struct {
	Steps []Step
	Node  string   // where the resource is then
	Role  string   // and in which role
	Where string   // where it is then in all its instances, in words
	Also  []string // what else would go elsewhere then, and where
}

// Step is one change.
type Step struct {
	Remedy  string // name of the kind of change
	Text    string
	Command string                  // how to do it, empty where no command does
	Apply   func(cib *xmltree.Node) // makes the change on a copy of the CIB
}

// maxAlso bounds how many other resources are named that a change moves.
const maxAlso = 4

// goal is what a change is to bring about.
type goal struct {
	e    *Explainer
	s    *subject
	name string
	node *model.Node // nil: anywhere
	role model.Role  // at least this role, Unknown for none
}

// changes looks for the smallest change that brings the resource to a node, or, when
// none is asked for and it runs nowhere, to any.
func (e *Explainer) changes(a *Answer, s *subject, n *model.Node) {
	g := &goal{e: e, s: s, name: s.name, node: n}
	if n == nil && len(a.Next) > 0 {
		return
	}
	if g.reached(e.run) {
		if n == nil || !s.top.Is(model.Promotable) || !s.top.IsClone() {
			return
		}
		if g.role = model.Promoted; g.reached(e.run) {
			return
		}
		a.Promote = true
	}
	a.Tried = true
	steps := g.candidates(a)
	for _, st := range steps {
		if c, ok := g.try([]Step{st}); ok {
			a.Changes = append(a.Changes, c)
			if len(a.Changes) == 3 {
				return
			}
		}
	}
	if c, ok := g.weight(nil); ok {
		a.Changes = append(a.Changes, c)
	}
	if len(a.Changes) == 0 {
		if c, ok := g.together(steps); ok {
			a.Changes = append(a.Changes, c)
		}
	}
}

// reached says whether in that result the resource is where it is wanted.
func (g *goal) reached(r *pengine.Result) bool {
	e := &Explainer{cib: g.e.cib, c: r.Cluster, run: r}
	s, err := e.subject(g.name)
	if err != nil {
		return false
	}
	for _, p := range s.parts {
		d := decider(p)
		if d.Assigned == nil || g.node != nil && d.Assigned.Name != g.node.Name || !e.starts(p) {
			continue
		}
		if g.role == model.Unknown || p.State(false) >= g.role {
			return true
		}
	}
	return false
}

// try runs the engine on the changed CIB.
func (g *goal) try(steps []Step) (Change, bool) {
	e := g.e
	if e.budget == 0 {
		return Change{}, false
	}
	e.budget--
	cib := e.cib.Copy()
	for _, s := range steps {
		s.Apply(cib)
	}
	r, err := e.schedule(cib, false)
	if err != nil || !g.reached(r) {
		return Change{}, false
	}
	c := Change{Steps: steps, Role: model.Started.String()}
	after := &Explainer{cib: cib, c: r.Cluster, run: r}
	if s, err := after.subject(g.name); err == nil {
		for _, p := range s.parts {
			if d := decider(p); d.Assigned != nil && (g.node == nil || d.Assigned.Name == g.node.Name) && after.starts(p) && p.State(false) >= g.role {
				c.Node = d.Assigned.Name
				if role := p.State(false); role != model.Unknown {
					c.Role = role.String()
				}
				break
			}
		}
	}
	c.Where = after.whereIs(g.name)
	c.Also = g.also(after)
	return c, true
}

// also names the other top-level resources whose places a change changes.
func (g *goal) also(after *Explainer) (out []string) {
	for _, was := range g.e.c.Resources {
		if was == g.s.top.Top() || was == g.s.top || was.Is(model.Orphan) {
			continue
		}
		w1, w2 := g.e.whereIs(was.ID), after.whereIs(was.ID)
		if w1 == w2 {
			continue
		}
		if len(out) == maxAlso {
			return append(out, "others")
		}
		out = append(out, was.ID+" "+w2)
	}
	return out
}

// whereIs tells where a resource will be.
func (e *Explainer) whereIs(id string) string {
	s, err := e.subject(id)
	if err != nil {
		return ""
	}
	a := &Answer{}
	e.places(a, s)
	return Where(a.Next)
}

// together tries all changes at once and then leaves out what is not needed.
func (g *goal) together(steps []Step) (Change, bool) {
	all := slices.Clone(steps)
	c, ok := g.try(all)
	if !ok {
		if c, ok = g.weight(all); !ok {
			return c, false
		}
		all = c.Steps
	}
	for i := len(all) - 1; i >= 0 && len(all) > 1; i-- {
		fewer := slices.Delete(slices.Clone(all), i, i+1)
		if less, ok := g.try(fewer); ok {
			all, c = fewer, less
		}
	}
	return c, true
}

// weight looks for the smallest score that a location constraint has to add.
func (g *goal) weight(with []Step) (Change, bool) {
	if g.node == nil {
		return Change{}, false
	}
	try := func(k score.Score) (Change, bool) {
		return g.try(append(slices.Clone(with), g.prefer(k)))
	}
	best, ok := try(model.Inf)
	if !ok {
		return best, false
	}
	low, high := score.Score(0), model.Inf // it does not do, it does
	for step := score.Score(1); step < model.Inf; step *= 10 {
		c, ok := try(step)
		if ok {
			best, high = c, step
			break
		}
		low = step
	}
	for high < model.Inf && high-low > 1 {
		mid := low + (high-low)/2
		if c, ok := try(mid); ok {
			best, high = c, mid
		} else {
			low = mid
		}
	}
	return best, true
}

// prefer adds to the score of the node.
func (g *goal) prefer(k score.Score) Step {
	rsc, role := g.owner(), ""
	id := g.e.freeID("prefer-" + rsc + "-" + g.node.Name)
	if g.role == model.Promoted {
		role = " in role Promoted"
	}
	if l := g.existing(); l != nil && k < model.Inf {
		was := score.Parse(l.Attr("score"), g.e.c.Opt.Health)
		if sum := score.Add(was, k); sum < model.Inf && was > -model.Inf {
			id = l.ID()
			return Step{Remedy: "raise-score", Text: "raise the score of location constraint " + id + " by " + k.String() + " to " + sum.String(),
				Command: "cibadmin --modify --scope constraints --xml-text '<rsc_location id=\"" + id + "\" score=\"" + sum.String() + "\"/>'",
				Apply:   func(cib *xmltree.Node) { setByID(cib, "rsc_location", id, "score", sum.String()) }}
		}
	}
	x := xmltree.New("rsc_location", xmltree.Attr{Name: "id", Value: id}, xmltree.Attr{Name: "rsc", Value: rsc},
		xmltree.Attr{Name: "node", Value: g.node.Name}, xmltree.Attr{Name: "score", Value: k.String()})
	if role != "" {
		x.Set("role", model.Promoted.String())
	}
	text := "prefer " + g.node.Name + role + " by a score of " + k.String()
	if k >= model.Inf {
		text = "make it prefer " + g.node.Name + role + " above all"
	}
	return Step{Remedy: "add-score", Text: text, Command: "cibadmin --create --scope constraints --xml-text '" + x.String() + "'",
		Apply: func(cib *xmltree.Node) { place(cib, "configuration", "constraints").Add(x.Copy()) }}
}

// freeID is an id that nothing in the CIB has.
func (e *Explainer) freeID(id string) string {
	free := id
	for n := 2; e.cib.Find(func(x *xmltree.Node) bool { return x.ID() == free }) != nil; n++ {
		free = id + "-" + strconv.Itoa(n)
	}
	return free
}

// owner is the resource that a constraint would name: members go with what holds them.
func (g *goal) owner() string {
	r := g.s.top
	for r.Parent != nil {
		r = r.Parent
	}
	return r.ID
}

// existing returns the plain location constraint of the resource for the node.
func (g *goal) existing() *xmltree.Node {
	var found *xmltree.Node
	g.e.cib.Path("configuration", "constraints").Each("rsc_location", func(x *xmltree.Node) {
		if x.Attr("rsc") == g.owner() && x.Attr("node") == g.node.Name && x.Attr("score") != "" && (x.Attr("role") == model.Promoted.String()) == (g.role == model.Promoted) {
			found = x
		}
	})
	return found
}

// place returns an element below the root, made when it is missing.
func place(n *xmltree.Node, path ...string) *xmltree.Node {
	for _, name := range path {
		c := n.Child(name)
		if c == nil {
			c = n.AddNew(name)
		}
		n = c
	}
	return n
}

func byID(cib *xmltree.Node, tag, id string) *xmltree.Node {
	return cib.Find(func(n *xmltree.Node) bool { return n.Name == tag && n.ID() == id })
}

func setByID(cib *xmltree.Node, tag, id, name, value string) {
	if n := byID(cib, tag, id); n != nil && id != "" {
		n.Set(name, value)
	}
}

func removeByID(cib *xmltree.Node, tag, id string) {
	if n := byID(cib, tag, id); n != nil && id != "" {
		n.Remove()
	}
}

func atoi(s string) int { n, _ := strconv.Atoi(s); return n }
