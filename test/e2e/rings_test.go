package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

// everyRing are the rings of three and of five with each number of nodes of ours,
// over udpu and udp. Who is ours stands between the others.
func everyRing() []mix {
	all := threes()
	for ours := range 6 {
		m := mix{name: fmt.Sprintf("%dof5", ours), nodes: 5}
		for _, i := range []int{3, 1, 5, 2, 4}[:ours] {
			m.ours = append(m.ours, fmt.Sprintf("n%d", i))
		}
		all = append(all, m)
	}
	return overBoth(all)
}

// overBoth are rings over udpu and udp. MIX selects one, over both or, with "udp-" before
// it, over udp.
func overBoth(all []mix) []mix {
	all = append(all, over("udp", all)...)
	if want := os.Getenv("MIX"); want != "" {
		all = slices.DeleteFunc(all, func(m mix) bool { return m.name != want && m.name != "udp-"+want })
	}
	return all
}

// threes are rings of three with each number of nodes of ours.
func threes() []mix {
	return []mix{{name: "0of3"}, {name: "1of3", ours: []string{"n2"}}, {name: "2of3", ours: []string{"n1", "n3"}}, {name: "3of3", ours: []string{"n1", "n2", "n3"}}}
}

// ids of nodes.
func ids(nodes []*lab.Node) (out []int) {
	for _, n := range nodes {
		out = append(out, n.ID())
	}
	return out
}

// TestRingsStory is the life of a ring in every mixture: it grows while its first
// node sends, falls in halves that both go on sending, and comes together again; a
// node dies, and one stands still, while the others send. Content and order, views
// and quorum are right all the time, and the logs have nothing to complain of.
func TestRingsStory(t *testing.T) {
	labtest.Long(t, "TestMixedOrder, TestMixedFaults")
	for _, m := range everyRing() {
		t.Run(m.name, func(t *testing.T) {
			const limit = time.Minute
			ctx := labtest.Context(t, 6*time.Minute)
			load := clientProgram(t, "load")
			l := upMix(t, m, 1)
			clean(t, l)
			nodes := l.Members()
			must(t, l.WriteConf(lab.Conf{Transport: m.transport, Totem: []string{"token: 2000"}}))
			must(t, l.StartRing(ctx, nodes[0]))
			underLoad(t, ctx, nodes[:1], load, func() { must(t, l.StartRing(ctx, nodes...)) })
			for _, n := range nodes {
				must(t, n.CheckOrigins())
			}
			sendAndCompare(t, ctx, nodes, load, 40, limit)

			half := (len(nodes) + 1) / 2
			if len(nodes) == 3 { // larger halves may come together in more than one step
				watch(t, ctx, l).split(ids(nodes[:half]), ids(nodes[half:]))
			}
			splitUnderLoad(t, ctx, l, load, nodes[:half], nodes[half:])
			splitUnderLoad(t, ctx, l, load, nodes[half-1:], nodes[:half-1])

			victim, still := nodes[len(nodes)-1], nodes[0]
			underLoad(t, ctx, nodes[:len(nodes)-1], load, func() {
				must(t, victim.Kill(ctx, lab.PartCorosync), l.WaitRing(ctx, nodes[:len(nodes)-1]...), l.StartRing(ctx, nodes...))
			})
			underLoad(t, ctx, nodes[1:], load, func() {
				still.Pause(lab.PartCorosync)
				err := l.WaitRing(ctx, nodes[1:]...)
				still.Resume(lab.PartCorosync)
				must(t, err, l.WaitRing(ctx, nodes...))
			})
			sendAndCompare(t, ctx, nodes, load, 40, limit)
		})
	}
}

// splitUnderLoad cuts the ring in two and joins it again while each part sends in
// groups of its own. Only the larger has quorum.
func splitUnderLoad(t *testing.T, ctx context.Context, l *lab.Lab, load string, a, b []*lab.Node) {
	t.Helper()
	underLoad(t, ctx, a, load, func() {
		underLoad(t, ctx, b, load, func() {
			cutParts(t, l, ids(a), ids(b))
			must(t, l.WaitRing(ctx, a...), l.WaitRing(ctx, b...))
			for _, n := range l.Members() {
				m := n.Membership(ctx)
				if want := len(m.Members) > len(l.Members())/2; m.Quorate != want {
					t.Errorf("%s with %v: quorate %v, want %v", n.Name(), m.Members, m.Quorate, want)
				}
			}
			must(t, l.Heal(), l.WaitRing(ctx, l.Members()...))
		})
	})
}

// restartRings are rings in which n2 ends again and again: Debian's among Debian's,
// ours among Debian's, Debian's among ours, ours among ours.
func restartRings() []mix { return overBoth(threes()) }

// TestRingsRestarts: one node starts 200 times while the others send without pause.
// It is killed and missed, killed and back before it is missed, or stopped in order.
// Every twentieth time it sends too. Daemons of ours keep their memory, files and
// threads.
func TestRingsRestarts(t *testing.T) {
	labtest.Long(t, "TestMixedCut")
	const restarts, settled = 200, 40
	for _, m := range restartRings() {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 15*time.Minute)
			load := clientProgram(t, "load")
			l := startMix(t, ctx, m, lab.Conf{Totem: []string{"token: 1000"}})
			victim := l.Node("n2")
			stay := others(l, victim)
			before := map[string]held{}
			for _, n := range l.Members() {
				before[n.Name()] = holds(t, n)
			}
			memory := map[string][]int{}
			underLoad(t, ctx, stay, load, func() {
				for i := 1; i <= restarts && !t.Failed(); i++ {
					again(t, ctx, l, victim, i)
					if i%20 == 0 {
						sendInGroup(t, ctx, fmt.Sprintf("all%d", i), l.Members(), load, 20, time.Minute)
					}
					if i%settled == 0 {
						for _, n := range stay {
							memory[n.Name()] = append(memory[n.Name()], holds(t, n).rss)
						}
					}
				}
			})
			for _, n := range l.Members() {
				t.Logf("%s (%v): KiB in memory after each %d restarts: %v", n.Name(), n.Corosync(), settled, memory[n.Name()])
				if n.Corosync() == lab.Ours {
					sameHeld(t, n, before[n.Name()], memory[n.Name()])
				}
			}
		})
	}
}

// again ends and starts the node's corosync, in another way each time.
func again(t *testing.T, ctx context.Context, l *lab.Lab, n *lab.Node, i int) {
	t.Helper()
	wait, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	end := n.Kill
	if i%2 == 0 {
		end = n.Stop
	}
	must(t, end(wait, lab.PartCorosync))
	if i%4 == 1 {
		must(t, l.WaitRing(wait, others(l, n)...))
	}
	if err := l.StartRing(wait, l.Members()...); err != nil {
		t.Fatalf("start %d: %v", i, err)
	}
}

// held is what a daemon holds of the machine.
type held struct{ rss, files, threads, shm int }

// holds looks at the node's corosync; clients come and go, so only without any are
// files and shm steady.
func holds(t *testing.T, n *lab.Node) (h held) {
	t.Helper()
	proc := fmt.Sprintf("/proc/%d", n.Daemon(lab.PartCorosync))
	status, err := os.ReadFile(proc + "/status")
	must(t, err)
	for line := range strings.Lines(string(status)) {
		fmt.Sscanf(line, "VmRSS: %d kB", &h.rss)
		fmt.Sscanf(line, "Threads: %d", &h.threads)
	}
	for dir, count := range map[string]*int{proc + "/fd": &h.files, proc + "/root/dev/shm": &h.shm} {
		entries, err := os.ReadDir(dir)
		must(t, err)
		*count = len(entries)
	}
	return h
}

// sameHeld waits until the daemon holds no more than before, and compares its memory over
// the restarts: what it had when the load had met most of them is enough for the rest.
func sameHeld(t *testing.T, n *lab.Node, before held, memory []int) {
	t.Helper()
	// KiB: the heap grows to five times what is in use when garbage is collected, and that
	// is 25 to 35 MiB here: pieces of large messages from each node, what clients have not
	// read. To the byte see totem/pg TestMemoryOverReconfigurations.
	const slack = 32 << 10
	var now held
	deadline := time.Now().Add(20 * time.Second)
	testwait.For(t, 30*time.Second, n.Name()+" to have no more files open than before", func() bool {
		now = holds(t, n)
		return now.files <= before.files && now.shm <= before.shm || time.Now().After(deadline)
	})
	t.Logf("%s: before %+v, now %+v", n.Name(), before, now)
	if now.files > before.files || now.shm > before.shm || now.threads > before.threads+4 {
		t.Errorf("%s: before %+v, after the restarts %+v", n.Name(), before, now)
	}
	if len(memory) > 2 && memory[len(memory)-1] > memory[1]+slack {
		t.Errorf("%s: its memory grew from one to the next: %v KiB", n.Name(), memory)
	}
}

// TestRingsReload: nodes come into the nodelist and leave it by reloads, each asked for
// on another node, while those who stay send: the ring stays, or takes the new node
// in; lists and votes are the file's on every node.
func TestRingsReload(t *testing.T) {
	labtest.Long(t, "TestMixedOrder")
	four := []mix{{name: "0of4", nodes: 4}, {name: "1of4", ours: []string{"n2"}, nodes: 4},
		{name: "2of4", ours: []string{"n1", "n4"}, nodes: 4}, {name: "4of4", ours: []string{"n1", "n2", "n3", "n4"}, nodes: 4}}
	for _, m := range overBoth(four) {
		t.Run(m.name, func(t *testing.T) {
			ctx := labtest.Context(t, 5*time.Minute)
			load := clientProgram(t, "load")
			l := upMix(t, m, 1)
			clean(t, l)
			conf := lab.Conf{Transport: m.transport, Totem: []string{"token: 2000"}}
			stay, last := l.Members()[:3], l.Members()[3]
			listed := func(nodes []*lab.Node) {
				for _, n := range nodes {
					must(t, n.AddFile(lab.File{Path: "/etc/corosync/corosync.conf", Content: conf.Render(l.Name(), nodes, 1)}))
				}
			}
			reload := func(on string, nodes []*lab.Node) {
				listed(nodes)
				_, err := l.Node(on).Exec(ctx, "corosync-cfgtool", "-R")
				must(t, err)
				waitListed(t, ctx, stay, len(nodes))
			}
			listed(stay)
			must(t, l.StartRing(ctx, stay...))
			for round, on := range []string{"n1", "n3"} {
				underLoad(t, ctx, stay, load, func() {
					stays(t, ctx, stay, "a node is listed", func() { reload(on, l.Members()) })
					must(t, l.StartRing(ctx, l.Members()...))
				})
				sendInGroup(t, ctx, fmt.Sprintf("four%d", round), l.Members(), load, 30, time.Minute)
				waitListed(t, ctx, l.Members(), 4)
				underLoad(t, ctx, stay, load, func() {
					must(t, last.Stop(ctx, lab.PartCorosync), l.WaitRing(ctx, stay...))
					stays(t, ctx, stay, "a node is listed no more", func() { reload("n2", stay) })
				})
			}
			if m.transport == "" {
				// Who is taken off the list while it runs is alone from then on. Over udp all hear
				// it still, and it stays.
				reload("n1", l.Members())
				must(t, l.StartRing(ctx, l.Members()...))
				underLoad(t, ctx, stay, load, func() {
					reload("n3", stay)
					must(t, l.WaitRing(ctx, stay...), l.WaitRing(ctx, last))
				})
				waitListed(t, ctx, stay, 3)
			}
			for _, n := range stay {
				must(t, n.CheckOrigins())
			}
		})
	}
}

// waitListed waits until each node has so many in its nodelist, in its own list of the
// others' addresses, and as expected votes.
func waitListed(t *testing.T, ctx context.Context, nodes []*lab.Node, want int) {
	t.Helper()
	wait, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	last := ""
	err := lab.Wait(wait, fmt.Sprintf("%d nodes to be listed", want), func() bool {
		for _, n := range nodes {
			res, _ := n.Exec(ctx, "corosync-cmapctl", "nodelist.node.")
			ids := strings.Count(res.Stdout, ".nodeid (u32)")
			links, _ := n.Exec(ctx, "corosync-cfgtool", "-s")
			lines := strings.Count(links.Stdout, "nodeid:")
			m := n.Membership(ctx)
			last = fmt.Sprintf("%s: %d in the nodelist, %d shown by cfgtool, %d votes expected", n.Name(), ids, lines, m.Expected)
			if ids != want || lines != want || m.Expected != want {
				return false
			}
		}
		return true
	})
	if err != nil {
		t.Fatalf("%v; %s", err, last)
	}
}

// expected are the warnings and errors that a healthy ring of a lab logs, and why;
// original: only the original may.
var expected = []struct {
	re, why  string
	original bool
}{
	{`warning .* Could not increase RLIMIT_MEMLOCK`, "a lab's node has not that right; ours asks for less", true},
	{`error .* qb_ipcs_event_send: (Broken pipe|Connection reset by peer|Transport endpoint is not connected) `, "a client ended while it was told something", true},
	{`error .* event_send retuned -(32|104|107), expected`, "the same", true},
	{`warning .* (Watchdog not enabled by configuration|resource (load_15min|memory_used) missing a recovery key)`, "no resources in the file", false},
	{`warning .* Corosync main process was not scheduled`, "a busy machine, or a test that stops it", false},
	{`warning .* address \S+ of this node: .*: waiting for it`, "a test that starts it while the interface is down", false},
	{`warning .* Denied connection, is not ready`, "a client came before the daemon served", false},
	{`warning .* host: host: \d+ has no active links`, "over knet, until a node's first answer", false},
	{`warning .* Discarding (JOIN|LEAVE) message during flush`, "packets that came before the token, as in the original", false},
}

var severeRE = regexp.MustCompile(`^\S+ +\d+ [\d:.]+ \[\d+\] \S+ corosync (\w+) +\[`)

// clean fails the test at its end when a daemon has logged an error or a warning that is
// not expected, or has written anything past its log, such as the reason of its death.
func clean(t *testing.T, l *lab.Lab) {
	t.Helper()
	t.Cleanup(func() {
		for _, n := range l.Members() {
			text, err := os.ReadFile(n.Path("/var/log/corosync/corosync.log"))
			if err != nil && !os.IsNotExist(err) {
				t.Error(err)
			}
			lines := 0
			for line := range strings.Lines(string(text)) {
				if complains(line, n.Corosync()) && lines < 5 {
					t.Errorf("%s (%v) logged: %s", n.Name(), n.Corosync(), line)
					lines++
				}
			}
			if out, err := os.ReadFile(filepath.Join(n.Dir(), "corosync.out")); err == nil && len(out) > 0 {
				t.Errorf("%s (%v) wrote past its log: %s", n.Name(), n.Corosync(), out[:min(len(out), 2000)])
			}
		}
	})
}

// complains tells whether a line of a log is an error or a warning that nobody expects.
func complains(line string, by lab.Impl) bool {
	f := severeRE.FindStringSubmatch(line)
	if f == nil {
		return true // no line of a log
	}
	if f[1] == "notice" || f[1] == "info" || f[1] == "debug" {
		return false
	}
	for _, e := range expected {
		if (by == lab.Debian || !e.original) && regexp.MustCompile(e.re).MatchString(line) {
			return false
		}
	}
	return true
}

// TestComplains: what clean takes for a complaint.
func TestComplains(t *testing.T) {
	const head = "Nov 23 06:33:53.863 [18] n1 corosync "
	for _, c := range []struct {
		line           string
		original, ours bool
	}{
		{head + "notice  [MAIN  ] Corosync Cluster Engine 3.1.7 starting up", false, false},
		{head + "warning [WD    ] Watchdog not enabled by configuration", false, false},
		{head + "warning [TOTEM ] anything else", true, true},
		{head + "error   [MAIN  ] qb_ipcs_event_send: Broken pipe (32)", false, true},
		{head + "error   [TOTEM ] FAILED TO RECEIVE", true, true},
		{head + "crit    [QUORUM] anything", true, true},
		{"panic: runtime error", true, true},
	} {
		if original, ours := complains(c.line, lab.Debian), complains(c.line, lab.Ours); original != c.original || ours != c.ours {
			t.Errorf("%q: the original's %v, ours %v", c.line, original, ours)
		}
	}
}
