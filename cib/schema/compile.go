package schema

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// each calls f for the RelaxNG elements in n.
func (c *compiler) each(n *xmltree.Node, f func(name string, k *xmltree.Node)) {
	n.Elements(func(k *xmltree.Node) {
		if name := rng(k); name != "" && c.err == nil {
			f(name, k)
		}
	})
}

// children is the group of the patterns in n.
func (c *compiler) children(at scope, n *xmltree.Node) pid {
	return c.s.group(c.list(at, n)...)
}

func (c *compiler) list(at scope, n *xmltree.Node) []pid {
	// The first child of an element without attribute name is its name class,
	// which may be a choice.
	first := rng(n) == "element" || rng(n) == "attribute"
	_, named := n.Get("name")
	first = first && !named
	var out []pid
	n.Elements(func(k *xmltree.Node) {
		name := rng(k)
		if name == "" || c.err != nil {
			return
		}
		if first {
			first = false
			return
		}
		out = append(out, c.pattern(at, k))
	})
	return out
}

// pattern compiles one pattern element.
func (c *compiler) pattern(at scope, n *xmltree.Node) pid {
	defer c.leave()
	if !c.enter(at, n) {
		return pNever
	}
	s := c.s
	switch rng(n) {
	case "element":
		return c.element(at, n)
	case "attribute":
		return c.attribute(at, n)
	case "group":
		return c.children(at, n)
	case "interleave":
		return s.interleave(c.list(at, n)...)
	case "choice":
		return s.choice(c.list(at, n)...)
	case "optional":
		return s.optional(c.children(at, n))
	case "zeroOrMore":
		return s.optional(s.more(c.children(at, n)))
	case "oneOrMore":
		return s.more(c.children(at, n))
	case "mixed":
		return s.interleave(pText, c.children(at, n))
	case "list":
		return s.list(c.children(at, n))
	case "empty":
		return pEmpty
	case "notAllowed":
		return pNever
	case "text":
		return pText
	case "data":
		return c.data(at, n)
	case "value":
		return c.value(at, n)
	case "ref":
		return c.ref(at, at.grammar, n)
	case "parentRef":
		if at.grammar == nil || at.grammar.parent == nil {
			c.fail(at, n, "parentRef where no grammar is around")
			return pNever
		}
		return c.ref(at, at.grammar.parent, n)
	case "externalRef":
		if name := c.href(at, n); c.err == nil {
			return c.externalRef(name, at.grammar)
		}
		return pNever
	case "grammar":
		return c.grammar(at, n)
	}
	c.fail(at, n, "<%s> is not a pattern", n.Name)
	return pNever
}

func (c *compiler) element(at scope, n *xmltree.Node) pid {
	leaf := int32(len(c.s.elems))
	if leaf >= maxElements {
		c.fail(at, n, "more than %d elements", maxElements)
		return pNever
	}
	c.s.elems = append(c.s.elems, elementPattern{class: c.nameOf(at, n, inherited(n, "ns")), content: pNever})
	c.pending = append(c.pending, pendingElement{leaf, n, at})
	return c.s.leaf(kElement, leaf)
}

func (c *compiler) attribute(at scope, n *xmltree.Node) pid {
	content := pText
	if parts := c.list(at, n); len(parts) > 0 {
		content = c.s.group(parts...)
	}
	if content == pNever {
		return pNever
	}
	a := attributePattern{class: c.nameOf(at, n, n.Attr("ns")), content: content}
	a.id, a.ref = c.identity(content)
	key := [2]int32{a.class, int32(content)}
	leaf, ok := c.attrLeaf[key]
	if !ok {
		leaf = int32(len(c.s.attrs))
		c.s.attrs = append(c.s.attrs, a)
		c.attrLeaf[key] = leaf
	}
	return c.s.leaf(kAttribute, leaf)
}

// identity says whether a value is an ID or an IDREF.
func (c *compiler) identity(content pid) (id, ref bool) {
	if p := c.s.pats[content]; p.kind == kData {
		typ := c.s.datas[p.leaf].typ
		return typ == typeID, typ == typeIDRef
	}
	return false, false
}

// nameOf is the name class of an element or attribute pattern.
func (c *compiler) nameOf(at scope, n *xmltree.Node, space string) int32 {
	if name, ok := n.Get("name"); ok {
		return c.namedClass(n, name, space)
	}
	for k := n.First; k != nil; k = k.Next {
		if k.Kind == xmltree.Element && rng(k) != "" {
			return c.class(at, k)
		}
	}
	c.fail(at, n, "<%s> has no name", n.Name)
	return 0
}

func (c *compiler) namedClass(n *xmltree.Node, name, space string) int32 {
	name = trimSpace(name)
	q := qname{space, name}
	if strings.Contains(name, ":") {
		q = resolve(n, name, true)
	}
	return c.addClass("="+q.space+" "+q.local, class{kind: className, id: c.s.names.add(q), label: name, except: -1})
}

// addClass adds a name class, or finds the one with the same key.
func (c *compiler) addClass(key string, cl class) int32 {
	if i, ok := c.classAt[key]; ok && key != "" {
		return i
	}
	i := int32(len(c.s.classes))
	c.s.classes = append(c.s.classes, cl)
	if key != "" {
		c.classAt[key] = i
	}
	return i
}

// class compiles a name class.
func (c *compiler) class(at scope, n *xmltree.Node) int32 {
	defer c.leave()
	if !c.enter(at, n) {
		return 0
	}
	switch rng(n) {
	case "name":
		return c.namedClass(n, content(n), inherited(n, "ns"))
	case "anyName":
		cl := class{kind: classAny, label: "any", except: c.exceptClass(at, n)}
		if cl.except < 0 {
			return c.addClass("*", cl)
		}
		return c.addClass("", cl)
	case "nsName":
		space := inherited(n, "ns")
		cl := class{kind: classSpace, id: c.s.space(space), label: "any of " + space, except: c.exceptClass(at, n)}
		return c.addClass("", cl)
	case "choice":
		cl := class{kind: classChoice, except: -1}
		c.each(n, func(_ string, k *xmltree.Node) { cl.kids = append(cl.kids, c.class(at, k)) })
		return c.addClass("", cl)
	}
	c.fail(at, n, "<%s> is not a name class", n.Name)
	return 0
}

func (c *compiler) exceptClass(at scope, n *xmltree.Node) int32 {
	except := int32(-1)
	c.each(n, func(name string, k *xmltree.Node) {
		if name != "except" {
			return
		}
		cl := class{kind: classChoice, except: -1}
		c.each(k, func(_ string, e *xmltree.Node) { cl.kids = append(cl.kids, c.class(at, e)) })
		except = c.addClass("", cl)
	})
	return except
}

// content is the text in an element of a grammar.
func content(n *xmltree.Node) string {
	var b strings.Builder
	for k := n.First; k != nil; k = k.Next {
		if k.Kind == xmltree.Text || k.Kind == xmltree.CData {
			b.WriteString(k.Name)
		}
	}
	return b.String()
}

func (c *compiler) value(at scope, n *xmltree.Node) pid {
	v := value{typ: typeToken, text: content(n)}
	if name, ok := n.Get("type"); ok {
		v.typ = typeOf(inherited(n, "datatypeLibrary"), name)
		if v.typ == typeUnknown {
			c.fail(at, n, "type %q is not known", name)
		}
	}
	for i, old := range c.s.values {
		if old == v {
			return c.s.leaf(kValue, int32(i))
		}
	}
	c.s.values = append(c.s.values, v)
	return c.s.leaf(kValue, int32(len(c.s.values)-1))
}

func (c *compiler) data(at scope, n *xmltree.Node) pid {
	d := data{typ: typeOf(inherited(n, "datatypeLibrary"), n.Attr("type")), maxLength: -1, except: pNever}
	if d.typ == typeUnknown {
		c.fail(at, n, "type %q is not known", n.Attr("type"))
		return pNever
	}
	c.each(n, func(name string, k *xmltree.Node) {
		switch name {
		case "param":
			c.param(at, &d, k)
		case "except":
			d.except = c.s.choice(c.list(at, k)...)
		default:
			c.fail(at, k, "<%s> in data", k.Name)
		}
	})
	if d.plain() {
		for i := range c.s.datas {
			if old := &c.s.datas[i]; old.plain() && old.typ == d.typ {
				return c.s.leaf(kData, int32(i))
			}
		}
	}
	c.s.datas = append(c.s.datas, d)
	return c.s.leaf(kData, int32(len(c.s.datas)-1))
}

// plain says that only the type counts.
func (d *data) plain() bool {
	return len(d.match) == 0 && d.minLength == 0 && d.maxLength < 0 && d.minBound == nil && d.maxBound == nil && d.except == pNever
}

// param compiles one parameter of a data pattern.
func (c *compiler) param(at scope, d *data, n *xmltree.Node) {
	text, err := content(n), error(nil)
	limit := func(exclusive bool) (b *bound) {
		b = &bound{exclusive: exclusive}
		b.limit, err = strconv.ParseFloat(trimSpace(text), 64)
		return b
	}
	switch name := n.Attr("name"); name {
	case "pattern":
		var re *regexp.Regexp
		if re, err = regexp.Compile(`^(?s:` + goRegexp(text) + `)$`); err == nil {
			d.match = append(d.match, re)
		}
	case "minLength":
		d.minLength, err = strconv.Atoi(trimSpace(text))
	case "maxLength":
		d.maxLength, err = strconv.Atoi(trimSpace(text))
	case "length":
		d.minLength, err = strconv.Atoi(trimSpace(text))
		d.maxLength = d.minLength
	case "minInclusive", "minExclusive":
		d.minBound = limit(name == "minExclusive")
	case "maxInclusive", "maxExclusive":
		d.maxBound = limit(name == "maxExclusive")
	default:
		c.fail(at, n, "parameter %q is not known", name)
	}
	if err != nil {
		c.fail(at, n, "parameter %s %q: %v", n.Attr("name"), text, err)
	}
}

// goRegexp turns an expression of XML Schema into one of Go: there ^ and $ are
// letters, and \i and \c are the letters of names.
func goRegexp(text string) string {
	var b strings.Builder
	inClass := false
	for i := 0; i < len(text); i++ {
		ch := text[i]
		switch {
		case ch == '\\' && i+1 < len(text):
			i++
			set := ""
			switch text[i] {
			case 'i':
				set = `\p{L}_:`
			case 'c':
				set = `\p{L}\p{N}\p{M}_:.\-`
			}
			switch {
			case set == "":
				b.WriteByte('\\')
				b.WriteByte(text[i])
			case inClass:
				b.WriteString(set)
			default:
				b.WriteString("[" + set + "]")
			}
			continue
		case ch == '[':
			inClass = true
		case ch == ']':
			inClass = false
		case (ch == '^' || ch == '$') && !inClass:
			b.WriteByte('\\')
		}
		b.WriteByte(ch)
	}
	return b.String()
}
