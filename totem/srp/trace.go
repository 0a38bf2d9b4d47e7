package srp

import (
	"fmt"
	"strings"
	"time"

	"github.com/pacesync/pacesync/totem/wire"
)

// TraceKind says what a Trace tells.
type TraceKind uint8

// What is told, with the fields that are set beside State.
const (
	TraceState            TraceKind = iota + 1 // entering To with Ring
	TraceGather                                // entering GATHER: Cause
	TraceMembership                            // notice: Ring, Joined, Left
	TraceLeaveMissed                           // notice: Left went without a word
	TraceLeaveReceived                         // Node says goodbye
	TraceLeaving                               // we say goodbye
	TraceTokenLost                             // notice: token timeout Dur in OPERATIONAL, now Dur2 for consensus
	TraceConsensusExpired                      // Dur
	TraceTokenLate                             // notice: not received for Dur
	TraceHeartbeatLost                         // the heartbeat timer takes the token for lost
	TraceRetransmitList                        // notice: Seqs
	TraceFailedToReceive                       // error
	TracePaused                                // notice: the process paused for Dur
	TraceJoinFlushed                           // warning: join (Leave: leave) of Node dropped because of it
	TraceRingLoaded                            // Ring at the start
	TraceCommitToken                           // we are the representative and propose the ring
	TraceCommitEntry                           // Node comes from Ring with aru Seq, delivered Seq2, received Up
	TraceRecoverySends                         // N old messages of Seq to Seq2 are sent again
	TraceRestored                              // recovery given up: aru Seq, high Seq2 of the old ring again
	TraceFirstToken                            // the representative starts the token
	TraceLink                                  // the interface went Up or down
	TraceDropped                               // a datagram of Node (0: unknown) dropped: Reason
	TraceAssembly                              // pg: something of Node's messages dropped: Reason
	TraceRestarted                             // pg: a message cut by the membership change is sent anew: N packets
)

// Trace is one thing worth telling: the shell makes the log line of it, stories
// print String. It is data, so rewording a log never breaks a story. Slices are
// valid until the next Step.
type Trace struct {
	Kind      TraceKind
	State     StateID // in which it happened
	To        StateID
	Cause     Cause
	Up        bool
	Leave     bool
	Ring      wire.RingID
	Node      wire.NodeID
	Joined    []wire.NodeID
	Left      []wire.NodeID
	Seqs      []wire.Seq
	Seq, Seq2 wire.Seq
	Dur, Dur2 time.Duration
	N         int
	Reason    string
}

// String is the form that stories use.
func (t Trace) String() string {
	switch t.Kind {
	case TraceState:
		return fmt.Sprintf("%s -> %s ring %s", t.State, t.To, t.Ring)
	case TraceGather:
		return fmt.Sprintf("%s -> GATHER cause %d (%s)", t.State, t.Cause, t.Cause)
	case TraceMembership:
		return fmt.Sprintf("membership %s joined %s left %s", t.Ring, wire.List(t.Joined), wire.List(t.Left))
	case TraceLeaveMissed:
		return "leave missed of " + wire.List(t.Left)
	case TraceLeaveReceived:
		return fmt.Sprintf("leave received of %d", t.Node)
	case TraceLeaving:
		return "leaving"
	case TraceTokenLost:
		return fmt.Sprintf("token lost after %s, consensus in %s", t.Dur, t.Dur2)
	case TraceConsensusExpired:
		return fmt.Sprintf("no commit token after %s", t.Dur)
	case TraceTokenLate:
		return fmt.Sprintf("token late by %s", t.Dur)
	case TraceHeartbeatLost:
		return "heartbeat lost"
	case TraceRetransmitList:
		return "retransmit list" + seqList(t.Seqs)
	case TraceFailedToReceive:
		return "failed to receive"
	case TracePaused:
		return fmt.Sprintf("paused for %s", t.Dur)
	case TraceJoinFlushed:
		return fmt.Sprintf("join of %d flushed (leave %v)", t.Node, t.Leave)
	}
	return t.recoveryString()
}

func (t Trace) recoveryString() string {
	switch t.Kind {
	case TraceRingLoaded:
		return fmt.Sprintf("ring id loaded %s", t.Ring)
	case TraceCommitToken:
		return "creating commit token"
	case TraceCommitEntry:
		return fmt.Sprintf("member %d from ring %s aru %x delivered %x received %v", t.Node, t.Ring, uint32(t.Seq), uint32(t.Seq2), t.Up)
	case TraceRecoverySends:
		return fmt.Sprintf("recovery sends %d of %x-%x", t.N, uint32(t.Seq), uint32(t.Seq2))
	case TraceRestored:
		return fmt.Sprintf("old ring restored aru %x high %x", uint32(t.Seq), uint32(t.Seq2))
	case TraceFirstToken:
		return "sending first token"
	case TraceLink:
		return fmt.Sprintf("interface up %v", t.Up)
	case TraceDropped:
		return fmt.Sprintf("dropped from %d: %s", t.Node, t.Reason)
	case TraceAssembly:
		return fmt.Sprintf("assembly of %d: %s", t.Node, t.Reason)
	case TraceRestarted:
		return fmt.Sprintf("restarted a message of %d packets", t.N)
	}
	return fmt.Sprintf("trace %d", t.Kind)
}

func seqList(seqs []wire.Seq) string {
	var b strings.Builder
	for _, s := range seqs {
		fmt.Fprintf(&b, " %x", uint32(s))
	}
	return b.String()
}
