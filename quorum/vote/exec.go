package vote

import (
	"time"

	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/quorum/wire"
)

// GotNodeInfo takes a NODEINFO: a node's own, or with node 0 what the sender
// knows of the device. Info about somebody else is dropped; upstream never
// sends it.
func (v *Vote) GotNodeInfo(from uint32, m *wire.NodeInfo) {
	v.logf(service.LevelDebug, "got nodeinfo message from cluster node %d", from)
	v.logf(service.LevelDebug, "nodeinfo message[%d]: votes: %d, expected: %d flags: %d", m.Node, m.Votes, m.Expected, m.Flags)
	switch m.Node {
	case wire.QdeviceNode:
		v.gotDeviceVotes(from, m.Votes)
	case from:
		v.gotMember(m)
	}
}

// gotDeviceVotes: a quorate sender knows better than we do, else the highest
// number counts.
func (v *Vote) gotDeviceVotes(from, votes uint32) {
	votes = min(votes, votesMax)
	old := v.device.votes
	sender := v.find(from)
	if from != wire.QdeviceNode && sender != nil && !v.quorate && sender.flags&wire.FlagQuorate != 0 {
		v.device.votes = votes
	} else {
		v.device.votes = max(v.device.votes, votes)
	}
	if v.device.votes != old {
		v.recalculate(false, false)
	}
}

// votesMax bounds what a peer may claim, so that sums stay in range; upstream
// keeps quorum in eight bits.
const votesMax = 1 << 20

func (v *Vote) gotMember(m *wire.NodeInfo) {
	n := v.find(m.Node)
	isNew := n == nil
	if isNew {
		n = v.addNode(m.Node)
	}
	old := *n
	n.flags, n.votes, n.state = m.Flags, min(m.Votes, votesMax), wire.StateMember
	expected := min(m.Expected, votesMax)
	allowDecrease, byNodes := false, false
	if n.flags&wire.FlagLeaving != 0 {
		n.state = wire.StateLeaving
		allowDecrease, byNodes = true, true
	}
	if !v.quorate && n.flags&wire.FlagQuorate != 0 {
		allowDecrease = true
		v.us.expected = expected
	}
	if n.flags&wire.FlagQuorate != 0 || v.tracking {
		n.expected = expected
	} else {
		n.expected = v.us.expected
	}
	if v.lastMan && n.votes > 1 {
		// The missing space is upstream's.
		v.logf(service.LevelWarning, "Last Man Standing feature is supported only when all"+
			"cluster nodes votes are set to 1. Disabling LMS.")
		v.lastMan = false
		v.lmsAt = time.Time{}
	}
	if isNew || n == v.us || n.flags&wire.FlagFirst != 0 || old != *n {
		v.recalculate(allowDecrease, byNodes)
	}
	if v.waitForAll && n.flags&wire.FlagWFAStatus == 0 && n.flags&wire.FlagQuorate != 0 {
		v.setWaiting(false)
	}
}

// GotReconfigure takes a RECONFIGURE.
func (v *Vote) GotReconfigure(from uint32, m *wire.Reconfigure) {
	v.logf(service.LevelDebug, "got reconfigure message from cluster node %d for %d", from, m.Node)
	value := min(m.Value, votesMax)
	switch m.Param {
	case wire.ParamExpectedVotes:
		v.setExpected(value)
		v.emit(TellExpected{v.us.expected})
		v.setBarrier(value)
		if v.tracking {
			v.us.expected = max(v.us.expected, v.trackingBarrier)
		}
		v.recalculate(true, false)
	case wire.ParamNodeVotes:
		if n := v.find(m.Node); n != nil {
			n.votes = value
			v.recalculate(true, false)
		}
	case wire.ParamCancelWFA:
		v.setWaiting(false)
		v.logf(service.LevelInfo, "wait_for_all_status reset by user on node %d.", m.Node)
		v.recalculate(false, false)
	}
}

func (v *Vote) setBarrier(x uint32) {
	v.barrier = x
	v.key("ev_barrier", KeyU32, x)
}

// GotDeviceReg takes a QDEVICE_REG. The first name known wins.
func (v *Vote) GotDeviceReg(from uint32, m *wire.QdeviceReg) {
	op := 0
	if m.Register {
		op = 1
	}
	v.logf(service.LevelDebug, "Received qdevice op %d req from node %d [%s]", op, from, m.Name)
	switch {
	case !m.Register:
		v.maybeForgetDevice()
	case from != v.us.id:
		if v.deviceName == "" {
			v.deviceName = m.Name
		}
	case v.us.flags&wire.FlagQdeviceRegistered != 0:
		// Our announcement to new members comes back.
	case !v.registering:
		v.logf(service.LevelWarning, "Unable to determine origin of the qdevice register call!")
	default:
		v.finishRegistration(m.Name)
	}
}

func (v *Vote) finishRegistration(name string) {
	v.registering = false
	if v.deviceName == "" {
		v.deviceName = name
	}
	if v.deviceName != name {
		v.logf(service.LevelWarning, "A new qdevice with different name (new: %s old: %s) is trying to register!",
			name, v.deviceName)
		v.emit(Registered{service.ErrExist})
		return
	}
	v.us.flags |= wire.FlagQdeviceRegistered
	v.sendInfo(&v.device)
	v.sendInfo(v.us)
	v.emit(Registered{service.OK})
}

// maybeForgetDevice drops the name once no member has the device.
func (v *Vote) maybeForgetDevice() {
	for _, n := range v.nodes {
		if n.state == wire.StateMember && n.flags&wire.FlagQdeviceRegistered != 0 {
			return
		}
	}
	v.deviceName = ""
}

// GotRename takes a QDEVICE_RECONFIGURE.
func (v *Vote) GotRename(from uint32, m *wire.QdeviceReconfigure) {
	v.logf(service.LevelDebug, "Received qdevice name change req from node %d [from: %s to: %s]", from, m.Old, m.New)
	if m.Old == v.deviceName {
		v.logf(service.LevelDebug, "Allowing qdevice rename")
		v.deviceName = m.New
	}
}
