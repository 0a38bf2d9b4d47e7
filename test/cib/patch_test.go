package cib_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pacesync/pacesync/cib/patch"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// TestPatchEqualsCrmDiff makes and applies patchsets between CIBs of the corpus
// and between each and random mutations of it: text and exit status as crm_diff's.
func TestPatchEqualsCrmDiff(t *testing.T) {
	labtest.Need(t, crmDiff)
	files := corpus(t)
	for i, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			a := load(t, name)
			rng := rand.New(rand.NewPCG(uint64(i), 7))
			comparePatch(t, a, load(t, files[(i+1)%len(files)]))
			for n := range mutations() {
				if n == mutations()/2 {
					a.Unset("crm_feature_set") // from here on in format 1
				}
				b := a.Copy()
				for range 1 + rng.IntN(12) {
					mutate(rng, b)
				}
				comparePatch(t, a, b)
			}
		})
	}
}

func load(t *testing.T, name string) *xmltree.Node {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	n, err := xmltree.Parse(data, xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	n.StripText()
	return n
}

func save(t *testing.T, dir, name string, n *xmltree.Node) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, n.AppendIndent(nil), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func comparePatch(t *testing.T, a, b *xmltree.Node) {
	t.Helper()
	dir := t.TempDir()
	from, to := save(t, dir, "a.xml", a), save(t, dir, "b.xml", b)
	for _, asCIB := range []bool{false, true} {
		d, err := patch.Compare(a, b, patch.Options{IgnoreAttrOrder: asCIB})
		if err != nil {
			t.Fatal(err)
		}
		p, args := d.Document(), []string{"-o", from, "-n", to}
		if asCIB {
			args = append(args, "-c")
		}
		var text []byte
		if p != nil {
			if asCIB {
				d.AddDigest(p)
			}
			text = p.AppendPacemaker(nil, xmltree.TextOptions{Format: true})
		}
		want, _ := crmdiff(t, args...)
		if !bytes.Equal(text, want) {
			t.Fatalf("patch differs (as cib: %v)\n%s", asCIB, firstDifference(text, want))
		}
		if p == nil {
			continue
		}
		comparePatched(t, dir, a, p, asCIB)
	}
}

// comparePatched applies p to a with both programs.
func comparePatched(t *testing.T, dir string, a, p *xmltree.Node, asCIB bool) {
	t.Helper()
	args := []string{"-o", filepath.Join(dir, "a.xml"), "-p", save(t, dir, "p.xml", p)}
	if asCIB {
		args = append(args, "-c")
	}
	want, status := crmdiff(t, args...)
	got, err := patch.Apply(a, p, asCIB)
	var perr *patch.Error
	switch {
	case errors.As(err, &perr):
		if exit := exitStatus(perr.Code); exit != status {
			t.Fatalf("apply: %v, exit status %d, crm_diff's is %d", err, exit, status)
		}
		return
	case status != 0:
		t.Fatalf("applied what crm_diff refuses with %d", status)
	}
	if text := got.AppendPacemaker(nil, xmltree.TextOptions{Format: true}); !bytes.Equal(text, want) {
		t.Fatalf("result differs (as cib: %v)\n%s", asCIB, firstDifference(text, want))
	}
}

func exitStatus(c patch.Code) int {
	switch c {
	case patch.OldData:
		return 103
	case patch.NoMessage:
		return 76
	}
	return 1
}

func crmdiff(t *testing.T, args ...string) ([]byte, int) {
	t.Helper()
	cmd := exec.Command(crmDiff, args...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out, cmd.ProcessState.ExitCode()
}

func firstDifference(got, want []byte) string {
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := 0; i < len(g) || i < len(w); i++ {
		var x, y []byte
		if i < len(g) {
			x = g[i]
		}
		if i < len(w) {
			y = w[i]
		}
		if !bytes.Equal(x, y) {
			return fmt.Sprintf("line %d:\n got  %s\n want %s", i+1, x, y)
		}
	}
	return "equal"
}

// mutations is how many changed copies of each CIB are compared.
func mutations() int {
	if os.Getenv("CORPUS") == "all" {
		return 3
	}
	return 1
}

// mutate changes one thing in a tree.
func mutate(rng *rand.Rand, root *xmltree.Node) {
	var all []*xmltree.Node
	var walk func(*xmltree.Node)
	walk = func(n *xmltree.Node) {
		for c := n.First; c != nil; c = c.Next {
			all = append(all, c)
			walk(c)
		}
	}
	walk(root)
	if len(all) == 0 {
		return
	}
	n, m := all[rng.IntN(len(all))], all[rng.IntN(len(all))]
	switch kind := rng.IntN(9); {
	case kind == 0:
		n.Remove()
	case kind == 1 && n.Kind == xmltree.Element:
		n.Set(fmt.Sprintf("new%d", rng.IntN(3)), "<'é")
	case kind == 2 && len(n.Attrs) > 0:
		n.Attrs[rng.IntN(len(n.Attrs))].Value = fmt.Sprint("changed", rng.IntN(100))
	case kind == 3 && len(n.Attrs) > 1:
		n.Unset(n.Attrs[len(n.Attrs)-1].Name)
	case kind == 4 && len(n.Attrs) > 1: // the order of attributes
		a := n.Attrs[0]
		n.Attrs = append(append([]xmltree.Attr{}, n.Attrs[1:]...), a)
	case kind == 5: // a move among siblings
		p := n.Parent
		if p.Last != n {
			n.Remove()
			p.Add(n)
		}
	case kind == 6 && m.Kind == xmltree.Element:
		c := n.Copy()
		if c.Kind == xmltree.Element {
			c.Set("id", fmt.Sprint("copy", rng.IntN(1000)))
		}
		m.Add(c)
	case kind == 7:
		n.AddAfter(&xmltree.Node{Kind: xmltree.Comment, Name: fmt.Sprint(" note ", rng.IntN(4), " ")})
	case kind == 8:
		root.Set("num_updates", fmt.Sprint(rng.IntN(20)))
	}
}
