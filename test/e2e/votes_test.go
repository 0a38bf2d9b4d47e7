package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

var (
	voteScripts = flag.Int("scripts", 60, "TestVoteScripts with E2E_LONG: how many random scripts")
	voteBase    = flag.Uint64("base", 1, "TestVoteScripts with E2E_LONG: the first seed")
)

// TestVoteScripts: the same random script on a ring of Debian's, a mixed one and
// one of ours, all at once; after each step corosync-quorumtool -s and -l say the
// same on every node, with the same status, and so did the step's own command.
func TestVoteScripts(t *testing.T) {
	labtest.Corosync(t)
	long := os.Getenv("E2E_LONG") != ""
	all := []mix{{name: "debian", nodes: 4}, {name: "mixed", nodes: 4, ours: []string{"n1", "n4"}}, {name: "ours", nodes: 4, ours: []string{"n1", "n2", "n3", "n4"}}}
	if !long {
		all = []mix{{name: "debian", nodes: 2}, {name: "mixed", nodes: 2, ours: []string{"n1"}}}
	}
	var rings []*voteRing
	for _, m := range all {
		name := fmt.Sprintf("t%d-votes-%s", os.Getpid(), m.name)
		rings = append(rings, &voteRing{name: m.name, lab: labtest.Up(t, lab.Options{Name: name, Nodes: m.specs()})})
	}
	if !long {
		playVotes(t, rings, shortVoteScript())
		return
	}
	for i := range *voteScripts {
		seed := *voteBase + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) { playVotes(t, rings, drawVoteScript(seed)) })
	}
}

// playVotes plays a script on all rings until they agree. In a round of synchronization and
// after a reload it is chance whose votes come first, and sometimes that decides, on the
// original's ring as on the others.
func playVotes(t *testing.T, rings []*voteRing, s *voteScript) {
	const times = 5
	for i := 1; ; i++ {
		differ := playVotesOnce(t, rings, s)
		if differ == "" {
			return
		}
		if i == times {
			t.Fatal(differ)
		}
		t.Logf("once more, for the rings do not agree: %s", differ)
	}
}

// playVotesOnce compares the rings after each step and says how they differ.
func playVotesOnce(t *testing.T, rings []*voteRing, s *voteScript) (differ string) {
	ctx := labtest.Context(t, 5*time.Minute)
	t.Logf("%d nodes, votes %v, %q", s.nodes, s.conf.Votes, s.conf.Quorum)
	each(t, rings, func(r *voteRing) error { return r.write(s, s.conf) })
	defer each(t, rings, func(r *voteRing) error { return r.clear(s) })
	now := voteState{nodes: s.nodes}
	for i, step := range s.steps {
		each(t, rings, func(r *voteRing) error { return r.do(ctx, now, step) })
		now = now.after(step)
		if differ := settle(t, ctx, rings, now, s.window); differ != "" {
			return fmt.Sprintf("%d nodes, votes %v, %q\n%v\n%s", s.nodes, s.conf.Votes, s.conf.Quorum, s.steps[:i+1], differ)
		}
		t.Logf("%v: %s", step, now.sum(rings[0]))
	}
	return ""
}

// settle waits until all rings say the same three times one after the other, when
// a window of last_man_standing has passed; else it says how they differ.
func settle(t *testing.T, ctx context.Context, rings []*voteRing, now voteState, window time.Duration) (differ string) {
	limited, cancel := context.WithTimeout(ctx, 25*time.Second)
	defer cancel()
	began, same := time.Now(), 0
	_ = lab.Wait(limited, "equal answers", func() bool { // what is missing is told by differ
		each(t, rings, func(r *voteRing) error { return r.look(ctx, now) })
		differ = unlike(rings)
		if same++; differ != "" || time.Since(began) < window {
			same = 0
		}
		return same == 3
	})
	return differ
}

// each does it on all rings at once.
func each(t *testing.T, rings []*voteRing, do func(*voteRing) error) {
	t.Helper()
	var wg sync.WaitGroup
	for _, r := range rings {
		wg.Go(func() {
			if err := do(r); err != nil {
				t.Errorf("%s: %v", r.name, err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// unlike says how the rings differ, or that one is not yet what it has to be.
func unlike(rings []*voteRing) string {
	for _, r := range rings {
		if r.lacks != "" {
			return r.name + ": " + r.lacks
		}
	}
	for _, r := range rings[1:] {
		for i, said := range r.said {
			if said != rings[0].said[i] {
				return fmt.Sprintf("%s:\n%s\n%s:\n%s", rings[0].name, rings[0].said[i], r.name, said)
			}
		}
	}
	return ""
}

// voteState is which nodes run and which are cut off from the others.
type voteState struct {
	nodes int
	up    uint8 // bits from 1 on
	apart uint8
}

func (v voteState) has(id int) bool { return v.up>>id&1 == 1 }

// ring is the nodes that the node is in a ring with.
func (v voteState) ring(id int) (ids []int) {
	for i := 1; i <= v.nodes; i++ {
		if v.has(i) && v.apart>>i&1 == v.apart>>id&1 {
			ids = append(ids, i)
		}
	}
	return ids
}

func (v voteState) after(s voteStep) voteState {
	switch s.kind {
	case "start":
		v.up |= 1 << s.node
	case "kill", "stop", "shutdown":
		v.up &^= 1 << s.node
	case "split":
		v.apart = uint8(s.value)
	case "merge":
		v.apart = 0
	}
	return v
}

// sum is a step's outcome in a few words.
func (v voteState) sum(r *voteRing) string {
	var out []string
	for i := 1; i <= v.nodes; i++ {
		if v.has(i) && v.ring(i)[0] == i {
			m := lab.ParseMembership(r.said[i])
			out = append(out, fmt.Sprintf("%v quorate=%v %d of %d, needs %d", v.ring(i), m.Quorate, m.Votes, m.Expected, m.Quorum))
		}
	}
	return strings.Join(out, "; ")
}

// voteRing is a lab in which a script is played. Its methods are called by one
// goroutine at a time.
type voteRing struct {
	name  string
	lab   *lab.Lab
	said  [5]string // by the step's command: 0; by the tool on node 1, 2, …
	lacks string    // what keeps it from being settled
}

func (r *voteRing) nodes(s *voteScript) []*lab.Node { return r.lab.Members()[:s.nodes] }

func (r *voteRing) write(s *voteScript, c lab.Conf) error {
	text := c.Render("votes", r.nodes(s), 1)
	for _, n := range r.nodes(s) {
		if err := os.WriteFile(n.Path("/etc/corosync/corosync.conf"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// clear ends a script: nothing runs, and nothing is left of what ran.
func (r *voteRing) clear(s *voteScript) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r.said = [5]string{}
	if err := r.lab.Heal(); err != nil {
		return err
	}
	for _, n := range r.nodes(s) {
		if n.Daemon(lab.PartCorosync) != 0 {
			if err := n.Kill(ctx, lab.PartCorosync); err != nil {
				return err
			}
		}
		if _, err := n.Exec(ctx, "sh", "-c", "rm -rf /dev/shm/qb-* /var/lib/corosync/* /var/log/corosync/*"); err != nil {
			return err
		}
	}
	return nil
}

// do carries a step out.
func (r *voteRing) do(ctx context.Context, now voteState, s voteStep) error {
	r.said[0] = ""
	n := r.lab.Members()[max(s.node, 1)-1]
	switch s.kind {
	case "start":
		return r.start(ctx, now, n)
	case "kill":
		return n.Kill(ctx, lab.PartCorosync)
	case "stop":
		return n.Stop(ctx, lab.PartCorosync)
	case "split":
		return r.split(now, uint8(s.value))
	case "merge":
		return r.lab.Heal()
	case "reload":
		if err := r.write(s.script, s.conf); err != nil {
			return err
		}
	}
	res, err := n.Exec(ctx, s.command()...)
	if res.Code < 0 {
		return err
	}
	r.said[0] = fmt.Sprintf("%v: %d %s%s", s, res.Code, res.Stdout, res.Stderr)
	if s.kind == "shutdown" {
		return lab.Wait(ctx, "the end of "+n.Name(), func() bool { return n.Daemon(lab.PartCorosync) == 0 })
	}
	return nil
}

// start starts a node that cannot hear the others until it has a ring of its own, as the
// original has on its way to theirs. Ours is so quick that the first it tells of its votes
// may meet them before their round of synchronization, and counts there. What
// expected_votes were is forgotten: the original doesn't write the file.
func (r *voteRing) start(ctx context.Context, now voteState, n *lab.Node) error {
	if _, err := n.Exec(ctx, "rm", "-f", "/var/lib/corosync/ev_tracking"); err != nil {
		return err
	}
	if err := r.split(now, 1<<n.ID()); err != nil {
		return err
	}
	if err := n.Start(ctx, lab.PartCorosync); err != nil {
		return err
	}
	if err := lab.Wait(ctx, "a ring of "+n.Name()+" alone", func() bool {
		m := n.Membership(ctx)
		return m.Ring != "" && slices.Equal(m.Members, []int{n.ID()})
	}); err != nil {
		return err
	}
	if err := r.lab.Heal(); err != nil {
		return err
	}
	return r.split(now, now.apart)
}

func (r *voteRing) split(now voteState, apart uint8) error {
	var cuts []lab.Fault
	for i, a := range r.lab.Members()[:now.nodes] {
		for k, b := range r.lab.Members()[:now.nodes] {
			if apart>>(i+1)&1 != apart>>(k+1)&1 {
				cuts = append(cuts, lab.Fault{From: a.Name(), To: b.Name(), Net: lab.AllNetworks, Percent: 100})
			}
		}
	}
	return r.lab.AddFaults(cuts...)
}

// look asks the tool on all nodes that run.
func (r *voteRing) look(ctx context.Context, now voteState) error {
	r.lacks = ""
	rings := map[int]string{}
	for i, n := range r.lab.Members()[:now.nodes] {
		id := i + 1
		r.said[id] = ""
		if !now.has(id) {
			continue
		}
		for _, arg := range []string{"-s", "-l"} {
			res, err := n.Exec(ctx, "corosync-quorumtool", arg)
			if res.Code < 0 {
				return err
			}
			r.said[id] += fmt.Sprintf("%s: corosync-quorumtool %s: %d %s", n.Name(), arg, res.Code, stable(res.Stdout+res.Stderr))
			if arg != "-s" {
				continue
			}
			m, ids := lab.ParseMembership(res.Stdout), now.ring(id)
			if rings[ids[0]] == "" {
				rings[ids[0]] = m.Ring
			}
			if !slices.Equal(m.Members, ids) || m.Ring == "" || m.Ring != rings[ids[0]] {
				r.lacks = fmt.Sprintf("%s: ring %s of %v, want %s of %v", n.Name(), m.Ring, m.Members, rings[ids[0]], ids)
				if n.Daemon(lab.PartCorosync) == 0 {
					return fmt.Errorf("corosync on %s has ended", n.Name())
				}
				return nil
			}
		}
	}
	return nil
}

// voteScript is a configuration and what happens under it.
type voteScript struct {
	nodes  int
	conf   lab.Conf
	window time.Duration // of last_man_standing, with time for it to end; else 0
	steps  []voteStep
}

// voteStep is one event.
type voteStep struct {
	kind   string
	node   int // that it happens on
	about  int // the node whose votes change
	value  int
	conf   lab.Conf // of a reload
	script *voteScript
}

func (s voteStep) String() string {
	switch s.kind {
	case "reload":
		return fmt.Sprintf("reload on n%d with votes %v, %q", s.node, s.conf.Votes, s.conf.Quorum)
	case "split":
		return fmt.Sprintf("split off %05b", s.value>>1)
	case "merge":
		return "merge"
	}
	out := fmt.Sprintf("%s n%d", s.kind, s.node)
	if s.kind == "expected" || s.kind == "votes" {
		out = fmt.Sprint(s.command(), " on n", s.node)
	}
	return out
}

// command is what carries out a step that a tool does.
func (s voteStep) command() []string {
	switch s.kind {
	case "shutdown":
		return []string{"corosync-cfgtool", "-H"}
	case "expected":
		return []string{"corosync-quorumtool", "-e", fmt.Sprint(s.value)}
	case "votes":
		return []string{"corosync-quorumtool", "-v", fmt.Sprint(s.value), "-n", fmt.Sprint(s.about)}
	case "cancel":
		return []string{"corosync-cmapctl", "-s", "quorum.cancel_wait_for_all", "u8", "1"}
	}
	return []string{"corosync-cfgtool", "-R"}
}

// shortVoteScript is a few seconds.
func shortVoteScript() *voteScript {
	s := &voteScript{nodes: 2, conf: lab.Conf{Totem: []string{"token: 500"}, Quorum: []string{"two_node: 1"}}}
	s.steps = []voteStep{{kind: "start", node: 1}, {kind: "start", node: 2}, {kind: "expected", node: 2, value: 3}, {kind: "stop", node: 2}}
	return s
}

// drawVoteScript makes the script of a seed.
func drawVoteScript(seed uint64) *voteScript {
	rng := rand.New(rand.NewPCG(seed, 6))
	s := &voteScript{nodes: []int{2, 3, 3, 4, 4}[rng.IntN(5)]}
	s.drawConf(rng)
	now := voteState{nodes: s.nodes}
	tools := false // votes were changed by hand
	for i := 1; i <= s.nodes; i++ {
		s.add(&now, voteStep{kind: "start", node: i})
	}
	for range 8 {
		step := s.draw(rng, now, tools)
		tools = tools && step.kind != "reload" || step.kind == "expected" || step.kind == "votes"
		s.add(&now, step)
	}
	return s
}

func (s *voteScript) add(now *voteState, step voteStep) {
	step.script = s
	s.steps = append(s.steps, step)
	*now = now.after(step)
}

// drawConf draws options that fit together (votequorum(5)).
func (s *voteScript) drawConf(rng *rand.Rand) {
	chance := func(percent int) bool { return rng.IntN(100) < percent }
	c := lab.Conf{Totem: []string{"token: 500"}}
	sum := 0
	heavy := chance(25)
	for range s.nodes {
		votes := 1
		if heavy {
			votes = rng.IntN(4)
		}
		c.Votes, sum = append(c.Votes, votes), sum+votes
	}
	add := func(format string, args ...any) { c.Quorum = append(c.Quorum, fmt.Sprintf(format, args...)) }
	wait := false
	if s.nodes == 2 && chance(60) {
		add("two_node: 1")
		wait = true
	}
	if chance(40) {
		wait = chance(60)
		add("wait_for_all: %d", map[bool]int{true: 1}[wait])
	}
	lms := chance(35)
	if lms {
		const window = 1500
		s.window = (window + 1000) * time.Millisecond
		add("last_man_standing: 1")
		add("last_man_standing_window: %d", window)
	}
	if chance(40) && (sum%2 == 0 || wait || !lms) {
		add("auto_tie_breaker: 1")
		if k := rng.IntN(4); k > 0 {
			add("auto_tie_breaker_node: %s", []string{"lowest", "highest", "2 1"}[k-1])
		}
	}
	if chance(25) {
		add("allow_downscale: 1")
	} else if chance(15) {
		add("expected_votes_tracking: 1")
	}
	if chance(20) {
		add("expected_votes: %d", 1+rng.IntN(s.nodes+1))
	}
	s.conf = c
}

// draw draws what happens next.
func (s *voteScript) draw(rng *rand.Rand, now voteState, tools bool) voteStep {
	var up, down []int
	for i := 1; i <= s.nodes; i++ {
		if now.has(i) {
			up = append(up, i)
		} else {
			down = append(down, i)
		}
	}
	if len(up) == 0 {
		return voteStep{kind: "start", node: down[rng.IntN(len(down))]}
	}
	node := up[rng.IntN(len(up))]
	switch rng.IntN(10) {
	case 0, 1, 2:
		if len(down) > 0 {
			return voteStep{kind: "start", node: down[rng.IntN(len(down))]}
		}
		return voteStep{kind: []string{"kill", "stop", "shutdown"}[rng.IntN(3)], node: node}
	case 3:
		return voteStep{kind: []string{"kill", "stop", "shutdown"}[rng.IntN(3)], node: node}
	case 4, 5:
		if now.apart != 0 {
			return voteStep{kind: "merge"}
		}
		return voteStep{kind: "split", value: (1 + rng.IntN(1<<s.nodes-2)) << 1}
	case 6:
		return voteStep{kind: "expected", node: node, value: 1 + rng.IntN(s.nodes+1)}
	case 7:
		return voteStep{kind: "votes", node: node, about: 1 + rng.IntN(s.nodes), value: rng.IntN(4)}
	case 8:
		if !tools && slices.ContainsFunc(s.conf.Quorum, func(l string) bool { return l == "two_node: 1" || l == "wait_for_all: 1" }) {
			return voteStep{kind: "cancel", node: node}
		}
	}
	return s.drawReload(rng, node)
}

// drawReload changes votes, expected votes or two_node in the file.
func (s *voteScript) drawReload(rng *rand.Rand, node int) voteStep {
	c := s.conf
	c.Votes, c.Quorum = slices.Clone(c.Votes), slices.Clone(c.Quorum)
	switch rng.IntN(3) {
	case 0:
		c.Votes[rng.IntN(len(c.Votes))] = rng.IntN(3)
	case 1:
		c.Quorum = append(c.Quorum, fmt.Sprintf("expected_votes: %d", 1+rng.IntN(s.nodes+1)))
	default:
		two := rng.IntN(2)
		if !slices.ContainsFunc(c.Quorum, func(l string) bool { return strings.HasPrefix(l, "wait_for_all") }) {
			two = 0 // else it brings wait_for_all, and whose votes come first decides whether all are waited for
		}
		c.Quorum = append(c.Quorum, fmt.Sprintf("two_node: %d", two))
	}
	return voteStep{kind: "reload", node: node, conf: c}
}
