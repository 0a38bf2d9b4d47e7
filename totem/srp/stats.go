package srp

import (
	"time"

	"github.com/pacesync/pacesync/totem/wire"
)

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

// maxContinuousGather is how many rounds in a row may fail before something
// between the nodes is suspected (totem.h: MAX_NO_CONT_GATHER).
const maxContinuousGather = 3

// tokenRecords is how many visits the means are taken over (totemstats.h:
// TOTEM_TOKEN_STATS_MAX).
const tokenRecords = 100

// statistics are the counters and the last visits of the token.
type statistics struct {
	Stats
	lastToken time.Time
	records   [tokenRecords]tokenRecord
	visits    uint64
}

type tokenRecord struct {
	rx, tx  time.Time
	backlog uint32
}

// countRx counts a message that came. A multicast of this node counts when it is
// sent: the original's comes back to it from the network.
func (s *statistics) countRx(t wire.Type) {
	switch t {
	case wire.TypeToken:
		s.OrfTokenRx++
	case wire.TypeMcast:
		s.McastRx++
	case wire.TypeMergeDetect:
		s.MembMergeDetectRx++
	case wire.TypeJoin:
		s.MembJoinRx++
	case wire.TypeCommitToken:
		s.MembCommitTokenRx++
	case wire.TypeHoldCancel:
		s.TokenHoldCancelRx++
	}
}

func (s *statistics) record() *tokenRecord { return &s.records[s.visits%tokenRecords] }

func (s *statistics) tokenReceived(now time.Time) {
	s.visits++
	*s.record() = tokenRecord{rx: now}
	s.lastToken = now
}

func (s *statistics) tokenBacklog(n uint32)   { s.record().backlog = n }
func (s *statistics) tokenSent(now time.Time) { s.record().tx = now }

// Stats copies the counters into dst, with the means over the last visits of
// the token (main.c: corosync_totem_stats_updater). No time passes within a Step,
// so AvgTokenWorkload is 0; upstream's is too, unless a visit takes a millisecond.
func (r *Ring) Stats(dst *Stats) {
	s := &r.stats
	*dst = s.Stats
	dst.LastToken = s.lastToken
	dst.FirewallEnabledOrNICFailure = s.ContinuousGather > maxContinuousGather
	var between, work time.Duration
	var backlog, n uint64
	for i := s.visits; i > 1 && s.visits-i < tokenRecords-1; i-- {
		rec, prev := &s.records[i%tokenRecords], &s.records[(i-1)%tokenRecords]
		between += rec.rx.Sub(prev.rx)
		if !rec.tx.IsZero() {
			work += rec.tx.Sub(rec.rx)
		}
		backlog += uint64(rec.backlog)
		n++
	}
	if n > 0 {
		dst.MttRxToken = uint32(uint64(between.Milliseconds()) / n)
		dst.AvgTokenWorkload = uint32(uint64(work.Milliseconds()) / n)
		dst.AvgBacklogCalc = uint32(backlog / n)
	}
}

// ClearStats sets the counters to zero (cmap key stats.clear.totem).
func (r *Ring) ClearStats() { r.stats = statistics{lastToken: r.stats.lastToken} }
