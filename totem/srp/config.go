package srp

import (
	"time"

	"github.com/pacesync/pacesync/totem/wire"
)

// Config is everything the ring is told from outside. Immutable once given;
// EvReconfigure hands over a new one. Zero fields mean the default of
// WithDefaults.
type Config struct {
	NodeID wire.NodeID

	// Times of corosync.conf's totem section (corosync.conf(5)).
	Token           time.Duration // no token for so long: the ring is lost
	TokenRetransmit time.Duration // no newer token for so long: send ours again
	Hold            time.Duration // how long the representative keeps an idle token
	Join            time.Duration // between two sendings of the join message
	SendJoin        time.Duration // upper limit of the random delay before a join
	Consensus       time.Duration // no agreement for so long: blame who is silent
	Merge           time.Duration // idle time before looking for other rings
	Downcheck       time.Duration // between two looks at a downed interface; the shell's
	MaxNetworkDelay time.Duration // part of the heartbeat timeout

	TokenWarning int // percent of Token after which a late token is told; 0: never

	FailRecvConst            int // rotations without aru progress before a node gives up on itself
	SeqnoUnchangedConst      int // idle rotations before the token is held
	MissCountConst           int // rotations a message may be missing before it is asked for
	WindowSize               int // messages on the ring per rotation, all nodes
	MaxMessages              int // messages a node may send per token
	HeartbeatFailuresAllowed int // 0: no heartbeat

	CancelTokenHoldOnRetransmit bool

	// NetMTU is the largest payload of one mcast: 1410 for udp and udpu at an
	// MTU of 1500, 65446 for knet (netmtu less two mcast headers).
	NetMTU int

	// SeqStart is the number before the first message of every ring; upstream's
	// SEQNO_START_MSG. Tests set it near the wrap, on all nodes alike.
	SeqStart wire.Seq
	// TokenSeqStart is the same for the token's own number.
	TokenSeqStart wire.Seq
}

// Defaults of corosync.conf's totem section (totemconfig.c).
const (
	defaultToken            = 3000 * time.Millisecond
	tokenCoefficient        = 650 * time.Millisecond
	retransmitsBeforeLoss   = 4
	defaultNetMTU           = 1410
	minTimeout              = 30 * time.Millisecond
	defaultFailRecvConst    = 2500
	defaultSeqnoUnchanged   = 30
	defaultMissCount        = 5
	defaultWindowSize       = 50
	defaultMaxMessages      = 17
	defaultTokenWarning     = 75
	defaultJoin             = 50 * time.Millisecond
	defaultMerge            = 200 * time.Millisecond
	defaultDowncheck        = 1000 * time.Millisecond
	defaultMaxNetworkDelay  = 50 * time.Millisecond
	consensusFactorPercent  = 120
	retransmitFactorPercent = 100*retransmitsBeforeLoss + 20
)

// WithDefaults fills what is zero, for a nodelist of so many nodes
// (totemconfig.c: totem_volatile_config_read). TokenWarning stays as it is
// when negative, which means off.
func (c Config) WithDefaults(nodes int) Config {
	setDuration(&c.Token, defaultToken+time.Duration(max(nodes-2, 0))*tokenCoefficient)
	ms := c.Token.Milliseconds()
	setDuration(&c.TokenRetransmit, time.Duration(ms*100/retransmitFactorPercent)*time.Millisecond)
	rms := c.TokenRetransmit.Milliseconds()
	setDuration(&c.Hold, max(time.Duration(rms*8/10-10)*time.Millisecond, minTimeout))
	setDuration(&c.Consensus, time.Duration(ms*consensusFactorPercent/100)*time.Millisecond)
	setDuration(&c.Join, defaultJoin)
	setDuration(&c.Merge, defaultMerge)
	setDuration(&c.Downcheck, defaultDowncheck)
	setDuration(&c.MaxNetworkDelay, defaultMaxNetworkDelay)
	setInt(&c.TokenWarning, defaultTokenWarning)
	setInt(&c.FailRecvConst, defaultFailRecvConst)
	setInt(&c.SeqnoUnchangedConst, defaultSeqnoUnchanged)
	setInt(&c.MissCountConst, defaultMissCount)
	setInt(&c.WindowSize, defaultWindowSize)
	setInt(&c.MaxMessages, defaultMaxMessages)
	setInt(&c.NetMTU, defaultNetMTU)
	return c
}

func setDuration(d *time.Duration, def time.Duration) {
	if *d == 0 {
		*d = def
	}
}

func setInt(n *int, def int) {
	if *n == 0 {
		*n = def
	}
}
