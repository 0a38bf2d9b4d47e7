// Package testbench is what benchmarks of several packages share. Only tests import it.
package testbench

import (
	"syscall"
	"testing"
)

// CPURate runs a benchmark and reports bytes for each microsecond of processor time:
// on a machine with other work the clock says little, and `openssl speed` counts in
// the same way.
func CPURate(b *testing.B, bytes int, run func()) {
	b.Helper()
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	b.ReportAllocs()
	start := used()
	for b.Loop() {
		run()
	}
	b.ReportMetric(float64(bytes)*float64(b.N)*1e3/float64(max(used()-start, 1)), "cpu-MB/s")
}
