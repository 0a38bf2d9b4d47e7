package lintcmd

import (
	"encoding/json"
	"fmt"
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

// TestQuorum: what the daemon refuses only when the quorum service starts.
func TestQuorum(t *testing.T) {
	file := filepath.Join(t.TempDir(), "corosync.conf")
	for lines, want := range map[string]string{
		"provider: nothing\n": ": error: Invalid quorum provider [quorum]\n",
		"provider: corosync_votequorum\ntwo_node: 1\ndevice {\nmodel: net\n}\n":                     ": error: configuration error: two_node and quorum device cannot be configured at the same time! [quorum]\n",
		"provider: corosync_votequorum\nexpected_votes: 4\ndevice {\nmodel: net\n}\n":               ": error: configuration error: quorum.device.votes must be specified when quorum.expected_votes is set [quorum]\n",
		"provider: corosync_votequorum\nauto_tie_breaker: 1\nlast_man_standing: 1\n":                ": error: configuration error: auto_tie_breaker & last_man_standing not available in odd sized cluster [quorum]\n",
		"provider: corosync_votequorum\nauto_tie_breaker: 1\n":                                      ": warning: auto_tie_breaker is set and the cluster has an odd number of nodes. ",
		"provider: corosync_votequorum\ntwo_node: 1\nauto_tie_breaker: 1\nwait_for_all: 1\n":        "two_node and auto_tie_breaker are both specified but are not compatible. ",
		"provider: corosync_votequorum\nwait_for_all: 1\nauto_tie_breaker: 1\nallow_downscale: 0\n": "0 errors, 0 warnings",
	} {
		host, _ := os.Hostname() // so that no name has to be looked up
		three := "nodelist {\n"
		for i, name := range []string{host, "n2", "n3"} {
			three += fmt.Sprintf("node {\nname: %s\nnodeid: %d\nring0_addr: 10.0.0.%d\n}\n", name, i+1, i+1)
		}
		text := "totem {\nversion: 2\ntransport: udpu\ncluster_name: x\n}\n" + three + "}\nquorum {\n" + lines + "}\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		status, out, _ := run(file)
		if !strings.Contains(out, want) || strings.Contains(want, "error:") != (status == 2) || strings.Contains(want, ":") && !strings.Contains(out, file+":23") {
			t.Errorf("%s: status %d\n%s\nwant %q", lines, status, out, want)
		}
	}
}
