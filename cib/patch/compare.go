package patch

import (
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Options of a comparison.
type Options struct {
	// IgnoreAttrOrder leaves out attributes whose place alone changed
	// (xml.c: xml_calculate_significant_changes). Without it the digest of the
	// result is always that of the target.
	IgnoreAttrOrder bool
}

// Diff is the difference between two trees. It refers to both, which must not
// change as long as it is in use.
type Diff struct {
	source, target *xmltree.Node
	deleted        []deletion
	root           *delta
	changed        bool
	opt            Options
}

// deletion is an element or comment that is gone. position is -1 for elements,
// which have a path of their own.
type deletion struct {
	node     *xmltree.Node // in the source
	path     string
	position int
}

// delta is what happened to one node of the target. Nodes below which nothing
// happened have none.
type delta struct {
	node           *xmltree.Node
	was            *xmltree.Node // its counterpart in the source, nil when created or only moved
	path           string        // of the node, or of its parent when it was created
	index          int           // among all siblings in the target
	attrs          []attrDelta
	created, moved bool
	children       []*delta // in the target's order
}

type attrDelta struct {
	name, value string
	unset       bool
}

// kid is a child being compared. placed is false for those that do not count
// when positions are compared: deleted, created and already moved ones.
type kid struct {
	node   *xmltree.Node
	index  int
	placed bool
	delta  *delta
	seen   bool // compared with a counterpart
}

// Compare finds the changes that lead from source to target, which must be
// elements of the same name and id (xml.c: mark_xml_changes). Elements
// correspond when name and id are the same, or the name alone where there is no
// id; comments when text and place are the same. Text and CDATA do not count.
func Compare(source, target *xmltree.Node, opt Options) (*Diff, error) {
	if source.Kind != xmltree.Element || target.Kind != xmltree.Element ||
		source.Name != target.Name || source.ID() != target.ID() {
		return nil, &Error{Code: Invalid, Text: "cannot compare <" + source.Name + " id=" + source.ID() + "> with <" +
			target.Name + " id=" + target.ID() + ">: only versions of one element can be compared"}
	}
	d := &Diff{source: source, target: target, opt: opt}
	d.root = d.element(source, target, step("", target), 0)
	if d.root == nil {
		d.root = &delta{node: target, path: step("", target)}
	}
	return d, nil
}

// Changed says whether there is any difference.
func (d *Diff) Changed() bool { return d.changed }

// ConfigChanged says whether the configuration changed, and not only the status
// or attributes of the root (patchset.c: is_config_change). A change of the
// configuration raises epoch, any other num_updates.
func (d *Diff) ConfigChanged() bool {
	config := d.target.Child("configuration")
	for _, c := range d.root.children {
		if c.node == config && (c.created || len(c.attrs) > 0 || len(c.children) > 0) {
			return true
		}
	}
	for _, gone := range d.deleted {
		if strings.Contains(gone.path, "/cib/configuration") {
			return true
		}
	}
	return false
}

// Change is one difference as Each tells it.
type Change struct {
	Old *xmltree.Node // in the source, nil for what was created
	New *xmltree.Node // in the target, nil for what is gone
	// Attrs says that attributes were set or taken away, and not only moved.
	Attrs bool
}

// Each calls f for every element or comment that is gone, was created (with all
// that is in it), or has other attributes.
func (d *Diff) Each(f func(Change)) {
	for _, gone := range d.deleted {
		f(Change{Old: gone.node})
	}
	var walk func(t *delta)
	walk = func(t *delta) {
		if t.created {
			f(Change{New: t.node})
			return
		}
		if len(t.attrs) > 0 && t.was != nil {
			f(Change{Old: t.was, New: t.node, Attrs: !samePairs(t.was, t.node)})
		}
		for _, c := range t.children {
			walk(c)
		}
	}
	walk(d.root)
}

// samePairs says whether two elements have the same attributes, in any order.
func samePairs(a, b *xmltree.Node) bool {
	if len(a.Attrs) != len(b.Attrs) {
		return false
	}
	for i := range a.Attrs {
		if v, ok := b.Get(a.Attrs[i].Name); !ok || v != a.Attrs[i].Value {
			return false
		}
	}
	return true
}

// SetRoot sets an attribute of the target's root as part of the change: the
// version is raised so after it is known what changed.
func (d *Diff) SetRoot(name, value string) {
	if old, ok := d.target.Get(name); ok && old == value {
		return
	}
	d.target.Set(name, value)
	d.root.attrs, d.changed = compareAttrs(d.source, d.target, d.opt), true
}

// step appends the step to n to the path of its parent.
func step(path string, n *xmltree.Node) string {
	name := n.Name
	if n.Kind == xmltree.Comment {
		return path + "/comment"
	}
	if id, ok := n.Get("id"); ok {
		return path + "/" + name + "[@id='" + id + "']"
	}
	return path + "/" + name
}

// element compares two corresponding elements and what is below.
func (d *Diff) element(from, to *xmltree.Node, path string, index int) *delta {
	res := &delta{node: to, was: from, path: path, index: index}
	res.attrs = compareAttrs(from, to, d.opt)
	gone := len(d.deleted)
	if from.First != nil || to.First != nil {
		olds, news := kids(from), kids(to)
		oldIndex, newIndex := indexOf(olds), indexOf(news)
		d.compareOld(olds, news, newIndex, path)
		d.compareNew(olds, news, oldIndex, path)
		for i := range news {
			if news[i].delta != nil {
				res.children = append(res.children, news[i].delta)
			}
		}
	}
	if len(res.attrs) > 0 || len(res.children) > 0 || len(d.deleted) > gone {
		d.changed = true
		return res
	}
	return nil
}

// compareOld compares every child that was with its counterpart, or notes that
// it is gone.
func (d *Diff) compareOld(olds, news []kid, newIndex index, path string) {
	for i := range olds {
		o := &olds[i]
		at := position(olds, i)
		j := newIndex.find(news, o.node, at)
		if j < 0 {
			gone := deletion{o.node, step(path, o.node), -1}
			if o.node.Kind == xmltree.Comment {
				gone.position = at
			}
			d.deleted, o.placed = append(d.deleted, gone), false
			continue
		}
		n := &news[j]
		if n.seen || n.node.Kind != xmltree.Element {
			continue
		}
		n.seen = true
		n.delta = d.element(o.node, n.node, step(path, n.node), n.index)
	}
}

// compareNew finds children that came and that changed places.
func (d *Diff) compareNew(olds, news []kid, oldIndex index, path string) {
	at := 0
	for j := range news {
		n := &news[j]
		i := oldIndex.find(olds, n.node, at)
		if i < 0 {
			n.placed = false
			n.delta = &delta{node: n.node, path: path, index: n.index, created: true}
			continue
		}
		if was := position(olds, i); was != at {
			if n.delta == nil {
				n.delta = &delta{node: n.node, path: step(path, n.node), index: n.index}
			}
			n.delta.moved = true
			if was > at {
				olds[i].placed = false
			} else {
				n.placed = false
			}
		}
		if n.placed {
			at++
		}
	}
}

func kids(n *xmltree.Node) []kid {
	count := 0
	for c := n.First; c != nil; c = c.Next {
		count++
	}
	ks := make([]kid, 0, count)
	for c, i := n.First, 0; c != nil; c = c.Next {
		if c.Kind == xmltree.Element || c.Kind == xmltree.Comment {
			ks = append(ks, kid{node: c, index: i, placed: true})
			i++
		}
	}
	return ks
}

// position counts the placed siblings before ks[i].
func position(ks []kid, i int) int {
	at := 0
	for k := range ks[:i] {
		if ks[k].placed {
			at++
		}
	}
	return at
}

// index finds the first child of a name, or of a name and id, quickly.
type index map[indexKey]int

type indexKey struct {
	name, id string
	byID     bool
}

func indexOf(ks []kid) index {
	x := make(index, 2*len(ks))
	for i := range ks {
		n := ks[i].node
		if n.Kind != xmltree.Element {
			continue
		}
		if _, ok := x[indexKey{name: n.Name}]; !ok {
			x[indexKey{name: n.Name}] = i
		}
		if id, ok := n.Get("id"); ok {
			key := indexKey{n.Name, id, true}
			if _, ok := x[key]; !ok {
				x[key] = i
			}
		}
	}
	return x
}

// find returns the counterpart of n among ks, -1 if there is none. at is the
// position of n, which counts for comments (xml.c: pcmk__xml_match,
// pcmk__xc_match).
func (x index) find(ks []kid, n *xmltree.Node, at int) int {
	if n.Kind == xmltree.Element {
		id, byID := n.Get("id")
		if i, ok := x[indexKey{n.Name, id, byID}]; ok {
			return i
		}
		return -1
	}
	offset := 0
	for i := range ks {
		if offset > at {
			break
		}
		if offset == at && ks[i].placed {
			if ks[i].node.Kind == xmltree.Comment && strings.EqualFold(ks[i].node.Name, n.Name) {
				return i
			}
			break
		}
		if ks[i].placed {
			offset++
		}
	}
	return -1
}

// compareAttrs finds attributes that were set or taken away. Those taken away
// come last, in the order they stood in.
func compareAttrs(from, to *xmltree.Node, opt Options) []attrDelta {
	if sameAttrs(from, to) {
		return nil
	}
	marked := make([]bool, len(to.Attrs))
	known := make([]bool, len(to.Attrs))
	oldSkip, newSkip := make([]bool, len(from.Attrs)), make([]bool, len(to.Attrs))
	var unset []attrDelta
	for i, a := range from.Attrs {
		j := attrIndex(to, a.Name)
		if j < 0 {
			unset = append(unset, attrDelta{name: a.Name, unset: true})
			continue
		}
		known[j] = true
		was, is := placed(oldSkip, i), placed(newSkip, j)
		switch {
		case to.Attrs[j].Value != a.Value:
			marked[j] = true
		case was != is && !opt.IgnoreAttrOrder:
			marked[j] = true
			if was > is {
				oldSkip[i] = true
			} else {
				newSkip[j] = true
			}
		}
	}
	var out []attrDelta
	for j, a := range to.Attrs {
		if marked[j] || !known[j] {
			out = append(out, attrDelta{name: a.Name, value: a.Value})
		}
	}
	return append(out, unset...)
}

func sameAttrs(a, b *xmltree.Node) bool {
	if len(a.Attrs) != len(b.Attrs) {
		return false
	}
	for i := range a.Attrs {
		if a.Attrs[i] != b.Attrs[i] {
			return false
		}
	}
	return true
}

func attrIndex(n *xmltree.Node, name string) int {
	for i := range n.Attrs {
		if n.Attrs[i].Name == name {
			return i
		}
	}
	return -1
}

// placed counts the attributes before i that were not moved.
func placed(skip []bool, i int) int {
	at := 0
	for _, s := range skip[:i] {
		if !s {
			at++
		}
	}
	return at
}
