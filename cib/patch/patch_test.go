package patch

import (
	"errors"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/cib/digest"
	"github.com/pacesync/pacesync/internal/xmltree"
)

func parse(t testing.TB, s string) *xmltree.Node {
	t.Helper()
	n, err := xmltree.ParseString(s, xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	n.StripText()
	return n
}

const before = `<cib admin_epoch="0" epoch="5" num_updates="3" crm_feature_set="3.16.1"><configuration><nodes><node id="1" uname="a"/><node id="2" uname="b"/><!--old--></nodes>` +
	`<resources><primitive id="p1"/><primitive id="p2"/><primitive id="p3"/></resources></configuration><status/></cib>`

const after = `<cib admin_epoch="0" epoch="6" num_updates="0" crm_feature_set="3.16.1"><configuration><nodes><node id="2" type="member" uname="B"/><node id="3"/></nodes>` +
	`<resources><primitive id="p3"/><primitive id="p1"/><primitive id="p2"/></resources></configuration><status/></cib>`

// As crm_diff 2.1.5 prints it for the two; test/cib compares many more.
const between = `<diff format="2">
  <version>
    <source admin_epoch="0" epoch="5" num_updates="3"/>
    <target admin_epoch="0" epoch="6" num_updates="0"/>
  </version>
  <change operation="delete" path="/cib/configuration/nodes/node[@id=&apos;1&apos;]"/>
  <change operation="delete" path="/cib/configuration/nodes/comment" position="1"/>
  <change operation="modify" path="/cib">
    <change-list>
      <change-attr name="epoch" operation="set" value="6"/>
      <change-attr name="num_updates" operation="set" value="0"/>
    </change-list>
    <change-result>
      <cib admin_epoch="0" epoch="6" num_updates="0" crm_feature_set="3.16.1"/>
    </change-result>
  </change>
  <change operation="modify" path="/cib/configuration/nodes/node[@id=&apos;2&apos;]">
    <change-list>
      <change-attr name="type" operation="set" value="member"/>
      <change-attr name="uname" operation="set" value="B"/>
    </change-list>
    <change-result>
      <node id="2" type="member" uname="B"/>
    </change-result>
  </change>
  <change operation="create" path="/cib/configuration/nodes" position="1">
    <node id="3"/>
  </change>
  <change operation="move" path="/cib/configuration/resources/primitive[@id=&apos;p3&apos;]" position="0"/>
  <change operation="move" path="/cib/configuration/resources/primitive[@id=&apos;p1&apos;]" position="1"/>
</diff>
`

func TestPatchText(t *testing.T) {
	a, b := parse(t, before), parse(t, after)
	d, err := Compare(a, b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !d.ConfigChanged() {
		t.Error("the configuration changed")
	}
	p := d.Patch()
	if got := string(p.AppendPacemaker(nil, xmltree.TextOptions{Format: true})); got != between {
		t.Errorf("got\n%s\nwant\n%s", got, between)
	}
	d.AddDigest(p)
	got, err := Apply(a, p, true)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != b.String() {
		t.Errorf("applied: %s", got)
	}
	if a.String() != before {
		t.Errorf("the source changed: %s", a)
	}
}

func TestNoDifference(t *testing.T) {
	d, err := Compare(parse(t, before), parse(t, before), Options{})
	if err != nil || d.Changed() || d.ConfigChanged() || d.Patch() != nil {
		t.Errorf("equal trees differ: %v", err)
	}
	if _, err := Compare(parse(t, `<cib id="1"/>`), parse(t, `<cib id="2"/>`), Options{}); err == nil {
		t.Error("trees with different roots were compared")
	}
}

// TestConfigChanged: a change of the status or of root attributes is none of the configuration.
func TestConfigChanged(t *testing.T) {
	for change, want := range map[string]bool{
		`<status/>|<status><node_state id="1"/></status>`:          false,
		`num_updates="3"|num_updates="3" have-quorum="1"`:          false,
		`<primitive id="p1"/>|`:                                    true,
		`uname="a"|uname="x"`:                                      true,
		`<primitive id="p1"/>|<primitive id="p1"><x/></primitive>`: true,
	} {
		old, now, _ := strings.Cut(change, "|")
		d, err := Compare(parse(t, before), parse(t, strings.Replace(before, old, now, 1)), Options{})
		if err != nil || !d.Changed() || d.ConfigChanged() != want {
			t.Errorf("%s: changed %v, configuration %v, %v", change, d.Changed(), d.ConfigChanged(), err)
		}
	}
}

func TestCannotApply(t *testing.T) {
	version := func(source, target string) string {
		return `<version><source ` + source + `/><target ` + target + `/></version>`
	}
	good := version(`admin_epoch="0" epoch="5" num_updates="3"`, `admin_epoch="0" epoch="6" num_updates="0"`)
	for _, c := range []struct {
		changes string
		code    Code
		text    string
	}{
		{version(`epoch="6"`, `epoch="7"`), DiffResync, "the CIB is at 0.5.3, the patchset starts at 0.6.3"},
		{version(`epoch="4"`, `epoch="7"`), OldData, "already"},
		{version(`epoch="5"`, `epoch="5" num_updates="3"`), OldData, "does not rise"},
		{good + `<change operation="modify" path="/cib/status/x"/>`, DiffFailed, `change 1 of "/cib/status/x": modify finds nothing there`},
		{good + `<change operation="modify" path="/cib/status"/>`, NoMessage, "without a change-result"},
		{good + `<change operation="create" path="/cib/status"/>`, NoMessage, "without an element"},
		{good + `<change operation="create" path="cib/["><a/></change>`, DiffFailed, "finds nothing"},
		{good + `<change operation="create"><a/></change>`, DiffFailed, "finds nothing"},
		{good + `<change operation="eat" path="/cib"/>`, DiffFailed, "unknown operation eat"},
		{good + `<change operation="delete" path="/cib"/>`, DiffFailed, "the root"},
		{good + `<change operation="move" path="/cib" position="0"/>`, DiffFailed, "the root"},
		{good + `<change operation="move" path="/cib/status" position="7"/>`, DiffFailed, "only 1 is there"},
		{good + `<change operation="create" path="/cib/status" position="0"><a/></change><change operation="delete" path="/cib/status"/>`, DiffFailed, "deletes it"},
	} {
		a := parse(t, before)
		_, err := Apply(a, parse(t, `<diff format="2">`+c.changes+`</diff>`), true)
		var e *Error
		if !errors.As(err, &e) || e.Code != c.code || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s:\n got  %v\n want %d %s", c.changes, err, c.code, c.text)
		}
		if a.String() != before {
			t.Errorf("%s: half applied: %s", c.changes, a)
		}
	}
	for _, p := range []string{`<diff format="0"/>`, `<diff format="3"/>`, `<diff format="x"/>`} {
		if _, err := Apply(parse(t, before), parse(t, p), false); err == nil {
			t.Errorf("%s was applied", p)
		}
	}
	if _, err := Apply(parse(t, before), parse(t, `<diff format="2" digest="00"/>`), false); err == nil || !strings.Contains(err.Error(), "digest") {
		t.Errorf("wrong digest: %v", err)
	}
}

func TestInt(t *testing.T) {
	for s, want := range map[string]int{"0": 0, " 12x": 12, "-3": -3, "+4": 4, "": -1, "x": -1, "2147483648": -1, "99999999999999999999": -1} {
		if got := Int(s); got != want {
			t.Errorf("Int(%q) = %d, want %d", s, got, want)
		}
	}
}

// TestDescribe: the lines are those of the original's log.
func TestDescribe(t *testing.T) {
	p := parse(t, `<diff format="2"><version><source admin_epoch="0" epoch="5" num_updates="6"/><target admin_epoch="0" epoch="5" num_updates="7"/></version>`+
		`<change operation="delete" path="/cib/configuration/resources/primitive[@id='p2']"/><change operation="delete" path="/cib/comment" position="2"/>`+
		`<change operation="modify" path="/cib"><change-list><change-attr name="num_updates" operation="set" value="7"/><change-attr name="dc-uuid" operation="set" value="1"/><change-attr name="x" operation="unset"/></change-list><change-result><cib/></change-result></change>`+
		`<change operation="create" path="/cib/status" position="0"><node_state id="3" uname="n3"><lrm id="3"><lrm_resources/></lrm></node_state></change>`+
		`<change operation="create" path="/cib/status" position="1"><tickets/></change><change operation="move" path="/cib/status/a" position="4"/></diff>`)
	want := `Diff: --- 0.5.6 2
Diff: +++ 0.5.7 (null)
-- /cib/configuration/resources/primitive[@id='p2']
-- /cib/comment (2)
+  /cib:  @num_updates=7, @dc-uuid=1
-- /cib:  @x
++ /cib/status:  <node_state id="3" uname="n3"/>
++                 <lrm id="3">
++                   <lrm_resources/>
++                 </lrm>
++               </node_state>
++ /cib/status:  <tickets/>
+~ /cib/status/a moved to offset 4`
	if got := strings.Join(Describe(p), "\n"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// FuzzApply: any patchset is applied or refused, and never changes its source.
func FuzzApply(f *testing.F) {
	d, err := Compare(parse(f, before), parse(f, after), Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(d.Patch().String())
	f.Add(`<diff format="2"><change operation="move" path="/cib/configuration/resources/primitive[@id='p1']" position="2"/></diff>`)
	f.Add(`<diff format="2"><change operation="create" path="/cib/status"><!--x--></change><change operation="delete" path="/cib/status"/></diff>`)
	f.Add(d.Patch1().String())
	f.Add(`<diff><diff-removed><cib __crm_diff_marker__="removed:top"/></diff-removed><diff-added><cib><x __crm_diff_marker__="added:top"/></cib></diff-added></diff>`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := xmltree.ParseString(text, xmltree.Limits{})
		if err != nil {
			return
		}
		a := parse(t, before)
		sum := digest.OnDisk(a)
		Describe(p)
		b, err := Apply(a, p, false)
		if digest.OnDisk(a) != sum {
			t.Fatal("the source changed")
		}
		var e *Error
		if err != nil {
			if !errors.As(err, &e) || b != nil {
				t.Fatalf("error %T, result %v", err, b)
			}
			return
		}
		// What came out can be compared and patched like anything else.
		if b.Name == a.Name && b.ID() == a.ID() {
			if _, err := Compare(a, b, Options{}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzCompare: for trees in which every sibling is told apart, the patchset
// between them leads to the target, byte for byte.
func FuzzCompare(f *testing.F) {
	f.Add(before, after)
	f.Add(after, before)
	f.Add(`<a x="1" y="2"><b id="1"/><b id="2"/><b id="3"/></a>`, `<a y="2" x="1"><b id="3"/><c/><b id="1"/></a>`)
	f.Fuzz(func(t *testing.T, from, to string) {
		a, errA := xmltree.ParseString(from, xmltree.Limits{})
		b, errB := xmltree.ParseString(to, xmltree.Limits{})
		if errA != nil || errB != nil {
			return
		}
		a.StripText()
		b.StripText()
		d, err := Compare(a, b, Options{})
		withID := map[string]bool{}
		if err != nil || !plain(a, withID) || !plain(b, withID) {
			return
		}
		p := d.Patch()
		if p == nil {
			if a.String() != b.String() {
				t.Fatal("no difference found")
			}
			return
		}
		got, err := Apply(a, p, false)
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != b.String() {
			t.Fatalf("got  %s\nwant %s\nby %s", got, b, p)
		}
	})
}

// plain says whether a tree has elements only, which paths tell apart: names
// either always come with an id or never, and none comes twice. Where that does
// not hold the original's patchsets need not lead to the target, and neither do
// ours, which are the same.
func plain(n *xmltree.Node, withID map[string]bool) bool {
	seen := map[string]bool{}
	for c := n.First; c != nil; c = c.Next {
		id, ok := c.Get("id")
		if was, known := withID[c.Name]; known && was != ok {
			return false
		}
		withID[c.Name] = ok
		key := c.Name + "/" + id
		if c.Kind != xmltree.Element || seen[key] || strings.Contains(id, "']") || !plain(c, withID) {
			return false
		}
		seen[key] = true
	}
	return !strings.Contains(n.ID(), "']")
}
