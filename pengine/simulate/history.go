package simulate

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/graph"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
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
	x.touch(false)
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
	x.touch(true)
}

// touch counts a change of the CIB, as the original's requests to its file do: one
// of the configuration is a new epoch.
func (x *Execution) touch(config bool) {
	x.changed = true
	count := func(name string) {
		n, _ := score.LeadingInt(x.CIB.Attr(name))
		x.CIB.Set(name, strconv.FormatInt(n+1, 10))
	}
	if config {
		count("epoch")
		x.CIB.Set("num_updates", "0")
		return
	}
	count("num_updates")
}

// setNode makes a node a member or takes it down, and says whether that is news.
func (x *Execution) setNode(s *xmltree.Node, up bool, origin string) (changed bool) {
	in, peer, join := "false", "offline", "down"
	if up {
		in, peer, join = "true", "online", "member"
	}
	for _, a := range []xmltree.Attr{{Name: "in_ccm", Value: in}, {Name: "crmd", Value: peer}, {Name: "join", Value: join},
		{Name: "expected", Value: join}, {Name: "crm-debug-origin", Value: origin}} {
		if old, ok := s.Get(a.Name); !ok || old != a.Value {
			changed = true
			s.Set(a.Name, a.Value)
		}
	}
	return changed
}

// forget drops what a node that is down no longer knows.
func (x *Execution) forget(name string) {
	for s := x.status.Child("node_state"); s != nil; s = s.NextNamed() {
		if s.Attr("uname") != name {
			continue
		}
		delete(x.known, s)
		for _, k := range []string{"lrm", "transient_attributes"} {
			if c := s.Child(k); c != nil {
				c.Remove()
				x.touch(false)
			}
		}
	}
}

// agentOf names a resource, the name its history goes by, and its agent.
type agentOf struct{ rsc, name, class, provider, typ string }

// history returns the history of a resource on a node, made when it is missing;
// nil, with an error told, when it cannot be.
func (x *Execution) history(state *xmltree.Node, a agentOf) *xmltree.Node {
	if h := x.remembered(state, a); h != nil {
		return h
	}
	lrm := state.Child("lrm")
	switch {
	case a.class == "" || a.typ == "":
		x.tell.Errf("Resource %s not found in the status section of %s.  Please supply the class and type to continue", a.rsc, state.ID())
		return nil
	case !slices.Contains([]string{"ocf", "stonith", "service", "upstart", "systemd", "lsb"}, strings.ToLower(a.class)):
		x.tell.Errf("Invalid class for %s: %s", a.rsc, a.class)
		return nil
	case strings.EqualFold(a.class, "ocf") && a.provider == "":
		x.tell.Errf("Please specify the provider for resource %s", a.rsc)
		return nil
	}
	if lrm == nil {
		lrm = state.AddNew("lrm", xmltree.Attr{Name: "id", Value: state.ID()})
	}
	all := lrm.Child("lrm_resources")
	if all == nil {
		all = lrm.AddNew("lrm_resources")
	}
	h := all.AddNew("lrm_resource", xmltree.Attr{Name: "id", Value: a.name}, xmltree.Attr{Name: "class", Value: a.class})
	if a.provider != "" {
		h.Set("provider", a.provider)
	}
	h.Set("type", a.typ)
	x.known[state][a.name] = append(x.known[state][a.name], h)
	return h
}

// remembered returns the history that a resource has under one of its names,
// wherever it is in the state of the node. Two of that name are as good as none, as
// in the original.
func (x *Execution) remembered(state *xmltree.Node, a agentOf) *xmltree.Node {
	byID, ok := x.known[state]
	if !ok {
		byID = map[string][]*xmltree.Node{}
		state.Find(func(h *xmltree.Node) bool {
			if h.Name == "lrm_resource" {
				byID[h.ID()] = append(byID[h.ID()], h)
			}
			return false
		})
		if x.known == nil {
			x.known, x.twins = map[*xmltree.Node]map[string][]*xmltree.Node{}, map[*xmltree.Node]bool{}
		}
		x.known[state], x.twins[state] = byID, hasTwins(state)
	}
	for _, id := range []string{a.rsc, a.name} {
		if found := byID[id]; len(found) == 1 {
			return found[0]
		}
	}
	return nil
}

// record is the result of an operation.
type record struct {
	rsc, task  string
	ms         uint32
	rc, target int
	now        int64
	reason     string       // said of a failure
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
	key, reason := model.Key(r.rsc, task, r.ms), ""
	ids := []string{model.Key(r.rsc, "last", 0)}
	switch {
	case task == model.NotifyTask && r.event != nil:
		ids[0] = model.NotifyKey(r.rsc, r.event.Param("CRM_meta_notify_type"), r.event.Param("CRM_meta_notify_operation"))
	case task == model.MigrateTo || task == model.MigrateFrom:
		ids[0] = key
	case r.rc != r.target && r.ms == 0:
		reason = r.reason
		ids = []string{model.Key(r.rsc, "last_failure", 0), ids[0]}
	case r.rc != r.target:
		reason = r.reason
		ids[0] = model.Key(r.rsc, "last_failure", 0)
	case r.ms > 0:
		ids[0] = key
	}
	for _, id := range ids {
		op := findOp(hist, id)
		for _, a := range r.attrs(id, key, task, reason, call) {
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

func (r *record) attrs(id, key, task, reason string, call int) []xmltree.Attr {
	transition := strconv.Itoa(call) + ":-1:" + strconv.Itoa(r.target) + ":" + noUUID
	at := strconv.FormatInt(r.now, 10)
	out := []xmltree.Attr{
		{Name: "id", Value: id}, {Name: "operation_key", Value: key}, {Name: "operation", Value: task},
		{Name: "crm-debug-origin", Value: me}, {Name: "crm_feature_set", Value: graph.FeatureSet},
		{Name: "transition-key", Value: transition},
		{Name: "transition-magic", Value: "0:" + strconv.Itoa(r.rc) + ";" + transition},
		{Name: "exit-reason", Value: reason},
		{Name: "call-id", Value: strconv.Itoa(call)}, {Name: "rc-code", Value: strconv.Itoa(r.rc)},
		{Name: "op-status", Value: "0"}, {Name: "interval", Value: strconv.FormatUint(uint64(r.ms), 10)},
		{Name: "last-rc-change", Value: at}, {Name: "exec-time", Value: "0"}, {Name: "queue-time", Value: "0"},
	}
	if r.event != nil && (r.task == model.MigrateTo || r.task == model.MigrateFrom) {
		out = append(out, xmltree.Attr{Name: "migrate_source", Value: r.event.Param("CRM_meta_migrate_source")},
			xmltree.Attr{Name: "migrate_target", Value: r.event.Param("CRM_meta_migrate_target")})
	}
	if r.event != nil {
		params := map[string]string{}
		for _, a := range r.event.Params {
			params[a.Name] = a.Value
		}
		for _, a := range r.event.Extra {
			params[a.Name] = a.Value
		}
		plan.FilterForDigest(params)
		out = append(out, xmltree.Attr{Name: "op-digest", Value: plan.ParamsDigest(params)})
	}
	return out
}

// failCount notes a failure among the transient attributes of a node.
func (x *Execution) failCount(state *xmltree.Node, rsc string, r *record) {
	if r.rc == 0 || (r.rc == 7 && r.ms == 0) {
		return
	}
	op := rsc + "#" + r.task + "_" + strconv.FormatUint(uint64(r.ms), 10)
	x.tell.attribute("fail-count-"+op, "value++", state.Name, state.ID())
	count := transient(state, "fail-count-"+op)
	n := min(score.Parse(count.Attr("value"), score.Health{})+1, score.Infinity)
	count.Set("value", n.String())
	at := strconv.FormatInt(x.Now, 10)
	x.tell.attribute("last-failure-"+op, at, state.Name, state.ID())
	transient(state, "last-failure-"+op).Set("value", at)
}

// transient returns a transient attribute in the state of a node, made when it is
// missing: known by its id, as in the original.
func transient(state *xmltree.Node, name string) *xmltree.Node {
	for _, k := range []string{"transient_attributes", "instance_attributes"} {
		id := xmltree.Attr{Name: "id", Value: state.ID()}
		if c := state.Child(k); c != nil {
			state = c
		} else {
			state = state.AddNew(k, id)
		}
	}
	id := strings.Map(func(r rune) rune {
		if r == ':' || r == '#' {
			return '.'
		}
		return r
	}, state.ID()+"-"+name)
	for p := state.Child("nvpair"); p != nil; p = p.NextNamed() {
		if p.ID() == id {
			return p
		}
	}
	return state.AddNew("nvpair", xmltree.Attr{Name: "id", Value: id}, xmltree.Attr{Name: "name", Value: name})
}
