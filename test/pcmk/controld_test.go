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
	"github.com/pacesync/pacesync/internal/xmltree"
)

const controld = "pacemaker-controld"

// controlMixes are the nodes with our controller. Debian's become DC when they
// ran longer, so both sides of joining are ours in one of them.
func controlMixes() [][]string {
	if os.Getenv("E2E_LONG") != "" {
		return [][]string{{"n3"}, {"n1"}, {"n1", "n2"}, {"n1", "n2", "n3"}}
	}
	return [][]string{{"n3"}} // TestControldNeighbours has ours alone
}

// controlled is a lab with our controller on some nodes, fencing and resources:
// three in a row of their own, and a clone.
type controlled struct {
	*testing.T
	ctx context.Context
	lab *lab.Lab

	power *lab.PowerSwitch
	since time.Time
}

func startControlled(t *testing.T, ours []string) *controlled {
	t.Helper()
	labtest.Pacemaker(t)
	specs := make([]lab.NodeSpec, 3)
	for i := range specs {
		if slices.Contains(ours, fmt.Sprintf("n%d", i+1)) {
			specs[i].Ours = []string{controld}
		}
	}
	l := labtest.Up(t, lab.Options{Nodes: specs, Files: []lab.File{lab.FenceAgent()}})
	power, err := l.ServePower()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { power.Close() })
	labtest.Start(t, l)
	c := &controlled{t, labtest.Context(t, 5*time.Minute), l, power, time.Now()}
	var res strings.Builder
	for _, m := range l.Members() {
		res.WriteString(fenceDevice("f-"+m.Name(), "fence_lab", m.Name()))
	}
	const op = `<operations><op id="%s-m" name="monitor" interval="5s" timeout="20s"/></operations>`
	res.WriteString(`<group id="g">`)
	for _, id := range []string{"d1", "d2"} {
		fmt.Fprintf(&res, `<primitive id=%q class="ocf" provider="pacemaker" type="Dummy">`+op+`</primitive>`, id, id)
	}
	res.WriteString(`</group><clone id="c"><primitive id="cc" class="ocf" provider="pacemaker" type="Dummy">` + fmt.Sprintf(op, "cc") + `</primitive></clone>`)
	load(t, c.ctx, l.Members()[0], fenceCIB(res.String(), ""))
	return c
}

// view is the cluster as a node's crm_mon has it.
func (c *controlled) view(n *lab.Node) *xmltree.Node {
	r, err := n.Exec(c.ctx, "crm_mon", "-1", "--output-as=xml")
	if err != nil {
		return xmltree.New("none")
	}
	root, err := xmltree.ParseString(r.Stdout, xmltree.Limits{})
	if err != nil {
		c.Fatalf("%s: crm_mon: %v", n.Name(), err)
	}
	return root
}

// node finds a node in a view, "" when it is not there.
func nodeIn(v *xmltree.Node, name string) *xmltree.Node {
	nodes := v.Child("nodes")
	var out *xmltree.Node
	if nodes != nil {
		nodes.Each("node", func(n *xmltree.Node) {
			if n.Attr("name") == name {
				out = n
			}
		})
	}
	if out == nil {
		return xmltree.New("node")
	}
	return out
}

// active lists where a resource is started.
func active(v *xmltree.Node, rsc string) []string {
	var out []string
	var walk func(*xmltree.Node)
	walk = func(n *xmltree.Node) {
		n.Elements(func(e *xmltree.Node) {
			if e.Name == "resource" && e.ID() == rsc && e.Attr("role") == "Started" {
				e.Each("node", func(on *xmltree.Node) { out = append(out, on.Attr("name")) })
			}
			walk(e)
		})
	}
	walk(v)
	slices.Sort(out)
	return out
}

// until waits for the cluster to look like that on every node of from.
func (c *controlled) until(what string, from []*lab.Node, ok func(v *xmltree.Node) bool) {
	c.Helper()
	for _, n := range from {
		testwait.For(c, 60*time.Second, n.Name()+" to see "+what, func() bool { return ok(c.view(n)) })
	}
}

// settled: that many nodes online, everything started there and nowhere twice.
func settled(names ...string) func(*xmltree.Node) bool {
	return func(v *xmltree.Node) bool {
		for _, name := range names {
			if n := nodeIn(v, name); n.Attr("online") != "true" || n.Attr("unclean") != "false" || n.Attr("pending") != "false" {
				return false
			}
		}
		d1, d2 := active(v, "d1"), active(v, "d2")
		return len(d1) == 1 && slices.Equal(d1, d2) && slices.Equal(active(v, "cc"), names)
	}
}

func (c *controlled) run(n *lab.Node, args ...string) string {
	c.Helper()
	r, err := n.Exec(c.ctx, args...)
	if err != nil {
		c.Fatalf("%s: %v: %v\n%s", n.Name(), args, err, r.Stderr)
	}
	return r.Stdout
}

// noFencing fails when a node was switched off.
func (c *controlled) noFencing(after string) {
	c.Helper()
	for _, n := range c.lab.Members() {
		if e, off := c.power.Off(n.Name(), c.since); off {
			c.Fatalf("after %s: %v", after, e)
		}
	}
}

// TestControldStory: resources run under a cluster with our controller on some
// or all nodes; a node goes standby and back; one leaves and rejoins without
// being fenced; where all are ours, the controller is killed and comes back
// without anything moving; the DC's machine loses power, is fenced, and everything runs
// elsewhere; it rejoins.
func TestControldStory(t *testing.T) {
	for _, ours := range controlMixes() {
		t.Run(strings.Join(ours, ""), func(t *testing.T) {
			c := startControlled(t, ours)
			all := c.lab.Members()
			c.until("everything started", all, settled("n1", "n2", "n3"))
			mine := c.lab.Node(ours[len(ours)-1])
			c.standby(mine)
			c.leave(mine)
			if len(ours) == len(all) {
				// The original's DC fences a node whose controller is gone at the moment of a calculation, back or not.
				c.crash(mine)
			}
			c.noFencing("standby, leaving and a killed controller")
			c.powerLoss()
		})
	}
}

// rest are the other nodes and their names.
func (c *controlled) rest(but *lab.Node) ([]*lab.Node, []string) {
	var nodes []*lab.Node
	var names []string
	for _, n := range c.lab.Members() {
		if n.Name() != but.Name() {
			nodes, names = append(nodes, n), append(names, n.Name())
		}
	}
	return nodes, names
}

func (c *controlled) standby(n *lab.Node) {
	c.Helper()
	_, names := c.rest(n)
	c.run(n, "crm_standby", "-N", n.Name(), "-v", "on")
	c.until(n.Name()+" empty", c.lab.Members(), func(v *xmltree.Node) bool {
		return nodeIn(v, n.Name()).Attr("standby") == "true" && nodeIn(v, n.Name()).Attr("resources_running") == "0" && settled(names...)(v)
	})
	c.run(n, "crm_standby", "-N", n.Name(), "-D")
	c.until(n.Name()+" back from standby", c.lab.Members(), settled("n1", "n2", "n3"))
}

func (c *controlled) leave(n *lab.Node) {
	c.Helper()
	if err := n.Stop(c.ctx, lab.PartPacemaker); err != nil {
		c.Fatal(err)
	}
	rest, names := c.rest(n)
	c.until(n.Name()+" gone, clean", rest, func(v *xmltree.Node) bool {
		g := nodeIn(v, n.Name())
		// Its corosync is still there: crm_mon calls that pending.
		return (g.Attr("online") == "false" || g.Attr("pending") == "true") && g.Attr("unclean") == "false" && settled(names...)(v)
	})
	if err := n.Start(c.ctx, lab.PartPacemaker); err != nil {
		c.Fatal(err)
	}
	c.until(n.Name()+" back", c.lab.Members(), settled("n1", "n2", "n3"))
}

func (c *controlled) crash(n *lab.Node) {
	c.Helper()
	pid := strings.TrimSpace(c.run(n, "pidof", controld))
	where := active(c.view(n), "d1")
	calls := c.run(n, "cibadmin", "-Q", "--xpath", "//lrm_rsc_op[@id='d1_last_0' and @rc-code='0']")
	c.run(n, "kill", "-"+fmt.Sprint(int(syscall.SIGKILL)), pid)
	testwait.For(c, 30*time.Second, "another controller", func() bool {
		r, err := n.Exec(c.ctx, "pidof", controld)
		return err == nil && strings.TrimSpace(r.Stdout) != pid
	})
	c.until("everything still started", c.lab.Members(), settled("n1", "n2", "n3"))
	if now := active(c.view(n), "d1"); !slices.Equal(now, where) {
		c.Errorf("d1 moved from %v to %v when the controller of %s was killed", where, now, n.Name())
	}
	if now := c.run(n, "cibadmin", "-Q", "--xpath", "//lrm_rsc_op[@id='d1_last_0' and @rc-code='0']"); callID(now) != callID(calls) {
		c.Errorf("d1 was started again when the controller of %s was killed:\n%s\n%s", n.Name(), calls, now)
	}
}

// callID is the number of an operation in its history entry.
func callID(entry string) string {
	_, rest, _ := strings.Cut(entry, `call-id="`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

func (c *controlled) powerLoss() {
	c.Helper()
	all := c.lab.Members()
	dc := c.lab.Node(all[0].DC(c.ctx))
	if dc == nil {
		c.Fatal("no DC")
	}
	if err := dc.PowerOff(c.ctx); err != nil {
		c.Fatal(err)
	}
	rest, names := c.rest(dc)
	c.until(dc.Name()+" fenced and everything elsewhere", rest, func(v *xmltree.Node) bool {
		g := nodeIn(v, dc.Name())
		return g.Attr("online") == "false" && g.Attr("unclean") == "false" && settled(names...)(v)
	})
	wantHistory(c.T, c.ctx, rest, dc.Name())
	rejoin(c.T, c.ctx, dc)
	c.until(dc.Name()+" back", all, settled("n1", "n2", "n3"))
}

// TestControldNeighbours: with our controller on all nodes failures are counted,
// and quorum is lost and found. (TestDaemonKills kills daemons.)
func TestControldNeighbours(t *testing.T) {
	c := startControlled(t, []string{"n1", "n2", "n3"})
	all := c.lab.Members()
	c.until("everything started", all, settled("n1", "n2", "n3"))
	c.failure()
	c.quorumLoss()
}

// failure: a resource that stopped by itself is restarted, its failure counted
// and cleared.
func (c *controlled) failure() {
	c.Helper()
	n := c.lab.Members()[0]
	where := c.lab.Node(active(c.view(n), "d1")[0])
	c.run(where, "sh", "-c", "rm -f /run/Dummy-d1.state /var/run/Dummy-d1.state")
	failcount := func() string {
		r, _ := n.Exec(c.ctx, "crm_failcount", "-G", "-r", "d1", "-N", where.Name())
		return r.Stdout
	}
	testwait.For(c, 40*time.Second, "the failure of d1 to be counted", func() bool { return strings.Contains(failcount(), "value=1") })
	c.until("d1 recovered", c.lab.Members(), settled("n1", "n2", "n3"))
	c.run(n, "crm_resource", "--cleanup", "-r", "d1")
	testwait.For(c, 40*time.Second, "the failure of d1 to be forgotten", func() bool { return strings.Contains(failcount(), "value=0") })
	c.until("d1 still there", c.lab.Members(), settled("n1", "n2", "n3"))
}

// quorumLoss: a node that is cut off elects itself, stops everything for want of
// quorum, and is one with the others again when the cut is healed.
func (c *controlled) quorumLoss() {
	c.Helper()
	all := c.lab.Members()
	c.run(all[0], "crm_attribute", "-n", "stonith-enabled", "-v", "false")
	if err := c.lab.Cut("n1", lab.Any); err != nil {
		c.Fatal(err)
	}
	c.until("quorum lost and everything stopped", all[:1], func(v *xmltree.Node) bool {
		dc := v.Path("summary", "current_dc")
		return dc != nil && dc.Attr("name") == "n1" && dc.Attr("with_quorum") == "false" && len(active(v, "d1"))+len(active(v, "cc")) == 0
	})
	c.until("everything on the majority", all[1:], settled("n2", "n3"))
	if err := c.lab.Heal(); err != nil {
		c.Fatal(err)
	}
	c.until("one cluster again", all, settled("n1", "n2", "n3"))
}
