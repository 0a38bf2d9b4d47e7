package pengine_test

import (
	"math/rand/v2"
	"runtime/debug"
	"testing"

	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine"
	"github.com/pacesync/pacesync/pengine/simulate"
)

// seedCIB has a bit of everything, so that mutations reach every phase.
const seedCIB = `<cib validate-with="pacemaker-3.9" have-quorum="1" dc-uuid="1"><configuration>
<crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="true"/>
<nvpair id="o2" name="placement-strategy" value="balanced"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="a"><utilization id="u"><nvpair id="u1" name="cpu" value="2"/></utilization></node><node id="2" uname="b"/></nodes>
<resources><primitive id="f" class="stonith" type="fence_x"/>
<group id="g"><primitive id="p" class="ocf" provider="heartbeat" type="Dummy"><operations><op id="m" name="monitor" interval="10s" on-fail="fence"/>
<op id="m2" name="monitor" interval="11s" role="Promoted"/></operations></primitive><primitive id="q" class="ocf" provider="pacemaker" type="remote"/></group>
<clone id="c"><meta_attributes id="cm"><nvpair id="cm1" name="promotable" value="true"/><nvpair id="cm2" name="notify" value="true"/></meta_attributes>
<primitive id="s" class="ocf" provider="pacemaker" type="Stateful"><utilization id="su"><nvpair id="su1" name="cpu" value="1"/></utilization></primitive></clone>
<bundle id="bu"><podman image="i" replicas="2"/><network ip-range-start="10.0.0.1"/><primitive id="w" class="ocf" provider="heartbeat" type="apache"/></bundle></resources>
<constraints><rsc_location id="l" rsc="g"><rule id="r" score="5" boolean-op="or"><expression id="e" attribute="#uname" operation="eq" value="a"/>
<date_expression id="d" operation="gt" start="2020-01-01"/></rule></rsc_location>
<rsc_colocation id="k" rsc="g" with-rsc="c" with-rsc-role="Promoted" score="INFINITY"/><rsc_order id="n" first="c" first-action="promote" then="g"/>
<rsc_ticket id="t" rsc="g" ticket="T" loss-policy="fence"/></constraints></configuration>
<status><node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="1"><lrm_resources>
<lrm_resource id="p" class="ocf" provider="heartbeat" type="Dummy"><lrm_rsc_op id="p_last_0" operation_key="p_start_0" operation="start" call-id="2" rc-code="0" op-status="0" interval="0" transition-key="1:1:0:x"/></lrm_resource>
<lrm_resource id="s" class="ocf" provider="pacemaker" type="Stateful"><lrm_rsc_op id="s_last_0" operation_key="s_promote_0" operation="promote" call-id="3" rc-code="0" op-status="0" interval="0" transition-key="1:1:0:x"/></lrm_resource>
</lrm_resources></lrm></node_state><node_state id="2" uname="b" in_ccm="false" crmd="offline" join="down" expected="member"/><tickets><ticket_state id="T" granted="false"/></tickets></status></cib>`

// FuzzRun changes the tree as the input says and expects an answer, whatever it
// became: no panic, no endless loop, the input untouched by the decision.
func FuzzRun(f *testing.F) {
	f.Add([]byte("0123"))
	f.Add([]byte("\x01\x05\x09\x00\x02\x30\x07\x01\x00\x44\x03\x02"))
	f.Fuzz(survive)
}

// TestMutations is FuzzRun with inputs of its own, the same every time.
func TestMutations(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		data := make([]byte, 4*(1+r.IntN(24)))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		survive(t, data)
	}
}

func survive(t *testing.T, data []byte) {
	defer func() {
		if e := recover(); e != nil {
			t.Fatalf("input %q: %v\n%s", data, e, debug.Stack())
		}
	}()
	cib, err := xmltree.ParseString(seedCIB, xmltree.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for d := data; len(d) >= 4; d = d[4:] {
		mutate(cib, d)
	}
	before := cib.String()
	if _, err := pengine.Run(pengine.Input{CIB: cib, Now: iso8601.Time{Unix: 1700000000}}); err != nil {
		t.Fatal(err)
	}
	if cib.String() != before {
		t.Errorf("input %q: the engine changed the CIB", data)
	}
	drop := func([]byte) error { return nil }
	_, _ = simulate.Run(simulate.Options{CIB: cib, Clock: iso8601.Time{Unix: 1700000000}, Process: true, Execute: true,
		Pending: true, Scores: true, Utilization: true, SaveGraph: drop, SaveDot: drop})
}

// mutate makes one change: which place, what change, with what.
func mutate(cib *xmltree.Node, b []byte) {
	var all []*xmltree.Node
	var walk func(*xmltree.Node)
	walk = func(n *xmltree.Node) {
		all = append(all, n)
		n.Elements(walk)
	}
	walk(cib)
	n, other := all[(int(b[0])<<3|int(b[1]&7))%len(all)], all[int(b[3])%len(all)]
	value := words[int(b[3])%len(words)]
	switch what := b[2] % 8; {
	case n == cib:
	case what < 4 && len(n.Attrs) > 0:
		n.Attrs[int(b[1]>>3)%len(n.Attrs)].Value = value
	case what == 4:
		n.Remove()
	case what == 5 && len(all) < 300:
		other.Add(n.Copy())
	case what == 6 && len(n.Attrs) > 0:
		n.Unset(n.Attrs[int(b[1]>>3)%len(n.Attrs)].Name)
	case what == 7:
		n.Set(names[int(b[1]>>3)%len(names)], value)
	}
}

var (
	names = []string{"id", "name", "value", "role", "rsc", "with-rsc", "first", "then", "score", "interval", "operation", "rc-code", "op-status",
		"migrate_source", "migrate_target", "uname", "in_ccm", "crmd", "join", "expected", "on-fail", "container"}
	words = []string{"", "0", "1", "2", "7", "8", "9", "-1", "9", "INFINITY", "-INFINITY", "true", "false", "a", "b", "p", "q", "g", "c", "s", "f",
		"bu", "w", "p:0", "s:1", "start", "stop", "promote", "demote", "monitor", "migrate_to", "migrate_from", "notify", "Promoted", "Stopped", "Unpromoted",
		"target-role", "is-managed", "globally-unique", "clone-max", "clone-node-max", "promoted-max", "interleave", "ordered", "multiple-active", "block", "stop_only",
		"stop_unexpected", "no-quorum-policy", "freeze", "demote", "suicide", "maintenance", "standby", "remote-node", "container", "fence", "restart-container", "ignore",
		"10s", "P1Y", "2020-01-01", "resource-stickiness", "allow-migrate", "requires", "unfencing", "shutdown", "terminate", "online", "offline", "member", "pending", "down",
		"banned", "fail-count-p#monitor_10000", "master-s", "bu-podman-0", "bu-0", "p_monitor_10000", "p_last_failure_0", "T", "replicas", "run-command", "podman"}
)
