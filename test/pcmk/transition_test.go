package pcmk

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// transitionMixes are which nodes have our controller; "all" is every daemon of
// Pacemaker ours on all nodes.
func transitionMixes() []string {
	if os.Getenv("E2E_LONG") != "" {
		return []string{"n1 n2 n3", "n1", "n2 n3", "all"}
	}
	return []string{"n2"}
}

// TestTransitions: our controller as the DC and beside Debian's, among Debian's other
// daemons and among ours. Resources start, fail, move and stop; nodes are lost, fenced and come back;
// the DC is lost. What our controller writes of an operation is what Debian's writes.
func TestTransitions(t *testing.T) {
	for _, ours := range transitionMixes() {
		t.Run(strings.ReplaceAll(ours, " ", ""), func(t *testing.T) {
			labtest.Pacemaker(t)
			specs := make([]lab.NodeSpec, 3)
			for i := range specs {
				switch {
				case ours == "all":
					specs[i].Pacemaker = lab.Ours
				case strings.Contains(ours, fmt.Sprintf("n%d", i+1)):
					specs[i].Ours = []string{"pacemaker-controld"}
				}
			}
			l := labtest.Up(t, lab.Options{Nodes: specs, Files: []lab.File{lab.FenceAgent()}})
			labtest.Start(t, l)
			power, err := l.ServePower()
			if err != nil {
				t.Fatal(err)
			}
			defer power.Close()
			s := &transitionStory{t: t, nodes: l.Members(), ctx: labtest.Context(t, 6*time.Minute), power: power}
			s.run()
		})
	}
}

type transitionStory struct {
	t     *testing.T
	nodes []*lab.Node
	ctx   context.Context
	power *lab.PowerSwitch
}

func (s *transitionStory) run() {
	n := s.nodes
	for _, m := range n {
		if err := m.CheckOrigins(); err != nil {
			s.t.Error(err)
		}
	}
	var devices strings.Builder
	for _, m := range n {
		devices.WriteString(fenceDevice("f-"+m.Name(), "fence_lab", m.Name()))
	}
	load(s.t, s.ctx, n[0], fenceCIB(devices.String()+resourcesXML, ""))
	if _, err := n[0].Exec(s.ctx, "crm_attribute", "--type", "rsc_defaults", "--name", "resource-stickiness", "--update", "100"); err != nil {
		s.t.Fatal(err)
	}
	s.settle(n[0])
	s.alike(n[0])
	s.failure(n[0])
	s.loss(s.active("g1", n[0]), true)
	s.loss(s.dc(n[0]), false)
	s.leave()
}

const resourcesXML = `<group id="g"><primitive id="g1" class="ocf" provider="pacemaker" type="Dummy"><instance_attributes id="g1-i">
 <nvpair id="g1-w" name="passwd" value="secret"/><nvpair id="g1-f" name="fake" value="hello"/></instance_attributes>
 <operations><op id="g1-m" name="monitor" interval="3s"/></operations></primitive>
 <primitive id="g2" class="ocf" provider="heartbeat" type="Dummy"/></group>
 <clone id="c"><meta_attributes id="c-m"><nvpair id="c-n" name="notify" value="true"/></meta_attributes>
 <primitive id="ci" class="ocf" provider="pacemaker" type="Dummy"><instance_attributes id="ci-i"><nvpair id="ci-w" name="passwd" value="secret"/></instance_attributes>
 <operations><op id="ci-mon" name="monitor" interval="10s"/></operations></primitive></clone>`

// settle waits until nothing is left to do.
func (s *transitionStory) settle(n *lab.Node) {
	s.t.Helper()
	if r, err := n.Exec(s.ctx, "crm_resource", "--wait", "--timeout", "60s"); err != nil || r.Code != 0 {
		s.t.Fatalf("the cluster does not settle: %v\n%s%s", err, r.Stdout, r.Stderr)
	}
}

func (s *transitionStory) cib(n *lab.Node) *xmltree.Node {
	s.t.Helper()
	r, err := n.Exec(s.ctx, "cibadmin", "--query")
	if err != nil {
		s.t.Fatal(err)
	}
	x, err := xmltree.ParseString(r.Stdout, xmltree.Limits{})
	if err != nil {
		s.t.Fatal(err)
	}
	return x
}

// alike compares what the nodes wrote of the same operations: probes, starts and
// monitors of the clone, probes of what runs elsewhere.
func (s *transitionStory) alike(n *lab.Node) {
	first := map[string]string{}
	s.cib(n).Child("status").Each("node_state", func(state *xmltree.Node) {
		state.Find(func(x *xmltree.Node) bool {
			if x.Name != "lrm_rsc_op" || strings.HasPrefix(x.ID(), "f-") {
				return false
			}
			var b strings.Builder
			for _, a := range x.Attrs {
				switch a.Name {
				case "transition-key", "transition-magic":
					a.Value, _, _ = strings.Cut(a.Value, ";")
					if strings.Count(a.Value, ":") == 3 {
						a.Value = strings.Split(a.Value, ":")[2]
					}
				case "call-id", "last-rc-change", "exec-time", "queue-time", "on_node":
					a.Value = ""
				}
				b.WriteString(a.Name + "=" + a.Value + "\n")
			}
			key := x.ID() + " " + x.Attr("operation_key")
			if was, ok := first[key]; ok && was != b.String() {
				s.t.Errorf("%s of %s:\n%s\nof another node:\n%s", key, state.Attr("uname"), b.String(), was)
			}
			first[key] = b.String()
			return false
		})
	})
	for _, key := range []string{"g1_last_0 g1_start_0", "g1_last_0 g1_monitor_0", "g1_monitor_3000 g1_monitor_3000", "ci_last_0 ci_start_0", "ci_monitor_10000 ci_monitor_10000"} {
		if !strings.Contains(first[key], "op-secure-params=  passwd  \n") || !strings.Contains(first[key], "op-digest=") {
			s.t.Errorf("%s: no digests: %q", key, first[key])
		}
	}
}

// active is the node that a resource runs on.
func (s *transitionStory) active(rsc string, by *lab.Node) *lab.Node {
	s.t.Helper()
	r, err := by.Exec(s.ctx, "crm_resource", "--locate", "--resource", rsc)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range s.nodes {
		if strings.Contains(r.Stdout, "running on: "+m.Name()) {
			return m
		}
	}
	s.t.Fatalf("%s runs nowhere: %s", rsc, r.Stdout)
	return nil
}

// dc is the node whose controller decides.
func (s *transitionStory) dc(n *lab.Node) *lab.Node {
	name := n.DC(s.ctx)
	for _, m := range s.nodes {
		if m.Name() == name {
			return m
		}
	}
	s.t.Fatalf("no DC: %q", name)
	return nil
}

// failure fails a resource behind the cluster's back: it is counted and the resource
// restarted; a cleanup forgets it.
func (s *transitionStory) failure(n *lab.Node) {
	on := s.active("g1", n)
	if _, err := on.Exec(s.ctx, "rm", "-f", "/run/Dummy-g1.state"); err != nil {
		s.t.Fatal(err)
	}
	testwait.For(s.t, 30*time.Second, "the failure to be counted", func() bool {
		r, _ := n.Exec(s.ctx, "crm_failcount", "--query", "--resource", "g1", "--node", on.Name())
		return strings.Contains(r.Stdout, "value=1")
	})
	s.settle(n)
	if s.active("g1", n) != on {
		s.t.Error("g1 moved after its first failure")
	}
	if r, err := n.Exec(s.ctx, "crm_resource", "--cleanup", "--resource", "g1"); err != nil || r.Code != 0 {
		s.t.Errorf("cleanup: %v %s%s", err, r.Stdout, r.Stderr)
	}
	s.settle(n)
	if r, _ := n.Exec(s.ctx, "crm_mon", "-1f"); strings.Contains(r.Stdout, "fail-count") {
		s.t.Errorf("after cleanup: %s", r.Stdout)
	}
}

// loss switches a node off: it is fenced before anything of it starts elsewhere, and
// when it comes back nothing moves.
func (s *transitionStory) loss(lost *lab.Node, active bool) {
	s.t.Logf("losing %s", lost.Name())
	since := time.Now()
	if err := lost.PowerOff(s.ctx); err != nil {
		s.t.Fatal(err)
	}
	by := others(s.nodes, lost)[0]
	testwait.For(s.t, 60*time.Second, lost.Name()+" to be fenced", func() bool {
		_, off := s.power.Off(lost.Name(), since)
		return off
	})
	s.shows(by, "OFFLINE: [ "+lost.Name()+" ]")
	s.settle(by)
	now := s.active("g1", by)
	if now == lost {
		s.t.Errorf("g1 runs on %s, which is off", lost.Name())
	}
	if active {
		off, _ := s.power.Off(lost.Name(), since)
		if at := s.started("g1", now, by); at < off.Time.Unix() {
			s.t.Errorf("g1 started at %d, before %s was off at %d", at, lost.Name(), off.Time.Unix())
		}
	}
	if lost.On() {
		testwait.For(s.t, 20*time.Second, lost.Name()+" to be off", func() bool { return !lost.On() })
	}
	rejoin(s.t, s.ctx, lost)
	s.shows(by, "Online: [ n1 n2 n3 ]")
	s.settle(by)
	if s.active("g1", by) != now {
		s.t.Errorf("g1 moved when %s came back", lost.Name())
	}
}

// shows waits until crm_mon shows a text.
func (s *transitionStory) shows(n *lab.Node, text string) {
	s.t.Helper()
	out := ""
	defer func() {
		if s.t.Failed() {
			s.t.Log(out)
		}
	}()
	testwait.For(s.t, 60*time.Second, text+" in crm_mon of "+n.Name(), func() bool {
		r, _ := n.Exec(s.ctx, "crm_mon", "-1")
		out = r.Stdout + r.Stderr
		return strings.Contains(out, text)
	})
}

// started is when the last start of a resource on a node ended, in seconds.
func (s *transitionStory) started(rsc string, on, by *lab.Node) int64 {
	at := int64(0)
	s.cib(by).Find(func(x *xmltree.Node) bool {
		if x.Name == "lrm_rsc_op" && x.Attr("on_node") == on.Name() && x.Attr("operation_key") == rsc+"_start_0" {
			fmt.Sscan(x.Attr("last-rc-change"), &at)
		}
		return false
	})
	return at
}

// leave stops Pacemaker and corosync on a node: what runs there moves, and nobody is fenced.
func (s *transitionStory) leave() {
	by := s.nodes[0]
	out := s.active("g1", by)
	if out == by {
		by = s.nodes[1]
	}
	since := time.Now()
	if err := out.Stop(s.ctx, lab.PartAll); err != nil {
		s.t.Fatal(err)
	}
	s.settle(by)
	if s.active("g1", by) == out {
		s.t.Errorf("g1 stays on %s, which left", out.Name())
	}
	s.shows(by, "OFFLINE: [ "+out.Name()+" ]")
	if _, off := s.power.Off(out.Name(), since); off {
		s.t.Errorf("%s was fenced although it left in order", out.Name())
	}
}
