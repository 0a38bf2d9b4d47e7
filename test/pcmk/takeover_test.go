package pcmk

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

const stateDir = "/var/lib/pacemaker"

// oneDummy is a resource and no fencing.
const oneDummy = `<configuration><crm_config><cluster_property_set id="cib-bootstrap-options">` +
	`<nvpair id="opt-stonith" name="stonith-enabled" value="false"/></cluster_property_set></crm_config><resources>` +
	`<primitive id="d" class="ocf" provider="pacemaker" type="Dummy"><operations><op id="d-m" name="monitor" interval="10s"/></operations></primitive>` +
	`</resources></configuration>`

// TestTakeover: a node's /var/lib/pacemaker goes from our Pacemaker to Debian's
// and back. Each starts on what the other left: the same configuration with the
// node's lasting attributes, no complaint about it, the resource runs, numbers of
// scheduler inputs and of archived versions go on. Fail counts do not outlive a
// node's clean leave, whoever left.
func TestTakeover(t *testing.T) {
	labtest.Long(t, "TestCIBFiles")
	labtest.Pacemaker(t)
	ctx := labtest.Context(t, 6*time.Minute)
	var left *legacy
	for i, half := range []lab.Impl{lab.Ours, lab.Debian, lab.Ours, lab.Ours, lab.Debian, lab.Debian, lab.Ours} {
		l := labtest.Up(t, lab.Options{Name: fmt.Sprintf("t%d-takeover-%d", os.Getpid(), i), Nodes: []lab.NodeSpec{{Pacemaker: half}}})
		n := l.Members()[0]
		if left != nil {
			if out, err := exec.Command("cp", "-aT", left.dir, n.Path(stateDir)).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}
		labtest.Start(t, l)
		if left == nil {
			load(t, ctx, n, oneDummy)
			for _, args := range [][]string{{"crm_attribute", "-N", "n1", "-n", "site", "-v", "a"}, {"crm_attribute", "-N", "n1", "-z", "-n", "cpu", "-v", "4"}} {
				if res := on(t, n, args...); res.Code != 0 {
					t.Fatalf("%v: %+v", args, res)
				}
			}
		}
		now := takeStock(t, ctx, n)
		if left != nil {
			now.after(t, half, left)
		}
		failOnce(t, ctx, n)
		if err := n.Stop(ctx, lab.PartPacemaker); err != nil {
			t.Fatal(err)
		}
		now.archive, now.inputs = number(t, n, "cib/cib.last"), number(t, n, "pengine/pe-input.last")
		left = now
	}
}

// legacy is what a Pacemaker leaves to the next.
type legacy struct {
	dir             string
	config          string // resources and nodes, with attributes
	archive, inputs string // the next numbers
	complaints      []string
}

// takeStock waits for the resource and describes the node.
func takeStock(t *testing.T, ctx context.Context, n *lab.Node) *legacy {
	t.Helper()
	testwait.For(t, 60*time.Second, "the resource to run", func() bool {
		res, err := n.Exec(ctx, "crm_resource", "-r", "d", "-W")
		return err == nil && strings.Contains(res.Stdout, "on: "+n.Name())
	})
	l := &legacy{dir: n.Path(stateDir), archive: number(t, n, "cib/cib.last"), inputs: number(t, n, "pengine/pe-input.last")}
	l.config = resources(t, ctx, n) + on(t, n, "cibadmin", "--query", "--scope", "nodes").Stdout
	for _, line := range logLines(t, ctx, n) {
		if strings.Contains(line, "pacemaker-based") && (strings.Contains(line, "error:") || strings.Contains(line, "orrupt")) {
			l.complaints = append(l.complaints, line)
		}
	}
	return l
}

// after compares with what was left to it.
func (l *legacy) after(t *testing.T, half lab.Impl, left *legacy) {
	t.Helper()
	if l.config != left.config {
		t.Errorf("%v sees\n%s\nwant\n%s", half, l.config, left.config)
	}
	if !strings.Contains(l.config, `name="site" value="a"`) || !strings.Contains(l.config, `name="cpu" value="4"`) {
		t.Errorf("%v: attributes are missing:\n%s", half, l.config)
	}
	if len(l.complaints) > 0 {
		t.Errorf("%v complains: %s", half, strings.Join(l.complaints, "\n"))
	}
	for _, n := range []struct{ what, was, is string }{{"archived version", left.archive, l.archive}, {"scheduler input", left.inputs, l.inputs}} {
		was, errWas := strconv.Atoi(n.was)
		is, errIs := strconv.Atoi(n.is)
		if errWas != nil || errIs != nil || is < was {
			t.Errorf("%v: the next %s is number %q, the one before said %q", half, n.what, n.is, n.was)
		}
	}
}

// number reads a file in which a number counts on.
func number(t *testing.T, n *lab.Node, name string) string {
	t.Helper()
	b, err := os.ReadFile(n.Path(stateDir + "/" + name))
	if err != nil {
		t.Error(err)
	}
	return strings.TrimSpace(string(b))
}

// failOnce has the resource fail, from a fail count of nothing, and recover.
func failOnce(t *testing.T, ctx context.Context, n *lab.Node) {
	t.Helper()
	count := func() string { return on(t, n, "crm_failcount", "-G", "-r", "d", "-N", n.Name()).Stdout }
	if got := count(); !strings.Contains(got, "value=0") {
		t.Errorf("a fail count outlived the node's leave: %s", got)
	}
	on(t, n, "rm", "/run/Dummy-d.state")
	testwait.For(t, 40*time.Second, "the failure to be counted", func() bool { return strings.Contains(count(), "value=1") })
	if res := on(t, n, "crm_resource", "--wait", "--timeout=60s"); res.Code != 0 {
		t.Errorf("%+v", res)
	}
}

// resources is the part of the configuration that daemons leave alone.
func resources(t *testing.T, ctx context.Context, n *lab.Node) string {
	t.Helper()
	res, err := n.Exec(ctx, "cibadmin", "--query", "--scope", "resources")
	if err != nil {
		t.Fatal(err)
	}
	return res.Stdout
}
