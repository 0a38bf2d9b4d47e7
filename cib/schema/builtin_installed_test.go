package schema

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// installedSet is the set of Pacemaker's own schemas.
func installedSet(t testing.TB) *Set {
	t.Helper()
	open := installed(t)
	entries, err := os.ReadDir(installedDir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return NewSet(names, open)
}

// TestBuiltinKnowsTheInstalled compares names and steps.
func TestBuiltinKnowsTheInstalled(t *testing.T) {
	want, got := installedSet(t).Versions(), Builtin().Versions()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf(" got %v\nwant %v", got, want)
	}
}

// TestBuiltinAcceptsWhatTheInstalledDo draws documents from the grammars
// themselves, of every version, so that each element, attribute and value comes
// up, and changes them at random: both must say the same. E2E_LONG (make
// test-long PART=schemas): 3,000 of each grammar and version.
func TestBuiltinAcceptsWhatTheInstalledDo(t *testing.T) {
	theirs, ours := installedSet(t), Builtin()
	each := 30
	if os.Getenv("E2E_LONG") != "" {
		each = 3000
	}
	for i, v := range theirs.Versions()[:theirs.Latest()+2] {
		a, err := theirs.Schema(i)
		if err != nil {
			t.Fatal(err)
		}
		b, err := ours.Schema(i)
		if err != nil {
			t.Fatal(err)
		}
		rnd := rand.New(rand.NewPCG(uint64(i), 77))
		valid, total := 0, 0
		for range each {
			for k, s := range []*Schema{a, b} {
				d := &drawn{Rand: rnd, s: s}
				root := d.document()
				for changes := range 4 {
					fa, fb := a.Validate(root), b.Validate(root)
					total++
					if len(fa) == 0 {
						valid++
					}
					if (len(fa) == 0) != (len(fb) == 0) {
						t.Fatalf("%s, from %d, %d changes:\n%s\ninstalled: %v\nbuilt in: %v", v.Name, k, changes, root, fa, fb)
					}
					d.change(root)
				}
			}
		}
		t.Logf("%s: %d of %d valid", v.Name, valid, total)
		if valid < total/8 || valid > total*7/8 {
			t.Errorf("%s: %d of %d valid: too one-sided to show anything", v.Name, valid, total)
		}
	}
}

// drawn makes a document that a schema accepts, but for references to nothing.
type drawn struct {
	*rand.Rand
	s     *Schema
	ids   []string
	refs  []func(id string)
	nodes int
}

func (d *drawn) document() *xmltree.Node {
	box := xmltree.New("")
	d.pattern(box, d.s.start, 0)
	for _, set := range d.refs {
		if len(d.ids) > 0 {
			set(d.ids[d.IntN(len(d.ids))])
		}
	}
	root := box.First
	root.Remove()
	return root
}

func (d *drawn) pattern(n *xmltree.Node, p pid, depth int) {
	q := &d.s.pats[p]
	switch q.kind {
	case kChoice:
		// Deep or large documents come to an end by what may be left out.
		if q.nullable && (depth > 12 || d.nodes > 120) {
			return
		}
		d.pattern(n, q.kids[d.IntN(len(q.kids))], depth)
	case kInterleave, kGroup:
		kids := append([]pid(nil), q.kids...)
		if q.kind == kInterleave {
			d.Shuffle(len(kids), func(i, j int) { kids[i], kids[j] = kids[j], kids[i] })
		}
		for _, k := range kids {
			d.pattern(n, k, depth)
		}
	case kMore:
		for d.pattern(n, q.kids[0], depth); d.IntN(2) == 0 && d.nodes < 120; {
			d.pattern(n, q.kids[0], depth)
		}
	case kElement:
		d.nodes++
		e := d.s.elems[q.leaf]
		d.pattern(n.AddNew(d.name(e.class)), e.content, depth+1)
	case kAttribute:
		d.attribute(n, d.s.attrs[q.leaf])
	case kText:
		if d.IntN(4) == 0 {
			n.Add(&xmltree.Node{Kind: xmltree.Text, Name: "some text"})
		}
	}
}

func (d *drawn) name(c int32) string {
	if cl := &d.s.classes[c]; cl.kind == className {
		return cl.label
	}
	return []string{"node_state", "lrm", "x"}[d.IntN(3)]
}

func (d *drawn) attribute(n *xmltree.Node, a attributePattern) {
	name := d.name(a.class)
	if _, ok := n.Get(name); ok {
		return
	}
	n.Set(name, "")
	set := func(v string) { n.Set(name, v) }
	switch {
	case a.id:
		id := fmt.Sprintf("i%d", len(d.ids))
		d.ids = append(d.ids, id)
		set(id)
	case a.ref:
		d.refs = append(d.refs, set)
	default:
		set(d.value(a.content))
	}
}

// value is a text that the pattern of an attribute's value takes.
func (d *drawn) value(p pid) string {
	for range 40 {
		v := d.anyValue()
		if d.s.pats[d.s.afterText(p, v)].nullable {
			return v
		}
	}
	var all []string
	var leaves func(pid)
	leaves = func(p pid) {
		q := &d.s.pats[p]
		if q.kind == kValue {
			all = append(all, d.s.values[q.leaf].text)
		}
		for _, k := range q.kids {
			leaves(k)
		}
	}
	if leaves(p); len(all) == 0 {
		return "x"
	}
	return all[d.IntN(len(all))]
}

func (d *drawn) anyValue() string {
	if len(d.s.values) > 0 && d.IntN(2) == 0 {
		return d.s.values[d.IntN(len(d.s.values))].text
	}
	return []string{"", " ", "0", "1", "-1", "+5", " 7 ", "true", "false", "INFINITY", "x", "a b", "a,b", "8080-8090", " stop ", "99999999999999999999", "1.5",
		"unfencing", "requires", "name", "value", "no,", "i0", "i1"}[d.IntN(24)]
}

// change makes one change somewhere.
func (d *drawn) change(root *xmltree.Node) {
	var all []*xmltree.Node
	root.Find(func(n *xmltree.Node) bool { all = append(all, n); return false })
	n, other := all[d.IntN(len(all))], all[d.IntN(len(all))]
	attr := func() string {
		if d.IntN(3) == 0 && len(other.Attrs) > 0 {
			return other.Attrs[d.IntN(len(other.Attrs))].Name
		}
		return d.name(d.s.attrs[d.IntN(len(d.s.attrs))].class)
	}
	switch kind := d.IntN(8); {
	case kind == 0 && len(n.Attrs) > 0:
		n.Unset(n.Attrs[d.IntN(len(n.Attrs))].Name)
	case kind <= 2 && len(n.Attrs) > 0:
		n.Set(n.Attrs[d.IntN(len(n.Attrs))].Name, d.anyValue())
	case kind == 3:
		n.Set(attr(), d.anyValue())
	case kind == 4 && n != root:
		n.Remove()
	case kind == 5 && n != root:
		n.Parent.Add(n.Copy())
	case kind == 6 && n != root:
		p := n.Parent
		n.Remove()
		p.Add(n)
	default:
		e := d.s.elems[d.IntN(len(d.s.elems))]
		d.pattern(n.AddNew(d.name(e.class)), e.content, 20)
	}
}
