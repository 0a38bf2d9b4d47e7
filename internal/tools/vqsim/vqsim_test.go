package vqsim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/applet/applettest"
)

// writeConf writes a corosync.conf of so many nodes.
func writeConf(t *testing.T, file string, nodes int, options ...string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("totem {\n  version: 2\n}\nnodelist {\n")
	for i := range nodes {
		id := string(rune('1' + i))
		b.WriteString("  node {\n    ring0_addr: 10.0.0." + id + "\n    nodeid: " + id + "\n  }\n")
	}
	b.WriteString("}\nquorum {\n  provider: corosync_votequorum\n")
	for _, o := range options {
		b.WriteString("  " + o + "\n")
	}
	b.WriteString("}\n")
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// run is the program in process: status, stdout, stderr.
func run(stdin string, args ...string) (int, string, string) {
	return applettest.Run(Run, "corosync-vqsim", stdin, args...)
}

func TestOptions(t *testing.T) {
	for _, arg := range []string{"-h", "--help"} {
		if status, out, errs := run("", arg); status != 0 || errs != "" || !strings.HasPrefix(out, "Usage:\n\ncorosync-vqsim [-c") {
			t.Errorf("%s: status %d\n%s%s", arg, status, out, errs)
		}
	}
	if status, out, errs := run("", "-x"); status != 0 || errs != "corosync-vqsim: invalid option -- 'x'\n" || !strings.HasPrefix(out, "Usage:") {
		t.Errorf("-x: status %d\n%s%s", status, out, errs)
	}
	if status, _, errs := run("", "-o", "/nonexistent/x"); status != 3 || errs != "Unable to open /nonexistent/x for output: No such file or directory\n" {
		t.Errorf("-o: status %d %s", status, errs)
	}
	if status, out, errs := run("show\n", "-c", "/nonexistent/x"); status != 0 || out != "#vqsim> show\n#autofence: off\n#vqsim> " || !strings.Contains(errs, "/nonexistent/x") {
		t.Errorf("-c: status %d\n%s%s", status, out, errs)
	}
}

// TestStory: every command, what it says and the prompts around it. But for the
// states after a split, which Debian's shows before they are settled, and
// autofence, it is what Debian's corosync-vqsim said.
func TestStory(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "c")
	writeConf(t, file, 3)
	script := strings.Join([]string{"show", "down 3", "up  3 ", "up 3", "split 1:3", "join 0 1", "down 9", "move 9", "join", "qdevice on 0:1", "qdevice",
		"autofence on", "split 1:1,2 0:3", "# comment", "", "timeout 100", "assert maybe", "up 99:4", "up 0", "down 1 2", "sync off", "up 9", "exit", "show"}, "\n")
	want := `0:1: q=1 ring=[1.c] nodes=[1 2 3]
0:2: q=1 ring=[1.c] nodes=[1 2 3]
0:3: q=1 ring=[1.c] nodes=[1 2 3]
#autofence: off
#vqsim> show
0:1: q=1 ring=[1.c] nodes=[1 2 3]
0:2: q=1 ring=[1.c] nodes=[1 2 3]
0:3: q=1 ring=[1.c] nodes=[1 2 3]
#autofence: off
#vqsim> down 3
0:3: Quit (on request)
0:1: q=1 ring=[1.10] nodes=[1 2]
0:2: q=1 ring=[1.10] nodes=[1 2]
#autofence: off
#vqsim> up  3 
0:1: q=1 ring=[1.14] nodes=[1 2 3]
0:2: q=1 ring=[1.14] nodes=[1 2 3]
0:3: q=1 ring=[1.14] nodes=[1 2 3]
#autofence: off
#vqsim> up 3
#vqsim> split 1:3
0:1: q=1 ring=[1.18] nodes=[1 2]
0:2: q=1 ring=[1.18] nodes=[1 2]
1:3: q=0 ring=[3.4] nodes=[3]
#autofence: off
#vqsim> join 0 1
0:1: q=1 ring=[1.1c] nodes=[1 2 3]
0:2: q=1 ring=[1.1c] nodes=[1 2 3]
0:3: q=1 ring=[1.1c] nodes=[1 2 3]
#autofence: off
#vqsim> down 9
#vqsim> move 9
ERR: node 9 does not exist
0:1: q=1 ring=[1.20] nodes=[1 2 3]
0:2: q=1 ring=[1.20] nodes=[1 2 3]
0:3: q=1 ring=[1.20] nodes=[1 2 3]
#autofence: off
#vqsim> join
` + commands + `#vqsim> qdevice on 0:1
#vqsim> qdevice
#vqsim> autofence on
#autofence: on
#vqsim> split 1:1,2 0:3
0:3: Quit (autofenced)
1:1: q=1 ring=[1.10] nodes=[1 2]
1:2: q=1 ring=[1.10] nodes=[1 2]
#autofence: on
#vqsim> # comment

#vqsim> timeout 100
#vqsim> assert maybe
#vqsim> up 99:4
#vqsim> up 0
#vqsim> down 1 2
1:1: Quit (on request)
1:2: q=0 ring=[2.14] nodes=[2]
#autofence: on
#vqsim> sync off
#sync: off
#vqsim> up 9
0:9: q=0 ring=[9.2c] nodes=[9]
exit
`
	wantErrs := `ERR: nodeid 3 already exists in partition 0
ERR: nodeid 9 is not up
ERR: qdevice should be 'on' or 'off'
ERR: assert value must be 'on' or 'off'
ERR: there is no partition 99, the last is 15
ERR: could not create vq instance nodeid 0
down: takes one node at a time; only 1 goes
`
	status, out, errs := run(script, "-c", file)
	if status != 0 || out != want || errs != wantErrs {
		t.Errorf("status %d\n%s\nwant\n%s\nstderr\n%s\nwant\n%s", status, out, want, errs, wantErrs)
	}
	// With -o and -n.
	states := filepath.Join(dir, "o")
	status, out, errs = run("show\ndown 2\n", "-c", file, "-n", "-o", states)
	shown, err := os.ReadFile(states)
	if status != 0 || out != "#vqsim> show\n#vqsim> down 2\n0:2: Quit (on request)\n" || errs != "" || err != nil ||
		!strings.HasSuffix(string(shown), "0:1: q=1 ring=[1.10] nodes=[1 3]\n0:3: q=1 ring=[1.10] nodes=[1 3]\n") {
		t.Errorf("status %d, %v\n%s\n%s\n%s", status, err, out, errs, shown)
	}
}
