package pcmk

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testneed"
	"github.com/pacesync/pacesync/pengine/cibgen"
)

const simulator = "/usr/sbin/crm_simulate"

// TestSimulateTexts: help, errors of the command line and of files, exit statuses.
func TestSimulateTexts(t *testing.T) {
	labtest.Need(t, simulator)
	cib := string(read(t, filepath.Join(testneed.Cases(t), "xml", "one-or-more-0.xml")))
	sameTool(t, "crm_simulate", cib, `--help
--help-all
--help-output
--help-operations
--help-synthetic
--help-artifact
--help-source
--version
-$
-V --version --output-as=xml
--version --output-as=none
--bogus
--output-as=xml --bogus
-x
-x cib.xml -N abc
-x cib.xml -N 99999999999
--output-as=html
--output-as=foo -x cib.xml
--output-as=text --output-to=/nonexistent/x -x cib.xml
-x cib.xml operand
-x cib.xml --output-as=none -S
-x cib.xml -S -O /nonexistent/a
-x cib.xml -t garbage -S
-x cib.xml -i _start_0@node1=0 -i a__0@node1=0
-x cib.xml -S --output-to=/nonexistent/x
-x cib.xml -S --output-as=xml --output-to=/
-x cib.xml -P /nonexistent
-x cib.xml -P /nonexistent --output-as=xml
-L
-L -R --output-as=xml
-L -x cib.xml -Q
-xcib.xml -SQ
-x cib.xml --simulate --quiet --output-as=xml
--xml-legacy --output-as=xml -S -x cib.xml
`)
	sameTool(t, "crm_simulate", "", "-L\n-L --output-as=xml\n-L -S -Q\n")
	for _, line := range []string{"-S -D /nonexistent/a", "-S -G /nonexistent/a --output-as=xml", "-S -I /nonexistent/a"} {
		args := append([]string{"-x", "cib.xml"}, strings.Fields(line)...)
		want := runTool(t, simulator, "crm_simulate", cib, args)
		got := runTool(t, filepath.Join(labtest.Bin(t), "crm_simulate"), "crm_simulate", cib, args)
		// The original says nothing of it.
		if got.stdout != want.stdout || got.status != want.status || !strings.Contains(got.stderr, "/nonexistent/a") {
			t.Errorf("%s: got %+v, want %+v and the name of the file", line, got, want)
		}
	}
}

// simulations is what is asked of each CIB; out is a file of the results.
const simulations = `-S
-S --output-as=xml
-s
-s --output-as=xml
-sU -S
-U --output-as=xml
-sUQ
-A -c
-A -c -R --output-as=xml -j
--text-fancy -sU
-S -O out
-S -X
-S -u node1 -u newcomer -O out
-S -u node1 --output-as=xml
-S -t 2031-01-01 -R
-S -d node2 -O out
-S -f node2 --output-as=xml
-S -g ticketA -r ticketB -b ticketC -e ticketA -O out
-S -g ticketA -b ticketA --output-as=xml
-S -q 0 -w true -O out
-S -q false -w 1 --output-as=xml
-i foo -i foo@bar -i foo_start_0@node1=0 -i x_y
-S -i rsc1_monitor_10000@node1=1 -i rsc1_monitor_10000@node1=1 -O out
-S -i rsc1_monitor_10000@node1=1 --output-as=xml -c
-S -F rsc1_start_0@node1=1 -O out
-S -F rsc1_start_0@node1=x -F rsc1_start_0@node1=5 --output-as=xml -c
-S -D out
-S -D out -a
-S -D out -a -V -Q
-S -G out
`

// TestSimulate compares crm_simulate with the installed one on cases of the
// scheduler's suite and on generated CIBs: what it says in text and XML, what it
// writes, and the status.
func TestSimulate(t *testing.T) {
	labtest.Need(t, simulator)
	for _, name := range []string{"mon-rsc-3", "ticket-promoted-9", "utilization-order4"} {
		file := filepath.Join(testneed.Cases(t), "xml", name+".xml")
		for line := range strings.Lines(simulations) {
			sameSimulation(t, file, strings.Fields(line))
		}
	}
	for seed := range uint64(4) {
		sameGenerated(t, seed+1, "-S --output-as=xml", "-sU --output-as=xml")
	}
}

// TestSimulateOffline is TestSimulate on every case and on many generated CIBs.
func TestSimulateOffline(t *testing.T) {
	labtest.Need(t, simulator)
	labtest.Long(t, "TestSimulate")
	for _, file := range testneed.CIBs(t) {
		for _, line := range []string{"-S -O out", "-S --output-as=xml", "-s", "-sU --output-as=xml", "-A -c -R"} {
			sameSimulation(t, file, strings.Fields(line))
		}
	}
	for seed := range uint64(300) {
		sameGenerated(t, seed+1, "-S -A -c -O out", "-S -A -c --output-as=xml", "-sU --output-as=xml")
	}
}

func sameGenerated(t *testing.T, seed uint64, lines ...string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cib.xml")
	if err := os.WriteFile(file, cibgen.New(seed).Root.AppendIndent(nil), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		sameSimulation(t, file, strings.Fields(line))
	}
}

// sameSimulation runs both on a copy of a CIB. Calls at which the original stops at
// an assertion are left out: there is nothing to compare with.
func sameSimulation(t *testing.T, file string, args []string) {
	t.Helper()
	want := simulation(t, simulator, file, args)
	if want.status < 0 || strings.Contains(want.stderr, "Triggered fatal assertion") {
		t.Logf("%s %v: the original stops at an assertion", filepath.Base(file), args)
		return
	}
	got := simulation(t, filepath.Join(labtest.Bin(t), "crm_simulate"), file, args)
	if got == want {
		return
	}
	t.Errorf("%s %v: status %d, want %d", filepath.Base(file), args, got.status, want.status)
	for _, c := range []struct{ name, got, want string }{{"stdout", got.stdout, want.stdout}, {"stderr", got.stderr, want.stderr},
		{"results", got.out, want.out}, {"CIB", got.cib, want.cib}} {
		if c.got != c.want {
			t.Errorf("%s: %s", c.name, differing(c.got, c.want))
		}
	}
}

// simulated is what became of a call.
type simulated struct {
	ran
	out string // the file of that name
}

func simulation(t *testing.T, path, file string, args []string) (r simulated) {
	t.Helper()
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	args = append([]string{"-x", "cib.xml"}, args...)
	request := strings.Join(args, " ")
	for i, a := range args {
		if a == "out" {
			args[i] = out
		}
	}
	r.ran = runTool(t, path, "crm_simulate", string(read(t, file)), args)
	if b, err := os.ReadFile(out); err == nil {
		r.out = timeless(string(b))
	}
	r.cib = timeless(r.cib)
	r.stdout = settledInterval(timeless(strings.ReplaceAll(r.stdout, strings.Join(args, " "), request)))
	return r
}

// timeless takes the time of the run out of results: in histories, in attributes
// and in what is told about them.
func timeless(s string) string {
	s = regexp.MustCompile(`(last-rc-change=")[0-9]+"`).ReplaceAllString(s, `$1"`)
	s = regexp.MustCompile(`(name="last-failure-[^"]*" value=")[0-9]+"`).ReplaceAllString(s, `$1"`)
	s = regexp.MustCompile(`(last-failure-[^= ]*)=[0-9]+ `).ReplaceAllString(s, `$1= `)
	s = regexp.MustCompile(`(last-(rc-change|failure)=['"])[A-Z0-9][^'"]*`).ReplaceAllString(s, `$1`)
	return regexp.MustCompile(`(cib-last-written=")[^"]*`).ReplaceAllString(s, `$1`)
}

// settledInterval puts right what the original tells of an operation that is not
// repeated: the interval of some line before, as its buffer is not cleared.
func settledInterval(s string) string {
	return regexp.MustCompile(`(?m)^(Only 'private' parameters to )\S+(-interval (?:start|stop|demote|promote) )`).ReplaceAllString(s, "${1}0s$2")
}

// differing is the first line that differs.
func differing(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		a, b := "(nothing)", "(nothing)"
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			return "\n got " + a + "\nwant " + b
		}
	}
	return "the same"
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
