package pengine_test

import (
	"fmt"
	"testing"

	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/pengine"
	"github.com/pacesync/pacesync/pengine/cibgen"
	"github.com/pacesync/pacesync/pengine/simulate"
)

// BenchmarkMixed is one decision on a fresh cluster; time for four times as many
// resources is at most five times as long.
func BenchmarkMixed(b *testing.B) {
	for _, n := range []int{200, 800} {
		cib := cibgen.Mixed(16, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := pengine.Run(pengine.Input{CIB: cib, Now: iso8601.Time{Unix: 1700000000}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkClones is one decision on clones in a chain.
func BenchmarkClones(b *testing.B) {
	cib := cibgen.Clones(16, 200)
	for b.Loop() {
		if _, err := pengine.Run(pengine.Input{CIB: cib, Now: iso8601.Time{Unix: 1700000000}}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTransition is one decision with all that it leads to.
func BenchmarkTransition(b *testing.B) {
	for b.Loop() {
		if _, err := simulate.Run(simulate.Options{CIB: cibgen.Mixed(16, 200), Clock: iso8601.Time{Unix: 1700000000}, Process: true, Execute: true}); err != nil {
			b.Fatal(err)
		}
	}
}
