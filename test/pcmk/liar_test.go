package pcmk

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab"
	"github.com/pacesync/pacesync/internal/lab/labtest"
	"github.com/pacesync/pacesync/internal/testwait"
)

// liarAgent says that all is done, and does nothing.
const liarAgent = `#!/bin/bash
while read -r line; do case $line in action=*) action=${line#*=};; esac; done
[ "$action" = metadata ] && echo '<resource-agent name="fence_liar"><parameters><parameter name="plug"/></parameters><actions><action name="off"/><action name="on"/><action name="reboot"/><action name="monitor"/><action name="metadata"/></actions></resource-agent>'
exit 0
`

// TestLiar: a fence agent says that a node is off while it runs. The node learns
// of its own fencing, says so, gives up its resources' cluster and stays down;
// nobody takes it for a member. The full count holds Debian's cluster to the same.
func TestLiar(t *testing.T) {
	labtest.Long(t, "crmd/transition's TestAlert")
	for _, half := range []lab.Impl{lab.Ours, lab.Debian} {
		t.Run(half.String(), func(t *testing.T) {
			labtest.Pacemaker(t)
			ctx := labtest.Context(t, 4*time.Minute)
			spec := lab.NodeSpec{Corosync: half, Pacemaker: half}
			l := labtest.Up(t, lab.Options{Nodes: []lab.NodeSpec{spec, spec}, Files: []lab.File{{Path: "/usr/sbin/fence_liar", Mode: 0o755, Content: liarAgent}}})
			labtest.Start(t, l)
			n1, n2 := l.Members()[0], l.Members()[1]
			load(t, ctx, n1, fenceCIB(fenceDevice("liar", "fence_liar", "n2"), ""))
			started(t, ctx, n1, 1)
			admin(t, ctx, n1, 0, "--fence", "n2", "--timeout", "20")
			testwait.For(t, 60*time.Second, "Pacemaker of n2 to give up", func() bool { return n2.Daemon(lab.PartPacemaker) == 0 })
			b, err := os.ReadFile(n2.Path(wrongLog))
			if err != nil || !strings.Contains(string(b), "We were allegedly just fenced by") {
				t.Errorf("n2 does not say why (%v)", err)
			}
			testwait.For(t, 60*time.Second, "n1 to see n2 offline", func() bool {
				return strings.Contains(on(t, n1, "crm_mon", "-1").Stdout, "OFFLINE: [ n2 ]")
			})
			wantHistory(t, ctx, []*lab.Node{n1}, "n2")
		})
	}
}
