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
)

// TestMixedCluster: nodes with our Pacemaker and nodes with Debian's are one
// cluster, whoever is the DC: they elect, start a resource, fence the node that
// is lost, take over and take it back.
func TestMixedCluster(t *testing.T) {
	for _, m := range []struct {
		name   string
		halves [3]lab.Impl
	}{
		{"one of ours", [3]lab.Impl{lab.Ours, lab.Debian, lab.Debian}},
		{"two of ours", [3]lab.Impl{lab.Ours, lab.Ours, lab.Debian}},
	} {
		if m.name != "two of ours" && os.Getenv("E2E_LONG") == "" {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			labtest.Pacemaker(t)
			ctx := labtest.Context(t, 5*time.Minute)
			var nodes []lab.NodeSpec
			for _, h := range m.halves {
				nodes = append(nodes, lab.NodeSpec{Pacemaker: h})
			}
			l := labtest.Up(t, lab.Options{Nodes: nodes, Files: []lab.File{lab.FenceAgent()}})
			power, err := l.ServePower()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { power.Close() })
			labtest.Start(t, l)
			if _, err := l.Members()[0].ExecInput(ctx, fencedCIB(l.Members()), "cibadmin", "--modify", "--allow-create", "--scope", "configuration", "--xml-pipe"); err != nil {
				t.Fatal(err)
			}
			for range l.Members() {
				loseWhereItRuns(t, ctx, l, power)
			}
		})
	}
}

// loseWhereItRuns cuts the node of the resource off, and brings it back.
func loseWhereItRuns(t *testing.T, ctx context.Context, l *lab.Lab, power *lab.PowerSwitch) {
	t.Helper()
	at := idle(t, ctx, l)
	victim, since := l.Node(at), time.Now()
	t.Logf("the DC is %s, the resource is on %s, which is lost", l.Members()[0].DC(ctx), at)
	if err := victim.PowerOff(ctx); err != nil {
		t.Fatal(err)
	}
	testwait.For(t, time.Minute, at+" to be fenced", func() bool {
		_, ok := power.Off(at, since)
		return ok
	})
	if now := idle(t, ctx, l); now == at {
		t.Errorf("the resource is still said to be on %s", at)
	}
	bringBack(t, ctx, l, victim)
	moved := idle(t, ctx, l)
	for _, n := range l.Members() {
		testwait.For(t, time.Minute, n.Name()+" to know its DC", func() bool { return n.DC(ctx) != "" })
	}
	if now := idle(t, ctx, l); now != moved {
		t.Errorf("the resource went from %s to %s when %s returned", moved, now, at)
	}
}

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
