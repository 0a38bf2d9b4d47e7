// Package xmlproc is the program corosync-xmlproc: it turns a corosync.xml into a
// corosync.conf. The multi-call binary calls Run.
//
// Upstream: tools/corosync-xmlproc.sh, conf/xml2conf.xsl, which xsltproc runs;
// corosync-xmlproc(8), corosync.xml(5).
package xmlproc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/libc"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// The exit statuses of the script and, from 3 on, of xsltproc (xsltproc(1)).
const (
	exitUsage    = 1
	exitOption   = 3
	exitDocument = 6
	exitWrite    = 11
)

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	args := append(e.Args, "", "")
	in, out := args[0], args[1]
	switch {
	case in == "", in == "-h", in == "--help":
		usage(e)
		return exitUsage
	case len(in) > 1 && in[0] == '-':
		fmt.Fprintf(e.Stderr, "Unknown option %s\n", in)
		usage(e)
		return exitOption
	}
	root, ok := read(e, in)
	if !ok {
		return exitDocument
	}
	return write(e, out, convert(root, in, time.Now()))
}

// usage names the program as a script knows itself: by its whole path.
func usage(e *applet.Env) {
	name := e.Argv0
	if path, err := exec.LookPath(name); err == nil && !strings.Contains(name, "/") {
		name = path
	}
	fmt.Fprintf(e.Stdout, "%s input_config [output]\n\twhere input_config is valid XML configuration file\n", name)
}

// read parses the document, or says in xsltproc's form what is wrong with it.
func read(e *applet.Env, name string) (*xmltree.Node, bool) {
	var data []byte
	var err error
	if name == "-" {
		data, err = io.ReadAll(e.Stdin)
	} else {
		data, err = os.ReadFile(strings.TrimPrefix(name, "file://"))
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		fmt.Fprintf(e.Stderr, "warning: failed to load external entity \"%s\"\n", name)
	case err != nil:
		fmt.Fprintf(e.Stderr, "I/O error : %s\n", libc.Strerror(err))
	default:
		root, err := xmltree.Parse(data, xmltree.Limits{})
		if err == nil {
			return root, true
		}
		explain(e, name, string(data), err)
	}
	fmt.Fprintf(e.Stderr, "unable to parse %s\n", name)
	return nil, false
}

// explain shows the line of a fault and where in it the fault is.
func explain(e *applet.Env, name, text string, err error) {
	var at *xmltree.SyntaxError
	if !errors.As(err, &at) {
		fmt.Fprintln(e.Stderr, err)
		return
	}
	fmt.Fprintf(e.Stderr, "%s:%d: parser error : %s\n", name, at.Line, at.Text)
	lines := strings.Split(text, "\n")
	if at.Line < 1 || at.Line > len(lines) {
		return
	}
	line := lines[at.Line-1]
	column := min(max(at.Column, 1), len(line)+1) - 1
	const shown = 80 // columns around the fault, as libxml2 shows
	from := max(0, column-shown+1)
	fmt.Fprintf(e.Stderr, "%s\n%*s\n", line[from:min(len(line), from+shown)], column-from+1, "^")
}

// write puts the text out. Folders that lack on the way to the file are made, and
// a document without anything for corosync leaves no file, as with xsltproc.
func write(e *applet.Env, file, text string) int {
	if text == "" {
		return 0
	}
	if file == "" || file == "-" {
		if _, err := io.WriteString(e.Stdout, text); err != nil {
			fmt.Fprintf(e.Stderr, "I/O error : %s\n", libc.Strerror(err))
			return exitWrite
		}
		return 0
	}
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o666)
	}
	if err != nil {
		fmt.Fprintf(e.Stderr, "I/O error : %s\n%s: cannot be written\n", libc.Strerror(err), file)
		return exitWrite
	}
	return 0
}

// convert is the stylesheet: every element within the root corosync is a section,
// every attribute an option; text and comments are dropped. A document with
// another root, or one in a default namespace, gives nothing.
func convert(root *xmltree.Node, input string, now time.Time) string {
	if root.Name != "corosync" || root.Attr("xmlns") != "" {
		return ""
	}
	var b strings.Builder
	b.WriteString("# Corosync configuration file generated from " + input + " at " + now.Format(time.RFC3339))
	options(&b, root, 0)
	root.Elements(func(c *xmltree.Node) { section(&b, c, 0) })
	b.WriteString("\n")
	return b.String()
}

// section writes an element and what is in it. The parser bounds the depth.
func section(b *strings.Builder, n *xmltree.Node, depth int) {
	indent := strings.Repeat("    ", depth)
	b.WriteString("\n\n" + indent + n.Name + " {")
	options(b, n, depth+1)
	n.Elements(func(c *xmltree.Node) { section(b, c, depth+1) })
	b.WriteString("\n" + indent + "}")
}

// options writes the attributes of an element. Declarations of namespaces are
// none (XPath 1.0, section 5.3).
func options(b *strings.Builder, n *xmltree.Node, depth int) {
	for _, a := range n.Attrs {
		if a.Name == "xmlns" || strings.HasPrefix(a.Name, "xmlns:") {
			continue
		}
		b.WriteString("\n" + strings.Repeat("    ", depth) + a.Name + ": " + a.Value)
	}
}
