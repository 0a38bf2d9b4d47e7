// Package cibadmin is the program cibadmin: it reads and changes the CIB, of the
// running cluster or in a file. The multi-call binary calls Run.
//
// Upstream: tools/cibadmin.c, cibadmin(8).
package cibadmin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/cib/digest"
	"github.com/pacesync/pacesync/cib/doc"
	"github.com/pacesync/pacesync/cib/file"
	"github.com/pacesync/pacesync/cib/schema"
	"github.com/pacesync/pacesync/cib/schema/schemafiles"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/getopt"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Operations that only the tool knows.
const (
	sum1 = "md5-sum"
	sum2 = "md5-sum-versioned"
)

// defaultTimeout is how long an answer may take.
const defaultTimeout = 30 * time.Second

// options of the command line.
type options struct {
	call      client.Call
	sync      bool
	force     bool
	verbose   int
	dangerous bool
	hasUser   bool
	timeout   time.Duration

	access     bool   // --show-access
	style      string // of it
	subject    string // whose access
	hasSubject bool

	text, file       string
	hasText, hasFile bool
	stdin            bool
}

func longOptions() []getopt.Long {
	return []getopt.Long{
		{Name: "help", Val: 'H'}, {Name: "version", Val: '$'}, {Name: "verbose", Val: 'V'}, {Name: "upgrade", Val: 'u'}, {Name: "query", Val: 'Q'},
		{Name: "erase", Val: 'E'}, {Name: "bump", Val: 'B'}, {Name: "create", Val: 'C'}, {Name: "modify", Val: 'M'}, {Name: "patch", Val: 'P'},
		{Name: "replace", Val: 'R'}, {Name: "delete", Val: 'D'}, {Name: "delete-all", Val: 'd'}, {Name: "empty", Val: 'a'}, {Name: "md5-sum", Val: '5'},
		{Name: "md5-sum-versioned", Val: '6'}, {Name: "show-access", Arg: getopt.OptionalArg, Val: 'S'}, {Name: "force", Val: 'f'},
		{Name: "timeout", Arg: getopt.RequiredArg, Val: 't'}, {Name: "user", Arg: getopt.RequiredArg, Val: 'U'}, {Name: "sync-call", Val: 's'},
		{Name: "local", Val: 'l'}, {Name: "allow-create", Val: 'c'}, {Name: "no-children", Val: 'n'}, {Name: "no-bcast", Val: 'b'},
		{Name: "xml-text", Arg: getopt.RequiredArg, Val: 'X'}, {Name: "xml-file", Arg: getopt.RequiredArg, Val: 'x'}, {Name: "xml-pipe", Val: 'p'},
		{Name: "scope", Arg: getopt.RequiredArg, Val: 'o'}, {Name: "xpath", Arg: getopt.RequiredArg, Val: 'A'}, {Name: "node-path", Val: 'e'},
		{Name: "node", Arg: getopt.RequiredArg, Val: 'N'}, {Name: "host", Arg: getopt.RequiredArg, Val: 'h'},
	}
}

const shortOptions = "?$VuQEBCMPRDda56S::ft:U:slcnbX:x:po:A:eN:!h:"

// program is one run.
type program struct {
	env *applet.Env
	o   options
}

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	p := &program{env: e, o: options{timeout: defaultTimeout}}
	if len(e.Args) == 0 {
		fmt.Fprint(e.Stderr, help)
		return int(pcmk.ExitUsage)
	}
	if status, done := p.parse(); done {
		return int(status)
	}
	return int(p.run())
}

// parse reads the command line; done: the program ends with the status.
func (p *program) parse() (status pcmk.Exit, done bool) {
	bad := false
	opts := getopt.New(p.env.Argv0, p.env.Args, shortOptions, longOptions(), p.env.Stderr)
	for c := opts.Next(); c != getopt.End; c = opts.Next() {
		switch c {
		case 'H':
			fmt.Fprint(p.env.Stdout, help)
			return pcmk.ExitOK, true
		case '$':
			fmt.Fprintf(p.env.Stdout, "Pacemaker %s\nWritten by Andrew Beekhof and the Pacemaker project contributors\n", pcmk.Version)
			return pcmk.ExitOK, true
		case '!':
			fmt.Fprintf(p.env.Stdout, "Pacemaker %s (Build: %s): %s\n", pcmk.Version, pcmk.Build, pcmk.Features)
			return pcmk.ExitOK, true
		case 'a':
			p.empty(opts.Rest())
			return pcmk.ExitOK, true
		case '?':
			fmt.Fprint(p.env.Stderr, help)
			return pcmk.ExitUsage, true
		}
		p.operation(c)
		p.option(c, opts.Arg)
		if c == 'S' && opts.HasArg && !knownStyle(opts.Arg) {
			p.complain("Unrecognized value for --show-access: \"%s\"\n", opts.Arg)
			bad = true
		}
	}
	if rest := opts.Rest(); len(rest) > 0 {
		fmt.Fprintf(p.env.Stdout, "non-option ARGV-elements: %s \n", strings.Join(rest, " "))
		fmt.Fprint(p.env.Stderr, help)
		return pcmk.ExitUsage, true
	}
	if p.o.call.Op == "" || bad {
		fmt.Fprint(p.env.Stderr, help)
		return pcmk.ExitUsage, true
	}
	return 0, false
}

// operation takes in an option that says what to do.
func (p *program) operation(c int) {
	switch c {
	case 'u':
		p.o.call.Op, p.o.dangerous = string(doc.Upgrade), true
	case 'E':
		p.o.call.Op, p.o.dangerous = string(doc.Erase), true
	case 'd':
		p.o.call.Op, p.o.dangerous = client.Delete, true
		p.o.call.Options |= client.Multiple
	case 'Q':
		p.o.call.Op = client.Query
	case 'P':
		p.o.call.Op = string(doc.ApplyPatch)
	case 'M':
		p.o.call.Op = client.Modify
	case 'R':
		p.o.call.Op = client.Replace
	case 'C':
		p.o.call.Op = client.Create
	case 'D':
		p.o.call.Op = client.Delete
	case 'B':
		p.o.call.Op = string(doc.Bump)
	case '5':
		p.o.call.Op = sum1
	case '6':
		p.o.call.Op = sum2
	}
}

// option takes in any other option.
func (p *program) option(c int, arg string) {
	call := &p.o.call
	switch c {
	case 't':
		seconds, err := strconv.Atoi(arg)
		if err != nil || seconds < 1 {
			seconds = 30
		}
		p.o.timeout = time.Duration(seconds) * time.Second
	case 'A':
		call.Section = arg
		call.Options |= client.XPath
	case 'o':
		call.Section = arg
	case 'e':
		call.Options |= client.XPathAddress
	case 'S':
		p.o.access, p.o.style, p.o.sync = true, arg, true
	case 'U':
		call.User, p.o.hasUser = arg, true
	case 'c':
		call.Options |= client.CanCreate
	case 'n':
		call.Options |= client.NoChildren
	case 'V':
		call.Options |= client.Verbose
		p.o.verbose++
	case 'l':
		call.Options |= client.ScopeLocal
	case 'b':
		p.o.dangerous = true
		call.Options |= client.InhibitBcast | client.ScopeLocal
	case 's':
		p.o.sync = true
	case 'f':
		p.o.force = true
		call.Options |= client.QuorumOverride
	case 'N', 'h':
		call.Host = arg
	case 'X':
		p.o.text, p.o.hasText = arg, true
	case 'x':
		p.o.file, p.o.hasFile = arg, true
	case 'p':
		p.o.stdin = true
	}
}

// empty prints a CIB without content (-a).
func (p *program) empty(rest []string) {
	name := schema.None
	if s, err := schemafiles.Load(schemafiles.Dir()); err == nil && s.Latest() >= 0 {
		name = s.Versions()[s.Latest()].Name
	}
	if len(rest) > 0 {
		name = rest[0]
	}
	cib := doc.Empty(name)
	cib.Set("epoch", "1")
	p.show(cib)
}

func (p *program) complain(format string, args ...any) { fmt.Fprintf(p.env.Stderr, format, args...) }

func (p *program) run() pcmk.Exit {
	if p.o.dangerous && !p.o.force {
		p.complain("The supplied command is considered dangerous.  To prevent accidental destruction of the cluster, the --force flag is required in order to proceed.\n")
		return pcmk.ExitUnsafe
	}
	input, source := p.input()
	if source != "" && input == nil {
		p.complain("Couldn't parse input from %s.\n", source)
		return pcmk.ExitConfig
	}
	if p.o.access && source == "" {
		if status := p.ponder(); status != pcmk.ExitOK {
			return status
		}
	}
	if op := p.o.call.Op; op == sum1 || op == sum2 {
		return p.digest(input)
	}
	return p.work(input)
}

// input reads the XML that the options name; source is empty when there is none.
func (p *program) input() (root *xmltree.Node, source string) {
	var text []byte
	var err error
	switch {
	case p.o.hasFile:
		source = p.o.file
		text, err = os.ReadFile(p.o.file)
	case p.o.hasText:
		source, text = "input string", []byte(p.o.text)
	case p.o.stdin:
		source = "STDIN"
		text, err = io.ReadAll(p.env.Stdin)
	default:
		return nil, ""
	}
	if err == nil {
		root, err = xmltree.Parse(text, xmltree.Limits{})
	}
	if err != nil {
		p.complain("%v\n", err) // the original does not say why
		return nil, source
	}
	if !p.o.hasText {
		root.StripText()
	}
	return root, source
}

func (p *program) digest(input *xmltree.Node) pcmk.Exit {
	if input == nil {
		p.complain("Please supply XML to process with -X, -x or -p\n")
		return pcmk.ExitUsage
	}
	if p.o.call.Op == sum1 {
		p.complain("Digest: ")
		fmt.Fprintln(p.env.Stdout, digest.OnDisk(input))
		return pcmk.ExitOK
	}
	version, ok := input.Get("crm_feature_set")
	if !ok {
		version = "(null)"
	}
	p.complain("Versioned (%s) digest: ", version)
	fmt.Fprintln(p.env.Stdout, digest.CIB(input))
	return pcmk.ExitOK
}

// source is where the CIB is: the running cluster or a file.
type source interface {
	Do(context.Context, client.Call) (*xmltree.Node, error)
	Close() error
}

// open connects to the CIB that the environment names (cib_client.c: cib_new).
func (p *program) open(ctx context.Context) (s source, isFile bool, err error) {
	if name := os.Getenv("CIB_shadow"); name != "" {
		f, err := file.Open(file.Shadow(name))
		return f, true, err
	}
	if name, ok := os.LookupEnv("CIB_file"); ok {
		f, err := file.Open(name)
		return f, true, err
	}
	if _, ok := os.LookupEnv("CIB_port"); ok {
		p.complain("A CIB manager elsewhere (CIB_port) is not supported\n")
		return nil, false, pcmk.RC(unix.ENOTCONN)
	}
	c, err := client.Dial(ctx, "cibadmin", client.Options{})
	if err != nil {
		return nil, false, pcmk.RC(unix.ENOTCONN)
	}
	return c, false, nil
}

// rcOf is the result that an error stands for.
func rcOf(err error) pcmk.RC {
	var rc pcmk.RC
	var errno unix.Errno
	switch {
	case err == nil:
		return pcmk.OK
	case errors.As(err, &rc):
		return rc
	case errors.As(err, &errno):
		return pcmk.RC(errno)
	case errors.Is(err, context.DeadlineExceeded):
		return pcmk.RC(unix.ETIMEDOUT)
	}
	return pcmk.RCError
}

// work has the operation carried out and shows what came of it.
func (p *program) work(input *xmltree.Node) pcmk.Exit {
	ctx, cancel := context.WithTimeout(context.Background(), p.o.timeout)
	defer cancel()
	cib, isFile, err := p.open(ctx)
	if err != nil {
		rc := rcOf(err)
		p.complain("Could not connect to the CIB: %v\nInit failed, could not perform requested operations\n", rc)
		return rc.Exit()
	}
	call := p.o.call
	if call.Op == client.Replace && input != nil && strings.EqualFold(input.Name, "cib") && input.Child("status") == nil {
		input.AddNew("status")
	}
	call.Data = input
	var refused client.Call // for a second look
	if refused = call; input != nil {
		refused.Data = input.Copy()
	}
	output, err := cib.Do(ctx, call)
	rc := rcOf(err)
	if !isFile && !p.o.sync && rc == pcmk.RC(unix.ETIMEDOUT) {
		rc = pcmk.RC(unix.ETIME)
	}
	if f, ok := cib.(*file.CIB); ok {
		p.told(f)
	} else if rc == pcmk.RCSchemaValidation {
		p.faults(why(ctx, cib, refused))
	}
	status := p.report(rc, isFile || p.o.sync, call.Op)
	if p.o.access && output != nil {
		if s := p.showAccess(output); s != pcmk.ExitOK {
			return s // a file stays as it was, as with the original
		}
	} else {
		p.show(output)
	}
	if err := cib.Close(); err != nil && status == pcmk.ExitOK && isFile {
		p.complain("Could not write the CIB: %v\n", err)
		return pcmk.ExitError
	}
	return status
}

// why says what the cluster found wrong with a request: its answer has only a
// code, so the request is tried here on a copy of its CIB.
func why(ctx context.Context, cib source, call client.Call) []schema.Fault {
	now, err := cib.Do(ctx, client.Call{Op: client.Query})
	if err != nil || now == nil {
		return nil
	}
	return file.Faults(now, call)
}

// report tells of a failure; direct is the wording for calls that were waited for.
func (p *program) report(rc pcmk.RC, direct bool, op string) pcmk.Exit {
	switch {
	case rc == pcmk.OK:
		return pcmk.ExitOK
	case rc == pcmk.RCSchemaUnchanged && (!direct || op == string(doc.Upgrade)):
		fmt.Fprintf(p.env.Stdout, "Upgrade unnecessary: %v\n", rc)
		return pcmk.ExitOK
	case direct:
		p.complain("Call failed: %v\n", rc)
	default:
		p.complain("Call %s failed: %v\n", op, rc)
	}
	return rc.Exit()
}

// told shows what an upgrade changed, which the original has for its log unless it
// is asked to be verbose, and why a request was refused.
func (p *program) told(f *file.CIB) {
	switch {
	case p.o.verbose == 1:
		p.complain("%s", schema.Remarked(f.Remarks, nil, schema.Info))
	case p.o.verbose > 1:
		p.complain("%s", schema.Remarked(f.Remarks, nil, schema.Debug))
	}
	p.faults(f.Faults)
}

func (p *program) faults(list []schema.Fault) {
	for _, f := range list {
		f.Line = 0 // in the whole CIB, which nobody here sees
		p.complain("%v\n", f)
	}
}

// show prints an answer (cibadmin.c: print_xml_output).
func (p *program) show(n *xmltree.Node) {
	switch {
	case n == nil || n.Kind != xmltree.Element:
	case p.o.call.Options&client.XPathAddress == 0:
		_, _ = p.env.Stdout.Write(n.AppendPacemaker(nil, xmltree.TextOptions{Format: true})) // a reader that left needs no answer
	case strings.EqualFold(n.Name, "xpath-query"):
		n.Elements(p.show)
	default:
		if id, ok := n.Get("id"); ok {
			fmt.Fprintln(p.env.Stdout, id)
		}
	}
}
