package show

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/pengine/model"
)

// ResourceList shows the resources that the options ask for; summary adds a line
// where there are none (resource_list).
func (v *View) ResourceList(opts Opts, summary, spacer bool) (wrote bool) {
	byNode, inactive := opts.is(RscsByNode), opts.is(InactiveRscs)
	if byNode && !inactive {
		return false
	}
	title, none := "Active Resources", "No active resources"
	switch {
	case byNode:
		title, none = "Inactive Resources", "No inactive resources"
	case inactive:
		title, none = "Full List of Resources", "No resources"
	}
	list := section{v: v, title: title, spacer: spacer}
	if opts.is(Brief) && !byNode {
		list.show()
		wrote = v.briefly(v.filterRscs(v.Cluster.Resources), opts)
	}
	for _, r := range v.Cluster.Resources {
		if v.skip(r, opts) {
			continue
		}
		list.show()
		wrote = v.Resource(r, opts, v.Rscs) || wrote
	}
	if summary && !wrote {
		list.show()
		v.Item("", none)
	}
	list.end()
	return wrote
}

// skip says whether the list leaves r out, or has shown it already.
func (v *View) skip(r *model.Resource, opts Opts) bool {
	part := r.Active(false)
	switch {
	case r.Is(model.Orphan) && !r.Active(true):
		return true
	case opts.is(RscsByNode):
		return r.Active(true)
	case opts.is(Brief) && r.Variant == model.Primitive, !part && !opts.is(InactiveRscs):
		return true
	}
	return part && !v.onAny(r)
}

// onAny says whether r is active on a node that is shown.
func (v *View) onAny(r *model.Resource) bool {
	for _, n := range r.RunningOn {
		if v.Nodes.node(n.Name) {
			return true
		}
	}
	return false
}

// elsewhere says whether r is active, but on no node that is shown.
func (v *View) elsewhere(r *model.Resource) bool { return r.Active(false) && !v.onAny(r) }

func (v *View) filterRscs(list []*model.Resource) (out []*model.Resource) {
	for _, r := range list {
		if v.Rscs.has(r.PrintID()) || r.Parent != nil && v.Rscs.has(r.Parent.PrintID()) {
			out = append(out, r)
		}
	}
	return out
}

// hidden says whether the filter leaves r out (fns->is_filtered).
func hidden(r *model.Resource, only Filter, parent bool) bool {
	if only.has(r.PrintID()) {
		return false
	}
	switch r.Variant {
	case model.Primitive:
		if only.has(r.ID) {
			return false
		}
		if !parent || r.Parent == nil {
			return true
		}
		if top := r.Top(); !r.Bundled() {
			return hidden(top, only, false)
		} else if top.Parent != nil {
			return hidden(top.Parent, only, false)
		}
		return true
	case model.Bundle:
		return allHidden(bundleParts(r), only)
	case model.Clone:
		return !only.has(r.Clone.ChildID) && allHidden(r.Children, only)
	}
	if parent && only.has(r.Top().PrintID()) || strings.Contains(r.ID, ":") && only.has(r.ID) {
		return false
	}
	return allHidden(r.Children, only)
}

func allHidden(list []*model.Resource, only Filter) bool {
	for _, k := range list {
		if !hidden(k, only, false) {
			return false
		}
	}
	return true
}

func bundleParts(r *model.Resource) (out []*model.Resource) {
	for _, rep := range r.Bundle.Replicas {
		out = append(out, present(rep.IP, rep.Child, rep.Container, rep.Remote)...)
	}
	return out
}

// Resource shows one resource and says whether it wrote anything.
func (v *View) Resource(r *model.Resource, opts Opts, only Filter) bool {
	if hidden(r, only, true) {
		return false
	}
	switch r.Variant {
	case model.Group:
		return v.group(r, opts, only)
	case model.Clone:
		if v.Format == pcmkout.XML {
			return v.cloneXML(r, opts, only)
		}
		return v.clone(r, opts, only)
	case model.Bundle:
		if v.Format == pcmkout.XML {
			return v.bundleXML(r, opts, only)
		}
		return v.bundle(r, opts, only)
	}
	if v.Format == pcmkout.XML {
		v.primitiveXML(r, opts)
		return true
	}
	n := r.Current()
	if n == nil {
		n = r.PendingNode
	}
	return v.primitive(r, r.PrintID(), n, opts)
}

func (v *View) primitiveXML(r *model.Resource, opts Opts) {
	agent := r.Class + ":" + r.Type
	if r.HasProv {
		agent = r.Class + ":" + r.Prov + ":" + r.Type
	}
	x := v.Parent("resource", "id", r.PrintID(), "resource_agent", agent, "role", state(r, opts))
	if t, ok := r.Meta["target-role"]; ok {
		x.Set("target_role", t)
	}
	for _, a := range [][2]string{{"active", btoa(r.Active(true))}, {"orphaned", btoa(r.Is(model.Orphan))}, {"blocked", btoa(r.Is(model.Block))},
		{"managed", btoa(r.Is(model.Managed))}, {"failed", btoa(r.Is(model.Failed))}, {"failure_ignored", btoa(r.Is(model.FailureIgnored))},
		{"nodes_running_on", strconv.Itoa(len(r.RunningOn))}} {
		x.Set(a[0], a[1])
	}
	if opts.is(Pending) && strings.EqualFold(r.PendingTask, model.Monitor) {
		x.Set("pending", "Monitoring")
	}
	if r.LockNode != nil {
		x.Set("locked_to", r.LockNode.Name)
	}
	for _, n := range r.RunningOn {
		v.Node("node", "name", n.Name, "id", n.ID, "cached", btoa(n.Online))
	}
	v.Pop()
}

// primitive shows a primitive under a name, as active on n.
func (v *View) primitive(r *model.Resource, name string, n *model.Node, opts Opts) bool {
	if model.True(r.Meta["internal_rsc"]) && !opts.is(ImplicitRscs) {
		return false
	}
	if r.Variant != model.Primitive {
		return false
	}
	line := Describe(r, name, n, opts, true)
	if v.Format != pcmkout.HTML {
		v.Item("", line)
		return true
	}
	class := "rsc-ok"
	switch {
	case !r.Is(model.Managed):
		class = "rsc-managed"
	case r.Is(model.Failed), len(r.RunningOn) == 0:
		class = "rsc-failed"
	case len(r.RunningOn) > 1:
		class = "rsc-multiple"
	case r.Is(model.FailureIgnored):
		class = "rsc-failure-ignored"
	}
	pcmkout.Span(v.Node("li"), class, line)
	return true
}

// Describe is the line about a primitive (pcmk__native_output_string).
func Describe(r *model.Resource, name string, n *model.Node, opts Opts, nodes bool) string {
	if n == nil {
		n = r.LockNode
	}
	many := len(r.RunningOn) > 1
	if many || opts.is(RscOnly) {
		n = nil
	}
	b := fmt.Appendf(nil, "%s\t(%s):\t", name, agent(r))
	if r.Is(model.Orphan) {
		b = append(b, " ORPHANED"...)
	}
	switch role := shownRole(r); {
	case r.Is(model.Failed) && role > model.Unpromoted:
		b = append(append(b, " FAILED "...), role.String()...)
	case r.Is(model.Failed):
		b = append(b, " FAILED"...)
	default:
		b = append(append(b, ' '), state(r, opts)...)
	}
	if n != nil {
		b = append(append(b, ' '), n.Name...)
	}
	if shownRole(r) == model.Stopped {
		if op := failedProbe(r, n); op != nil {
			b = append(append(append(b, " ("...), rcText(op.RC)...), ") "...)
		}
	}
	if f := flags(r, n, opts); f != nil {
		b = append(append(append(b, " ("...), strings.Join(f, ", ")...), ')')
	}
	if (many || opts.is(RscOnly)) && r.Descr != "" {
		b = append(append(b, ' '), r.Descr...)
	}
	if nodes && many && !opts.is(RscOnly) {
		b = append(b, " ["...)
		for _, n := range r.RunningOn {
			b = append(append(b, ' '), n.Name...)
		}
		b = append(b, " ]"...)
	}
	return string(b)
}

func agent(r *model.Resource) string {
	if r.HasProv && strings.EqualFold(r.Class, "ocf") {
		return r.Class + ":" + r.Prov + ":" + r.Type
	}
	return r.Class + ":" + r.Type
}

func rcText(rc int) string { return pcmk.OCF(rc).String() }

// shownRole is the role under the name that fits the resource.
func shownRole(r *model.Resource) model.Role {
	if r.Role == model.Started && r.Top().Is(model.Promotable) {
		return model.Unpromoted
	}
	return r.Role
}

// state is the role, or what is being done about it.
func state(r *model.Resource, opts Opts) string {
	if opts.is(Pending) {
		switch strings.ToLower(r.PendingTask) {
		case model.Start:
			return "Starting"
		case model.Stop:
			return "Stopping"
		case model.MigrateTo, model.MigrateFrom:
			return "Migrating"
		case model.Promote:
			return "Promoting"
		case model.Demote:
			return "Demoting"
		}
	}
	return shownRole(r).String()
}

func flags(r *model.Resource, n *model.Node, opts Opts) (f []string) {
	if n != nil && !n.Online && n.Unclean {
		f = append(f, "UNCLEAN")
	}
	if n != nil && n == r.LockNode {
		f = append(f, "LOCKED")
	}
	if opts.is(Pending) && strings.EqualFold(r.PendingTask, model.Monitor) {
		f = append(f, "Monitoring")
	}
	if t, ok := r.Meta["target-role"]; ok {
		switch role := rules.ParseRole(t); {
		case role == model.Stopped:
			f = append(f, "disabled")
		case role == model.Unpromoted && r.Top().Is(model.Promotable):
			f = append(f, "target-role:"+t)
		}
	}
	switch {
	case r.Is(model.Block):
		f = append(f, "blocked")
	case !r.Is(model.Managed):
		f = append(f, "unmanaged")
	}
	if r.Is(model.FailureIgnored) {
		f = append(f, "failure ignored")
	}
	return f
}

// failedProbe returns the failed probe of r on n, or on any node.
func failedProbe(r *model.Resource, n *model.Node) *model.HistoryOp {
	id := r.ID
	switch top := r.Top(); {
	case r.Variant == model.Clone:
		id = r.Clone.ChildID
	case top.Variant == model.Clone:
		id = top.Clone.ChildID
	}
	for _, op := range r.Cluster.Failed {
		if !op.MaskedProbe() || op.OnNode == "" || (n != nil && !strings.EqualFold(op.OnNode, n.Name)) {
			continue
		}
		if rsc, _, _, ok := model.SplitKey(op.Key); ok && rsc == id {
			return op
		}
	}
	return nil
}
