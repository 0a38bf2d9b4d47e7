package cib_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	tool "github.com/pacesync/pacesync/internal/tools/cibadmin"
)

const toolCIB = `<cib crm_feature_set="3.16.1" validate-with="pacemaker-3.0" epoch="4" num_updates="2" admin_epoch="1"><configuration><crm_config><cluster_property_set id="cib-bootstrap-options">` +
	`<nvpair id="a" name="stonith-enabled" value="true"/></cluster_property_set></crm_config><nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes><resources>` +
	`<primitive id="p1" class="ocf" provider="pacemaker" type="Dummy"/><primitive id="p2" class="ocf" provider="pacemaker" type="Dummy"/></resources><constraints/></configuration><status/></cib>`

// toolCases are command lines; where both cibadmins read standard input they get a node.
func toolCases() [][]string {
	dummy := `class="ocf" provider="pacemaker" type="Dummy"/>`
	return [][]string{
		{"--help"}, {"-?"}, {"--bogus"}, {"-Z"}, {}, {"foo"}, {"--version"}, {"-$"}, {"-!"}, {"-a"}, {"-a", "pacemaker-1.2"}, {"-X", "<a/>"}, {"--xml-text"}, {"-X"}, {"--quer"}, {"--no"},
		{"-Q"}, {"-Q", "-o", "nodes"}, {"-Q", "-o", "bogus"}, {"--scope=nodes", "--query"}, {"-Q", "--local"}, {"-Q", "-N", "n1"}, {"-t", "abc", "-Q"}, {"-V", "-Q", "-n"}, {"-Q", "-n"},
		{"-Q", "-A", "//node"}, {"-Q", "-A", "//node[1]"}, {"-Q", "-A", "//node", "-e"}, {"-Q", "-A", "//node[1]", "-e"}, {"-Q", "-A", "//node", "-n"}, {"-Q", "-A", "//nothing"}, {"-Q", "-A", "//["}, {"-QA", "//node[2]"},
		{"-B"}, {"-s", "-B"}, {"-l", "-B"}, {"-b", "-B"}, {"-u"}, {"-u", "--force"}, {"-E"}, {"-E", "-f"}, {"-D", "-A", "//node"}, {"-d", "-A", "//node"}, {"-d", "--force", "-A", "//node"},
		{"-5"}, {"-6"}, {"-5", "-X", "<a b='1'/>"}, {"-6", "-X", "<a b='1'/>"}, {"-6", "-X", toolCIB}, {"-Q", "-x", "/nonexistent"}, {"-S", "-Q"}, {"--show-access=bogus", "-Q"},
		{"-C", "-o", "resources", "-X", `<primitive id="p1" ` + dummy}, {"-C", "-o", "resources", "-X", `<primitive id="p3" ` + dummy}, {"-C", "-p"}, {"-C", "-o", "nodes", "-p"},
		{"-M", "-X", `<primitive id="p9" ` + dummy}, {"-M", "-c", "-o", "resources", "-X", `<primitive id="p9" ` + dummy}, {"-M"}, {"-R", "-X", "<nodes/>"}, {"-R", "-X", toolCIB},
		{"-R", "-X", strings.Replace(toolCIB, `epoch="4"`, `epoch="2"`, 1)}, {"-D", "-X", `<node id="1"/>`}, {"-D", "-o", "nodes", "-X", "<nodes/>"},
	}
}

// TestCibadminEqualsDebians compares output, complaints, status and the file.
func TestCibadminEqualsDebians(t *testing.T) {
	labtest.Need(t, cibadmin)
	for _, args := range toolCases() {
		path := filepath.Join(t.TempDir(), "cib.xml")
		t.Setenv("CIB_file", path)
		if err := os.WriteFile(path, []byte(toolCIB), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, want := cibadmins(t, path, args); got != want {
			t.Errorf("cibadmin %q\n ours   %+v\n theirs %+v", args, got, want)
		}
	}
}

// called is what became of a call of cibadmin.
type called struct {
	status               int
	out, complaint, file string
}

// cibadmins runs ours and Debian's, each on the CIB that the file holds.
func cibadmins(t *testing.T, path string, args []string) (ours, theirs called) {
	t.Helper()
	cib, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	run := func(f func(in string, out, complaint *bytes.Buffer) int) called {
		if err := os.WriteFile(path, cib, 0o600); err != nil {
			t.Fatal(err)
		}
		var out, complaint bytes.Buffer
		status := f(`<node id="7" uname="x"/>`, &out, &complaint)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return called{status, out.String(), complaint.String(), string(b)}
	}
	theirs = run(func(in string, out, complaint *bytes.Buffer) int {
		cmd := exec.Command(cibadmin, args...)
		cmd.Args[0], cmd.Stdin, cmd.Stdout, cmd.Stderr = "cibadmin", strings.NewReader(in), out, complaint
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode()
	})
	ours = run(func(in string, out, complaint *bytes.Buffer) int {
		return tool.Run(&applet.Env{Name: "cibadmin", Argv0: "cibadmin", Args: args, Stdin: strings.NewReader(in), Stdout: out, Stderr: complaint})
	})
	// Ours says why a file cannot be read before it says that it could not parse it.
	ours.complaint = strings.TrimPrefix(ours.complaint, "open /nonexistent: no such file or directory\n")
	return ours, theirs
}
