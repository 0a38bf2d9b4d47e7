package e2e

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

// callbacks are what a watcher has to see of one change, by service.
type callbacks struct{ cpg, quorum, votequorum []string }

// Reasons of libcpg (cpg.h: cpg_reason_t).
const (
	reasonNodeDown = 3
	reasonNodeUp   = 4
	reasonProcDown = 5
)

// view is a membership that a watcher comes to, for the making of callbacks.
type view struct {
	self    int   // node of the watcher
	members []int // ascending
	left    []int
	joined  []int
	all     []int // every node that votequorum knows
}

func list(ids []int, reason int) string {
	var out []string
	for _, id := range ids {
		s := fmt.Sprint(id)
		if reason != 0 {
			s += fmt.Sprintf("/%d", reason)
		}
		out = append(out, s)
	}
	return strings.Join(out, ",")
}

// votes lists nodes with their state as votequorum does: the others ascending,
// the own node last; 1 member, 2 dead.
func (v view) votes() string {
	var out []string
	for _, id := range append(slices.DeleteFunc(slices.Clone(v.all), func(id int) bool { return id == v.self }), v.self) {
		state := 2
		if slices.Contains(v.members, id) {
			state = 1
		}
		out = append(out, fmt.Sprintf("%d/%d", id, state))
	}
	return strings.Join(out, ",")
}

// want makes the callbacks of the change: cpgLeft and cpgJoined are the reasons
// for the group's change, 0 when there is none.
func (v view) want(cpgLeft, cpgJoined int) callbacks {
	quorate := 0
	if len(v.members) > len(v.all)/2 {
		quorate = 1
	}
	var c callbacks
	m := list(v.members, 0)
	if cpgLeft != 0 {
		c.cpg = append(c.cpg, fmt.Sprintf("confchg M=%s L=%s J=", m, list(v.left, cpgLeft)))
	}
	if cpgJoined != 0 {
		c.cpg = append(c.cpg, fmt.Sprintf("confchg M=%s L= J=%s", m, list(v.joined, cpgJoined)))
	}
	c.cpg = append(c.cpg, "totem ring=R M="+m)
	c.quorum = []string{
		fmt.Sprintf("nodelist ring=R M=%s L=%s J=%s", m, list(v.left, 0), list(v.joined, 0)),
		fmt.Sprintf("quorum ring=R quorate=%d M=%s", quorate, m),
	}
	c.votequorum = []string{"nodelist ring=R M=" + m, fmt.Sprintf("quorum quorate=%d nodes=%s", quorate, v.votes())}
	return c
}

// ring with a watcher on every node; owned by the test.
type ring struct {
	t   *testing.T
	ctx context.Context
	lab *lab.Lab
	all []int            // the nodes, ascending
	w   map[int]*watcher // by node id
	at  map[int]int      // where the present step began in each watcher
}

// watch puts a watcher on each member of a lab whose ring is whole.
func watch(t *testing.T, ctx context.Context, l *lab.Lab) *ring {
	t.Helper()
	r := &ring{t: t, ctx: ctx, lab: l, w: map[int]*watcher{}}
	for _, n := range l.Members() {
		r.all = append(r.all, n.ID())
		r.w[n.ID()] = startWatcher(t, ctx, n, "callbacks")
		testwait.For(t, 20*time.Second, "all watchers to see the group grow", func() bool {
			for _, id := range r.all {
				if !slices.ContainsFunc(r.w[id].since(0), func(s string) bool {
					return strings.HasPrefix(s, "cpg confchg M="+list(r.all, 0)+" ")
				}) {
					return false
				}
			}
			return true
		})
	}
	return r
}

// without leaves nodes out of the ring's.
func (r *ring) without(ids ...int) []int {
	return slices.DeleteFunc(slices.Clone(r.all), func(id int) bool { return slices.Contains(ids, id) })
}

func (r *ring) begin() {
	r.at = map[int]int{}
	for id, w := range r.w {
		r.at[id] = w.mark()
	}
}

// expect waits until the watcher of the node has seen as many callbacks as
// wanted, then compares them, in order, service by service.
func (r *ring) expect(step string, id int, want callbacks) {
	r.t.Helper()
	w := r.w[id]
	var lines []string
	deadline := time.Now().Add(15 * time.Second)
	total := len(want.cpg) + len(want.quorum) + len(want.votequorum)
	for lines = w.since(r.at[id]); len(lines) < total && time.Now().Before(deadline); lines = w.since(r.at[id]) {
		testwait.For(r.t, 20*time.Second, "callbacks", func() bool { return w.mark() > r.at[id]+len(lines) || time.Now().After(deadline) })
	}
	for name, want := range map[string][]string{"cpg": want.cpg, "quorum": want.quorum, "votequorum": want.votequorum} {
		if got := service(lines, name); !slices.Equal(got, want) {
			r.t.Errorf("%s: node %d: callbacks of %s:\n  got  %s\n  want %s\n  all: %s", step, id, name,
				strings.Join(got, "\n       "), strings.Join(want, "\n       "), strings.Join(lines, "\n       "))
		}
	}
	// The client looks at libcpg first. So a line of another service before the first
	// of libcpg means that it came before; later ones may have waited side by side.
	if len(want.cpg) > 0 && len(lines) > 0 && !strings.HasPrefix(lines[0], "cpg ") {
		r.t.Errorf("%s: node %d: the first callback is %q, want one of libcpg", step, id, lines[0])
	}
	if got := rings(lines); len(got) > 1 {
		r.t.Errorf("%s: node %d: several rings in one change: %v", step, id, got)
	}
	r.t.Logf("%s: node %d: %s", step, id, strings.Join(lines, " | "))
}

// sameRing checks that all watchers of a step have named the same ring.
func (r *ring) sameRing(step string, ids []int) {
	r.t.Helper()
	seen := ""
	for _, id := range ids {
		got := strings.Join(rings(r.w[id].since(r.at[id])), " ")
		if seen == "" {
			seen = got
		}
		if got != seen {
			r.t.Errorf("%s: node %d names ring %s, others %s", step, id, got, seen)
		}
	}
}

// restart starts corosync on the node again and puts a new watcher there.
func (r *ring) restart(n *lab.Node) {
	r.t.Helper()
	r.begin()
	if err := r.lab.StartRing(r.ctx, r.lab.Members()...); err != nil {
		r.t.Fatal(err)
	}
	others := r.without(n.ID())
	for _, id := range others {
		r.expect(n.Name()+" returns", id, view{self: id, members: r.all, joined: []int{n.ID()}, all: r.all}.want(0, 0))
	}
	r.sameRing(n.Name()+" returns", others)
	r.begin()
	r.w[n.ID()] = startWatcher(r.t, r.ctx, n, "callbacks")
	for _, id := range others {
		want := fmt.Sprintf("cpg confchg M=%s L= J=%d/1", list(r.all, 0), n.ID())
		testwait.For(r.t, 10*time.Second, "node "+fmt.Sprint(id)+" to see the process join", func() bool { return slices.Contains(r.w[id].since(r.at[id]), want) })
	}
	if err := n.CheckOrigins(); err != nil {
		r.t.Error(err)
	}
}

// TestMixedFaults: each node in turn is killed, stopped and cut, and returns;
// the callbacks of libcpg, libquorum and libvotequorum are those of the
// original, in its order, whoever runs the node and its neighbours.
func TestMixedFaults(t *testing.T) {
	all := mixes()
	if os.Getenv("E2E_LONG") != "" {
		all = ofThree(ringMixes())
	}
	for _, m := range all {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 4*time.Minute)
			clientProgram(t, "watch")
			l := startMix(t, ctx, m, lab.Conf{Totem: []string{"token: 500"}})
			r := watch(t, ctx, l)
			for _, n := range l.Members() {
				r.killAndStop(n)
				r.split([]int{n.ID()}, r.without(n.ID()))
			}
			r.votesAndShutdown()
		})
	}
}

// votesAndShutdown changes votes by hand, then lets a node shut itself down
// (corosync-cfgtool -H): the last two rows of the table of callbacks.
func (r *ring) votesAndShutdown() {
	n2 := r.lab.Node("n2")
	for _, c := range []struct {
		args []string
		want callbacks
	}{
		{[]string{"corosync-quorumtool", "-v", "3", "-n", "2"}, callbacks{votequorum: []string{"expected votes=5"}}},
		{[]string{"corosync-quorumtool", "-v", "1", "-n", "2"}, callbacks{}},
		{[]string{"corosync-quorumtool", "-e", "3"}, callbacks{votequorum: []string{"expected votes=3"}}},
	} {
		r.begin()
		if _, err := r.lab.Node("n1").Exec(r.ctx, c.args...); err != nil {
			r.t.Fatal(err)
		}
		for id := 1; id <= 3; id++ {
			r.expect(strings.Join(c.args, " "), id, c.want)
		}
	}
	r.begin()
	if _, err := n2.Exec(r.ctx, "corosync-cfgtool", "-H", "--force"); err != nil {
		r.t.Fatal(err)
	}
	for _, id := range []int{1, 3} {
		r.expect("n2 shuts down", id, view{self: id, members: []int{1, 3}, left: []int{2}, all: []int{1, 2, 3}}.want(reasonProcDown, 0))
	}
	r.sameRing("n2 shuts down", []int{1, 3})
}

func (r *ring) killAndStop(n *lab.Node) {
	others := r.without(n.ID())
	for _, how := range []struct {
		step   string
		end    func() error
		reason int
	}{
		{n.Name() + " is killed", func() error { return n.Kill(r.ctx, lab.PartCorosync) }, reasonNodeDown},
		{n.Name() + " is stopped", func() error { return n.Stop(r.ctx, lab.PartCorosync) }, reasonProcDown},
	} {
		r.begin()
		if err := how.end(); err != nil {
			r.t.Fatal(err)
		}
		for _, id := range others {
			r.expect(how.step, id, view{self: id, members: others, left: []int{n.ID()}, all: r.all}.want(how.reason, 0))
		}
		r.sameRing(how.step, others)
		gone := r.w[n.ID()]
		testwait.For(r.t, 10*time.Second, "the client of "+n.Name()+" to learn that its corosync is gone", func() bool {
			return slices.ContainsFunc(gone.since(r.at[n.ID()]), func(s string) bool { return strings.HasSuffix(s, " gone 2") })
		})
		delete(r.w, n.ID())
		r.restart(n)
	}
}

// split cuts the network in two and heals it again.
func (r *ring) split(parts ...[]int) {
	r.begin()
	cutParts(r.t, r.lab, parts...)
	step := fmt.Sprintf("split in %v", parts)
	for _, part := range parts {
		for _, id := range part {
			r.expect(step, id, view{self: id, members: part, left: r.without(part...), all: r.all}.want(reasonNodeDown, 0))
		}
		r.sameRing(step, part)
	}
	r.begin()
	must(r.t, r.lab.Heal())
	step = fmt.Sprintf("merge of %v", parts)
	for _, part := range parts {
		for _, id := range part {
			r.expect(step, id, view{self: id, members: r.all, joined: r.without(part...), all: r.all}.want(0, reasonNodeUp))
		}
	}
	r.sameRing(step, r.all)
}

// cutParts lets no packet pass between nodes of different parts.
func cutParts(t *testing.T, l *lab.Lab, parts ...[]int) {
	t.Helper()
	var faults []lab.Fault
	for i, part := range parts {
		for _, from := range part {
			for k, other := range parts {
				for _, to := range other {
					if k != i {
						faults = append(faults, lab.Fault{From: fmt.Sprintf("n%d", from), To: fmt.Sprintf("n%d", to), Net: lab.AllNetworks, Percent: 100})
					}
				}
			}
		}
	}
	must(t, l.AddFaults(faults...))
}
