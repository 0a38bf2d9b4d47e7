package cmap

import (
	"fmt"
	"testing"
)

// BenchmarkMap: a map of the usual size with the usual trackers.
func BenchmarkMap(b *testing.B) {
	m := NewMap()
	for i := range 200 {
		_ = m.Set(fmt.Sprintf("totem.key.%d", i), U32(uint32(i)))
	}
	for i := range 20 {
		m.Track(fmt.Sprintf("nodelist.%d", i), Added|Modified|Deleted|Prefix, func(Change) {})
	}
	c := m.Counter("runtime.services.cpg.3.rx")
	b.Run("counter", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.Inc()
		}
	})
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.Get("totem.key.77")
		}
	})
	b.Run("set", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			_ = m.Set("totem.key.77", U32(uint32(i)))
		}
	})
}
