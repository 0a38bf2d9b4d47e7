package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// TestLabCluster: Debian's whole stack comes up in a lab, which shows that what
// later tests find is the daemons' doing and not the lab's.
func TestLabCluster(t *testing.T) {
	labtest.Pacemaker(t)
	l := labtest.Up(t, lab.Options{})
	ctx := labtest.Context(t, 90*time.Second)
	if err := l.WriteConf(lab.Conf{Totem: []string{"token: 1000"}}); err != nil {
		t.Fatal(err)
	}
	if err := l.StartRing(ctx, l.Nodes()...); err != nil {
		t.Fatal(err)
	}
	m := l.Node("n2").Membership(ctx)
	if !m.Quorate || m.Votes != 3 || m.Quorum != 2 || !slices.Equal(m.Members, []int{1, 2, 3}) {
		t.Errorf("n2 says %+v", m)
	}
	for _, n := range l.Nodes() {
		if err := n.Start(ctx, lab.PartPacemaker); err != nil {
			t.Fatal(err)
		}
	}
	dc, err := l.Node("n1").WaitDC(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the designated controller is %s", dc)
	for _, n := range l.Nodes() {
		if err := n.CheckOrigins(); err != nil {
			t.Error(err)
		}
	}
	if err := l.Node("n3").Kill(ctx, lab.PartAll); err != nil {
		t.Fatal(err)
	}
	if err := l.WaitRing(ctx, l.Node("n1"), l.Node("n2")); err != nil {
		t.Error(err)
	}
}
