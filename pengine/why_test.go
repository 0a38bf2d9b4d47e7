package pengine_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/testneed"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine"
	"github.com/pacesync/pacesync/pengine/cibgen"
	"github.com/pacesync/pacesync/pengine/model"
)

// TestScoresAreExplained adds up the reasons of every score of every conformance
// case and of generated CIBs: the sum is the score that crm_simulate shows.
func TestScoresAreExplained(t *testing.T) {
	for seed := range uint64(60) {
		explained(t, "generated", cibgen.New(seed+1).Root)
	}
	files := testneed.CIBs(t)
	sums := 0
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		cib, err := xmltree.Parse(data, xmltree.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		sums += explained(t, filepath.Base(f), cib)
	}
	if sums < 10000 {
		t.Errorf("only %d scores were looked at", sums)
	}
}

func explained(t *testing.T, name string, cib *xmltree.Node) (sums int) {
	shown := &model.Shown{Scores: true}
	in := pengine.Input{CIB: cib, Now: iso8601.Time{Unix: 1700000000}, Sanitized: true, Shown: shown, Explain: true}
	r, err := pengine.Run(in)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	last := map[string]string{} // the last score shown of each resource on each node
	for _, l := range shown.Lines {
		switch l.Kind {
		case model.ShownScore:
			last[l.Rsc+" allocation score on "+l.Node] = l.Score
		case model.ShownPromotion:
			last[l.Rsc+" promotion score on "+l.Node] = l.Score
		}
	}
	var walk func(*model.Resource)
	walk = func(r *model.Resource) {
		if !r.Is(model.Orphan) { // not shown, and may have the id of another
			sums += explainedScores(t, name, r, last)
		}
		for _, k := range r.Children {
			walk(k)
		}
	}
	for _, r := range r.Cluster.Resources {
		walk(r)
	}
	return sums
}

func explainedScores(t *testing.T, name string, r *model.Resource, last map[string]string) (sums int) {
	for _, n := range r.Cluster.Nodes {
		want, ok := last[r.ID+" allocation score on "+n.Name]
		if !ok {
			continue
		}
		total := score.Score(0)
		for _, w := range r.Why[:min(r.WeighedAt, len(r.Why))] {
			if w.Node != n {
				continue
			}
			if sum := score.Add(total, w.Score); sum != w.Total && w.Score != w.Total {
				t.Errorf("%s: %s on %s: %v and %v are %v, not %v (cause %d)", name, r.ID, n.Name, total, w.Score, sum, w.Total, w.Cause)
			}
			total = w.Total
		}
		if total.String() != want {
			t.Errorf("%s: %s on %s: the reasons add up to %v, crm_simulate shows %s", name, r.ID, n.Name, total, want)
		}
		sums++
	}
	for _, w := range r.WhyPromoted {
		want, ok := last[r.ID+" promotion score on "+w.Node.Name]
		if ok && w == r.WhyPromoted[len(r.WhyPromoted)-1] && w.Total.String() != want {
			t.Errorf("%s: promotion of %s on %s: the reasons add up to %v, crm_simulate shows %s", name, r.ID, w.Node.Name, w.Total, want)
		}
	}
	return sums
}
