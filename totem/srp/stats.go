package srp

import "time"

// Stats are the counters of the cmap keys stats.srp.* (totemstats.h:
// totemsrp_stats_t).
type Stats struct {
	OrfTokenTx, OrfTokenRx               uint64
	MembMergeDetectTx, MembMergeDetectRx uint64
	MembJoinTx, MembJoinRx               uint64
	McastTx, McastRetx, McastRx          uint64
	MembCommitTokenTx, MembCommitTokenRx uint64
	TokenHoldCancelTx, TokenHoldCancelRx uint64
	OperationalEntered                   uint64
	OperationalTokenLost                 uint64
	GatherEntered, GatherTokenLost       uint64
	CommitEntered, CommitTokenLost       uint64
	RecoveryEntered, RecoveryTokenLost   uint64
	ConsensusTimeouts                    uint64
	RxMsgDropped                         uint64
	ContinuousGather                     uint32
	FirewallEnabledOrNICFailure          bool
	LastToken                            time.Time // zero: never
	MttRxToken                           uint32    // mean time between tokens, ms
	AvgTokenWorkload                     uint32    // mean time a token was worked on, ms
	AvgBacklogCalc                       uint32
}
