package xmltree

import (
	"errors"
	"strings"
	"testing"
)

// TestEncodings: Latin-1 is read where it is declared, anything else is named.
func TestEncodings(t *testing.T) {
	for _, c := range []struct{ text, want, bad string }{
		{"<?xml version='1.0' encoding='ISO-8859-1'?><a b='\xfc'/>", "<a b=\"\u00fc\"/>", ""},
		{"<?xml version=\"1.0\" encoding = \"latin1\" ?><a>\xe9</a>", "<a>\u00e9</a>", ""},
		{"<?xml version='1.0' encoding='UTF-8'?><a/>", "<a/>", ""},
		{"<?xml version='1.0'?><a encoding='x'/>", "<a encoding=\"x\"/>", ""},
		{"<?xml version='1.0' encoding='koi8-r'?><a/>", "", `line 1, column 1: encoding "koi8-r" is not supported`},
		{"\xff\xfe<\x00a\x00", "", "UTF-16"},
		{"<a b='\xfc'/>", "", "byte 0xfc is not valid UTF-8"},
	} {
		n, err := ParseString(c.text, Limits{})
		switch {
		case c.bad != "" && (err == nil || !strings.Contains(err.Error(), c.bad)):
			t.Errorf("%q: %v, want %s", c.text, err, c.bad)
		case c.bad == "" && (err != nil || n.String() != c.want):
			t.Errorf("%q: %v, %v, want %s", c.text, n, err, c.want)
		}
	}
}

// TestBegun tells broken documents from texts that are none.
func TestBegun(t *testing.T) {
	for text, want := range map[string]bool{"": false, "x": false, "<": false, "<1/>": false, "</a>": false, "<!-- x": false, "<?xml version='1.0'?>": false, "\xfc": false,
		"<a": true, "<a b": true, "<a>": true, "<a/>x": true, "<a></b>": true, "<a>\xfc</a>": true} {
		_, err := ParseString(text, Limits{})
		bad := (*SyntaxError)(nil)
		if !errors.As(err, &bad) || bad.Begun != want {
			t.Errorf("%q: %v, want begun %v", text, err, want)
		}
	}
}

// TestReferences: in printed documents attributes are ASCII.
func TestReferences(t *testing.T) {
	n, err := ParseString(`<a b="ü&quot;€"><c>ä😀&amp;</c><!--ö--></a>`, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := "<a b=\"&#xFC;&quot;&#x20AC;\">\n  <c>ä😀&amp;</c>\n  <!--ö-->\n</a>\n"
	if got := string(n.AppendIndent(nil)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := n.String(); got != `<a b="ü&quot;€"><c>ä😀&amp;</c><!--ö--></a>` {
		t.Errorf("got %s", got)
	}
}
