package totemtest

import (
	"testing"
)

// defaultKnetSeeds is what go test runs over knet.
const defaultKnetSeeds = 120

// knetCoverSeeds is from how many seeds on every cell of the table must be reached.
const knetCoverSeeds = 2000

// TestKnetSeeds runs the simulator over knet: many seeds, or the one to replay.
func TestKnetSeeds(t *testing.T) {
	if *flagSeed != 0 {
		replay(t, *flagSeed, KnetFromSeed)
		return
	}
	count := *flagSeeds
	if count == 0 {
		count = defaultKnetSeeds
		if testing.Short() {
			count = 20
		}
	}
	sum := runSeeds(t, *flagBase, count, KnetFromSeed)
	if len(sum.failures) > 0 {
		return
	}
	t.Logf("how often each thing happened in each state of a link (–: cannot be, see knetEmptyWhy):\n%s", sum.knet.Table())
	for _, cell := range sum.knet.Missing() {
		if count >= knetCoverSeeds {
			t.Errorf("in %d seeds: %s", count, cell)
		} else {
			t.Logf("in %d seeds: %s", count, cell)
		}
	}
}
