package lintcmd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/applet/applettest"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// run is the program in process: status, stdout, stderr.
func run(args ...string) (int, string, string) {
	return applettest.Run(Run, "pacesync", "", args...)
}

const conf = `totem {
  version: 2
  cluster_name: x
  transport: udpu
  tokne: 5000
}
nodelist {
  node {
    name: nobody-here
    ring0_addr: 192.0.2.1
    nodeid: 1
  }
}
quorum {
  provider: corosync_votequorum
}
`

func TestForms(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "corosync.conf")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(conf)
	want := file + `:5: warning: there is no option "tokne" in this section: it is ignored [unknown-key]
    Did you mean token?
This machine is not in the nodelist: checked as the node nobody-here.
0 errors, 1 warning, 0 notes
`
	for _, args := range [][]string{{file}, {"-c", file}, {"--config=" + file, "--output-as", "text"}} {
		if status, out, errs := run(args...); status != 1 || out != want || errs != "" {
			t.Errorf("%v: status %d\n%s%s", args, status, out, errs)
		}
	}
	status, out, _ := run("--output-as=json", file)
	var got struct {
		File      string
		CheckedAs string `json:"checked_as"`
		Findings  []finding
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || status != 1 || got.File != file || got.CheckedAs != "nobody-here" || len(got.Findings) != 1 ||
		got.Findings[0] != (finding{5, "warning", "unknown-key", `there is no option "tokne" in this section: it is ignored`, "Did you mean token?"}) {
		t.Errorf("%v, status %d\n%s", err, status, out)
	}
	_, out, _ = run("--output-as=xml", file)
	root, err := xmltree.ParseString(out, xmltree.Limits{})
	if err != nil || root.Child("finding").Attr("rule") != "unknown-key" || root.Child("finding").Attr("line") != "5" || root.Attr("checked-as") != "nobody-here" {
		t.Errorf("%v\n%s", err, out)
	}
	write(strings.Replace(conf, "tokne: 5000", "token: x", 1))
	if status, out, _ := run(file); status != 2 || !strings.HasPrefix(out, file+":5: error: Value of key \"totem.token\" is expected to be integer") {
		t.Errorf("status %d\n%s", status, out)
	}
	write(strings.Replace(conf, "  tokne: 5000\n", "", 1))
	if status, out, _ := run(file, "--output-as=json"); status != 0 || !strings.Contains(out, `"findings": []`) {
		t.Errorf("status %d\n%s", status, out)
	}
}

func TestUsage(t *testing.T) {
	for args, want := range map[string]int{"--help": 0, "-x": 64, "a b": 64, "--output-as=html": 64, "-c /nonexistent/x": 66} {
		status, out, errs := run(strings.Fields(args)...)
		if status != want || (want == 0) != (out == usage) || (want == 0) == (errs != "") {
			t.Errorf("%s: status %d\n%s%s", args, status, out, errs)
		}
	}
	if status, _, errs := run("-c", "/nonexistent/x"); status != 66 || errs != "pacesync lint: cannot read /nonexistent/x: No such file or directory\n" {
		t.Errorf("status %d %s", status, errs)
	}
}
