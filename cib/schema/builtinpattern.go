package schema

import (
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// patternText reads one pattern of the built-in grammar, for one version:
//
//	a b          one after the other
//	a | b, a & b one of them; both, in any order. Not mixed without parentheses
//	a? a* a+     as in regular expressions
//	a[3.0-]      only in these versions, see notation.within
//	e { a }      the element e; * any element
//	@n, @n:t     the attribute n, of the type t; @* any attribute
//	text, empty  themselves
//	'a|b'        one of these values
//	d, d(x)      what is defined as d, with the argument x
//	d@2.8        the same as in version 2.8
//
// A type is one of XML Schema's or what is defined under the name, a list 'a|b' of
// values (each may have its versions), a type and a list behind it, =a for a with
// no blanks around it, !'a|b' for all but these, or /regular expression/.
type patternText struct {
	*notation
	rest       string
	version    int
	param, arg string
}

func (p *patternText) space() { p.rest = strings.TrimLeft(p.rest, " \t") }

// take removes a prefix if it is there.
func (p *patternText) take(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	if ok {
		p.rest = rest
	}
	return ok
}

// until removes what stands before the end mark, and the mark.
func (p *patternText) until(end string) string {
	text, rest, ok := strings.Cut(p.rest, end)
	if !ok {
		p.fail("%q is missing in %q", end, p.rest)
	}
	p.rest = rest
	return text
}

// word removes a name.
func (p *patternText) word() string {
	i := 0
	for i < len(p.rest) && (p.rest[i] == '*' && i == 0 || nameByte(p.rest[i])) {
		i++
	}
	w := p.rest[:i]
	p.rest = p.rest[i:]
	if w == "" {
		p.fail("a name is missing at %q", p.rest)
	}
	return w
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.'
}

// alternatives reads up to the end of the text, or the mark that closes it.
func (p *patternText) alternatives(parent *xmltree.Node) {
	box := xmltree.New("group")
	all, kind := xmltree.New("choice"), ""
	for p.err == nil {
		p.sequence(box)
		if box.First != nil {
			all.Add(single(box))
		}
		box = xmltree.New("group")
		mark := ""
		switch {
		case p.take("|"):
			mark = "choice"
		case p.take("&"):
			mark = "interleave"
		}
		if mark == "" {
			break
		}
		if kind != "" && kind != mark {
			p.fail("| and & without parentheses at %q", p.rest)
		}
		kind = mark
	}
	if kind != "" {
		all.Name = kind
	}
	if all.First != nil {
		parent.Add(single(all))
	}
}

// single takes an only child out of what would hold it.
func single(n *xmltree.Node) *xmltree.Node {
	if k := n.First; k != nil && k == n.Last {
		k.Remove()
		return k
	}
	return n
}

func (p *patternText) sequence(parent *xmltree.Node) {
	for p.err == nil {
		p.space()
		if p.rest == "" || strings.ContainsRune("|&)}", rune(p.rest[0])) {
			return
		}
		item := p.item()
		for mark := true; mark; {
			name := ""
			switch {
			case p.take("?"):
				name = "optional"
			case p.take("*"):
				name = "zeroOrMore"
			case p.take("+"):
				name = "oneOrMore"
			case p.take("["):
				if !p.within(p.until("]"), p.version) {
					item = nil
				}
			default:
				mark = false
			}
			if name != "" && item != nil {
				outer := xmltree.New(name)
				outer.Add(item)
				item = outer
			}
		}
		if item != nil {
			parent.Add(item)
		}
	}
}

// item reads one pattern; nil when nothing of it holds in this version.
func (p *patternText) item() *xmltree.Node {
	switch {
	case p.take("("):
		box := xmltree.New("group")
		p.alternatives(box)
		if !p.take(")") {
			p.fail(") is missing at %q", p.rest)
		}
		if box.First == nil {
			return nil
		}
		return single(box)
	case p.take("@"):
		return p.attribute()
	}
	if p.take("'") {
		box := xmltree.New("group")
		p.values(box, p.until("'"))
		return single(box)
	}
	name := p.word()
	switch {
	case p.take(" {"):
		e := p.named("element", name)
		p.alternatives(e)
		if !p.take("}") {
			p.fail("} is missing at %q", p.rest)
		}
		if e.First == nil || e.First == e.Last && name == "*" {
			e.AddNew("empty")
		}
		return e
	case name == "text" || name == "empty":
		return xmltree.New(name)
	}
	return p.reference(name)
}

// named is an element or attribute pattern with its name, * for any.
func (p *patternText) named(kind, name string) *xmltree.Node {
	n := xmltree.New(kind)
	if name == "*" {
		n.AddNew("anyName")
	} else {
		n.Set("name", name)
	}
	return n
}

func (p *patternText) reference(name string) *xmltree.Node {
	if name == p.param && name != "" {
		name = p.arg
	}
	arg, version := "", p.version
	if p.take("(") {
		arg = p.until(")")
	}
	if p.take("@") {
		v, err := versionNumber(p.word())
		if err != nil {
			p.fail("%v", err)
		}
		version = v
	}
	return xmltree.New("ref", xmltree.Attr{Name: "name", Value: p.define(name, version, arg)})
}

func (p *patternText) attribute() *xmltree.Node {
	a := p.named("attribute", p.word())
	if !p.take(":") {
		a.AddNew("text")
		return a
	}
	switch {
	case p.take("="):
		a.AddNew("value", xmltree.Attr{Name: "type", Value: "string"}).Add(&xmltree.Node{Kind: xmltree.Text, Name: p.word()})
	case p.take("!'"):
		p.values(a.AddNew("data", xmltree.Attr{Name: "type", Value: "string"}).AddNew("except"), p.until("'"))
	case p.take("'"):
		p.values(a, p.until("'"))
	case p.take("/"):
		param := a.AddNew("data", xmltree.Attr{Name: "type", Value: "string"}).AddNew("param", xmltree.Attr{Name: "name", Value: "pattern"})
		param.Add(&xmltree.Node{Kind: xmltree.Text, Name: p.until("/")})
	default:
		typ := p.word()
		if _, ok := p.defines[typ]; ok {
			a.AddNew("ref", xmltree.Attr{Name: "name", Value: p.define(typ, p.version, "")})
			break
		}
		data := xmltree.New("data", xmltree.Attr{Name: "type", Value: typ})
		if !p.take("'") {
			a.Add(data)
			break
		}
		c := a.AddNew("choice")
		c.Add(data)
		p.values(c, p.until("'"))
	}
	return a
}

// values adds the choice of the values in a list.
func (p *patternText) values(parent *xmltree.Node, list string) {
	c := parent.AddNew("choice")
	for v := range strings.SplitSeq(list, "|") {
		text, versions, _ := strings.Cut(strings.TrimSuffix(v, "]"), "[")
		if p.within(versions, p.version) {
			c.AddNew("value").Add(&xmltree.Node{Kind: xmltree.Text, Name: text})
		}
	}
}
