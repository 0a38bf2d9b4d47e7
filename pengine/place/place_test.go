package place_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/cibstory"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/pengine"
	"github.com/pacesync/pacesync/pengine/model"
)

// places says for each primitive where it will be and in which role.
func places(rs []*model.Resource) (out []string) {
	for _, r := range rs {
		if len(r.Children) > 0 {
			out = append(out, places(r.Children)...)
			continue
		}
		s := r.ID + " nowhere"
		if r.Assigned != nil {
			s = r.ID + " " + r.Assigned.Name
			if r.NextRole > model.Started {
				s += " " + r.NextRole.String()
			}
		}
		out = append(out, s)
	}
	return out
}

func primitive(id, inside string) string {
	return `<primitive id="` + id + `" class="ocf" provider="pacemaker" type="Dummy">` + inside + `</primitive>`
}

func cpu(n string) string { return `<utilization><nvpair name="cpu" value="` + n + `"/></utilization>` }

const three = `<node id="n1" uname="n1"/><node id="n2" uname="n2"/><node id="n3" uname="n3"/>`

// TestPlaces: where things go, by each of the things that decide it. The scores behind
// it are compared with the original's elsewhere (TestConformance, test/pengine).
func TestPlaces(t *testing.T) {
	a, b, c := primitive("a", ""), primitive("b", ""), primitive("c", "")
	stateful := `<clone id="m"><meta_attributes><nvpair name="promotable" value="true"/></meta_attributes><primitive id="s" class="ocf" provider="pacemaker" type="Stateful"/></clone>`
	for _, k := range []struct {
		name, snippet string
		want          []string
	}{
		{"one after the other", a + b + c, []string{"a n1", "b n2", "c n1"}},
		{"preference", a + `<rsc_location id="l" rsc="a" node="n2" score="1"/>`, []string{"a n2"}},
		{"ban", a + `<rsc_location id="l" rsc="a" node="n1" score="-INFINITY"/>`, []string{"a n2"}},
		{"banned everywhere", a + `<rsc_location id="l" rsc="a" node="n1" score="-INFINITY"/><rsc_location id="k" rsc="a" node="n2" score="-INFINITY"/>`, []string{"a nowhere"}},
		{"opt in", `<nvpair name="symmetric-cluster" value="false"/>` + a + b + `<rsc_location id="l" rsc="a" node="n2" score="0"/>`, []string{"a n2", "b nowhere"}},
		{"stays", a + `<did node="n2" rsc="a" op="start"/>`, []string{"a n2"}},
		{"moves without stickiness", a + `<did node="n2" rsc="a" op="start"/><rsc_location id="l" rsc="a" node="n1" score="1"/>`, []string{"a n1"}},
		{"sticks", primitive("a", `<meta_attributes><nvpair name="resource-stickiness" value="2"/></meta_attributes>`) +
			`<did node="n2" rsc="a" op="start"/><rsc_location id="l" rsc="a" node="n1" score="1"/>`, []string{"a n2"}},
		{"priority goes first", primitive("a", cpu("2")) + primitive("b", `<meta_attributes><nvpair name="priority" value="5"/></meta_attributes>`+cpu("2")) +
			`<nvpair name="placement-strategy" value="utilization"/><node id="n1" uname="n1">` + cpu("3") + `</node>`, []string{"b n1", "a nowhere"}},
		{"together", a + b + `<rsc_location id="l" rsc="b" node="n2" score="5"/><rsc_colocation id="k" rsc="a" with-rsc="b" score="INFINITY"/>`, []string{"a n2", "b n2"}},
		{"dependent has a say", a + b + `<rsc_location id="l" rsc="a" node="n2" score="5"/><rsc_colocation id="k" rsc="a" with-rsc="b" score="INFINITY"/>`, []string{"a n2", "b n2"}},
		{"apart", a + b + `<rsc_location id="l" rsc-pattern="." node="n2" score="5"/><rsc_colocation id="k" rsc="a" with-rsc="b" score="-INFINITY"/>`, []string{"a n2", "b n1"}},
		{"without what it must be with", a + b + `<rsc_location id="l" rsc="b" node="n1" score="-INFINITY"/><rsc_location id="m" rsc="b" node="n2" score="-INFINITY"/>` +
			`<rsc_colocation id="k" rsc="a" with-rsc="b" score="INFINITY"/>`, []string{"a nowhere", "b nowhere"}},
		{"group", `<group id="g">` + a + b + `</group><rsc_location id="l" rsc="g" node="n2" score="5"/>`, []string{"a n2", "b n2"}},
		{"group up to the member that cannot", `<group id="g">` + a + b + c + `</group><rsc_location id="l" rsc="b" node="n1" score="-INFINITY"/><rsc_location id="m" rsc="b" node="n2" score="-INFINITY"/>`,
			[]string{"a n1", "b nowhere", "c nowhere"}},
		{"clone", `<clone id="k">` + a + `</clone>`, []string{"a:0 n1", "a:1 n2"}},
		{"clone of one", `<clone id="k"><meta_attributes><nvpair name="clone-max" value="1"/></meta_attributes>` + a + `</clone><rsc_location id="l" rsc="k" node="n2" score="5"/>`, []string{"a:0 n2"}},
		{"promotion score", stateful + `<node id="n1" uname="n1"/><node id="n2" uname="n2"><instance_attributes><nvpair name="master-s" value="10"/></instance_attributes></node>`,
			[]string{"s:0 n2 Promoted", "s:1 n1 Unpromoted"}},
		{"nobody has a promotion score", stateful, []string{"s:0 n1 Unpromoted", "s:1 n2 Unpromoted"}},
		{"stopped by role", primitive("a", `<meta_attributes><nvpair name="target-role" value="Stopped"/></meta_attributes>`) + b, []string{"a nowhere", "b n1"}},
		{"standby", three + `<node_state id="n1" uname="n1" in_ccm="true" crmd="online" join="member" expected="member"><transient_attributes id="n1"><instance_attributes>` +
			`<nvpair name="standby" value="true"/></instance_attributes></transient_attributes></node_state>` + a, []string{"a n2"}},
		{"no quorum: placed, though not started", `<cib have-quorum="0"/>` + a, []string{"a n1"}},
		{"no quorum: ignore", `<cib have-quorum="0"/><nvpair name="no-quorum-policy" value="ignore"/>` + a, []string{"a n1"}},
		{"no quorum: freeze", `<cib have-quorum="0"/><nvpair name="no-quorum-policy" value="freeze"/>` + a + b + `<did node="n2" rsc="b" op="start"/>`, []string{"a n1", "b n2"}},
		{"too many failures", a + failed("n1", "1000000"), []string{"a n2"}},
		{"migration threshold", primitive("a", `<meta_attributes><nvpair name="migration-threshold" value="2"/></meta_attributes>`) + failed("n1", "2"), []string{"a n2"}},
		{"below the threshold", primitive("a", `<meta_attributes><nvpair name="migration-threshold" value="3"/></meta_attributes>`) + failed("n1", "2"), []string{"a n1"}},
		{"red node", `<nvpair name="node-health-strategy" value="migrate-on-red"/><node id="n1" uname="n1"><instance_attributes><nvpair name="#health-disk" value="red"/></instance_attributes></node>` +
			`<node id="n2" uname="n2"/>` + a, []string{"a n2"}},
		{"capacity", `<nvpair name="placement-strategy" value="utilization"/><node id="n1" uname="n1">` + cpu("1") + `</node><node id="n2" uname="n2">` + cpu("2") + `</node>` +
			primitive("a", cpu("2")) + primitive("b", cpu("1")) + primitive("c", cpu("1")), []string{"a n2", "b n1", "c nowhere"}},
		{"minimal", `<nvpair name="placement-strategy" value="minimal"/><node id="n1" uname="n1">` + cpu("9") + `</node><node id="n2" uname="n2">` + cpu("9") + `</node>` +
			primitive("a", cpu("1")) + primitive("b", cpu("1")), []string{"a n1", "b n1"}},
		{"balanced", `<nvpair name="placement-strategy" value="balanced"/><node id="n1" uname="n1">` + cpu("4") + `</node><node id="n2" uname="n2">` + cpu("9") + `</node>` +
			primitive("a", cpu("1")) + primitive("b", cpu("1")), []string{"a n2", "b n2"}},
		{"bundle", `<bundle id="b"><podman image="i" replicas="2"/><network ip-range-start="10.0.0.1"/>` + a + `</bundle>`, []string{"b-podman-0 n1", "b-ip-10.0.0.1 n1", "b-0 n1", "b-podman-1 n2", "b-ip-10.0.0.2 n2", "b-1 n2", "a:0 b-0", "a:1 b-1"}},
	} {
		t.Run(k.name, func(t *testing.T) {
			r, err := pengine.Run(pengine.Input{CIB: cibstory.Make(t, k.snippet), Now: iso8601.Time{Unix: 1700000100}})
			if err != nil {
				t.Fatal(err)
			}
			if got := places(r.Cluster.Resources); !slices.Equal(got, k.want) {
				t.Errorf("got %s, want %s", strings.Join(got, ", "), strings.Join(k.want, ", "))
			}
		})
	}
}

// failed is a node on which a has failed so often.
func failed(node, times string) string {
	return `<node_state id="` + node + `" uname="` + node + `" in_ccm="true" crmd="online" join="member" expected="member"><transient_attributes id="` + node + `"><instance_attributes>` +
		`<nvpair name="fail-count-a#monitor_10000" value="` + times + `"/><nvpair name="last-failure-a#monitor_10000" value="1700000000"/></instance_attributes></transient_attributes></node_state>`
}
