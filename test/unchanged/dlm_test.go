package unchanged

import (
	"testing"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// TestDLM: what dlm_controld asks of corosync, by a program that asks it in the
// same order; then dlm_controld itself, which ends where this kernel lacks a DLM.
func TestDLM(t *testing.T) {
	dir := built(t)
	labtest.Long(t, "TestLibraries")
	labtest.Need(t, "/usr/sbin/dlm_controld")
	both(t, func(t *testing.T, daemon lab.Impl) map[string]said {
		r := newRing(t, daemon, 2, lab.Conf{Totem: []string{"cluster_name: locked"}}, "")
		told := map[string]said{"dlm_controld": r.shell("n1", "timeout 20 dlm_controld --foreground 2>&1 | sed 's/^[0-9]* //'")}
		told["its calls"] = r.run("n1", dir+"/calls_dlm", "2")
		return told
	})
}
