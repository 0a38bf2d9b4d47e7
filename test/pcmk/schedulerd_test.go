package pcmk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

const schedulerCIB = `<configuration>
 <crm_config><cluster_property_set id="cib-bootstrap-options"><nvpair id="opt-stonith" name="stonith-enabled" value="false"/>
  <nvpair id="opt-max" name="pe-input-series-max" value="4"/></cluster_property_set></crm_config>
 <resources><primitive id="d" class="ocf" provider="pacemaker" type="Dummy"/>
  <clone id="c"><primitive id="e" class="ocf" provider="pacemaker" type="Dummy"/></clone></resources>
 <alerts><alert id="told" path="/var/log/pacemaker/alert.sh"><select><select_attributes/></select></alert></alerts>
</configuration>`

// TestSchedulerd: our scheduler and our attribute manager among Debian's other
// daemons: resources start, inputs are saved in their series and read by Debian's
// crm_simulate, a warning makes an input of another series, a killed scheduler
// comes back, a lost node's resource moves; an alert agent hears of an attribute.
func TestSchedulerd(t *testing.T) {
	l := labtest.Cluster(t, 3, "pacemaker-schedulerd", "pacemaker-attrd")
	ctx := labtest.Context(t, 3*time.Minute)
	n := l.Members()[0]
	for _, m := range l.Members() {
		script := "#!/bin/sh\necho \"$CRM_alert_kind $CRM_alert_node $CRM_alert_attribute_name=$CRM_alert_attribute_value\" >> /var/log/pacemaker/alert.log\n"
		if err := os.WriteFile(m.Path("/var/log/pacemaker/alert.sh"), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := n.ExecInput(ctx, schedulerCIB, "cibadmin", "--modify", "--allow-create", "--scope", "configuration", "--xml-pipe"); err != nil {
		t.Fatal(err)
	}
	status := func(want string) func() bool {
		return func() bool {
			res, err := n.Exec(ctx, "crm_mon", "-1")
			return err == nil && strings.Contains(res.Stdout, want)
		}
	}
	testwait.For(t, 40*time.Second, "the clone to start everywhere", status("Started: [ n1 n2 n3 ]"))
	dc := l.Node(waitDC(t, ctx, n))
	inputs, _ := filepath.Glob(dc.Path("/var/lib/pacemaker/pengine/pe-input-*.bz2"))
	if len(inputs) == 0 || len(inputs) > 4 {
		t.Fatalf("inputs on %s: %v", dc.Name(), inputs)
	}
	res, err := dc.Exec(ctx, "crm_simulate", "--simulate", "--xml-file", "/var/lib/pacemaker/pengine/"+filepath.Base(inputs[0]))
	if err != nil || !strings.Contains(res.Stdout, "Using the original execution date of") {
		t.Errorf("crm_simulate: %v %s", err, res.Stdout)
	}
	for i := range 6 { // the series starts over at its limit
		if _, err := n.Exec(ctx, "attrd_updater", "-n", "turn", "-U", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		testwait.For(t, 20*time.Second, "the transition to end", status("Started: [ n1 n2 n3 ]"))
	}
	if inputs, _ = filepath.Glob(dc.Path("/var/lib/pacemaker/pengine/pe-input-*.bz2")); len(inputs) > 4 {
		t.Errorf("more inputs than the limit: %v", inputs)
	}
	testwait.For(t, 20*time.Second, "the alert agent to be told", func() bool {
		for _, m := range l.Members() {
			if b, err := os.ReadFile(m.Path("/var/log/pacemaker/alert.log")); err == nil && strings.Contains(string(b), "attribute n1 turn=5") {
				return true
			}
		}
		return false
	})
	// A deprecated value is something to warn of.
	if _, err := n.Exec(ctx, "crm_attribute", "--type", "crm_config", "--name", "stonith-action", "--update", "poweroff"); err != nil {
		t.Fatal(err)
	}
	testwait.For(t, 40*time.Second, "an input with warnings", func() bool {
		for _, m := range l.Members() {
			if found, _ := filepath.Glob(m.Path("/var/lib/pacemaker/pengine/pe-warn-*.bz2")); len(found) > 0 {
				return true
			}
		}
		return false
	})
	killScheduler(t, dc)
	loseNode(t, ctx, l, dc)
	for _, m := range l.Members() {
		if !m.On() {
			continue
		}
		if err := m.CheckOrigins(); err != nil {
			t.Error(err)
		}
	}
}

func waitDC(t *testing.T, ctx context.Context, n *lab.Node) string {
	t.Helper()
	dc, err := n.WaitDC(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return dc
}

func killScheduler(t *testing.T, dc *lab.Node) {
	t.Helper()
	p, ok := dc.Program("pacemaker-schedulerd")
	if !ok {
		t.Fatal("no scheduler")
	}
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testwait.For(t, 30*time.Second, "the scheduler to come back", func() bool {
		again, ok := dc.Program("pacemaker-schedulerd")
		return ok && again.PID != p.PID
	})
}

// loseNode cuts the power of a node that is not the DC: its resource starts elsewhere.
func loseNode(t *testing.T, ctx context.Context, l *lab.Lab, dc *lab.Node) {
	t.Helper()
	dcNow := l.Node(waitDC(t, ctx, dc))
	for _, m := range l.Members() {
		if m.Name() == dcNow.Name() || m.Name() == dc.Name() {
			continue
		}
		if err := m.PowerOff(ctx); err != nil {
			t.Fatal(err)
		}
		break
	}
	testwait.For(t, 40*time.Second, "the resource to run on what is left", func() bool {
		res, err := dcNow.Exec(ctx, "crm_resource", "--locate", "--resource", "d")
		return err == nil && strings.Contains(res.Stdout, "is running on")
	})
}
