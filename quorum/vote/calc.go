package vote

import (
	"slices"

	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/quorum/wire"
)

// calculate returns the quorum and the votes present. maxExpected replaces the
// highest expected votes of the members unless it is 0 (votequorum.c:
// calculate_quorum). The sums cannot overflow: votes and nodes are bounded.
func (v *Vote) calculate(allowDecrease bool, maxExpected uint32) (quorum, total uint32) {
	if v.allowDownscale && allowDecrease && maxExpected > 0 {
		maxExpected = max(v.barrier, maxExpected)
	}
	var expected, count uint32
	for _, n := range v.nodes {
		if n.state == wire.StateMember {
			expected = max(expected, n.expected)
			total += n.votes
			count++
		}
	}
	if v.us.flags&wire.FlagQdeviceCastVote != 0 {
		total += v.device.votes
		count++
	}
	if maxExpected > 0 {
		expected = maxExpected
	}
	// The formula of the OpenVMS Cluster Systems manual.
	quorum = max(half(expected), half(total))
	if !allowDecrease {
		quorum = max(v.quorum, quorum)
	}
	if v.twoNode != 0 && count <= 2 {
		quorum = 1
	}
	return quorum, total
}

func half(votes uint32) uint32 { return uint32((uint64(votes) + 2) / 2) }

// recalculate finds the quorum anew and decides. byNodes makes the number of
// members the expected votes (last man standing, leaving nodes).
func (v *Vote) recalculate(allowDecrease, byNodes bool) {
	var total, count uint32
	for _, n := range v.nodes {
		if n.state == wire.StateMember {
			count++
			total += n.votes
		}
	}
	if v.device.votes > 0 { // whether it votes or not
		total += v.device.votes
		count++
	}
	if !byNodes {
		count = 0
	}
	if total > v.us.expected {
		v.us.expected = total
		v.emit(TellExpected{v.us.expected})
	}
	if v.tracking && v.us.expected > v.trackingBarrier {
		v.setTrackingBarrier(v.us.expected)
	}
	v.quorum, total = v.calculate(allowDecrease, count)
	v.setExpected(count)
	v.decide(total)
}

// setExpected gives all members the expected votes, unless they are 0.
func (v *Vote) setExpected(expected uint32) {
	if expected == 0 {
		return
	}
	for _, n := range v.nodes {
		if n.state == wire.StateMember {
			n.expected = expected
		}
	}
}

// decide says whether the votes present are enough (votequorum.c:
// are_we_quorate).
//
// In a sync round the votes come in one by one. Upstream lets wait_for_all
// begin as soon as the first of them are too few: a node that loses one peer
// and gains another in the same change then waits, while the peer, which was
// told that it is quorate, does not. Here wait_for_all begins at the round's end.
func (v *Vote) decide(total uint32) {
	if v.waitForAll && v.waiting {
		if total != v.us.expected {
			v.logf(service.LevelNotice, "Waiting for all cluster members. Current votes: %d expected_votes: %d",
				total, v.us.expected)
			return
		}
		v.setWaiting(false)
	}
	quorate := total >= v.quorum
	if quorate {
		v.noteExtremes()
	}
	if v.tieBreaker != ATBNone && total == v.us.expected/2 && v.otherHalfInquorate() && v.holdsTieBreaker() {
		quorate = true
	}
	if v.masterWins && !quorate && v.deviceMaster() {
		quorate = true
	}
	changed := quorate != v.quorate
	v.quorate = quorate
	v.setFlag(wire.FlagQuorate, quorate)
	if v.waitForAll && (quorate || !v.gathering || v.literal) {
		v.setWaiting(!quorate)
	}
	if changed && !v.syncing {
		v.tellDecided()
		v.tellQuorum()
	}
}

func (v *Vote) setFlag(f wire.NodeFlags, on bool) {
	if on {
		v.us.flags |= f
	} else {
		v.us.flags &^= f
	}
}

// setWaiting sets the wait_for_all status.
func (v *Vote) setWaiting(on bool) {
	v.waiting = on
	v.setFlag(wire.FlagWFAStatus, on)
	var x uint32
	if on {
		x = 1
	}
	v.key("wait_for_all_status", KeyU8, x)
}

func (v *Vote) setTrackingBarrier(x uint32) {
	v.trackingBarrier = x
	v.key("ev_tracking_barrier", KeyU32, x)
	v.emit(SaveBarrier{x})
}

// noteExtremes remembers the lowest and highest id of a quorate partition.
func (v *Vote) noteExtremes() {
	low, high := int32(v.us.id), int32(v.us.id)
	for _, n := range v.nodes {
		if n.state == wire.StateMember {
			low, high = min(low, int32(n.id)), max(high, int32(n.id))
		}
	}
	v.lowest, v.highest = extreme{uint32(low), true}, extreme{uint32(high), true}
	v.key("lowest_node_id", KeyU32, uint32(low))
	v.key("highest_node_id", KeyU32, uint32(high))
}

// otherHalfInquorate: those who are gone cannot be quorate on their own. The
// difference is of nodes, the quorum of votes, as upstream.
func (v *Vote) otherHalfInquorate() bool {
	return int64(len(v.previous))-int64(len(v.members)) < int64(v.quorum)
}

// holdsTieBreaker says whether the node that breaks a tie is in this partition.
// Of a list the first one present does, unless one before it was in the ring
// just before: that one may be alive on the other side (votequorum.c:
// check_auto_tie_breaker).
func (v *Vote) holdsTieBreaker() bool {
	switch v.tieBreaker {
	case ATBLowest:
		return v.memberIs(v.lowest)
	case ATBHighest:
		return v.memberIs(v.highest)
	}
	for i, id := range v.tieList {
		if !slices.Contains(v.members, id) {
			continue
		}
		for _, earlier := range v.tieList[:i] {
			if slices.Contains(v.previous, earlier) {
				return false
			}
		}
		return true
	}
	return false
}

func (v *Vote) memberIs(x extreme) bool {
	return x.known && slices.ContainsFunc(v.nodes, func(n *node) bool {
		return n.state == wire.StateMember && n.id == x.id
	})
}

// deviceMaster: a member has the device's vote and its permission to win.
func (v *Vote) deviceMaster() bool {
	const both = wire.FlagQdeviceMasterWins | wire.FlagQdeviceCastVote
	return slices.ContainsFunc(v.nodes, func(n *node) bool {
		return n.state == wire.StateMember && n.flags&both == both
	})
}
