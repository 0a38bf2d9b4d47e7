package e2e

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

const dummyCIB = `<configuration>
 <crm_config><cluster_property_set id="cib-bootstrap-options"><nvpair id="opt-stonith" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
 <rsc_defaults><meta_attributes id="rsc-options"><nvpair id="rsc-stickiness" name="resource-stickiness" value="100"/></meta_attributes></rsc_defaults>
 <resources><primitive id="d" class="ocf" provider="pacemaker" type="Dummy"><operations><op id="d-m" name="monitor" interval="10s"/></operations></primitive></resources>
</configuration>`

// TestPacemaker: the whole of Debian's Pacemaker on three corosyncs elects a
// controller, starts a resource, moves it when its node is killed, and takes
// the node back.
func TestPacemaker(t *testing.T) {
	for _, m := range mixes() {
		if os.Getenv("E2E_LONG") == "" && os.Getenv("MIX") == "" && len(m.ours) != 0 && len(m.ours) != 3 {
			continue // the mixed ones only in the full count
		}
		t.Run(m.name, func(t *testing.T) {
			labtest.Pacemaker(t)
			ctx := labtest.Context(t, 3*time.Minute)
			l := startMix(t, ctx, m, lab.Conf{Totem: []string{"token: 1000"}})
			nodes := l.Members()
			for _, n := range nodes {
				if err := n.Start(ctx, lab.PartPacemaker); err != nil {
					t.Fatal(err)
				}
			}
			dc, err := nodes[0].WaitDC(ctx)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("the designated controller is %s", dc)
			if _, err := nodes[0].ExecInput(ctx, dummyCIB, "cibadmin", "--modify", "--allow-create", "--scope", "configuration", "--xml-pipe"); err != nil {
				t.Fatal(err)
			}
			moveAndReturn(t, ctx, l)
		})
	}
}

func moveAndReturn(t *testing.T, ctx context.Context, l *lab.Lab) {
	t.Helper()
	nodes := l.Members()
	at := ""
	testwait.For(t, 40*time.Second, "the resource to start", func() bool {
		at = where(ctx, nodes[0])
		return at != ""
	})
	for _, n := range nodes {
		if err := n.CheckOrigins(); err != nil {
			t.Error(err)
		}
	}
	victim := l.Node(at)
	others := slices.DeleteFunc(l.Members(), func(n *lab.Node) bool { return n.Name() == at })
	if err := victim.PowerOff(ctx); err != nil {
		t.Fatal(err)
	}
	testwait.For(t, 40*time.Second, "the resource to move away from "+at, func() bool {
		now := where(ctx, others[0])
		return now != "" && now != at
	})
	moved := where(ctx, others[0])
	if err := victim.PowerOn(ctx); err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(ctx, lab.PartAll); err != nil {
		t.Fatal(err)
	}
	testwait.For(t, 60*time.Second, at+" to be online again", func() bool {
		res, _ := others[0].Exec(ctx, "crm_mon", "-1")
		return strings.Contains(res.Stdout, "Online: [ n1 n2 n3 ]")
	})
	if _, err := others[0].Exec(ctx, "crm_resource", "--wait", "--timeout", "40s"); err != nil {
		t.Error(err)
	}
	for _, n := range nodes {
		if now := where(ctx, n); now != moved {
			t.Errorf("%s says that the resource is on %q, want %q", n.Name(), now, moved)
		}
	}
}

// where says on which node the resource d runs.
func where(ctx context.Context, n *lab.Node) string {
	res, _ := n.Exec(ctx, "crm_resource", "--locate", "--resource", "d")
	_, on, _ := strings.Cut(res.Stdout, "is running on: ")
	return strings.TrimSpace(on)
}
