package graph

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
)

// event writes an action, in full or as a reference (create_graph_action).
func (b *builder) event(a *model.Action, full bool) *Event {
	e := &Event{ID: a.ID, Full: full}
	node := true
	switch {
	case a.Task == model.Fence:
		e.Kind = CRMEvent
		if a.Is(model.Pseudo) {
			e.Kind = PseudoEvent
		}
	case a.Task == model.Shutdown, a.Task == model.ClearFailures:
		e.Kind = CRMEvent
	case a.Task == model.LRMDelete:
		e.Kind, e.Mode = CRMEvent, "cib"
	case a.Is(model.Pseudo):
		e.Kind, node = PseudoEvent, false
	default:
		e.Kind = RscOp
	}
	add := func(name, value string) { e.Attrs = append(e.Attrs, xmltree.Attr{Name: name, Value: value}) }
	add("operation", a.Task)
	if a.Rsc != nil && a.Rsc.CloneName != "" {
		add("operation_key", cloneKey(a))
		add("internal_operation_key", a.Key)
	} else {
		add("operation_key", a.Key)
	}
	node = node && a.Node != nil
	if node {
		add("on_node", a.Node.Name)
		add("on_node_uuid", a.Node.ID)
		if host := connectionHost(a); host != nil {
			add("router_node", host.Name)
		}
		a.Meta["on_node"], a.Meta["on_node_uuid"] = a.Node.Name, a.Node.ID
	}
	if !full {
		return e
	}
	if a.Rsc != nil && !a.Is(model.Pseudo) {
		if r := a.Rsc; r.LockNode != nil && a.Node == r.LockNode && (!a.Node.Shutdown || a.Task == model.Stop) {
			add("shutdown-lock", strconv.FormatInt(r.LockTime, 10))
		}
		e.Rsc = resourceXML(a.Rsc)
	}
	b.params(e, a)
	if node {
		b.downed(e, a)
	}
	if a.Task == model.Maintain && a.Is(model.Pseudo) {
		e.Maint = b.maintenanceNodes()
	}
	return e
}

// cloneKey is the key of an action under the name that history knows the instance by.
func cloneKey(a *model.Action) string {
	name := a.Rsc.CloneName
	switch {
	case a.Task == model.NotifyTask:
		return model.NotifyKey(name, a.Meta["notify_type"], a.Meta["notify_operation"])
	case a.CancelTask != "":
		return model.Key(name, a.CancelTask, plan.Interval(a))
	}
	return model.Key(name, a.Task, plan.Interval(a))
}

// connectionHost is the cluster node through which an action on a remote node goes
// (pcmk__connection_host_for_action).
func connectionHost(a *model.Action) *model.Node {
	if a.Task == model.Fence || a.Node.Kind != model.Remote || a.Node.RemoteRsc == nil {
		return nil
	}
	r := a.Node.RemoteRsc
	began, ended := r.Current(), r.Assigned
	partial := r.Container == nil && r.PartialTarget != nil
	if began == nil || ended == nil || began == ended {
		if began == nil {
			return ended
		}
		return began
	}
	task := a.Task
	if task == model.NotifyTask {
		task = a.Meta["notify_operation"]
	}
	switch task {
	case model.Cancel, model.Stop, model.Demote, model.MigrateFrom, model.MigrateTo:
		if !partial {
			return began
		}
	}
	return ended
}

func resourceXML(r *model.Resource) *xmltree.Node {
	x := xmltree.New(r.Tag)
	switch {
	case r.Is(model.Orphan) && r.CloneName != "":
		x.Set("id", r.CloneName)
		x.Set("long-id", r.ID)
	case !r.Is(model.Unique):
		x.Set("id", r.XMLID)
		if r.CloneName != "" && r.CloneName != r.XMLID {
			x.Set("long-id", r.CloneName)
		} else {
			x.Set("long-id", r.ID)
		}
	default:
		x.Set("id", r.ID)
	}
	for _, name := range []string{"class", "provider", "type"} {
		if v, ok := r.Meta[name]; ok {
			x.Set(name, v)
		}
	}
	return x
}

// params collects the parameters of an action (add_action_attributes).
func (b *builder) params(e *Event, a *model.Action) {
	m := map[string]string{"crm_feature_set": FeatureSet}
	missing := func(k, v string) {
		if _, have := m[k]; !have {
			m[k] = v
		}
	}
	for k, v := range a.Extra {
		missing(k, v)
	}
	if r := a.Rsc; r != nil && (a.Node != nil || r.Variant == model.Primitive) {
		params := r.Params(a.Node)
		if params["addr"] == "#uname" {
			if base := r.Params(nil)["addr"]; base != "" {
				params["addr"] = base
			}
		}
		for k, v := range params {
			if k != "" && k[0] >= '0' && k[0] <= '9' {
				e.Extra = append(e.Extra, xmltree.Attr{Name: k, Value: v})
			} else {
				missing(k, v)
			}
		}
	}
	meta := func(k, v string) {
		if name, ok := plan.MetaName(k); ok {
			missing(name, v)
		}
	}
	for k, v := range a.Meta {
		meta(k, v)
	}
	if a.Rsc != nil {
		for p := a.Rsc; p != nil; p = p.Parent {
			graphMeta(p, m)
		}
		bundleMeta(a, meta)
	} else if a.Task == model.Fence && a.Node != nil {
		for k, v := range a.Node.Attrs {
			meta(k, v)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		e.Params = append(e.Params, xmltree.Attr{Name: k, Value: m[k]})
	}
	slices.SortFunc(e.Extra, func(x, y xmltree.Attr) int { return strings.Compare(x.Name, y.Name) })
}

// graphMeta adds what agents are told about the kind of resource
// (cmds->add_graph_meta).
func graphMeta(r *model.Resource, m map[string]string) {
	set := func(name, value string) { m["CRM_meta_"+strings.ReplaceAll(name, "-", "_")] = value }
	switch r.Variant {
	case model.Primitive:
		for _, name := range []string{"clone", "remote-node"} {
			if v, ok := r.Meta[name]; ok {
				set(name, v)
			}
		}
		for p := r; p != nil; p = p.Parent {
			if p.Container != nil {
				set("container", p.Container.ID)
			}
		}
		if v, ok := r.Meta["external-ip"]; ok {
			m["pcmk_external_ip"] = v
		}
	case model.Clone:
		set("globally-unique", strconv.FormatBool(r.Is(model.Unique)))
		set("notify", strconv.FormatBool(r.Is(model.Notify)))
		set("clone-max", strconv.Itoa(r.Clone.Max))
		set("clone-node-max", strconv.Itoa(r.Clone.NodeMax))
		if r.Is(model.Promotable) {
			for _, p := range []string{"promoted", "master"} {
				set(p+"-max", strconv.Itoa(r.Clone.PromotedMax))
				set(p+"-node-max", strconv.Itoa(r.Clone.PromotedNodeMax))
			}
		}
	}
}

// bundleMeta tells what runs in a container on which host that is
// (pcmk__add_bundle_meta_to_xml).
func bundleMeta(a *model.Action, meta func(k, v string)) {
	if a.Node == nil || !a.Node.IsGuest() {
		return
	}
	task := a.Task
	if task == model.NotifyTask || task == model.Notified {
		task = a.Meta["notify_operation"]
	}
	k := a.Node.RemoteRsc.Container
	var host *model.Node
	switch task {
	case model.Stop, model.StoppedTask, model.Demote, model.Demoted:
		host = k.Current()
	case model.Start, model.Running, model.Monitor, model.Promote, model.PromotedTask:
		host = k.Assigned
	}
	if host == nil {
		return
	}
	if v, ok := a.Rsc.Meta["container-attribute-target"]; ok {
		meta("container-attribute-target", v)
	}
	meta("physical_host", host.Name)
}

// downed lists the nodes that an action takes down (add_downed_nodes).
func (b *builder) downed(e *Event, a *model.Action) {
	switch {
	case a.Task == model.Shutdown:
		e.Downed = []string{a.Node.ID}
	case a.Task == model.Fence:
		op := a.Meta["stonith_action"]
		if op != "off" && op != "reboot" && op != "poweroff" {
			return
		}
		e.Downed = []string{a.Node.ID}
		for _, r := range a.Node.Running {
			if r.IsRemoteConn && r.Container != nil {
				if n := b.c.Node(r.ID); n != nil {
					e.Downed = append(e.Downed, n.ID)
				}
			}
		}
	case a.Rsc != nil && a.Rsc.IsRemoteConn && a.Task == model.Stop:
		for _, in := range a.Before {
			if in.First.Rsc != nil && in.First.Rsc.ID == a.Rsc.ID && in.First.Task == model.MigrateFrom {
				return
			}
		}
		e.Downed = []string{a.Rsc.ID}
	}
}
