package vote

import (
	"time"

	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/quorum/wire"
)

// Info serves GETINFO; node 0 is the local one.
func (v *Vote) Info(id uint32) (wire.VoteInfo, service.Error) {
	if id == wire.QdeviceNode {
		id = v.us.id
	}
	n := v.find(id)
	if n == nil {
		return wire.VoteInfo{}, service.ErrNotExist
	}
	i := wire.VoteInfo{
		Node: n.id, State: n.state, Votes: n.votes, Expected: n.expected, Quorum: v.quorum,
		QdeviceVotes: v.device.votes, QdeviceName: v.deviceName,
	}
	for _, m := range v.nodes {
		if m.state == wire.StateMember {
			i.HighestExpected = max(i.HighestExpected, m.expected)
			i.TotalVotes += m.votes
		}
	}
	if n.flags&wire.FlagQdeviceCastVote != 0 {
		i.TotalVotes += v.device.votes
	}
	for _, f := range [...]struct {
		on  bool
		bit wire.InfoFlags
	}{
		{v.twoNode != 0, wire.InfoTwoNode},
		{v.quorate, wire.InfoQuorate},
		{v.waitForAll, wire.InfoWaitForAll},
		{v.lastMan, wire.InfoLastManStanding},
		{v.tieBreaker != ATBNone, wire.InfoAutoTieBreaker},
		{v.allowDownscale, wire.InfoAllowDownscale},
		{n.flags&wire.FlagQdeviceRegistered != 0, wire.InfoQdeviceRegistered},
		{n.flags&wire.FlagQdeviceAlive != 0, wire.InfoQdeviceAlive},
		{n.flags&wire.FlagQdeviceCastVote != 0, wire.InfoQdeviceCastVote},
		{n.flags&wire.FlagQdeviceMasterWins != 0, wire.InfoQdeviceMasterWins},
	} {
		if f.on {
			i.Flags |= f.bit
		}
	}
	return i, service.OK
}

// SetExpected serves SETEXPECTED: not below the votes present, and not so high
// that a quorate partition would lose quorum.
func (v *Vote) SetExpected(expected uint32) service.Error {
	if expected > votesMax {
		return service.ErrInvalidParam
	}
	downscale := v.allowDownscale
	v.allowDownscale = false
	quorum, total := v.calculate(true, expected)
	v.allowDownscale = downscale
	if expected < total || v.quorate && quorum > total {
		return service.ErrInvalidParam
	}
	v.setExpected(expected)
	v.emit(SendReconfigure{wire.Reconfigure{Node: v.us.id, Value: expected, Param: wire.ParamExpectedVotes}})
	return service.OK
}

// SetVotes serves SETVOTES.
func (v *Vote) SetVotes(id, votes uint32) service.Error {
	n := v.find(id)
	if n == nil {
		return service.ErrNameNotFound
	}
	if votes > votesMax {
		return service.ErrInvalidParam
	}
	saved := n.votes
	n.votes = votes
	quorum, total := v.calculate(true, 0)
	if quorum < total/2 || quorum > total {
		n.votes = saved
		return service.ErrInvalidParam
	}
	v.emit(SendReconfigure{wire.Reconfigure{Node: id, Value: votes, Param: wire.ParamNodeVotes}})
	return service.OK
}

// CancelWaitForAll tells all nodes to stop waiting.
func (v *Vote) CancelWaitForAll() {
	v.emit(SendReconfigure{wire.Reconfigure{Node: v.us.id, Param: wire.ParamCancelWFA}})
}

// Register serves QDEVICE_REGISTER. pending: the answer is a later Registered.
func (v *Vote) Register(name string) (status service.Error, pending bool) {
	switch {
	case !v.canOperate:
		v.logf(service.LevelInfo, "Registration of quorum device is disabled by incorrect corosync.conf. See logs for more information")
		return service.ErrAccess, false
	case v.us.flags&wire.FlagQdeviceRegistered != 0:
		if name == v.deviceName {
			return service.OK, false
		}
		v.logf(service.LevelWarning, "A new qdevice with different name (new: %s old: %s) is trying to re-register!",
			name, v.deviceName)
		return service.ErrExist, false
	case v.registering:
		v.logf(service.LevelWarning, "Registration request already in progress")
		return service.ErrTryAgain, false
	}
	v.registering = true
	v.emit(SendDeviceReg{wire.QdeviceReg{Register: true, Name: name}})
	return service.OK, true
}

// registered checks that this name's device is registered here.
func (v *Vote) registered(name string) service.Error {
	switch {
	case v.us.flags&wire.FlagQdeviceRegistered == 0:
		return service.ErrNotExist
	case name != v.deviceName:
		return service.ErrInvalidParam
	}
	return service.OK
}

// Unregister serves QDEVICE_UNREGISTER.
func (v *Vote) Unregister(name string) service.Error {
	if status := v.registered(name); status != service.OK {
		return status
	}
	if !v.deviceAt.IsZero() {
		v.deviceAt = time.Time{}
		v.polling = false
	}
	v.us.flags &^= wire.FlagQdeviceRegistered | wire.FlagQdeviceAlive | wire.FlagQdeviceCastVote | wire.FlagQdeviceMasterWins
	v.sendInfo(v.us)
	v.emit(SendDeviceReg{wire.QdeviceReg{Name: name}})
	return service.OK
}

// Rename serves QDEVICE_UPDATE.
func (v *Vote) Rename(old, name string) service.Error {
	status := v.registered(old)
	if status == service.OK {
		v.emit(SendRename{wire.QdeviceReconfigure{Old: old, New: name}})
	}
	return status
}

// Poll serves QDEVICE_POLL: the device lives, and votes or not, in this ring.
func (v *Vote) Poll(now time.Time, r *wire.QdevicePollReq) service.Error {
	switch {
	case !v.canOperate:
		return service.ErrAccess
	case v.us.flags&wire.FlagQdeviceRegistered == 0:
		return service.ErrNotExist
	case r.Ring != v.ring:
		v.logf(service.LevelDebug, "Received poll ring id (%x.%x) != last sync ring id (%x.%x). Ignoring poll call.",
			r.Ring.Rep, r.Ring.Seq, v.ring.Rep, v.ring.Seq)
		return service.ErrMessageError
	case r.Name != v.deviceName:
		return service.ErrInvalidParam
	}
	old := v.us.flags
	v.us.flags |= wire.FlagQdeviceAlive
	v.setFlag(wire.FlagQdeviceCastVote, r.Cast)
	if v.us.flags != old {
		v.sendInfo(v.us)
	}
	v.deviceAt = now.Add(v.deviceTimeout)
	v.polling = false
	return service.OK
}

// deviceLost: no poll in time.
func (v *Vote) deviceLost() {
	if v.us.flags&wire.FlagQdeviceAlive == 0 {
		return
	}
	v.us.flags &^= wire.FlagQdeviceAlive | wire.FlagQdeviceCastVote
	v.logf(service.LevelInfo, "lost contact with quorum device %s", v.deviceName)
	v.sendInfo(v.us)
	v.polling = false
}

// MasterWins serves QDEVICE_MASTER_WINS.
func (v *Vote) MasterWins(r *wire.QdeviceMasterWinsReq) service.Error {
	if !v.canOperate {
		return service.ErrAccess
	}
	if status := v.registered(r.Name); status != service.OK {
		return status
	}
	old := v.us.flags
	v.setFlag(wire.FlagQdeviceMasterWins, r.Allow)
	if v.us.flags != old {
		v.sendInfo(v.us)
	}
	v.masterWins = r.Allow
	var x uint32
	if r.Allow {
		x = 1
	}
	v.key("qdevice_master_wins", KeyU8, x)
	return service.OK
}
