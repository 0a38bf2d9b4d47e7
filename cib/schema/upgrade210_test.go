package schema

import (
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// said is what the remarks say, without labels.
func said(remarks []Remark) string {
	var all []string
	for _, r := range remarks {
		all = append(all, r.Text)
	}
	return strings.Join(all, "; ")
}

// TestUpgradeTo30 has one row for each kind of change; test/schema compares many
// CIBs with the stylesheets.
func TestUpgradeTo30(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"version", `<cib validate-with="pacemaker-2.10" epoch="4"><!--c--><status/></cib>`, `<cib validate-with="pacemaker-3.0" epoch="4"><!--c--><status/></cib>`},
		{"node type", `<nodes><node id="1" type="normal" uname="a"/><node id="2" type="ping"/></nodes>`, `<nodes><node id="1" type="member" uname="a"/><node id="2" type="ping"/></nodes>`},
		{"colocation", `<rsc_colocation id="c" score-attribute="x" rsc="a" score-attribute-mangle="y"/>`, `<rsc_colocation id="c" rsc="a"/>`},
		{"renamed property, comment", `<cluster_property_set id="s"><!--a--><nvpair id="1" name="stonith_enabled" value="0"/><!--b--></cluster_property_set>`,
			`<cluster_property_set id="s"><!--a--><nvpair id="1" name="stonith-enabled" value="0"/></cluster_property_set>`},
		{"set without pairs", `<crm_config><cluster_property_set id="s"><nvpair id="1" name="expected-quorum-votes" value="2"/></cluster_property_set></crm_config>`, `<crm_config/>`},
		{"defaults made", `<configuration><crm_config><cluster_property_set id="s"><nvpair id="1" name="default_action_timeout" value="5"/>` +
			`<nvpair id="2" name="default-resource-failure-stickiness" value="-INFINITY"/></cluster_property_set></crm_config></configuration>`,
			`<configuration><crm_config/><op_defaults><meta_attributes id="_2TO3_-op-defaults"><nvpair id="1" name="timeout" value="5"/></meta_attributes></op_defaults>` +
				`<rsc_defaults><meta_attributes id="_2TO3_-rsc-defaults"><nvpair id="2" name="migration-threshold" value="1"/></meta_attributes></rsc_defaults></configuration>`},
		{"defaults joined", `<configuration><crm_config><cluster_property_set id="s"><nvpair id="1" name="default-action-timeout" value="5"/>` +
			`<nvpair id="2" name="is_managed_default" value="0"/></cluster_property_set></crm_config>` +
			`<op_defaults><meta_attributes id="o"><nvpair id="3" name="timeout" value="7"/></meta_attributes></op_defaults><rsc_defaults><meta_attributes id="r"/></rsc_defaults></configuration>`,
			`<configuration><crm_config/><op_defaults><meta_attributes id="o"><nvpair id="3" name="timeout" value="7"/></meta_attributes></op_defaults>` +
				`<rsc_defaults><meta_attributes id="r"><nvpair id="2" name="is-managed" value="0"/></meta_attributes></rsc_defaults></configuration>`},
		{"argument map", `<primitive id="p"><instance_attributes id="i"><!--c--><nvpair id="1" name="pcmk_arg_map" value="port:plug"/><nvpair id="2" name="pcmk_arg_map" value="port:a,b:c"/></instance_attributes></primitive>`,
			`<primitive id="p"><instance_attributes id="i"><!--c--><!--c--><nvpair id="1" name="pcmk_host_argument" value="plug"/></instance_attributes></primitive>`},
		{"isolation vanishes behind another", `<primitive id="p"><meta_attributes id="m"><nvpair id="1" name="a" value="b"/><nvpair id="2" name="isolation" value="x"/></meta_attributes></primitive>`,
			`<primitive id="p"><meta_attributes id="m"><nvpair id="1" name="a" value="b"/></meta_attributes></primitive>`},
		{"requires of the last operation", `<primitive id="p"><operations><op id="s" name="start" requires="quorum"/><op id="t" name="promote" requires="nothing"/><op id="u" name="stop" requires="x"/></operations></primitive>`,
			`<primitive id="p"><operations><op id="s" name="start"/><op id="t" name="promote"/><op id="u" name="stop"/></operations>` +
				`<meta_attributes id="_2TO3_p-meta"><nvpair id="_2TO3_t-meta-requires" name="requires" value="nothing"/></meta_attributes></primitive>`},
		{"operation", `<primitive id="p"><operations><op id="s" name="start"><instance_attributes id="i" score="1"><rule id="r"/><nvpair id="1" name="timeout" value="5"/><nvpair id="2" name="x" value="y"/></instance_attributes></op></operations></primitive>`,
			`<primitive id="p"><operations><op id="s" name="start"><instance_attributes id="i" score="1"><rule id="r"/><nvpair id="2" name="x" value="y"/></instance_attributes>` +
				`<meta_attributes score="1" id="_2TO3_i"><rule id="r"/><nvpair id="1" name="timeout" value="5"/></meta_attributes></op></operations></primitive>`},
		{"reference comes back", `<resources><primitive id="p"><meta_attributes id="m"><nvpair id="1" name="a" value="b"/></meta_attributes></primitive><primitive id="q"><meta_attributes id-ref="m"/></primitive></resources>`,
			`<resources><primitive id="p"><meta_attributes id="m"><nvpair id="1" name="a" value="b"/></meta_attributes></primitive><primitive id="q"><meta_attributes id-ref="m"/></primitive></resources>`},
		{"reference whose target went another way", `<resources><group id="g"><meta_attributes id="m"><nvpair id="1" name="isolation" value="b"/></meta_attributes></group><primitive id="q"><meta_attributes id-ref="m"/></primitive></resources>`,
			`<resources><group id="g"><meta_attributes id="m"><nvpair id="1" name="isolation" value="b"/></meta_attributes></group><primitive id="q"><meta_attributes id="_cibtr-2_m"><nvpair id="__cibtr-2_m__1" name="target-role" value="Stopped"/></meta_attributes></primitive></resources>`},
	} {
		root, err := xmltree.ParseString(c.in, xmltree.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := UpgradeTo30(root)
		if got.String() != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.name, got, c.want)
		}
		if root.String() != c.in {
			t.Errorf("%s: the input became %s", c.name, root)
		}
	}
}

func TestReferencesThatCannotBeFollowed(t *testing.T) {
	for _, in := range []string{
		`<primitive id="q"><meta_attributes id-ref="m"/></primitive>`,
		`<c><meta_attributes id="m"/><meta_attributes id="m"/><meta_attributes id-ref="m"/></c>`,
		`<c><meta_attributes id="m"><meta_attributes id-ref="m"/></meta_attributes></c>`,
		`<c><meta_attributes id="a"><meta_attributes id-ref="b"/><meta_attributes id-ref="b"/></meta_attributes><meta_attributes id="b"><meta_attributes id-ref="a"/><meta_attributes id-ref="a"/></meta_attributes></c>`,
	} {
		root, _ := xmltree.ParseString(in, xmltree.Limits{})
		if _, err := unfold(root); err == nil {
			t.Errorf("%s: no error", in)
		}
		if _, remarks := UpgradeTo30(root); len(remarks) == 0 || remarks[0].Severity != Warning {
			t.Errorf("%s: %v", in, remarks)
		}
	}
}
