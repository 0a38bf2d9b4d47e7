package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/config/configtest"
)

// TestKeysAsInTheOriginal compares all keys, types and values that a file leads
// to with what corosync-cmapctl shows of 3.1.7 on host n1 (10.87.0.1), without
// the keys of the services. testdata/cmap has the files and the listings.
func TestKeysAsInTheOriginal(t *testing.T) {
	files, _ := filepath.Glob("testdata/cmap/*.conf")
	if len(files) < 4 {
		t.Errorf("%d files", len(files))
	}
	for _, file := range files {
		conf, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(strings.TrimSuffix(file, ".conf") + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		_, m, err := load(t, &configtest.Env{Host: "n1", Local: []string{"127.0.0.1", "10.87.0.1", "10.87.1.1"}}, string(conf))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		lines := map[string]bool{}
		for key, v := range m.All("") {
			lines[fmt.Sprintf("%s (%s) = %s", key, v.Type, v)] = true
		}
		for _, line := range strings.Split(strings.TrimSpace(string(want)), "\n") {
			if !lines[line] {
				t.Errorf("%s: the original has  %s", file, line)
			}
			delete(lines, line)
		}
		for line := range lines {
			t.Errorf("%s: the original lacks  %s", file, line)
		}
	}
}
