package vqsim

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/quorum"
	"github.com/pacesync/pacesync/quorum/vote"
	"github.com/pacesync/pacesync/quorum/wire"
)

// Limits of the original (vqsim.h: MAX_PARTITIONS, MAX_NODES).
const (
	maxPartitions = 16
	maxNodes      = 1024
)

// deviceName is the quorum device that nodes register (vqsim_vq_engine.c: QDEVICE_NAME).
const deviceName = "VQsim_qdevice"

// node is a simulated node: its quorum and what it said of it last.
type node struct {
	id        uint32
	partition *partition
	vote      *vote.Vote
	syncing   bool
	said      *vote.Decided // nil: nothing yet

	device   bool      // it registered a quorum device
	pollAt   time.Time // when the device votes next; zero: it does not
	deviceIn time.Duration
}

// partition is a part of the network in which nodes hear each other.
type partition struct {
	number int
	ring   service.RingID
	nodes  []*node // in the order in which they came
}

// message is one that a node sent and its partition has yet to get.
type message struct {
	from   *node
	effect vote.Effect
}

// cluster is the simulation. It has no clock of its own: every step gets the
// time. Owned by the program's loop.
type cluster struct {
	config     *cmap.Map
	out        io.Writer // Quit lines
	errs       io.Writer
	decided    func(*node) // called for each change that a node reports
	partitions [maxPartitions]partition
	queue      []message
	autofence  bool
	checkFence bool // the next time that the cluster has settled, nodes without quorum go
}

func newCluster(config *cmap.Map, out, errs io.Writer, decided func(*node)) *cluster {
	c := &cluster{config: config, out: out, errs: errs, decided: decided}
	for i := range c.partitions {
		c.partitions[i].number = i
		c.partitions[i].ring.Rep = uint32(1000 + i)
	}
	return c
}

func (c *cluster) find(id uint32) *node {
	for i := range c.partitions {
		for _, n := range c.partitions[i].nodes {
			if n.id == id {
				return n
			}
		}
	}
	return nil
}

// all lists the nodes, partition by partition.
func (c *cluster) all() (nodes []*node) {
	for i := range c.partitions {
		nodes = append(nodes, c.partitions[i].nodes...)
	}
	return nodes
}

// start adds a node to a partition, alone at first, and gives the partition a new
// ring. A node that the configuration does not have gets the votes of its first.
func (c *cluster) start(now time.Time, id uint32, in *partition) {
	pos := uint32(0)
	for key, v := range c.config.All("nodelist.node.") {
		var p uint32
		if n, ok := v.AsUint(); ok && uint32(n) == id && keyIs(key, "nodeid", &p) {
			pos = p
		}
	}
	_ = c.config.Set("nodelist.local_node_pos", cmap.U32(pos)) // a key of this program alone
	cfg := quorum.ReadConfig(c.config)
	v, err := vote.New(id, cfg)
	if err != nil {
		fmt.Fprintf(c.errs, "votequorum exec init failed: %v\n", err)
	}
	n := &node{id: id, partition: in, vote: v, deviceIn: vote.DefaultDeviceTimeout}
	if cfg.Device != nil {
		n.deviceIn = cfg.Device.Timeout
	}
	in.nodes = append(in.nodes, n)
	n.vote.SyncInit(now, []uint32{id}, service.RingID{Rep: id, Seq: 1})
	n.syncing = true
	c.collect(n)
	c.inform(now, in, true)
}

// inform tells the nodes of a partition who is in it. A ring's sequence number
// grows by four, as in reality.
func (c *cluster) inform(now time.Time, p *partition, newRing bool) {
	if newRing {
		p.ring.Seq += 4
	}
	var ids []uint32
	for _, n := range p.nodes {
		ids = append(ids, n.id)
	}
	if len(ids) > 0 {
		p.ring.Rep = ids[0]
	}
	for _, n := range p.nodes {
		n.vote.SyncInit(now, ids, p.ring)
		n.syncing = true
		c.collect(n)
	}
}

// informAll is inform for every partition.
func (c *cluster) informAll(now time.Time, newRing bool) {
	c.checkFence = true
	for i := range c.partitions {
		c.inform(now, &c.partitions[i], newRing)
	}
}

// stop ends a node; how says why.
func (c *cluster) stop(now time.Time, n *node, how string) {
	fmt.Fprintf(c.out, "%d:%d: Quit (%s)\n", n.partition.number, n.id, how)
	n.leave()
	c.queue = slices.DeleteFunc(c.queue, func(m message) bool { return m.from == n })
	c.inform(now, n.partition, true)
}

func (n *node) leave() {
	n.partition.nodes = slices.DeleteFunc(n.partition.nodes, func(o *node) bool { return o == n })
}

// move puts a node at the end of another partition, which learns of it with the
// next inform.
func (n *node) move(to *partition) {
	n.leave()
	to.nodes = append(to.nodes, n)
	n.partition = to
}

// collect carries out what a node's quorum asks for.
func (c *cluster) collect(n *node) {
	for _, e := range n.vote.Take() {
		switch e := e.(type) {
		case vote.SendNodeInfo, vote.SendReconfigure, vote.SendDeviceReg, vote.SendRename:
			c.queue = append(c.queue, message{n, e})
		case vote.Decided:
			n.said = &e
			c.decided(n)
		}
	}
}

// settle delivers messages and lets rings form until nothing more happens at this
// time.
func (c *cluster) settle(now time.Time) {
	for c.deliver() || c.sync(now) || c.fence(now) {
	}
}

// deliver passes the oldest message on to the sender's partition, the sender
// included.
func (c *cluster) deliver() bool {
	if len(c.queue) == 0 {
		return false
	}
	m := c.queue[0]
	c.queue = c.queue[1:]
	for _, to := range slices.Clone(m.from.partition.nodes) {
		switch e := m.effect.(type) {
		case vote.SendNodeInfo:
			to.vote.GotNodeInfo(m.from.id, &e.NodeInfo)
		case vote.SendReconfigure:
			to.vote.GotReconfigure(m.from.id, &e.Reconfigure)
		case vote.SendDeviceReg:
			to.vote.GotDeviceReg(m.from.id, &e.QdeviceReg)
		case vote.SendRename:
			to.vote.GotRename(m.from.id, &e.QdeviceReconfigure)
		}
		c.collect(to)
	}
	return true
}

// sync takes the nodes of new rings one step on. A device that votes does so in
// the new ring, for which its node waits.
func (c *cluster) sync(now time.Time) (progress bool) {
	for _, n := range c.all() {
		if !n.syncing {
			continue
		}
		done := n.vote.SyncProcess()
		if !done && !n.pollAt.IsZero() && c.poll(now, n, true) {
			done = n.vote.SyncProcess()
		}
		if done {
			n.vote.SyncActivate()
			n.syncing, progress = false, true
		}
		c.collect(n)
	}
	return progress || len(c.queue) > 0
}

// fence ends the nodes without quorum once some have it, if that is wished and
// the network has changed.
func (c *cluster) fence(now time.Time) (progress bool) {
	if !c.checkFence || !c.autofence || !slices.ContainsFunc(c.all(), quorate) {
		return false
	}
	c.checkFence = false
	for _, n := range c.all() {
		if !quorate(n) {
			c.stop(now, n, "autofenced")
			progress = true
		}
	}
	return progress
}

func quorate(n *node) bool { return n.said != nil && n.said.Quorate }

// device switches a node's vote by a quorum device on or off.
func (c *cluster) device(now time.Time, n *node, on bool) {
	switch {
	case !on:
		c.poll(now, n, false)
		n.pollAt = time.Time{}
	case !n.device:
		if status, _ := n.vote.Register(deviceName); status != service.OK {
			fmt.Fprintf(c.errs, "%d: qdevice registration failed: %d\n", n.id, status)
			break
		}
		n.device, n.pollAt = true, now.Add(n.deviceIn)
	case n.pollAt.IsZero():
		n.pollAt = now.Add(n.deviceIn / 2)
	}
	c.collect(n)
}

// poll is the device's vote.
func (c *cluster) poll(now time.Time, n *node, cast bool) bool {
	ring := n.vote.NodeListEvent().Ring
	status := n.vote.Poll(now, &wire.QdevicePollReq{Name: deviceName, Cast: cast, Ring: ring})
	if status != service.OK {
		fmt.Fprintf(c.errs, "%d: qdevice poll failed: %d\n", n.id, status)
	}
	c.collect(n)
	return status == service.OK
}

// deadline is when expire has something to do; zero: never.
func (c *cluster) deadline() (at time.Time) {
	for _, n := range c.all() {
		for _, t := range [2]time.Time{n.vote.Deadline(), n.pollAt} {
			if !t.IsZero() && (at.IsZero() || t.Before(at)) {
				at = t
			}
		}
	}
	return at
}

// expire does what is due.
func (c *cluster) expire(now time.Time) {
	for _, n := range c.all() {
		if !n.pollAt.IsZero() && !now.Before(n.pollAt) {
			n.pollAt = time.Time{}
			if c.poll(now, n, true) {
				n.pollAt = now.Add(n.deviceIn / 2)
			}
		}
		n.vote.Expire(now)
		c.collect(n)
	}
	c.settle(now)
}
