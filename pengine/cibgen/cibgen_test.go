package cibgen_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/cibgen"
	"github.com/pacesync/pacesync/pengine/simulate"
)

// scope is what the scheduler has to know, by the names of features here: each is in
// at least one CIB of fifty. A name that ends in a space stands for each that begins so.
func scope() []string {
	return []string{
		"option ", "meta ", "op ", "node attribute ", "transient ", "set ", "loss-policy ", "order kind ", "promotable ", "bundle ", "guest ", "date ",
		"group", "clone", "cloned group", "promotable", "promotion score", "bundle", "guest node", "remote node", "template", "template use", "template in constraint", "tag",
		"location pattern", "location role", "location set", "location rule", "location date rule", "resource-discovery", "score-attribute", "nested rule", "rule role",
		"expression type", "value-source", "date_spec", "colocation set", "colocation role", "colocation with role", "node-attribute", "influence",
		"order set", "order score", "symmetrical", "require-all", "first-action", "then-action", "ticket", "ticket set", "ticket role", "ticket standby",
		"node utilization", "resource utilization", "rsc_defaults", "rsc_defaults rule", "op_defaults", "op_defaults rule", "meta rule", "parameter rule", "option rule",
		"fencing topology", "unfencing", "no quorum", "monitor stopped", "parameters", "node unclean", "node down", "node pending", "node without controller",
		"node shutting down", "node banned", "node never seen", "failed operation", "timed out", "pending operation", "recurring monitor failed", "history removed",
		"active elsewhere too", "digest changed", "found stopped", "migration", "executor error", "orphan", "fail count", "disturbed configuration",
	}
}

// TestNoResources: what the generator makes of some seeds is a cluster without
// resources, which nothing can be said about.
func TestNoResources(t *testing.T) {
	for _, seed := range []uint64{1900, 7777} {
		c := cibgen.New(seed)
		if c.Root.Path("configuration", "constraints").HasElements() {
			t.Errorf("seed %d has constraints", seed)
		}
		c.Root.Path("configuration", "resources").Elements(func(n *xmltree.Node) {
			if n.Name != "template" {
				t.Errorf("seed %d has a %s", seed, n.Name)
			}
		})
	}
}

// TestScope counts the features of generated CIBs.
func TestScope(t *testing.T) {
	const count = 400
	have := map[string]int{}
	for seed := range uint64(count) {
		c := cibgen.WithPast(seed+1, func(root *xmltree.Node) {
			if _, err := simulate.Run(simulate.Options{CIB: root, Clock: iso8601.Time{Unix: cibgen.Now - 3600}, Process: true, Execute: true}); err != nil {
				t.Fatal(err)
			}
		})
		for _, f := range c.Features {
			have[f]++
		}
	}
	var names []string
	for f := range have {
		names = append(names, f)
	}
	slices.Sort(names)
	for _, want := range scope() {
		found := false
		for _, f := range names {
			if f != want && !(strings.HasSuffix(want, " ") && strings.HasPrefix(f, want)) {
				continue
			}
			found = true
			if have[f]*50 < count {
				t.Errorf("%s: in %d of %d", f, have[f], count)
			}
		}
		if !found {
			t.Errorf("%s: in none", want)
		}
	}
}
