package simulate

import (
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/xmltree"
)

func TestSplitSpec(t *testing.T) {
	for _, c := range []struct {
		spec, key, node string
		rc, fields      int
	}{
		{"", "", "", 0, -1},
		{"@n=1", "", "", 0, 0},
		{"a_start_0", "a_start_0", "", 0, 1},
		{"a_start_0@", "a_start_0", "", 0, 1},
		{"a_start_0@n", "a_start_0", "n", 0, 2},
		{"a_start_0@n=x", "a_start_0", "n", 0, 2},
		{"a_start_0@n=7y", "a_start_0", "n", 7, 3},
	} {
		key, node, rc, fields := splitSpec(c.spec)
		if key != c.key || node != c.node || rc != c.rc || fields != c.fields {
			t.Errorf("%q: %q %q %d, %d fields", c.spec, key, node, rc, fields)
		}
	}
}

const small = `<cib validate-with="pacemaker-3.9" epoch="1" num_updates="0" have-quorum="1">
<configuration><crm_config/><nodes><node id="1" uname="n1"/></nodes>
<resources><primitive id="a" class="ocf" provider="p" type="Dummy"/></resources><constraints/></configuration>
<status><node_state id="1" uname="n1" in_ccm="true" crmd="online" join="member" expected="member">
<lrm id="1"><lrm_resource id="a" class="ocf" provider="p" type="Dummy"><lrm_rsc_op id="a_last_0" call-id="8"/></lrm_resource></lrm></node_state></status></cib>`

func simulated(t *testing.T, o Options) (*xmltree.Node, string, Outcome) {
	t.Helper()
	cib, err := xmltree.ParseString(small, xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	o.Out = pcmkout.New(pcmkout.Text, pcmkout.Options{Fancy: true}, &said, &said)
	o.CIB, o.Clock = cib, iso8601.Time{Unix: 1700000000}
	done, err := Run(o)
	if err != nil {
		t.Fatal(err)
	}
	o.Out.Finish(0)
	return cib, said.String(), done
}

// TestInjectedFailures: the fail count grows with each, and the history that is
// already there goes on, wherever in the state of the node it is.
func TestInjectedFailures(t *testing.T) {
	cib, _, done := simulated(t, Options{Inject: Injections{Ops: []string{"a_monitor_10000@n1=1", "a_monitor_10000@n1=1"}}})
	want := []string{`id="1-fail-count-a.monitor_10000" name="fail-count-a#monitor_10000" value="2"`,
		`id="1-last-failure-a.monitor_10000" name="last-failure-a#monitor_10000" value="1700000000"`,
		`call-id="10" rc-code="1"`, `num_updates="2"`, `epoch="1"`}
	got := cib.String()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("no %s in %s", w, got)
		}
	}
	if n := strings.Count(got, "<lrm_resource "); n != 1 || !done.Changed {
		t.Errorf("%d histories, changed %v: %s", n, done.Changed, got)
	}
}

// TestOption: a new option goes to the set that the original uses, and is a new epoch.
func TestOption(t *testing.T) {
	cib, said, _ := simulated(t, Options{Inject: Injections{Watchdog: "true", Quorum: "0"}})
	want := `<cluster_property_set id="cib-bootstrap-options"><nvpair id="cib-bootstrap-options-have-watchdog" name="have-watchdog" value="true"/>`
	if got := cib.String(); !strings.Contains(got, want) || !strings.Contains(got, `epoch="2"`) || !strings.Contains(got, `have-quorum="0"`) {
		t.Error(got)
	}
	if !strings.Contains(said, "Performing Requested Modifications:\n  * Setting quorum: 0\n  * Setting watchdog: true\n") {
		t.Error(said)
	}
}

// TestBadSpecs are told and change nothing.
func TestBadSpecs(t *testing.T) {
	_, said, done := simulated(t, Options{Inject: Injections{Ops: []string{"a_monitor_0@n1", "b_monitor_0@n1=1"}}})
	for _, w := range []string{"Invalid operation spec: a_monitor_0@n1.  Only found 2 fields", "Invalid resource name: b"} {
		if !strings.Contains(said, w) {
			t.Errorf("no %q in %s", w, said)
		}
	}
	if done.Changed {
		t.Error("changed")
	}
}
