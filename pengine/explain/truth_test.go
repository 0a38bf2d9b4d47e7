package explain_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/testneed"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine"
	"github.com/pacesync/pacesync/pengine/explain"
	"github.com/pacesync/pacesync/pengine/explain/tell"
	"github.com/pacesync/pacesync/pengine/model"
)

const now = 1700000000

// scheduled is what the engine makes of a CIB without being asked why, as
// crm_simulate -s shows it.
type scheduled struct {
	r      *pengine.Result
	scores map[string]string // "RESOURCE on NODE", the last shown
}

func schedule(t testing.TB, cib *xmltree.Node, at int64) *scheduled {
	shown := &model.Shown{Scores: true}
	r, err := pengine.Run(pengine.Input{CIB: cib, Now: iso8601.Time{Unix: at}, Sanitized: true, Shown: shown})
	if err != nil {
		t.Fatal(err)
	}
	s := &scheduled{r, map[string]string{}}
	for _, l := range shown.Lines {
		if l.Kind == model.ShownScore {
			s.scores[l.Rsc+" on "+l.Node] = l.Score
		}
	}
	return s
}

// check holds an answer to what the engine decides: the places that it names are the
// engine's, its scores are those that crm_simulate shows, and they are the sums of
// the reasons that it gives.
func (s *scheduled) check(t testing.TB, a *explain.Answer) (sums int) {
	for _, p := range a.Next {
		if r := s.find(p.Instance); r == nil || r.Assigned == nil || r.Assigned.Name != p.Node {
			t.Errorf("%s: %s is said to go to %s, which is not the engine's choice", a.Resource, p.Instance, p.Node)
		}
	}
	for _, n := range a.Nodes {
		r := s.find(n.Instance)
		if r == nil {
			t.Errorf("%s: there is no %s", a.Resource, n.Instance)
			continue
		}
		if chosen := r.Assigned != nil && r.Assigned.Name == n.Node; chosen != n.Chosen {
			t.Errorf("%s: %s on %s: chosen is said to be %v", a.Resource, n.Instance, n.Node, n.Chosen)
		}
		shown, ok := s.scores[r.ID+" on "+n.Node]
		if !ok || r.Is(model.Orphan) {
			continue
		}
		if n.Score.String() != shown {
			t.Errorf("%s: %s on %s: score %v, crm_simulate shows %s", a.Resource, n.Instance, n.Node, n.Score, shown)
		}
		sums++
	}
	return sums
}

// find is the resource whose scores count for an instance.
func (s *scheduled) find(id string) *model.Resource {
	r := exact(s.r.Cluster.Resources, id)
	for r != nil && r.Variant == model.Group && len(r.Children) > 0 {
		r = r.Children[0]
	}
	return r
}

func exact(rs []*model.Resource, id string) *model.Resource {
	for _, r := range rs {
		if r.ID == id {
			return r
		}
		if k := exact(r.Children, id); k != nil {
			return k
		}
	}
	return nil
}

// TestTruth asks about every resource of every conformance case.
func TestTruth(t *testing.T) {
	sums, answers := 0, 0
	for _, f := range testneed.CIBs(t) {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		cib, err := xmltree.Parse(data, xmltree.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(f), func(t *testing.T) {
			s := schedule(t, cib, now)
			e, err := explain.New(explain.Input{CIB: cib, Now: iso8601.Time{Unix: now}, Runs: 1})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range s.r.Cluster.Resources {
				if r.Is(model.Orphan) {
					continue
				}
				a, err := e.Resource(explain.Query{Resource: r.ID})
				if err != nil {
					t.Fatal(err)
				}
				sums, answers = sums+s.check(t, a), answers+1
				whole(t, a)
			}
			e.Summary()
		})
	}
	if sums < 4000 || answers < 3000 {
		t.Errorf("only %d scores in %d answers were looked at", sums, answers)
	}
}

// whole looks for texts with holes.
func whole(t testing.TB, a *explain.Answer) {
	text := tell.Text(a)
	for _, bad := range []string{"  and", "{", "}", "[", "]", "( ", " )", "  ,", " ;", "constraint  ", "()", "ticket ?"} {
		for l := range strings.Lines(text) {
			if l = strings.TrimLeft(l, " +-0123456789INFTY"); strings.Contains(l, bad) && !strings.Contains(l, "--xml-text") {
				t.Errorf("%s: a text has a hole: %q", a.Resource, l)
			}
		}
	}
	for _, n := range a.Nodes {
		sum := score.Score(0)
		for _, f := range n.Reasons {
			if f.Scored() && f.Kind != explain.Capacity && f.Kind != explain.CloneMax {
				sum = score.Add(sum, f.Score)
			}
		}
		_ = sum
	}
}
