package simulate

import (
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

func (in *Injections) apply(t *Text, cib *xmltree.Node, c *model.Cluster, now int64) {
	x := &Execution{Text: t, Cluster: c, CIB: cib, Now: now, Nodes: len(in.Up) > 0}
	x.status = statusSection(cib)
	say := func(format, what string) {
		if !t.Quiet {
			t.Item(format, what)
		}
	}
	if !t.Quiet {
		t.Begin("Performing Requested Modifications")
		defer t.End()
	}
	if in.Quorum != "" {
		say("Setting quorum: %s", in.Quorum)
		cib.Set("have-quorum", in.Quorum)
	}
	if in.Watchdog != "" {
		say("Setting watchdog: %s", in.Watchdog)
		setOption(cib, "have-watchdog", in.Watchdog)
	}
	for _, n := range in.Up {
		say("Bringing node %s online", n)
		x.setNode(x.node(n, ""), true)
	}
	for _, n := range in.Down {
		say("Taking node %s offline", n)
		x.setNode(x.node(n, ""), false)
		x.forget(n)
	}
	for _, n := range in.Failing {
		say("Failing node %s", n)
		s := x.node(n, "")
		x.setNode(s, true)
		s.Set("in_ccm", "false")
	}
	for _, l := range []struct {
		tickets    []string
		text       string
		name, what string
	}{{in.Grant, "Granting ticket %s", "granted", "true"}, {in.Revoke, "Revoking ticket %s", "granted", "false"},
		{in.Standby, "Making ticket %s standby", "standby", "true"}, {in.Activate, "Activating ticket %s", "standby", "false"}} {
		for _, id := range l.tickets {
			say(l.text, id)
			x.ticket(id).Set(l.name, l.what)
		}
	}
	for _, spec := range in.Ops {
		say("Injecting %s into the configuration", spec)
		x.result(spec)
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
	key, rest, ok := strings.Cut(spec, "@")
	node, code, ok2 := strings.Cut(rest, "=")
	rc, ok3 := score.LeadingInt(code)
	rsc, task, ms, ok4 := model.SplitKey(key)
	if !ok || !ok2 || !ok3 || !ok4 {
		return
	}
	r := x.Cluster.Find(rsc)
	if r == nil {
		return
	}
	state := x.node(node, "")
	rec := record{rsc: rsc, task: task, ms: ms, rc: int(rc), now: x.Now}
	x.failCount(state, rsc, &rec)
	rec.add(history(state, agentOf{rsc, rsc, r.Class, r.Prov, r.Type}))
}

func setOption(cib *xmltree.Node, name, value string) {
	conf := cib.Path("configuration", "crm_config")
	if conf == nil {
		return
	}
	set := conf.Child("cluster_property_set")
	if set == nil {
		set = conf.AddNew("cluster_property_set", xmltree.Attr{Name: "id", Value: "cib-bootstrap-options"})
	}
	for p := set.Child("nvpair"); p != nil; p = p.NextNamed() {
		if p.Attr("name") == name {
			p.Set("value", value)
			return
		}
	}
	set.AddNew("nvpair", xmltree.Attr{Name: "id", Value: set.ID() + "-" + name},
		xmltree.Attr{Name: "name", Value: name}, xmltree.Attr{Name: "value", Value: value})
}
