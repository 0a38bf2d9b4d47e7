package schema

import (
	"math/rand/v2"
	"testing"

	"github.com/pacesync/pacesync/cib/schema"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/cibgen"
)

// TestBuiltinVerdicts compares the schemas that are built in with those that are
// installed, on the conformance cases, on generated CIBs, old and new, and on
// changed ones. Package schema draws documents from the grammars themselves.
func TestBuiltinVerdicts(t *testing.T) {
	labtest.Need(t, "/usr/share/pacemaker/pacemaker-3.9.rng")
	theirs, ours, rnd := load(t), schema.Builtin(), rand.New(rand.NewPCG(4, 4))
	files := cases(t)
	rnd.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	var roots []*xmltree.Node
	for _, file := range files[:min(len(files), amount(30, 1<<20))] {
		roots = append(roots, parse(t, file))
	}
	for seed := range amount(15, 1500) {
		roots = append(roots, cibgen.New(uint64(seed)).Root, oldCIB(rand.New(rand.NewPCG(uint64(seed), 212))))
	}
	valid, total := 0, 0
	for _, root := range roots {
		at := theirs.Find(root.Attr("validate-with"))
		if at < 0 || at > theirs.Latest() || rnd.IntN(3) == 0 {
			at = rnd.IntN(theirs.Latest() + 1)
		}
		for range 5 {
			want, got := theirs.ValidateWith(root, at), ours.ValidateWith(root, at)
			total++
			if len(want) == 0 {
				valid++
			}
			if (len(want) == 0) != (len(got) == 0) {
				keep(t, "builtin", root)
				t.Fatalf("%s: installed %v, built in %v\n%.3000s", theirs.Versions()[at].Name, want, got, root)
			}
			mutate(rnd, root)
		}
	}
	t.Logf("%d of %d valid", valid, total)
	if valid < total/10 || valid > total*9/10 {
		t.Error("too one-sided to show anything")
	}
}

// TestBuiltinUpgradePath takes old CIBs to the newest schema with both.
func TestBuiltinUpgradePath(t *testing.T) {
	labtest.Need(t, "/usr/share/pacemaker/pacemaker-3.9.rng")
	theirs, ours := load(t), schema.Builtin()
	for seed := range amount(20, 1000) {
		root := oldCIB(rand.New(rand.NewPCG(uint64(seed), 213)))
		want, got := theirs.Upgrade(root.Copy(), 0, schema.Step), ours.Upgrade(root, 0, schema.Step)
		if got.CIB.String() != want.CIB.String() || got.Best != want.Best || got.Outcome != want.Outcome {
			t.Fatalf("seed %d: best %d, outcome %d, want %d, %d\n got %s\nwant %s", seed, got.Best, got.Outcome, want.Best, want.Outcome, got.CIB, want.CIB)
		}
	}
}
