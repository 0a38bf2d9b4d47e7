package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// TestPowerSwitch: the fence agent speaks the manner of fence-agents, and "off"
// is answered only when no process of the node is left.
func TestPowerSwitch(t *testing.T) {
	labtest.Need(t)
	l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{}, {}}, Files: []lab.File{lab.FenceAgent()}})
	ctx := labtest.Context(t, time.Minute)
	sw, err := l.ServePower()
	if err != nil {
		t.Fatal(err)
	}
	n1, n2 := l.Node("n1"), l.Node("n2")
	ask := func(code int, says string, options ...string) {
		t.Helper()
		res, _ := n1.ExecInput(ctx, strings.Join(options, "\n")+"\n", "/usr/sbin/fence_lab")
		if res.Code != code || !strings.Contains(res.Stdout+res.Stderr, says) {
			t.Errorf("%v: status %d, %q%q; want %d and %q", options, res.Code, res.Stdout, res.Stderr, code, says)
		}
	}
	ask(0, "<resource-agent", "action=metadata")
	ask(0, "n1, n2,", "action=list")
	ask(0, "", "action=monitor")
	ask(0, "ON", "action=status", "plug=n2")
	cmd, err := n2.Command(ctx, "sleep", "1000")
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	began := time.Now()
	ask(0, "Success", "action=off", "port=n2")
	if n2.On() || len(n2.Ps()) > 0 {
		t.Error("off was answered while the node lives")
	}
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("a process of the node outlived its power")
	}
	if off, ok := sw.Off("n2", began); !ok || off.By != "n1" {
		t.Errorf("the switch remembers %+v, %v", off, ok)
	}
	if log, err := os.ReadFile(filepath.Join(l.Shared(), "power.log")); err != nil || !strings.Contains(string(log), "n2 off by n1: done") {
		t.Errorf("power.log: %q, %v", log, err)
	}
	ask(2, "OFF", "action=status", "plug=n2")
	ask(0, "Success", "action=off", "plug=n2") // already off: done
	ask(0, "Success", "action=on", "plug=n2")
	ask(0, "ON", "option=status", "nodename=n2")
	ask(0, "Success", "action=reboot", "plug=n2")
	ask(1, "no node", "action=off", "plug=n9")
	ask(1, "unknown", "action=explode", "plug=n2")
}
