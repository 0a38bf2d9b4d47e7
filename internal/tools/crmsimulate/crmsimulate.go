// Package crmsimulate is the program crm_simulate: it shows what the policy engine
// makes of a CIB, and pretends to carry it out. The multi-call binary calls Run.
//
// Upstream: tools/crm_simulate.c, crm_simulate(8). Not here yet: --live-check,
// --profile, --show-attrs, --show-failcounts and XML output.
package crmsimulate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/getopt"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/simulate"
)

// Exit statuses (enum crm_exit_e).
const (
	exitOK       = 0
	exitError    = 1
	exitSoftware = 70
	exitUsage    = 64
	exitNoInput  = 66
	exitCreate   = 73
	exitData     = 65
)

const shortOptions = "RSXAcsUjQpLaVu:d:f:i:F:t:q:w:g:r:b:e:I:O:G:D:x:P:N:"

var longOptions = []getopt.Long{
	{Name: "run", Val: 'R'}, {Name: "simulate", Val: 'S'}, {Name: "in-place", Val: 'X'},
	{Name: "show-attrs", Val: 'A'}, {Name: "show-failcounts", Val: 'c'}, {Name: "show-scores", Val: 's'},
	{Name: "show-utilization", Val: 'U'}, {Name: "pending", Val: 'j'}, {Name: "quiet", Val: 'Q'},
	{Name: "xml-pipe", Val: 'p'}, {Name: "live-check", Val: 'L'}, {Name: "all-actions", Val: 'a'},
	{Name: "verbose", Val: 'V'},
	{Name: "node-up", Arg: getopt.RequiredArg, Val: 'u'}, {Name: "node-down", Arg: getopt.RequiredArg, Val: 'd'},
	{Name: "node-fail", Arg: getopt.RequiredArg, Val: 'f'}, {Name: "op-inject", Arg: getopt.RequiredArg, Val: 'i'},
	{Name: "op-fail", Arg: getopt.RequiredArg, Val: 'F'}, {Name: "set-datetime", Arg: getopt.RequiredArg, Val: 't'},
	{Name: "quorum", Arg: getopt.RequiredArg, Val: 'q'}, {Name: "watchdog", Arg: getopt.RequiredArg, Val: 'w'},
	{Name: "ticket-grant", Arg: getopt.RequiredArg, Val: 'g'}, {Name: "ticket-revoke", Arg: getopt.RequiredArg, Val: 'r'},
	{Name: "ticket-standby", Arg: getopt.RequiredArg, Val: 'b'}, {Name: "ticket-activate", Arg: getopt.RequiredArg, Val: 'e'},
	{Name: "save-input", Arg: getopt.RequiredArg, Val: 'I'}, {Name: "save-output", Arg: getopt.RequiredArg, Val: 'O'},
	{Name: "save-graph", Arg: getopt.RequiredArg, Val: 'G'}, {Name: "save-dotfile", Arg: getopt.RequiredArg, Val: 'D'},
	{Name: "xml-file", Arg: getopt.RequiredArg, Val: 'x'},
}

// program is one call: what to simulate and where results go.
type program struct {
	env                       *applet.Env
	sim                       simulate.Options
	file                      string // "-" for standard input
	graph, dot, input, output string
	store                     bool
}

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	p := &program{env: e, file: "-", sim: simulate.Options{Pending: true, Sanitized: true}}
	if !p.options() {
		return exitUsage
	}
	if err := p.load(); err != nil {
		fmt.Fprintf(e.Stderr, "%s: %v\n", e.Name, err)
		if errors.Is(err, os.ErrNotExist) {
			return exitNoInput
		}
		return exitData
	}
	now := time.Now()
	_, offset := now.Zone()
	p.sim.Clock = iso8601.Time{Unix: now.Unix(), Offset: offset}
	p.sim.WantGraph, p.sim.WantDot, p.sim.WantInput = p.graph != "", p.dot != "", p.input != ""
	out, err := simulate.Run(p.sim)
	if err != nil {
		fmt.Fprintf(e.Stderr, "%s: %v\n", e.Name, err)
		return exitError
	}
	return p.deliver(out)
}

func (p *program) options() bool {
	g := getopt.New(p.env.Argv0, p.env.Args, shortOptions, longOptions, p.env.Stderr)
	for {
		opt := g.Next()
		switch {
		case opt == getopt.End:
			return true
		case opt == '?':
			return false
		case !p.flag(opt):
			p.value(opt, g.Arg)
		}
	}
}

// flag applies an option without argument.
func (p *program) flag(opt int) bool {
	s := &p.sim
	switch opt {
	case 'R':
		s.Process = true
	case 'S':
		s.Process, s.Execute = true, true
	case 'X':
		s.Process, s.Execute, p.store = true, true, true
	case 's':
		s.Process, s.Scores = true, true
	case 'U':
		s.Process, s.Utilization = true, true
	case 'j':
		s.Pending = true
	case 'Q':
		s.Quiet = true
	case 'p':
		p.file, s.Sanitized = "-", true
	case 'a':
		s.Dot.All = true
	case 'V':
		s.Dot.Verbose = true
	case 'A', 'c', 'L':
	default:
		return false
	}
	return true
}

// value applies an option with an argument.
func (p *program) value(opt int, v string) {
	s, in := &p.sim, &p.sim.Inject
	switch opt {
	case 'D':
		s.Process, p.dot = true, v
	case 'G':
		s.Process, p.graph = true, v
	case 'F':
		s.Process, s.Execute, s.Fail = true, true, append(s.Fail, v)
	default:
		if one, ok := map[int]*string{'t': &s.Date, 'q': &in.Quorum, 'w': &in.Watchdog, 'I': &p.input, 'O': &p.output, 'x': &p.file}[opt]; ok {
			*one = v
			return
		}
		if many, ok := map[int]*[]string{'u': &in.Up, 'd': &in.Down, 'f': &in.Failing, 'i': &in.Ops, 'g': &in.Grant,
			'r': &in.Revoke, 'b': &in.Standby, 'e': &in.Activate}[opt]; ok {
			*many = append(*many, v)
		}
	}
}

func (p *program) load() (err error) {
	var data []byte
	if p.file == "-" {
		data, err = io.ReadAll(p.env.Stdin)
	} else {
		data, err = os.ReadFile(p.file)
	}
	if err != nil {
		return err
	}
	if p.sim.CIB, err = xmltree.Parse(data, xmltree.Limits{}); err != nil {
		return err
	}
	if v, ok := p.sim.CIB.Get("validate-with"); ok && v == "none" {
		fmt.Fprintln(p.env.Stderr, "Schema validation of configuration is disabled (enabling is encouraged and prevents common misconfigurations)")
	}
	return nil
}

func (p *program) deliver(out *simulate.Outcome) int {
	for _, f := range []struct {
		name string
		data []byte
	}{{p.input, out.Input}, {p.graph, out.Graph}, {p.dot, out.Dot}} {
		if f.name == "" {
			continue
		}
		if err := os.WriteFile(f.name, f.data, 0o666); err != nil {
			fmt.Fprintf(p.env.Stderr, "%s: Could not create '%s': %v\n", p.env.Name, f.name, err)
			return exitCreate
		}
	}
	if p.store {
		p.output = p.file
	}
	if p.output != "" {
		if err := os.WriteFile(p.output, p.sim.CIB.AppendPacemaker(nil, xmltree.TextOptions{Format: true}), 0o666); err != nil {
			fmt.Fprintf(p.env.Stderr, "%s: Could not create '%s': %v\n", p.env.Name, p.output, err)
			return exitCreate
		}
	}
	if _, err := p.env.Stdout.Write(out.Text); err != nil {
		return exitSoftware
	}
	if !out.Complete {
		fmt.Fprintln(p.env.Stderr, "Transition failed: terminated\nAn invalid transition was produced")
		return exitError
	}
	return exitOK
}
