package pcmk

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// oldCIB is one of Pacemaker 1.1 that has something of all that upgrades change.
const oldCIB = `<cib epoch="3" num_updates="0" admin_epoch="0" validate-with="pacemaker-2.5" crm_feature_set="3.0.14">
  <configuration>
    <crm_config>
      <cluster_property_set id="s">
        <!-- renamed, dropped, moved -->
        <nvpair id="s1" name="stonith_enabled" value="false"/>
        <nvpair id="s2" name="expected-quorum-votes" value="2"/>
        <nvpair id="s3" name="default-action-timeout" value="20s"/>
        <nvpair id="s4" name="cluster-infrastructure" value="cman"/>
      </cluster_property_set>
    </crm_config>
    <nodes><node id="1" uname="n1" type="normal"/></nodes>
    <resources>
      <primitive id="p" class="ocf" provider="heartbeat" type="Dummy">
        <meta_attributes id="m"><nvpair id="m1" name="isolation" value="x"/></meta_attributes>
        <operations><op id="o" name="start" interval="0" requires="quorum">
          <instance_attributes id="oi"><nvpair id="oi1" name="timeout" value="5s"/></instance_attributes>
        </op></operations>
      </primitive>
      <primitive id="q" class="ocf" provider="heartbeat" type="Dummy"><meta_attributes id-ref="m"/></primitive>
    </resources>
    <constraints><rsc_colocation id="c" rsc="p" with-rsc="q" score-attribute="x"/></constraints>
  </configuration>
  <status/>
</cib>
`

// current is the same for pacemaker-3.9.
func current() string {
	return strings.NewReplacer("pacemaker-2.5", "pacemaker-3.9", "stonith_enabled", "stonith-enabled", "expected-quorum-votes", "batch-limit",
		"default-action-timeout", "cluster-delay", `"cman"`, `"corosync"`, `"normal"`, `"member"`, "isolation", "priority", ` requires="quorum"`, "",
		`score-attribute="x"`, `score="5"`).Replace(oldCIB)
}

// TestOldAndBadCIBs compares what tools say of CIBs that need an upgrade, cannot have
// one, or do not conform to their schema. What the schema has against a CIB is told
// in other words than the original's and left out on both sides, as is the log of
// the original's library about it (-V).
func TestOldAndBadCIBs(t *testing.T) {
	labtest.Need(t, "/usr/sbin/crm_verify", "/usr/sbin/crm_simulate", "/usr/sbin/crm_mon", "/usr/sbin/crm_resource", "/usr/sbin/cibadmin")
	with := func(cib, old, new string) string { return strings.Replace(cib, old, new, 1) }
	few := []string{"crm_verify -x cib.xml -V", "crm_simulate -x cib.xml", "cibadmin --upgrade --force"}
	all := []string{"crm_verify -x cib.xml", "crm_verify -L -V", "crm_simulate -x cib.xml -S", "crm_simulate -L", "crm_mon -1 --output-as=xml", "crm_resource -L",
		"crm_resource -q -r p", "cibadmin -Q", "cibadmin --upgrade --force -V", "cibadmin --upgrade --force -VV", "cibadmin --upgrade"}
	for _, c := range []struct {
		name, cib string
		long      bool
	}{
		{"old", oldCIB, false},
		{"1.2", with(oldCIB, "pacemaker-2.5", "pacemaker-1.2"), true},
		{"2.10", with(oldCIB, "pacemaker-2.5", "pacemaker-2.10"), true},
		{"old and invalid", with(oldCIB, "<status/>", "<status/><bogus/>"), false},
		{"old in a new schema", with(oldCIB, "pacemaker-2.5", "pacemaker-3.0"), true},
		{"invalid", with(current(), `rsc="p"`, `rsc="nobody"`), false},
		{"unknown schema", with(current(), "pacemaker-3.9", "pacemaker-9.9"), false},
		{"empty schema", with(current(), "pacemaker-3.9", ""), true},
		{"schema in capitals", with(current(), "pacemaker-3.9", "PACEMAKER-3.9"), true},
		{"no validation", with(current(), "pacemaker-3.9", "none"), false},
		{"no validation, invalid", with(with(current(), "pacemaker-3.9", "none"), "<status/>", "<status/><bogus/>"), true},
		{"no schema named", with(current(), ` validate-with="pacemaker-3.9"`, ""), true},
		{"next", with(current(), "pacemaker-3.9", "pacemaker-next"), true},
		{"no versions", with(current(), ` epoch="3"`, ""), true},
		{"good", current(), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines := few
			if c.long {
				labtest.Long(t, "the other CIBs")
			}
			if os.Getenv("E2E_LONG") != "" {
				lines = append(all, few...)
			}
			for _, line := range lines {
				sameButFaults(t, c.cib, strings.Fields(line))
			}
		})
	}
}

// sameButFaults compares one call of a tool.
func sameButFaults(t *testing.T, cib string, line []string) {
	t.Helper()
	tool, args := line[0], line[1:]
	want := faultless(runTool(t, "/usr/sbin/"+tool, tool, cib, args))
	got := faultless(runTool(t, filepath.Join(labtest.Bin(t), tool), tool, cib, args))
	if got != want {
		t.Errorf("%s:\n got %d %q %q\nwant %d %q %q", strings.Join(line, " "), got.status, got.stdout, got.stderr, want.status, want.stdout, want.stderr)
		if got.cib != want.cib {
			t.Errorf("the CIB is\n%s\nwant\n%s", got.cib, want.cib)
		}
	}
}

func faultless(r ran) ran {
	var b strings.Builder
	faults := regexp.MustCompile(`Relax-NG validity error|: validity error : |line [0-9]+: <|^element |^\((xml_log|load_file_cib|do_init)\)|^\(main\) \terror: Init failed`)
	for line := range strings.Lines(r.stderr) {
		if !faults.MatchString(line) {
			b.WriteString(line)
		}
	}
	r.stderr = b.String()
	r.stdout = regexp.MustCompile(`(Last updated: |last_update time=").*`).ReplaceAllString(r.stdout, "$1")
	return r
}
