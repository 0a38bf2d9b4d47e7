package election

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// node is one voter of the simulated cluster.
type node struct {
	name string
	cpu  time.Duration
	e    *Election
	wins int
}

// env delivers messages in one order to all, as the group does.
type env struct {
	now   time.Time
	nodes []*node
	dead  map[string]bool
	queue []Message
	log   strings.Builder
}

func (v *env) view(n *node) View {
	w := View{ID: fmt.Sprint(slices.Index(v.nodes, n) + 1)}
	for _, p := range v.nodes {
		w.Peers = append(w.Peers, Peer{p.name, !v.dead[p.name]})
	}
	return w
}

func (v *env) find(name string) *node {
	return v.nodes[slices.IndexFunc(v.nodes, func(n *node) bool { return n.name == name })]
}

func (v *env) take(n *node) {
	out := n.e.Take()
	for _, t := range out.Trace {
		fmt.Fprintf(&v.log, "%s: %s\n", n.name, t.Text("election-test"))
	}
	if out.Won {
		n.wins++
	}
	v.queue = append(v.queue, out.Send...)
}

func (v *env) vote(n *node) {
	n.e.Vote(Moment{v.now, n.cpu}, v.view(n))
	v.take(n)
}

// deliver hands the oldest message to everyone it is for; each reacts as the daemons do.
func (v *env) deliver() {
	m := v.queue[0]
	v.queue = v.queue[1:]
	if v.dead[m.From] {
		return
	}
	for _, n := range v.nodes {
		if v.dead[n.name] || (m.To != "" && m.To != n.name) {
			continue
		}
		switch n.e.Count(Moment{v.now, n.cpu}, v.view(n), m, true) {
		case Start:
			n.e.Vote(Moment{v.now, n.cpu}, v.view(n))
		case InProgress:
			n.e.Check(v.view(n))
		}
		v.take(n)
	}
}

// deliverSelf hands the oldest message to its sender alone: the others are slow.
func (v *env) deliverSelf() {
	m := v.queue[0]
	v.queue = v.queue[1:]
	n := v.find(m.From)
	if n.e.Count(Moment{v.now, n.cpu}, v.view(n), m, true) == InProgress {
		n.e.Check(v.view(n))
	}
	v.take(n)
}

func (v *env) kill(n *node) {
	v.dead[n.name] = true
	for _, p := range v.nodes {
		if v.dead[p.name] {
			continue
		}
		p.e.Forget(n.name)
		if p.e.State() == InProgress {
			p.e.Check(v.view(p))
		}
		v.take(p)
	}
}

func (v *env) add(name, version string, cpu time.Duration) {
	v.nodes = append(v.nodes, &node{name: name, cpu: cpu, e: New(Config{Self: name, FeatureSet: version, Timeout: 2 * time.Minute})})
}

func TestStories(t *testing.T) {
	time.Local = time.UTC // the story of the dampening shows a time of day
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		v := &env{now: time.Unix(1_700_000_000, 0), dead: map[string]bool{}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			v.log.Reset()
			switch d.Cmd {
			case "node": // node NAME version=V cpu=DURATION
				version, cpu := "3.16.1", "0s"
				d.MaybeScanArgs(t, "version", &version)
				d.MaybeScanArgs(t, "cpu", &cpu)
				used, err := time.ParseDuration(cpu)
				if err != nil {
					d.Fatalf(t, "%v", err)
				}
				v.add(d.CmdArgs[0].Key, version, used)
			case "vote":
				v.vote(v.find(d.CmdArgs[0].Key))
			case "deliver": // all that is under way
				for len(v.queue) > 0 {
					v.deliver()
				}
			case "deliver-self": // the oldest message, to its sender alone
				v.deliverSelf()
			case "kill":
				v.kill(v.find(d.CmdArgs[0].Key))
			case "undampen":
				v.find(d.CmdArgs[0].Key).e.ClearDampening()
			case "advance":
				step, err := time.ParseDuration(d.CmdArgs[0].Key)
				if err != nil {
					d.Fatalf(t, "%v", err)
				}
				v.now = v.now.Add(step)
				for _, n := range v.nodes {
					if !v.dead[n.name] {
						n.e.Expire(v.now)
						v.take(n)
					}
				}
			case "state":
				for _, n := range v.nodes {
					fmt.Fprintf(&v.log, "%s: %s\n", n.name, n.e.State())
				}
			default:
				d.Fatalf(t, "unknown command")
			}
			if v.log.Len() == 0 {
				return "ok"
			}
			return v.log.String()
		})
	})
}

// TestOneWinner: whoever begins, and whoever dies on the way, the living agree
// in the end on at most one winner, and without a death on the best one.
func TestOneWinner(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 7))
		v := &env{now: time.Unix(1_700_000_000, 0), dead: map[string]bool{}}
		for i := range 1 + rng.IntN(6) {
			v.add(fmt.Sprintf("n%d", i), []string{"3.16.1", "3.15.0"}[rng.IntN(2)], time.Duration(rng.IntN(3))*time.Second)
		}
		best := slices.MinFunc(v.nodes, func(a, b *node) int {
			if a.e.cfg.FeatureSet != b.e.cfg.FeatureSet {
				return strings.Compare(a.e.cfg.FeatureSet, b.e.cfg.FeatureSet)
			}
			if a.cpu != b.cpu {
				return int(b.cpu - a.cpu)
			}
			return strings.Compare(a.name, b.name)
		})
		for range 1 + rng.IntN(3) {
			v.vote(v.nodes[rng.IntN(len(v.nodes))])
		}
		killed := false
		for steps := 0; len(v.queue) > 0; steps++ {
			if steps > 10_000 {
				t.Fatalf("seed %d: no end to the election", seed)
			}
			v.deliver()
			if len(v.nodes) > 2 && !killed && rng.IntN(20) == 0 {
				victim := v.nodes[rng.IntN(len(v.nodes))]
				killed = true
				v.kill(victim)
			}
		}
		v.now = v.now.Add(time.Hour)
		var winners []string
		for _, n := range v.nodes {
			if v.dead[n.name] {
				continue
			}
			n.e.Expire(v.now)
			if n.e.State() == Won {
				winners = append(winners, n.name)
			}
		}
		if len(winners) > 1 || (!killed && (len(winners) != 1 || winners[0] != best.name)) {
			t.Fatalf("seed %d: winners %v, best is %s, killed %v\n%s", seed, winners, best.name, killed, v.log.String())
		}
	}
}

func TestTooManyWins(t *testing.T) {
	e := New(Config{Self: "a", FeatureSet: "3.16.1", Timeout: time.Minute})
	view := View{ID: "1", Peers: []Peer{{"a", true}, {"b", true}}}
	at := Moment{Now: time.Unix(1_700_000_000, 0), CPU: 5 * time.Second}
	storms := 0
	for range 12 {
		if s := e.Count(at, view, Message{Op: Vote, From: "b", Version: "3.16.1", Owner: "2", Round: 1}, true); s != Start {
			t.Fatalf("state %v", s)
		}
		for _, tr := range e.Take().Trace {
			if tr.Event == Storm {
				storms++
			}
		}
	}
	if storms != 1 { // the first opens the interval, ten more exceed 3*3
		t.Fatalf("%d storms", storms)
	}
}

func TestAgeIsKeptForTheInterval(t *testing.T) {
	e := New(Config{Self: "a"})
	base := time.Unix(1_700_000_000, 0)
	for _, tc := range []struct{ after, cpu, want time.Duration }{
		{0, time.Second, time.Second},
		{2 * time.Second, 9 * time.Second, time.Second},
		{4 * time.Second, 9 * time.Second, time.Second}, // each look prolongs it
		{7 * time.Second, 9*time.Second + 1, 9 * time.Second},
	} {
		if got := e.ownAge(Moment{base.Add(tc.after), tc.cpu}); got != tc.want {
			t.Errorf("after %v: %v, want %v", tc.after, got, tc.want)
		}
	}
}

func TestTimer(t *testing.T) {
	e := New(Config{Self: "a", Timeout: time.Minute})
	view := View{ID: "1", Peers: []Peer{{"a", true}, {"b", true}}}
	now := time.Unix(1_700_000_000, 0)
	e.Vote(Moment{Now: now}, view)
	if d := e.Deadline(); !d.Equal(now.Add(time.Minute)) {
		t.Fatalf("deadline %v", d)
	}
	e.SetTimeout(now.Add(time.Second), 10*time.Second)
	e.Expire(now.Add(10 * time.Second))
	if e.State() != InProgress {
		t.Fatalf("won too early")
	}
	e.Expire(now.Add(11 * time.Second))
	if out := e.Take(); !out.Won || e.State() != Won || !e.Deadline().IsZero() {
		t.Fatalf("not won: %+v", out)
	}
}
