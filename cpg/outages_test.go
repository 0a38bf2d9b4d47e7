package cpg

import (
	"math/rand/v2"
	"testing"

	"github.com/pacesync/pacesync/cpg/wire"
	"github.com/pacesync/pacesync/internal/corosync/service/servicetest"
)

// TestGhostMember [A2, corosync#828 #701]: a node with a process in the group
// joins the ring and dies at some step of that round, as with another
// config_version: at every step, for rings of two to four, over several orders of what the
// nodes do. Nobody may go on to list its process, and the rounds must end.
func TestGhostMember(t *testing.T) {
	steps, deaths := 60, 0
	if testing.Short() {
		steps = 25
	}
	for nodes := uint32(2); nodes <= 4; nodes++ {
		for seed := range uint64(2) {
			for step := range steps {
				r := rand.New(rand.NewPCG(seed, uint64(step)))
				w := &world{t: t, r: r, bus: servicetest.NewBus(t, r), groups: []wire.Name{wire.MustName("pmxcfs")}}
				for id := uint32(1); id <= nodes; id++ {
					w.procs = append(w.procs, open(w.bus.Start(id, build), 100+id))
				}
				rest := w.bus.Up()[:nodes-1]
				w.bus.Change(rest)
				w.bus.Settle()
				for _, p := range w.procs {
					p.join(t, w.groups[0], 0)
				}
				w.quiet()
				w.bus.Change(w.bus.Up())
				for range step {
					w.bus.Step()
				}
				w.bus.Kill(nodes)
				w.procs = w.procs[:nodes-1]
				w.bus.Change(rest)
				w.quiet()
				deaths++
			}
		}
	}
	t.Logf("%d deaths", deaths)
}
