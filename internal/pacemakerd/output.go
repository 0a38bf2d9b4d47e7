package pacemakerd

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

const author = "Andrew Beekhof and the Pacemaker project contributors"

// output is the text or XML of what is no daemon's work.
type output struct {
	w, stderr io.Writer
	file      *os.File
	root      *xmltree.Node // nil: text
	errors    []string
}

// newOutput chooses the format; ok is false, and the user told, when there is
// no such format or the file cannot be written.
func newOutput(e *applet.Env, c *goption.Common) (out *output, ok bool) {
	out = &output{w: e.Stdout, stderr: e.Stderr}
	format := "text"
	if c.OutputAs != nil {
		format = *c.OutputAs
	}
	switch format {
	case "text", "none":
	case "xml":
		request := append([]string{e.Argv0}, e.Args...)
		out.root = xmltree.New("pacemaker-result", xmltree.Attr{Name: "api-version", Value: "2.25"},
			xmltree.Attr{Name: "request", Value: strings.Join(request, " ")})
	default:
		fmt.Fprintf(e.Stderr, "pacemakerd: Error creating output format %s: Unknown output format\n", format)
		return nil, false
	}
	if c.OutputTo != nil && *c.OutputTo != "-" {
		f, err := os.Create(*c.OutputTo)
		if err != nil {
			fmt.Fprintf(e.Stderr, "pacemakerd: Error creating output format %s: %v\n", format, err)
			return nil, false
		}
		out.file, out.w = f, f
	}
	return out, true
}

func (o *output) features() {
	if o.root == nil {
		fmt.Fprintf(o.w, "Pacemaker %s (Build: %s)\n Supporting v%s: %s\n", pcmk.Version, pcmk.Build, pcmk.FeatureSet, pcmk.Features)
		return
	}
	n := o.root.AddNew("pacemakerd", xmltree.Attr{Name: "version", Value: pcmk.Version},
		xmltree.Attr{Name: "build", Value: pcmk.Build}, xmltree.Attr{Name: "feature_set", Value: pcmk.FeatureSet}).AddNew("features")
	for _, f := range strings.Fields(pcmk.Features) {
		n.AddNew("feature").Add(&xmltree.Node{Kind: xmltree.Text, Name: f})
	}
}

func (o *output) version() {
	if o.root == nil {
		fmt.Fprintf(o.w, "Pacemaker %s\nWritten by %s\n", pcmk.Version, author)
		return
	}
	o.root.AddNew("version", xmltree.Attr{Name: "program", Value: "Pacemaker"}, xmltree.Attr{Name: "version", Value: pcmk.Version},
		xmltree.Attr{Name: "author", Value: author}, xmltree.Attr{Name: "build", Value: pcmk.Build},
		xmltree.Attr{Name: "features", Value: pcmk.Features})
}

func (o *output) err(text string) {
	if o.root == nil {
		fmt.Fprintln(o.stderr, text)
		return
	}
	o.errors = append(o.errors, text)
}

// finish writes what is left and returns the exit status.
func (o *output) finish(code pcmk.Exit) int {
	if o.root != nil {
		st := o.root.AddNew("status", xmltree.Attr{Name: "code", Value: code.Itoa()}, xmltree.Attr{Name: "message", Value: code.String()})
		if len(o.errors) > 0 {
			list := st.AddNew("errors")
			for _, e := range o.errors {
				list.AddNew("error").Add(&xmltree.Node{Kind: xmltree.Text, Name: e})
			}
		}
		_, _ = o.w.Write(o.root.AppendIndent(nil)) // the status tells more than a full disk
	}
	if o.file != nil {
		_ = o.file.Close()
	}
	return int(code)
}
