package compress

import (
	"fmt"
	"testing"

	"github.com/pacesync/pacesync/internal/testbench"
)

// BenchmarkModels packs and unpacks messages of the kind that Pacemaker sends.
// cpu-MB/s counts processor time: on a machine with other work the clock says little.
func BenchmarkModels(b *testing.B) {
	in := inputs()
	for _, kind := range []string{"text", "far"} {
		for _, size := range []int{1400, 60000} {
			src := in[kind][:size]
			for m := Zlib; m < models; m++ {
				name := fmt.Sprintf("%s/%s%d", m, kind, size)
				c := New()
				level := 0
				if m == Bzip2 {
					level = 1
				}
				if _, err := c.Set(m.String(), level); err != nil {
					b.Fatal(err)
				}
				packed, err := c.Compress(nil, src)
				if err != nil {
					b.Fatal(err)
				}
				out := make([]byte, 0, limit+1)
				b.Run("pack/"+name, func(b *testing.B) {
					testbench.CPURate(b, size, func() { out, _ = c.Compress(out[:0], src) })
					b.ReportMetric(float64(len(packed))/float64(size), "ratio")
				})
				b.Run("unpack/"+name, func(b *testing.B) {
					testbench.CPURate(b, size, func() { out, _ = c.Decompress(out[:0], uint8(m), packed, limit) })
				})
			}
		}
	}
}
