package transition

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// tiny is a graph of a probe, a start that waits for it, and a fencing.
const tiny = `<transition_graph cluster-delay="60s" stonith-timeout="90s" failed-stop-offset="INFINITY" failed-start-offset="1" batch-limit="0" transition_id="3" recheck-by="1700000900">
<synapse id="0"><action_set><rsc_op id="1" operation="monitor" operation_key="a_monitor_0" on_node="n1" on_node_uuid="1"><primitive id="a" class="ocf" provider="p" type="t"/><attributes CRM_meta_timeout="20000" CRM_meta_op_target_rc="7" x="1"><param name="9x" value="2"/></attributes></rsc_op></action_set><inputs/></synapse>
<synapse id="1" priority="1000000"><action_set><rsc_op id="2" operation="start" operation_key="a_start_0" on_node="n1" on_node_uuid="1"><primitive id="a" class="ocf" provider="p" type="t"/><attributes CRM_meta_timeout="20000" CRM_meta_start_delay="500"/></rsc_op></action_set>
<inputs><trigger><rsc_op id="1" operation="monitor" operation_key="a_monitor_0" on_node="n1" on_node_uuid="1"/></trigger></inputs></synapse>
<synapse id="2"><action_set><crm_event id="3" operation="stonith" operation_key="stonith-n2-off" on_node="n2" on_node_uuid="2"><attributes CRM_meta_stonith_action="off"/><downed><node id="2"/></downed></crm_event></action_set><inputs/></synapse>
</transition_graph>`

func graphOf(t testing.TB, text string) *Graph {
	t.Helper()
	x, err := xmltree.ParseString(text, xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	g, notes, err := Decode(x, "pe-input-0.bz2")
	if err != nil || len(notes) > 0 {
		t.Fatal(err, notes)
	}
	return g
}

func TestDecode(t *testing.T) {
	g := graphOf(t, tiny)
	if g.ID != 3 || g.ClusterDelay != time.Minute || g.StonithTimeout != 90*time.Second || g.StartOffset != "1" || g.RecheckBy != 1700000900 || len(g.Synapses) != 3 {
		t.Errorf("%+v", g)
	}
	a := g.Action(1)
	if a.TargetRC != 7 || a.Timeout != 20*time.Second || a.Params["x"] != "1" || a.Params["9x"] != "2" || *a.Agent != (Agent{ID: "a", Class: "ocf", Provider: "p", Type: "t"}) {
		t.Errorf("%+v", a)
	}
	if b := g.Action(2); b.Timeout != 20500*time.Millisecond || b.synapse.Priority != Infinity || len(b.synapse.open) != 1 {
		t.Errorf("%+v", b)
	}
	if c := g.Action(3); c.Kind != Cluster || c.Meta("stonith_action") != "off" || len(c.Downed) != 1 || c.Downed[0] != "2" {
		t.Errorf("%+v", c)
	}
	for _, bad := range []string{`<x/>`, `<transition_graph cluster-delay="1"/>`, `<transition_graph transition_id="1"/>`} {
		x, _ := xmltree.ParseString(bad, xmltree.Limits{})
		if _, _, err := Decode(x, ""); err == nil {
			t.Errorf("%s is taken for a graph", bad)
		}
	}
}

func TestKey(t *testing.T) {
	k := Key{Action: 7, Transition: 3, TargetRC: 0, UUID: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"}
	if got, ok := ParseKey(k.String()); !ok || got != k {
		t.Errorf("%s reads as %+v", k, got)
	}
	if k, ok := ParseKey("-1:-1:0:xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"); !ok || k.Transition != Outside {
		t.Errorf("%+v %t", k, ok)
	}
	for _, bad := range []string{"", "1:2:3", "1:2:3:", "a:2:3:u", "1:2:99999999999:u"} {
		if _, ok := ParseKey(bad); ok {
			t.Errorf("%q is taken for a key", bad)
		}
	}
}

func TestThrottle(t *testing.T) {
	th := Throttle{Max: 8}
	th.Heard("a", StrainNone, 8)
	th.Heard("b", StrainMedium, 8)
	th.Heard("c", StrainExtreme, 8)
	for node, want := range map[string]int{"a": 8, "b": 2, "c": 1, "unknown": 4} {
		if got := th.Jobs(node); got != want {
			t.Errorf("%s: %d jobs, not %d", node, got, want)
		}
	}
	if got := th.Total(0, 16); got != 4 {
		t.Errorf("total %d", got)
	}
	if got := th.Total(2, 16); got != 2 {
		t.Errorf("total %d with a configured limit of 2", got)
	}
}

func TestLocalStrain(t *testing.T) {
	for _, c := range []struct {
		cib, average, target float64
		cores                int
		want                 Strain
	}{
		{-1, -1, 0.8, 2, StrainNone}, {-1, 1.8, 0.8, 2, StrainNone}, {-1, 2.0, 0.8, 2, StrainLow}, {-1, 2.6, 0.8, 2, StrainMedium},
		{-1, 50, 0.8, 2, StrainHigh}, {-1, 50, 0, 2, StrainNone}, {-1, 0.6, 0.8, 1, StrainLow},
		{0.7, 0, 0.8, 2, StrainLow}, {0.75, 0, 0.8, 2, StrainMedium}, {0.9, 0, 0.8, 2, StrainHigh}, {1.3, 0, 0.8, 2, StrainExtreme},
	} {
		if got := LocalStrain(c.cib, c.average, c.target, c.cores); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// FuzzDecode reads graphs and executes them with executors that do not exist: whatever
// the graph, nothing panics and it ends when its actions are lost.
func FuzzDecode(f *testing.F) {
	f.Add(tiny)
	f.Add(`<transition_graph transition_id="0" cluster-delay="1s"><synapse id="0"><action_set><pseudo_event id="1"/></action_set><inputs><trigger><pseudo_event id="1"/></trigger></inputs></synapse></transition_graph>`)
	if dir := os.Getenv("PACESYNC_SHARED"); dir != "" {
		for _, n := range []string{"594", "rec-node-6", "notify-0"} {
			if b, err := os.ReadFile(filepath.Join(dir, "conformance", "scheduler", "exp", n+".exp")); err == nil {
				f.Add(string(b))
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		x, err := xmltree.ParseString(text, xmltree.Limits{Bytes: 1 << 20})
		if err != nil {
			return
		}
		g, _, err := Decode(x, "fuzz")
		if err != nil {
			return
		}
		w := newWatch()
		w.step(Start{UUID: testUUID})
		w.step(Load{Graph: g})
		for range 4 * (len(g.Synapses) + 1) {
			if !w.e.Active() {
				return
			}
			at := w.e.Deadline()
			if at.IsZero() {
				w.step(FencerLost{})
				continue
			}
			w.now = at
			w.step(Tick{})
		}
		if w.e.Active() && !strings.Contains(text, "stonith") {
			t.Error("the transition does not end although all its actions are lost")
		}
	})
}

// FuzzDiff reads patchsets.
func FuzzDiff(f *testing.F) {
	f.Add(`<diff format="2"><version><source epoch="1"/><target epoch="2"/></version><change operation="create" path="/cib/status/node_state[@id='1']/lrm[@id='1']/lrm_resources"><lrm_resource id="a"><lrm_rsc_op id="a_last_0" operation_key="a_start_0" transition-key="2:3:0:aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee" rc-code="0" op-status="0" call-id="4"/></lrm_resource></change></diff>`)
	f.Add(`<diff format="2"><change operation="delete" path="/cib/status/node_state[@id='1']/lrm[@id='1']/lrm_resources/lrm_resource[@id='a']/lrm_rsc_op[@id='a_monitor_10']"/><change operation="modify" path="/cib/configuration/x"/></diff>`)
	f.Fuzz(func(t *testing.T, text string) {
		x, err := xmltree.ParseString(text, xmltree.Limits{Bytes: 1 << 20})
		if err != nil {
			return
		}
		d, ok := DecodeDiff(x, "cib_modify")
		if !ok {
			return
		}
		w := newWatch()
		w.step(Start{UUID: testUUID})
		w.step(Load{Graph: graphOf(t, tiny)})
		w.step(d)
	})
}
