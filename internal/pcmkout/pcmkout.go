// Package pcmkout writes what Pacemaker's tools write, in their formats: text, XML
// that is equal to the original's byte for byte, HTML, and nothing.
//
// A tool makes an Out after its options are read, hands it items, lists and
// elements in order, and calls Finish with its exit status. Functions that show
// one thing in every format (pengine/show) ask Out for its format where the forms
// differ. An Out only writes to the writers it was given; it is owned by one
// goroutine.
//
// Upstream: lib/common/output.c, output_text.c, output_xml.c, output_html.c,
// output_none.c.
package pcmkout

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// APIVersion is the version of the schema of the XML output (PCMK__API_VERSION).
const APIVersion = "2.25"

// Version of Pacemaker that this stands in for, as --version shows it.
const (
	Version  = "2.1.5"
	build    = "a3f44794f94"
	features = "agent-manpages cibsecrets corosync-ge-2 generated-manpages lha monotonic nagios ncurses remote systemd"
	authors  = "Andrew Beekhof and the Pacemaker project contributors"
)

// Format is a form of output.
type Format uint8

// The formats.
const (
	Text Format = iota
	XML
	HTML
	None
)

// ParseFormat returns the format of that name.
func ParseFormat(name string) (f Format, ok bool) {
	switch name {
	case "text":
		return Text, true
	case "xml":
		return XML, true
	case "html":
		return HTML, true
	case "none":
		return None, true
	}
	return Text, false
}

// Options are what the options of the formats set.
type Options struct {
	Request    []string // the command line with the program's name
	Quiet      bool
	Fancy      bool   // text: headings and bullets (--text-fancy)
	Legacy     bool   // XML: the old root element (--xml-legacy)
	SimpleList bool   // XML: a list is an element of its own name (--xml-simple-list)
	Substitute bool   // XML: short names for well-known lists (--xml-substitute)
	CGI        bool   // HTML: headers of a CGI program (--html-cgi)
	Title      string // HTML: of the page
	Stylesheet string // HTML: link to another stylesheet
	Refresh    int    // HTML: seconds until the browser reads the page again, 0 for never
}

// Out is output under way.
type Out struct {
	Format Format
	Options
	stdout, stderr io.Writer
	buf            []byte // text not yet written
	lists          []list // text: open lists
	root           *xmltree.Node
	parents        []*xmltree.Node
	errors         []string
}

type list struct {
	n                int
	singular, plural string
}

// New returns an Out that writes to stdout, and text errors to stderr.
func New(f Format, o Options, stdout, stderr io.Writer) *Out {
	out := &Out{Format: f, Options: o, stdout: stdout, stderr: stderr}
	out.Reset()
	return out
}

// Reset begins anew, for output that is written again and again.
func (o *Out) Reset() {
	o.lists, o.parents, o.errors = nil, nil, nil
	switch o.Format {
	case XML:
		o.root = xmltree.New("pacemaker-result", xmltree.Attr{Name: "api-version", Value: APIVersion})
		if o.Legacy {
			o.root = xmltree.New("crm_mon", xmltree.Attr{Name: "version", Value: Version})
		} else if o.Request != nil {
			o.root.Set("request", QuoteCommand(o.Request))
		}
		o.Push(o.root)
	case HTML:
		o.root = xmltree.New("html", xmltree.Attr{Name: "lang", Value: "en"})
		o.Push(o.root)
		o.Parent("body")
	}
}

// Tree says whether the format is made of elements.
func (o *Out) Tree() bool { return o.Format == XML || o.Format == HTML }

// Begin opens a list under a title.
func (o *Out) Begin(title string) { o.begin("", "", title, true) }

// BeginBare opens a list without title.
func (o *Out) BeginBare() { o.begin("", "", "", false) }

// BeginCounted opens a list that says at its end, in text, how many it had. An
// empty title is none in text.
func (o *Out) BeginCounted(singular, plural, title string) {
	o.begin(singular, plural, title, title != "")
}

func (o *Out) begin(singular, plural, title string, titled bool) {
	switch o.Format {
	case Text:
		if titled && o.Fancy {
			o.Indented(title + ":\n")
		}
		o.lists = append(o.lists, list{0, singular, plural})
	case XML:
		name := o.listName(title)
		if o.Legacy || o.SimpleList {
			o.Parent(name)
		} else {
			o.Parent("list", "name", name)
		}
	case HTML:
		deep := len(o.parents) > 2
		if deep {
			o.Parent("li")
		}
		if titled {
			heading := "h2"
			if deep {
				heading = "h3"
			}
			o.TextNode(heading, title)
		}
		o.Push(o.Parent("ul"))
	}
}

// listName is the name of a list in XML.
func (o *Out) listName(title string) string {
	if o.Substitute {
		if name, ok := shortName(title); ok {
			return name
		}
	}
	return asciiLower(title)
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// End closes the innermost list.
func (o *Out) End() {
	switch o.Format {
	case Text:
		l := o.lists[len(o.lists)-1]
		o.lists = o.lists[:len(o.lists)-1]
		if l.plural != "" {
			noun := l.plural
			if l.n == 1 {
				noun = l.singular
			}
			o.Indented(fmt.Sprintf("%d %s found\n", l.n, noun))
		}
	case XML:
		n := o.Pop()
		if !o.Legacy && !o.SimpleList {
			n.Set("count", strconv.Itoa(children(n)))
		}
	case HTML:
		o.Pop()
		o.Pop()
		if len(o.parents) > 2 {
			o.Pop()
		}
	}
}

func children(n *xmltree.Node) (count int) {
	n.Elements(func(*xmltree.Node) { count++ })
	return count
}

// Item adds a line to the list. The name is shown in fancy text and XML, and is a
// class in HTML; it may be empty.
func (o *Out) Item(name, text string) {
	switch o.Format {
	case Text:
		if name != "" && o.Fancy {
			text = name + ": " + text
		}
		o.Indented(text + "\n")
		o.Count()
		o.Flush()
	case XML:
		set(o.TextNode("item", text), "name", name)
	case HTML:
		set(o.TextNode("li", text), "class", name)
	}
}

func set(n *xmltree.Node, name, value string) {
	if value != "" {
		n.Set(name, value)
	}
}

// Count counts an item that was written by other means.
func (o *Out) Count() {
	if o.Format == Text && len(o.lists) > 0 {
		o.lists[len(o.lists)-1].n++
	}
}

// Info writes a line for people, and says whether it did.
func (o *Out) Info(text string) bool {
	if o.Format != Text || o.Quiet {
		return false
	}
	o.Print(text + "\n")
	return true
}

// Infof is Info with a format.
func (o *Out) Infof(format string, args ...any) bool { return o.Info(fmt.Sprintf(format, args...)) }

// Err reports an error: text to standard error, else as part of the result.
func (o *Out) Err(text string) {
	switch o.Format {
	case Text:
		o.Flush()
		io.WriteString(o.stderr, text+"\n")
	case XML, HTML:
		o.errors = append(o.errors, text)
	}
}

// Errf is Err with a format.
func (o *Out) Errf(format string, args ...any) { o.Err(fmt.Sprintf(format, args...)) }

// Spacer leaves room before what follows.
func (o *Out) Spacer() {
	switch o.Format {
	case Text:
		o.Print("\n")
	case HTML:
		o.Node("br")
	}
}

// Print adds text as it is.
func (o *Out) Print(text string) {
	if o.Format == Text {
		o.buf = append(o.buf, text...)
	}
}

// Indented adds text with the mark of a list item in fancy text.
func (o *Out) Indented(text string) {
	if o.Format != Text {
		return
	}
	if n := len(o.lists); o.Fancy && n > 0 {
		text = strings.Repeat("  ", n) + "* " + text
	}
	o.Print(text)
}

// Progress shows that something goes on.
func (o *Out) Progress(end bool) {
	if o.Format == Text {
		o.Print(".")
		if end {
			o.Print("\n")
		}
		o.Flush()
	}
}

// Document shows XML as such.
func (o *Out) Document(name, text string) {
	switch o.Format {
	case Text:
		o.Indented(text)
	case XML:
		o.Node(name).Add(&xmltree.Node{Kind: xmltree.CData, Name: text})
	case HTML:
		o.TextNode("pre", text).Set("lang", "xml")
	}
}

// Subprocess shows how a child ended and what it wrote; nil where it wrote nothing.
func (o *Out) Subprocess(status int, stdout, stderr *string) {
	switch o.Format {
	case Text:
		for _, s := range []*string{stdout, stderr} {
			if s != nil {
				o.Print(*s + "\n")
			}
		}
	case XML:
		n := o.Node("command", "code", strconv.Itoa(status))
		for _, s := range []struct {
			text *string
			name string
		}{{stdout, "stdout"}, {stderr, "stderr"}} {
			if s.text != nil {
				Add(n, "output", *s.text).Set("source", s.name)
			}
		}
	case HTML:
		o.TextNode("h2", "Command Output")
		o.TextNode("div", "Return code: "+strconv.Itoa(status))
		for _, s := range []struct {
			text *string
			name string
		}{{stdout, "Stdout"}, {stderr, "Stderr"}} {
			if s.text != nil {
				o.TextNode("div", s.name)
				o.TextNode("div", *s.text).Set("class", "output")
			}
		}
	}
}

// ShowVersion is --version; extended tells the build as well.
func (o *Out) ShowVersion(extended bool) {
	switch o.Format {
	case Text:
		if extended {
			o.Print("Pacemaker " + Version + " (Build: " + build + "): " + features + "\n")
		} else {
			o.Print("Pacemaker " + Version + "\nWritten by " + authors + "\n")
		}
	case XML:
		o.Node("version", "program", "Pacemaker", "version", Version, "author", authors, "build", build, "features", features)
	case HTML:
		o.TextNode("h2", "Version Information")
		for _, line := range []string{"Program: Pacemaker", "Version: " + Version, "Author: " + authors, "Build: " + build, "Features: " + features} {
			o.TextNode("div", line)
		}
	}
}

// Flush writes the text so far.
func (o *Out) Flush() {
	if len(o.buf) > 0 {
		o.stdout.Write(o.buf)
		o.buf = o.buf[:0]
	}
}

// Finish ends the output with the program's exit status.
func (o *Out) Finish(status pcmk.Exit) {
	switch o.Format {
	case Text:
		o.Flush()
	case XML:
		o.status(status)
		o.stdout.Write(o.root.AppendIndent(nil))
	case HTML:
		o.stdout.Write(o.page())
	}
}

// status adds the end of the result.
func (o *Out) status(status pcmk.Exit) {
	if o.Legacy {
		if status != pcmk.ExitOK {
			io.WriteString(o.stderr, status.String()+"\n")
		}
		for _, e := range o.errors {
			io.WriteString(o.stderr, e+"\n")
		}
		return
	}
	n := o.root.AddNew("status", xmltree.Attr{Name: "code", Value: status.Itoa()}, xmltree.Attr{Name: "message", Value: status.String()})
	if len(o.errors) > 0 {
		list := n.AddNew("errors")
		for _, e := range o.errors {
			Add(list, "error", e)
		}
	}
}

// QuoteCommand writes a command line on one line (cmdline.c: pcmk__quote_cmdline).
func QuoteCommand(args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		if strings.Contains(a, " ") {
			a = "'" + strings.ReplaceAll(a, "'", `\'`) + "'"
		}
		quoted[i] = a
	}
	return strings.Join(quoted, " ")
}
