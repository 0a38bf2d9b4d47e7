package clients

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/pacesync/pacesync/cpg"
	"github.com/pacesync/pacesync/cpg/wire"
	"github.com/pacesync/pacesync/internal/corosync/cfg/cfgclient"
	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/cmap/cmapclient"
	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/quorum"
)

// roleVariable makes this binary play a role inside a node instead of testing.
const roleVariable = "CLIENTS_ROLE"

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := fmt.Errorf("no role %q", role)
	switch role {
	case "cpg":
		err = playCPG(ctx)
	case "quorum":
		err = playQuorum(ctx)
	case "cmap":
		err = playCmap(ctx)
	case "cfg":
		err = playCfg(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "role", role, "failed:", err)
		os.Exit(1)
	}
}

// sizes are those of the messages that each member sends: the last ones are
// over the atomic size and go in pieces.
var sizes = []int{0, 1, 100, 1300, 65536, 1000, cpg.MaxAtomic, 7, cpg.MaxAtomic + 1, 3<<20 + 5, 1}

// content is deterministic, so that a receiver can tell that it is whole.
func content(node uint32, i int) []byte {
	b := make([]byte, sizes[i])
	for k := range b {
		b[k] = byte(int(node)*31 + i*7 + k + k>>8)
	}
	return b
}

// playCPG joins a group with the member of the other node, multicasts and
// prints what it sees.
func playCPG(ctx context.Context) error {
	c, err := cpg.Dial(ctx, cpg.ClientOptions{InitialTotemConf: true})
	if err != nil {
		return err
	}
	const group = "clients\x00"
	if err := c.Join(ctx, group); err != nil {
		return err
	}
	if err := c.Join(ctx, "another"); !errors.Is(err, service.ErrExist) {
		return fmt.Errorf("a second group: %v, want ErrExist", err)
	}
	self, err := c.LocalNode(ctx)
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	seen, members, totem, sending := 0, 0, false, false
	for seen < 2*len(sizes) {
		e, err := c.Next(ctx)
		if err != nil {
			return err
		}
		switch e.Kind {
		case cpg.Confchg:
			for _, a := range e.Joined {
				fmt.Printf("joined %d %v\n", a.Node, a.Reason)
			}
			members = len(e.Members)
		case cpg.TotemConfchg:
			totem = true
			fmt.Fprintln(os.Stderr, "ring", e.Ring, e.Nodes)
		case cpg.Deliver:
			i := seenOf(&counts, e.Node)
			if want := content(e.Node, i); !slices.Equal(e.Data, want) || string(e.Group.Bytes()) != group {
				return fmt.Errorf("message %d of node %d: %d bytes, want %d", i, e.Node, len(e.Data), len(want))
			}
			fmt.Printf("message %d from %d: %d bytes %08x\n", i, e.Node, len(e.Data), crc32.ChecksumIEEE(e.Data))
			seen++
		}
		if members == 2 && !sending {
			sending = true
			go func() { sent <- sendAll(ctx, c, self) }()
		}
	}
	if err := <-sent; err != nil {
		return err
	}
	if !totem {
		return errors.New("no ring membership came")
	}
	return leaveInTurn(ctx, c, group, self)
}

var counts [256]int

func seenOf(counts *[256]int, node uint32) int {
	counts[node]++
	return counts[node] - 1
}

// sendAll multicasts every message, again while the daemon has no room.
func sendAll(ctx context.Context, c *cpg.Client, self uint32) error {
	for i := range sizes {
		err := libipc.Retry(ctx, 2000, 5*time.Millisecond, func() error { return c.Mcast(ctx, cpg.Agreed, content(self, i)) })
		if err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
	}
	return nil
}

// leaveInTurn lists the group, then node 1 leaves and node 2 sees it go.
func leaveInTurn(ctx context.Context, c *cpg.Client, group string, self uint32) error {
	list, err := c.Members(ctx, group)
	if err != nil {
		return err
	}
	items := 0
	for it, err := range c.ProcessesOf(ctx, group) {
		if err != nil {
			return err
		}
		if string(it.Group.Bytes()) == group {
			items++
		}
	}
	if self == 1 {
		if len(list) != 2 || items != 2 {
			return fmt.Errorf("%d members, %d listed, want 2", len(list), items)
		}
		if err := c.Leave(ctx, group); err != nil {
			return err
		}
	}
	for {
		e, err := c.Next(ctx)
		if err != nil {
			return err
		}
		if e.Kind == cpg.Confchg && len(e.Left) == 1 {
			fmt.Printf("left %d %v, %d remain\n", e.Left[0].Node, e.Left[0].Reason, len(e.Members))
			if e.Left[0].Reason != wire.ReasonLeave {
				return errors.New("it should be a leave")
			}
			return c.Close()
		}
	}
}

// playQuorum follows both quorum services until a node is lost.
func playQuorum(ctx context.Context) error {
	q, err := quorum.Dial(ctx, quorum.ModelV1)
	if err != nil {
		return err
	}
	v, err := quorum.DialVote(ctx)
	if err != nil {
		return err
	}
	if err := q.TrackStart(ctx, quorum.TrackCurrent|quorum.TrackChanges); err != nil {
		return err
	}
	if err := q.TrackStart(ctx, quorum.TrackChanges); !errors.Is(err, service.ErrExist) {
		return fmt.Errorf("tracking twice: %v", err)
	}
	if err := v.TrackStart(ctx, 7, quorum.TrackChanges); err != nil {
		return err
	}
	ok, err := q.Quorate(ctx)
	if err != nil {
		return err
	}
	info, err := v.Info(ctx, 0)
	if err != nil {
		return err
	}
	fmt.Printf("provider %v quorate %v, node %d has %d of %d votes, quorum %d\n", q.HasProvider(), ok, info.Node, info.Votes, info.TotalVotes, info.Quorum)
	for lost := false; !lost; {
		e, err := q.Next(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("quorum event %d: quorate %v members %v joined %v left %v rep %d\n", e.Kind, e.Quorate, e.Members, e.Joined, e.Left, e.Ring.Rep)
		lost = e.Kind == quorum.QuorumChange && len(e.Members) == 2
	}
	for lost := false; !lost; {
		e, err := v.Next(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("vote event %d: id %d quorate %v nodes %v members %v\n", e.Kind, e.ID, e.Quorate, e.Nodes, e.Members)
		lost = e.Kind == quorum.VoteRingChange && len(e.Members) == 2
	}
	if err := q.TrackStop(ctx); err != nil {
		return err
	}
	if err := v.TrackStop(ctx); err != nil {
		return err
	}
	if err := v.TrackStop(ctx); !errors.Is(err, service.ErrNotExist) {
		return fmt.Errorf("stopping twice: %v", err)
	}
	return nil
}

// playCmap reads, writes, iterates and tracks both maps.
func playCmap(ctx context.Context) error {
	c, err := cmapclient.Dial(ctx, cmapclient.ICMAP)
	if err != nil {
		return err
	}
	track, err := c.Track(ctx, "test.", true, cmapclient.AnyKind, 99)
	if err != nil {
		return err
	}
	values := []cmap.Value{cmap.U8(1), cmap.U64(1 << 63), cmap.F32(0.5), cmap.Str("text"), cmap.Bin(make([]byte, 5000)), cmap.U32(41)}
	for _, v := range values {
		if err := c.Set(ctx, "test.key", v); err != nil {
			return err
		}
		if got, err := c.Get(ctx, "test.key"); err != nil || got != v {
			return fmt.Errorf("got %v, %v, want %v", got, err, v)
		}
	}
	if err := c.Adjust(ctx, "test.key", 1); err != nil {
		return err
	}
	if n, err := c.GetUint32(ctx, "test.key"); n != 42 || err != nil {
		return fmt.Errorf("after the step: %d, %v", n, err)
	}
	for item, err := range c.All(ctx, "test.") {
		if err != nil {
			return err
		}
		fmt.Printf("key %s %v %d\n", item.Key, item.Type, item.Len)
	}
	if err := c.Delete(ctx, "test.key"); err != nil {
		return err
	}
	for range len(values) + 2 {
		change, err := c.Next(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("change %d %s kind %d from %v to %v\n", change.ID, change.Key, change.Kind, change.Old.Type, change.New.Type)
	}
	if err := c.Untrack(ctx, track); err != nil {
		return err
	}
	if err := c.Set(ctx, "totem.version", cmap.U32(3)); !errors.Is(err, service.ErrAccess) {
		return fmt.Errorf("writing a read-only key: %v", err)
	}
	stats, err := cmapclient.Dial(ctx, cmapclient.Stats)
	if err != nil {
		return err
	}
	for item, err := range stats.All(ctx, "stats.srp.") {
		if err != nil {
			return err
		}
		if _, err := stats.Get(ctx, item.Key); err != nil {
			return err
		}
		fmt.Printf("counter %s %v\n", item.Key, item.Type)
	}
	return stats.Close()
}

// playCfg asks for everything that ends no daemon.
func playCfg(ctx context.Context) error {
	c, err := cfgclient.Dial(ctx)
	if err != nil {
		return err
	}
	self, err := c.LocalGet(ctx)
	if err != nil {
		return err
	}
	rings, err := c.RingStatus(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("node %d rings %q\n", self, rings)
	for node := uint32(1); node <= 3; node++ {
		addrs, err := c.NodeAddrs(ctx, node)
		if err != nil {
			return err
		}
		s, err := c.NodeStatus(ctx, node)
		if err != nil {
			return err
		}
		fmt.Printf("node %d %v reachable %v links %+v\n", node, addrs, s.Reachable, s.Links[:2])
	}
	if _, err := c.NodeAddrs(ctx, 77); !errors.Is(err, service.ErrNotExist) {
		return fmt.Errorf("addresses of no node: %v", err)
	}
	if err := c.ReopenLogFiles(ctx); err != nil {
		return err
	}
	if err := c.ReloadConfig(ctx); err != nil {
		return err
	}
	return vetoOwnShutdown(ctx, c)
}

// vetoOwnShutdown asks on one connection and says no on another.
func vetoOwnShutdown(ctx context.Context, c *cfgclient.Client) error {
	voter, err := cfgclient.Dial(ctx)
	if err != nil {
		return err
	}
	if err := voter.TrackStart(ctx); err != nil {
		return err
	}
	voted := make(chan error, 1)
	go func() {
		flags, err := voter.Next(ctx)
		if err == nil {
			fmt.Printf("asked with flags %d\n", flags)
			err = voter.ReplyToShutdown(ctx, cfgclient.ShutdownNo)
		}
		voted <- err
	}()
	if err := c.TryShutdown(ctx, cfgclient.ShutdownRequest); !errors.Is(err, service.ErrBusy) {
		return fmt.Errorf("a vetoed shutdown: %v, want ErrBusy", err)
	}
	if err := <-voted; err != nil {
		return err
	}
	return voter.TrackStop(ctx)
}
