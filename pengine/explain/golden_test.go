package explain_test

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/cibgen"
	"github.com/pacesync/pacesync/pengine/explain"
	"github.com/pacesync/pacesync/pengine/explain/tell"
	"github.com/pacesync/pacesync/pengine/model"
)

// story is a file of explanations.
//
//	cib            (lines of build_test.go)      generated seed=N
//	explain RESOURCE [node=NODE] [at=SECONDS] [as=json]     all
type story struct {
	t     *testing.T
	cib   *xmltree.Node
	kinds map[explain.Kind]bool
	count *int
}

// leastGoldens is how many explanations there are to be.
const leastGoldens = 40

// TestGolden tells the stories. Each answer is held to what the engine decides, and
// each change that it proposes is made and tried.
func TestGolden(t *testing.T) {
	kinds, remedies, count := map[explain.Kind]bool{}, map[string]bool{}, 0
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if strings.Contains(path, "fuzz"+string(filepath.Separator)) {
			return
		}
		s := &story{t: t, kinds: kinds, count: &count}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			s.t = t
			return s.run(d, remedies)
		})
	})
	for k := range explain.Kinds {
		if !kinds[k] {
			t.Errorf("no golden shows a reason of the kind %v", k)
		}
	}
	names, _ := explain.Remedies()
	for _, n := range names {
		if !remedies[n] {
			t.Errorf("no golden shows a change of the kind %s", n)
		}
	}
	if count < leastGoldens {
		t.Errorf("%d explanations, there are to be %d", count, leastGoldens)
	}
}

func (s *story) run(d *datadriven.TestData, remedies map[string]bool) string {
	arg := func(name string) string {
		for _, a := range d.CmdArgs {
			if a.Key == name && len(a.Vals) > 0 {
				return a.Vals[0]
			}
		}
		return ""
	}
	switch d.Cmd {
	case "cib":
		s.cib = newBuilder(s.t).build(d.Input)
		return "ok\n"
	case "generated":
		seed, _ := strconv.ParseUint(arg("seed"), 10, 64)
		s.cib = cibgen.New(seed).Root
		return "ok\n"
	case "all":
		return tell.Table(s.explainer(now).Summary())
	case "explain":
		at := now
		if v := arg("at"); v != "" {
			at, _ = strconv.Atoi(v)
		}
		e := s.explainer(int64(at))
		a, err := e.Resource(explain.Query{Resource: d.CmdArgs[0].Key, Node: arg("node"), Changes: true})
		if err != nil {
			return err.Error() + "\n"
		}
		*s.count++
		s.check(a, int64(at), remedies)
		if arg("as") == "json" {
			text, err := tell.JSON(a)
			if err != nil {
				s.t.Fatal(err)
			}
			return string(text)
		}
		return tell.Text(a)
	}
	s.t.Fatalf("what is %q?", d.Cmd)
	return ""
}

func (s *story) explainer(at int64) *explain.Explainer {
	e, err := explain.New(explain.Input{CIB: s.cib, Now: iso8601.Time{Unix: at}})
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

// check holds an answer to the engine.
func (s *story) check(a *explain.Answer, at int64, remedies map[string]bool) {
	before := s.cib.String()
	sched := schedule(s.t, s.cib, at)
	if sums := sched.check(s.t, a); sums == 0 && len(a.Nodes) > 0 && !strings.Contains(a.Resource, ":") {
		s.t.Logf("%s: no scores to compare", a.Resource)
	}
	whole(s.t, a)
	s.seen(a)
	for _, c := range a.Changes {
		for i := range c.Steps {
			remedies[c.Steps[i].Remedy] = true
		}
		if !s.does(c, a, at, nil) {
			s.t.Errorf("%s: %q does not bring it to %s", a.Resource, c.Steps[0].Text, c.Node)
		}
		s.smallest(c, a, at)
	}
	if s.cib.String() != before {
		s.t.Errorf("%s: the CIB was changed", a.Resource)
	}
}

// does says whether a change, made on a copy, brings the resource to the node.
func (s *story) does(c explain.Change, a *explain.Answer, at int64, less func(cib *xmltree.Node)) bool {
	cib := s.cib.Copy()
	for _, st := range c.Steps {
		st.Apply(cib)
	}
	if less != nil {
		less(cib)
	}
	after := schedule(s.t, cib, at)
	instances := a.Instance
	if strings.HasSuffix(a.Variant, "clone") { // there may be one more
		instances = append(instances, model.BaseName(instances[0])+":"+strconv.Itoa(len(instances)))
	}
	for _, id := range instances {
		r := after.find(id)
		if r == nil || r.Assigned == nil || r.Assigned.Name != c.Node {
			continue
		}
		start := r.First("", model.Start, r.Assigned)
		role := r.Top().Is(model.Promotable) && c.Role == "Promoted" && r.NextRole != model.Promoted
		if (start == nil || start.Is(model.Optional) || start.Is(model.Runnable)) && !role {
			return true
		}
	}
	return false
}

// smallest checks that one point less does not do.
func (s *story) smallest(c explain.Change, a *explain.Answer, at int64) {
	for _, st := range c.Steps {
		cib := s.cib.Copy()
		st.Apply(cib)
		var id, value string
		cib.Path("configuration", "constraints").Each("rsc_location", func(x *xmltree.Node) {
			if v := x.Attr("score"); st.Remedy == "add-score" && strings.HasPrefix(x.ID(), "prefer-") || st.Remedy == "raise-score" && strings.Contains(st.Text, x.ID()+" ") {
				id, value = x.ID(), v
			}
		})
		k, err := strconv.Atoi(value)
		if id == "" || err != nil {
			continue
		}
		less := func(cib *xmltree.Node) {
			cib.Path("configuration", "constraints").Each("rsc_location", func(x *xmltree.Node) {
				if x.ID() == id {
					x.Set("score", strconv.Itoa(k-1))
				}
			})
		}
		if s.does(c, a, at, less) {
			s.t.Errorf("%s: %q: %d would do", a.Resource, st.Text, k-1)
		}
	}
}

func (s *story) seen(a *explain.Answer) {
	note := func(list []explain.Finding) {
		for _, f := range list {
			s.kinds[f.Kind] = true
		}
	}
	note(a.Reasons)
	for _, n := range a.Nodes {
		note(n.Choice)
		note(n.Reasons)
		note(n.Promoted)
	}
}
