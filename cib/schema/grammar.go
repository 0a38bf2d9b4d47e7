package schema

import "github.com/pacesync/pacesync/internal/xmltree"

// grammar is a scope of definitions.
type grammar struct {
	parent *grammar
	defs   map[string]*define
	start  *define
}

type defineState uint8

const (
	defineNew defineState = iota
	defineOpen
	defineDone
)

// define is a name with its bodies; several are combined.
type define struct {
	name    string
	bodies  []body
	combine string // choice or interleave, empty while nobody said
	state   defineState
	pattern pid
}

type body struct {
	at   scope
	node *xmltree.Node
	bare bool // without combine
}

// grammar compiles a grammar: its start.
func (c *compiler) grammar(at scope, n *xmltree.Node) pid {
	c.grammars++
	if c.grammars > maxGrammars {
		c.fail(at, n, "more than %d grammars", maxGrammars)
		return pNever
	}
	g := &grammar{parent: at.grammar, defs: map[string]*define{}, start: &define{name: "start"}}
	at.grammar = g
	c.collect(at, n, nil)
	if len(g.start.bodies) == 0 && c.err == nil {
		c.fail(at, n, "the grammar has no start")
	}
	return c.use(g.start, at, n)
}

// overrides are the definitions that an include replaces.
type overrides struct {
	start bool
	names map[string]bool
}

func (o *overrides) gather(c *compiler, n *xmltree.Node) {
	c.each(n, func(name string, k *xmltree.Node) {
		switch name {
		case "start":
			o.start = true
		case "define":
			o.names[trimSpace(k.Attr("name"))] = true
		case "div":
			o.gather(c, k)
		}
	})
}

// collect adds the definitions in n to the grammar, but not those of over.
func (c *compiler) collect(at scope, n *xmltree.Node, over []*overrides) {
	defer c.leave()
	if !c.enter(at, n) {
		return
	}
	c.each(n, func(name string, k *xmltree.Node) {
		c.work++
		switch name {
		case "start":
			for _, o := range over {
				if o.start {
					return
				}
			}
			c.addBody(at.grammar.start, at, k)
		case "define":
			c.collectDefine(at, k, over)
		case "div":
			c.collect(at, k, over)
		case "include":
			c.include(at, k, over)
		default:
			c.fail(at, k, "<%s> in a grammar", k.Name)
		}
	})
}

func (c *compiler) collectDefine(at scope, n *xmltree.Node, over []*overrides) {
	name := trimSpace(n.Attr("name"))
	for _, o := range over {
		if o.names[name] {
			return
		}
	}
	d := at.grammar.defs[name]
	if d == nil {
		d = &define{name: name}
		at.grammar.defs[name] = d
	}
	c.addBody(d, at, n)
}

func (c *compiler) include(at scope, n *xmltree.Node, over []*overrides) {
	name := c.href(at, n)
	if c.err != nil {
		return
	}
	f := c.load(at, n, name)
	if f == nil {
		return
	}
	switch {
	case rng(f.root) != "grammar":
		c.fail(at, n, "%s is not a grammar", name)
		return
	case f.included:
		c.fail(at, n, "%s includes itself", name)
		return
	}
	o := &overrides{names: map[string]bool{}}
	o.gather(c, n)
	f.included = true
	c.collect(scope{f, at.grammar}, f.root, append(over[:len(over):len(over)], o))
	f.included = false
	c.collect(at, n, over)
}

func (c *compiler) addBody(d *define, at scope, n *xmltree.Node) {
	how, said := n.Get("combine")
	if said {
		how = trimSpace(how)
		if how != "choice" && how != "interleave" || d.combine != "" && d.combine != how {
			c.fail(at, n, "%q: combine=%q does not fit", d.name, how)
		}
		d.combine = how
	}
	d.bodies = append(d.bodies, body{at, n, !said})
}

// ref compiles a reference to a definition of g.
func (c *compiler) ref(at scope, g *grammar, n *xmltree.Node) pid {
	name := trimSpace(n.Attr("name"))
	var d *define
	if g != nil {
		d = g.defs[name]
	}
	if d == nil {
		c.fail(at, n, "%q is not defined", name)
		return pNever
	}
	return c.use(d, at, n)
}

// use compiles a definition where it is first used.
func (c *compiler) use(d *define, at scope, n *xmltree.Node) pid {
	return c.once(d, at, n, func() pid {
		var parts []pid
		bare := 0
		for _, b := range d.bodies {
			if b.bare {
				bare++
			}
			parts = append(parts, c.children(b.at, b.node))
		}
		if bare > 1 {
			c.fail(at, n, "%q is defined %d times without combine", d.name, bare)
		}
		if d.combine == "interleave" {
			return c.s.interleave(parts...)
		}
		return c.s.choice(parts...)
	})
}
