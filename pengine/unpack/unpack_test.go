package unpack_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/cibstory"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/unpack"
)

// facts are what is known of nodes and primitives after the reading: a node with its
// states, a primitive with its role, where it is and what is wrong with it.
func facts(c *model.Cluster) (out []string) {
	for _, n := range c.Nodes {
		f := []string{"node " + n.Name}
		for _, is := range []struct {
			on   bool
			name string
		}{{n.Online, "online"}, {!n.Online, "offline"}, {n.Unclean, "unclean"}, {n.Pending, "pending"}, {n.Standby, "standby"},
			{n.StandbyOnFail, "on-fail"}, {n.Maintenance, "maintenance"}, {n.Shutdown, "shutdown"}, {n.Kind == model.Remote, "remote"}} {
			if is.on {
				f = append(f, is.name)
			}
		}
		out = append(out, strings.Join(f, " "))
	}
	for _, r := range c.Resources {
		out = resource(out, r)
	}
	return out
}

func resource(out []string, r *model.Resource) []string {
	if len(r.Children) > 0 {
		for _, k := range r.Children {
			out = resource(out, k)
		}
		return out
	}
	f := []string{r.ID, r.Role.String()}
	for _, n := range r.RunningOn {
		f = append(f, n.Name)
	}
	for _, is := range []struct {
		flag model.Flag
		name string
	}{{model.Failed, "failed"}, {model.Block, "blocked"}, {model.Orphan, "orphan"}, {model.InMaintenance, "maintenance"}, {model.StopOnFail, "stop"}} {
		if r.Is(is.flag) {
			f = append(f, is.name)
		}
	}
	if !r.Is(model.Managed) {
		f = append(f, "unmanaged")
	}
	return append(out, strings.Join(f, " "))
}

const (
	dummy    = `<primitive id="a" class="ocf" provider="pacemaker" type="Dummy"/>`
	stateful = `<clone id="c"><meta_attributes><nvpair name="promotable" value="true"/></meta_attributes><primitive id="s" class="ocf" provider="pacemaker" type="Stateful"/></clone>`
	fenced   = `<nvpair name="stonith-enabled" value="true"/><primitive id="f" class="stonith" type="fence_x"/>`
	gone     = `<node_state id="n2" uname="n2" in_ccm="false" crmd="offline" join="down" expected="member"/>`
)

// TestStates: what the history and the states of the nodes mean. pengine/testdata/stories
// has what the original shows of the same.
func TestStates(t *testing.T) {
	for _, c := range []struct {
		name, snippet string
		want          []string // facts that have to be among those found
	}{
		{"nothing ran", dummy, []string{"node n1 online", "node n2 online", "a Stopped"}},
		{"started", dummy + `<did node="n1" rsc="a" op="start"/>`, []string{"a Started n1"}},
		{"stopped again", dummy + `<did node="n1" rsc="a" op="stop"/>`, []string{"a Stopped"}},
		{"probe finds nothing", dummy + `<did node="n1" rsc="a" op="monitor" rc="7"/>`, []string{"a Stopped"}},
		{"probe finds it", dummy + `<did node="n1" rsc="a" op="monitor" rc="0"/>`, []string{"a Started n1"}},
		{"probe without agent", dummy + `<did node="n1" rsc="a" op="monitor" rc="5"/>`, []string{"a Stopped"}},
		{"probe fails", dummy + `<did node="n1" rsc="a" op="monitor" rc="1"/>`, []string{"a Started n1 failed stop"}},
		{"start fails", dummy + `<did node="n1" rsc="a" op="start" rc="1"/>`, []string{"a Started n1 failed stop"}},
		{"stop fails", dummy + `<did node="n1" rsc="a" op="stop" rc="1"/>`, []string{"a Started n1 failed blocked unmanaged"}},
		{"stop fails, fencing", fenced + dummy + `<did node="n1" rsc="a" op="stop" rc="1"/>`, []string{"node n1 online unclean", "a Started n1 failed stop"}},
		{"monitor fails", dummy + `<did node="n1" rsc="a" op="start"/><did node="n1" rsc="a" op="monitor" ms="10000" rc="7"/>`, []string{"a Started n1 failed stop"}},
		{"monitor times out", dummy + `<did node="n1" rsc="a" op="start"/><did node="n1" rsc="a" op="monitor" ms="10000" rc="1" op-status="2"/>`, []string{"a Started n1 failed stop"}},
		{"active twice", dummy + `<did node="n1" rsc="a" op="start"/><did node="n2" rsc="a" op="start"/>`, []string{"a Started n1 n2"}},
		{"history without resource", dummy + `<did node="n1" rsc="z" op="start" class="ocf" provider="pacemaker" type="Dummy"/>`, []string{"z Started n1 orphan"}},
		{"promoted", stateful + `<did node="n1" rsc="s" op="promote"/>`, []string{"s:0 Promoted n1", "s:1 Stopped"}},
		{"demoted", stateful + `<did node="n1" rsc="s" op="demote"/>`, []string{"s:0 Unpromoted n1"}},
		{"probe finds it promoted", stateful + `<did node="n1" rsc="s" op="monitor" rc="8"/>`, []string{"s:0 Promoted n1"}},
		{"promoted and failed", stateful + `<did node="n1" rsc="s" op="promote"/><did node="n1" rsc="s" op="monitor" ms="10000" rc="9"/>`, []string{"s:0 Promoted n1 failed stop"}},
		{"node gone, no fencing", dummy + gone + `<did node="n2" rsc="a" op="start"/>`, []string{"node n2 offline", "a Stopped"}},
		{"node gone, fencing", fenced + dummy + gone, []string{"node n2 offline unclean"}},
		{"node left", dummy + `<node_state id="n2" uname="n2" in_ccm="false" crmd="offline" join="down" expected="down"/>`, []string{"node n2 offline"}},
		{"node joining", dummy + `<node_state id="n2" uname="n2" in_ccm="true" crmd="online" join="down" expected="member"/>`, []string{"node n2 offline"}},
		{"node leaving", dummy + `<node_state id="n2" uname="n2" in_ccm="true" crmd="online" join="member" expected="member"><transient_attributes id="n2">` +
			`<instance_attributes><nvpair name="shutdown" value="1700000000"/></instance_attributes></transient_attributes></node_state>`, []string{"node n2 online shutdown"}},
		{"standby", dummy + `<node id="n1" uname="n1"><instance_attributes><nvpair name="standby" value="on"/></instance_attributes></node>`, []string{"node n1 online standby"}},
		{"maintenance", dummy + `<node id="n1" uname="n1"><instance_attributes><nvpair name="maintenance" value="true"/></instance_attributes></node><did node="n1" rsc="a" op="start"/>`,
			[]string{"node n1 online maintenance", "a Started n1 unmanaged"}},
		{"all in maintenance", `<nvpair name="maintenance-mode" value="true"/>` + dummy, []string{"a Stopped maintenance unmanaged"}},
		{"on-fail standby", `<primitive id="a" class="ocf" provider="pacemaker" type="Dummy"><operations><op name="monitor" interval="10s" on-fail="standby"/></operations></primitive>` +
			`<did node="n1" rsc="a" op="start"/><did node="n1" rsc="a" op="monitor" ms="10000" rc="1"/>`, []string{"node n1 online standby on-fail", "a Started n1 failed stop"}},
		{"on-fail ignore", `<primitive id="a" class="ocf" provider="pacemaker" type="Dummy"><operations><op name="monitor" interval="10s" on-fail="ignore"/></operations></primitive>` +
			`<did node="n1" rsc="a" op="start"/><did node="n1" rsc="a" op="monitor" ms="10000" rc="1"/>`, []string{"a Started n1"}},
		{"on-fail block", `<primitive id="a" class="ocf" provider="pacemaker" type="Dummy"><operations><op name="monitor" interval="10s" on-fail="block"/></operations></primitive>` +
			`<did node="n1" rsc="a" op="start"/><did node="n1" rsc="a" op="monitor" ms="10000" rc="1"/>`, []string{"a Started n1 failed blocked unmanaged"}},
		{"migrated", `<primitive id="a" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes><nvpair name="allow-migrate" value="true"/></meta_attributes></primitive>` +
			`<did node="n1" rsc="a" op="migrate_to" migrate_source="n1" migrate_target="n2"/><did node="n2" rsc="a" op="migrate_from" migrate_source="n1" migrate_target="n2"/>`,
			[]string{"a Started n2"}},
		{"remote node", `<primitive id="r1" class="ocf" provider="pacemaker" type="remote"/><did node="n1" rsc="r1" op="start"/>` + dummy, []string{"node r1 online remote", "r1 Started n1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := facts(read(t, c.snippet))
			for _, w := range c.want {
				if !slices.Contains(got, w) {
					t.Errorf("not %q:\n%s", w, strings.Join(got, "\n"))
				}
			}
		})
	}
}

func read(t *testing.T, snippet string) *model.Cluster {
	t.Helper()
	c, _ := unpack.Parse(unpack.Input{CIB: cibstory.Make(t, snippet), Now: iso8601.Time{Unix: 1700000100}})
	return c
}

// TestMeta: where what is said about a resource may stand, and which of it counts.
func TestMeta(t *testing.T) {
	for _, c := range []struct{ name, snippet, want string }{
		{"own", `<primitive id="a" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes><nvpair name="priority" value="7"/></meta_attributes></primitive>`, "7"},
		{"group's", `<group id="g"><meta_attributes><nvpair name="priority" value="6"/></meta_attributes>` + dummy + `</group>`, "6"},
		{"defaults", `<rsc_defaults><meta_attributes><nvpair name="priority" value="5"/></meta_attributes></rsc_defaults>` + dummy, "5"},
		{"own before the group's", `<group id="g"><meta_attributes><nvpair name="priority" value="6"/></meta_attributes>` +
			`<primitive id="a" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes><nvpair name="priority" value="7"/></meta_attributes></primitive></group>`, "7"},
		{"template's", `<template id="t" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes><nvpair name="priority" value="4"/></meta_attributes></template><primitive id="a" template="t"/>`, "4"},
		{"higher score", `<primitive id="a" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes id="m1"><nvpair name="priority" value="1"/></meta_attributes>` +
			`<meta_attributes id="m2" score="5"><nvpair name="priority" value="2"/></meta_attributes></primitive>`, "2"},
		{"rule does not pass", `<primitive id="a" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes id="m1"><nvpair name="priority" value="1"/></meta_attributes>` +
			`<meta_attributes id="m2" score="5"><rule id="r"><date_expression id="d" operation="lt" end="2001-01-01"/></rule><nvpair name="priority" value="2"/></meta_attributes></primitive>`, "1"},
		{"by reference", `<primitive id="b" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes id="m1"><nvpair name="priority" value="3"/></meta_attributes></primitive>` +
			`<primitive id="a" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes id-ref="m1"/></primitive>`, "3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := read(t, c.snippet).Find("a")
			if r == nil || r.Meta["priority"] != c.want || r.Priority.String() != c.want {
				t.Errorf("priority of %+v, not %s", r, c.want)
			}
		})
	}
}
