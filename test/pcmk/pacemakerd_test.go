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
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/testwait"
)

// serves tells whether the node's pacemakerd says that it is running.
func serves(ctx context.Context, n *lab.Node) bool {
	res, err := n.Exec(ctx, "crmadmin", "-t", "3s", "-P")
	return err == nil && strings.Contains(res.Stdout, "Pacemaker is running")
}

// TestPacemakerd: our pacemakerd starts and supervises Debian's daemons. Each
// is killed and comes back, nothing else is touched, and the orderly stop goes
// in the original's order.
func TestPacemakerd(t *testing.T) {
	ctx := labtest.Context(t, 4*time.Minute)
	l := labtest.Cluster(t, 1, "pacemakerd")
	n := l.Members()[0]
	if err := n.CheckOrigins(); err != nil {
		t.Error(err)
	}
	testwait.For(t, 30*time.Second, "crmadmin to say that Pacemaker runs", func() bool { return serves(ctx, n) })
	for _, d := range pcmk.Daemons() {
		if os.Getenv("E2E_LONG") == "" && (d.Message == "lrmd" || d.Message == "crmd") {
			continue // each costs an election
		}
		p, ok := n.Program(d.Program)
		if !ok {
			t.Fatalf("%s does not run", d.Program)
		}
		if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		testwait.For(t, 30*time.Second, d.Program+" to come back", func() bool {
			again, ok := n.Program(d.Program)
			return ok && again.PID != p.PID
		})
		checkUser(t, n, d)
		testwait.For(t, 60*time.Second, "all to be well after "+d.Program+" was killed", func() bool {
			_, dc := n.Exec(ctx, "crmadmin", "-t", "3s", "-D")
			return serves(ctx, n) && dc == nil
		})
	}
	checkAdopts(t, ctx, n)
	checkStop(t, ctx, n)
}

// checkUser compares the user of a daemon with what the original gives it.
func checkUser(t *testing.T, n *lab.Node, d pcmk.Daemon) {
	t.Helper()
	want := pcmk.User
	if d.Root {
		want = "root"
	}
	res, err := n.Exec(labtest.Context(t, 10*time.Second), "ps", "-C", d.Program[:15], "-o", "user=")
	if err != nil || strings.TrimSpace(res.Stdout) != want {
		t.Errorf("%s runs as %q, want %s (%v)", d.Program, strings.TrimSpace(res.Stdout), want, err)
	}
}

// checkStop stops Pacemaker by its option and looks at the order in the log.
func checkStop(t *testing.T, ctx context.Context, n *lab.Node) {
	t.Helper()
	if _, err := n.Exec(ctx, "pacemakerd", "--shutdown"); err != nil {
		t.Fatal(err)
	}
	testwait.For(t, 60*time.Second, "pacemakerd to stop", func() bool { return n.Daemon(lab.PartPacemaker) == 0 })
	for _, d := range pcmk.Daemons() {
		if _, ok := n.Program(d.Program); ok {
			t.Errorf("%s still runs", d.Program)
		}
	}
	var order, want []string
	for _, line := range logLines(t, ctx, n) {
		if _, after, ok := strings.Cut(line, "notice: Stopping pacemaker-"); ok {
			order = append(order, after)
		}
	}
	for _, d := range slices.Backward(pcmk.Daemons()) {
		want = append(want, strings.TrimPrefix(d.Program, "pacemaker-"))
	}
	if !slices.Equal(order, want) {
		t.Errorf("stopped %v, want %v", order, want)
	}
}

// logLines is the node's pacemaker.log.
func logLines(t *testing.T, ctx context.Context, n *lab.Node) []string {
	t.Helper()
	res, err := n.Exec(ctx, "cat", pcmk.LogFile)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(res.Stdout, "\n")
}

// checkAdopts kills pacemakerd itself: started again, it finds the daemons that
// it had started and goes on with them. A second one beside it refuses to start.
func checkAdopts(t *testing.T, ctx context.Context, n *lab.Node) {
	t.Helper()
	if res, err := n.Exec(ctx, "pacemakerd"); res.Code != int(pcmk.ExitFatal) {
		t.Errorf("a second one: status %d, %v", res.Code, err)
	}
	before := pids(n)
	mcp, _ := n.Program("pacemakerd")
	if err := syscall.Kill(mcp.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testwait.For(t, 10*time.Second, "pacemakerd to end", func() bool { return n.Daemon(lab.PartPacemaker) == 0 })
	if err := n.Start(ctx, lab.PartPacemaker); err != nil {
		t.Fatal(err)
	}
	testwait.For(t, 30*time.Second, "crmadmin to say that Pacemaker runs", func() bool { return serves(ctx, n) })
	if after := pids(n); after != before {
		t.Errorf("daemons before: %s\nafter: %s", before, after)
	}
	// An adopted daemon's end is noticed too.
	p, _ := n.Program("pacemaker-attrd")
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testwait.For(t, 40*time.Second, "an adopted daemon to be started again", func() bool {
		again, ok := n.Program("pacemaker-attrd")
		return ok && again.PID != p.PID
	})
}

// pids names the daemons with their processes.
func pids(n *lab.Node) string {
	var out []string
	for _, d := range pcmk.Daemons() {
		p, _ := n.Program(d.Program)
		out = append(out, fmt.Sprintf("%s=%d", d.Program, p.PID))
	}
	return strings.Join(out, " ")
}

// TestPacemakerdFatal: a daemon that ends with status 100 takes Pacemaker and
// corosync of its node down.
func TestPacemakerdFatal(t *testing.T) {
	labtest.Pacemaker(t)
	ctx := labtest.Context(t, 2*time.Minute)
	l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{Ours: []string{"pacemakerd"}, Files: []lab.File{
		{Path: "/usr/lib/pacemaker/pacemaker-schedulerd", Mode: 0o755, Content: "#!/bin/sh\nsleep 3\nexit 100\n"},
	}}}})
	n := l.Members()[0]
	if err := l.StartRing(ctx, n); err != nil {
		t.Fatal(err)
	}
	if err := n.Start(ctx, lab.PartPacemaker); err != nil {
		t.Fatal(err)
	}
	testwait.For(t, 60*time.Second, "pacemakerd and corosync to end", func() bool {
		return n.Daemon(lab.PartPacemaker) == 0 && n.Daemon(lab.PartCorosync) == 0
	})
	if !slices.ContainsFunc(logLines(t, ctx, n), func(s string) bool { return strings.Contains(s, "Shutting down and staying down after fatal error") }) {
		t.Error("the log does not say why")
	}
}

// TestPacemakerdPanic: a daemon that ends with status 101 has its node reset.
func TestPacemakerdPanic(t *testing.T) {
	labtest.Pacemaker(t)
	ctx := labtest.Context(t, 2*time.Minute)
	l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{{Ours: []string{"pacemakerd"}, Files: []lab.File{
		{Path: "/usr/lib/pacemaker/pacemaker-schedulerd", Mode: 0o755, Content: "#!/bin/sh\nsleep 3\nexit 101\n"},
	}}}})
	n := l.Members()[0]
	if err := l.StartRing(ctx, n); err != nil {
		t.Fatal(err)
	}
	// Not every kernel has the trigger; one that has must be out of the lab's reach.
	if res, err := n.Exec(ctx, "sh", "-c", "[ ! -e /proc/sysrq-trigger ] || [ -c /proc/sysrq-trigger ]"); err != nil {
		t.Fatalf("the lab reaches the kernel's trigger: %+v %v", res, err)
	}
	if err := n.Start(ctx, lab.PartPacemaker); err != nil {
		t.Fatal(err)
	}
	testwait.For(t, 60*time.Second, "the node to go down", func() bool { return !n.On() })
}
