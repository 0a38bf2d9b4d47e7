package pcmk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/testwait"
	"github.com/pacesync/pacesync/internal/xmltree"
)

const (
	// killRounds is how often the full count kills each daemon, on the DC and elsewhere.
	killRounds = 10
	// killLimit is how long all may take to be as it was.
	killLimit = 60 * time.Second
)

// procAgent is a resource agent whose resource is one process.
func procAgent() lab.File {
	return lab.File{Path: "/usr/lib/ocf/resource.d/lab/proc", Mode: 0o755, Content: `#!/bin/sh
pid=/run/proc-$OCF_RESOURCE_INSTANCE.pid
runs() { [ -s $pid ] && kill -0 $(cat $pid) 2>/dev/null; }
case $1 in
start) runs && exit 0; setsid sleep 86400 </dev/null >/dev/null 2>&1 & echo $! >$pid ;;
stop) runs && kill -9 $(cat $pid); rm -f $pid; exit 0 ;;
monitor) runs && exit 0; exit 7 ;;
meta-data) echo '<?xml version="1.0"?><resource-agent name="proc"><version>1.0</version><longdesc lang="en">p</longdesc><shortdesc lang="en">p</shortdesc><parameters/><actions><action name="start" timeout="20s"/><action name="stop" timeout="20s"/><action name="monitor" timeout="20s" interval="10s"/><action name="meta-data" timeout="5s"/></actions></resource-agent>' ;;
*) exit 3 ;;
esac
`}
}

// killsCIB has fencing by the lab's power switch, a group, a process on each node
// and a promotable clone, whose promotion depends on transient attributes.
func killsCIB(nodes []*lab.Node) string {
	var b strings.Builder
	for _, n := range nodes {
		b.WriteString(fenceDevice("f-"+n.Name(), "fence_lab", n.Name()))
	}
	primitive := func(id, provider, agent, ops string) {
		fmt.Fprintf(&b, `<primitive id="%[1]s" class="ocf" provider=%[2]q type=%[3]q><operations><op id="%[1]s-m" name="monitor" interval="10s" timeout="20s"/>%[4]s</operations></primitive>`, id, provider, agent, ops)
	}
	b.WriteString(`<group id="g">`)
	primitive("d1", "pacemaker", "Dummy", "")
	primitive("d2", "lab", "proc", "")
	b.WriteString(`</group><clone id="c">`)
	primitive("cc", "lab", "proc", "")
	b.WriteString(`</clone><clone id="s"><meta_attributes id="s-meta"><nvpair id="s-prom" name="promotable" value="true"/></meta_attributes>`)
	primitive("ss", "pacemaker", "Stateful", `<op id="ss-mp" name="monitor" interval="11s" role="Promoted" timeout="20s"/>`)
	b.WriteString(`</clone>`)
	return fenceCIB(b.String(), "")
}

// killed is a cluster whose daemons are killed.
type killed struct {
	*testing.T
	ctx    context.Context
	lab    *lab.Lab
	power  *lab.PowerSwitch
	normal string // what the cluster looks like when all is well
	marks  string // of each run of each resource
}

func startKilled(t *testing.T, half lab.Impl, nodes int) *killed {
	t.Helper()
	labtest.Pacemaker(t)
	specs := make([]lab.NodeSpec, nodes)
	for i := range specs {
		specs[i].Pacemaker = half
	}
	l := labtest.Up(t, lab.Options{Nodes: specs, Files: []lab.File{lab.FenceAgent(), procAgent()}})
	power, err := l.ServePower()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { power.Close() })
	labtest.Start(t, l)
	k := &killed{T: t, ctx: labtest.Context(t, time.Hour), lab: l, power: power}
	load(t, k.ctx, l.Members()[0], killsCIB(l.Members()))
	promoted := 0
	testwait.For(t, killLimit, "everything to be started", func() bool {
		_, v, ok := k.idle()
		promoted = strings.Count(v, " ss Promoted ")
		return ok && promoted == 1 && strings.Count(v, " Started ") == nodes+nodes+2 && strings.Count(v, " Unpromoted ") == nodes-1
	})
	for _, n := range l.Members() {
		if _, err := n.Exec(k.ctx, "attrd_updater", "-n", "mark", "-U", n.Name()); err != nil {
			t.Fatal(err)
		}
	}
	k.settle("the beginning", func(string) bool { return true })
	_, k.normal, _ = k.idle()
	k.marks = k.runs()
	return k
}

// members are the nodes whose Pacemaker runs.
func (k *killed) members() []*lab.Node {
	return slices.DeleteFunc(slices.Clone(k.lab.Members()), func(n *lab.Node) bool { return n.Daemon(lab.PartPacemaker) == 0 })
}

// idle tells whether the cluster has nothing to do, on the word of every controller,
// and what it looks like then: nodes, and resources with role and place.
func (k *killed) idle() (dc, looks string, ok bool) {
	dc = k.members()[0].DC(k.ctx)
	if dc == "" {
		return "", "", false
	}
	for _, n := range k.members() {
		res, err := n.Exec(k.ctx, "crmadmin", "-t", "3s", "-q", "-S", n.Name())
		state := strings.TrimSpace(res.Stdout)
		if err != nil || state != "S_IDLE" && (n.Name() == dc || state != "S_NOT_DC") {
			return "", state, false
		}
	}
	for _, n := range k.members() {
		res, err := n.Exec(k.ctx, "crm_mon", "-1", "--output-as=xml")
		if err != nil {
			return "", "", false
		}
		root, err := xmltree.ParseString(res.Stdout, xmltree.Limits{})
		if err != nil {
			k.Fatal(err)
		}
		seen := look(root)
		if looks != "" && seen != looks {
			return "", seen, false // not all see the same yet
		}
		looks = seen
	}
	return dc, looks, true
}

// look is a view in lines.
func look(v *xmltree.Node) string {
	var out []string
	if nodes := v.Child("nodes"); nodes != nil {
		nodes.Each("node", func(n *xmltree.Node) {
			out = append(out, fmt.Sprintf("node %s online=%s unclean=%s pending=%s", n.Attr("name"), n.Attr("online"), n.Attr("unclean"), n.Attr("pending")))
		})
	}
	var walk func(*xmltree.Node)
	walk = func(n *xmltree.Node) {
		n.Elements(func(e *xmltree.Node) {
			if e.Name == "resource" && e.Attr("id") != "" && e.Parent.Name != "node_history" {
				e.Each("node", func(on *xmltree.Node) {
					out = append(out, fmt.Sprintf("resource %s %s %s failed=%s", e.ID(), e.Attr("role"), on.Attr("name"), e.Attr("failed")))
				})
			}
			walk(e)
		})
	}
	walk(v)
	if attrs := v.Child("node_attributes"); attrs != nil {
		attrs.Each("node", func(n *xmltree.Node) {
			n.Each("attribute", func(a *xmltree.Node) {
				out = append(out, fmt.Sprintf("attribute %s %s=%s", n.Attr("name"), a.Attr("name"), a.Attr("value")))
			})
		})
	}
	sort.Strings(out)
	return strings.Join(out, "\n")
}

// runs names each run of each resource: the state files are made by each start and
// change of role, the processes by each start.
func (k *killed) runs() string {
	var out strings.Builder
	for _, n := range k.members() {
		res, err := n.Exec(k.ctx, "sh", "-c", `find /run -name '*.state' -printf '%p %i %T@\n' | sort; for f in /run/proc-*.pid; do kill -0 $(cat $f) && echo $f $(cat $f); done`)
		if err != nil {
			k.Fatalf("%s: %v %s", n.Name(), err, res.Stderr)
		}
		fmt.Fprintf(&out, "%s:\n%s", n.Name(), res.Stdout)
	}
	return out.String()
}

// settle waits until the cluster is idle three times running and looks well.
func (k *killed) settle(after string, well func(looks string) bool) {
	k.Helper()
	last, calm := "", 0
	defer func() {
		if k.Failed() && k.normal != "" {
			k.Logf("after %s the cluster looks like\n%s\nand was\n%s\nfencing: %v", after, last, k.normal, k.power.Events())
		}
	}()
	testwait.For(k, killLimit, "the cluster to be idle and well after "+after, func() bool {
		_, looks, ok := k.idle()
		last = looks
		if !ok || !well(looks) {
			calm = 0
			return false
		}
		calm++
		return calm == 3
	})
}

// kill kills a daemon of a node, and waits for another one.
func (k *killed) kill(n *lab.Node, d pcmk.Daemon, enough func() bool) {
	k.Helper()
	p, ok := n.Program(d.Program)
	if !ok {
		k.Fatalf("%s does not run on %s", d.Program, n.Name())
	}
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
		k.Fatal(err)
	}
	testwait.For(k, killLimit, d.Program+" to come back on "+n.Name(), func() bool {
		again, ok := n.Program(d.Program)
		return ok && again.PID != p.PID || enough()
	})
}

// blow kills a daemon and wants everything as before: each daemon there, nodes
// online, attributes, resources at their places and in their runs, nothing fenced.
func (k *killed) blow(n *lab.Node, d pcmk.Daemon) {
	k.Helper()
	what, start := d.Program+" of "+n.Name()+" was killed", time.Now()
	k.kill(n, d, func() bool { return false })
	k.settle(what, func(looks string) bool { return looks == k.normal })
	if events := k.power.Events(); len(events) > 0 {
		k.Fatalf("%s: fencing: %v", what, events)
	}
	if now := k.runs(); now != k.marks {
		k.Fatalf("%s: a resource was started again, or changed its role: was\n%s\nis\n%s", what, k.marks, now)
	}
	for _, d := range pcmk.Daemons() {
		for _, n := range k.members() {
			if _, ok := n.Program(d.Program); !ok {
				k.Fatalf("%s: %s does not run on %s", what, d.Program, n.Name())
			}
		}
	}
	k.Logf("%s: all as before after %.1f s", what, time.Since(start).Seconds())
}

// dc is the DC and one that is not, the DC again where there is no other.
func (k *killed) dc() (dc, other *lab.Node) {
	dc = k.lab.Node(k.lab.Members()[0].DC(k.ctx))
	if dc == nil {
		k.Fatal("no DC")
	}
	for _, n := range k.lab.Members() {
		if n.Name() != dc.Name() {
			return dc, n
		}
	}
	return dc, dc
}

// TestDaemonKills kills daemons, on the DC and elsewhere: each is started again,
// resources go on running as they were, nothing is fenced, no attribute is lost. In the
// full count each daemon is killed, in killRounds rounds, and in clusters of one and
// two nodes too.
func TestDaemonKills(t *testing.T) {
	k := startKilled(t, lab.Ours, 3)
	for _, d := range pcmk.Daemons() {
		if dc, _ := k.dc(); d.Message == "cib" || d.Message == "crmd" {
			k.blow(dc, d)
		}
	}
}

// TestDaemonKillsRounds is the full count of TestDaemonKills.
func TestDaemonKillsRounds(t *testing.T) {
	labtest.Long(t, "TestDaemonKills")
	for _, nodes := range []int{3, 2, 1} {
		t.Run(fmt.Sprint(nodes), func(t *testing.T) {
			k := startKilled(t, lab.Ours, nodes)
			kills, longest := 0, time.Duration(0)
			for range killRounds {
				for _, d := range pcmk.Daemons() {
					for _, onDC := range []bool{false, true}[:min(nodes, 2)] {
						dc, n := k.dc()
						if onDC {
							n = dc
						}
						start := time.Now()
						k.blow(n, d)
						kills, longest = kills+1, max(longest, time.Since(start))
					}
				}
			}
			t.Logf("%d nodes: %d daemons killed, the longest took %.1f s", nodes, kills, longest.Seconds())
		})
	}
}

// TestDaemonKillsBusy kills daemons while the cluster is at work: a node becomes empty
// or is filled again, and at any moment of that one or several daemons are killed on the
// DC, elsewhere, or everywhere. The work is done all the same and nothing is fenced.
func TestDaemonKillsBusy(t *testing.T) {
	labtest.Long(t, "TestDaemonKills")
	k := startKilled(t, lab.Ours, 3)
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	daemons := pcmk.Daemons()
	for round := range 6 * killRounds {
		dc, other := k.dc()
		target := k.lab.Members()[rng.IntN(3)]
		victims := [][]*lab.Node{{dc}, {other}, {target}, {dc, other}, k.lab.Members()}[rng.IntN(5)]
		d := daemons[rng.IntN(len(daemons))]
		and := daemons[rng.IntN(len(daemons))]
		pause := time.Duration(rng.IntN(1500)) * time.Millisecond
		what := fmt.Sprintf("round %d: %s becomes standby, %v later %s", round, target.Name(), pause, d.Program)
		for _, on := range []string{"on", "off"} {
			if _, err := target.Exec(k.ctx, "crm_standby", "-N", target.Name(), "-v", on); err != nil {
				t.Fatal(err)
			}
			<-time.After(pause) // any moment of the work will do
			for _, n := range victims {
				what += " of " + n.Name()
				k.shoot(n, d)
			}
			if rng.IntN(3) == 0 {
				what += " and " + and.Program
				k.shoot(victims[0], and)
			}
			start := time.Now()
			k.settle(what, func(looks string) bool { return k.busyDone(looks, target.Name(), on == "on") })
			if events := k.power.Events(); len(events) > 0 {
				t.Fatalf("%s: fencing: %v", what, events)
			}
			t.Logf("%s: done after %.1f s", what, time.Since(start).Seconds())
			what = fmt.Sprintf("round %d: %s is back, %v later %s", round, target.Name(), pause, d.Program)
		}
	}
}

// shoot kills a daemon that may be gone already.
func (k *killed) shoot(n *lab.Node, d pcmk.Daemon) {
	if p, ok := n.Program(d.Program); ok {
		_ = syscall.Kill(p.PID, syscall.SIGKILL)
	}
}

// busyDone tells whether everything runs, but for a node in standby, where nothing does.
func (k *killed) busyDone(looks, node string, standby bool) bool {
	nodes := 3
	if standby {
		nodes = 2
		if slices.ContainsFunc(strings.Split(looks, "\n"), func(l string) bool {
			return strings.HasPrefix(l, "resource ") && strings.Contains(l, " "+node+" ")
		}) {
			return false
		}
	}
	return strings.Count(looks, "online=true unclean=false pending=false") == 3 && strings.Count(looks, " mark=") == 3 &&
		strings.Count(looks, " ss Promoted ") == 1 && strings.Count(looks, " ss Unpromoted ") == nodes-1 &&
		strings.Count(looks, " cc Started ") == nodes && strings.Count(looks, " d1 Started ")+strings.Count(looks, " d2 Started ") == 2 &&
		strings.Count(looks, "resource f-n") == 3
}

// TestDaemonKillsOriginal has the original's daemons killed once each, for comparison:
// what happens is told, not judged.
func TestDaemonKillsOriginal(t *testing.T) {
	labtest.Long(t, "TestDaemonKills")
	k := startKilled(t, lab.Debian, 3)
	for _, d := range pcmk.Daemons() {
		for _, onDC := range []bool{false, true} {
			dc, n := k.dc()
			if onDC {
				n = dc
			}
			events := len(k.power.Events())
			k.kill(n, d, func() bool { return len(k.power.Events()) > events })
			k.settle(d.Program+" was killed", func(string) bool { return true })
			k.Logf("%s of %s (DC: %v): fencing %v, resources untouched: %v", d.Program, n.Name(), onDC, k.power.Events()[events:], k.runs() == k.marks)
			if len(k.power.Events()) > events {
				testwait.For(t, 20*time.Second, n.Name()+" to be off", func() bool { return !n.On() })
				bringBack(t, k.ctx, k.lab, n)
				k.settle(n.Name()+" is back", func(string) bool { return true })
			}
			k.marks = k.runs()
		}
	}
}
