package schema

import (
	"errors"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// ladder is a set of schemas in which each version knows one more attribute;
// the second major one renames old to new.
func ladder() *Set {
	grammar := func(attr string) string {
		return head + `<start><element name="cib"><attribute name="validate-with"/><optional><attribute name="` + attr + `"/></optional></element></start></grammar>`
	}
	files := texts{
		"pacemaker-1.9.rng": grammar("old"), "pacemaker-1.10.rng": grammar("old"),
		"pacemaker-2.0.rng": grammar("new"), "pacemaker-2.1.rng": grammar("new"),
	}
	names := []string{"pacemaker-2.1.rng", "pacemaker-1.10.rng", "pacemaker-1.9.rng", "pacemaker-2.0.rng", "pacemaker.rng", "pacemaker-next.rng",
		"pacemaker-300.1.rng", "upgrade-1.10.xsl", "upgrade-1.10-enter.xsl", "upgrade-1.10-leave.xsl", "README"}
	return NewSet(names, files.open)
}

func TestVersions(t *testing.T) {
	s := ladder()
	var list []string
	for _, v := range s.Versions() {
		list = append(list, strings.TrimRight(v.Name+" "+v.Enter+" "+v.Transform+" "+v.Leave, " "))
	}
	want := "pacemaker-1.9|pacemaker-1.10 upgrade-1.10-enter upgrade-1.10 upgrade-1.10-leave|pacemaker-2.0|pacemaker-2.1|pacemaker-next|none"
	if got := strings.Join(list, "|"); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if s.Latest() != 3 || s.Minimum() != 2 {
		t.Errorf("latest %d, minimum %d", s.Latest(), s.Minimum())
	}
	for name, want := range map[string]int{"pacemaker-1.9": 0, "PACEMAKER-2.1": 3, "none": 5, "": 5, "pacemaker-9": -1} {
		if got := s.Find(name); got != want {
			t.Errorf("Find(%q) = %d, want %d", name, got, want)
		}
	}
	if empty := NewSet(nil, texts{}.open); empty.Latest() != -1 || len(empty.Validate(xmltree.New("cib", xmltree.Attr{Name: "validate-with", Value: "x"}))) == 0 {
		t.Error("a set without schemas")
	}
}

func TestMajorVersionWithoutStylesheetIsTheLast(t *testing.T) {
	s := NewSet([]string{"pacemaker-1.0.rng", "pacemaker-2.0.rng"}, texts{}.open)
	if v := s.Versions(); len(v) != 3 || v[0].Next != -1 || s.Latest() != 0 {
		t.Errorf("%v", v)
	}
}

func TestValidateWith(t *testing.T) {
	for _, c := range []struct{ attrs, want, after string }{
		{`validate-with="pacemaker-1.9" old="1"`, "", "pacemaker-1.9"},
		{`validate-with="pacemaker-2.0" old="1"`, `line 1: <cib> attribute old is not allowed here, only new`, "pacemaker-2.0"},
		{`validate-with="none" bogus="1"`, "", "none"},
		{`bogus="1"`, "", "none"},
		{`validate-with="pacemaker-7"`, `line 1: <cib> validate-with="pacemaker-7" is not a known schema, expected pacemaker-1.9 to pacemaker-2.1 or none`, "pacemaker-7"},
		{`validate-with="pacemaker-next"`, `line 1: <cib> schema: cannot read "pacemaker-next.rng": no such file`, "pacemaker-next"},
	} {
		root, _ := xmltree.ParseString("<cib "+c.attrs+"/>", xmltree.Limits{})
		if got := join(ladder().Validate(root)); got != c.want || root.Attr("validate-with") != c.after {
			t.Errorf("%s: got %s, validate-with %s", c.attrs, got, root.Attr("validate-with"))
		}
	}
}

func TestUpgrade(t *testing.T) {
	rename := func(_ Version, root *xmltree.Node) (*xmltree.Node, []Remark, error) {
		up := root.Copy()
		up.Set("new", up.Attr("old"))
		up.Unset("old")
		return up, nil, nil
	}
	fails := func(Version, *xmltree.Node) (*xmltree.Node, []Remark, error) { return nil, nil, errors.New("no") }
	same := func(_ Version, root *xmltree.Node) (*xmltree.Node, []Remark, error) { return root.Copy(), nil, nil }
	for _, c := range []struct {
		name, attrs string
		limit       int
		apply       Transformer
		want        string
		best        int
		outcome     Outcome
	}{
		{"across", `validate-with="pacemaker-1.9" old="1"`, 0, rename, `validate-with="pacemaker-2.1" new="1"`, 3, Upgraded},
		{"no need to transform", `validate-with="pacemaker-1.9"`, 0, fails, `validate-with="pacemaker-2.1"`, 3, Upgraded},
		{"limit", `validate-with="pacemaker-1.9" old="1"`, 1, rename, `validate-with="pacemaker-1.10" old="1"`, 1, Upgraded},
		{"limit above", `validate-with="pacemaker-1.9" old="1"`, 2, rename, `validate-with="pacemaker-2.0" new="1"`, 2, Upgraded},
		{"latest", `validate-with="pacemaker-2.1" old="1"`, 0, rename, `validate-with="pacemaker-2.1" old="1"`, 3, Upgraded},
		{"none", `validate-with="none" old="1"`, 0, rename, `validate-with="none" old="1"`, 5, Upgraded},
		{"claims too much", `validate-with="pacemaker-1.9" new="1"`, 0, rename, `validate-with="pacemaker-2.1" new="1"`, 3, Upgraded},
		{"unknown", `validate-with="x" old="1"`, 0, rename, `validate-with="pacemaker-2.1" new="1"`, 3, Upgraded},
		{"invalid", `validate-with="pacemaker-1.9" bad="1"`, 0, rename, `validate-with="pacemaker-1.9" bad="1"`, 0, InvalidCIB},
		{"stylesheet fails", `validate-with="pacemaker-1.9" old="1"`, 0, fails, `validate-with="pacemaker-1.10" old="1"`, 1, TransformFailed},
		{"stylesheet does nothing", `validate-with="pacemaker-1.9" old="1"`, 0, same, `validate-with="pacemaker-1.10" old="1"`, 1, InvalidCIB},
	} {
		root, _ := xmltree.ParseString("<cib "+c.attrs+"/>", xmltree.Limits{})
		got := ladder().Upgrade(root, c.limit, c.apply)
		if got.CIB.String() != "<cib "+c.want+"/>" || got.Best != c.best || got.Outcome != c.outcome {
			t.Errorf("%s: %s, best %d, outcome %d", c.name, got.CIB, got.Best, got.Outcome)
		}
	}
}
