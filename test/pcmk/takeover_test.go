package pcmk

import (
	"context"
	"os"
	"os/exec"
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
// and back. Each starts on what the other left: the same configuration, no
// complaint about it, and the resource runs.
func TestTakeover(t *testing.T) {
	labtest.Long(t, "TestCIBFiles")
	labtest.Pacemaker(t)
	ctx := labtest.Context(t, 4*time.Minute)
	left, want := "", ""
	order := []lab.Impl{lab.Ours, lab.Debian, lab.Ours}
	if os.Getenv("E2E_LONG") == "" {
		order = order[:2] // the way back only in the full count
	}
	for i, half := range order {
		l := labtest.Up(t, lab.Options{Name: "takeover-" + string(rune('a'+i)), Nodes: []lab.NodeSpec{{Pacemaker: half}}})
		n := l.Members()[0]
		if left != "" {
			if out, err := exec.Command("cp", "-aT", left, n.Path(stateDir)).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}
		labtest.Start(t, l)
		if left == "" {
			if _, err := n.ExecInput(ctx, oneDummy, "cibadmin", "--modify", "--allow-create", "--scope", "configuration", "--xml-pipe"); err != nil {
				t.Fatal(err)
			}
		}
		testwait.For(t, 60*time.Second, "the resource to run", func() bool {
			res, err := n.Exec(ctx, "crm_resource", "-r", "d", "-W")
			return err == nil && strings.Contains(res.Stdout, "on: "+n.Name())
		})
		got := resources(t, ctx, n)
		if want == "" {
			want = got
		} else if got != want {
			t.Errorf("%v sees\n%s\nwant\n%s", half, got, want)
		}
		for _, line := range logLines(t, ctx, n) {
			if strings.Contains(line, "pacemaker-based") && (strings.Contains(line, "error:") || strings.Contains(line, "orrupt")) && left != "" {
				t.Errorf("%v complains: %s", half, line)
			}
		}
		if err := n.Stop(ctx, lab.PartPacemaker); err != nil {
			t.Fatal(err)
		}
		left = n.Path(stateDir)
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

// TestStrangers: user nobody and a user outside the cluster's group reach no
// daemon; what they try fails, and says so.
func TestStrangers(t *testing.T) {
	labtest.Pacemaker(t)
	ctx := labtest.Context(t, 2*time.Minute)
	l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{Pacemaker: lab.Ours}}})
	labtest.Start(t, l)
	n := l.Members()[0]
	before := resources(t, ctx, n)
	for _, user := range []string{"nobody", "daemon"} {
		for _, args := range [][]string{
			{"cibadmin", "--query"}, {"cibadmin", "--erase", "--force"}, {"cibadmin", "--delete", "--xml-text", "<nodes/>"},
			{"attrd_updater", "-n", "x", "-U", "1"}, {"crm_node", "-l"},
			{"crmadmin", "-t", "3s", "-D"}, {"crmadmin", "-t", "3s", "-P"}, {"stonith_admin", "-L"}, {"stonith_admin", "-F", "n1"}, {"pacemakerd", "-S"},
		} {
			res, err := n.Exec(ctx, append([]string{"setpriv", "--reuid=" + user, "--clear-groups", "--regid=nogroup", "--"}, args...)...)
			if err == nil || res.Code == 0 || strings.TrimSpace(res.Stderr+res.Stdout) == "" {
				t.Errorf("%s, %v: %+v", user, args, res)
			}
		}
	}
	if after := resources(t, ctx, n); after != before || !serves(ctx, n) {
		t.Error("something changed")
	}
}
