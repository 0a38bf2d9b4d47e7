package pengine

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/tools/crmsimulate"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/cibgen"
)

const original = "/usr/sbin/crm_simulate"

// said is everything that a run says, writes and ends with.
type said struct {
	status                     int
	signal                     syscall.Signal // what ended it, 0 when it ended by itself
	stdout, stderr, dot, graph string
}

// verdict is what a comparison came to.
type verdict struct {
	problems []problem
	faults   []string // what is wrong with the original's run: assertions, a signal, no end
	busy     bool     // there is something to do
}

// problem is one difference: in which run (an index of the command lines), where and what.
type problem struct {
	run         int
	where, what string
}

// sign is what two CIBs have in common that show the same thing: the fault of the
// original, or the first place that differs. Empty when the two agree.
func (v verdict) sign() string {
	switch {
	case len(v.faults) > 0:
		return v.faults[len(v.faults)-1]
	case len(v.problems) > 0:
		return fmt.Sprint(v.problems[0].run, " ", v.problems[0].where)
	}
	return ""
}

// comparison is how two programs are compared: in which directory, with how much
// CPU time and stack for the original, and which of the command lines.
type comparison struct {
	dir  string
	cpu  int // seconds
	deep int // kB of stack; 0 for the usual
	runs []int
}

// patience is how many seconds of CPU time the original gets for one CIB. It takes
// a few milliseconds as a rule, three seconds for the largest cases; some CIBs send
// it into an endless loop.
var patience = flag.Int("patience", 12, "seconds of CPU time after which the original does not end")

func full(dir string) comparison { return comparison{dir: dir, cpu: *patience, runs: []int{0, 1}} }

func (c comparison) args(file string, run int) []string {
	date := time.Unix(cibgen.Now, 0).UTC().Format("2006-01-02 15:04:05Z")
	if run == 0 {
		return []string{"-x", file, "-t", date, "-S"}
	}
	return []string{"-x", file, "-t", date, "-D", filepath.Join(c.dir, "dot"), "-G", filepath.Join(c.dir, "graph"), "-sUQS"}
}

// tree compares the two on a CIB.
func (c comparison) tree(t *testing.T, root *xmltree.Node) verdict {
	t.Helper()
	file := filepath.Join(c.dir, "cib.xml")
	if err := os.WriteFile(file, root.AppendIndent(nil), 0o644); err != nil {
		t.Fatal(err)
	}
	return c.file(file)
}

// file compares the two on a CIB in a file.
func (c comparison) file(file string) (v verdict) {
	for _, run := range c.runs {
		theirs, mine := c.said(c.originals, file, run), c.said(ours, file, run)
		for _, f := range theirs.faults() {
			if !slices.Contains(v.faults, f) {
				v.faults = append(v.faults, f)
			}
		}
		if theirs.signal != 0 { // nothing to compare with
			v.problems = nil
			return v
		}
		v.busy = v.busy || strings.Contains(theirs.graph, "<synapse")
		v.problems = append(v.problems, difference(run, theirs, mine)...)
	}
	return v
}

func (c comparison) said(program func(...string) said, file string, run int) said {
	dot, graph := filepath.Join(c.dir, "dot"), filepath.Join(c.dir, "graph")
	os.Remove(dot)
	os.Remove(graph)
	s := program(c.args(file, run)...)
	s.dot, s.graph = text(dot), text(graph)
	return s
}

// originals runs the original with a limit on its CPU time.
func (c comparison) originals(args ...string) said {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Duration(c.cpu)*time.Second)
	defer cancel()
	limited := fmt.Sprintf(`ulimit -c 0; ulimit -S -t %d; exec %s "$@"`, c.cpu, original)
	if c.deep > 0 {
		limited = fmt.Sprintf("ulimit -s %d; ", c.deep) + limited
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", limited, original}, args...)...)
	cmd.Env = append(os.Environ(), "TZ=UTC", "CIB_shadow_dir="+c.dir)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	s := said{stdout: stdout.String(), stderr: stderr.String()}
	if ctx.Err() != nil {
		panic(fmt.Sprintf("the original got no %d s of CPU time in %d s: the machine is too busy for this comparison", c.cpu, 60*c.cpu))
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		s.status = exit.ExitCode()
		if w, ok := exit.Sys().(syscall.WaitStatus); ok && w.Signaled() {
			s.signal = w.Signal()
		}
	}
	return s
}

func ours(args ...string) said {
	var stdout, stderr bytes.Buffer
	status := crmsimulate.Run(&applet.Env{Name: "crm_simulate", Argv0: original, Args: args, Stdout: &stdout, Stderr: &stderr})
	return said{status: status, stdout: stdout.String(), stderr: stderr.String()}
}

// assertion is how the original's log begins that one of its assertions failed.
const assertion = ": Triggered fatal assertion at "

const (
	endless = "never ends"
	invalid = "Relax-NG validity error"
)

// faults is what the original itself finds wrong with its run: the assertions that
// failed, else what ended it.
func (s said) faults() (failed []string) {
	for l := range strings.Lines(s.stderr) {
		if strings.Contains(l, assertion) {
			_, what, _ := strings.Cut(strings.TrimSpace(l), "error: ")
			failed = append(failed, what)
		}
	}
	if strings.Contains(s.stderr, invalid) {
		failed = append(failed, invalid)
	}
	switch {
	case len(failed) > 0:
		return failed
	case s.signal == syscall.SIGXCPU, s.signal == syscall.SIGKILL:
		return []string{endless}
	case s.signal != 0:
		return []string{s.signal.String()}
	}
	return nil
}

func text(file string) string {
	b, _ := os.ReadFile(file)
	return string(b)
}

func difference(run int, want, got said) (out []problem) {
	if want.status != got.status {
		out = append(out, problem{run, "status", fmt.Sprintf(" %d, not %d", got.status, want.status)})
	}
	for _, c := range []struct{ name, want, got string }{
		{"stdout", want.stdout, got.stdout}, {"stderr", want.stderr, got.stderr}, {"dot", want.dot, got.dot}, {"graph", want.graph, got.graph},
	} {
		if c.want != c.got {
			out = append(out, problem{run, c.name, firstDifference(c.want, c.got)})
		}
	}
	return out
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		var a, b string
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			return fmt.Sprintf(" line %d\n  original %s\n  ours     %s", i+1, a, b)
		}
	}
	return ""
}
