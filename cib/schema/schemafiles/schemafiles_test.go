package schemafiles

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLoad(t *testing.T) {
	empty, some := t.TempDir(), t.TempDir()
	for _, name := range []string{"pacemaker-3.0.rng", "pacemaker-3.1.rng"} {
		if err := os.WriteFile(filepath.Join(some, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for dir, want := range map[string]string{some: "pacemaker-3.1", empty: "pacemaker-3.9", filepath.Join(empty, "not", "there"): "pacemaker-3.9"} {
		set, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := set.Versions()[set.Latest()].Name; got != want {
			t.Errorf("%s: the latest is %s, want %s", dir, got, want)
		}
	}
	if _, err := Load(filepath.Join(some, "pacemaker-3.0.rng")); err == nil {
		t.Error("a file taken for a folder")
	}
}
