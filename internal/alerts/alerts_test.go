package alerts

import (
	"slices"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/xmltree"
)

const section = `<alerts>
 <alert id="a1" path="/usr/bin/one"/>
 <alert id="a2" path="/usr/bin/two">
  <meta_attributes id="m"><nvpair id="m1" name="timeout" value="5s"/><nvpair id="m2" name="timestamp-format" value="%Y-%m-%d %H:%M:%S.%3N"/></meta_attributes>
  <instance_attributes id="i"><nvpair id="i1" name="who" value="all"/></instance_attributes>
  <select><select_nodes/><select_attributes><attribute id="at" name="ping"/></select_attributes></select>
  <recipient id="r1" value="x"/>
  <recipient id="r2" value="y"><instance_attributes id="j"><nvpair id="j1" name="who" value="y only"/></instance_attributes></recipient>
 </alert>
 <alert id="broken"/>
</alerts>`

func parse(t *testing.T, text string) []Alert {
	t.Helper()
	n, err := xmltree.ParseString(text, xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return Parse(n, iso8601.Time{})
}

func TestParse(t *testing.T) {
	as := parse(t, section)
	if len(as) != 3 {
		t.Fatalf("%d alerts", len(as))
	}
	slices.Reverse(as)
	if a := as[0]; a.ID != "a1" || a.Timeout != DefaultTimeout || a.Format != DefaultFormat || !a.Wants(Node, "") || a.Wants(Attribute, "x") {
		t.Errorf("a1: %+v", a)
	}
	x, y := as[1], as[2]
	if x.Recipient != "x" || x.Timeout != 5*time.Second || x.Env[0].Value != "all" || y.Env[0].Value != "y only" {
		t.Errorf("recipients: %+v %+v", x, y)
	}
	if x.Wants(Fencing, "") || !x.Wants(Node, "") || !x.Wants(Attribute, "ping") || x.Wants(Attribute, "pong") {
		t.Errorf("select: %+v", x)
	}
	if Parse(nil, iso8601.Time{}) != nil {
		t.Error("alerts out of nothing")
	}
}

func TestEnvironment(t *testing.T) {
	a := parse(t, section)[0] // a2 for y
	at := time.Date(2024, 2, 3, 4, 5, 6, 7089000, time.UTC)
	env := map[string]string{}
	for _, v := range a.Environment(Node, []xmltree.Attr{{Name: "node", Value: "n1"}}, at) {
		env[v.Name] = v.Value
	}
	for name, want := range map[string]string{
		"CRM_alert_node": "n1", "CRM_notify_node": "n1", "CRM_alert_kind": "node", "CRM_alert_recipient": "y", "who": "y only",
		"CRM_alert_timestamp": "2024-02-03 04:05:06.007", "CRM_alert_timestamp_epoch": "1706933106", "CRM_alert_timestamp_usec": "007089",
	} {
		if env[name] != want {
			t.Errorf("%s=%q, want %q", name, env[name], want)
		}
	}
}

func TestFormat(t *testing.T) {
	at := time.Date(2024, 2, 3, 16, 5, 6, 123456789, time.UTC)
	for format, want := range map[string]string{
		"%H:%M:%S.%06N": "16:05:06.123456", "%N": "123456", "%3N": "123", "%F %T %j": "2024-02-03 16:05:06 034", "%I %p": "04 PM",
		"100%% %Q %": "100% %Q %", "": "", "%e|%a %b": " 3|Sat Feb", "%5": "%5",
	} {
		if got := Format(format, at); got != want {
			t.Errorf("Format(%q) = %q, want %q", format, got, want)
		}
	}
}

func TestConfigChanged(t *testing.T) {
	for _, c := range []struct {
		change          string
		options, alerts bool
	}{
		{`<change operation="modify" path="/cib/configuration/crm_config/cluster_property_set[@id='x']"/>`, true, false},
		{`<change operation="create" path="/cib/configuration/alerts"><alert/></change>`, true, true},
		{`<change operation="create" path="/cib/configuration"><alerts/></change>`, true, true},
		{`<change operation="create" path="/cib/configuration"><resources/></change>`, false, false},
		{`<change operation="modify" path="/cib/status/node_state"/>`, false, false},
	} {
		n, err := xmltree.ParseString(`<notify><cib_update_result><diff format="2"><version/>`+c.change+`</diff></cib_update_result></notify>`, xmltree.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if a, b := ConfigChanged(n, true), ConfigChanged(n, false); a != c.options || b != c.alerts {
			t.Errorf("%s: %v %v", c.change, a, b)
		}
	}
	if ConfigChanged(xmltree.New("x"), true) {
		t.Error("nothing changed")
	}
}
