package pacemakerd

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
	status = Run(&applet.Env{Name: "pacemakerd", Argv0: "pacemakerd", Args: strings.Fields(args), Stdout: &out, Stderr: &err})
	return out.String(), err.String(), status
}

// TestTextsEqualTheOriginals compares with what the original wrote.
func TestTextsEqualTheOriginals(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	for _, c := range []struct{ args, file string }{
		{"--help-all", "help-all.txt"}, {"--version", "version.txt"},
		{"-F", "features.txt"}, {"-F --output-as=xml", "features.xml"},
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
		"--bogus":                "pacemakerd: Unknown option --bogus\n",
		"--output-as=nothing -F": "pacemakerd: Error creating output format nothing: Unknown output format\n",
	} {
		if out, stderr, status := run(args); out != "" || stderr != want || status == 0 {
			t.Errorf("%s: status %d, %q, %q", args, status, out, stderr)
		}
	}
}
