package sync_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pacesync/pacesync/cpg"
	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/corosync/service/servicetest"
	"github.com/pacesync/pacesync/quorum"
	quorumwire "github.com/pacesync/pacesync/quorum/wire"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run this seed of TestRandomCluster alone")
	seedsFlag = flag.Uint64("seeds", 150, "number of seeds of TestRandomCluster")
)

// TestRandomCluster: rings split, merge, are interrupted in their rounds, nodes
// die, start and find no room to send. Whenever all is quiet, every round is
// completed, exactly the majority is quorate, and every node of a ring says the
// same of it.
func TestRandomCluster(t *testing.T) {
	run := func(seed uint64) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { newCluster(t, seed).run() })
	}
	if *seedFlag != 0 {
		run(*seedFlag)
		return
	}
	for seed := uint64(1); seed <= *seedsFlag; seed++ {
		run(seed)
	}
}

type cluster struct {
	t     *testing.T
	r     *rand.Rand
	bus   *servicetest.Bus
	size  int
	votes map[uint32]*quorum.Engines
}

func newCluster(t *testing.T, seed uint64) *cluster {
	r := rand.New(rand.NewPCG(seed, 3))
	c := &cluster{t: t, r: r, bus: servicetest.NewBus(t, r), size: 2 + r.IntN(5), votes: map[uint32]*quorum.Engines{}}
	for id := range uint32(c.size) {
		c.start(id + 1)
	}
	return c
}

func (c *cluster) start(id uint32) {
	c.bus.Start(id, func(h service.Host) []*service.Engine {
		m := cmap.NewMap()
		_ = m.Set("quorum.provider", cmap.Str("corosync_votequorum"))
		_ = m.Set("quorum.expected_votes", cmap.U32(uint32(c.size)))
		q := quorum.NewEngines(h, quorum.Options{Map: m})
		c.votes[id] = q
		return append(q.List(), cpg.NewEngine(h, nil))
	})
}

func (c *cluster) change() {
	ids := c.bus.Up()
	c.r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	cut := c.r.IntN(len(ids) + 1)
	for _, part := range [][]uint32{ids[:cut], ids[cut:]} {
		if len(part) > 0 {
			c.bus.Change(part)
		}
	}
}

func (c *cluster) run() {
	for range 8 {
		for range 50 {
			switch k := c.r.IntN(100); {
			case k < 8:
				c.change()
			case k < 10 && len(c.bus.Up()) > 1:
				ids := c.bus.Up()
				c.bus.Kill(ids[c.r.IntN(len(ids))])
				c.change()
			case k < 13:
				if id := uint32(1 + c.r.IntN(c.size)); !slices.Contains(c.bus.Up(), id) {
					c.start(id)
				}
			case k < 16:
				ids := c.bus.Up()
				c.bus.Node(ids[c.r.IntN(len(ids))]).Clog(c.r.IntN(2) == 0)
			default:
				c.bus.Step()
			}
		}
		for _, id := range c.bus.Up() {
			n := c.bus.Node(id)
			n.Clog(false)
			n.Advance(1e9)
		}
		c.change() // dead nodes leave the rings
		c.bus.Settle()
		c.check()
	}
}

func (c *cluster) check() {
	c.t.Helper()
	for _, id := range c.bus.Up() {
		n := c.bus.Node(id)
		if n.Layer.Running() {
			c.t.Fatalf("node %d: the round of ring %v does not end", id, n.Members)
		}
		want := len(n.Members) > c.size/2
		if got := c.votes[id].Quorate(); got != want {
			c.t.Fatalf("node %d of %v, %d nodes in all: quorate %v", id, n.Members, c.size, got)
		}
		conn := n.Connect(service.Votequorum)
		n.Request(service.Votequorum, conn, quorumwire.AppendVoteGetInfoReq(nil, 0))
		i, err := quorumwire.ParseVoteInfo(conn.TakeReplies()[0])
		n.Disconnect(service.Votequorum, conn)
		if err != nil || int(i.TotalVotes) != len(n.Members) || int(i.Expected) != c.size || i.Quorum != uint32(c.size/2+1) {
			c.t.Fatalf("node %d of %v, %d nodes in all: %+v, %v", id, n.Members, c.size, i, err)
		}
	}
}
