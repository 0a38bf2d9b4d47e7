package pcmk

import (
	"context"
	"os"
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
