package pcmk

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// TestStory tells the story of `pacesync demo` with each half from us and from
// Debian: a cluster of three nodes keeps a web server alive while the server is
// killed, its node is lost, fenced, and returns. The demo judges: never active
// twice, no start before the power was seen off, nothing moves on the return.
func TestStory(t *testing.T) {
	labtest.Pacemaker(t)
	for _, pair := range []struct{ corosync, pacemaker string }{
		{"ours", "ours"}, {"debian", "ours"}, {"ours", "debian"}, {"debian", "debian"},
	} {
		if pair.corosync+pair.pacemaker != "debianours" && os.Getenv("E2E_LONG") == "" {
			continue // a minute each; make test has the others in its demo step and in TestPacemaker
		}
		t.Run(pair.corosync+"-"+pair.pacemaker, func(t *testing.T) {
			ctx := labtest.Context(t, 5*time.Minute)
			cmd := exec.CommandContext(ctx, filepath.Join(labtest.Bin(t), "pacesync"), "demo",
				"-corosync", pair.corosync, "-pacemaker", pair.pacemaker)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Run(); err != nil || !strings.Contains(out.String(), "All as it should be") {
				t.Errorf("%v\n%s", err, out.String())
			}
		})
	}
}
