// Package xmltree is the XML tree of the project: parser, document tree and
// writers whose bytes equal libxml2's and Pacemaker's own.
//
// The CIB, the policy engine, the tools and Pacemaker's messages are built on
// it. It replaces libxml2 and lib/common/xml.c. A parsed tree shares the text it
// was read from; nodes and attributes come from slabs, so a tree costs few
// allocations. A tree is owned by one goroutine unless nobody changes it.
package xmltree

// Kind says what a Node is.
type Kind uint8

// The kinds of nodes that survive parsing; processing instructions and
// declarations do not.
const (
	Element Kind = iota
	Text
	CData
	Comment
)

// Attr is one attribute of an element, its value without references.
type Attr struct{ Name, Value string }

// Node is an element, or a piece of text or a comment within one. For an element
// Name is its name; for the other kinds it is the content.
type Node struct {
	Name   string
	Attrs  []Attr
	Parent *Node
	First  *Node // first child of any kind
	Last   *Node
	Prev   *Node
	Next   *Node // next sibling of any kind
	Line   int32 // line of the input it began on, 0 for a node made by a program
	Kind   Kind
}

// New returns an element without parent.
func New(name string, attrs ...Attr) *Node { return &Node{Name: name, Attrs: attrs} }

// Get returns the value of an attribute and whether there is one.
func (n *Node) Get(name string) (string, bool) {
	if n == nil {
		return "", false
	}
	for i := range n.Attrs {
		if n.Attrs[i].Name == name {
			return n.Attrs[i].Value, true
		}
	}
	return "", false
}

// Attr returns the value of an attribute, empty when there is none.
func (n *Node) Attr(name string) string {
	v, _ := n.Get(name)
	return v
}

// ID returns the attribute id.
func (n *Node) ID() string { return n.Attr("id") }

// Set changes or appends an attribute.
func (n *Node) Set(name, value string) {
	for i := range n.Attrs {
		if n.Attrs[i].Name == name {
			n.Attrs[i].Value = value
			return
		}
	}
	n.Attrs = append(n.Attrs, Attr{name, value})
}

// Unset removes an attribute if it is there.
func (n *Node) Unset(name string) {
	for i := range n.Attrs {
		if n.Attrs[i].Name == name {
			n.Attrs = append(n.Attrs[:i:i], n.Attrs[i+1:]...)
			return
		}
	}
}

// Child returns the first child element of that name, nil when there is none.
func (n *Node) Child(name string) *Node {
	if n == nil {
		return nil
	}
	for c := n.First; c != nil; c = c.Next {
		if c.Kind == Element && c.Name == name {
			return c
		}
	}
	return nil
}

// NextNamed returns the next sibling element of the same name.
func (n *Node) NextNamed() *Node {
	for s := n.Next; s != nil; s = s.Next {
		if s.Kind == Element && s.Name == n.Name {
			return s
		}
	}
	return nil
}

// Elements calls f for every child element, in document order.
func (n *Node) Elements(f func(*Node)) {
	if n == nil {
		return
	}
	for c := n.First; c != nil; {
		next := c.Next
		if c.Kind == Element {
			f(c)
		}
		c = next
	}
}

// Each calls f for every child element of that name, in document order.
func (n *Node) Each(name string, f func(*Node)) {
	n.Elements(func(c *Node) {
		if c.Name == name {
			f(c)
		}
	})
}

// Path follows names of child elements from n; nil when one is missing.
func (n *Node) Path(names ...string) *Node {
	for _, name := range names {
		n = n.Child(name)
	}
	return n
}

// Find returns the first element, n included, for which ok holds, in document order.
func (n *Node) Find(ok func(*Node) bool) *Node {
	if n == nil || n.Kind != Element {
		return nil
	}
	if ok(n) {
		return n
	}
	for c := n.First; c != nil; c = c.Next {
		if m := c.Find(ok); m != nil {
			return m
		}
	}
	return nil
}

// HasElements says whether n has any child element.
func (n *Node) HasElements() bool {
	if n == nil {
		return false
	}
	for c := n.First; c != nil; c = c.Next {
		if c.Kind == Element {
			return true
		}
	}
	return false
}

// Add appends c as the last child and returns it. c must not have a parent.
func (n *Node) Add(c *Node) *Node {
	c.Parent, c.Prev, c.Next = n, n.Last, nil
	if n.Last == nil {
		n.First = c
	} else {
		n.Last.Next = c
	}
	n.Last = c
	return c
}

// AddNew appends a new element and returns it.
func (n *Node) AddNew(name string, attrs ...Attr) *Node { return n.Add(New(name, attrs...)) }

// AddAfter inserts c as the next sibling of n.
func (n *Node) AddAfter(c *Node) {
	c.Parent, c.Prev, c.Next = n.Parent, n, n.Next
	if n.Next == nil {
		n.Parent.Last = c
	} else {
		n.Next.Prev = c
	}
	n.Next = c
}

// Remove takes n out of its parent.
func (n *Node) Remove() {
	p := n.Parent
	if p == nil {
		return
	}
	if n.Prev == nil {
		p.First = n.Next
	} else {
		n.Prev.Next = n.Next
	}
	if n.Next == nil {
		p.Last = n.Prev
	} else {
		n.Next.Prev = n.Prev
	}
	n.Parent, n.Prev, n.Next = nil, nil, nil
}

// Copy returns a deep copy of n without parent.
func (n *Node) Copy() *Node {
	c := &Node{Name: n.Name, Kind: n.Kind, Line: n.Line}
	if len(n.Attrs) > 0 {
		c.Attrs = append(make([]Attr, 0, len(n.Attrs)), n.Attrs...)
	}
	for k := n.First; k != nil; k = k.Next {
		c.Add(k.Copy())
	}
	return c
}

// StripText removes the text below n, as Pacemaker does with what it reads from
// files and descriptors, but not with messages (xml.c: pcmk__strip_xml_text).
// Blank text is left by Parse where an element holds nothing else.
func (n *Node) StripText() {
	for c := n.First; c != nil; {
		next := c.Next
		switch c.Kind {
		case Text:
			c.Remove()
		case Element:
			c.StripText()
		}
		c = next
	}
}
