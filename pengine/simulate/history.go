package simulate

import (
	"strconv"

	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/graph"
	"github.com/pacesync/pacesync/pengine/model"
)

const (
	me     = "crm_simulate"
	noUUID = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
)

// statusSection returns the status section, made when it is missing.
func statusSection(cib *xmltree.Node) *xmltree.Node {
	if s := cib.Child("status"); s != nil {
		return s
	}
	return cib.AddNew("status")
}

// node returns the state of a node, made when it is missing.
func (x *Execution) node(name, id string) *xmltree.Node {
	if x.Nodes {
		x.configure(name)
	}
	for s := x.status.Child("node_state"); s != nil; s = s.NextNamed() {
		if s.Attr("uname") == name {
			return s
		}
	}
	if id == "" {
		id = x.nodeID(name)
	}
	return x.status.AddNew("node_state", xmltree.Attr{Name: "id", Value: id}, xmltree.Attr{Name: "uname", Value: name})
}

func (x *Execution) nodeID(name string) string {
	if nodes := x.CIB.Path("configuration", "nodes"); nodes != nil {
		for n := nodes.Child("node"); n != nil; n = n.NextNamed() {
			if n.Attr("uname") == name {
				return n.ID()
			}
		}
	}
	return name
}

// configure makes the entry of a node in the configuration.
func (x *Execution) configure(name string) {
	nodes := x.CIB.Path("configuration", "nodes")
	if nodes == nil {
		return
	}
	for n := nodes.Child("node"); n != nil; n = n.NextNamed() {
		if n.Attr("uname") == name {
			return
		}
	}
	nodes.AddNew("node", xmltree.Attr{Name: "id", Value: name}, xmltree.Attr{Name: "uname", Value: name})
}

// setNode makes a node a member or takes it down.
func (x *Execution) setNode(s *xmltree.Node, up bool) {
	in, peer, join := "false", "offline", "down"
	if up {
		in, peer, join = "true", "online", "member"
	}
	s.Set("in_ccm", in)
	s.Set("crmd", peer)
	s.Set("join", join)
	s.Set("expected", join)
	s.Set("crm-debug-origin", me)
}

// forget drops what a node that is down no longer knows.
func (x *Execution) forget(name string) {
	for s := x.status.Child("node_state"); s != nil; s = s.NextNamed() {
		if s.Attr("uname") != name {
			continue
		}
		for _, k := range []string{"lrm", "transient_attributes"} {
			if c := s.Child(k); c != nil {
				c.Remove()
			}
		}
	}
}

// agentOf names a resource, the name its history goes by, and its agent.
type agentOf struct{ rsc, name, class, provider, typ string }

// history returns the history of a resource on a node, made when it is missing.
func history(state *xmltree.Node, a agentOf) *xmltree.Node {
	lrm := state.Child("lrm")
	if lrm == nil {
		lrm = state.AddNew("lrm", xmltree.Attr{Name: "id", Value: state.ID()})
	}
	all := lrm.Child("lrm_resources")
	if all == nil {
		all = lrm.AddNew("lrm_resources")
	}
	for _, id := range []string{a.rsc, a.name} {
		var found []*xmltree.Node
		for h := all.Child("lrm_resource"); h != nil; h = h.NextNamed() {
			if h.ID() == id {
				found = append(found, h)
			}
		}
		if len(found) == 1 { // two of that name are as good as none, as in the original
			return found[0]
		}
	}
	h := all.AddNew("lrm_resource", xmltree.Attr{Name: "id", Value: a.name}, xmltree.Attr{Name: "class", Value: a.class})
	if a.provider != "" {
		h.Set("provider", a.provider)
	}
	h.Set("type", a.typ)
	return h
}

// record is the result of an operation.
type record struct {
	rsc, task  string
	ms         uint32
	rc, target int
	now        int64
	event      *graph.Event // nil for an injected result
}

// add enters the result into the history of its resource (pcmk__create_history_xml).
func (r *record) add(hist *xmltree.Node) {
	call := 0
	hist.Elements(func(op *xmltree.Node) { call = max(call, model.Int(op.Attr("call-id"), 0)) })
	call++
	task := r.task
	if task == "reload" || task == model.ReloadTask {
		task = model.Start
	}
	key := model.Key(r.rsc, task, r.ms)
	ids := []string{model.Key(r.rsc, "last", 0)}
	switch {
	case task == model.NotifyTask && r.event != nil:
		ids[0] = model.NotifyKey(r.rsc, r.event.Param("CRM_meta_notify_type"), r.event.Param("CRM_meta_notify_operation"))
	case task == model.MigrateTo || task == model.MigrateFrom:
		ids[0] = key
	case r.rc != r.target && r.ms == 0:
		ids = []string{model.Key(r.rsc, "last_failure", 0), ids[0]}
	case r.rc != r.target:
		ids[0] = model.Key(r.rsc, "last_failure", 0)
	case r.ms > 0:
		ids[0] = key
	}
	for _, id := range ids {
		op := findOp(hist, id)
		for _, a := range r.attrs(id, key, task, call) {
			op.Set(a.Name, a.Value)
		}
	}
}

func findOp(hist *xmltree.Node, id string) *xmltree.Node {
	for op := hist.Child("lrm_rsc_op"); op != nil; op = op.NextNamed() {
		if op.ID() == id {
			return op
		}
	}
	return hist.AddNew("lrm_rsc_op")
}

func (r *record) attrs(id, key, task string, call int) []xmltree.Attr {
	transition := strconv.Itoa(call) + ":-1:" + strconv.Itoa(r.target) + ":" + noUUID
	at := strconv.FormatInt(r.now, 10)
	out := []xmltree.Attr{
		{Name: "id", Value: id}, {Name: "operation_key", Value: key}, {Name: "operation", Value: task},
		{Name: "crm-debug-origin", Value: me}, {Name: "crm_feature_set", Value: graph.FeatureSet},
		{Name: "transition-key", Value: transition},
		{Name: "transition-magic", Value: "0:" + strconv.Itoa(r.rc) + ";" + transition},
		{Name: "exit-reason", Value: ""},
		{Name: "call-id", Value: strconv.Itoa(call)}, {Name: "rc-code", Value: strconv.Itoa(r.rc)},
		{Name: "op-status", Value: "0"}, {Name: "interval", Value: strconv.FormatUint(uint64(r.ms), 10)},
		{Name: "last-rc-change", Value: at}, {Name: "exec-time", Value: "0"}, {Name: "queue-time", Value: "0"},
	}
	if r.event != nil && (r.task == model.MigrateTo || r.task == model.MigrateFrom) {
		out = append(out, xmltree.Attr{Name: "migrate_source", Value: r.event.Param("CRM_meta_migrate_source")},
			xmltree.Attr{Name: "migrate_target", Value: r.event.Param("CRM_meta_migrate_target")})
	}
	return out
}

// failCount notes a failure among the transient attributes of a node.
func (x *Execution) failCount(state *xmltree.Node, rsc string, r *record) {
	if r.rc == 0 || (r.rc == 7 && r.ms == 0) {
		return
	}
	op := rsc + "#" + r.task + "_" + strconv.FormatUint(uint64(r.ms), 10)
	x.attribute(state, "fail-count-"+op, "value++")
	x.attribute(state, "last-failure-"+op, strconv.FormatInt(x.Now, 10))
}

func (x *Execution) attribute(state *xmltree.Node, name, value string) {
	if !x.Text.Quiet {
		x.Text.Item("Injecting attribute %s=%s into /%s '%s'", name, value, state.Name, state.ID())
	}
	for _, k := range []string{"transient_attributes", "instance_attributes"} {
		id := xmltree.Attr{Name: "id", Value: state.ID()}
		if c := state.Child(k); c != nil {
			state = c
		} else {
			state = state.AddNew(k, id)
		}
	}
	state.AddNew("nvpair", xmltree.Attr{Name: "id", Value: state.ID() + "-" + name},
		xmltree.Attr{Name: "name", Value: name}, xmltree.Attr{Name: "value", Value: value})
}
