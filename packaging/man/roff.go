package main

import (
	"fmt"
	"strings"
)

// page is a manual page; its body is the part of Markdown that render knows.
type page struct {
	name    string
	section int
	summary string
	body    string
}

// render makes roff of a page (man(7)). It knows headings, paragraphs, lists, code
// that is indented or between fences, and tables, whose first column becomes the
// tag and whose last the text.
func render(p page) string {
	w := &writer{}
	fmt.Fprintf(&w.out, ".TH %s %d \"\" pacesync \"Corosync and Pacemaker\"\n", strings.ToUpper(p.name), p.section)
	fmt.Fprintf(&w.out, ".SH NAME\n%s \\- %s\n", escape(p.name), inline(p.summary))
	lines := strings.Split(p.body, "\n")
	if first := firstLine(lines); first != "" && !strings.HasPrefix(first, "## ") {
		w.out.WriteString(".SH DESCRIPTION\n")
	}
	for _, line := range lines {
		w.line(line)
	}
	w.end()
	return w.out.String()
}

func firstLine(lines []string) string {
	for _, line := range lines {
		if line != "" && !strings.HasPrefix(line, "# ") {
			return line
		}
	}
	return ""
}

// block is what the last line belongs to.
type block uint8

const (
	none block = iota
	paragraph
	item
	code
	fence
	table
)

type writer struct {
	out    strings.Builder
	in     block
	header []string // of the table
}

// begin ends the block before and starts another one.
func (w *writer) begin(b block, request string) {
	w.end()
	w.in = b
	w.out.WriteString(request)
}

func (w *writer) end() {
	if w.in == code || w.in == fence {
		w.out.WriteString(".fi\n.RE\n")
	}
	w.in, w.header = none, nil
}

func (w *writer) line(line string) {
	const literal = ".PP\n.RS 4\n.nf\n"
	switch {
	case strings.HasPrefix(line, "```"):
		if w.in == fence {
			w.end()
		} else {
			w.begin(fence, literal)
		}
	case w.in == fence:
		w.out.WriteString(escape(line) + "\n")
	case line == "" && w.in == code:
		w.out.WriteString("\n")
	case line == "":
		w.end()
	case strings.HasPrefix(line, "# "): // the title: NAME has it
	case strings.HasPrefix(line, "### "):
		w.begin(none, ".SS "+inline(line[4:])+"\n")
	case strings.HasPrefix(line, "## "):
		w.begin(none, ".SH "+strings.ToUpper(inline(line[3:]))+"\n")
	case strings.HasPrefix(line, "    "):
		if w.in != code {
			w.begin(code, literal)
		}
		w.out.WriteString(escape(line[4:]) + "\n")
	case strings.HasPrefix(line, "- "):
		w.begin(item, ".IP \\(bu 2\n")
		w.text(line[2:])
	case strings.HasPrefix(line, "|"):
		w.row(line)
	default:
		if w.in == none || w.in == code || w.in == table {
			w.begin(paragraph, ".PP\n")
		}
		w.text(line)
	}
}

func (w *writer) text(s string) { w.out.WriteString(inline(strings.TrimSpace(s)) + "\n") }

// row writes a row of a table: the columns between the first and the last are
// named by their heads.
func (w *writer) row(line string) {
	cells := strings.Split(strings.Trim(line, "| "), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	switch {
	case w.in != table:
		w.begin(table, "")
		w.header = cells
		return
	case strings.HasPrefix(cells[0], "--"):
		return
	}
	last := len(cells) - 1
	fmt.Fprintf(&w.out, ".TP\n.B %s\n%s\n", strings.Trim(inline(cells[0]), `"`), inline(cells[last]))
	var more []string
	for i := 1; i < last && i < len(w.header); i++ {
		more = append(more, w.header[i]+": "+cells[i])
	}
	if more != nil {
		w.out.WriteString(".br\n" + inline("("+strings.Join(more, "; ")+")") + "\n")
	}
}

// escape protects what roff would read as its own.
func escape(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...", "–", `\-`, "'", `\(aq`).Replace(s)
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}

// inline makes bold of `code` and **words**.
func inline(s string) string {
	var b strings.Builder
	bold := false
	for i, part := range strings.Split(strings.ReplaceAll(escape(s), "**", "`"), "`") {
		if i > 0 {
			bold = !bold
			b.WriteString(map[bool]string{true: `\fB`, false: `\fR`}[bold])
		}
		b.WriteString(part)
	}
	return b.String()
}
