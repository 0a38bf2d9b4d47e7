package doc

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/xmltree"
)

const base = `<cib crm_feature_set="3.16.1" validate-with="none" epoch="4" num_updates="2" admin_epoch="1"><configuration><crm_config/>` +
	`<nodes><node id="1" uname="n1" score="5"/></nodes><resources/><constraints/></configuration><status/></cib>`

func parse(t testing.TB, s string) *xmltree.Node {
	t.Helper()
	n, err := xmltree.ParseString(s, xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestOperations holds what test/cib has found cibadmin 2.1.5 to do.
func TestOperations(t *testing.T) {
	for _, c := range []struct {
		what    string
		req     Request
		code    Code
		version string // after it
		holds   string
	}{
		{"merge", Request{Op: Modify, Input: parse(t, `<node id="1" uname="x"/>`)}, 0, "1.5.0", `<node id="1" uname="x" score="5"/>`},
		{"nothing new", Request{Op: Modify, Input: parse(t, `<node id="1" uname="n1"/>`)}, 0, "1.4.2", `uname="n1"`},
		{"add to a number", Request{Op: Modify, Input: parse(t, `<node id="1" score="score+=7"/>`)}, 0, "1.5.0", `score="12"`},
		{"add to none", Request{Op: Modify, Input: parse(t, `<node id="1" n="n++"/>`)}, 0, "1.5.0", `n="1"`},
		{"not there", Request{Op: Modify, Input: parse(t, `<node id="2"/>`)}, NoSuch, "1.4.2", ""},
		{"a copy does not count for the configuration", Request{Op: Modify, Section: "nodes", CanCreate: true, Input: parse(t, `<node id="2"/>`)}, 0, "1.4.3", `<node id="2"/>`},
		{"status", Request{Op: Create, Section: "status", Input: parse(t, `<node_state id="1"/>`)}, 0, "1.4.3", `<node_state id="1"/>`},
		{"create", Request{Op: Create, Section: "nodes", Input: parse(t, `<node id="2"/>`)}, 0, "1.5.0", `<node id="2"/>`},
		{"a bare element counts for nothing", Request{Op: Create, Section: "nodes", Input: parse(t, `<x/>`)}, 0, "1.4.2", `<x/>`},
		{"there already", Request{Op: Create, Section: "nodes", Input: parse(t, `<node id="1"/>`)}, Exists, "1.4.2", ""},
		{"delete nothing", Request{Op: Delete, Input: parse(t, `<node id="7"/>`)}, 0, "1.4.2", `id="1"`},
		{"delete", Request{Op: Delete, Input: parse(t, `<node id="1"/>`)}, 0, "1.5.0", `<nodes/>`},
		{"replace", Request{Op: Replace, Input: parse(t, `<nodes/>`)}, 0, "1.5.0", `<nodes/>`},
		{"back", Request{Op: Modify, Input: parse(t, `<cib epoch="1"/>`)}, 205, "1.4.2", ""},
		{"newer feature set", Request{Op: Modify, Input: parse(t, `<cib crm_feature_set="3.99.0"/>`)}, Unsupported, "1.4.2", ""},
		{"bump", Request{Op: Bump}, 0, "1.5.3", ""},
		{"erase", Request{Op: Erase}, 0, "2.5.0", `<nodes/>`},
		{"no data", Request{Op: Modify}, 22, "1.4.2", ""},
		{"unknown", Request{Op: "cib_eat"}, Unsupported, "1.4.2", ""},
		{"invalid", Request{Op: Bump, Validate: func(*xmltree.Node) error { return errors.New("no") }}, BadSchema, "1.4.2", ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			old := parse(t, base)
			d := New(old)
			c.req.ManageVersion = true
			_, err := d.Do(c.req)
			var e *Error
			if errors.As(err, &e); (e == nil) != (c.code == 0) || e != nil && e.Code != c.code {
				t.Fatalf("%v, want code %d", err, c.code)
			}
			if !inPlace(c.req) && old.String() != base || e != nil && d.Root() != old {
				t.Fatal("the old tree changed")
			}
			r := d.Root()
			if v := r.Attr("admin_epoch") + "." + r.Attr("epoch") + "." + r.Attr("num_updates"); v != c.version {
				t.Errorf("version %s, want %s", v, c.version)
			}
			if !strings.Contains(r.String(), c.holds) {
				t.Errorf("%s is not in %s", c.holds, r)
			}
		})
	}
}

func TestQuery(t *testing.T) {
	d := New(parse(t, base))
	res, err := d.Do(Request{Op: Query, Section: "nodes"})
	if err != nil || res.Answer.String() != `<nodes><node id="1" uname="n1" score="5"/></nodes>` {
		t.Errorf("%v %v", res.Answer, err)
	}
	res, err = d.Do(Request{Op: Query, Section: "configuration", NoChildren: true})
	if err != nil || res.Answer.String() != `<configuration/>` {
		t.Errorf("%v %v", res.Answer, err)
	}
	var e *Error
	if _, err = d.Do(Request{Op: Query, Section: "tags"}); !errors.As(err, &e) || e.Code != NoSuch {
		t.Errorf("no tags: %v", err)
	}
}

// TestFailedAnswer is what a client of a failed creation is told.
func TestFailedAnswer(t *testing.T) {
	_, err := Perform(parse(t, base), Request{Op: Create, Section: "nodes", Input: parse(t, `<node id="1"/>`)})
	var e *Error
	if !errors.As(err, &e) || e.Failed.String() !=
		`<failed><failed_update id="1" object_type="node" operation="cib_create" reason="File exists"><node id="1"/></failed_update></failed>` {
		t.Errorf("%v", err)
	}
}

// FuzzPerform: any request on any CIB succeeds or is refused, and changes no
// tree it was given.
func FuzzPerform(f *testing.F) {
	f.Add(base, string(Modify), "nodes", `<node id="1" score="score++"/>`, true)
	f.Add(base, string(Create), "nodes", `<nodes><!--x--><node id="2" replace="a,b"><a/></node></nodes>`, false)
	f.Add(base, string(Replace), "", base, false)
	f.Add(base, string(Delete), "all", `<cib/>`, false)
	f.Add(base, string(Modify), "tags", `<x __delete__="1"/>`, true)
	f.Add(base, string(ApplyPatch), "", `<diff format="2"><change operation="delete" path="/cib/status"/></diff>`, false)
	f.Fuzz(func(t *testing.T, cib, op, section, input string, flag bool) {
		c, err := xmltree.ParseString(cib, xmltree.Limits{})
		if err != nil {
			return
		}
		r := Request{Op: Op(op), Section: section, CanCreate: flag, MixedUpdate: flag, NoChildren: flag, ManageVersion: !flag}
		r.Input, _ = xmltree.ParseString(input, xmltree.Limits{})
		before, given := c.String(), ""
		if r.Input != nil {
			given = r.Input.String()
		}
		res, err := Perform(c, r)
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("error %T: %v", err, err)
		}
		if c.String() != before || r.Input != nil && r.Input.String() != given {
			t.Fatal("a tree that was given changed")
		}
		if res.CIB == nil || err == nil && res.Patch != nil && !res.Changed {
			t.Fatalf("result %+v", res)
		}
	})
}

// TestInPlace: what is changed in the tree itself, or taken back, is the same as
// on a copy: CIB, patchset, error.
func TestInPlace(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 5))
		node := func(depth int) string { return randomStatus(rng, depth) }
		d := New(parse(t, `<cib crm_feature_set="3.16.1" epoch="3" num_updates="7" admin_epoch="0"><configuration/><status><node_state id="1"/><node_state id="2" x="5"/></status></cib>`))
		for range 8 {
			r := Request{Op: Modify, Section: "status", Input: parse(t, node(3)), ManageVersion: true, CanCreate: rng.IntN(2) == 0}
			if rng.IntN(3) == 0 {
				r.Op = Create
			}
			if !inPlace(r) {
				t.Fatal("not done in place")
			}
			want, wantErr := Perform(d.Root().Copy(), r)
			before := d.Root().String()
			got, gotErr := d.Do(r)
			if (wantErr == nil) != (gotErr == nil) || wantErr != nil && wantErr.Error() != gotErr.Error() {
				t.Fatalf("seed %d: %v, want %v", seed, gotErr, wantErr)
			}
			if wantErr != nil {
				if d.Root().String() != before {
					t.Fatalf("seed %d: %s\nnot undone: %s\n%s", seed, r.Input, before, d.Root())
				}
				continue
			}
			samePatch := got.Patch == want.Patch || got.Patch != nil && want.Patch != nil && (repeats(d.Root()) || got.Patch.String() == want.Patch.String())
			if d.Root().String() != want.CIB.String() || got.Changed != want.Changed || !samePatch {
				t.Fatalf("seed %d: %s %s on\n%s\n got  %s %v %v\n want %s %v %v", seed, r.Op, r.Input, before, d.Root(), got.Changed, got.Patch, want.CIB, want.Changed, want.Patch)
			}
		}
	}
}

// repeats says whether siblings have the same name and id: then a comparison
// finds moves where there were none.
func repeats(n *xmltree.Node) bool {
	seen := map[string]bool{}
	again := false
	n.Elements(func(c *xmltree.Node) {
		key := c.Name + "/" + c.ID()
		again = again || seen[key] || repeats(c)
		seen[key] = true
	})
	return again
}

// randomStatus is an element for the status, with repetitions and increments.
func randomStatus(rng *rand.Rand, depth int) string {
	name := []string{"status", "node_state", "lrm", "nvpair"}[min(3-depth+rng.IntN(2), 3)]
	var b strings.Builder
	b.WriteString("<" + name)
	if name != "status" { // without ids a comparison cannot tell a new element from a moved one
		fmt.Fprintf(&b, ` id="%d"`, rng.IntN(3))
	}
	if rng.IntN(2) == 0 {
		b.WriteString(` x="` + []string{"1", "x++", "x+=4", "y"}[rng.IntN(4)] + `"`)
	}
	b.WriteString(">")
	for range rng.IntN(3) {
		if depth > 0 {
			b.WriteString(randomStatus(rng, depth-1))
		}
	}
	if rng.IntN(5) == 0 {
		b.WriteString("<!--c-->")
	}
	b.WriteString("</" + name + ">")
	return b.String()
}
