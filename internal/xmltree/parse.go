package xmltree

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits bound what a document may cost. The zero value of a field means its default.
type Limits struct {
	Bytes int // size of the document, default 256 MiB: far above any CIB, below what hurts
	Depth int // nesting of elements, default 256, as libxml2
	Attrs int // attributes of one element, default 4096
}

// SyntaxError is a fault of a document, with the place where it was noticed.
type SyntaxError struct {
	Line, Column int // from 1; the column counts bytes
	Text         string
	Begun        bool // the root element had begun: there is something, and it is broken
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("xml: line %d, column %d: %s", e.Line, e.Column, e.Text)
}

// Parse reads a document and returns its root element. White space between
// elements is dropped (libxml2's NOBLANKS, which Pacemaker uses). Declarations of
// entities are refused, so no reference can grow. data is copied.
func Parse(data []byte, lim Limits) (*Node, error) { return ParseString(string(data), lim) }

// ParseString is Parse for a string, which the tree then shares.
func ParseString(s string, lim Limits) (*Node, error) {
	if lim.Bytes == 0 {
		lim.Bytes = 256 << 20
	}
	if lim.Depth == 0 {
		lim.Depth = 256
	}
	if lim.Attrs == 0 {
		lim.Attrs = 4096
	}
	p := parser{s: s, lim: lim, line: 1}
	if len(s) > lim.Bytes {
		return nil, p.errorf(0, "document of %d bytes is larger than the limit of %d", len(s), lim.Bytes)
	}
	return p.document()
}

type parser struct {
	s     string
	pos   int
	lim   Limits
	line  int // line of lined
	lined int // offset up to which lines are counted
	begun bool
	nodes []Node
	attrs []Attr
	names [256]string
}

// longestName is how much of a name an error shows.
const longestName = 100

func (p *parser) errorf(at int, format string, args ...any) error {
	line, col := 1, 1
	if at > len(p.s) {
		at = len(p.s)
	}
	before := p.s[:at]
	line += strings.Count(before, "\n")
	col = at - strings.LastIndexByte(before, '\n')
	for i, a := range args {
		if name, ok := a.(string); ok && len(name) > longestName {
			args[i] = name[:longestName] + "…"
		}
	}
	return &SyntaxError{line, col, fmt.Sprintf(format, args...), p.begun}
}

// lineAt counts on from the last place asked for, so that all calls together read the input once.
func (p *parser) lineAt(pos int) int32 {
	p.line += strings.Count(p.s[p.lined:pos], "\n")
	p.lined = pos
	return int32(p.line)
}

func (p *parser) newNode(kind Kind, name string, at int) *Node {
	if len(p.nodes) == 0 {
		p.nodes = make([]Node, min(1024, 16+len(p.s)/128))
	}
	n := &p.nodes[0]
	p.nodes = p.nodes[1:]
	n.Kind, n.Name, n.Line = kind, name, p.lineAt(at)
	return n
}

// intern makes equal names share memory, which makes comparing them quick.
func (p *parser) intern(name string) string {
	h := (uint(len(name))*31 + uint(name[0])*7 + uint(name[len(name)-1])) & 255
	if p.names[h] != name {
		p.names[h] = name
	}
	return p.names[h]
}

func (p *parser) document() (*Node, error) {
	p.s = strings.TrimPrefix(p.s, "\ufeff")
	if err := p.decode(); err != nil {
		return nil, err
	}
	if i := invalidUTF8(p.s); i >= 0 {
		p.begun = beginsElement(p.s[:i])
		return nil, p.errorf(i, "byte 0x%02x is not valid UTF-8 or not a character of XML", p.s[i])
	}
	if strings.HasPrefix(p.s, "<?xml") && len(p.s) > 5 && isSpace(p.s[5]) {
		if err := p.skipPast("?>", "XML declaration"); err != nil {
			return nil, err
		}
	}
	if err := p.misc(true); err != nil {
		return nil, err
	}
	if p.pos >= len(p.s) || p.s[p.pos] != '<' {
		return nil, p.errorf(p.pos, "a root element is missing")
	}
	root, err := p.tree()
	if err != nil {
		return nil, err
	}
	if err := p.misc(false); err != nil {
		return nil, err
	}
	if p.pos < len(p.s) {
		return nil, p.errorf(p.pos, "text after the end of the root element")
	}
	return root, nil
}

// misc skips white space, comments, instructions and, before the root, a
// document type without declarations.
func (p *parser) misc(prolog bool) error {
	for {
		p.space()
		var err error
		switch rest := p.s[p.pos:]; {
		case strings.HasPrefix(rest, "<!--"):
			_, err = p.comment()
		case strings.HasPrefix(rest, "<?"):
			err = p.skipPast("?>", "processing instruction")
		case prolog && strings.HasPrefix(rest, "<!DOCTYPE"):
			err = p.doctype()
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (p *parser) doctype() error {
	end := strings.IndexAny(p.s[p.pos:], "[>")
	if end < 0 {
		return p.errorf(p.pos, "document type is not closed")
	}
	if p.s[p.pos+end] == '[' {
		return p.errorf(p.pos+end, "a document type with declarations is refused: entities are not supported")
	}
	p.pos += end + 1
	return nil
}

func (p *parser) skipPast(end, what string) error {
	i := strings.Index(p.s[p.pos:], end)
	if i < 0 {
		return p.errorf(p.pos, "%s is not closed by %s", what, end)
	}
	p.pos += i + len(end)
	return nil
}

func (p *parser) comment() (string, error) {
	start := p.pos + 4
	i := strings.Index(p.s[start:], "--")
	if i < 0 {
		return "", p.errorf(p.pos, "comment is not closed by -->")
	}
	if !strings.HasPrefix(p.s[start+i:], "-->") {
		return "", p.errorf(start+i, "-- inside a comment")
	}
	p.pos = start + i + 3
	return p.s[start : start+i], nil
}

// tree reads one element and everything in it, without recursion.
func (p *parser) tree() (*Node, error) {
	root, open, err := p.startTag()
	if err != nil || !open {
		return root, err
	}
	cur, depth := root, 1
	for cur != nil {
		if err := p.text(cur); err != nil {
			return nil, err
		}
		rest := p.s[p.pos:]
		switch {
		case rest == "":
			return nil, p.errorf(p.pos, "element %s of line %d is not closed", cur.Name, cur.Line)
		case strings.HasPrefix(rest, "</"):
			if err := p.endTag(cur); err != nil {
				return nil, err
			}
			cur = cur.Parent
			depth--
		case strings.HasPrefix(rest, "<!") || strings.HasPrefix(rest, "<?"):
			if err := p.markup(cur); err != nil {
				return nil, err
			}
		default:
			at := p.pos
			n, open, err := p.startTag()
			if err != nil {
				return nil, err
			}
			cur.Add(n)
			if open {
				if depth++; depth > p.lim.Depth {
					return nil, p.errorf(at, "elements are nested deeper than %d", p.lim.Depth)
				}
				cur = n
			}
		}
	}
	return root, nil
}

// markup reads a comment, a CDATA section or an instruction inside parent.
func (p *parser) markup(parent *Node) error {
	at, rest := p.pos, p.s[p.pos:]
	switch {
	case strings.HasPrefix(rest, "<!--"):
		c, err := p.comment()
		if err == nil {
			parent.Add(p.newNode(Comment, c, at))
		}
		return err
	case strings.HasPrefix(rest, "<![CDATA["):
		if err := p.skipPast("]]>", "CDATA section"); err != nil {
			return err
		}
		parent.Add(p.newNode(CData, p.s[at+9:p.pos-3], at))
		return nil
	case strings.HasPrefix(rest, "<?"):
		return p.skipPast("?>", "processing instruction")
	}
	return p.errorf(at, "unknown declaration inside element %s", parent.Name)
}

func (p *parser) endTag(cur *Node) error {
	at := p.pos
	p.pos += 2
	name := p.name()
	if name != cur.Name {
		return p.errorf(at, "end tag of %q where %s of line %d is open", name, cur.Name, cur.Line)
	}
	p.space()
	if p.pos >= len(p.s) || p.s[p.pos] != '>' {
		return p.errorf(p.pos, "end tag of %s is not closed", name)
	}
	p.pos++
	return nil
}

// text reads character data up to the next tag and adds it unless it is blank.
func (p *parser) text(parent *Node) error {
	start := p.pos
	i := strings.IndexByte(p.s[start:], '<')
	if i < 0 {
		i = len(p.s) - start
	}
	raw := p.s[start : start+i]
	p.pos = start + i
	if raw == "" || (blank(raw) && p.droppable(parent)) {
		return nil
	}
	if j := strings.Index(raw, "]]>"); j >= 0 {
		return p.errorf(start+j, "]]> in text")
	}
	v, err := p.unescape(raw, start, false)
	if err == nil {
		parent.Add(p.newNode(Text, v, start))
	}
	return err
}

// droppable says whether blank text before the present position is only layout
// (libxml2's areBlanks): not the sole content of an element, not beside text.
func (p *parser) droppable(parent *Node) bool {
	if parent.First == nil {
		return !strings.HasPrefix(p.s[p.pos:], "</")
	}
	return parent.Last.Kind != Text && parent.First.Kind != Text
}

// startTag reads a start tag; open says whether content follows.
func (p *parser) startTag() (n *Node, open bool, err error) {
	at := p.pos
	p.pos++
	name := p.name()
	if name == "" {
		return nil, false, p.errorf(p.pos, "a tag needs a name")
	}
	p.begun = true
	n = p.newNode(Element, p.intern(name), at)
	first := len(p.attrs)
	for {
		spaced := p.space()
		if p.pos >= len(p.s) {
			return nil, false, p.errorf(at, "tag of %s is not closed", name)
		}
		switch c := p.s[p.pos]; {
		case c == '>':
			p.pos++
			n.Attrs = p.takeAttrs(first)
			return n, true, nil
		case c == '/' && p.pos+1 < len(p.s) && p.s[p.pos+1] == '>':
			p.pos += 2
			n.Attrs = p.takeAttrs(first)
			return n, false, nil
		case !spaced:
			return nil, false, p.errorf(p.pos, "white space is missing in the tag of %s", name)
		}
		if err := p.attr(name, first); err != nil {
			return nil, false, err
		}
	}
}

// takeAttrs hands the attributes collected since first to an element. The slab
// starts anew when it is nearly full, so that earlier slices stay valid.
func (p *parser) takeAttrs(first int) []Attr {
	if len(p.attrs) == first {
		return nil
	}
	out := p.attrs[first:len(p.attrs):len(p.attrs)]
	if cap(p.attrs)-len(p.attrs) < 32 {
		p.attrs = make([]Attr, 0, min(4096, 64+len(p.s)/64))
	}
	return out
}

func (p *parser) attr(element string, first int) error {
	at := p.pos
	name := p.name()
	if name == "" {
		return p.errorf(at, "the tag of %s holds what is not a name", element)
	}
	p.space()
	if p.pos >= len(p.s) || p.s[p.pos] != '=' {
		return p.errorf(p.pos, "attribute %s of %s has no value", name, element)
	}
	p.pos++
	p.space()
	if p.pos >= len(p.s) || (p.s[p.pos] != '"' && p.s[p.pos] != '\'') {
		return p.errorf(p.pos, "the value of attribute %s of %s is not quoted", name, element)
	}
	start := p.pos + 1
	i := strings.IndexByte(p.s[start:], p.s[p.pos])
	if i < 0 {
		return p.errorf(p.pos, "the value of attribute %s of %s is not closed", name, element)
	}
	raw := p.s[start : start+i]
	if j := strings.IndexByte(raw, '<'); j >= 0 {
		return p.errorf(start+j, "< in the value of attribute %s of %s: write &lt;", name, element)
	}
	v, err := p.unescape(raw, start, true)
	if err != nil {
		return err
	}
	p.pos = start + i + 1
	for _, a := range p.attrs[first:] {
		if a.Name == name {
			return p.errorf(at, "attribute %s of %s is given twice", name, element)
		}
	}
	if len(p.attrs)-first >= p.lim.Attrs {
		return p.errorf(at, "element %s has more than %d attributes", element, p.lim.Attrs)
	}
	p.attrs = append(p.attrs, Attr{p.intern(name), v})
	return nil
}

// space skips white space and says whether there was any.
func (p *parser) space() bool {
	start := p.pos
	for p.pos < len(p.s) && isSpace(p.s[p.pos]) {
		p.pos++
	}
	return p.pos > start
}

// name reads a name; empty when none begins here.
func (p *parser) name() string {
	start := p.pos
	for p.pos < len(p.s) {
		c := p.s[p.pos]
		if c < utf8.RuneSelf {
			if !nameByte(c, p.pos == start) {
				break
			}
			p.pos++
			continue
		}
		r, size := utf8.DecodeRuneInString(p.s[p.pos:])
		if !nameRune(r, p.pos == start) {
			break
		}
		p.pos += size
	}
	return p.s[start:p.pos]
}
