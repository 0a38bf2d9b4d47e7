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
	position int
}

// delta is what happened to one node of the target. Nodes below which nothing
// happened have none.
type delta struct {
	node           *xmltree.Node
	was            *xmltree.Node // its counterpart in the source, nil when created or only moved
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
	if d.root = d.element(source, target, 0); d.root == nil {
		d.root = &delta{node: target}
	}
	return d, nil
}

// Edits are changes that were made in a tree itself, as they were noted.
type Edits struct {
	// Root is the root element as it was, without content.
	Root *xmltree.Node
	// Attrs holds the attributes that elements had before.
	Attrs map[*xmltree.Node][]xmltree.Attr
	// Created are the elements and comments that were added, each with all in it.
	Created map[*xmltree.Node]bool
}

// Edited makes the difference of noted changes, at the cost of the changes and
// not of the tree. It is the one that Compare finds between copies from before
// and after, where nothing moved and nothing was taken away.
func Edited(root *xmltree.Node, e Edits) *Diff {
	d := &Diff{source: e.Root, target: root}
	touched := map[*xmltree.Node]bool{}
	mark := func(n *xmltree.Node) {
		for ; n != nil && !touched[n]; n = n.Parent {
			touched[n] = true
		}
	}
	for n := range e.Attrs {
		mark(n)
	}
	for n := range e.Created {
		mark(n)
	}
	if d.root = d.edited(root, e, touched, 0); d.root == nil {
		d.root = &delta{node: root}
	}
	return d
}

func (d *Diff) edited(n *xmltree.Node, e Edits, touched map[*xmltree.Node]bool, index int) *delta {
	res := &delta{node: n, was: n, index: index}
	if e.Created[n] {
		d.changed, res.created, res.was = true, true, nil
		return res
	}
	if old, ok := e.Attrs[n]; ok {
		res.attrs = compareAttrs(&xmltree.Node{Attrs: old}, n, d.opt)
	}
	at := 0
	for c := n.First; c != nil; c = c.Next {
		if c.Kind != xmltree.Element && c.Kind != xmltree.Comment {
			continue
		}
		if touched[c] {
			if sub := d.edited(c, e, touched, at); sub != nil {
				res.children = append(res.children, sub)
			}
		}
		at++
	}
	if len(res.attrs) == 0 && len(res.children) == 0 {
		return nil
	}
	d.changed = true
	return res
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
		if strings.Contains(pathOf(gone.node, d.source), "/cib/configuration") {
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

// element compares two corresponding elements and what is below; nil: they are
// the same.
func (d *Diff) element(from, to *xmltree.Node, index int) *delta {
	var res *delta
	note := func() *delta {
		if res == nil {
			res = &delta{node: to, was: from, index: index}
		}
		return res
	}
	if attrs := compareAttrs(from, to, d.opt); attrs != nil {
		note().attrs = attrs
	}
	gone := len(d.deleted)
	if aligned(from, to) {
		at := 0
		for a, b := from.First, to.First; a != nil; a, b = a.Next, b.Next {
			if c := d.element(a, b, at); c != nil {
				note().children = append(res.children, c)
			}
			at++
		}
	} else if from.First != nil || to.First != nil {
		olds, news := kidsOf(from), kidsOf(to)
		oldIndex, newIndex := indexOf(olds.all), indexOf(news.all)
		d.compareOld(&olds, &news, newIndex)
		d.compareNew(&olds, &news, oldIndex)
		for i := range news.all {
			if c := news.all[i].delta; c != nil {
				note().children = append(res.children, c)
			}
		}
	}
	if len(d.deleted) > gone {
		note()
	}
	if res != nil {
		d.changed = true
	}
	return res
}

// fewKids is up to which number of children looking through them costs less
// than an index.
const fewKids = 12

// aligned says whether both elements have few children, all of them elements,
// which correspond one by one: the common case, and the cheap one.
func aligned(from, to *xmltree.Node) bool {
	n := 0
	a, b := from.First, to.First
	for ; a != nil && b != nil; a, b = a.Next, b.Next {
		if n++; n > fewKids || a.Kind != xmltree.Element || b.Kind != xmltree.Element || !corresponds(a, b) {
			return false
		}
		for earlier := from.First; earlier != a; earlier = earlier.Next {
			if earlier.Name == a.Name && (!hasID(a) || corresponds(earlier, a)) {
				return false // which one is meant takes the rules below
			}
		}
	}
	return a == nil && b == nil
}

func hasID(n *xmltree.Node) bool {
	_, ok := n.Get("id")
	return ok
}

// corresponds says whether two elements have the same name and id.
func corresponds(a, b *xmltree.Node) bool {
	x, okA := a.Get("id")
	y, okB := b.Get("id")
	return a.Name == b.Name && okA == okB && x == y
}

// pathOf is the path of a node in the tree below top.
func pathOf(n, top *xmltree.Node) string {
	if n == top || n.Parent == nil {
		return step("", n)
	}
	return step(pathOf(n.Parent, top), n)
}

// compareOld compares every child that was with its counterpart, or notes that
// it is gone.
func (d *Diff) compareOld(olds, news *kids, newIndex index) {
	for i := range olds.all {
		o := &olds.all[i]
		at := olds.position(i)
		j := newIndex.find(news, o.node, at)
		if j < 0 {
			gone := deletion{o.node, -1}
			if o.node.Kind == xmltree.Comment {
				gone.position = at
			}
			d.deleted = append(d.deleted, gone)
			olds.displace(i)
			continue
		}
		n := &news.all[j]
		if n.seen || n.node.Kind != xmltree.Element {
			continue
		}
		n.seen = true
		n.delta = d.element(o.node, n.node, n.index)
	}
}

// compareNew finds children that came and that changed places.
func (d *Diff) compareNew(olds, news *kids, oldIndex index) {
	at := 0
	for j := range news.all {
		n := &news.all[j]
		i := oldIndex.find(olds, n.node, at)
		if i < 0 {
			news.displace(j)
			n.delta = &delta{node: n.node, index: n.index, created: true}
			continue
		}
		if was := olds.position(i); was != at {
			if n.delta == nil {
				n.delta = &delta{node: n.node, index: n.index}
			}
			n.delta.moved = true
			if was > at {
				olds.displace(i)
			} else {
				news.displace(j)
			}
		}
		if n.placed {
			at++
		}
	}
}

// kids are the children of an element being compared.
type kids struct {
	all   []kid
	first int // no child before it is displaced
}

func kidsOf(n *xmltree.Node) kids {
	count := 0
	for c := n.First; c != nil; c = c.Next {
		count++
	}
	ks := kids{all: make([]kid, 0, count)}
	for c, i := n.First, 0; c != nil; c = c.Next {
		if c.Kind == xmltree.Element || c.Kind == xmltree.Comment {
			ks.all = append(ks.all, kid{node: c, index: i, placed: true})
			i++
		}
	}
	ks.first = len(ks.all)
	return ks
}

// displace has a child not counted in positions any more.
func (ks *kids) displace(i int) {
	ks.all[i].placed = false
	ks.first = min(ks.first, i)
}

// position counts the placed siblings before child i.
func (ks *kids) position(i int) int {
	if i <= ks.first {
		return i
	}
	at := ks.first
	for k := ks.first; k < i; k++ {
		if ks.all[k].placed {
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
func (x index) find(ks *kids, n *xmltree.Node, at int) int {
	if n.Kind == xmltree.Element {
		id, byID := n.Get("id")
		if i, ok := x[indexKey{n.Name, id, byID}]; ok {
			return i
		}
		return -1
	}
	offset := 0
	for i := range ks.all {
		k := &ks.all[i]
		if offset > at {
			break
		}
		if offset == at && k.placed {
			if k.node.Kind == xmltree.Comment && strings.EqualFold(k.node.Name, n.Name) {
				return i
			}
			break
		}
		if k.placed {
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
