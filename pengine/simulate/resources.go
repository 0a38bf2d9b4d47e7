package simulate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/pengine/model"
)

// shower prints resources; pending says whether operations under way count.
type shower struct {
	t       *Text
	pending bool
}

// resource prints one resource and says whether it printed anything.
func (s shower) resource(r *model.Resource) bool {
	switch r.Variant {
	case model.Group:
		return s.group(r)
	case model.Clone:
		return s.clone(r)
	case model.Bundle:
		return s.bundle(r)
	}
	n := r.Current()
	if n == nil {
		n = r.PendingNode
	}
	return s.primitive(r, r.PrintID(), n)
}

func (s shower) group(r *model.Resource) bool {
	text := "Resource Group: " + r.ID
	var about []string
	if !r.Is(model.Managed) {
		about = append(about, "unmanaged")
	}
	if r.IsDisabled() {
		about = append(about, "disabled")
	}
	if about != nil {
		text += " (" + strings.Join(about, ", ") + ")"
	}
	h := header{t: s.t, text: text}
	for _, k := range r.Children {
		h.show()
		s.resource(k)
	}
	h.end()
	return h.open
}

func (s shower) bundle(r *model.Resource) bool {
	text := "Container bundle"
	if r.Bundle.NReplicas > 1 {
		text += " set"
	}
	text += ": " + r.ID + " [" + r.Bundle.Image + "]"
	if r.Is(model.Unique) {
		text += " (unique)"
	}
	if !r.Is(model.Managed) {
		text += " (unmanaged)"
	}
	h := header{t: s.t, text: text}
	for _, rep := range r.Bundle.Replicas {
		if nowhere(rep.Container) {
			continue
		}
		h.show()
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
		s.primitive(shown, name, rep.Container.Current())
	}
	h.end()
	return h.open
}

// clone prints instances that need a line of their own, and the nodes of the others.
func (s shower) clone(r *model.Resource) bool {
	h := header{t: s.t, text: cloneTitle(r)}
	stopped := map[string]string{}
	var promoted, started []*model.Node
	for _, k := range r.Children {
		if nowhere(k) {
			continue
		}
		full, at := s.instance(r, k, stopped)
		switch {
		case full:
			h.show()
			s.resource(k)
		case at != nil && k.State(true) > model.Unpromoted:
			promoted = append(promoted, at)
		case at != nil:
			started = append(started, at)
		}
	}
	s.nodes(&h, "Promoted", promoted)
	label := "Started"
	role := configuredRole(r)
	if r.Is(model.Promotable) {
		label = "Unpromoted"
		if role == model.Unpromoted {
			label += " (target-role)"
		}
	}
	s.nodes(&h, label, started)
	if active := len(promoted) + len(started); !r.Is(model.Unique) && r.Clone.Max > active {
		stopped = stoppedNodes(r, role)
	}
	if len(stopped) > 0 || len(promoted)+len(started) == 0 {
		h.show()
	}
	s.stopped(stopped)
	h.end()
	return h.open
}

// instance says whether an instance needs a line, or the node it is simply active on.
func (s shower) instance(r, k *model.Resource, stopped map[string]string) (full bool, at *model.Node) {
	part := k.Active(false)
	switch {
	case r.Is(model.Unique):
		if part || !r.Is(model.Orphan) {
			return true, nil
		}
		return s.anonymous(k, part, stopped)
	case s.pending && k.PendingTask != "" && k.PendingTask != "probe":
		return true, nil
	}
	return s.anonymous(k, part, stopped)
}

func (s shower) anonymous(k *model.Resource, part bool, stopped map[string]string) (full bool, at *model.Node) {
	switch {
	case !part:
		if !k.Is(model.Orphan) {
			stopped[k.ID] = "Stopped"
		}
		return false, nil
	case k.Any(model.Orphan) || !k.Every(model.Managed) || k.Any(model.Failed) || !k.Active(true):
		return true, nil
	}
	n := k.Location(model.Now)
	return n == nil || (!n.Online && n.Unclean), n
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
	text := "Clone Set: " + r.ID + " [" + r.Clone.ChildID + "]"
	if about != nil {
		text += " (" + strings.Join(about, ", ") + ")"
	}
	return text
}

func configuredRole(r *model.Resource) model.Role {
	v, ok := r.Meta["target-role"]
	if !ok && len(r.Children) > 0 {
		v = r.Children[0].Meta["target-role"]
	}
	return rules.ParseRole(v)
}

func (s shower) nodes(h *header, label string, nodes []*model.Node) {
	if len(nodes) == 0 {
		return
	}
	model.MergeSort(nodes, func(a, b *model.Node) int { return model.CompareNames(a.Name, b.Name) })
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.Name
	}
	h.show()
	s.t.Item("%s: [ %s ]", label, strings.Join(names, " "))
}

// stoppedNodes says what keeps the clone off the nodes it could be on.
func stoppedNodes(r *model.Resource, role model.Role) map[string]string {
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
		if r.RunsOn(n) {
			continue
		}
		state := "Stopped"
		if role == model.Stopped {
			state = "Stopped (disabled)"
		}
		if op := failedProbe(r, n); op != nil {
			state = "Stopped (" + rcText(op.RC) + ")"
		}
		out[n.Name] = state
	}
	return out
}

func (s shower) stopped(state map[string]string) {
	by := map[string][]string{}
	for name, v := range state {
		by[v] = append(by[v], name)
	}
	states := make([]string, 0, len(by))
	for v := range by {
		states = append(states, v)
	}
	slices.Sort(states)
	for _, v := range states {
		slices.SortFunc(by[v], model.CompareNames)
		s.t.Item("%s: [ %s ]", v, strings.Join(by[v], " "))
	}
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

func rcText(rc int) string {
	switch rc {
	case model.RCOk:
		return "ok"
	case model.RCError:
		return "error"
	case model.RCInvalidParam:
		return "invalid parameter"
	case model.RCUnimplemented:
		return "unimplemented feature"
	case model.RCPrivilege:
		return "insufficient privileges"
	case model.RCNotInstalled:
		return "not installed"
	case model.RCNotConfigured:
		return "not configured"
	case model.RCNotRunning:
		return "not running"
	case model.RCPromoted:
		return "promoted"
	case model.RCFailedPromoted:
		return "promoted (failed)"
	case model.RCDegraded:
		return "OCF_DEGRADED"
	case model.RCDegradedProm:
		return "promoted (degraded)"
	}
	return "unknown"
}

// primitive prints a primitive under a name, as active on n.
func (s shower) primitive(r *model.Resource, name string, n *model.Node) bool {
	if r.Variant != model.Primitive || model.True(r.Meta["internal_rsc"]) {
		return false
	}
	if n == nil && r.LockNode != nil {
		n = r.LockNode
	}
	many := len(r.RunningOn) > 1
	if many {
		n = nil
	}
	b := fmt.Appendf(nil, "%s\t(%s):\t", name, agent(r))
	if r.Is(model.Orphan) {
		b = append(b, " ORPHANED"...)
	}
	b = append(append(b, ' '), s.state(r)...)
	if n != nil {
		b = append(append(b, ' '), n.Name...)
	}
	if shownRole(r) == model.Stopped {
		if op := failedProbe(r, n); op != nil {
			b = append(append(append(b, " ("...), rcText(op.RC)...), ") "...)
		}
	}
	if f := s.flags(r, n); f != nil {
		b = append(append(append(b, " ("...), strings.Join(f, ", ")...), ')')
	}
	if many {
		b = manyNodes(b, r)
	}
	s.t.Item("%s", b)
	return true
}

func manyNodes(b []byte, r *model.Resource) []byte {
	if r.Descr != "" {
		b = append(append(b, ' '), r.Descr...)
	}
	b = append(b, " ["...)
	for _, n := range r.RunningOn {
		b = append(append(b, ' '), n.Name...)
	}
	return append(b, " ]"...)
}

func agent(r *model.Resource) string {
	if r.HasProv && (r.Class == "ocf" || r.Class == "OCF") {
		return r.Class + ":" + r.Prov + ":" + r.Type
	}
	return r.Class + ":" + r.Type
}

// shownRole is the role under the name that fits the resource.
func shownRole(r *model.Resource) model.Role {
	if r.Role == model.Started && r.Top().Is(model.Promotable) {
		return model.Unpromoted
	}
	return r.Role
}

func (s shower) state(r *model.Resource) string {
	role := shownRole(r)
	switch {
	case r.Is(model.Failed) && role > model.Unpromoted:
		return "FAILED " + role.String()
	case r.Is(model.Failed):
		return "FAILED"
	case s.pending:
		switch r.PendingTask {
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
	return role.String()
}

func (s shower) flags(r *model.Resource, n *model.Node) (f []string) {
	if n != nil && !n.Online && n.Unclean {
		f = append(f, "UNCLEAN")
	}
	if n != nil && n == r.LockNode {
		f = append(f, "LOCKED")
	}
	if s.pending && r.PendingTask == model.Monitor {
		f = append(f, "Monitoring")
	}
	if v, ok := r.Meta["target-role"]; ok {
		switch role := rules.ParseRole(v); {
		case role == model.Stopped:
			f = append(f, "disabled")
		case role == model.Unpromoted && r.Top().Is(model.Promotable):
			f = append(f, "target-role:"+v)
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
