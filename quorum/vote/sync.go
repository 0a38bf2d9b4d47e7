package vote

import (
	"slices"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/quorum/wire"
)

// SyncInit starts the round of a new ring.
func (v *Vote) SyncInit(now time.Time, members []uint32, ring service.RingID) {
	v.syncing, v.gathering, v.infoSent, v.polling = true, true, false, false
	if len(members) > 1 {
		v.us.flags &^= wire.FlagFirst
	}
	left := false
	for _, id := range v.members {
		if slices.Contains(members, id) {
			continue
		}
		left = true
		if n := v.find(id); n != nil {
			n.state = wire.StateDead
		}
	}
	if v.lastMan {
		// The number of members stands for votes: with this feature each has one.
		enough := left && uint32(len(members)) >= v.quorum
		tie := uint32(len(members)) <= v.quorum && v.tieBreaker != ATBNone && v.memberIs(v.lowest)
		if enough || tie {
			v.lmsAt = now.Add(v.lastManWindow)
		}
	}
	v.previous = v.members
	v.members = slices.Clone(members)
	v.ring = ring
	const alive = wire.FlagQdeviceRegistered | wire.FlagQdeviceAlive
	if v.us.flags&alive == alive {
		v.deviceAt = now.Add(v.deviceSyncTimeout)
		v.polling = true
		v.logf(service.LevelInfo, "waiting for quorum device %s poll (but maximum for %d ms)",
			v.deviceName, v.deviceSyncTimeout.Milliseconds())
	}
}

// SyncProcess sends the node's info, once in a round, and says whether the
// round may go on: not while the device has yet to vote for the new ring.
func (v *Vote) SyncProcess() (done bool) {
	if !v.infoSent {
		v.sendInfo(v.us)
		v.sendInfo(&v.device)
		if v.deviceName != "" {
			v.emit(SendDeviceReg{wire.QdeviceReg{Register: true, Name: v.deviceName}})
		}
		v.emit(TellNodeList{v.ring, v.members})
		v.infoSent = true
	}
	return v.us.flags&wire.FlagQdeviceRegistered == 0 || !v.polling
}

// SyncActivate ends the round: decide, and tell everybody even if nothing
// changed.
func (v *Vote) SyncActivate() {
	v.gathering = false
	v.recalculate(false, false)
	v.tellDecided()
	v.tellQuorum()
	v.syncing = false
}

// Leave is the end of the daemon: with allow_downscale the others lower their
// expected votes.
func (v *Vote) Leave() {
	if v.allowDownscale {
		v.us.flags |= wire.FlagLeaving
		v.sendInfo(v.us)
	}
}
