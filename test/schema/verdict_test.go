package schema

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/cib/schema"
	"github.com/pacesync/pacesync/cib/schema/schemafiles"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testneed"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// cases lists the CIBs of Pacemaker's scheduler tests.
func cases(t testing.TB) []string {
	t.Helper()
	return testneed.CIBs(t)
}

func compile(t testing.TB, name string) *schema.Schema {
	t.Helper()
	s, err := schema.Compile(schemafiles.Opener(schemafiles.Dir()), name+".rng")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// verdicts asks xmllint about many files at once.
func verdicts(t testing.TB, name string, files []string) map[string]bool {
	t.Helper()
	rng := filepath.Join(schemafiles.Dir(), name+".rng")
	cmd := exec.Command("xmllint", append([]string{"--noout", "--noblanks", "--relaxng", rng}, files...)...)
	var out bytes.Buffer
	cmd.Stderr = &out
	_ = cmd.Run() // its status says only that one file was invalid
	got := map[string]bool{}
	sc := bufio.NewScanner(&out)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		if file, ok := strings.CutSuffix(sc.Text(), " fails to validate"); ok {
			got[file] = false
		} else if file, ok := strings.CutSuffix(sc.Text(), " validates"); ok {
			got[file] = true
		}
	}
	if len(got) != len(files) {
		t.Fatalf("xmllint judged %d of %d files:\n%.2000s", len(got), len(files), out.String())
	}
	return got
}

func parse(t testing.TB, file string) *xmltree.Node {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	root, err := xmltree.Parse(text, xmltree.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return root
}

// compare holds the verdicts on files against xmllint's and counts the valid ones.
func compare(t *testing.T, name string, files []string) (valid int) {
	s := compile(t, name)
	for file, want := range verdicts(t, name, files) {
		root := parse(t, file)
		faults := s.Validate(root)
		if want {
			valid++
		}
		if got := len(faults) == 0; got != want {
			t.Errorf("%s %s: xmllint says %v, we say %v: %v", name, filepath.Base(file), want, got, faults)
			if dir := os.Getenv("SCHEMA_KEEP"); dir != "" {
				_ = os.WriteFile(filepath.Join(dir, name+"-"+filepath.Base(file)), root.Append(nil), 0o644)
			}
		}
	}
	return valid
}

func TestVerdictsOnTheCases(t *testing.T) {
	labtest.Need(t, "/usr/bin/xmllint")
	files := cases(t)
	for _, name := range []string{"pacemaker-1.3", "pacemaker-3.9"} {
		valid := compare(t, name, files)
		t.Logf("%s: %d of %d valid", name, valid, len(files))
	}
}

// TestVerdictsOnMutations changes valid cases at random.
func TestVerdictsOnMutations(t *testing.T) {
	labtest.Need(t, "/usr/bin/xmllint")
	const each = 250
	files := cases(t)
	for i, name := range []string{"pacemaker-1.2", "pacemaker-2.5", "pacemaker-3.0", "pacemaker-3.9"} {
		rnd := rand.New(rand.NewPCG(uint64(i), 16))
		s := compile(t, name)
		dir := t.TempDir()
		var out []string
		for len(out) < each {
			root := parse(t, files[rnd.IntN(len(files))])
			if name >= "pacemaker-3" && !s.Valid(root) {
				continue
			}
			if status := root.Child("status"); status != nil && rnd.IntN(4) > 0 {
				status.Remove()
			}
			for range 1 + rnd.IntN(2) {
				mutate(rnd, root)
			}
			file := filepath.Join(dir, fmt.Sprintf("%s-%d.xml", name, len(out)))
			if err := os.WriteFile(file, root.Append(nil), 0o644); err != nil {
				t.Fatal(err)
			}
			out = append(out, file)
		}
		valid := compare(t, name, out)
		t.Logf("%s: %d of %d valid", name, valid, each)
	}
}

// mutate makes one change somewhere.
func mutate(rnd *rand.Rand, root *xmltree.Node) {
	var all []*xmltree.Node
	root.Find(func(n *xmltree.Node) bool { all = append(all, n); return false })
	n, other := all[rnd.IntN(len(all))], all[rnd.IntN(len(all))]
	pick := func(words ...string) string { return words[rnd.IntN(len(words))] }
	value := func() string {
		return pick("", " ", "x", "a b", "INFINITY", "-INFINITY", " 5 ", "-3", "0", "+7", "true", "1x", "ä-b", "Master", "Promoted",
			"start", "stop", "99999999999999999999999999", other.ID(), all[rnd.IntN(len(all))].ID(), "ocf", "lsb", "stonith", "12.5", "and")
	}
	switch kind := rnd.IntN(9); {
	case kind == 0 && len(n.Attrs) > 0:
		n.Unset(n.Attrs[rnd.IntN(len(n.Attrs))].Name)
	case kind == 1 && len(n.Attrs) > 0:
		a := n.Attrs[rnd.IntN(len(n.Attrs))]
		n.Unset(a.Name)
		if len(other.Attrs) > 0 {
			n.Set(other.Attrs[rnd.IntN(len(other.Attrs))].Name, a.Value)
		}
	case kind <= 3 && len(n.Attrs) > 0:
		n.Set(n.Attrs[rnd.IntN(len(n.Attrs))].Name, value())
	case kind == 4:
		n.Set(pick("id", "id-ref", "rsc", "node", "score", "role", "name", "value", "description", "type", "class", "ordering", "rsc-role"), value())
	case kind == 5 && n != root && other != n && other.Find(func(k *xmltree.Node) bool { return k == n }) == nil &&
		n.Find(func(k *xmltree.Node) bool { return k == other }) == nil:
		n.Remove()
		other.Add(n)
	case kind == 6 && n != root:
		n.Parent.Add(n.Copy())
	case kind == 7 && n != root:
		n.Remove()
	case kind == 8 && n != root:
		n.Name = other.Name
	default:
		n.AddNew(other.Name, slices.Clone(other.Attrs)...)
	}
}
