package plan_test

import (
	"fmt"
	"testing"

	"github.com/pacesync/pacesync/internal/cibstory"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/pengine"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/plan"
	"github.com/pacesync/pacesync/pengine/unpack"
)

// failed is n1 with fail counts: triples of operation, count and age in seconds.
func failed(counts ...any) string {
	s := `<node_state id="n1" uname="n1" in_ccm="true" crmd="online" join="member" expected="member"><transient_attributes id="n1"><instance_attributes>`
	for i := 0; i+2 < len(counts); i += 3 {
		s += fmt.Sprintf(`<nvpair name="fail-count-a#%v" value="%v"/><nvpair name="last-failure-a#%v" value="%d"/>`, counts[i], counts[i+1], counts[i], 1700000000-counts[i+2].(int))
	}
	return s + `</instance_attributes></transient_attributes></node_state>`
}

func a(meta string) string {
	return `<primitive id="a" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes>` + meta + `</meta_attributes></primitive>`
}

// TestFailures counts what has failed on a node.
func TestFailures(t *testing.T) {
	timeout := `<nvpair name="failure-timeout" value="60s"/>`
	for _, c := range []struct {
		name, snippet, count string
		last                 int64
		opt                  plan.FailOpt
	}{
		{"none", a(""), "0", 0, 0},
		{"one operation", a("") + failed("monitor_10000", 3, 100), "3", 1699999900, 0},
		{"several", a("") + failed("monitor_10000", 3, 100, "start_0", 4, 50), "7", 1699999950, 0},
		{"for ever", a("") + failed("start_0", "INFINITY", 10, "monitor_10000", 1, 10), "INFINITY", 1699999990, 0},
		{"no number", a("") + failed("start_0", "often", 10), "0", 1699999990, 0},
		{"expired", a(timeout) + failed("monitor_10000", 3, 100), "0", 1699999900, plan.Effective},
		{"expired, all the same", a(timeout) + failed("monitor_10000", 3, 100), "3", 1699999900, 0},
		{"not yet expired", a(timeout) + failed("monitor_10000", 3, 59), "3", 1699999941, plan.Effective},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster, _ := unpack.Parse(unpack.Input{CIB: cibstory.Make(t, c.snippet), Now: iso8601.Time{Unix: 1700000000}})
			count, last := plan.Failures(cluster.Node("n1"), cluster.Find("a"), c.opt, nil)
			if count.String() != c.count || (count > 0 && last != c.last) {
				t.Errorf("%v at %d, not %s at %d", count, last, c.count, c.last)
			}
			if count, _ := plan.Failures(cluster.Node("n2"), cluster.Find("a"), c.opt, nil); count != 0 {
				t.Errorf("%v failures on the other node", count)
			}
		})
	}
}

// TestOnFail: what a failure of an operation will do.
func TestOnFail(t *testing.T) {
	with := func(op, attrs string) string {
		return `<primitive id="a" class="ocf" provider="pacemaker" type="Dummy"><operations><op name="` + op + `" ` + attrs + `/></operations></primitive>`
	}
	fencing := `<nvpair name="stonith-enabled" value="true"/><primitive id="f" class="stonith" type="fence_x"/>`
	running := `<did node="n1" rsc="a" op="start"/><rsc_location id="l" rsc="a" node="n2" score="INFINITY"/>`
	for _, c := range []struct {
		name, snippet, key string
		want               model.OnFail
		role               model.Role
	}{
		{"start", a(""), "a_start_0", model.FailRecover, model.Started},
		{"stop without fencing", a("") + running, "a_stop_0", model.FailBlock, model.Started},
		{"stop with fencing", fencing + a("") + running, "a_stop_0", model.FailFence, model.Started},
		{"stop, demote is not for it", with("stop", `interval="0" on-fail="demote"`) + running, "a_stop_0", model.FailBlock, model.Started},
		{"ignore", with("monitor", `interval="10s" on-fail="ignore"`), "a_monitor_10000", model.FailIgnore, model.Started},
		{"block", with("monitor", `interval="10s" on-fail="block"`), "a_monitor_10000", model.FailBlock, model.Started},
		{"stop it", with("monitor", `interval="10s" on-fail="stop"`), "a_monitor_10000", model.FailStop, model.Stopped},
		{"standby", with("monitor", `interval="10s" on-fail="standby"`), "a_monitor_10000", model.FailStandby, model.Started},
		{"migrate", with("monitor", `interval="10s" on-fail="migrate"`), "a_monitor_10000", model.FailMigrate, model.Started},
		{"fence", fencing + with("monitor", `interval="10s" on-fail="fence"`), "a_monitor_10000", model.FailFence, model.Started},
		{"fence without fencing", with("monitor", `interval="10s" on-fail="fence"`), "a_monitor_10000", model.FailStop, model.Stopped},
		{"no such word", with("monitor", `interval="10s" on-fail="explode"`), "a_monitor_10000", model.FailRecover, model.Started},
		{"container of nothing", with("monitor", `interval="10s" on-fail="restart-container"`), "a_monitor_10000", model.FailRecover, model.Started},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := pengine.Run(pengine.Input{CIB: cibstory.Make(t, `<cib validate-with="none"/>`+c.snippet), Now: iso8601.Time{Unix: 1700000000}})
			if err != nil {
				t.Fatal(err)
			}
			for _, act := range r.Cluster.Actions {
				if act.Key == c.key {
					if act.OnFail != c.want || act.FailRole != c.role {
						t.Errorf("on-fail %v, role %v; not %v, %v", act.OnFail, act.FailRole, c.want, c.role)
					}
					return
				}
			}
			t.Errorf("no %s is planned", c.key)
		})
	}
}
