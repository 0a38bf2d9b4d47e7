package pcmk

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/testwait"
)

// fencedCIB has fencing by the lab's power switch and one resource.
func fencedCIB(nodes []*lab.Node) string {
	var b strings.Builder
	b.WriteString(`<configuration><crm_config><cluster_property_set id="cib-bootstrap-options">` +
		`<nvpair id="opt-stonith" name="stonith-enabled" value="true"/></cluster_property_set></crm_config>` +
		`<rsc_defaults><meta_attributes id="rsc-options"><nvpair id="rsc-stickiness" name="resource-stickiness" value="100"/></meta_attributes></rsc_defaults><resources>`)
	for _, n := range nodes {
		fmt.Fprintf(&b, `<primitive id="power-%[1]s" class="stonith" type="fence_lab"><instance_attributes id="power-%[1]s-p">`+
			`<nvpair id="power-%[1]s-hosts" name="pcmk_host_list" value="%[1]s"/></instance_attributes></primitive>`, n.Name())
	}
	b.WriteString(`<primitive id="d" class="ocf" provider="pacemaker" type="Dummy"><operations><op id="d-m" name="monitor" interval="10s"/></operations></primitive></resources></configuration>`)
	return b.String()
}

// idle waits until the cluster has nothing to do, on the word of every node that
// is up, and returns where d runs. What a node says right after a loss may be of
// before, so it must say it three times running.
func idle(t *testing.T, ctx context.Context, l *lab.Lab) string {
	t.Helper()
	at, looks := "", 0
	testwait.For(t, 2*time.Minute, "the cluster to be idle", func() bool {
		looks++
		for _, n := range l.Members() {
			if n.Daemon(lab.PartPacemaker) == 0 {
				continue // fenced
			}
			where, ok := rests(ctx, n)
			if !ok || l.Node(where) == nil || looks > 1 && where != at {
				looks = 0
				return false
			}
			at = where
		}
		return looks == 3
	})
	return at
}

// rests tells whether the node's controller and the DC have nothing to do, and
// where d runs as the node knows it.
func rests(ctx context.Context, n *lab.Node) (where string, ok bool) {
	dc := n.DC(ctx)
	if dc == "" {
		return "", false
	}
	for _, who := range []string{dc, n.Name()} {
		res, err := n.Exec(ctx, "crmadmin", "-t", "3s", "-q", "-S", who)
		state := strings.TrimSpace(res.Stdout)
		if err != nil || state != "S_IDLE" && (who == dc || state != "S_NOT_DC") {
			return "", false
		}
	}
	res, err := n.Exec(ctx, "crm_resource", "-r", "d", "-W")
	_, where, ok = strings.Cut(res.Stdout, "on: ")
	return strings.TrimSpace(where), ok && err == nil
}

// mark names one run of the resource: its state file is made by each start.
func mark(t *testing.T, ctx context.Context, n *lab.Node) string {
	t.Helper()
	res, err := n.Exec(ctx, "sh", "-c", "stat -c '%i %y' /run/Dummy-d.state")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(res.Stdout)
}

// TestDaemonKills kills each daemon in turn where a resource runs. The fencer,
// the attribute manager and the scheduler come back, and nothing is touched.
// Without the CIB manager or the executor the controller gives up its node's
// membership, and a controller that is gone leaves nobody to say what runs: the
// scheduler may have the node fenced, as the original does, and then the
// resource runs elsewhere. The original is held to the same in the full count.
func TestDaemonKills(t *testing.T) {
	for _, half := range []lab.Impl{lab.Ours, lab.Debian} {
		if half == lab.Debian && os.Getenv("E2E_LONG") == "" {
			continue
		}
		t.Run(half.String(), func(t *testing.T) { testKills(t, half) })
	}
}

func testKills(t *testing.T, half lab.Impl) {
	labtest.Pacemaker(t)
	ctx := labtest.Context(t, 9*time.Minute)
	l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{Pacemaker: half}, {Pacemaker: half}, {Pacemaker: half}}, Files: []lab.File{lab.FenceAgent()}})
	power, err := l.ServePower()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { power.Close() })
	labtest.Start(t, l)
	n1 := l.Members()[0]
	if _, err := n1.ExecInput(ctx, fencedCIB(l.Members()), "cibadmin", "--modify", "--allow-create", "--scope", "configuration", "--xml-pipe"); err != nil {
		t.Fatal(err)
	}
	for _, d := range pcmk.Daemons() {
		at := idle(t, ctx, l)
		n := l.Node(at)
		before, events := mark(t, ctx, n), len(power.Events())
		p, ok := n.Program(d.Program)
		if !ok {
			t.Fatalf("%s does not run on %s", d.Program, at)
		}
		if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		testwait.For(t, 40*time.Second, d.Program+" to come back, or its node to be fenced", func() bool {
			again, ok := n.Program(d.Program)
			return ok && again.PID != p.PID || len(power.Events()) > events
		})
		now := idle(t, ctx, l)
		fenced := power.Events()[events:]
		t.Logf("%s killed on %s: the resource is on %s, fencing: %v", d.Program, at, now, fenced)
		switch {
		case len(fenced) > 0:
			if mayBeFenced(d) && now != at {
				bringBack(t, ctx, l, n)
				continue
			}
			t.Errorf("%s killed: fencing: %v", d.Program, fenced)
		case now != at:
			t.Errorf("%s killed: the resource went from %s to %s", d.Program, at, now)
		case mark(t, ctx, n) != before:
			t.Errorf("%s killed: the resource was started again", d.Program)
		}
	}
}

// mayBeFenced tells whether the loss of a daemon may cost its node.
func mayBeFenced(d pcmk.Daemon) bool {
	return d.Message == "cib" || d.Message == "lrmd" || d.Message == "crmd"
}

// bringBack brings a fenced node back.
func bringBack(t *testing.T, ctx context.Context, l *lab.Lab, n *lab.Node) {
	t.Helper()
	if err := n.PowerOn(ctx); err != nil {
		t.Fatal(err)
	}
	if err := n.Start(ctx, lab.PartCorosync); err != nil {
		t.Fatal(err)
	}
	if err := l.WaitRing(ctx, l.Members()...); err != nil {
		t.Fatal(err)
	}
	if err := n.Start(ctx, lab.PartPacemaker); err != nil {
		t.Fatal(err)
	}
}
