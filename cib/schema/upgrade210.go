package schema

import (
	"slices"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// UpgradeTo30 brings a CIB of pacemaker-2.10 to pacemaker-3.0: names that were
// deprecated are renamed, moved or dropped (upgrade-2.10.xsl). Sets of name-value
// pairs that refer to others by id-ref are copies of them meanwhile, as the others
// may change in a way that depends on where they stand (upgrade-2.10-enter.xsl,
// upgrade-2.10-leave.xsl). It returns a new tree and remarks.
//
// What the stylesheets do with comments, and where they lose a pair, is kept, so
// that nodes with and without them come to the same CIB. Text between elements
// within sets is not kept: Pacemaker strips it from what it reads.
func UpgradeTo30(root *xmltree.Node) (*xmltree.Node, []Remark) {
	var u upgrade210
	in, err := unfold(root)
	unfolded := err == nil
	if !unfolded {
		u.warn("Upgrade-enter transformation upgrade-2.10-enter.xsl failed: " + err.Error())
		in = root
	}
	box := xmltree.New("")
	u.node(box, in, 0)
	up := box.First
	up.Remove()
	if unfolded {
		folded, remarks, err := fold(up)
		u.remarks = append(u.remarks, remarks...)
		if err != nil {
			u.warn("Upgrade-leave transformation upgrade-2.10-leave.xsl failed: " + err.Error())
			return up, u.remarks
		}
		up = folded
	}
	return up, u.remarks
}

const (
	pairElement     = "nvpair"
	metaElement     = "meta_attributes"
	instanceElement = "instance_attributes"
	propertyElement = "cluster_property_set"
	newID           = "_2TO3_" // the ids of elements that the step makes begin so
)

type upgrade210 struct{ remarks []Remark }

func (u *upgrade210) warn(text string) {
	u.remarks = append(u.remarks, Remark{Severity: Warning, Plain: true, Text: text})
}

// changed looks up the change of a name and tells of it.
func (u *upgrade210) changed(list *changes, what, by, context string) *change {
	c := list.find(what, by)
	if c != nil {
		u.remarks = append(u.remarks, c.remarks(list.about, context)...)
	}
	return c
}

// node adds what becomes of n to parent.
func (u *upgrade210) node(parent, n *xmltree.Node, depth int) {
	if n.Kind != xmltree.Element || depth > maxDepth {
		parent.Add(n.Copy())
		return
	}
	switch n.Name {
	case "cib":
		u.same(parent, n, depth).Set(attrValidation, "pacemaker-3.0")
	case "configuration":
		u.configuration(parent, n, depth)
	case propertyElement:
		u.set(parent, n, depth, setRule{changes: &clusterChanges, context: (*xmltree.Node).ID})
	case "node":
		u.attributes(parent, n, depth, &nodeChanges, n.Attr("uname")+" (id="+n.ID()+")")
	case "rsc_colocation":
		u.attributes(parent, n, depth, &colocationChanges, n.ID())
	case "primitive", "template":
		u.resource(parent, n, depth)
	default:
		u.same(parent, n, depth)
	}
}

// same adds n as it is, its children as they become.
func (u *upgrade210) same(parent, n *xmltree.Node, depth int) *xmltree.Node {
	if n.Kind != xmltree.Element {
		return parent.Add(n.Copy())
	}
	c := parent.AddNew(n.Name, slices.Clone(n.Attrs)...)
	for k := n.First; k != nil; k = k.Next {
		u.node(c, k, depth+1)
	}
	return c
}

// attributes adds n with the changes made to its attributes.
func (u *upgrade210) attributes(parent, n *xmltree.Node, depth int, list *changes, context string) {
	c := u.same(parent, n, depth)
	c.Attrs = c.Attrs[:0]
	for _, a := range n.Attrs {
		ch := u.changed(list, a.Name, a.Value, context)
		switch {
		case ch == nil:
			c.Attrs = append(c.Attrs, a)
		case ch.with != "":
			c.Set(ch.with, ch.value)
		}
	}
}

// setRule is what happens to the pairs of one kind of set.
type setRule struct {
	changes *changes
	by      string                          // the operation, for changes that are about it
	context func(pair *xmltree.Node) string // for the remarks, nil: somebody else tells
	hidden  func(pair *xmltree.Node) bool   // a changed pair is left out, though it counts
	twice   bool                            // a comment before a pair that stays comes twice
}

func (r *setRule) find(pair *xmltree.Node) *change {
	by := r.by
	if r.changes != &opChanges && r.changes != &opInstanceChanges {
		by = pair.Attr("value")
	}
	return r.changes.find(pair.Attr("name"), by)
}

// set adds what is left of a set of name-value pairs. A set without any is dropped,
// a rule in it as well.
func (u *upgrade210) set(parent, n *xmltree.Node, depth int, rule setRule) {
	c, left := xmltree.New(n.Name, slices.Clone(n.Attrs)...), 0
	for k := n.First; k != nil; k = k.Next {
		switch {
		case k.Kind == xmltree.Comment && rule.twice:
			c.Add(k.Copy())
		case k.Kind != xmltree.Element: // a comment comes with the pair behind it
		case k.Name != pairElement:
			u.same(c, k, depth+1)
		default:
			ch := rule.find(k)
			if ch != nil && rule.context != nil {
				u.remarks = append(u.remarks, ch.remarks(rule.changes.about, rule.context(k))...)
			}
			switch {
			case ch == nil:
				left++
				comments(c, k)
				u.same(c, k, depth+1)
			case ch.leaves():
			case rule.hidden != nil && rule.hidden(k):
				left++
			default:
				left++
				comments(c, k)
				c.Add(ch.pair(k))
			}
		}
	}
	if left > 0 || rule.twice && onlyComments(c) {
		parent.Add(c)
	}
}

// onlyComments says that nothing but comments is left of a set. It stays then, as
// libxml2 takes the first comment for text when it compares.
func onlyComments(set *xmltree.Node) bool {
	return set.First != nil && set.First.Name != "" && !set.HasElements()
}

// comments adds those that stand directly before k.
func comments(parent, k *xmltree.Node) {
	first := k
	for first.Prev != nil && first.Prev.Kind != xmltree.Element {
		first = first.Prev
	}
	for ; first != k; first = first.Next {
		if first.Kind == xmltree.Comment {
			parent.Add(first.Copy())
		}
	}
}

// configuration adds n; cluster properties that became defaults of resources and
// operations move there.
func (u *upgrade210) configuration(parent, n *xmltree.Node, depth int) {
	c := parent.AddNew(n.Name, slices.Clone(n.Attrs)...)
	for k := n.First; k != nil; k = k.Next {
		if k.Kind == xmltree.Element && (k.Name == toOpDefaults || k.Name == toRscDefaults) {
			u.defaults(c, k, n, depth+1)
		} else {
			u.same(c, k, depth+1)
		}
	}
	for _, where := range []string{toOpDefaults, toRscDefaults} {
		if n.Child(where) != nil {
			continue
		}
		set := xmltree.New(metaElement, xmltree.Attr{Name: "id", Value: newID + map[string]string{
			toOpDefaults: "-op-defaults", toRscDefaults: "-rsc-defaults"}[where]})
		if toDefaults(set, n, where); set.First != nil {
			c.AddNew(where).Add(set)
		}
	}
}

// defaults adds the op_defaults or rsc_defaults n. What moves there goes to its
// first set without a rule; where there is none it is lost.
func (u *upgrade210) defaults(parent, n, configuration *xmltree.Node, depth int) {
	c := parent.AddNew(n.Name, slices.Clone(n.Attrs)...)
	first := true
	for k := n.First; k != nil; k = k.Next {
		s := u.same(c, k, depth+1)
		if first && isPlain(k, metaElement) {
			first = false
			toDefaults(s, configuration, n.Name)
		}
	}
}

// toDefaults adds the cluster properties that move to where, unless a set
// without a rule there has the name already.
func toDefaults(set, configuration *xmltree.Node, where string) {
	taken := func(name string) bool {
		found := false
		configuration.Each(where, func(d *xmltree.Node) { found = found || plainHas(d, name) })
		return found
	}
	configuration.Each("crm_config", func(options *xmltree.Node) {
		options.Each(propertyElement, func(s *xmltree.Node) {
			if !isPlain(s, propertyElement) {
				return
			}
			s.Each(pairElement, func(k *xmltree.Node) {
				ch := clusterChanges.find(k.Attr("name"), k.Attr("value"))
				if ch != nil && ch.where == where && ch.with != "" && !taken(ch.with) {
					comments(set, k)
					set.Add(ch.pair(k))
				}
			})
		})
	})
}

// isPlain says that n is an element of that name without a rule.
func isPlain(n *xmltree.Node, name string) bool {
	return n.Kind == xmltree.Element && n.Name == name && n.Child("rule") == nil
}

// hasPair says whether a set has a pair of that name.
func hasPair(set *xmltree.Node, name string) bool {
	for k := set.Child(pairElement); k != nil; k = k.NextNamed() {
		if v, ok := k.Get("name"); ok && v == name {
			return true
		}
	}
	return false
}

// plainHas says whether one of n's meta-attribute sets without a rule has the name.
func plainHas(n *xmltree.Node, name string) bool {
	for k := n.Child(metaElement); k != nil; k = k.NextNamed() {
		if isPlain(k, metaElement) && hasPair(k, name) {
			return true
		}
	}
	return false
}
