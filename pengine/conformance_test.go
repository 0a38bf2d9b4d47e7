package pengine_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/testneed"
	"github.com/pacesync/pacesync/internal/tools/crmsimulate"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/simulate"
)

// TestConformance compares what crm_simulate shows, scores, draws and writes with
// the original's, for every case.
func TestConformance(t *testing.T) {
	dir := testneed.Cases(t)
	listed := disagree(t)
	for _, c := range testneed.List(t) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			problems := check(t, dir, c.Name, c.Args)
			switch {
			case listed[c.Name] && len(problems) == 0:
				t.Error("agrees now: take it off testdata/disagree.txt")
			case !listed[c.Name]:
				for _, p := range problems {
					t.Error(p)
				}
			}
		})
	}
}

func disagree(t *testing.T) map[string]bool {
	data, err := os.ReadFile("testdata/disagree.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for l := range strings.Lines(string(data)) {
		if l = strings.TrimSpace(l); l != "" && l[0] != '#' {
			out[l] = true
		}
	}
	return out
}

// check runs one case the two ways in which the original made the expected files.
func check(t *testing.T, dir, name string, args []string) (problems []string) {
	read := func(kind string) string {
		b, err := os.ReadFile(filepath.Join(dir, kind, name+"."+kind))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	file, tmp := filepath.Join(dir, "xml", name+".xml"), t.TempDir()
	dot, graph := filepath.Join(tmp, "dot"), filepath.Join(tmp, "graph")
	var shown, scores, stderr bytes.Buffer
	run := func(stdout, stderr *bytes.Buffer, args ...string) {
		rc := crmsimulate.Run(&applet.Env{Name: "crm_simulate", Argv0: "crm_simulate", Args: args, Stdout: stdout, Stderr: stderr})
		if rc != 0 {
			problems = append(problems, fmt.Sprint("exit status ", rc))
		}
	}
	run(&shown, &shown, "-x", file, "-S")
	run(&scores, &stderr, append([]string{"-x", file, "-D", dot, "-G", graph, "-sSQ"}, args...)...)
	written := func(name string) string {
		b, _ := os.ReadFile(name)
		return string(b)
	}
	said, _ := os.ReadFile(filepath.Join(dir, "stderr", name+".stderr")) // most cases say nothing
	for _, c := range []struct{ kind, want, got string }{
		{"summary", joined(read("summary")), joined(shown.String())},
		{"stderr", joined(string(said)), joined(stderr.String())},
		{"scores", sorted(read("scores")), sorted(scores.String())},
		{"dot", sorted(read("dot")), sorted(written(dot))},
		{"exp", joined(unversioned(read("exp"))), joined(unversioned(written(graph)))},
	} {
		if c.want != c.got {
			problems = append(problems, c.kind+": "+difference(c.want, c.got))
		}
	}
	return problems
}

var (
	space     = regexp.MustCompile(`[ \t]+`)
	versioned = regexp.MustCompile(`crm_feature_set="[^"]*"|batch-limit="[0-9]*"`)
)

func unversioned(s string) string { return versioned.ReplaceAllString(s, "") }

// lines are the lines of a text without white space and empty lines.
func lines(s string) (out []string) {
	for l := range strings.Lines(s) {
		if l = space.ReplaceAllString(strings.TrimSpace(l), ""); l != "" {
			out = append(out, l)
		}
	}
	return out
}

func joined(s string) string { return strings.Join(lines(s), "\n") }

// sorted drops repetitions too: the original draws some edges more than once.
func sorted(s string) string {
	l := lines(s)
	slices.Sort(l)
	return strings.Join(slices.Compact(l), "\n")
}

// difference shows the first lines that differ.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		switch {
		case i >= len(w):
			return "more than expected: " + g[i]
		case i >= len(g):
			return "less than expected: " + w[i]
		case w[i] != g[i]:
			return "\nexpected " + w[i] + "\n     got " + g[i]
		}
	}
	return ""
}

// TestSame runs the same input twice and expects the same bytes: nothing may depend
// on the order of a map or on what ran before.
func TestSame(t *testing.T) {
	files := testneed.CIBs(t)
	for i, f := range files {
		if i%8 != 0 {
			continue
		}
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var first []byte
		for range 2 {
			cib, err := xmltree.Parse(data, xmltree.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			var all bytes.Buffer
			keep := func(b []byte) error { all.Write(b); return nil }
			out := pcmkout.New(pcmkout.Text, pcmkout.Options{}, &all, &all)
			if _, err := simulate.Run(simulate.Options{Out: out, CIB: cib, Clock: iso8601.Time{Unix: 1700000000}, Process: true, Execute: true,
				Pending: true, Sanitized: true, Scores: true, Utilization: true, SaveGraph: keep, SaveDot: keep}); err != nil {
				t.Fatal(err)
			}
			out.Finish(pcmk.ExitOK)
			if first == nil {
				first = all.Bytes()
			} else if !bytes.Equal(first, all.Bytes()) {
				t.Errorf("%s: two runs differ", filepath.Base(f))
			}
		}
	}
}

// BenchmarkRun is one decision on the largest case, parsing included.
func BenchmarkRun(b *testing.B) {
	files := testneed.CIBs(b)
	var data []byte
	for _, f := range files {
		if d, err := os.ReadFile(f); err == nil && len(d) > len(data) {
			data = d
		}
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		cib, err := xmltree.Parse(data, xmltree.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := simulate.Run(simulate.Options{CIB: cib, Clock: iso8601.Time{Unix: 1700000000}, Process: true, SaveGraph: func([]byte) error { return nil }}); err != nil {
			b.Fatal(err)
		}
	}
}
