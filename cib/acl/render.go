package acl

import (
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Style is how a rendering tells what a user may do.
type Style uint8

// The styles of cibadmin --show-access.
const (
	Plain      Style = iota // a line above what differs from its parent
	Color                   // terminal colours: green, blue, red
	Namespaces              // prefixes of elements that differ from their parent
)

// access is what a user may do with an element, where the nearest decision above
// it counts (acl.c: pcmk__check_acl).
type access uint8

const (
	denied access = iota
	readable
	writable
)

// mark is what a style writes for it.
func (a access) mark(s Style) string {
	switch s {
	case Plain:
		return [...]string{"vvv---[ ~DENIED~ ]---vvv", "vvv---[ READABLE ]---vvv", "vvv---[ WRITABLE ]---vvv"}[a]
	case Color:
		return [...]string{"\x1b[31m", "\x1b[34m", "\x1b[32m"}[a]
	}
	return "pcmk-access-" + a.word() + ":"
}

func (a access) word() string { return [...]string{"denied", "readable", "writable"}[a] }

// renderer writes one document.
type renderer struct {
	strings.Builder
	style Style
	marks marks
	used  [writable + 1]bool // by any element
}

// Render shows a CIB, or the part of one that a query answered, with what the
// user of the list may do with each element. The text is the original's, which is
// XML by looks only: values stand without references, and what follows a comment
// has a line of its own. It fails where the original does: the last element of
// the document holds text alone (pcmk_acl.c, access-render-2.xsl).
func (l *List) Render(root *xmltree.Node, user string, s Style) (string, bool) {
	if textLast(root) {
		return "", false
	}
	r := renderer{style: s, marks: l.mark(root)}
	r.survey(root)
	r.comment("ACLs as evaluated for user " + user)
	r.element(root, place{outer: writable + 1, format: true, before: "\n"})
	return r.String(), true
}

// textLast follows the last child of each element.
func textLast(n *xmltree.Node) bool {
	for n.First != nil {
		c := n.Last
		for c != nil && (c.Kind == xmltree.Text || c.Kind == xmltree.CData) {
			c = c.Prev
		}
		switch {
		case c == nil:
			return true
		case c.Kind == xmltree.Comment:
			return false
		}
		n = c
	}
	return false
}

func (r *renderer) survey(n *xmltree.Node) {
	r.used[r.marks.access(n)] = true
	n.Elements(r.survey)
}

func (m marks) access(n *xmltree.Node) access {
	switch {
	case m.mayWrite(n):
		return writable
	case m.mayRead(n):
		return readable
	}
	return denied
}

// place is where an element stands.
type place struct {
	outer  access // the parent's
	depth  int
	format bool   // white space is added around children
	before string // the first text among what stands before it
}

func (r *renderer) comment(text string) { r.WriteString("<!-- " + text + " -->\n") }

// element writes one element and all in it.
func (r *renderer) element(n *xmltree.Node, at place) {
	own := r.marks.access(n)
	mark := own.mark(r.style)
	if r.style != Color && own == at.outer {
		mark = ""
	}
	end := mark
	switch {
	case r.style == Plain && mark != "":
		if at.depth > 0 {
			r.WriteString(at.before)
		}
		r.WriteString(mark)
		if end = ""; at.before == "" {
			at.before = "\n"
		}
		r.WriteString(at.before + "<")
	case r.style == Color:
		r.WriteString(mark + "<")
	default:
		r.WriteString("<" + mark)
	}
	r.WriteString(n.Name)
	for _, a := range n.Attrs {
		r.WriteString(" " + a.Name + `="` + a.Value + `"`)
	}
	if at.depth == 0 && r.style == Namespaces {
		r.declare()
	}
	r.content(n, own, end, at)
	if r.style == Color {
		r.WriteString("\x1b[0m")
	}
}

// declare names the namespaces that are in use.
func (r *renderer) declare() {
	for a := writable; ; a-- {
		if r.used[a] {
			r.WriteString(" xmlns:" + strings.TrimSuffix(a.mark(Namespaces), ":") + `="http://clusterlabs.org/ns/pacemaker/access/` + a.word() + `"`)
		}
		if a == denied {
			return
		}
	}
}

// content writes what is in an element, and its end.
func (r *renderer) content(n *xmltree.Node, own access, mark string, at place) {
	nested := false
	for c := n.First; c != nil; c = c.Next {
		nested = nested || c.Kind == xmltree.Element || c.Kind == xmltree.Comment
		at.format = at.format && c.Kind != xmltree.Text && c.Kind != xmltree.CData
	}
	if !nested {
		r.WriteString("/>")
		for c := n.First; c != nil; c = c.Next {
			r.WriteString(c.Name)
		}
		return
	}
	r.WriteString(">")
	line := func(depth int) string { return "\n" + strings.Repeat("  ", depth) }
	in := place{outer: own, depth: at.depth + 1, format: at.format}
	if at.format {
		in.before = line(in.depth)
	}
	for c := n.First; c != nil; c = c.Next {
		if at.format {
			r.WriteString(in.before)
		}
		switch c.Kind {
		case xmltree.Element:
			r.element(c, in)
		case xmltree.Comment:
			r.comment(c.Name)
		default:
			r.WriteString(c.Name)
			if in.before == "" {
				in.before = c.Name
			}
		}
	}
	if at.format {
		r.WriteString(line(at.depth))
	}
	if r.style == Color {
		r.WriteString(mark + "</" + n.Name + ">")
	} else {
		r.WriteString("</" + mark + n.Name + ">")
	}
}
