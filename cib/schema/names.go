package schema

import (
	"strings"
	"unicode"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// nameID stands for a name of a document. Names that the schema mentions have
// a positive number; all others are told apart only by their namespace, which
// is all that a name class can ask about them: -1 is an unknown namespace,
// -2-i the namespace i of the schema.
type nameID int32

type qname struct{ space, local string }

// names are the names and namespaces that a schema mentions.
type names struct {
	ids    map[qname]nameID
	spaces map[string]nameID
	bare   map[string]nameID // ids of names without namespace, which is the usual case
}

func newNames() names {
	n := names{ids: map[qname]nameID{}, spaces: map[string]nameID{}, bare: map[string]nameID{}}
	n.space("")
	return n
}

func (n *names) space(uri string) nameID {
	id, ok := n.spaces[uri]
	if !ok {
		id = nameID(-2 - len(n.spaces))
		n.spaces[uri] = id
	}
	return id
}

func (n *names) add(q qname) nameID {
	id, ok := n.ids[q]
	if !ok {
		n.space(q.space)
		id = nameID(len(n.ids) + 1)
		n.ids[q] = id
		if q.space == "" {
			n.bare[q.local] = id
		}
	}
	return id
}

// find is the number of a name of a document.
func (n *names) find(q qname) nameID {
	if q.space == "" {
		if id, ok := n.bare[q.local]; ok {
			return id
		}
	} else if id, ok := n.ids[q]; ok {
		return id
	}
	if id, ok := n.spaces[q.space]; ok {
		return id
	}
	return -1
}

// class is a name class. A choice of classes has kids.
type class struct {
	kind   classKind
	id     nameID // className: the name; classSpace: the namespace
	label  string
	kids   []int32
	except int32 // index of a class, -1: none
}

type classKind uint8

const (
	className classKind = iota
	classAny
	classSpace
	classChoice
)

func (c *class) has(s *Schema, id nameID) bool {
	switch c.kind {
	case className:
		return c.id == id
	case classChoice:
		for _, k := range c.kids {
			if s.classes[k].has(s, id) {
				return true
			}
		}
		return false
	case classSpace:
		if s.spaceOf(id) != c.id {
			return false
		}
	}
	return c.except < 0 || !s.classes[c.except].has(s, id)
}

// spaceOf is the number of the namespace of a name.
func (s *Schema) spaceOf(id nameID) nameID {
	if id > 0 {
		return s.nameSpace[id-1]
	}
	return id
}

// resolve gives the name of an element or, for attr, an attribute of n with
// its namespace. A prefix that nobody declared is part of the name, as libxml2
// takes it.
func resolve(n *xmltree.Node, name string, attr bool) qname {
	prefix, local, colon := strings.Cut(name, ":")
	if !colon {
		if attr {
			return qname{"", name}
		}
		prefix, local = "", name
	}
	if colon && prefix == "xml" {
		return qname{"http://www.w3.org/XML/1998/namespace", local}
	}
	decl := "xmlns"
	if colon {
		decl += ":" + prefix
	}
	for ; n != nil; n = n.Parent {
		if uri, ok := n.Get(decl); ok {
			return qname{uri, local}
		}
	}
	return qname{"", name}
}

func isDeclaration(attr string) bool {
	return strings.HasPrefix(attr, "xmlns") && (len(attr) == 5 || attr[5] == ':')
}

func isLetter(r rune, first bool) bool {
	return unicode.IsLetter(r) || !first && (unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Mc, r) || unicode.IsDigit(r))
}
