package totemtest

import (
	"testing"

	"github.com/pacesync/pacesync/internal/sim"
)

// defaultOrderSeeds is what go test runs with nodes of both byte orders.
const defaultOrderSeeds = 20

// bothOrders gives some nodes of a seed's plan, never none, the other byte order; every
// third of these seeds runs over knet. Losses of the ring id file are taken out,
// for the ledger does not follow them.
func bothOrders(seed uint64) *Plan {
	p := FromSeed(seed)
	if seed%3 == 0 {
		p = KnetFromSeed(seed)
	}
	for i := range p.Faults {
		if p.Faults[i].Kind == CrashLost {
			p.Faults[i].Kind = Crash
		}
	}
	p.Big = Mask(1 + sim.NewRand(seed, streamOrder).IntN(1<<len(p.IDs)-1))
	return p
}

// TestByteOrderSeeds: rings in which some or all nodes are of the other byte
// order, as on machines of another kind, keep every promise. What nodes send is
// turned as the original's converters turn it back (totemsrp.c).
func TestByteOrderSeeds(t *testing.T) {
	if *flagSeed != 0 {
		replay(t, *flagSeed, bothOrders)
		return
	}
	count := *flagSeeds
	if count == 0 {
		count = defaultOrderSeeds
		if testing.Short() {
			count = 15
		}
	}
	runSeeds(t, *flagBase, count, bothOrders)
}
