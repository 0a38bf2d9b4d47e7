// Package vote is the vote arithmetic of a cluster on one node: which nodes are
// known with how many votes, whether the partition is quorate, and the exchange
// of this between nodes. It is pure; package quorum, its shell, owns
// connections, timers, the configuration map and multicasts.
//
// The shell calls a method for each event and carries out the Effects that it
// left, in their order. Time is an argument; Deadline says when to call Expire.
//
// The rules in short (votequorum(5)):
//
//	quorum  = max(highest expected + 2, total votes + 2) / 2, and does not fall
//	          unless an operator, a leaving node or last_man_standing allows it
//	quorate = total votes of members >= quorum, with the exceptions of
//	          two_node, wait_for_all, auto_tie_breaker and master_wins
//
// Upstream: exec/votequorum.c.
package vote

import (
	"slices"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/quorum/wire"
)

// node is a node known since the start; none is ever forgotten.
type node struct {
	id       uint32
	state    wire.NodeState
	votes    uint32
	expected uint32
	flags    wire.NodeFlags
}

// Vote is the quorum of one node. Owned by the daemon's loop.
type Vote struct {
	features

	us     *node
	device node    // votes alone; its state is never set, as upstream
	nodes  []*node // see addNode for the order
	// deviceName is the name that a quorum device registered with here or, first,
	// on any node.
	deviceName string
	// registering: a device client waits for its message to come back.
	registering bool
	// canOperate: the configuration admits a quorum device.
	canOperate bool
	masterWins bool

	quorum  uint32 // votes needed
	quorate bool
	waiting bool // wait_for_all holds quorum back
	// barrier is the configured number of expected votes, below which
	// allow_downscale does not go.
	barrier uint32
	// trackingBarrier is the highest number of expected votes ever seen, kept
	// on disk.
	trackingBarrier uint32
	// lowest and highest node id of the last quorate partition.
	lowest, highest extreme

	ring     service.RingID
	members  []uint32
	previous []uint32 // members of the ring before

	syncing   bool
	gathering bool // a round's votes come in
	infoSent  bool // the round's own messages are out
	polling   bool // the round waits for the device's vote

	lmsAt    time.Time // end of the last_man_standing window; zero: not armed
	deviceAt time.Time // when the device counts as lost; zero: not armed

	// literal keeps upstream's flaws that are mended here (see decide and
	// setVotes), for the comparison with it.
	literal bool
	// mute leaves out log lines, for tests that play millions of events.
	mute bool

	out []Effect
}

// extreme is a node id that may not be known yet. Ids compare as signed
// numbers, as upstream's: peers must agree on the tie breaker.
type extreme struct {
	id    uint32
	known bool
}

// New makes the quorum of a node that is alone, from its configuration. It
// returns upstream's text for a configuration that cannot work.
func New(self uint32, c *Config) (*Vote, error) { return newVote(self, c, false) }

func newVote(self uint32, c *Config, literal bool) (*Vote, error) {
	v := &Vote{canOperate: true, literal: literal}
	// A device may register without being configured.
	v.deviceTimeout, v.deviceSyncTimeout = DefaultDeviceTimeout, DefaultDeviceSyncTimeout
	v.us = v.addNode(self)
	v.us.state, v.us.votes, v.us.flags = wire.StateMember, 1, wire.FlagFirst
	v.key("this_node_id", KeyU32, self)
	if err := v.start(c); err != nil {
		return v, err
	}
	v.recalculate(false, false)
	v.sendInfo(v.us)
	return v, nil
}

// Take returns the effects since the last call, to be carried out in their
// order. The slice is valid until the next call of another method.
func (v *Vote) Take() []Effect {
	out := v.out
	v.out = nil
	return out
}

// Quorate and Members tell of the partition.
func (v *Vote) Quorate() bool     { return v.quorate }
func (v *Vote) Members() []uint32 { return v.members }

// Deadline is when Expire has something to do; zero: never.
func (v *Vote) Deadline() time.Time {
	switch {
	case v.lmsAt.IsZero():
		return v.deviceAt
	case v.deviceAt.IsZero() || v.lmsAt.Before(v.deviceAt):
		return v.lmsAt
	}
	return v.deviceAt
}

// Expire handles deadlines that have passed.
func (v *Vote) Expire(now time.Time) {
	if !v.lmsAt.IsZero() && !now.Before(v.lmsAt) {
		v.lmsAt = time.Time{}
		if v.quorate {
			v.recalculate(true, true)
		}
	}
	if !v.deviceAt.IsZero() && !now.Before(v.deviceAt) {
		v.deviceAt = time.Time{}
		v.deviceLost()
	}
}

// addNode adds a node that is not known. Others are kept ascending and the
// local one last: that is what upstream's insertion comes to, and events list
// the nodes in this order.
func (v *Vote) addNode(id uint32) *node {
	n := &node{id: id}
	if v.us == nil {
		v.nodes = append(v.nodes, n)
		return n
	}
	if len(v.nodes) > mar.ProcessorMax {
		v.forgetDead()
	}
	others := v.nodes[:len(v.nodes)-1]
	i, _ := slices.BinarySearchFunc(others, id, func(n *node, id uint32) int {
		switch a, b := int32(n.id), int32(id); {
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	})
	v.nodes = slices.Insert(v.nodes, i, n)
	return n
}

// forgetDead makes room in a full table; a ring has at most ProcessorMax nodes.
func (v *Vote) forgetDead() {
	if i := slices.IndexFunc(v.nodes, func(n *node) bool { return n.state == wire.StateDead && n != v.us }); i >= 0 {
		v.nodes = slices.Delete(v.nodes, i, i+1)
	}
}

// find returns the node, the device for id 0, nil if unknown.
func (v *Vote) find(id uint32) *node {
	switch id {
	case v.us.id:
		return v.us
	case wire.QdeviceNode:
		return &v.device
	}
	for _, n := range v.nodes {
		if n.id == id {
			return n
		}
	}
	return nil
}

func (v *Vote) sendInfo(n *node) {
	v.emit(SendNodeInfo{wire.NodeInfo{Node: n.id, Votes: n.votes, Expected: n.expected, Flags: n.flags}})
}
