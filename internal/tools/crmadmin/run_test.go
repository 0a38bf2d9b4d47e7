package crmadmin

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
	status = Run(&applet.Env{Name: "crmadmin", Argv0: "crmadmin", Args: strings.Fields(args), Stdout: &out, Stderr: &err})
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
