package constraint_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/cibstory"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/pengine/constraint"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/unpack"
)

// wishes lists what the constraints of a CIB came to.
func wishes(c *model.Cluster) (out []string) {
	for _, l := range c.Locations {
		s := "location " + l.ID + ": " + l.Rsc.ID
		if l.Role != model.Unknown {
			s += " " + l.Role.String()
		}
		for _, n := range l.Nodes {
			s += " " + n.Node.Name + "=" + n.Score.String()
		}
		out = append(out, s)
	}
	for _, k := range c.Colocations {
		s := fmt.Sprintf("colocation %s: %s with %s %v", k.ID, with(k.Dependent, k.DependentRole), with(k.Primary, k.PrimaryRole), k.Score)
		if k.NodeAttr != "" {
			s += " by " + k.NodeAttr
		}
		out = append(out, s)
	}
	for _, o := range c.Orderings {
		out = append(out, "order "+o.ID+": "+key(o.First, o.FirstKey)+" then "+key(o.Then, o.ThenKey))
	}
	return out
}

func with(r *model.Resource, role model.Role) string {
	if role == model.Unknown {
		return r.ID
	}
	return r.ID + "(" + role.String() + ")"
}

func key(a *model.Action, key string) string {
	if a != nil {
		return a.Task
	}
	return key
}

const ab = `<primitive id="a" class="ocf" provider="pacemaker" type="Dummy"/><primitive id="b" class="ocf" provider="pacemaker" type="Dummy"/>` +
	`<primitive id="c" class="ocf" provider="pacemaker" type="Dummy"/>`

// TestBuild: what each constraint comes to.
func TestBuild(t *testing.T) {
	for _, c := range []struct {
		name, snippet string
		want          []string // all that there is
	}{
		{"location", `<rsc_location id="l" rsc="a" node="n1" score="5"/>`, []string{"location l: a n1=5"}},
		{"location, role", `<rsc_location id="l" rsc="a" node="n1" score="-INFINITY" role="Promoted"/>`, []string{"location l: a Promoted n1=-INFINITY"}},
		{"location, unknown node", `<rsc_location id="l" rsc="a" node="n7" score="5"/>`, nil},
		{"location, pattern", `<rsc_location id="l" rsc-pattern="[ab]" node="n1" score="5"/>`, []string{"location l: a n1=5", "location l: b n1=5"}},
		{"location, other pattern", `<rsc_location id="l" rsc-pattern="!a" node="n1" score="5"/>`, []string{"location l: b n1=5", "location l: c n1=5"}},
		{"location, set", `<rsc_location id="l" node="n1" score="5"><resource_set id="s"><resource_ref id="a"/><resource_ref id="c"/></resource_set></rsc_location>`,
			[]string{"location l: a n1=5", "location l: c n1=5"}},
		{"location, tag", `<tags><tag id="t"><obj_ref id="a"/><obj_ref id="b"/></tag></tags><rsc_location id="l" rsc="t" node="n1" score="5"/>`,
			[]string{"location l: a n1=5", "location l: b n1=5"}},
		{"location, rule", `<rsc_location id="l" rsc="a"><rule id="r" score="9"><expression id="e" attribute="#uname" operation="ne" value="n1"/></rule></rsc_location>`,
			[]string{"location r: a n2=9"}},
		{"location, score of attribute", `<node id="1" uname="n1"><instance_attributes><nvpair name="w" value="70"/></instance_attributes></node><node id="2" uname="n2"/>` +
			`<rsc_location id="l" rsc="a"><rule id="r" score-attribute="w"><expression id="e" attribute="#uname" operation="defined"/></rule></rsc_location>`,
			[]string{"location r: a n2=-INFINITY n1=70"}},
		{"colocation", `<rsc_colocation id="k" rsc="a" with-rsc="b" score="7"/>`, []string{"colocation k: a with b 7"}},
		{"colocation of 0", `<rsc_colocation id="k" rsc="a" with-rsc="b" score="0"/>`, nil},
		{"colocation, roles", `<rsc_colocation id="k" rsc="a" rsc-role="Started" with-rsc="b" with-rsc-role="Promoted" score="7" node-attribute="rack"/>`,
			[]string{"colocation k: a with b(Promoted) 7 by rack"}},
		{"colocation, set", `<rsc_colocation id="k" score="7"><resource_set id="s"><resource_ref id="a"/><resource_ref id="b"/><resource_ref id="c"/></resource_set></rsc_colocation>`,
			[]string{"colocation s: b with a 7", "colocation s: c with b 7"}},
		{"colocation, set without sequence", `<rsc_colocation id="k" score="7"><resource_set id="s" sequential="false"><resource_ref id="a"/><resource_ref id="b"/></resource_set></rsc_colocation>`, nil},
		{"colocation, sets", `<rsc_colocation id="k" score="7"><resource_set id="s" sequential="false"><resource_ref id="a"/><resource_ref id="b"/></resource_set>` +
			`<resource_set id="z"><resource_ref id="c"/></resource_set></rsc_colocation>`, []string{"colocation k: a with c 7", "colocation k: b with c 7"}},
		{"order", `<rsc_order id="o" first="a" then="b"/>`, []string{"order o: a_start_0 then b_start_0", "order o: b_stop_0 then a_stop_0"}},
		{"order one way", `<rsc_order id="o" first="a" then="b" symmetrical="false"/>`, []string{"order o: a_start_0 then b_start_0"}},
		{"order, serialized", `<rsc_order id="o" first="a" then="b" kind="Serialize"/>`, []string{"order o: a_start_0 then b_start_0"}},
		{"order, actions", `<rsc_order id="o" first="a" first-action="promote" then="b" then-action="start"/>`, []string{"order o: a_promote_0 then b_start_0", "order o: b_stop_0 then a_demote_0"}},
		{"order, set", `<rsc_order id="o"><resource_set id="s"><resource_ref id="a"/><resource_ref id="b"/></resource_set></rsc_order>`,
			[]string{"order s: a_start_0 then b_start_0", "order s: b_stop_0 then a_stop_0"}},
		{"order, any of a set", `<rsc_order id="o" symmetrical="false"><resource_set id="s" sequential="false" require-all="false"><resource_ref id="a"/><resource_ref id="b"/></resource_set>` +
			`<resource_set id="z"><resource_ref id="c"/></resource_set></rsc_order>`,
			[]string{"order o: a_start_0 then one-or-more:s", "order o: b_start_0 then one-or-more:s", "order o: one-or-more:s then c_start_0"}},
		{"lifetime that is over", `<rsc_location id="l" rsc="a" node="n1" score="3"><lifetime><rule id="lr"><date_expression id="ld" operation="lt" end="2001-01-01"/></rule></lifetime></rsc_location>`, nil},
		{"lifetime that lasts", `<rsc_location id="l" rsc="a" node="n1" score="3"><lifetime><rule id="lr"><date_expression id="ld" operation="lt" end="2101-01-01"/></rule></lifetime></rsc_location>`,
			[]string{"location l: a n1=3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster, doc := unpack.Parse(unpack.Input{CIB: cibstory.Make(t, ab+c.snippet), Now: iso8601.Time{Unix: 1700000000}})
			constraint.Build(cluster, doc)
			if got := wishes(cluster); !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// TestTickets: what a ticket that is not there does to what depends on it.
func TestTickets(t *testing.T) {
	for _, c := range []struct {
		name, snippet string
		banned        bool
		blocked       bool
	}{
		{"granted", `<tickets><ticket_state id="T" granted="true"/></tickets><rsc_ticket id="t" rsc="a" ticket="T"/>`, false, false},
		{"standby", `<tickets><ticket_state id="T" granted="true" standby="true"/></tickets><rsc_ticket id="t" rsc="a" ticket="T"/>`, true, false},
		{"never heard of", `<rsc_ticket id="t" rsc="a" ticket="T"/>`, true, false},
		{"lost: stop", `<did node="n1" rsc="a" op="start"/><rsc_ticket id="t" rsc="a" ticket="T" loss-policy="stop"/>`, true, false},
		{"lost: freeze", `<did node="n1" rsc="a" op="start"/><rsc_ticket id="t" rsc="a" ticket="T" loss-policy="freeze"/>`, false, true},
		{"lost: fence, without fencing", `<did node="n1" rsc="a" op="start"/><rsc_ticket id="t" rsc="a" ticket="T" loss-policy="fence"/>`, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster, doc := unpack.Parse(unpack.Input{CIB: cibstory.Make(t, ab+c.snippet), Now: iso8601.Time{Unix: 1700000000}})
			constraint.Build(cluster, doc)
			r := cluster.Find("a")
			for _, n := range cluster.Nodes {
				if banned := r.Allowed.Get(n).Score <= -model.Inf; banned != c.banned {
					t.Errorf("banned from %s: %v", n.Name, banned)
				}
			}
			if r.Is(model.Block) != c.blocked {
				t.Errorf("blocked: %v", r.Is(model.Block))
			}
		})
	}
}
