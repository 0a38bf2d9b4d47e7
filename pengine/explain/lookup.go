package explain

import (
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// Lookups: where in the CIB something is, and what the history says.

func sorted(s []string) string {
	slices.Sort(s)
	return strings.Join(s, ", ")
}

// nvpair returns the nvpair of that name in the blocks of an element.
func nvpair(x *xmltree.Node, block, name string) *xmltree.Node {
	var found *xmltree.Node
	x.Each(block, func(b *xmltree.Node) {
		b.Each("nvpair", func(p *xmltree.Node) {
			if found == nil && p.Attr("name") == name {
				found = p
			}
		})
	})
	return found
}

// metaID returns the id of the nvpair that sets a meta attribute of a resource: its
// own, of what holds it, or the default.
func (e *Explainer) metaID(r *model.Resource, name string) string {
	if p := e.metaPair(r, name); p != nil {
		return p.ID()
	}
	return ""
}

func (e *Explainer) metaPair(r *model.Resource, name string) *xmltree.Node {
	for ; r != nil; r = r.Parent {
		if x, _ := e.run.Element(r); x != nil {
			if p := nvpair(x, "meta_attributes", name); p != nil {
				return p
			}
		}
	}
	return nvpair(e.cib.Path("configuration", "rsc_defaults"), "meta_attributes", name)
}

// optionID returns the id of the nvpair that sets a cluster option.
func (e *Explainer) optionID(name string) string {
	if p := nvpair(e.cib.Path("configuration", "crm_config"), "cluster_property_set", name); p != nil {
		return p.ID()
	}
	return ""
}

// nodeAttr returns the nvpair that sets a node attribute: the transient one counts,
// if there is one.
func nodeAttr(cib *xmltree.Node, n *model.Node, name string) *xmltree.Node {
	var found *xmltree.Node
	cib.Child("status").Each("node_state", func(x *xmltree.Node) {
		if strings.EqualFold(x.Attr("uname"), n.Name) || strings.EqualFold(x.ID(), n.ID) {
			if p := nvpair(x.Child("transient_attributes"), "instance_attributes", name); p != nil {
				found = p
			}
		}
	})
	if found != nil {
		return found
	}
	cib.Path("configuration", "nodes").Each("node", func(x *xmltree.Node) {
		if found == nil && (strings.EqualFold(x.ID(), n.ID) || strings.EqualFold(x.Attr("uname"), n.Name)) {
			found = nvpair(x, "instance_attributes", name)
		}
	})
	return found
}

func (e *Explainer) nodeAttrID(n *model.Node, name string) string {
	if p := nodeAttr(e.cib, n, name); p != nil {
		return p.ID()
	}
	return ""
}

// worstFailure is the latest failure of r, or of an instance that shares its fate, on
// a node, nil for any.
func (e *Explainer) worstFailure(r *model.Resource, n *model.Node) *model.HistoryOp {
	ids := map[string]bool{}
	for _, k := range family(r) {
		ids[k.XMLID], ids[k.ID] = true, true
	}
	var worst *model.HistoryOp
	for _, node := range e.c.Nodes {
		if n != nil && node != n {
			continue
		}
		for _, h := range e.c.Histories[node.Name] {
			if !ids[h.ID] && !ids[model.BaseName(h.ID)] {
				continue
			}
			for _, o := range h.Ops {
				if failedOp(o) && (worst == nil || o.LastChange > worst.LastChange) {
					o.Node = node
					worst = o
				}
			}
		}
	}
	return worst
}

// failedOp says whether the history records a failure.
func failedOp(o *model.HistoryOp) bool {
	switch o.Status {
	case model.ExecPending, model.ExecCancelled:
		return false
	case model.ExecDone, model.ExecUnknown:
		target := plan.TargetRC(o)
		if o.IsProbe() && (o.RC == model.RCOk || o.RC == model.RCNotRunning || o.RC == model.RCPromoted) {
			return false
		}
		return target >= 0 && o.RC != target || target < 0 && o.RC != model.RCOk
	}
	return true
}

// resultText is what came of an operation.
func resultText(o *model.HistoryOp) string {
	text := pcmk.OCF(o.RC).String()
	if o.Status > model.ExecDone && o.RC == model.RCOk || o.Status == model.ExecTimeout {
		text = pcmk.ExecStatus(o.Status).String()
	}
	if o.ExitReason != "" {
		text += ": " + o.ExitReason
	}
	return text
}
