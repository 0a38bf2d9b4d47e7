package cibstory

import (
	"slices"
	"strings"
	"testing"
)

const told = `# what it is about

== first
# a comment
<primitive id="a" class="ocf" provider="p" type="T"/>
$ say 'two words' one
| a line
|
|   another
! an error
= 7
$ say nothing

`

// TestRoundTrip: what was read is written as it was.
func TestRoundTrip(t *testing.T) {
	f, err := Parse(told)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(f.Append(nil)); got != told {
		t.Errorf("%q", got)
	}
	s := f.Stories[0]
	if want := (Answer{"a line\n\n  another\n", "an error\n", 7}); s.Steps[0].Answer != want || len(s.Steps) != 2 {
		t.Errorf("%+v", s.Steps)
	}
	asked := [][]string{}
	s.Play(t, func(args []string) Answer { asked = append(asked, args); return Answer{Stderr: "x\ny\nx\n"} })
	if !slices.Equal(asked[0], []string{"say", "two words", "one"}) {
		t.Errorf("%q", asked)
	}
	for _, bad := range []string{"<a/>\n", "== a\n$ b\nc\n"} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestCIB: short forms, what is filled in, and what belongs nowhere.
func TestCIB(t *testing.T) {
	cib := Make(t, `<cib have-quorum="0"/><nvpair name="x" value="y"/><did node="n2" rsc="a" op="monitor" rc="7"/><did node="n2" rsc="a" op="start" call-id="9"/>`+
		`<did node="n2" rsc="a" op="monitor" ms="10000"/><primitive id="a" class="ocf" provider="p" type="T"><meta_attributes><nvpair name="n" value="v"/></meta_attributes></primitive>`).String()
	for _, want := range []string{`have-quorum="0"`, `name="x" value="y"`, `name="stonith-enabled" value="false"`, `<node id="n1" uname="n1"/>`,
		`<node_state id="n1" uname="n1" in_ccm="true"`, `<meta_attributes id="i`, `<lrm_resource id="a" class="ocf" provider="p" type="T">`,
		`operation_key="a_start_0" operation="start" transition-key="1:1:0:`, `call-id="9"`, `<lrm_rsc_op id="a_monitor_10000"`} {
		if !strings.Contains(cib, want) {
			t.Errorf("no %s in %s", want, cib)
		}
	}
	if strings.Contains(cib, `operation="monitor" transition-key="1:1:7`) {
		t.Error("the probe is still in the history after the start")
	}
	for _, bad := range []string{"<teapot/>", "<a>", `<did node="n1" rsc="z" op="start"/>`} {
		if _, err := CIB(bad); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
