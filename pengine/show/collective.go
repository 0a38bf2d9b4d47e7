package show

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/pengine/model"
)

// titled adds remarks in brackets to a title.
func titled(title string, about []string) string {
	if about == nil {
		return title
	}
	return title + " (" + strings.Join(about, ", ") + ")"
}

// chosen says whether the filter names r itself.
func chosen(r *model.Resource, only Filter) bool {
	return only.has(r.PrintID()) || strings.Contains(r.ID, ":") && only.has(r.ID)
}

func (v *View) group(r *model.Resource, opts Opts, only Filter) (opened bool) {
	if opts.is(Brief) && v.Format != pcmkout.XML {
		return v.briefGroup(r, opts, only)
	}
	passes := chosen(r, only)
	for _, k := range r.Children {
		if skipMember(k, passes, only, opts) {
			continue
		}
		if !opened {
			opened = true
			v.groupHead(r, opts)
		}
		v.Resource(k, opts, only)
	}
	switch {
	case opened && v.Format == pcmkout.XML:
		v.Pop()
	case opened:
		v.End()
	}
	return opened
}

// briefGroup shows numbers of the members.
func (v *View) briefGroup(r *model.Resource, opts Opts, only Filter) bool {
	var list []*model.Resource
	for _, k := range r.Children {
		if only.has(k.PrintID()) || only.has(r.PrintID()) {
			list = append(list, k)
		}
	}
	if list == nil {
		return false
	}
	v.groupHead(r, opts)
	v.briefly(list, opts|InactiveRscs)
	v.End()
	return true
}

func (v *View) groupHead(r *model.Resource, opts Opts) {
	if v.Format == pcmkout.XML {
		v.Parent("group", "id", r.ID, "number_resources", strconv.Itoa(len(r.Children)),
			"managed", btoa(r.Is(model.Managed)), "disabled", btoa(r.IsDisabled()))
		return
	}
	var about []string
	if !opts.is(InactiveRscs) && !r.Active(true) && r.Active(false) {
		off := 0
		for _, k := range r.Children {
			if !k.Active(true) {
				off++
			}
		}
		if off > 0 {
			about = append(about, fmt.Sprintf("%d member%s inactive", off, plural(off)))
		}
	}
	if !r.Is(model.Managed) {
		about = append(about, "unmanaged")
	}
	if r.IsDisabled() {
		about = append(about, "disabled")
	}
	v.Begin(titled("Resource Group: "+r.ID, about))
}

// skipMember says whether a member of a group is left out (skip_child_rsc).
func skipMember(k *model.Resource, parent bool, only Filter, opts Opts) bool {
	out, shown := hidden(k, only, false), k.Active(false) || opts.is(InactiveRscs)
	return !(!only.All && !out || !out && shown || parent && shown)
}

func (v *View) cloneXML(r *model.Resource, opts Opts, only Filter) bool {
	everything, opened := chosen(r, only), false
	for _, k := range r.Children {
		if v.elsewhere(k) || hidden(k, only, everything) {
			continue
		}
		if !opened {
			opened = true
			x := v.Parent("clone", "id", r.ID, "multi_state", btoa(r.Is(model.Promotable)), "unique", btoa(r.Is(model.Unique)),
				"managed", btoa(r.Is(model.Managed)), "disabled", btoa(r.IsDisabled()), "failed", btoa(r.Is(model.Failed)),
				"failure_ignored", btoa(r.Is(model.FailureIgnored)))
			if t, ok := configuredRole(r); ok {
				x.Set("target_role", t)
			}
		}
		v.Resource(k, opts, Everything)
	}
	if opened {
		v.Pop()
	}
	return opened
}

// configuredRole is the target role of a clone, or of its first instance.
func configuredRole(r *model.Resource) (string, bool) {
	t, ok := r.Meta["target-role"]
	if !ok && len(r.Children) > 0 {
		t, ok = r.Children[0].Meta["target-role"]
	}
	return t, ok
}

// clone shows instances that need a line of their own, and the nodes of the others
// (pe__clone_default).
func (v *View) clone(r *model.Resource, opts Opts, only Filter) bool {
	h := section{v: v, title: cloneTitle(r)}
	everything := chosen(r, only)
	stopped := map[string]string{}
	var promoted, started []*model.Node
	for _, k := range r.Children {
		if v.elsewhere(k) || hidden(k, only, everything) {
			continue
		}
		full, at := instance(r, k, opts, stopped)
		switch {
		case full:
			h.show()
			v.Resource(k, opts, Everything)
		case at != nil && k.State(true) > model.Unpromoted:
			promoted = append(promoted, at)
		case at != nil:
			started = append(started, at)
		}
	}
	if opts.is(CloneDetail) {
		h.end()
		return true
	}
	t, _ := configuredRole(r)
	role := rules.ParseRole(t)
	active := v.instances(&h, "Promoted", promoted)
	label := "Started"
	if r.Is(model.Promotable) {
		label = "Unpromoted"
		if role == model.Unpromoted {
			label += " (target-role)"
		}
	}
	active += v.instances(&h, label, started)
	if opts.is(InactiveRscs) {
		if !r.Is(model.Unique) && r.Clone.Max > active {
			stopped = v.stoppedNodes(r, role)
		}
		if len(stopped) > 0 || active == 0 {
			h.show()
		}
		v.stopped(stopped)
	}
	return h.end()
}

// instance says whether an instance needs a line, or the node it is simply active on.
func instance(r, k *model.Resource, opts Opts, stopped map[string]string) (full bool, at *model.Node) {
	part := k.Active(false)
	full = opts.is(CloneDetail)
	switch {
	case r.Is(model.Unique):
		if part || !r.Is(model.Orphan) {
			full = true
		}
	case opts.is(Pending) && k.PendingTask != "" && k.PendingTask != "probe":
		full = true
	case !part:
		if !k.Is(model.Orphan) && !opts.is(CloneDetail) && opts.is(InactiveRscs) {
			stopped[k.ID] = "Stopped"
		}
	case k.Any(model.Orphan) || !k.Every(model.Managed) || k.Any(model.Failed) || !k.Active(true):
		full = true
	default:
		n := k.Location(model.Now)
		if n == nil || (!n.Online && n.Unclean) {
			full = true
		} else {
			at = n
		}
	}
	return full, at
}

func cloneTitle(r *model.Resource) string {
	var about []string
	for _, a := range []struct {
		is   bool
		text string
	}{{r.Is(model.Promotable), "promotable"}, {r.Is(model.Unique), "unique"}, {!r.Is(model.Managed), "unmanaged"}, {r.IsDisabled(), "disabled"}} {
		if a.is {
			about = append(about, a.text)
		}
	}
	return titled("Clone Set: "+r.ID+" ["+r.Clone.ChildID+"]", about)
}

// instances lists the nodes of instances, and counts those that are shown.
func (v *View) instances(h *section, label string, nodes []*model.Node) int {
	model.MergeSort(nodes, func(a, b *model.Node) int { return model.CompareNames(a.Name, b.Name) })
	var names []string
	for _, n := range nodes {
		if v.Nodes.node(n.Name) {
			names = append(names, n.Name)
		}
	}
	if names != nil {
		h.show()
		v.Item("", label+": [ "+strings.Join(names, " ")+" ]")
	}
	return len(names)
}

// stoppedNodes says what keeps the clone off the nodes it could be on.
func (v *View) stoppedNodes(r *model.Resource, role model.Role) map[string]string {
	var nodes []*model.Node
	for w := range r.Allowed.All {
		nodes = append(nodes, w.Node)
	}
	if nodes == nil {
		for _, n := range r.Cluster.Nodes {
			if r.Known.Has(n) {
				nodes = append(nodes, n)
			}
		}
	}
	out := map[string]string{}
	for _, n := range nodes {
		if r.RunsOn(n) || !v.Nodes.node(n.Name) {
			continue
		}
		out[n.Name] = "Stopped"
		if role == model.Stopped {
			out[n.Name] = "Stopped (disabled)"
		}
		if op := failedProbe(r, n); op != nil {
			out[n.Name] = "Stopped (" + rcText(op.RC) + ")"
		}
	}
	return out
}

func (v *View) stopped(state map[string]string) {
	by := map[string][]string{}
	for name, s := range state {
		by[s] = append(by[s], name)
	}
	states := make([]string, 0, len(by))
	for s := range by {
		states = append(states, s)
	}
	slices.Sort(states)
	for _, s := range states {
		slices.SortFunc(by[s], model.CompareNames)
		v.Item("", s+": [ "+strings.Join(by[s], " ")+" ]")
	}
}

// parts says which resources of a replica are shown.
func parts(rep *model.Replica, only Filter, everything bool) (out []*model.Resource) {
	for _, r := range []*model.Resource{rep.IP, rep.Child, rep.Container, rep.Remote} {
		if r != nil && !hidden(r, only, everything) {
			out = append(out, r)
		}
	}
	return out
}

func (v *View) bundleXML(r *model.Resource, opts Opts, only Filter) bool {
	everything, opened := only.has(r.ID), false
	for _, rep := range r.Bundle.Replicas {
		list := parts(rep, only, everything)
		if v.elsewhere(rep.Container) || !everything && list == nil {
			continue
		}
		if !opened {
			opened = true
			v.Parent("bundle", "id", r.ID, "type", r.Bundle.Agent, "image", r.Bundle.Image, "unique", btoa(r.Is(model.Unique)),
				"managed", btoa(r.Is(model.Managed)), "failed", btoa(r.Is(model.Failed)))
		}
		v.Parent("replica", "id", strconv.Itoa(rep.Offset))
		for _, k := range list {
			v.Resource(k, opts, only)
		}
		v.Pop()
	}
	if opened {
		v.Pop()
	}
	return opened
}

func (v *View) bundle(r *model.Resource, opts Opts, only Filter) bool {
	title := "Container bundle"
	if r.Bundle.NReplicas > 1 {
		title += " set"
	}
	title += ": " + r.ID + " [" + r.Bundle.Image + "]"
	if r.Is(model.Unique) {
		title += " (unique)"
	}
	if !r.Is(model.Managed) {
		title += " (unmanaged)"
	}
	h := section{v: v, title: title}
	everything := only.has(r.ID)
	for _, rep := range r.Bundle.Replicas {
		if v.elsewhere(rep.Container) {
			continue
		}
		list := parts(rep, only, everything)
		switch {
		case opts.is(ImplicitRscs), !everything && list != nil:
			h.show()
			v.replica(rep, list, len(r.Bundle.Replicas) > 1, opts|ImplicitRscs, only)
		case everything:
			h.show()
			v.container(rep, opts)
		}
	}
	return h.end()
}

// replica shows all resources of a replica.
func (v *View) replica(rep *model.Replica, list []*model.Resource, several bool, opts Opts, only Filter) {
	name := fmt.Sprintf("Replica[%d]", rep.Offset)
	html := v.Format == pcmkout.HTML
	switch {
	case html && several:
		v.Begin(name)
	case !html:
		if several {
			v.Item("", name)
		}
		v.BeginBare()
	}
	for _, k := range list {
		v.Resource(k, opts, only)
	}
	if !html || several {
		v.End()
	}
}

// container shows a replica on one line.
func (v *View) container(rep *model.Replica, opts Opts) {
	shown, name := rep.Child, rep.Container.PrintID()
	if shown == nil {
		shown = rep.Container
	}
	if rep.Remote != nil {
		name = rep.Remote.PrintID()
	}
	if rep.IPAddr != "" {
		name += " (" + rep.IPAddr + ")"
	}
	v.primitive(shown, name, rep.Container.Current(), opts)
}

// briefly shows numbers of primitives by agent and node (pe__rscs_brief_output).
func (v *View) briefly(list []*model.Resource, opts Opts) (wrote bool) {
	total, active := map[string]int{}, map[string]map[string]int{}
	for _, r := range list {
		if r.Variant != model.Primitive {
			continue
		}
		a := agent(r)
		total[a]++
		for _, n := range r.RunningOn {
			if !n.Unclean && !n.Online && r.Is(model.Managed) {
				continue
			}
			if active[n.Name] == nil {
				active[n.Name] = map[string]int{}
			}
			active[n.Name][a]++
		}
	}
	nodes := make([]string, 0, len(active))
	for name := range active {
		nodes = append(nodes, name)
	}
	slices.SortFunc(nodes, model.CompareNames)
	agents := make([]string, 0, len(total))
	for a := range total {
		agents = append(agents, a)
	}
	slices.Sort(agents)
	for _, a := range agents {
		any := false
		for _, node := range nodes {
			n := active[node][a]
			if n == 0 {
				continue
			}
			any, wrote = true, true
			if opts.is(RscOnly) {
				node = ""
			}
			if opts.is(InactiveRscs) {
				v.Item("", fmt.Sprintf("%d/%d\t(%s):\tActive %s", n, total[a], a, node))
			} else {
				v.Item("", fmt.Sprintf("%d\t(%s):\tActive %s", n, a, node))
			}
		}
		if !any && opts.is(InactiveRscs) {
			v.Item("", fmt.Sprintf("0/%d\t(%s):\tActive", total[a], a))
			wrote = true
		}
	}
	return wrote
}
