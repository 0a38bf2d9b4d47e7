// Package crmdiff is the program crm_diff: it compares two configurations, and
// applies such a difference. pcs and crmsh call it for every change that they make.
//
// Upstream: tools/crm_diff.c, crm_diff(8).
package crmdiff

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/pacesync/pacesync/cib/patch"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/tools/session"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// source is where a document comes from.
type source struct {
	text *string // a file's name, or the document itself
	raw  bool
}

// tool is one run.
type tool struct {
	goption.Common
	env              *applet.Env
	from, to         source
	apply, asCIB     bool
	noVersion, stdin bool
}

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	t := &tool{env: e}
	if _, status, ok := t.context().Run(e.Args, "nopNO", e.Stdout, e.Stderr); !ok {
		return status
	}
	return int(t.run())
}

func (t *tool) complain(text string) { fmt.Fprintln(t.env.Stderr, text) }

func (t *tool) run() pcmk.Exit {
	switch {
	case t.Version:
		fmt.Fprint(t.env.Stdout, pcmk.VersionText())
		return pcmk.ExitOK
	case t.apply && t.noVersion:
		t.complain("warning: -u/--no-version ignored with -p/--patch")
	case t.asCIB && t.noVersion:
		t.complain("error: -u/--no-version incompatible with -c/--cib")
		return pcmk.ExitUsage
	}
	in := bufio.NewReader(t.env.Stdin)
	from, to := t.read(t.from, "first", in), t.read(t.to, "second", in)
	switch {
	case from == nil:
		t.complain("Could not parse the first XML fragment")
		return pcmk.ExitDataErr
	case to == nil:
		t.complain("Could not parse the second XML fragment")
		return pcmk.ExitDataErr
	case t.apply:
		return t.patch(from, to)
	}
	return t.compare(from, to)
}

func (t *tool) context() *goption.Context {
	c := goption.Pacemaker("crm_diff", "Compare two Pacemaker configurations (in XML format) to produce a custom diff-like output, "+
		"or apply such an output as a patch", "", "", &t.Common)
	c.Description = description
	set := func(s *source, raw bool, also *bool) goption.Callback {
		return func(v goption.Value) error {
			s.text = &v.Arg
			s.raw = s.raw || raw
			if also != nil {
				*also = true
			}
			return nil
		}
	}
	c.AddGroup("xml", "Original XML:", "Show original XML options",
		goption.Entry{Long: "original", Short: 'o', Dest: set(&t.from, false, nil), Arg: "FILE", Help: "XML is contained in the named file"},
		goption.Entry{Long: "original-string", Short: 'O', Dest: set(&t.from, true, nil), Arg: "STRING", Help: "XML is contained in the supplied string"})
	c.AddGroup("operation", "Operation:", "Show operation options",
		goption.Entry{Long: "new", Short: 'n', Dest: set(&t.to, false, nil), Arg: "FILE", Help: "Compare the original XML to the contents of the named file"},
		goption.Entry{Long: "new-string", Short: 'N', Dest: set(&t.to, true, nil), Arg: "STRING", Help: "Compare the original XML with the contents of the supplied string"},
		goption.Entry{Long: "patch", Short: 'p', Dest: set(&t.to, false, &t.apply), Arg: "FILE", Help: "Patch the original XML with the contents of the named file"})
	c.AddGroup("additional", "Additional Options:", "Show additional options",
		goption.Entry{Long: "cib", Short: 'c', Dest: &t.asCIB, Help: "Compare/patch the inputs as a CIB (includes versions details)"},
		goption.Entry{Long: "stdin", Short: 's', Dest: &t.stdin},
		goption.Entry{Long: "no-version", Short: 'u', Dest: &t.noVersion, Help: "Generate the difference without versions details"})
	return c
}

// read reads a document, nil if it is none.
func (t *tool) read(s source, which string, in *bufio.Reader) *xmltree.Node {
	var data []byte
	var err error
	switch {
	case s.raw:
		data = []byte(*s.text)
	case t.stdin:
		fmt.Fprintf(t.env.Stderr, "Input %s XML fragment:", which)
		data, err = io.ReadAll(io.LimitReader(in, session.MaxInput))
	case s.text == nil:
		return nil
	case *s.text == "-":
		data, err = io.ReadAll(io.LimitReader(in, session.MaxInput))
	default:
		data, err = session.ReadFile(*s.text)
	}
	if err != nil {
		return nil
	}
	root, err := xmltree.Parse(data, xmltree.Limits{})
	if err != nil {
		t.complain(err.Error())
		return nil
	}
	root.StripText()
	return root
}

func (t *tool) print(n *xmltree.Node) {
	_, _ = t.env.Stdout.Write(n.AppendPacemaker(nil, xmltree.TextOptions{Format: true})) // a reader that left needs no answer
}

// patch applies the difference.
func (t *tool) patch(from, p *xmltree.Node) pcmk.Exit {
	result, err := patch.Apply(from, p, t.asCIB)
	var e *patch.Error
	switch {
	case errors.As(err, &e):
		rc := pcmk.RCFromLegacy(int(e.Code))
		t.complain("Could not apply patch: " + rc.Error())
		return rc.Exit()
	case err != nil:
		t.complain("Could not apply patch: " + err.Error())
		return pcmk.ExitError
	}
	t.print(result)
	return pcmk.ExitOK
}

// compare prints the difference; the status says whether there is any.
func (t *tool) compare(from, to *xmltree.Node) pcmk.Exit {
	if t.noVersion {
		for _, name := range []string{"admin_epoch", "epoch", "num_updates"} {
			if v, ok := from.Get(name); ok {
				to.Set(name, v)
			}
		}
	}
	d, err := patch.Compare(from, to, patch.Options{IgnoreAttrOrder: t.asCIB})
	if err != nil {
		t.complain(err.Error())
		return pcmk.ExitOK // as in the original, for which they do not differ
	}
	p := d.Document()
	if p == nil {
		return pcmk.ExitOK
	}
	switch {
	case t.asCIB:
		d.AddDigest(p)
	case t.noVersion:
		patch.StripVersions(p)
	}
	t.print(p)
	return pcmk.ExitError
}

const description = `Examples:

Obtain the two different configuration files by running cibadmin on the two cluster setups to compare:

	# cibadmin --query > cib-old.xml

	# cibadmin --query > cib-new.xml

Calculate and save the difference between the two files:

	# crm_diff --original cib-old.xml --new cib-new.xml > patch.xml

Apply the patch to the original file:

	# crm_diff --original cib-old.xml --patch patch.xml > updated.xml

Apply the patch to the running cluster:

	# cibadmin --patch -x patch.xml
`
