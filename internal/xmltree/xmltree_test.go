package xmltree

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/testneed"
)

func TestWriteEqualsXmllint(t *testing.T) {
	testneed.Program(t, "xmllint")
	for _, doc := range []string{
		`<a/>`, `<a></a>`, `<a b='1' c="x&quot;y&apos;z&lt;&gt;&amp;&#10;&#9;&#13;"/>`,
		"<a>\n <b> </b>\n <c>t&lt;&gt;&amp;\"'</c><!-- note --><d><e/></d>\n</a>",
		"<a>x<b/>y</a>", "<a><![CDATA[1<2]]></a>", "<?xml version=\"1.0\"?><!DOCTYPE a>\n<a x=\"ä\U0001F600\"/>",
	} {
		n, err := ParseString(doc, Limits{})
		if err != nil {
			t.Errorf("%s: %v", doc, err)
			continue
		}
		cmd := exec.Command("xmllint", "--noblanks", "--encode", "UTF-8", "-")
		cmd.Stdin = strings.NewReader(doc)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("xmllint: %v", err)
		}
		_, want, _ := strings.Cut(string(out), "?>\n")
		want = strings.TrimPrefix(want, "<!DOCTYPE a>\n")
		if got := n.String() + "\n"; got != want {
			t.Errorf("%s:\n got %s\nwant %s", doc, got, want)
		}
	}
}

func TestSyntaxErrorsNameThePlace(t *testing.T) {
	for _, c := range []struct {
		doc  string
		line int
		col  int
		text string
	}{
		{"", 1, 1, "root element is missing"},
		{"<a>\n<b></a>", 2, 4, `end tag of "a" where b of line 2 is open`},
		{"<a b='1' b='2'/>", 1, 10, "given twice"},
		{"<a b=1/>", 1, 6, "not quoted"},
		{"<a b='<'/>", 1, 7, "write &lt;"},
		{"<a>&x;</a>", 1, 4, "not defined"},
		{"<a>&#0;</a>", 1, 4, "not a character"},
		{"<a>\x01</a>", 1, 4, "not valid UTF-8"},
		{"<a>\xff</a>", 1, 4, "not valid UTF-8"},
		{"<a/><b/>", 1, 5, "after the end"},
		{"<a", 1, 1, "not closed"},
		{"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", 1, 13, "refused"},
		{"<1/>", 1, 2, "needs a name"},
		{"<a><!-- -- --></a>", 1, 9, "inside a comment"},
	} {
		_, err := ParseString(c.doc, Limits{})
		var se *SyntaxError
		if !errors.As(err, &se) {
			t.Errorf("%q: no syntax error: %v", c.doc, err)
			continue
		}
		if se.Line != c.line || se.Column != c.col || !strings.Contains(se.Text, c.text) {
			t.Errorf("%q: %v, want line %d column %d ...%s...", c.doc, err, c.line, c.col, c.text)
		}
	}
}

func TestLimits(t *testing.T) {
	deep := strings.Repeat("<a>", 300) + strings.Repeat("</a>", 300)
	if _, err := ParseString(deep, Limits{}); err == nil {
		t.Error("300 levels were accepted, limit 256")
	}
	if _, err := ParseString(deep, Limits{Depth: 300}); err != nil {
		t.Error(err)
	}
	if _, err := ParseString("<aaaa/>", Limits{Bytes: 3}); err == nil {
		t.Error("a document above the size limit was accepted")
	}
}

func TestTreeChanges(t *testing.T) {
	n, err := ParseString(`<a><b id="1"/><c/><b id="2"/></a>`, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	n.Child("c").AddAfter(New("d", Attr{"x", "1"}))
	n.Child("b").Remove()
	n.Child("b").Unset("id")
	n.Set("k", "v")
	if got, want := n.Copy().String(), `<a k="v"><c/><d x="1"/><b/></a>`; got != want {
		t.Errorf("got %s want %s", got, want)
	}
}

func TestPacemakerWriter(t *testing.T) {
	n := New("a", Attr{"x", "a'b\t\n\x7f"}, Attr{"y", "ä'"})
	n.AddNew("b")
	want := "<a x=\"a&apos;b    \\n\\177\" y=\"ä'\">\n  <b/>\n</a>\n"
	if got := string(n.AppendPacemaker(nil, TextOptions{Format: true})); got != want {
		t.Errorf("got %q want %q", got, want)
	}
}

// FuzzParse: whatever is accepted is written and read back to the same bytes.
func FuzzParse(f *testing.F) {
	f.Add(`<cib epoch="1"><configuration/><status>t</status></cib>`)
	f.Add(`<a b="&#10;&lt;"><!--c--><![CDATA[x]]></a>`)
	f.Fuzz(func(t *testing.T, doc string) {
		n, err := ParseString(doc, Limits{Bytes: 1 << 16, Depth: 64})
		if err != nil {
			return
		}
		once := n.Append(nil)
		again, err := Parse(once, Limits{})
		if err != nil {
			t.Fatalf("own output refused: %v\n%s", err, once)
		}
		if twice := again.Append(nil); !bytes.Equal(once, twice) {
			t.Fatalf("%q became %q", once, twice)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	var docs [][]byte
	total := 0
	for _, f := range testneed.CIBs(b) {
		d, err := os.ReadFile(f)
		if err != nil {
			b.Fatal(err)
		}
		docs, total = append(docs, d), total+len(d)
	}
	b.SetBytes(int64(total))
	b.ReportAllocs()
	for b.Loop() {
		for _, d := range docs {
			if _, err := Parse(d, Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	}
}
