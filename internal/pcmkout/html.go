package pcmkout

import (
	"strconv"

	"github.com/pacesync/pacesync/internal/xmltree"
)

const stylesheet = `.bold { font-weight: bold }
.online { color: green }
.offline { color: red }
.maint { color: blue }
.standby { color: blue }
.health_red { color: red }
.health_yellow { color: GoldenRod }
.rsc-failed { color: red }
.rsc-failure-ignored { color: DarkGreen }
.rsc-managed { color: blue }
.rsc-multiple { color: orange }
.rsc-ok { color: green }
.warning { color: red; font-weight: bold }`

// page completes the document and writes it (output_html.c: html_finish).
func (o *Out) page() (b []byte) {
	if o.CGI {
		b = append(b, "Content-Type: text/html\n\n"...)
	}
	head := xmltree.New("head")
	switch {
	case o.Title != "":
		Add(head, "title", o.Title)
	case o.Request != nil:
		Add(head, "title", QuoteCommand(o.Request))
	}
	head.AddNew("meta", xmltree.Attr{Name: "charset", Value: "utf-8"})
	if o.Refresh > 0 {
		head.AddNew("meta", xmltree.Attr{Name: "http-equiv", Value: "refresh"}, xmltree.Attr{Name: "content", Value: strconv.Itoa(o.Refresh)})
	}
	Add(head, "style", stylesheet)
	if o.Stylesheet != "" {
		head.AddNew("link", xmltree.Attr{Name: "rel", Value: "stylesheet"}, xmltree.Attr{Name: "href", Value: o.Stylesheet})
	}
	body := o.root.First
	if len(o.errors) > 0 {
		o.BeginBare()
		for _, e := range o.errors {
			o.Item("", e)
		}
		o.End()
	}
	doc := xmltree.New("html", o.root.Attrs...)
	doc.Add(head)
	body.Remove()
	doc.Add(body)
	b = append(b, "<!DOCTYPE html>\n"...)
	return append(appendHTML(b, doc, nil), '\n')
}

// The kinds of HTML elements that the layout depends on (libxml2's html40ElementTable).
func isEmpty(name string) bool { return name == "meta" || name == "link" || name == "br" }

func isInline(name string) bool { return name == "span" || name == "br" || name == "a" }

// appendHTML writes n as libxml2's htmlNodeDumpFormatOutput does with formatting.
func appendHTML(b []byte, n, parent *xmltree.Node) []byte {
	if n.Kind != xmltree.Element {
		if parent != nil && parent.Name == "style" {
			return append(b, n.Name...)
		}
		return appendHTMLText(b, n.Name)
	}
	b = append(append(b, '<'), n.Name...)
	for _, a := range n.Attrs {
		b = append(append(append(b, ' '), a.Name...), '=')
		b = appendQuoted(b, a.Value)
	}
	b = append(b, '>')
	block := !isInline(n.Name)
	breaks := block && n.First != n.Last && n.Name[0] != 'p'
	switch {
	case isEmpty(n.Name):
	case n.First == nil && n.Name == "li":
		b = append(b, "</li>"...)
	case n.First == nil:
		b = append(append(append(b, '<', '/'), n.Name...), '>')
	default:
		if breaks && n.First.Kind == xmltree.Element {
			b = append(b, '\n')
		}
		for c := n.First; c != nil; c = c.Next {
			b = appendHTML(b, c, n)
		}
		if breaks && n.Last.Kind == xmltree.Element {
			b = append(b, '\n')
		}
		b = append(append(append(b, '<', '/'), n.Name...), '>')
	}
	if block && n.Next != nil && n.Next.Kind == xmltree.Element && parent != nil && parent.Name[0] != 'p' {
		b = append(b, '\n')
	}
	return b
}

// appendQuoted writes an attribute's value in the quotes that it does not hold itself.
func appendQuoted(b []byte, s string) []byte {
	quote := byte('"')
	for i := range len(s) {
		if s[i] == '"' {
			quote = '\''
		}
	}
	return append(append(append(b, quote), s...), quote)
}

// appendHTMLText is libxml2's xmlEncodeEntitiesReentrant for a document without encoding.
func appendHTMLText(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>':
			b = append(b, "&gt;"...)
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '\n', r == '\t', r >= ' ' && r < 0x80:
			b = append(b, byte(r))
		case r >= 0x80:
			b = append(b, "&#x"...)
			for _, c := range strconv.FormatInt(int64(r), 16) {
				if c >= 'a' {
					c -= 'a' - 'A'
				}
				b = append(b, byte(c))
			}
			b = append(b, ';')
		default:
			b = append(b, "&#"...)
			b = append(strconv.AppendInt(b, int64(r), 10), ';')
		}
	}
	return b
}
