// Package schema decides whether a CIB conforms to one of Pacemaker's schemas,
// and knows the schemas' versions and how validate-with chooses among them.
//
// It compiles RelaxNG grammars into patterns and validates with derivatives
// (J. Clark, "An algorithm for RELAX NG validation"). Callers hand it the
// texts of the schema files (package schemafiles reads the installed ones).
// The CIB daemon, the scheduler and the tools use it. It replaces
// lib/common/schemas.c and libxml2's relaxng.c.
package schema

import (
	"fmt"
	"path"
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Open returns the text of a schema file. Names are relative, with slashes,
// and never leave the folder of the schemas.
type Open func(name string) ([]byte, error)

// Schema is a compiled grammar. It remembers what it learned from documents,
// so it belongs to one goroutine.
type Schema struct {
	store
	names
	nameSpace []nameID // of each name, by nameID-1
	classes   []class
	elems     []elementPattern
	attrs     []attributePattern
	datas     []data
	values    []value
	start     pid
	memo      memo
}

// elementPattern is an element of the grammar. Its content is compiled after
// it, so that grammars may recurse.
type elementPattern struct {
	class   int32
	content pid
}

type attributePattern struct {
	class   int32
	content pid
	id, ref bool // its value is an ID, an IDREF
}

// Limits of a grammar: far above Pacemaker's (3.9: 30 files, 160 elements),
// and low enough that a hostile one costs neither time nor memory.
const (
	maxFiles    = 512
	maxGrammars = 2048
	maxElements = 1 << 14
	maxNesting  = 512 // definitions, files and patterns within each other
	maxWork     = 1 << 18
)

// Compile reads the grammar in the file called name and all that it includes.
func Compile(open Open, name string) (*Schema, error) {
	c := &compiler{
		s:    &Schema{store: *newStore(), names: newNames(), memo: newMemo()},
		open: open, files: map[string]*file{}, external: map[externalKey]*define{}, attrLeaf: map[[2]int32]int32{},
		classAt: map[string]int32{},
	}
	start := c.externalRef(name, nil)
	for len(c.pending) > 0 && c.err == nil {
		todo := c.pending[0]
		c.pending = c.pending[1:]
		c.s.elems[todo.leaf].content = c.children(todo.at, todo.node)
	}
	if c.s.full() {
		c.fail(scope{}, nil, "the grammar is too large")
	}
	if c.err != nil {
		return nil, c.err
	}
	c.s.start = start
	for range len(c.s.ids) {
		c.s.nameSpace = append(c.s.nameSpace, 0)
	}
	for q, id := range c.s.ids {
		c.s.nameSpace[id-1] = c.s.space(q.space)
	}
	c.s.base = len(c.s.pats)
	return c.s, nil
}

// compiler turns files into patterns. The first error stays and ends the work.
type compiler struct {
	s        *Schema
	open     Open
	files    map[string]*file
	external map[externalKey]*define
	attrLeaf map[[2]int32]int32 // class and content: equal attributes are one
	classAt  map[string]int32   // name classes by their text
	pending  []pendingElement
	grammars int
	nesting  int
	work     int
	err      error
}

// scope is where a piece of a grammar stands.
type scope struct {
	file    *file
	grammar *grammar
}

type pendingElement struct {
	leaf int32
	node *xmltree.Node
	at   scope
}

type file struct {
	name     string
	root     *xmltree.Node
	outer    bool // speaks of the grammar that refers to it: parentRef not within a grammar of its own
	included bool // being included now
}

type externalKey struct {
	file    *file
	grammar *grammar // nil unless file.outer
}

func (c *compiler) fail(at scope, n *xmltree.Node, format string, args ...any) {
	if c.err != nil {
		return
	}
	where := ""
	if at.file != nil {
		where = at.file.name + ": "
	}
	if n != nil {
		where = fmt.Sprintf("%sline %d: ", where, n.Line)
	}
	c.err = fmt.Errorf("schema: %s%s", where, fmt.Sprintf(format, args...))
}

// enter counts nesting and work; false ends the work.
func (c *compiler) enter(at scope, n *xmltree.Node) bool {
	c.nesting++
	c.work++
	switch {
	case c.err != nil:
		return false
	case c.nesting > maxNesting:
		c.fail(at, n, "definitions are nested more than %d deep", maxNesting)
	case c.work > maxWork || c.s.full():
		c.fail(at, n, "the grammar is too large")
	}
	return c.err == nil
}

func (c *compiler) leave() { c.nesting-- }

// load reads and parses a file once.
func (c *compiler) load(at scope, n *xmltree.Node, name string) *file {
	if f := c.files[name]; f != nil {
		return f
	}
	if len(c.files) >= maxFiles {
		c.fail(at, n, "more than %d files", maxFiles)
		return nil
	}
	text, err := c.open(name)
	if err != nil {
		c.fail(at, n, "cannot read %q: %v", name, err)
		return nil
	}
	root, err := xmltree.Parse(text, xmltree.Limits{Bytes: 4 << 20})
	if err != nil {
		c.fail(at, n, "%s: %v", name, err)
		return nil
	}
	f := &file{name: name, root: root}
	f.outer = speaksOfParent(root)
	c.files[name] = f
	return f
}

func speaksOfParent(n *xmltree.Node) bool {
	depth := 0
	if rng(n) == "grammar" {
		depth = 1
	}
	return parentRefs(n, depth)
}

// parentRefs looks for a parentRef with fewer than two grammars around it.
func parentRefs(n *xmltree.Node, depth int) bool {
	found := false
	n.Elements(func(k *xmltree.Node) {
		switch rng(k) {
		case "parentRef":
			found = found || depth < 2
		case "grammar":
			found = found || parentRefs(k, depth+1)
		default:
			found = found || parentRefs(k, depth)
		}
	})
	return found
}

// href makes the name of a file that another one refers to.
func (c *compiler) href(at scope, n *xmltree.Node) string {
	ref := n.Attr("href")
	name := path.Join(path.Dir(at.file.name), ref)
	if ref == "" || strings.Contains(ref, ":") || path.IsAbs(ref) || name == ".." || strings.HasPrefix(name, "../") {
		c.fail(at, n, "href %q is not a file beside this one", ref)
	}
	return name
}

// externalRef compiles a whole file as a pattern. parent is the grammar around
// the reference.
func (c *compiler) externalRef(name string, parent *grammar) pid {
	f := c.load(scope{}, nil, name)
	if f == nil {
		return pNever
	}
	key := externalKey{file: f}
	if f.outer {
		key.grammar = parent
	}
	d := c.external[key]
	if d == nil {
		d = &define{name: name}
		c.external[key] = d
	}
	at := scope{f, parent}
	return c.once(d, at, f.root, func() pid { return c.pattern(at, f.root) })
}

// once compiles a definition when it is first used, and refuses one that
// contains itself without an element between.
func (c *compiler) once(d *define, at scope, n *xmltree.Node, compile func() pid) pid {
	switch d.state {
	case defineDone:
		return d.pattern
	case defineOpen:
		c.fail(at, n, "%q contains itself", d.name)
		return pNever
	}
	d.state = defineOpen
	d.pattern = compile()
	d.state = defineDone
	return d.pattern
}

const rngSpace = "http://relaxng.org/ns/structure/1.0"

// rng is the local name of an element of a grammar, empty for one that is not
// RelaxNG's.
func rng(n *xmltree.Node) string {
	if n.Kind != xmltree.Element {
		return ""
	}
	if q := resolve(n, n.Name, false); q.space == rngSpace {
		return q.local
	}
	return ""
}

// inherited is an attribute of n or its nearest ancestor that has it.
func inherited(n *xmltree.Node, name string) string {
	for ; n != nil; n = n.Parent {
		if v, ok := n.Get(name); ok {
			return v
		}
	}
	return ""
}
