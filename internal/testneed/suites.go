package testneed

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// Suites is the folder cts of Pacemaker's sources, as far as test/source keeps it
// (make deps): the suites are not ours to copy.
func Suites(t testing.TB) string {
	t.Helper()
	dir, ok := suites()
	if !ok {
		Missing(t, "no sources of Pacemaker's regression suites (make deps)")
	}
	return dir
}

func suites() (dir string, ok bool) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", false
	}
	dir = filepath.Join(cache, "pacesync", "pacemaker-2.1.5", "cts")
	_, err = os.Stat(filepath.Join(filepath.Dir(dir), ".complete-2"))
	return dir, err == nil
}

// Cases is the folder of Pacemaker's scheduler tests with what the original makes
// of them: xml, exp, dot, scores, stderr, summary. PACESYNC_SHARED may say where
// they are; otherwise they are those of the sources.
func Cases(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(os.Getenv("PACESYNC_SHARED"), "conformance", "scheduler")
	if _, err := os.Stat(filepath.Join(dir, "xml")); err == nil {
		return dir
	}
	return filepath.Join(Suites(t), "scheduler")
}

// CIBs lists the CIBs of the conformance cases.
func CIBs(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(Cases(t), "xml", "*.xml"))
	if err != nil || len(files) == 0 {
		Missing(t, "no CIBs among the conformance cases in "+Cases(t))
	}
	return files
}

// Case is one of the scheduler's tests: the name of its files, and what
// crm_simulate is told beside the file.
type Case struct {
	Name string   `json:"name"`
	Args []string `json:"args"`
}

// List reads which cases there are: tests.json beside the cases, or the table in
// the suite's own program (cts/cts-scheduler.in: TESTS).
func List(t testing.TB) []Case {
	t.Helper()
	dir := Cases(t)
	if data, err := os.ReadFile(filepath.Join(dir, "tests.json")); err == nil {
		var list []Case
		if err := json.Unmarshal(data, &list); err != nil {
			t.Fatal(err)
		}
		return list
	}
	text, err := os.ReadFile(filepath.Join(dir, "..", "cts-scheduler.in"))
	if err != nil {
		t.Fatal(err)
	}
	return table(string(text))
}

// table reads the entries of the form [ "name", "description", [ "argument", … ] ],
// whose description may go over several lines.
func table(program string) []Case {
	entry := regexp.MustCompile(`(?m)^ +(?:\[ +)?\[\s*"([^"]+)"\s*,(?:\s*"(?:[^"\\]|\\.)*")+\s*(?:,\s*(\[[^]]*\])\s*)?\]`)
	var list []Case
	for _, m := range entry.FindAllStringSubmatch(program, -1) {
		c := Case{Name: m[1]}
		if m[2] == "" || json.Unmarshal([]byte(m[2]), &c.Args) == nil {
			list = append(list, c)
		}
	}
	return list
}
