package rules

import (
	"testing"

	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/xmltree"
)

func none(string, string) *xmltree.Node { return nil }

func TestRules(t *testing.T) {
	now, _ := iso8601.Parse("2005-01-20 12:30:00Z", iso8601.Time{})
	env := Env{Attrs: map[string]string{"a": "10", "#uname": "n1"}, Now: now, Op: &Op{"monitor", 10000},
		Agent: &Agent{"ocf", "pacemaker", "Dummy"}}
	for doc, want := range map[string]bool{
		`<rule/>`: true,
		`<rule><expression attribute="a" operation="gt" value="9"/></rule>`:                                                                           true,
		`<rule><expression attribute="a" operation="gt" value="9" type="string"/></rule>`:                                                             false,
		`<rule><expression attribute="b" operation="not_defined"/></rule>`:                                                                            true,
		`<rule boolean-op="or"><expression attribute="b" operation="eq" value="1"/><expression attribute="#uname" operation="eq" value="N1"/></rule>`: true,
		`<rule><date_expression operation="in_range" start="2005-001" end="2006-001"/></rule>`:                                                        true,
		`<rule><date_expression operation="in_range" start="2005-019"><duration hours="1"/></date_expression></rule>`:                                 false,
		`<rule><date_expression operation="date_spec"><date_spec hours="9-16" weekdays="1-5"/></date_expression></rule>`:                              true,
		`<rule><date_expression operation="date_spec"><date_spec hours="13-"/></date_expression></rule>`:                                              false,
		`<rule><op_expression name="monitor" interval="10s"/></rule>`:                                                                                 true,
		`<rule><rsc_expression class="ocf" provider="heartbeat" type="Dummy"/></rule>`:                                                                false,
	} {
		n, err := xmltree.ParseString(doc, xmltree.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := ParseRule(n, none).Pass(&env); got != want {
			t.Errorf("%s: %v", doc, got)
		}
	}
}

func TestSetsOfEqualScoreLaterWins(t *testing.T) {
	n, err := xmltree.ParseString(`<r><m id="1"><nvpair name="x" value="1"/></m><m id="2"><nvpair name="x" value="2"/></m>
<m id="3" score="-1"><nvpair name="x" value="3"/><nvpair name="y" value="3"/></m></r>`, xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	Apply(ParseSets(n, "m", "", none), &Env{}, got, false)
	if got["x"] != "2" || got["y"] != "3" {
		t.Error(got)
	}
}

func TestCompareVersions(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"3.0.13", "3.0.14", -1}, {"3.1", "3.0.14", 1}, {"3", "3.0.0", 0}, {"", "1", -1}} {
		if got := CompareVersions(c.a, c.b); got != c.want {
			t.Errorf("%v: %d", c, got)
		}
	}
}

func TestNextChange(t *testing.T) {
	n, _ := xmltree.ParseString(`<rule><date_expression operation="lt" end="2005-021"/></rule>`, xmltree.Limits{})
	now, _ := iso8601.Parse("2005-020", iso8601.Time{})
	var next Change
	if !ParseRule(n, none).Pass(&Env{Now: now, Next: &next}) || next.At.String() != "2005-01-21 00:00:00Z" {
		t.Error(next)
	}
}
