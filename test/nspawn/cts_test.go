package nspawn

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testneed"
)

// installSuite puts the suite into the machine as its own build would.
func (m *machine) installSuite() {
	m.t.Helper()
	dir := testneed.Suites(m.t)
	paths := strings.NewReplacer("@PYTHON@", "/usr/bin/python3", "@abs_top_builddir@", "/nonexistent", "@sbindir@", "/usr/sbin", "@PC_NAME_GNUTLS@", "",
		"@CRM_DAEMON_DIR@", "/usr/lib/pacemaker", "@localstatedir@", "/var", "@OCF_RA_INSTALL_DIR@", "/usr/lib/ocf/resource.d", "@OCF_ROOT_DIR@", "/usr/lib/ocf",
		"@CRM_RSCTMP_DIR@", "/run/resource-agents", "@BASH_PATH@", "/bin/bash", "@datadir@", "/usr/share", "@PACKAGE@", "pacemaker", "@INITDIR@", "/etc/init.d",
		"@libexecdir@", "/usr/libexec", "@runstatedir@", "/run", "@systemdsystemunitdir@", "/lib/systemd/system", "@PCMK__FENCE_BINDIR@", "/usr/sbin")
	for _, f := range []string{"cts-exec.in", "support/cts-support.in", "support/LSBDummy.in", "support/fence_dummy.in", "support/pacemaker-cts-dummyd.in",
		"support/pacemaker-cts-dummyd@.service.in", "support/cts.conf"} {
		text, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil {
			m.t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(f), ".in")
		m.put("/usr/share/pacemaker/tests/cts/"+name, []byte(paths.Replace(string(text))), 0o755)
	}
	// The unit of the dummy daemon and its installer disagree about Debian's directory.
	m.chroot("cd /usr/share/pacemaker/tests/cts; sed -i s@/usr/lib/pacemaker/pacemaker-cts-dummyd@/usr/libexec/pacemaker/pacemaker-cts-dummyd@ pacemaker-cts-dummyd@.service; cp cts-support /usr/lib/pacemaker/")
}

// TestExecSuite runs Pacemaker's own regression suite of the executor on ours.
// By default the tests of a few names, one of each class of agents among them;
// with E2E_LONG all of them, with EXEC_SUITE="-p NAME" those chosen.
func TestExecSuite(t *testing.T) {
	m := newMachine(t)
	m.install("nginx-light")
	m.installSuite()
	m.chroot("systemctl disable nginx corosync pacemaker")
	m.start()
	suite := "cd /usr/share/pacemaker/tests/cts && PATH=/usr/lib/pacemaker:$PATH ./cts-exec -t 10 "
	patterns := []string{"-p start_stop", "-p timeout", "-p metadata", "-p uninstalled"}
	limit := 12 * time.Minute
	if os.Getenv("E2E_LONG") != "" {
		patterns, limit = []string{""}, 40*time.Minute
	}
	if chosen := os.Getenv("EXEC_SUITE"); chosen != "" {
		patterns = []string{chosen}
	}
	ctx := labtest.Context(t, limit)
	for _, p := range patterns {
		o := m.run(ctx, suite+p)
		if o.code != 0 || !strings.Contains(o.out, "Fail:0") || strings.Contains(o.out, "Pass:0") {
			t.Errorf("cts-exec %s: exit status %d\n%s", p, o.code, o.out)
		}
	}
}
