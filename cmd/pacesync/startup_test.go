package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"
)

// startupLimit bounds what package initialisation may cost: every call of every
// tool pays it, and resource agents call tools by the hundred.
const startupLimit = 2 * time.Millisecond

// pkgCost is one line of GODEBUG=inittrace=1.
type pkgCost struct {
	name   string
	clock  time.Duration
	allocs int
}

// initTrace reads lines such as
// "init strconv @0.31 ms, 0.01 ms clock, 120 bytes, 2 allocs".
func initTrace(t *testing.T, trace []byte) (costs []pkgCost, total time.Duration) {
	t.Helper()
	for line := range strings.Lines(string(trace)) {
		var c pkgCost
		var at, ms float64
		var size int
		if !strings.HasPrefix(line, "init ") {
			continue
		}
		if _, err := fmt.Sscanf(line, "init %s @%f ms, %f ms clock, %d bytes, %d allocs", &c.name, &at, &ms, &size, &c.allocs); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		c.clock = time.Duration(ms * float64(time.Millisecond))
		costs, total = append(costs, c), total+c.clock
	}
	if len(costs) == 0 {
		t.Fatalf("no init lines in %q", trace)
	}
	sort.Slice(costs, func(i, j int) bool { return costs[i].clock > costs[j].clock })
	return costs, total
}

// TestStartupCost builds the binary and sums up what its packages' init work
// costs; the best of several runs counts, because others use the processor too.
func TestStartupCost(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary")
	}
	bin := filepath.Join(t.TempDir(), "pacesync")
	build := exec.Command("go", "build", "-o", bin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	var best time.Duration
	var costs []pkgCost
	for i := range 7 {
		var trace bytes.Buffer
		cmd := exec.Command(bin)
		cmd.Env, cmd.Stderr = append(os.Environ(), "GODEBUG=inittrace=1"), &trace
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		if c, total := initTrace(t, trace.Bytes()); i == 0 || total < best {
			costs, best = c, total
		}
	}
	for _, c := range costs[:min(5, len(costs))] {
		t.Logf("%8v %4d allocs  %s", c.clock, c.allocs, c.name)
	}
	t.Logf("total %v in %d packages, limit %v", best, len(costs), startupLimit)
	if best > startupLimit {
		t.Errorf("package initialisation costs %v, limit %v; the dearest packages are listed above", best, startupLimit)
	}
}
