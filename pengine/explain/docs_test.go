package explain_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/pengine/explain"
)

var update = flag.Bool("update", false, "write the tables of docs/explain.md")

// TestDocs holds the tables of docs/explain.md to the code; -update writes them.
func TestDocs(t *testing.T) {
	const file = "../../docs/explain.md"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := replace(t, replace(t, string(data), "kinds", kindTable()), "changes", changeTable())
	if want == string(data) {
		return
	}
	if !*update {
		t.Fatalf("%s does not say what the code does: go test ./pengine/explain -run TestDocs -update", file)
	}
	if err := os.WriteFile(file, []byte(want), 0o666); err != nil {
		t.Fatal(err)
	}
}

func replace(t *testing.T, text, mark, table string) string {
	start, end := "<!-- "+mark+" -->\n", "<!-- end -->"
	before, rest, ok := strings.Cut(text, start)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("no place for %s", mark)
	}
	return before + start + table + end + after
}

func kindTable() string {
	var b strings.Builder
	b.WriteString("| kind | what is said | what it means |\n|---|---|---|\n")
	for k := range explain.Kinds {
		i := k.Info()
		b.WriteString("| `" + i.Name + "` | " + i.Text + " | " + i.Help + " |\n")
	}
	return b.String()
}

func changeTable() string {
	var b strings.Builder
	b.WriteString("| change | undoes |\n|---|---|\n")
	names, kinds := explain.Remedies()
	for i, n := range names {
		var undoes []string
		for _, k := range kinds[i] {
			undoes = append(undoes, "`"+k.String()+"`")
		}
		if undoes == nil {
			undoes = []string{"a lower score than that of the chosen node"}
		}
		b.WriteString("| `" + n + "` | " + strings.Join(undoes, ", ") + " |\n")
	}
	return b.String()
}

// TestKinds: every kind has its own name, a text and a meaning, and is found by name.
func TestKinds(t *testing.T) {
	for k := range explain.Kinds {
		i := k.Info()
		if i.Name == "" || i.Text == "" || i.Help == "" {
			t.Errorf("kind %d is not described", k)
		}
		if found, ok := explain.Find(i.Name); !ok || found != k {
			t.Errorf("%s is the name of two kinds", i.Name)
		}
		f := explain.Finding{Kind: k, Node: "n", Rsc: "r", Role: "o", ID: "i", Of: "f", Op: "p", Value: "v", Count: "1", Limit: "2", Until: 1}
		if text := f.Text(); strings.ContainsAny(text, "{}[]") {
			t.Errorf("%s: %s", i.Name, text)
		}
		empty := explain.Finding{Kind: k}
		if text := empty.Text(); strings.ContainsAny(text, "{}[]") {
			t.Errorf("%s: %s", i.Name, text)
		}
	}
}

func TestSimilar(t *testing.T) {
	cib := newBuilder(t).build("option stonith-enabled=false\nnode a\nprim web\nprim database\nprim ip-1")
	e, err := explain.New(explain.Input{CIB: cib})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"wbe": "did you mean web?", "we": "did you mean web?", "databse": "did you mean database?", "IP-1": "did you mean ip-1?",
		"data": "did you mean database?", "other": "there are web, database, ip-1", "x": "there are web, database, ip-1",
	} {
		_, err := e.Resource(explain.Query{Resource: name})
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}
