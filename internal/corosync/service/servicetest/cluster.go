package servicetest

import (
	"slices"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Node is a host and the engines that run on it.
type Node struct {
	*Host
	Engines []*service.Engine
	up      bool
}

// Cluster is a set of nodes that share a total order within each partition.
// Owned by the test's goroutine. Nodes added are alone until Partition.
type Cluster struct {
	t     testing.TB
	nodes []*Node // ascending by id
	seq   uint64
}

// NewCluster is a cluster without nodes.
func NewCluster(t testing.TB) *Cluster { return &Cluster{t: t, seq: 4} }

// Add puts a node with its engines, already made for its host, into the
// cluster, runs their Start in ascending order of id and gives the node its
// first, lone membership.
func (c *Cluster) Add(h *Host, engines ...*service.Engine) *Node {
	n := &Node{Host: h, Engines: engines, up: true}
	slices.SortFunc(n.Engines, func(a, b *service.Engine) int { return int(a.ID) - int(b.ID) })
	h.Members = nil
	c.nodes = append(c.nodes, n)
	slices.SortFunc(c.nodes, func(a, b *Node) int { return int(a.ID) - int(b.ID) })
	for _, e := range n.Engines {
		if e.Start == nil {
			continue
		}
		if err := e.Start(); err != nil {
			c.t.Fatalf("node %d: start of %s: %v", h.ID, e.Name, err)
		}
	}
	c.Partition([]uint32{h.ID})
	return n
}

// Node finds a node by id.
func (c *Cluster) Node(id uint32) *Node {
	for _, n := range c.nodes {
		if n.ID == id {
			return n
		}
	}
	c.t.Fatalf("no node %d", id)
	return nil
}

// Kill ends a node: it sends and hears nothing any more. Its peers learn of
// it by the next Partition.
func (c *Cluster) Kill(id uint32) { c.Node(id).up = false }

// Remove forgets a killed node, so that a new one of the same id can be added.
func (c *Cluster) Remove(id uint32) {
	c.nodes = slices.DeleteFunc(c.nodes, func(n *Node) bool { return n.ID == id })
}

// Connect opens a library client of a service on a node.
func (c *Cluster) Connect(id uint32, svc service.ID) *Conn {
	n := c.Node(id)
	conn := n.NewConn()
	if e := c.engine(n, svc); e.Opened != nil {
		e.Opened(conn)
	}
	return conn
}

// Disconnect closes a library client.
func (c *Cluster) Disconnect(id uint32, svc service.ID, conn *Conn) {
	if e := c.engine(c.Node(id), svc); e.Closed != nil {
		e.Closed(conn)
	}
	c.Deliver()
}

// Request serves one library request on a node, checking sizes as the daemon
// does, then delivers what it multicast.
func (c *Cluster) Request(id uint32, svc service.ID, conn *Conn, msg []byte) {
	c.t.Helper()
	e := c.engine(c.Node(id), svc)
	fn, _, _ := Header(msg)
	if int(fn) >= len(e.Lib) || len(msg) < e.Lib[fn].MinSize {
		c.t.Fatalf("%s: request %d of %d bytes would be refused", e.Name, fn, len(msg))
	}
	e.Lib[fn].Handle(conn, msg)
	c.Deliver()
}

func (c *Cluster) engine(n *Node, svc service.ID) *service.Engine {
	for _, e := range n.Engines {
		if e.ID == svc {
			return e
		}
	}
	c.t.Fatalf("node %d has no service %d", n.ID, svc)
	return nil
}

// Deliver empties all send queues: rounds in ascending node order, each
// message to every member of the sender's ring before the next, as a token
// rotation would. Messages that deliveries cause are delivered too.
func (c *Cluster) Deliver() {
	for busy := true; busy; {
		busy = false
		for _, n := range c.nodes {
			for _, msg := range n.Take() {
				busy = true
				if n.up {
					c.deliver(n, msg)
				}
			}
		}
	}
}

func (c *Cluster) deliver(from *Node, msg []byte) {
	id, size, _ := Header(msg)
	if int(size) != len(msg) {
		c.t.Fatalf("node %d sends a message %#x of %d bytes whose header says %d", from.ID, id, len(msg), size)
	}
	svc, fn := service.ID(id>>16), int(id&0xffff)
	for _, to := range from.Members {
		n := c.Node(to)
		if !n.up {
			continue
		}
		for _, e := range n.Engines {
			if e.ID != svc {
				continue
			}
			if fn >= len(e.Exec) || len(msg) < e.Exec[fn].MinSize {
				c.t.Fatalf("%s: message %d of %d bytes would be dropped", e.Name, fn, len(msg))
			}
			e.Exec[fn].Deliver(from.ID, slices.Clone(msg), false)
		}
	}
}

// Partition gives each list of nodes a common ring: transitional and regular
// configuration change on every member, then the sync rounds of all services
// to their end. Nodes that are named nowhere keep their ring.
func (c *Cluster) Partition(parts ...[]uint32) {
	c.t.Helper()
	for _, part := range parts {
		members := slices.Sorted(slices.Values(part))
		c.seq += 4
		ring := service.RingID{Rep: members[0], Seq: c.seq}
		trans := c.change(members, ring)
		c.sync(members, trans, ring)
	}
}

// change installs the ring and tells the engines; it returns for each member
// those that came with it from its old ring.
func (c *Cluster) change(members []uint32, ring service.RingID) map[uint32][]uint32 {
	old := map[uint32]service.RingID{}
	for _, id := range members {
		old[id] = c.Node(id).RingNow
	}
	trans := map[uint32][]uint32{}
	for _, id := range members {
		n := c.Node(id)
		var left, joined []uint32
		for _, m := range members {
			if m == id || old[m] == old[id] && slices.Contains(n.Members, m) {
				trans[id] = append(trans[id], m)
			} else {
				joined = append(joined, m)
			}
		}
		for _, m := range n.Members {
			if !slices.Contains(trans[id], m) {
				left = append(left, m)
			}
		}
		first := n.Members == nil
		if first {
			joined = append([]uint32{id}, joined...)
			trans[id] = nil
		}
		oldRing := n.RingNow
		n.RingNow, n.Members = ring, members
		for _, e := range n.Engines {
			if e.Confchg != nil {
				e.Confchg(true, trans[id], left, nil, oldRing)
				e.Confchg(false, members, nil, joined, ring)
			}
		}
	}
	return trans
}

// sync runs one service after the other, as exec/sync.c with all nodes'
// barriers in step.
func (c *Cluster) sync(members []uint32, trans map[uint32][]uint32, ring service.RingID) {
	each := func(svc service.ID, do func(n *Node, s service.Syncer)) {
		for _, id := range members {
			n := c.Node(id)
			for _, e := range n.Engines {
				if e.ID == svc && e.Sync != nil {
					do(n, e.Sync)
				}
			}
		}
	}
	for svc := service.ID(0); svc < 8; svc++ {
		each(svc, func(n *Node, s service.Syncer) { s.SyncInit(trans[n.ID], members, ring) })
	}
	for svc := service.ID(0); svc < 8; svc++ {
		pending := map[uint32]bool{}
		each(svc, func(n *Node, _ service.Syncer) { pending[n.ID] = true })
		for round := 0; len(pending) > 0; round++ {
			if round > 1000 {
				c.t.Fatalf("service %d does not finish its sync", svc)
			}
			each(svc, func(n *Node, s service.Syncer) {
				if pending[n.ID] && s.SyncProcess() {
					delete(pending, n.ID)
				}
			})
			c.Deliver()
		}
		each(svc, func(n *Node, s service.Syncer) { s.SyncActivate() })
		c.Deliver()
	}
}
