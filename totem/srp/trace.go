package srp

import (
	"time"

	"github.com/pacesync/pacesync/totem/wire"
)

// TraceKind says what a Trace tells.
type TraceKind uint8

// Trace is one thing worth telling: the shell makes the log line of it, stories
// print String. It is data, so rewording a log never breaks a story.
type Trace struct {
	Kind   TraceKind
	Cause  Cause
	Ring   wire.RingID
	Node   wire.NodeID
	Joined []wire.NodeID
	Left   []wire.NodeID
	Seqs   []wire.Seq
	Dur    time.Duration
	N      int
}

// Cause is why the ring entered GATHER.
type Cause uint8
