package patch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pacesync/pacesync/cib/digest"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Apply returns cib with a patchset of format 2 or 1 applied. cib itself is never
// changed; on an error, which is always an *Error, there is no result. With
// checkVersion the patchset must start at the version of cib. A digest in the
// patchset must be that of the result (patchset.c: xml_apply_patchset).
func Apply(cib, patch *xmltree.Node, checkVersion bool) (*xmltree.Node, error) {
	format := Format(patch)
	if checkVersion {
		if err := CheckVersion(cib, patch); err != nil {
			return nil, err
		}
	}
	root := cib.Copy()
	var err error
	switch format {
	case 1:
		err = apply1(root, patch)
	case 2:
		a := application{root: root}
		err = a.run(patch)
	default:
		err = &Error{Code: Invalid, Text: fmt.Sprintf("format %d: only formats 1 and 2 are known", format)}
	}
	if err != nil {
		return nil, err
	}
	if want, ok := patch.Get("digest"); ok {
		if got := digest.CIB(root); !digest.Same(got, want) {
			return nil, &Error{Code: DiffFailed, Text: "the result has the digest " + got + ", expected is " + want}
		}
	}
	return root, nil
}

// application is a patchset being applied to a copy.
type application struct {
	root  *xmltree.Node
	later []placement
}

// placement is a creation or move, which wait until deletions are done and then
// go from low positions to high ones.
type placement struct {
	change   *xmltree.Node
	number   int
	match    *xmltree.Node // the parent of what is created, or the node to move
	position int
	move     bool
}

// run applies the changes (patchset.c: apply_v2_patchset).
func (a *application) run(patch *xmltree.Node) error {
	number := 0
	for c := patch.First; c != nil; c = c.Next {
		op, ok := c.Get("operation")
		if c.Kind != xmltree.Element || !ok {
			continue // the version, or something of a later format
		}
		number++
		if err := a.change(c, op, number); err != nil {
			return err
		}
	}
	slices.SortStableFunc(a.later, func(x, y placement) int { return x.position - y.position })
	for i := range a.later {
		if err := a.place(&a.later[i]); err != nil {
			return err
		}
	}
	return nil
}

func (a *application) change(c *xmltree.Node, op string, number int) error {
	path := c.Attr("path")
	fail := func(code Code, text string) error { return &Error{code, number, path, text} }
	position := -1
	if s, ok := c.Get("position"); ok {
		position = Int(s)
	}
	at := -1
	if op == "delete" {
		at = position
	}
	match := Find(a.root, path, at)
	switch {
	case match == nil && op == "delete":
		return nil // gone already
	case match == nil:
		return fail(DiffFailed, op+" finds nothing there")
	}
	switch op {
	case "delete":
		if match == a.root {
			return fail(DiffFailed, "the root cannot be deleted")
		}
		match.Remove()
	case "modify":
		result := c.Child("change-result")
		if result == nil || firstNode(result) == nil {
			return fail(NoMessage, "modify without a change-result")
		}
		match.Attrs = slices.Clone(firstNode(result).Attrs)
	case "create":
		if firstNode(c) == nil {
			return fail(NoMessage, "create without an element")
		}
		if match.Kind != xmltree.Element {
			return fail(DiffFailed, "a comment has no children")
		}
		// Without a position it comes first, but in the order of the list.
		a.later = append(a.later, placement{c, number, match, position, false})
	case "move":
		if match == a.root {
			return fail(DiffFailed, "the root cannot be moved")
		}
		a.later = append(a.later, placement{c, number, match, position, true})
		parent := match.Parent // out of the way until its turn
		match.Remove()
		parent.Add(match)
	default:
		return fail(DiffFailed, "unknown operation "+op)
	}
	return nil
}

// place does a creation or move.
func (a *application) place(p *placement) error {
	fail := func(text string) error { return &Error{DiffFailed, p.number, p.change.Attr("path"), text} }
	if !a.holds(p.match) {
		return fail("another change deletes it")
	}
	at := p.position
	if _, ok := p.change.Get("position"); !ok {
		at = 0
	}
	if !p.move {
		insert(p.match, firstNode(p.change).Copy(), at)
		return nil
	}
	parent := p.match.Parent
	p.match.Remove()
	insert(parent, p.match, at)
	if got := indexIn(p.match); got != at {
		return fail(fmt.Sprintf("moved to position %d, only %d is there", at, got))
	}
	return nil
}

// holds says whether n is still part of the tree.
func (a *application) holds(n *xmltree.Node) bool {
	for ; n != nil; n = n.Parent {
		if n == a.root {
			return true
		}
	}
	return false
}

// insert makes c the child of parent at a position, the last one where there
// are not so many.
func insert(parent, c *xmltree.Node, position int) {
	before := parent.First
	for i := 0; before != nil && i != position; i++ {
		before = before.Next
	}
	switch {
	case before == nil:
		parent.Add(c)
	case before.Prev != nil:
		before.Prev.AddAfter(c)
	default:
		c.Parent, c.Next, before.Prev, parent.First = parent, before, c, c
	}
}

func indexIn(n *xmltree.Node) int {
	i := 0
	for p := n.Prev; p != nil; p = p.Prev {
		i++
	}
	return i
}

// firstNode is the first element or comment in n.
func firstNode(n *xmltree.Node) *xmltree.Node {
	for c := n.First; c != nil; c = c.Next {
		if c.Kind == xmltree.Element || c.Kind == xmltree.Comment {
			return c
		}
	}
	return nil
}

// Find follows a path of a patchset, steps of the form /name or /name[@id='x'],
// from the root (patchset.c: search_v2_xpath). position, unless negative, is
// the place of a comment that the path ends with. nil: there is no such node, or
// it is no such path. Unlike the original's, a step may hold a slash or a blank
// in its id.
func Find(root *xmltree.Node, path string, position int) *xmltree.Node {
	var n *xmltree.Node
	for path != "" {
		name, id, byID, rest, ok := cutStep(path)
		if !ok {
			return nil
		}
		at := -1
		if rest == "" {
			at = position
		}
		if n == nil {
			if got, ok := root.Get("id"); name != root.Name || byID && (!ok || got != id) {
				return nil
			}
			n = root
		} else if n = findChild(n, name, id, byID, at); n == nil {
			return nil
		}
		path = rest
	}
	return n
}

func findChild(n *xmltree.Node, name, id string, byID bool, position int) *xmltree.Node {
	i := -1
	for c := n.First; c != nil; c = c.Next {
		i++
		switch c.Kind {
		case xmltree.Element:
			if got, ok := c.Get("id"); c.Name == name && (!byID || ok && got == id) {
				return c
			}
		case xmltree.Comment:
			if name == "comment" && !byID && (position < 0 || position == i) {
				return c
			}
		}
	}
	return nil
}

// cutStep takes the first step off a path.
func cutStep(path string) (name, id string, byID bool, rest string, ok bool) {
	if path[0] != '/' {
		return
	}
	path = path[1:]
	end := strings.IndexAny(path, "/[")
	if end < 0 {
		return path, "", false, "", path != ""
	}
	name, path = path[:end], path[end:]
	if name == "" {
		return
	}
	if path[0] == '/' {
		return name, "", false, path, true
	}
	path, ok = strings.CutPrefix(path, "[@id='")
	if !ok {
		return
	}
	id, rest, ok = strings.Cut(path, "']")
	return name, id, true, rest, ok && (rest == "" || rest[0] == '/')
}
