package digest

import (
	"os"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// TestDigests holds what cibadmin 2.1.5 says of a CIB with every character that
// is written in a way of its own; test/cib asks it again, and about many more.
func TestDigests(t *testing.T) {
	data, err := os.ReadFile("testdata/awkward.xml")
	if err != nil {
		t.Fatal(err)
	}
	parse := func(s string) *xmltree.Node {
		n, err := xmltree.ParseString(s, xmltree.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		n.StripText() // as cibadmin does with files
		return n
	}
	cib := parse(string(data))
	old := parse(strings.Replace(string(data), "3.16.1", "3.0.4", 1))
	for _, c := range []struct{ what, got, want string }{
		{"--md5-sum", OnDisk(cib), "afb0f3649a37625c3056a2d42f79e8e1"},
		{"--md5-sum-versioned", CIB(cib), "97d05e523d30be384a8f8852f48193aa"},
		{"--md5-sum-versioned of 3.0.4", CIB(old), "98e0304589cb9386a50fbdd1bf418db1"},
		{"--md5-sum of 3.0.4", OnDisk(old), "98e0304589cb9386a50fbdd1bf418db1"},
	} {
		if !Same(c.got, c.want) {
			t.Errorf("%s: %s, want %s", c.what, c.got, c.want)
		}
	}
}

// TestOperation: the order of attributes does not count, that of children does.
func TestOperation(t *testing.T) {
	digest := func(s string) string {
		n, err := xmltree.ParseString(s, xmltree.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return Operation(n)
	}
	// From a status section of Pacemaker 2.1.5: no parameters at all.
	if got, want := digest("<parameters/>"), "f2317cad3d54cec5d7d7aa7d0bf35cf8"; got != want {
		t.Errorf("no parameters: %s, want %s", got, want)
	}
	if digest(`<p b="2" a="1"><x d="4" c="3"/><y/></p>`) != digest(`<p a="1" b="2"><x c="3" d="4"/><y/></p>`) {
		t.Error("the order of attributes counts")
	}
	if digest(`<p><x/><y/></p>`) == digest(`<p><y/><x/></p>`) {
		t.Error("the order of children does not count")
	}
}
