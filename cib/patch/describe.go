package patch

import (
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Describe tells a patchset of format 2 in the lines that operators know from the
// log (patchset.c: xml_log_patchset).
func Describe(p *xmltree.Node) []string {
	source, target := Versions(p, Version{}, Version{})
	digest, ok := p.Get("digest")
	if !ok {
		digest = "(null)"
	}
	var out []string
	switch {
	case source != target:
		out = append(out, "Diff: --- "+source.String()+" "+p.Attr("format"), "Diff: +++ "+target.String()+" "+digest)
	case target != Version{}:
		out = append(out, "cib_perform_op: Local-only Change: "+target.String())
	}
	p.Elements(func(c *xmltree.Node) {
		path := c.Attr("path")
		switch c.Attr("operation") {
		case "create":
			out = appendCreated(out, path, firstNode(c))
		case "move":
			out = append(out, "+~ "+path+" moved to offset "+c.Attr("position"))
		case "modify":
			out = appendModified(out, path, c.Child("change-list"))
		case "delete":
			line := "-- " + path
			if at, ok := c.Get("position"); ok && Int(at) >= 0 {
				line += " (" + at + ")"
			}
			out = append(out, line)
		}
	})
	return out
}

// appendCreated shows an element, its first line behind the path, the others below it.
func appendCreated(out []string, path string, n *xmltree.Node) []string {
	if n == nil {
		return out
	}
	prefix := "++ " + path + ": "
	bare := &xmltree.Node{Kind: n.Kind, Name: n.Name, Attrs: n.Attrs}
	out = append(out, prefix+" "+string(bare.AppendPacemaker(nil, xmltree.TextOptions{})))
	if n.Kind != xmltree.Element || n.First == nil {
		return out
	}
	blank := "++" + strings.Repeat(" ", len(prefix)-2) + " "
	lines := strings.Split(strings.TrimSuffix(string(n.AppendPacemaker(nil, xmltree.TextOptions{Format: true})), "\n"), "\n")
	for _, line := range lines[1:] {
		out = append(out, blank+line)
	}
	return out
}

func appendModified(out []string, path string, list *xmltree.Node) []string {
	var set, unset []string
	list.Elements(func(a *xmltree.Node) {
		switch a.Attr("operation") {
		case "set":
			set = append(set, "@"+a.Attr("name")+"="+a.Attr("value"))
		case "unset":
			unset = append(unset, "@"+a.Attr("name"))
		}
	})
	if set != nil {
		out = append(out, "+  "+path+":  "+strings.Join(set, ", "))
	}
	if unset != nil {
		out = append(out, "-- "+path+":  "+strings.Join(unset, ", "))
	}
	return out
}
