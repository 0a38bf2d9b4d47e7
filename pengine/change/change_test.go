package change_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/cibstory"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/pengine"
)

const (
	a       = `<primitive id="a" class="ocf" provider="pacemaker" type="Dummy"/>`
	stopped = `<primitive id="a" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes><nvpair name="target-role" value="Stopped"/></meta_attributes></primitive>`
	alive   = `<primitive id="a" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes><nvpair name="allow-migrate" value="true"/></meta_attributes></primitive>`
	m       = `<clone id="m"><meta_attributes><nvpair name="promotable" value="true"/></meta_attributes><primitive id="s" class="ocf" provider="pacemaker" type="Stateful"/></clone>`
	started = `<did node="n1" rsc="a" op="start"/>`
	away    = `<rsc_location id="l" rsc="a" node="n2" score="INFINITY"/>`
	fence   = `<nvpair name="stonith-enabled" value="true"/><primitive id="f" class="stonith" type="fence_x"/>`
)

func promotes(node string) string {
	return `<node_state id="` + node + `" uname="` + node + `" in_ccm="true" crmd="online" join="member" expected="member"><transient_attributes id="` + node + `"><instance_attributes>` +
		`<nvpair name="master-s" value="10"/></instance_attributes></transient_attributes></node_state>`
}

// TestLines: each kind of change in the words of the transition summary, of which
// pengine/testdata/stories/simulation.txt has the original's.
func TestLines(t *testing.T) {
	for _, c := range []struct {
		name, snippet string
		want          []string
	}{
		{"nothing", a + started, nil},
		{"start", a, []string{"Start a ( n1 )"}},
		{"stop", stopped + started, []string{"Stop a ( n1 ) due to node availability"}},
		{"move", a + started + away, []string{"Move a ( n1 -> n2 )"}},
		{"migrate", alive + started + away, []string{"Migrate a ( n1 -> n2 )"}},
		{"recover", a + started + `<did node="n1" rsc="a" op="monitor" ms="10000" rc="7"/>`, []string{"Recover a ( n1 )"}},
		{"recover elsewhere", a + started + `<did node="n1" rsc="a" op="monitor" ms="10000" rc="7"/>` + away, []string{"Recover a ( n1 -> n2 )"}},
		{"restart", a + `<did node="n1" rsc="a" op="start" op-digest="changed"/>`, []string{"Restart a ( n1 ) due to resource definition change"}},
		{"blocked", stopped + `<primitive id="b" class="ocf" provider="pacemaker" type="Dummy"/><rsc_order id="o" first="a" then="b"/>`,
			[]string{"Start b ( n1 ) due to unrunnable a start (blocked)"}},
		{"promote", m + promotes("n1") + `<did node="n1" rsc="s" op="start"/><did node="n2" rsc="s" op="start"/>`, []string{"Promote s:0 ( Unpromoted -> Promoted n1 )"}},
		{"demote", m + `<did node="n1" rsc="s" op="promote"/><did node="n2" rsc="s" op="start"/><rsc_location id="l" rsc="m" role="Promoted" node="n1" score="-INFINITY"/>`,
			[]string{"Demote s:0 ( Promoted -> Unpromoted n1 )"}},
		{"start promoted", m + promotes("n1") + `<did node="n2" rsc="s" op="start"/>`, []string{"Promote s:1 ( Stopped -> Promoted n1 )"}},
		{"fence", fence + a + `<did node="n2" rsc="a" op="start"/><node_state id="n2" uname="n2" in_ccm="false" crmd="offline" join="down" expected="member"/>`,
			[]string{"Fence (reboot) n2 'peer is no longer part of the cluster'", "Start f ( n1 )", "Move a ( n2 -> n1 )"}},
		{"unmanaged", `<nvpair name="maintenance-mode" value="true"/>` + a, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := pengine.Run(pengine.Input{CIB: cibstory.Make(t, c.snippet), Now: iso8601.Time{Unix: 1700000100}})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range r.Changes.Lines() {
				got = append(got, strings.Join(strings.Fields(l), " "))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
