package cpg

import (
	"math/rand/v2"
	"testing"

	"github.com/pacesync/pacesync/cpg/wire"
	"github.com/pacesync/pacesync/internal/corosync/service"
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

// counted is a host that counts what its node multicasts.
type counted struct {
	service.Host
	sent *int
}

func (c counted) Mcast(hdr, body []byte) error {
	*c.sent++
	return c.Host.Mcast(hdr, body)
}

// TestColdStartOfMany [A13, kronosnet#218]: 64 nodes with a process each find
// together at one moment, and each process tells the others its state. What the
// nodes say grows with their number, not with its square.
func TestColdStartOfMany(t *testing.T) {
	const nodes = 64
	sent := 0
	r := rand.New(rand.NewPCG(13, 1))
	w := &world{t: t, r: r, bus: servicetest.NewBus(t, r), groups: []wire.Name{wire.MustName("pmxcfs")}}
	for id := uint32(1); id <= nodes; id++ {
		n := w.bus.Start(id, func(h service.Host) []*service.Engine { return build(counted{h, &sent}) })
		w.bus.Settle()
		p := open(n, 100+id)
		p.join(t, w.groups[0], 0)
		w.procs = append(w.procs, p)
	}
	w.quiet()
	sent = 0
	w.bus.Change(w.bus.Up())
	w.bus.Settle()
	agreed := sent
	w.check()
	for _, p := range w.procs {
		if !p.mcast(t, "my state") {
			t.Fatalf("node %d may not send", p.n.ID)
		}
	}
	w.bus.Settle()
	for _, p := range w.procs {
		if got := len(p.c.TakeEvents()); got != nodes {
			t.Errorf("node %d: %d states of %d", p.n.ID, got, nodes)
		}
	}
	t.Logf("%d messages to agree on %d processes", agreed, nodes)
	if agreed > 2*nodes {
		t.Errorf("%d messages for %d nodes", agreed, nodes)
	}
}
