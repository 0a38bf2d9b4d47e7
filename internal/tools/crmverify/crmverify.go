// Package crmverify is the program crm_verify: it says whether a configuration is
// well-formed, conforms to its schema, and makes sense to the scheduler.
// Administrators, pcs and crmsh call it.
//
// Upstream: tools/crm_verify.c, crm_verify(8).
package crmverify

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/schema"
	"github.com/pacesync/pacesync/cib/schema/schemafiles"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/tools/session"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine"
)

const summary = "Check a Pacemaker configuration for errors\n\n" +
	"Check the well-formedness of a complete Pacemaker XML configuration,\n" +
	"its conformance to the configured schema, and the presence of common\n" +
	"misconfigurations. Problems reported as errors must be fixed before the\n" +
	"cluster will work properly. It is left to the administrator to decide\n" +
	"whether to fix problems reported as warnings."

const description = "Examples:\n\n" +
	"Check the consistency of the configuration in the running cluster:\n\n" +
	"\tcrm_verify --live-check\n\n" +
	"Check the consistency of the configuration in a given file and produce verbose output:\n\n" +
	"\tcrm_verify --xml-file file.xml --verbose\n\n"

// tool is one run.
type tool struct {
	goption.Common
	env   *applet.Env
	fancy bool
	live  bool
	stdin bool
	file  *string
	text  *string
	save  *string

	configError, configWarning bool
}

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	t := &tool{env: e}
	if _, status, ok := t.context().Run(e.Args, "xSX", e.Stdout, e.Stderr); !ok {
		return status
	}
	s, status, ok := session.Begin(e, &t.Common, t.fancy, pcmkout.Text, pcmkout.XML, pcmkout.None)
	if !ok {
		return int(status)
	}
	if t.Version {
		s.Out.ShowVersion(false)
		return s.End(pcmk.ExitOK, "")
	}
	err := t.run(s)
	if err != nil {
		fmt.Fprintf(e.Stderr, "%s: %v\n", e.Name, err.text)
		return s.End(err.rc.Exit(), "")
	}
	return s.End(pcmk.ExitOK, "")
}

func (t *tool) context() *goption.Context {
	c := goption.Pacemaker("crm_verify", summary, "text (default), xml", "", &t.Common)
	c.Description = description
	c.AddOutput(goption.Entry{Long: "text-fancy", Dest: &t.fancy, Help: "Use more highly formatted output (requires --output-as=text)"})
	c.AddGroup("data", "Data sources:", "Show data options",
		goption.Entry{Long: "live-check", Short: 'L', Dest: &t.live, Help: "Check the configuration used by the running cluster"},
		goption.Entry{Long: "xml-file", Short: 'x', Dest: &t.file, Arg: "FILE", Help: "Check the configuration in the named file"},
		goption.Entry{Long: "xml-pipe", Short: 'p', Dest: &t.stdin, Help: "Check the configuration piped in via stdin"},
		goption.Entry{Long: "xml-text", Short: 'X', Dest: &t.text, Arg: "XML", Help: "Check the configuration in the supplied string"})
	c.AddGroup("additional", "Additional options:", "Show additional options",
		goption.Entry{Long: "save-xml", Short: 'S', Dest: &t.save, Arg: "FILE", Help: "Save verified XML to named file (most useful with -L)"})
	return c
}

// failure is why the program ends badly.
type failure struct {
	rc   pcmk.RC
	text string
}

func (t *tool) run(s *session.Session) *failure {
	cib, bad := t.load()
	switch {
	case bad != nil:
		return bad
	case cib == nil:
		t.configError = true
		return t.verdict()
	}
	if !strings.EqualFold(cib.Name, "cib") {
		return &failure{pcmk.RC(unix.EBADMSG), "This tool can only check complete configurations (i.e. those starting with <cib>)."}
	}
	if t.save != nil {
		text := cib.AppendPacemaker(nil, xmltree.TextOptions{Format: true})
		if err := os.WriteFile(*t.save, text, 0o666); err != nil {
			fmt.Fprintf(t.env.Stderr, "%s: %v\n", t.env.Name, err)
		}
	}
	bare := cib.Child("status") == nil
	if bare {
		cib.AddNew("status")
	}
	if usable := t.validate(s, cib); usable != nil {
		t.schedule(usable, bare && !t.live)
	}
	return t.verdict()
}

// load reads the configuration from where the options say. Without one and without
// a failure, there is one and it is broken, which has been told.
func (t *tool) load() (*xmltree.Node, *failure) {
	noData := func(text string) *failure { return &failure{pcmk.RC(unix.ENODATA), text} }
	var text []byte
	var err error
	complaint := ""
	switch {
	case t.live:
		cib, err := session.QueryCIB(t.env)
		if err != nil { // whatever the reason, the original tells that there is no input
			return nil, &failure{pcmk.RCNoInput, "CIB query failed: " + pcmk.RCNoInput.Error()}
		}
		return cib, nil
	case t.file != nil:
		complaint = "Couldn't parse input file: " + *t.file
		text, err = session.ReadFile(*t.file)
	case t.text != nil:
		complaint = "Couldn't parse input string: " + *t.text
		text = []byte(*t.text)
	case t.stdin:
		complaint = "Couldn't parse input from STDIN."
		text, err = io.ReadAll(io.LimitReader(t.env.Stdin, session.MaxInput))
	default:
		return nil, noData("No configuration source specified.  Use --help for usage information.")
	}
	var cib *xmltree.Node
	if err == nil {
		cib, err = parse(text)
	}
	if broken := (*xmltree.SyntaxError)(nil); errors.As(err, &broken) && broken.Begun {
		fmt.Fprintf(t.env.Stderr, "%s:%v\n", t.source(), err)
		return nil, nil
	}
	if err != nil {
		if t.file != nil {
			t.tell(true, "filename2xml", fmt.Sprintf("Couldn't parse %s: %v", *t.file, err))
		}
		return nil, noData(complaint)
	}
	return cib, nil
}

func parse(text []byte) (*xmltree.Node, error) {
	n, err := xmltree.Parse(text, xmltree.Limits{})
	if err != nil {
		return nil, err
	}
	n.StripText()
	return n, nil
}

// validate holds the configuration to its schema and returns it in one that the
// scheduler works with; nil when it cannot be used.
func (t *tool) validate(s *session.Session, cib *xmltree.Node) *xmltree.Node {
	set, err := schemafiles.Load(pcmk.SchemaDirectory())
	if err != nil {
		t.tell(true, "crm_schema_init", err.Error())
		set = schema.NewSet(nil, func(string) ([]byte, error) { return nil, errors.ErrUnsupported })
	}
	if faults := set.Validate(cib); len(faults) > 0 {
		for _, f := range faults {
			fmt.Fprintln(t.env.Stderr, t.source()+":"+f.String())
		}
		t.configError = true
		t.tell(true, "main", "CIB did not pass schema validation")
		return nil
	}
	usable, n := set.Accept(cib, schema.Step)
	fmt.Fprint(t.env.Stderr, n.Remarked(schema.Debug))
	if n.Tool {
		fmt.Fprintln(t.env.Stderr, n.Text)
	}
	if n.Error {
		t.configError = true
		s.Out.Err("The cluster will NOT be able to use this configuration.\n" +
			"Please manually update the configuration to conform to the " + set.Versions()[set.Latest()].Name + " syntax.")
		return nil
	}
	return usable
}

// source is what faults call the input.
func (t *tool) source() string {
	if t.file != nil {
		return *t.file
	}
	return ""
}

// schedule lets the scheduler look at the configuration. Without a status there
// is nothing to decide, so it only reads.
func (t *tool) schedule(cib *xmltree.Node, check bool) {
	now := time.Now()
	_, offset := now.Zone()
	r, err := pengine.Run(pengine.Input{CIB: cib, Now: iso8601.Time{Unix: now.Unix(), Offset: offset}, CheckOnly: check})
	if err != nil {
		t.configError = true
		t.tell(true, "main", err.Error())
		return
	}
	for _, p := range r.Cluster.Problems {
		t.configError = t.configError || p.ConfigError()
		t.configWarning = t.configWarning || p.ConfigWarning()
		t.tell(p.Error(), p.Func, p.Text)
	}
}

// tell writes a line of the log to standard error, as far as -V asks for it:
// once for errors, twice for warnings.
func (t *tool) tell(isError bool, function, text string) {
	switch {
	case isError && t.Verbosity > 0:
		fmt.Fprintf(t.env.Stderr, "(%s) \terror: %s\n", function, text)
	case !isError && t.Verbosity > 1:
		fmt.Fprintf(t.env.Stderr, "(%s) \twarning: %s\n", function, text)
	}
}

func (t *tool) verdict() *failure {
	text := ""
	switch {
	case t.configError:
		text = "Errors found during check: config not valid"
	case t.configWarning:
		text = "Warnings found during check: config may not be valid"
	default:
		return nil
	}
	if t.Verbosity == 0 {
		text += "\n-V may provide more details"
	}
	return &failure{pcmk.RCSchemaValidation, text}
}
