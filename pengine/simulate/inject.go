package simulate

import (
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
)

// Injections are events to pretend before the engine decides.
type Injections struct {
	Up, Down, Failing                []string // nodes
	Grant, Revoke, Standby, Activate []string // tickets
	Ops                              []string // RESOURCE_TASK_INTERVAL@NODE=RC
	Quorum, Watchdog                 string
}

// any says whether anything but quorum is pretended: quorum alone is not, as in
// the original.
func (in *Injections) any() bool {
	for _, l := range [][]string{in.Up, in.Down, in.Failing, in.Grant, in.Revoke, in.Standby, in.Activate, in.Ops} {
		if len(l) > 0 {
			return true
		}
	}
	return in.Watchdog != ""
}

// apply pretends the events and says whether they changed the CIB.
func (in *Injections) apply(t teller, cib *xmltree.Node, c *model.Cluster, now int64) bool {
	x := &Execution{tell: t, Cluster: c, CIB: cib, Now: now, Nodes: len(in.Up) > 0}
	x.status = statusSection(cib)
	t.modifications(in.Quorum, in.Watchdog)
	if in.Quorum != "" && cib.Attr("have-quorum") != in.Quorum {
		cib.Set("have-quorum", in.Quorum)
		x.touch(false)
	}
	if in.Watchdog != "" && setOption(cib, "have-watchdog", in.Watchdog) {
		x.touch(true)
	}
	for _, n := range in.Up {
		t.modifiedNode("Online", n)
		x.member(n, true)
	}
	for _, n := range in.Down {
		t.modifiedNode("Offline", n)
		x.member(n, false)
		x.forget(n)
	}
	for _, n := range in.Failing {
		t.modifiedNode("Failing", n)
		s := x.node(n, "")
		before := s.Copy()
		x.setNode(s, true, me)
		s.Set("in_ccm", "false")
		if !slices.Equal(before.Attrs, s.Attrs) {
			x.touch(false)
		}
	}
	for _, l := range []struct {
		tickets             []string
		text, name, granted string
	}{{in.Grant, "Granting", "granted", "true"}, {in.Revoke, "Revoking", "granted", "false"},
		{in.Standby, "Standby", "standby", "true"}, {in.Activate, "Activating", "standby", "false"}} {
		for _, id := range l.tickets {
			t.modifiedTicket(l.text, id)
			if s := x.ticket(id); s.Attr(l.name) != l.granted {
				s.Set(l.name, l.granted)
				x.touch(false)
			}
		}
	}
	for _, spec := range in.Ops {
		t.spec(spec)
		x.result(spec)
	}
	if !t.quiet() {
		t.End()
	}
	return x.changed
}

// member makes a node a member or takes it down.
func (x *Execution) member(name string, up bool) {
	if x.setNode(x.node(name, ""), up, me) {
		x.touch(false)
	}
}

func (x *Execution) ticket(id string) *xmltree.Node {
	all := x.status.Child("tickets")
	if all == nil {
		all = x.status.AddNew("tickets")
	}
	for s := all.Child("ticket_state"); s != nil; s = s.NextNamed() {
		if s.ID() == id {
			return s
		}
	}
	return all.AddNew("ticket_state", xmltree.Attr{Name: "id", Value: id})
}

// result injects the result of an operation.
func (x *Execution) result(spec string) {
	key, node, rc, fields := splitSpec(spec)
	if fields != 3 {
		x.tell.Errf("Invalid operation spec: %s.  Only found %d fields", spec, fields)
		return
	}
	rsc, task, ms, ok := model.SplitKey(key)
	if !ok {
		rsc = "(null)"
	}
	r := x.Cluster.Find(rsc)
	if r == nil {
		x.tell.Errf("Invalid resource name: %s", rsc)
		return
	}
	state := x.node(node, "")
	rec := record{rsc: rsc, task: task, ms: ms, rc: rc, now: x.Now, reason: "Simulated action result"}
	x.failCount(state, rsc, &rec)
	if hist := x.history(state, agentOf{rsc, rsc, r.Class, r.Prov, r.Type}); hist != nil {
		rec.add(hist)
		x.settle(state, hist)
	}
	x.touch(false)
}

// splitSpec takes RESOURCE_TASK_INTERVAL@NODE=RC apart as sscanf(3) does: fields is
// how many of the three parts there are, -1 for an empty text.
func splitSpec(spec string) (key, node string, rc, fields int) {
	if spec == "" {
		return "", "", 0, -1
	}
	key, rest, at := strings.Cut(spec, "@")
	if key == "" {
		return "", "", 0, 0
	}
	node, code, eq := strings.Cut(rest, "=")
	if !at || node == "" {
		return key, "", 0, 1
	}
	n, ok := score.LeadingInt(code)
	if !eq || !ok {
		return key, node, 0, 2
	}
	return key, node, int(n), 3
}

// optionSet is where options go that no set has (cib_attrs.c).
const optionSet = "cib-bootstrap-options"

// setOption sets a cluster option and says whether that is news.
func setOption(cib *xmltree.Node, name, value string) bool {
	conf := cib.Path("configuration", "crm_config")
	if conf == nil {
		return false
	}
	var set *xmltree.Node
	for s := conf.Child("cluster_property_set"); s != nil; s = s.NextNamed() {
		for p := s.Child("nvpair"); p != nil; p = p.NextNamed() {
			if p.Attr("name") == name {
				news := p.Attr("value") != value
				p.Set("value", value)
				return news
			}
		}
		if s.ID() == optionSet {
			set = s
		}
	}
	if set == nil {
		set = conf.AddNew("cluster_property_set", xmltree.Attr{Name: "id", Value: optionSet})
	}
	set.AddNew("nvpair", xmltree.Attr{Name: "id", Value: set.ID() + "-" + name},
		xmltree.Attr{Name: "name", Value: name}, xmltree.Attr{Name: "value", Value: value})
	return true
}
