package crmsimulate_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/tools/crmsimulate"
	"github.com/pacesync/pacesync/pengine/cibgen"
)

// BenchmarkRun is the whole tool on a fresh cluster, but for the start of the
// process: reading, holding to the schema, deciding, telling.
func BenchmarkRun(b *testing.B) {
	file := filepath.Join(b.TempDir(), "cib.xml")
	if err := os.WriteFile(file, cibgen.Mixed(16, 200).AppendIndent(nil), 0o600); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if rc := crmsimulate.Run(&applet.Env{Name: "crm_simulate", Argv0: "crm_simulate", Args: []string{"-x", file, "-R"}, Stdout: io.Discard, Stderr: io.Discard}); rc != 0 {
			b.Fatal(rc)
		}
	}
}
