package srp

import "github.com/pacesync/pacesync/totem/wire"

// StateID numbers the states as upstream does (totemsrp.c: enum memb_state).
type StateID uint8

// The states of the membership algorithm; before EvStart and after EvLeave the
// ring is off.
const (
	Off         StateID = 0
	Operational StateID = 1
	Gather      StateID = 2
	Commit      StateID = 3
	Recovery    StateID = 4
)

func (s StateID) String() string {
	switch s {
	case Off:
		return "OFF"
	case Operational:
		return "OPERATIONAL"
	case Gather:
		return "GATHER"
	case Commit:
		return "COMMIT"
	case Recovery:
		return "RECOVERY"
	}
	return "UNKNOWN"
}

// state is what a state does with each event; one file per state. A cell where
// nothing is to be done says so by r.drop, r.refuse or r.ignore, with the reason.
type state interface {
	id() StateID

	onToken(r *Ring, t *wire.Token)
	onMcast(r *Ring, m *wire.Mcast, raw []byte)
	onMergeDetect(r *Ring, m *wire.MergeDetect)
	onJoin(r *Ring, j *wire.Join)
	onCommitToken(r *Ring, t *wire.CommitToken)

	// onTokenLoss also serves the heartbeat and EvForceGather.
	onTokenLoss(r *Ring)
	onRetransmit(r *Ring)
	onHold(r *Ring)
	onMerge(r *Ring)
	onJoinTimer(r *Ring)
	onConsensus(r *Ring)
}
