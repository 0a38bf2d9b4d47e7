package explain_test

import (
	"testing"

	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/cibgen"
	"github.com/pacesync/pacesync/pengine/explain"
	"github.com/pacesync/pacesync/pengine/explain/tell"
	"github.com/pacesync/pacesync/pengine/model"
)

const (
	maxFuzzInput = 64 << 10 // larger inputs are the engine's own tests' business
	fuzzRuns     = 6        // of the engine, while it looks for changes
)

// FuzzExplain explains one resource of any CIB, on a node or on all: an answer or an
// error, never a panic, and the CIB stays as it was.
func FuzzExplain(f *testing.F) {
	f.Add([]byte(""), "r", "")
	f.Add([]byte("<cib/>"), "r", "n")
	for _, lines := range []string{
		"node a\nnode b standby=on\nprim fence stonith\nprim web migration-threshold=1\non web a\nfail web a monitor 1 count=1 interval=10",
		"option stonith-enabled=false\nnode a master-db=5\nnode b\nprim db\nclone dbs db promotable=true\non db a promoted",
		"option stonith-enabled=false placement-strategy=balanced\nnode a cap:cpu=2\nprim x use:cpu=4\nprim y\ngroup g x y",
		"node a\nprim httpd\nbundle web httpd 2\nprim vm remote-node=guest\nticket t\n<rsc_ticket id=\"tt\" rsc=\"vm\" ticket=\"t\" loss-policy=\"fence\"/>",
	} {
		cib := newBuilder(f).build(lines).String()
		for _, name := range []string{"web", "dbs", "g", "vm"} {
			f.Add([]byte(cib), name, "a")
			f.Add([]byte(cib), name, "")
		}
	}
	f.Add([]byte(cibgen.New(5).Root.String()), "clone-16", "node1")
	f.Fuzz(func(t *testing.T, data []byte, name, node string) {
		if len(data) > maxFuzzInput {
			return
		}
		cib, err := xmltree.Parse(data, xmltree.Limits{})
		if err != nil {
			return
		}
		before := cib.String()
		e, err := explain.New(explain.Input{CIB: cib, Now: iso8601.Time{Unix: now}, Runs: fuzzRuns})
		if err != nil {
			return
		}
		tell.Table(e.Summary())
		a, err := e.Resource(explain.Query{Resource: name, Node: node, Changes: true})
		if err == nil {
			tell.Text(a)
			if _, err := tell.JSON(a); err != nil {
				t.Error(err)
			}
		} else if err.Error() == "" {
			t.Error("an error without text")
		}
		if cib.String() != before {
			t.Error("the CIB was changed")
		}
	})
}

// FuzzMutated explains everything in a generated cluster after some changes to it.
func FuzzMutated(f *testing.F) {
	f.Add(uint64(1), uint64(1))
	f.Add(uint64(7), uint64(99))
	f.Fuzz(func(t *testing.T, seed, change uint64) {
		cib := cibgen.New(seed).Root
		cibgen.Mutate(change, cib)
		everything(t, cib, fuzzRuns)
	})
}

// TestGenerated explains everything in generated clusters, as they are and changed.
func TestGenerated(t *testing.T) {
	for seed := range uint64(40) {
		everything(t, cibgen.New(seed+1).Root, 60)
		cib := cibgen.New(seed + 101).Root
		for k := range uint64(4) {
			cibgen.Mutate(seed*10+k, cib)
		}
		everything(t, cib, fuzzRuns)
	}
}

// everything asks about each resource of a CIB and holds the answers to the engine.
func everything(t *testing.T, cib *xmltree.Node, runs int) {
	t.Helper()
	s := schedule(t, cib, now)
	e, err := explain.New(explain.Input{CIB: cib, Now: iso8601.Time{Unix: now}, Runs: runs})
	if err != nil {
		t.Fatal(err)
	}
	tell.Table(e.Summary())
	story := &story{t: t, cib: cib}
	for _, r := range s.r.Cluster.Resources {
		if r.Is(model.Orphan) { // it may have the id of another
			continue
		}
		for _, node := range []string{"", s.r.Cluster.Nodes[0].Name} {
			a, err := e.Resource(explain.Query{Resource: r.ID, Node: node, Changes: true})
			if err != nil {
				t.Fatalf("%s: %v", r.ID, err)
			}
			s.check(t, a)
			whole(t, a)
			for _, c := range a.Changes {
				if !story.does(c, a, now, nil) {
					t.Errorf("%s: %q does not bring it to %s", r.ID, c.Steps[0].Text, c.Node)
				}
			}
		}
	}
}
