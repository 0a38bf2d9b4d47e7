package procfs

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMeasures(t *testing.T) {
	for _, c := range []struct {
		name, meminfo, loadavg string
		used                   int32
		load                   float64
		fails                  bool
	}{
		{"plain", "MemTotal:  1000 kB\nMemFree: 300 kB\nCached: 100 kB\nSwapTotal: 1000 kB\nSwapFree: 900 kB\n", "1.00 2.00 3.25 1/2 3\n", 35, 3.25, false},
		{"no swap", "MemTotal: 3 kB\nMemFree: 1 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n", "0 0 0 1/1 1", 66, 0, false},
		{"empty", "", "", 0, 0, true},
		{"nonsense", "MemTotal: many kB\n", "a b c", 0, 0, true},
		{"more free than there is", "MemTotal: 1 kB\nMemFree: 2 kB\n", "1", 0, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{"meminfo": c.meminfo, "loadavg": c.loadavg} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			used, err := Source{dir}.MemoryUsed()
			if (err != nil) != c.fails || used != c.used {
				t.Errorf("memory %d, %v; want %d, failure %v", used, err, c.used, c.fails)
			}
			load, err := Source{dir}.Load()
			if (err != nil) != c.fails || load != c.load {
				t.Errorf("load %v, %v; want %v, failure %v", load, err, c.load, c.fails)
			}
		})
	}
}

// TestMachine: this machine's /proc is understood.
func TestMachine(t *testing.T) {
	s := Source{"/proc"}
	if used, err := s.MemoryUsed(); err != nil || used < 0 || used > 100 {
		t.Errorf("memory %d, %v", used, err)
	}
	if load, err := s.Load(); err != nil || load < 0 {
		t.Errorf("load %v, %v", load, err)
	}
}
