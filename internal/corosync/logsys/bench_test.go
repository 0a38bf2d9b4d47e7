package logsys

import (
	"io"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// BenchmarkLine is the caller's cost of a line: off, and on its way to the writer.
func BenchmarkLine(b *testing.B) {
	c, err := config.ReadLogging(cmap.NewMap())
	if err != nil {
		b.Fatal(err)
	}
	c.Main.Syslog = false
	s := New(Options{Stderr: io.Discard})
	defer s.Close()
	if err := s.Apply(c); err != nil {
		b.Fatal(err)
	}
	l := s.Subsys("TOTEM")
	b.Run("off", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.Log(service.LevelDebug, "text")
		}
	})
	b.Run("on", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.Log(service.LevelNotice, "text")
		}
		b.ReportMetric(float64(s.Lost())/float64(b.N), "lost/op")
	})
}
