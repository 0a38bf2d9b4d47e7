package crmnode

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/applet"
)

// run runs the program with arguments separated by spaces.
func run(args string) (stdout, stderr string, status int) {
	var out, err bytes.Buffer
	status = Run(&applet.Env{Name: "crm_node", Argv0: "crm_node", Args: strings.Fields(args), Stdout: &out, Stderr: &err})
	return out.String(), err.String(), status
}

// TestTextsEqualTheOriginals compares with what the original wrote.
func TestTextsEqualTheOriginals(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	for _, c := range []struct{ args, file string }{
		{"--help-all", "help-all.txt"}, {"--version", "version.txt"},
	} {
		want, err := os.ReadFile("testdata/" + c.file)
		if err != nil {
			t.Fatal(err)
		}
		if out, stderr, status := run(c.args); out != string(want) || stderr != "" || status != 0 {
			t.Errorf("%s: status %d, %q\n%s\nwant\n%s", c.args, status, stderr, out, want)
		}
	}
}

func TestBadUsage(t *testing.T) {
	for args, want := range map[string]string{
		"--bogus": "crm_node: Unknown option --bogus\n",
		"-R n7":   "The supplied command is considered dangerous.  To prevent accidental destruction of the cluster, the --force flag is required in order to proceed.\n",
	} {
		if out, stderr, status := run(args); out != "" || stderr != want || status != 64 {
			t.Errorf("%s: status %d, %q, %q", args, status, out, stderr)
		}
	}
}

func TestNameFromTheAgentsEnvironment(t *testing.T) {
	t.Setenv("OCF_RESKEY_CRM_meta_on_node", "n9")
	if out, _, status := run("-n"); out != "n9\n" || status != 0 {
		t.Errorf("status %d, %q", status, out)
	}
}
