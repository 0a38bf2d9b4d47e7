// Package explaincmd is the program pacesync explain: it says why resources are
// where they are, why not elsewhere, and what would change that. Administrators
// call it, on a running cluster or on a file of Pacemaker's.
//
// The original has no such program. The reasons are pengine/explain's, the forms
// pengine/explain/tell's.
package explaincmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/pacesync/pacesync/cib/schema/schemafiles"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/cibconn"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/tools/session"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/explain"
	"github.com/pacesync/pacesync/pengine/explain/tell"
)

const summary = "Say why a resource is where it is, why not elsewhere, and what would change that\n\n" +
	"The policy engine decides again about the CIB, noting the reason of every score,\n" +
	"ban and choice. Changes are proposed only after the engine has been seen to do\n" +
	"what is wanted on a changed copy of the CIB; nothing is changed by this program."

const description = "Examples:\n\n" +
	"One line about each resource of the running cluster:\n\n" +
	"\tpacesync explain\n\n" +
	"Why is the web server where it is, or why does it not run:\n\n" +
	"\tpacesync explain web\n\n" +
	"Why is it not on node2, and what is the smallest change that would bring it there:\n\n" +
	"\tpacesync explain web --node node2\n\n" +
	"Why did the cluster decide so last night (any CIB or pe-input file, packed or not):\n\n" +
	"\tpacesync explain web -x /var/lib/pacemaker/pengine/pe-input-123.bz2\n\n" +
	"What of the failure tomorrow, when failure-timeout has passed:\n\n" +
	"\tpacesync explain web --set-datetime '2030-01-01 12:00:00Z'\n\n" +
	"Exit status: 0 answered; 64 the command line is wrong; 65 the CIB cannot be used;\n" +
	"66 the file cannot be read; 102 no cluster answers; 105 no such resource or node.\n" +
	"The environment names a file too, as for other tools: CIB_file, CIB_shadow.\n\n"

// tool is one run.
type tool struct {
	goption.Common
	env  *applet.Env
	file *string // what is read instead of the cluster's CIB
	by   string  // who named the file, empty for the command line
	node *string
	date *string
	json bool
	rsc  string
}

// failure ends the program.
type failure struct {
	status pcmk.Exit
	text   string
}

func (f *failure) Error() string { return f.text }

func fail(status pcmk.Exit, format string, args ...any) error {
	return &failure{status, fmt.Sprintf(format, args...)}
}

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	named := *e
	named.Name = "pacesync explain"
	e = &named
	t := &tool{env: e}
	args, status, ok := t.context().Run(e.Args, "xNt", e.Stdout, e.Stderr)
	if !ok {
		return status
	}
	if t.OutputAs != nil && *t.OutputAs == "json" { // not one of Pacemaker's forms
		text := "text"
		t.json, t.OutputAs = true, &text
	}
	s, code, ok := session.Begin(e, &t.Common, false, pcmkout.Text, pcmkout.XML)
	if !ok {
		return int(code)
	}
	if t.Version {
		s.Out.ShowVersion(false)
		return s.End(pcmk.ExitOK, "")
	}
	if err := t.run(s.Out, args); err != nil {
		status, text := pcmk.ExitError, err.Error()
		if f := (*failure)(nil); errors.As(err, &f) {
			status = f.status
		}
		return s.End(status, text)
	}
	return s.End(pcmk.ExitOK, "")
}

func (t *tool) context() *goption.Context {
	c := goption.Pacemaker("pacesync explain", summary, "text (default), xml, json", "[RESOURCE]", &t.Common)
	c.Description = description
	c.AddMain(
		goption.Entry{Long: "node", Short: 'N', Dest: &t.node, Arg: "NODE", Help: "Ask about this node, and what would bring the resource there"},
		goption.Entry{Long: "xml-file", Short: 'x', Dest: &t.file, Arg: "FILE", Help: "Explain the CIB or scheduler input in a file (\"-\" for standard input), not the running cluster's"},
		goption.Entry{Long: "set-datetime", Short: 't', Dest: &t.date, Arg: "DATE", Help: "Pretend that it is this time (ISO 8601)"})
	return c
}

func (t *tool) run(out *pcmkout.Out, args []string) error {
	switch {
	case len(args) > 1:
		return fail(pcmk.ExitUsage, "one resource at a time: '%s' is too much (see --help)", args[1])
	case len(args) == 1:
		t.rsc = args[0]
	case t.node != nil:
		return fail(pcmk.ExitUsage, "--node needs the name of a resource (see --help)")
	}
	if path, by := session.NamedFile(); t.file == nil && by != "" {
		t.file, t.by = &path, " ("+by+")"
	}
	cib, err := t.load()
	if err != nil {
		return err
	}
	now, err := t.now(cib)
	if err != nil {
		return err
	}
	e, err := explain.New(explain.Input{CIB: cib, Now: now, Live: t.file == nil})
	if err != nil {
		return fail(pcmk.ExitDataErr, "%v", err)
	}
	if t.rsc == "" {
		return t.table(out, e.Summary())
	}
	q := explain.Query{Resource: t.rsc, Changes: true}
	if t.node != nil {
		q.Node = *t.node
	}
	a, err := e.Resource(q)
	if unknown := (*explain.Unknown)(nil); errors.As(err, &unknown) {
		return fail(pcmk.ExitNoSuch, "%v", err)
	} else if err != nil {
		return err
	}
	return t.tell(out, a)
}

func (t *tool) tell(out *pcmkout.Out, a *explain.Answer) error {
	switch {
	case t.json:
		text, err := tell.JSON(a)
		out.Print(string(text))
		return err
	case out.Format == pcmkout.XML:
		tell.XML(out, a)
	default:
		out.Print(tell.Text(a))
	}
	return nil
}

func (t *tool) table(out *pcmkout.Out, lines []explain.Line) error {
	switch {
	case t.json:
		text, err := tell.TableJSON(lines)
		out.Print(string(text))
		return err
	case out.Format == pcmkout.XML:
		tell.TableXML(out, lines)
	case len(lines) == 0:
		out.Print("No resources are configured.\n")
	default:
		out.Print(tell.Table(lines))
	}
	return nil
}

// load reads the CIB and brings it to a schema that the engine understands.
func (t *tool) load() (*xmltree.Node, error) {
	cib, err := t.read()
	if err != nil {
		return nil, err
	}
	if cib.Name != "cib" {
		return nil, fail(pcmk.ExitDataErr, "%s holds <%s>, not a whole CIB (<cib>)", t.source(), cib.Name)
	}
	up, text, ok := cibconn.Upgrade(cib)
	if !ok {
		return nil, fail(pcmk.ExitDataErr, "%s", text)
	}
	t.warn(up)
	return up, nil
}

// warn says what in a CIB does not conform to its schema: the scheduler takes what it
// understands of such a one, crm_simulate refuses it.
func (t *tool) warn(cib *xmltree.Node) {
	set, err := schemafiles.Load(schemafiles.Dir())
	if err != nil || set.Latest() < 0 {
		return // nothing to hold it to
	}
	faults := set.Validate(cib)
	if len(faults) == 0 {
		return
	}
	fmt.Fprintf(t.env.Stderr, "%s: %s does not conform to its schema, what follows counts what can be understood:\n", t.env.Name, t.source())
	for _, f := range faults {
		fmt.Fprintf(t.env.Stderr, "\t%s\n", f)
	}
}

func (t *tool) source() string {
	switch {
	case t.file == nil:
		return "the cluster's answer"
	case *t.file == "-":
		return "standard input"
	}
	return *t.file + t.by
}

func (t *tool) read() (*xmltree.Node, error) {
	if t.file == nil {
		cib, err := session.QueryCIB(t.env)
		if err != nil {
			return nil, fail(pcmk.ExitDisconnect, "no cluster answers on this node (%v); to explain a file: -x FILE", err)
		}
		return cib, nil
	}
	var text []byte
	var err error
	if *t.file == "-" {
		text, err = io.ReadAll(io.LimitReader(t.env.Stdin, session.MaxInput))
	} else {
		text, err = session.ReadFile(*t.file)
	}
	switch perr := (*fs.PathError)(nil); {
	case errors.As(err, &perr):
		return nil, fail(pcmk.ExitNoInput, "cannot read %s: %v", t.source(), perr.Err)
	case err != nil:
		return nil, fail(pcmk.ExitDataErr, "cannot read %s: %v", t.source(), err)
	case strings.TrimSpace(string(text)) == "":
		return nil, fail(pcmk.ExitDataErr, "%s is empty", t.source())
	}
	cib, err := xmltree.Parse(text, xmltree.Limits{})
	if err != nil {
		return nil, fail(pcmk.ExitDataErr, "%s is not XML that can be used: %v", t.source(), err)
	}
	cib.StripText()
	return cib, nil
}

// now is the time that counts: the one asked for, that at which the input was
// scheduled, the clock.
func (t *tool) now(cib *xmltree.Node) (iso8601.Time, error) {
	clock := time.Now()
	_, offset := clock.Zone()
	now := iso8601.Time{Unix: clock.Unix(), Offset: offset}
	if t.date != nil {
		at, err := iso8601.Parse(*t.date, now)
		if err != nil {
			return now, fail(pcmk.ExitUsage, "--set-datetime: %v", err)
		}
		return at, nil
	}
	if at, ok := score.LeadingInt(cib.Attr("execution-date")); ok && at != 0 && t.file != nil {
		return iso8601.Time{Unix: at}, nil
	}
	return now, nil
}
