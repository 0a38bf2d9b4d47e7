// Package lintcmd is the program pacesync lint: it looks in a corosync.conf for
// mistakes, all at once, and for what the daemon accepts although it is hardly
// meant. Administrators call it before a start or a reload; it changes nothing
// and needs no daemon.
//
// The original has no such program; corosync -t stops at the first mistake. What
// is looked for is in internal/corosync/config (Lint).
package lintcmd

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/internal/corosync/config/osenv"
	"github.com/pacesync/pacesync/internal/getopt"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/quorum"
)

const usage = `usage: pacesync lint [-c FILE] [--output-as=text|json|xml]

Looks in a corosync.conf for mistakes (all of them, where the daemon stops at the
first) and for what the daemon accepts although it is hardly meant: options that
do not exist, votes that a split leaves without quorum, times that are too short,
addresses that no other node reaches. Nothing is changed; no daemon is needed.

  -c, --config FILE    the file; default /etc/corosync/corosync.conf
  --output-as FORM     text (default), json or xml
  -h, --help           this help

Each finding has the file and line, how bad it is, and the name of its rule:
  error      the daemon refuses the file
  warning    the daemon accepts it, and it is probably not what was meant
  note       worth knowing

On a machine that is not in the nodelist the file is checked as the first node
would. Exit status: 0 no error and no warning; 1 warnings; 2 errors;
64 the command line is wrong; 66 the file cannot be read.

Example: check a new file before it is copied to the nodes

  pacesync lint -c corosync.conf.new && pcs cluster sync
`

// Exit statuses; the last two are those of sysexits.h, as with pacesync explain.
const (
	exitClean    = 0
	exitWarnings = 1
	exitErrors   = 2
	exitUsage    = 64
	exitNoInput  = 66
)

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	file, form := config.DefaultFile, "text"
	opts := getopt.New("pacesync lint", e.Args, "c:h", []getopt.Long{
		{Name: "config", Arg: getopt.RequiredArg, Val: 'c'}, {Name: "output-as", Arg: getopt.RequiredArg, Val: 'o'}, {Name: "help", Val: 'h'},
	}, e.Stderr)
	for c := opts.Next(); c != getopt.End; c = opts.Next() {
		switch c {
		case 'c':
			file = opts.Arg
		case 'o':
			form = opts.Arg
		case 'h':
			fmt.Fprint(e.Stdout, usage)
			return exitClean
		default:
			fmt.Fprint(e.Stderr, usage)
			return exitUsage
		}
	}
	rest := opts.Rest()
	if len(rest) == 1 {
		file = rest[0]
	}
	if len(rest) > 1 || form != "text" && form != "json" && form != "xml" {
		fmt.Fprint(e.Stderr, usage)
		return exitUsage
	}
	found, as, err := config.Lint(osenv.Env{}, file, quorum.Check)
	if err != nil {
		fmt.Fprintf(e.Stderr, "pacesync lint: %v\n", err)
		return exitNoInput
	}
	r := report{file: file, as: as, found: found}
	switch form {
	case "json":
		r.json(e.Stdout)
	case "xml":
		r.xml(e.Stdout)
	default:
		r.text(e.Stdout)
	}
	return r.status()
}

// report is what was found, in its forms.
type report struct {
	file, as string
	found    []config.Finding
}

func (r *report) count(s config.Severity) (n int) {
	for _, f := range r.found {
		if f.Severity == s {
			n++
		}
	}
	return n
}

func (r *report) status() int {
	switch {
	case r.count(config.Fault) > 0:
		return exitErrors
	case r.count(config.Warning) > 0:
		return exitWarnings
	}
	return exitClean
}

func (r *report) text(w io.Writer) {
	for _, f := range r.found {
		place := r.file
		if f.Line > 0 {
			place += ":" + strconv.Itoa(f.Line)
		}
		fmt.Fprintf(w, "%s: %v: %s [%s]\n", place, f.Severity, f.Text, f.Rule)
		if f.Hint != "" {
			fmt.Fprintf(w, "    %s\n", f.Hint)
		}
	}
	if r.as != "" {
		fmt.Fprintf(w, "This machine is not in the nodelist: checked as the node %s.\n", r.as)
	}
	fmt.Fprintf(w, "%s, %s, %s\n", plural(r.count(config.Fault), "error"), plural(r.count(config.Warning), "warning"), plural(r.count(config.Note), "note"))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// finding is a Finding in JSON.
type finding struct {
	Line     int    `json:"line,omitempty"`
	Severity string `json:"severity"`
	Rule     string `json:"rule"`
	Text     string `json:"text"`
	Hint     string `json:"hint,omitempty"`
}

func (r *report) json(w io.Writer) {
	out := struct {
		File     string    `json:"file"`
		Node     string    `json:"checked_as,omitempty"`
		Findings []finding `json:"findings"`
	}{File: r.file, Node: r.as, Findings: []finding{}}
	for _, f := range r.found {
		out.Findings = append(out.Findings, finding{f.Line, f.Severity.String(), f.Rule, f.Text, f.Hint})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	_ = enc.Encode(out) // a lost standard output is nobody's to tell
}

func (r *report) xml(w io.Writer) {
	root := xmltree.New("lint", xmltree.Attr{Name: "file", Value: r.file})
	if r.as != "" {
		root.Set("checked-as", r.as)
	}
	for _, f := range r.found {
		n := root.AddNew("finding")
		if f.Line > 0 {
			n.Set("line", strconv.Itoa(f.Line))
		}
		n.Set("severity", f.Severity.String())
		n.Set("rule", f.Rule)
		n.Set("text", f.Text)
		if f.Hint != "" {
			n.Set("hint", f.Hint)
		}
	}
	_, _ = w.Write(append([]byte("<?xml version=\"1.0\"?>\n"), root.AppendIndent(nil)...))
}
