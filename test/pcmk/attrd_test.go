package pcmk

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

// TestAttrd: our attribute manager among Debian's, on two of three nodes (in the
// long form also on one and on all), with tools of both sides as clients and all
// other daemons Debian's.
func TestAttrd(t *testing.T) {
	for _, ours := range []int{2, 1, 3} {
		if ours != 2 && os.Getenv("E2E_LONG") == "" {
			continue
		}
		t.Run(fmt.Sprintf("%d of 3", ours), func(t *testing.T) {
			labtest.Pacemaker(t)
			nodes := make([]lab.NodeSpec, 3)
			for i := range nodes {
				if i < ours {
					nodes[i].Ours = []string{"pacemaker-attrd"}
				}
				if i > 0 { // our tools on our daemon and on Debian's, Debian's tools on ours
					nodes[i].Ours = append(nodes[i].Ours, "attrd_updater", "crm_attribute")
				}
			}
			l := labtest.Up(t, lab.Options{Nodes: nodes})
			labtest.Start(t, l)
			a := &attrs{t: t, ctx: labtest.Context(t, 4*time.Minute), l: l}
			for _, n := range l.Members() {
				if err := n.CheckOrigins(); err != nil {
					t.Error(err)
				}
			}
			a.valuesEverywhere()
			a.clientsForms()
			a.dampening()
			a.killed()
			a.lostNode()
		})
	}
}

// attrs drives node attributes with the tools of the nodes.
type attrs struct {
	t   *testing.T
	ctx context.Context
	l   *lab.Lab
}

func (a *attrs) run(n *lab.Node, args ...string) string {
	a.t.Helper()
	res, err := n.Exec(a.ctx, args...)
	if err != nil {
		a.t.Fatalf("%v", err)
	}
	return res.Stdout
}

// values is what a node's attribute manager says about an attribute, sorted.
func (a *attrs) values(n *lab.Node, name string) string {
	res, err := n.Exec(a.ctx, "attrd_updater", "--query", "--all", "--name", name)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(res.Stdout), "\n")
	slices.Sort(lines)
	return strings.ReplaceAll(strings.Join(lines, " "), `name="`+name+`" `, "")
}

// inCIB is the values of an attribute in the CIB as a node has it, by node id.
func (a *attrs) inCIB(n *lab.Node, name string) string {
	var out []string
	for _, m := range a.l.Members() {
		res, err := n.Exec(a.ctx, "cibadmin", "--local", "--query", "--xpath",
			fmt.Sprintf("//node_state[@id='%d']/transient_attributes//nvpair[@name='%s']", m.ID(), name))
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(res.Stdout, `value="`)
		v, _, _ := strings.Cut(rest, `"`)
		out = append(out, m.Name()+"="+v)
	}
	return strings.Join(out, " ")
}

// wantAll waits until every node holds the values, and the CIB as well.
func (a *attrs) wantAll(name, values, cib string) {
	a.t.Helper()
	last := ""
	ok := func() bool {
		for _, n := range a.l.Members() {
			if !n.On() {
				continue
			}
			if last = n.Name() + ": " + a.values(n, name) + " / " + a.inCIB(n, name); last != n.Name()+": "+values+" / "+cib {
				return false
			}
		}
		return true
	}
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			a.t.Fatalf("%s: got %s, want %s / %s", name, last, values, cib)
		}
	}
}

func (a *attrs) valuesEverywhere() {
	for i, n := range a.l.Members() {
		a.run(n, "attrd_updater", "--name", "load", "--update", fmt.Sprint(10*(i+1)))
	}
	a.wantAll("load", `host="n1" value="10" host="n2" value="20" host="n3" value="30"`, "n1=10 n2=20 n3=30")
	// From any node for any node, and through crm_attribute.
	a.run(a.l.Node("n1"), "attrd_updater", "--name", "load", "--update", "21", "--node", "n2")
	a.run(a.l.Node("n2"), "crm_attribute", "--lifetime", "reboot", "--name", "load", "--update", "31", "--node", "n3")
	a.wantAll("load", `host="n1" value="10" host="n2" value="21" host="n3" value="31"`, "n1=10 n2=21 n3=31")
	if got := a.run(a.l.Node("n1"), "crm_attribute", "--lifetime", "reboot", "--name", "load", "--query", "--node", "n3"); !strings.Contains(got, "value=31") {
		a.t.Errorf("crm_attribute: %s", got)
	}
}

func (a *attrs) clientsForms() {
	n1, n2 := a.l.Node("n1"), a.l.Node("n2")
	for range 3 {
		a.run(n1, "attrd_updater", "--name", "fail-count-x#monitor_10000", "--update", "value++")
		a.wantQuiet(n1, "fail-count-x#monitor_10000")
	}
	a.wantAll("fail-count-x#monitor_10000", `host="n1" value="3"`, "n1=3")
	a.run(n2, "attrd_updater", "--name", "fail-count-x#monitor_10000", "--update", "value+=INFINITY", "--node", "n1")
	a.wantAll("fail-count-x#monitor_10000", `host="n1" value="1000000"`, "n1=1000000")
	a.run(n2, "crm_attribute", "--lifetime", "reboot", "--pattern", "^fail-count-", "--delete", "--node", "n1")
	a.wantAll("fail-count-x#monitor_10000", `host="n1" value=""`, "")
	a.run(n1, "attrd_updater", "--name", "secret", "--update", "1", "--private")
	a.wantAll("secret", `host="n1" value="1"`, "")
	a.run(n1, "crm_attribute", "--lifetime", "reboot", "--name", "far", "--update", "7", "--set-name", "myset")
	a.wantAll("far", `host="n1" value="7"`, "n1=7")
	if got := a.run(n2, "cibadmin", "--local", "--query", "--xpath", "//nvpair[@name='far']"); !strings.Contains(got, `id="status-1-far"`) && !strings.Contains(got, `id="myset-far"`) {
		a.t.Errorf("set: %s", got)
	}
	if _, err := n1.Exec(a.ctx, "attrd_updater", "--name", "nothing", "--query"); err == nil {
		a.t.Error("an attribute that is not there was found")
	}
	a.run(n1, "attrd_updater", "--refresh")
}

// wantQuiet waits until what was asked has come back: an increment is computed
// from the value that stands.
func (a *attrs) wantQuiet(n *lab.Node, name string) {
	a.t.Helper()
	before := ""
	testwait.For(a.t, 10*time.Second, name+" to settle", func() bool {
		now := a.values(n, name)
		same := now == before && strings.Contains(now, "value=")
		before = now
		return same
	})
}

func (a *attrs) dampening() {
	n := a.l.Node("n2")
	a.run(n, "attrd_updater", "--name", "slow", "--update-both", "1", "--delay", "4s")
	begin := time.Now()
	a.run(n, "attrd_updater", "--name", "slow", "--update", "2")
	testwait.For(a.t, 3*time.Second, "the new value to be known", func() bool { return strings.Contains(a.values(n, "slow"), `value="2"`) })
	if got := a.inCIB(n, "slow"); got == "n2=2" && time.Since(begin) < 3*time.Second {
		a.t.Errorf("written after %v with a delay of 4s", time.Since(begin))
	}
	a.wantAll("slow", `host="n2" value="2"`, "n2=2")
	a.run(n, "attrd_updater", "--name", "slow", "--update-delay", "--delay", "0")
	a.run(n, "attrd_updater", "--name", "slow", "--update", "3")
	a.wantAll("slow", `host="n2" value="3"`, "n2=3")
}

// killed ends each attribute manager in turn: it comes back, learns the others'
// values, loses its own, and somebody writes.
func (a *attrs) killed() {
	for _, n := range a.l.Members() {
		p, ok := n.Program("pacemaker-attrd")
		if !ok {
			a.t.Fatalf("%s: no attribute manager", n.Name())
		}
		if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
			a.t.Fatal(err)
		}
		testwait.For(a.t, 20*time.Second, "attribute manager of "+n.Name()+" to come back", func() bool {
			again, ok := n.Program("pacemaker-attrd")
			return ok && again.PID != p.PID && !strings.Contains(a.values(n, "load"), "rror") && !strings.Contains(a.values(n, "load"), "refused")
		})
		a.run(n, "attrd_updater", "--name", "load", "--update", "77")
		var want, cib []string
		for _, m := range a.l.Members() {
			v := map[string]string{"n1": "10", "n2": "21", "n3": "31"}[m.Name()]
			if m.ID() <= n.ID() {
				v = "77"
			}
			want = append(want, fmt.Sprintf(`host="%s" value="%s"`, m.Name(), v))
			cib = append(cib, m.Name()+"="+v)
		}
		a.wantAll("load", strings.Join(want, " "), strings.Join(cib, " "))
	}
}

// lostNode cuts the power of the node that writes: its values go, another writes,
// and when it returns it knows all again.
func (a *attrs) lostNode() {
	victim := a.writer()
	a.t.Logf("the writer is %s", victim.Name())
	if err := victim.PowerOff(a.ctx); err != nil {
		a.t.Fatal(err)
	}
	var want, cib []string
	for _, m := range a.l.Members() {
		if m != victim && m.Name() != victim.Name() {
			want = append(want, fmt.Sprintf(`host="%s" value="77"`, m.Name()))
			cib = append(cib, m.Name()+"=77")
		}
	}
	a.wantAll("load", strings.Join(want, " "), strings.Join(cib, " "))
	for _, m := range a.l.Members() {
		if m.On() {
			a.run(m, "attrd_updater", "--name", "after", "--update", "1")
		}
	}
	after := strings.NewReplacer("77", "1")
	a.wantAll("after", after.Replace(strings.Join(want, " ")), after.Replace(strings.Join(cib, " ")))
	if os.Getenv("E2E_LONG") == "" {
		return
	}
	if err := victim.PowerOn(a.ctx); err != nil {
		a.t.Fatal(err)
	}
	if err := victim.Start(a.ctx, lab.PartAll); err != nil {
		a.t.Fatal(err)
	}
	testwait.For(a.t, time.Minute, "the values to reach the node that came back", func() bool {
		return a.values(victim, "load") == strings.Join(want, " ")
	})
}

// writer is the node whose attribute manager said last that it writes.
func (a *attrs) writer() *lab.Node {
	a.t.Helper()
	best, found := "", a.l.Members()[0]
	for _, n := range a.l.Members() {
		b, err := os.ReadFile(n.Path("/var/log/pacemaker/pacemaker.log"))
		if err != nil {
			a.t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, "Recorded local node as attribute writer") && line[:19] > best {
				best, found = line[:19], n
			}
		}
	}
	return found
}
