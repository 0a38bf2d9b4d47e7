package xmltree

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Append writes n as libxml2 does without formatting (xmlNodeDump, format 0).
func (n *Node) Append(b []byte) []byte { return appendLibxml(b, n, 0, false, false) }

// AppendIndent writes n as libxml2 does with formatting (xmlNodeDump, format 1):
// two spaces per level, and nothing changed inside an element that holds text. As
// in the documents that programs print, what is not ASCII in attributes becomes
// references (xmlBufAttrSerializeTxtContent); text stays.
func (n *Node) AppendIndent(b []byte) []byte { return append(appendLibxml(b, n, 0, true, true), '\n') }

// String is Append as a string.
func (n *Node) String() string { return string(n.Append(nil)) }

func appendLibxml(b []byte, n *Node, depth int, format, ascii bool) []byte {
	switch n.Kind {
	case Text:
		return appendText(b, n.Name)
	case CData:
		return append(append(append(b, "<![CDATA["...), n.Name...), "]]>"...)
	case Comment:
		return append(append(append(b, "<!--"...), n.Name...), "-->"...)
	}
	b = append(append(b, '<'), n.Name...)
	for i := range n.Attrs {
		b = append(append(append(b, ' '), n.Attrs[i].Name...), '=', '"')
		from := len(b)
		b = appendAttr(b, n.Attrs[i].Value)
		if ascii {
			b = appendReferences(b[:from], b[from:])
		}
		b = append(b, '"')
	}
	if n.First == nil {
		return append(b, '/', '>')
	}
	b = append(b, '>')
	if format {
		for c := n.First; c != nil; c = c.Next {
			format = format && c.Kind != Text && c.Kind != CData
		}
	}
	for c := n.First; c != nil; c = c.Next {
		if format {
			b = appendBreak(b, depth+1)
		}
		b = appendLibxml(b, c, depth+1, format, ascii)
	}
	if format {
		b = appendBreak(b, depth)
	}
	return append(append(append(b, '<', '/'), n.Name...), '>')
}

// appendReferences appends text, which may lie behind b in the same memory, with
// references for what is not ASCII (xmlSerializeHexCharRef).
func appendReferences(b, text []byte) []byte {
	if !slices.ContainsFunc(text, func(c byte) bool { return c >= utf8.RuneSelf }) {
		return append(b, text...)
	}
	for _, r := range string(text) {
		if r < utf8.RuneSelf {
			b = append(b, byte(r))
			continue
		}
		b = append(b, "&#x"...)
		b = append(b, strings.ToUpper(strconv.FormatInt(int64(r), 16))...)
		b = append(b, ';')
	}
	return b
}

func appendBreak(b []byte, depth int) []byte { return appendPad(append(b, '\n'), depth) }

func appendPad(b []byte, depth int) []byte {
	for ; depth > 0; depth-- {
		b = append(b, ' ', ' ')
	}
	return b
}

// appendAttr is libxml2's xmlAttrSerializeTxtContent.
func appendAttr(b []byte, s string) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		var esc string
		switch s[i] {
		case '"':
			esc = "&quot;"
		case '<':
			esc = "&lt;"
		case '>':
			esc = "&gt;"
		case '&':
			esc = "&amp;"
		case '\n':
			esc = "&#10;"
		case '\t':
			esc = "&#9;"
		case '\r':
			esc = "&#13;"
		default:
			continue
		}
		b = append(append(b, s[from:i]...), esc...)
		from = i + 1
	}
	return append(b, s[from:]...)
}

// appendText is libxml2's xmlEscapeEntities for UTF-8 output.
func appendText(b []byte, s string) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		var esc string
		switch s[i] {
		case '<':
			esc = "&lt;"
		case '>':
			esc = "&gt;"
		case '&':
			esc = "&amp;"
		case '\r':
			esc = "&#13;"
		default:
			continue
		}
		b = append(append(b, s[from:i]...), esc...)
		from = i + 1
	}
	return append(b, s[from:]...)
}

// TextOptions choose a form of Pacemaker's own writer.
type TextOptions struct {
	Format bool                   // a line for each element, two spaces per level
	Omit   func(attr string) bool // attributes to leave out everywhere, nil for none
}

// AppendPacemaker writes n as Pacemaker's own writer does (pcmk__xml2text of
// lib/common/xml.c), which logs, digests and saved graphs are made with. It
// leaves text out and escapes in its own way (crm_xml_escape).
func (n *Node) AppendPacemaker(b []byte, o TextOptions) []byte { return appendPacemaker(b, n, 0, o) }

func appendPacemaker(b []byte, n *Node, depth int, o TextOptions) []byte {
	switch n.Kind {
	case Comment:
		return appendPiece(b, "<!--", n.Name, "-->", depth, o)
	case CData:
		return appendPiece(b, "<![CDATA[", n.Name, "]]>", depth, o)
	case Text:
		return b
	}
	if o.Format {
		b = appendPad(b, depth)
	}
	b = append(append(b, '<'), n.Name...)
	for i := range n.Attrs {
		if o.Omit != nil && o.Omit(n.Attrs[i].Name) {
			continue
		}
		b = append(append(append(b, ' '), n.Attrs[i].Name...), '=', '"')
		b = append(appendEscape(b, n.Attrs[i].Value), '"')
	}
	if n.First == nil {
		b = append(b, '/', '>')
		if o.Format {
			b = append(b, '\n')
		}
		return b
	}
	b = append(b, '>')
	if o.Format {
		b = append(b, '\n')
	}
	for c := n.First; c != nil; c = c.Next {
		b = appendPacemaker(b, c, depth+1, o)
	}
	if o.Format {
		b = appendPad(b, depth)
	}
	b = append(append(append(b, '<', '/'), n.Name...), '>')
	if o.Format {
		b = append(b, '\n')
	}
	return b
}

// appendPiece writes a comment or CDATA section between its marks.
func appendPiece(b []byte, open, text, end string, depth int, o TextOptions) []byte {
	if o.Format {
		b = appendPad(b, depth)
	}
	b = append(append(append(b, open...), text...), end...)
	if o.Format {
		b = append(b, '\n')
	}
	return b
}

// AppendEscaped writes text as Pacemaker escapes it by itself (crm_xml_escape).
func AppendEscaped(b []byte, s string) []byte { return appendEscape(b, s) }

// appendEscape is crm_xml_escape: it stops escaping at the first character
// beyond ASCII that takes more than one byte.
func appendEscape(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c&0x80 != 0 && i+1 < len(s) && s[i+1]&0x80 != 0 {
			return append(b, s[i:]...)
		}
		switch {
		case c == '<':
			b = append(b, "&lt;"...)
		case c == '>':
			b = append(b, "&gt;"...)
		case c == '"':
			b = append(b, "&quot;"...)
		case c == '\'':
			b = append(b, "&apos;"...)
		case c == '&':
			b = append(b, "&amp;"...)
		case c == '\t':
			b = append(b, "    "...)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c < ' ' || c > '~':
			b = append(b, '\\')
			b = append(b, "000"[:3-len(strconv.FormatUint(uint64(c), 8))]...)
			b = strconv.AppendUint(b, uint64(c), 8)
		default:
			b = append(b, c)
		}
	}
	return b
}
