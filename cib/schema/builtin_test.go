package schema

import (
	"testing"

	"github.com/pacesync/pacesync/internal/xmltree"
)

func TestBuiltinCompiles(t *testing.T) {
	s := Builtin()
	for i, v := range s.Versions() {
		if _, err := s.Schema(i); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
	if n := len(s.Versions()); n != 26 || s.Versions()[s.Minimum()].Name != "pacemaker-3.0" || s.Versions()[s.Latest()].Name != "pacemaker-3.9" {
		t.Errorf("%d versions, %v", n, s.Versions())
	}
}

func TestBuiltinNotation(t *testing.T) {
	for _, c := range []struct{ text, version, want string }{
		{"start = a { @b c? }\nc = d { empty }", "1.0", `<element name="a"><group><attribute name="b"><text/></attribute><optional><ref name="c 10000 "/></optional></group></element>`},
		{"start = (a { text } | b { text }[2.0-])", "1.9", `<element name="a"><text/></element>`},
		{"start = a { @x:'p|q[2.1-]'[2.0-] }", "2.0", `<element name="a"><attribute name="x"><choice><value>p</value></choice></attribute></element>`},
		{"start = a { @x:integer'p' & @y:!'q' & @z:/r/ }", "1.0", `<element name="a"><interleave><attribute name="x"><choice><data type="integer"/><choice><value>p</value></choice></choice></attribute>` +
			`<attribute name="y"><data type="string"><except><choice><value>q</value></choice></except></data></attribute><attribute name="z"><data type="string"><param name="pattern">r</param></data></attribute></interleave></element>`},
		{"start = d(e)@1.0\nd(x) = x\ne = f { empty }\ne[2.0-] = g { empty }", "3.0", `<ref name="d 10000 e"/>`},
		{"start = a { @b | @c & @d }", "1.0", "schema: the grammar that is built in: | and & without parentheses at \" @d }\""},
		{"start = a { @b", "1.0", `schema: the grammar that is built in: } is missing at ""`},
		{"start = b", "1.0", "schema: the grammar that is built in: b is not defined"},
		{"start = b)", "1.0", "schema: the grammar that is built in: b is not defined"},
		{"start = 'a'[x]", "1.0", `schema: the grammar that is built in: "x" is not a version`},
		{"start = 'a", "1.0", `schema: the grammar that is built in: "'" is missing in "a"`},
		{"start", "1.0", "schema: the grammar that is built in: no definition: start"},
	} {
		v, _ := versionNumber(c.version)
		got := ""
		if text, err := builtinText(c.text, v); err != nil {
			got = err.Error()
		} else {
			root, err := xmltree.Parse(text, xmltree.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			got = root.Child("define").First.String()
		}
		if got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.text, got, c.want)
		}
	}
}
