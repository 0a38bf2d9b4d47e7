package cibgen

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// WithPast is New for one seed in four. The others have run for a while: what run
// makes of the CIB, and then Disturb.
func WithPast(seed uint64, run func(*xmltree.Node)) *CIB {
	c := New(seed)
	if seed%4 != 0 {
		run(c.Root)
		c.Features = append(c.Features, Disturb(seed, c.Root)...)
	}
	return c
}

// Disturb gives a CIB a past: what went wrong, what is half done and what was
// changed since. root, in which resources have run (or nothing yet), is
// changed. It returns what happened, sorted.
func Disturb(seed uint64, root *xmltree.Node) []string {
	g := &gen{Rand: rand.New(rand.NewPCG(seed, 0x6869)), features: map[string]bool{}, next: 10000}
	g.cib, g.config = root, root.Child("configuration")
	g.resources = g.config.Child("resources")
	root.Path("configuration", "nodes").Each("node", func(n *xmltree.Node) { g.nodes = append(g.nodes, n.Attr("uname")) })
	status := root.Child("status")
	status.Each("node_state", g.nodeState)
	for range 1 + g.IntN(5) { // at least one: of a cluster that is as it should be there is little to compare
		g.event(status)
	}
	if g.feature("disturbed configuration", 20) {
		g.reconfigure()
	}
	var out []string
	for f := range g.features {
		out = append(out, f)
	}
	slices.Sort(out)
	return out
}

// nodeState changes what is known of a node.
func (g *gen) nodeState(s *xmltree.Node) {
	set := func(in, crmd, join, expected string) {
		s.Set("in_ccm", in)
		s.Set("crmd", crmd)
		s.Set("join", join)
		s.Set("expected", expected)
	}
	if s.Attr("remote_node") != "" {
		if g.feature("remote node_fenced", 5) {
			s.Set("node_fenced", one(g, "1", "0"))
		}
		return
	}
	switch k := g.IntN(100); {
	case k < 4:
		g.features["node unclean"] = true
		set("false", "offline", "down", "member")
	case k < 7:
		g.features["node down"] = true
		set("false", "offline", "down", "down")
	case k < 10:
		g.features["node pending"] = true
		set("true", "online", "down", "member")
	case k < 13:
		g.features["node without controller"] = true
		set("true", "offline", "member", "member")
	case k < 15:
		g.features["node shutting down"] = true
		set("true", "online", "member", "down")
	case k < 17:
		g.features["node banned"] = true
		set("true", "online", "banned", "member")
	case k < 19:
		g.features["node never seen"] = true
		for _, name := range []string{"in_ccm", "crmd", "join", "expected"} {
			s.Unset(name)
		}
	}
}

// operations lists the operations of a random resource's history on a random node.
func (g *gen) history(status *xmltree.Node) (state, rsc *xmltree.Node, ops []*xmltree.Node) {
	var states []*xmltree.Node
	status.Each("node_state", func(n *xmltree.Node) {
		if n.Path("lrm", "lrm_resources") != nil {
			states = append(states, n)
		}
	})
	if len(states) == 0 {
		return nil, nil, nil
	}
	state = pick(g, states)
	var all []*xmltree.Node
	state.Path("lrm", "lrm_resources").Each("lrm_resource", func(n *xmltree.Node) { all = append(all, n) })
	if len(all) == 0 {
		return state, nil, nil
	}
	rsc = pick(g, all)
	rsc.Each("lrm_rsc_op", func(n *xmltree.Node) { ops = append(ops, n) })
	return state, rsc, ops
}

// event is one thing that happened.
func (g *gen) event(status *xmltree.Node) {
	state, rsc, ops := g.history(status)
	if rsc == nil {
		g.orphan(state)
		return
	}
	if len(ops) == 0 {
		return
	}
	op := pick(g, ops)
	switch g.IntN(12) {
	case 0, 1:
		g.fail(op, one(g, "1", "2", "3", "5", "6", "7", "9", "8", "190"), "0")
		g.failCount(state, rsc, op)
	case 2:
		g.features["timed out"] = true
		g.fail(op, "1", "2")
		g.failCount(state, rsc, op)
	case 3:
		g.features["pending operation"] = true
		op.Set("operation", one(g, "monitor", "start", "stop", "promote", "demote"))
		g.result(op, "193", "-1")
	case 4:
		g.features["recurring monitor failed"] = true
		m := g.copyOp(rsc, op, "monitor", one(g, "10000", "30000", "11000"))
		rsc.Each("lrm_rsc_op", func(n *xmltree.Node) {
			if n.ID() == rsc.ID()+"_last_failure_0" {
				n.Remove() // the controller keeps one
			}
		})
		m.Set("id", rsc.ID()+"_last_failure_0")
		g.fail(m, one(g, "7", "1", "9"), "0")
		g.failCount(state, rsc, m)
	case 5:
		g.features["history removed"] = true
		op.Remove()
	case 6:
		g.active(status, rsc)
	case 7:
		g.features["digest changed"] = true
		op.Set("op-digest", "0123456789abcdef0123456789abcdef")
		if g.chance(50) {
			op.Set("op-force-restart", one(g, " state ", " fake "))
			op.Set("op-restart-digest", one(g, "0123456789abcdef0123456789abcdef", "f2317cad3d54cec5d7d7aa7d0bf35cf8"))
		}
	case 8:
		g.features["found stopped"] = true
		op.Set("operation", "monitor")
		op.Set("operation_key", rsc.ID()+"_monitor_0")
		op.Set("interval", "0")
		g.result(op, "7", "0")
	case 9:
		g.migration(status, rsc, op)
	case 10:
		g.features["executor error"] = true
		g.fail(op, one(g, "189", "5", "6", "1"), one(g, "4", "5", "6", "7", "8", "9", "1"))
	default:
		g.orphan(state)
	}
}

// result sets what an operation came to.
func (g *gen) result(op *xmltree.Node, rc, status string) {
	op.Set("rc-code", rc)
	op.Set("op-status", status)
	op.Set("transition-magic", status+":"+rc+";"+op.Attr("transition-key"))
}

// fail makes an operation a failure of some time ago.
func (g *gen) fail(op *xmltree.Node, rc, status string) {
	g.features["failed operation"] = true
	g.result(op, rc, status)
	ago := strconv.Itoa(Now - pick(g, []int{1, 30, 59, 61, 700, 100000}))
	op.Set("last-rc-change", ago)
	op.Set("exit-reason", one(g, "", "it broke", `a "quoted" reason`))
}

// copyOp adds another operation of the same resource.
func (g *gen) copyOp(rsc, op *xmltree.Node, name, interval string) *xmltree.Node {
	m := op.Copy()
	m.Set("operation", name)
	m.Set("interval", interval)
	m.Set("operation_key", fmt.Sprintf("%s_%s_%s", rsc.ID(), name, interval))
	call, _ := strconv.Atoi(op.Attr("call-id"))
	m.Set("call-id", strconv.Itoa(call+1+g.IntN(3)))
	m.Set("id", fmt.Sprintf("%s_%s_%s", rsc.ID(), name, interval))
	var clash bool
	rsc.Each("lrm_rsc_op", func(n *xmltree.Node) { clash = clash || n.ID() == m.ID() })
	if !clash {
		rsc.Add(m)
	}
	return m
}

// failCount counts a failure where the controller does.
func (g *gen) failCount(state, rsc, op *xmltree.Node) {
	if !g.feature("fail count", 70) {
		return
	}
	set := state.Path("transient_attributes", "instance_attributes")
	if set == nil {
		t := state.Child("transient_attributes")
		if t == nil {
			t = state.AddNew("transient_attributes", a("id", state.ID()))
		}
		set = t.AddNew("instance_attributes", a("id", "status-"+state.ID()))
	}
	key := fmt.Sprintf("%s#%s_%s", rsc.ID(), op.Attr("operation"), op.Attr("interval"))
	set.AddNew("nvpair", a("id", g.id("fc")), a("name", "fail-count-"+key), a("value", one(g, "1", "2", "5", "INFINITY")))
	set.AddNew("nvpair", a("id", g.id("lf")), a("name", "last-failure-"+key), a("value", op.Attr("last-rc-change")))
}

// active makes a resource run on another node too.
func (g *gen) active(status, rsc *xmltree.Node) {
	var others []*xmltree.Node
	status.Each("node_state", func(n *xmltree.Node) {
		if l := n.Path("lrm", "lrm_resources"); l != nil {
			found := false
			l.Each("lrm_resource", func(r *xmltree.Node) { found = found || r.ID() == rsc.ID() })
			if !found || g.chance(50) {
				others = append(others, l)
			}
		}
	})
	if len(others) == 0 {
		return
	}
	g.features["active elsewhere too"] = true
	l := pick(g, others)
	l.Each("lrm_resource", func(r *xmltree.Node) {
		if r.ID() == rsc.ID() && r != rsc {
			r.Remove()
		}
	})
	if l != rsc.Parent {
		l.Add(rsc.Copy())
	}
}

// migration leaves a move half done.
func (g *gen) migration(status, rsc, op *xmltree.Node) {
	if len(g.nodes) < 2 {
		return
	}
	g.features["migration"] = true
	here := rsc.Parent.Parent.Parent.Attr("uname")
	there := pick(g, g.nodes)
	if here == there {
		return
	}
	m := g.copyOp(rsc, op, "migrate_to", "0")
	m.Set("migrate_source", here)
	m.Set("migrate_target", there)
	if g.chance(50) {
		m.Set("operation", "migrate_from")
		m.Set("operation_key", rsc.ID()+"_migrate_from_0")
		m.Set("migrate_source", there)
		m.Set("migrate_target", here)
	}
	g.result(m, one(g, "0", "1"), one(g, "0", "0", "2"))
	if g.chance(40) {
		g.active(status, rsc)
	}
}

// records adds up to four operations to a history, of any kind, age and result: more
// of a kind than a controller keeps, in an order that no cluster has had.
func (g *gen) records(status *xmltree.Node) {
	state, rsc, ops := g.history(status)
	if len(ops) == 0 {
		return
	}
	here, there := state.Attr("uname"), pick(g, g.nodes)
	for range 1 + g.IntN(4) {
		op := pick(g, ops).Copy()
		name, interval := one(g, "monitor", "monitor", "start", "stop", "migrate_to", "migrate_from", "promote", "demote", "notify"), "0"
		if name == "monitor" {
			interval = one(g, "0", "0", "10000", "30000")
		}
		op.Set("id", g.id(rsc.ID()+"_record"))
		op.Set("operation", name)
		op.Set("interval", interval)
		op.Set("operation_key", fmt.Sprintf("%s_%s_%s", rsc.ID(), name, interval))
		op.Set("call-id", strconv.Itoa(1+g.IntN(12)))
		op.Set("last-rc-change", strconv.Itoa(Now-3600-60+g.IntN(120)))
		op.Unset("migrate_source")
		op.Unset("migrate_target")
		switch name {
		case "migrate_to":
			op.Set("migrate_source", here)
			op.Set("migrate_target", there)
		case "migrate_from":
			op.Set("migrate_source", there)
			op.Set("migrate_target", here)
		}
		switch g.IntN(5) {
		case 0, 1:
			g.result(op, "0", "0")
		case 2:
			g.result(op, "7", "0")
		case 3:
			g.result(op, one(g, "1", "5", "8", "9"), one(g, "0", "4", "2", "1", "3"))
		default:
			g.result(op, "193", "-1")
		}
		rsc.Add(op)
	}
}

// orphan leaves the history of a resource that is not configured.
func (g *gen) orphan(state *xmltree.Node) {
	if state == nil {
		return
	}
	g.features["orphan"] = true
	id := one(g, "gone", "rsc-1", "gone:0", "gone:1")
	l := state.Path("lrm", "lrm_resources")
	if l == nil {
		return
	}
	found := false
	l.Each("lrm_resource", func(r *xmltree.Node) { found = found || r.ID() == id })
	if found {
		return
	}
	r := l.AddNew("lrm_resource", a("id", id), a("type", "Dummy"), a("class", "ocf"), a("provider", one(g, "heartbeat", "pacemaker")))
	op := r.AddNew("lrm_rsc_op", a("id", id+"_last_0"), a("operation_key", id+"_start_0"), a("operation", one(g, "start", "monitor", "stop")),
		a("crm-debug-origin", "do_update_resource"), a("crm_feature_set", "3.16.1"),
		a("transition-key", "3:1:0:11111111-2222-3333-4444-555555555555"), a("call-id", "99"), a("interval", "0"), a("op-digest", "f2317cad3d54cec5d7d7aa7d0bf35cf8"))
	g.result(op, one(g, "0", "7", "1"), "0")
}

// reconfigure changes the configuration under what runs.
func (g *gen) reconfigure() {
	var all []*xmltree.Node
	g.resources.Elements(func(n *xmltree.Node) {
		if n.Name == "primitive" {
			all = append(all, n)
		}
	})
	if len(all) == 0 {
		return
	}
	n := pick(g, all)
	switch g.IntN(3) {
	case 0:
		g.features["parameter changed"] = true
		if set := n.Child("instance_attributes"); set != nil {
			set.AddNew("nvpair", a("id", g.id("nv")), a("name", "added"), a("value", "1"))
		}
	case 1:
		g.features["operation changed"] = true
		if ops := n.Child("operations"); ops != nil {
			ops.AddNew("op", a("id", g.id("op")), a("name", "monitor"), a("interval", "17s"))
		}
	default:
		g.features["node lost"] = true
		if nodes := g.config.Child("nodes"); len(g.nodes) > 2 {
			nodes.Each("node", func(n *xmltree.Node) {
				if n.Attr("uname") == g.nodes[len(g.nodes)-1] {
					n.Remove()
				}
			})
		}
	}
}
