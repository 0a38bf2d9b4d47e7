package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestShares: every end-to-end test belongs to exactly one part of the full
// counts, and no part is empty. test/pengine has a part with counts of its own,
// test/run is this.
func TestShares(t *testing.T) {
	files, err := filepath.Glob("../*/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	count := map[string]int{}
	for _, file := range files {
		pkg := filepath.Base(filepath.Dir(file))
		if pkg == "pengine" || pkg == "run" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range name.FindAllStringSubmatch(string(text), -1) {
			var in []string
			for _, s := range shares() {
				if s.has(pkg, m[1]) {
					in = append(in, s.part)
					count[s.part]++
				}
			}
			if len(in) != 1 {
				t.Errorf("test/%s %s belongs to %v, want one part", pkg, m[1], in)
			}
		}
	}
	for _, s := range shares() {
		if count[s.part] == 0 {
			t.Errorf("part %s has no test", s.part)
		}
		if _, ok := long()[s.part]; !ok {
			t.Errorf("make test-long does not know %s", s.part)
		}
	}
}
