package order_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/cibstory"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/pengine"
	"github.com/pacesync/pacesync/pengine/graph"
	"github.com/pacesync/pacesync/pengine/model"
)

// due lists the actions that are in the graph, each with those that it waits for.
func due(t *testing.T, snippet string) (out []string) {
	t.Helper()
	r, err := pengine.Run(pengine.Input{CIB: cibstory.Make(t, snippet), Now: iso8601.Time{Unix: 1700000100}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Graph.Synapses {
		var waits []string
		for _, in := range s.Inputs {
			waits = append(waits, name(in))
		}
		slices.Sort(waits)
		line := name(s.Event)
		if len(waits) > 0 {
			line += " after " + strings.Join(waits, ", ")
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

func name(e *graph.Event) string {
	s := e.Attr("operation_key")
	if s == "" {
		s = e.Attr("operation")
	}
	if n := e.Attr("on_node"); n != "" {
		s += "@" + n
	}
	return s
}

func primitive(id, inside string) string {
	return `<primitive id="` + id + `" class="ocf" provider="pacemaker" type="Dummy">` + inside + `</primitive>`
}

func one(id string) string { return primitive(id, "") + probed(id) }

// probed is what is left of the probes that found a resource nowhere.
func probed(id string) string {
	return `<did node="n1" rsc="` + id + `" op="monitor" rc="7"/><did node="n2" rsc="` + id + `" op="monitor" rc="7"/>`
}

// TestDue: what is done, and what each waits for. The drawings of all that is compared
// with the original are made of the same.
func TestDue(t *testing.T) {
	ab := one("a") + one("b")
	active := probed("a") + probed("b") + `<did node="n1" rsc="a" op="start"/><did node="n1" rsc="b" op="start"/>`
	stop := `<meta_attributes><nvpair name="target-role" value="Stopped"/></meta_attributes>`
	for _, c := range []struct {
		name, snippet string
		want          []string
	}{
		{"probes come first", primitive("a", ""), []string{"a_monitor_0@n1", "a_monitor_0@n2", "a_start_0@n1 after a_monitor_0@n1, a_monitor_0@n2"}},
		{"independent", ab, []string{"a_start_0@n1", "b_start_0@n2"}},
		{"start in order", ab + `<rsc_order id="o" first="a" then="b"/>`, []string{"a_start_0@n1", "b_start_0@n2 after a_start_0@n1"}},
		{"recurring after start", primitive("a", `<operations><op name="monitor" interval="10s"/></operations>`) + probed("a"), []string{"a_monitor_10000@n1 after a_start_0@n1", "a_start_0@n1"}},
		{"stop in reverse", primitive("a", stop) + primitive("b", stop) + active + `<rsc_order id="o" first="a" then="b"/>`,
			[]string{"a_stop_0@n1 after b_stop_0@n1", "b_stop_0@n1"}},
		{"then goes down with first", primitive("a", stop) + primitive("b", "") + active + `<rsc_order id="o" first="a" then="b"/>`,
			[]string{"a_stop_0@n1 after b_stop_0@n1", "b_stop_0@n1"}},
		{"optional order leaves then alone", primitive("a", stop) + primitive("b", "") + active + `<rsc_order id="o" first="a" then="b" kind="Optional"/>`, []string{"a_stop_0@n1"}},
		{"first cannot: then does not", primitive("a", stop) + probed("a") + one("b") + `<rsc_order id="o" first="a" then="b"/>`, nil},
		{"first cannot, optional: then does", primitive("a", stop) + probed("a") + one("b") + `<rsc_order id="o" first="a" then="b" kind="Optional"/>`, []string{"b_start_0@n1"}},
		{"move", one("a") + `<did node="n1" rsc="a" op="start"/><rsc_location id="l" rsc="a" node="n1" score="-INFINITY"/>`, []string{"a_start_0@n2 after a_stop_0@n1", "a_stop_0@n1"}},
		{"serialized", ab + `<rsc_order id="o" first="a" then="b" kind="Serialize"/>`, []string{"a_start_0@n1", "b_start_0@n2 after a_start_0@n1"}},
		{"apart by exchange", one("a") + one("b") + `<did node="n1" rsc="a" op="start"/><did node="n2" rsc="b" op="start"/>` +
			`<rsc_location id="l" rsc="a" node="n2" score="INFINITY"/><rsc_location id="m" rsc="b" node="n1" score="INFINITY"/><rsc_colocation id="k" rsc="a" with-rsc="b" score="-INFINITY"/>`,
			[]string{"a_start_0@n2 after a_stop_0@n1, b_stop_0@n2", "a_stop_0@n1", "b_start_0@n1 after a_stop_0@n1, b_stop_0@n2", "b_stop_0@n2"}},
		{"group", `<group id="g">` + primitive("a", "") + primitive("b", "") + `</group>` + probed("a") + probed("b"),
			[]string{"a_start_0@n1 after g_start_0", "b_start_0@n1 after a_start_0@n1, g_start_0", "g_running_0 after a_start_0@n1, b_start_0@n1, g_start_0", "g_start_0"}},
		{"shutdown waits for stops", one("a") + `<did node="n1" rsc="a" op="start"/><node_state id="n1" uname="n1" in_ccm="true" crmd="online" join="member" expected="member">` +
			`<transient_attributes id="n1"><instance_attributes><nvpair name="shutdown" value="1"/></instance_attributes></transient_attributes></node_state>`,
			[]string{"a_start_0@n2 after a_stop_0@n1", "a_stop_0@n1", "do_shutdown-n1@n1 after a_stop_0@n1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := due(t, c.snippet); !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// TestOrderedOnce: an action is not ordered after itself, whatever the constraint says.
func TestOrderedOnce(t *testing.T) {
	r, err := pengine.Run(pengine.Input{CIB: cibstory.Make(t, one("a")+`<rsc_order id="o" first="a" then="a"/>`), Now: iso8601.Time{Unix: 1}})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range r.Cluster.Actions {
		if slices.ContainsFunc(a.Before, func(e *model.Edge) bool { return e.First == a }) {
			t.Errorf("%s waits for itself", a.Key)
		}
	}
}
