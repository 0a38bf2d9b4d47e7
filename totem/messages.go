package totem

import (
	"fmt"
	"strings"

	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

// LevelOf is how much a trace matters to an operator; the levels are the original's.
func LevelOf(k srp.TraceKind) service.Level {
	switch k {
	case srp.TraceMembership, srp.TraceLeaveMissed, srp.TraceTokenLost, srp.TraceTokenLate, srp.TraceRetransmitList, srp.TracePaused:
		return service.LevelNotice
	case srp.TraceFailedToReceive:
		return service.LevelError
	case srp.TraceJoinFlushed:
		return service.LevelWarning
	default:
		return service.LevelDebug
	}
}

// Message is the log line of a trace, in subsystem TOTEM. Operators and tools
// look for these texts in logs (exec/totemsrp.c); what has no counterpart there
// is told as the trace itself puts it.
func Message(t *srp.Trace) string {
	switch t.Kind {
	case srp.TraceState:
		return fmt.Sprintf("entering %s state.", t.To)
	case srp.TraceGather:
		return fmt.Sprintf("entering GATHER state from %d(%s).", t.Cause, t.Cause)
	case srp.TraceMembership:
		return fmt.Sprintf("A new membership (%x.%x) was formed. Members%s%s", uint32(t.Ring.Rep), uint64(t.Ring.Seq),
			nodeList(" joined:", t.Joined), nodeList(" left:", t.Left))
	case srp.TraceLeaveMissed:
		return "Failed to receive the leave message." + nodeList(" failed:", t.Left)
	case srp.TraceTokenLost:
		return fmt.Sprintf("A processor failed, forming new configuration: token timed out (%dms), waiting %dms for consensus.",
			t.Dur.Milliseconds(), t.Dur2.Milliseconds())
	case srp.TraceConsensusExpired:
		return fmt.Sprintf("The consensus timeout expired (%dms).", t.Dur.Milliseconds())
	case srp.TraceTokenLate:
		return fmt.Sprintf("Token has not been received in %d ms ", t.Dur.Milliseconds())
	case srp.TraceHeartbeatLost:
		return fmt.Sprintf("HeartBeat Timer expired Invoking token loss mechanism in state %d ", t.State)
	case srp.TraceRetransmitList:
		var b strings.Builder
		b.WriteString("Retransmit List: ")
		for _, s := range t.Seqs {
			fmt.Fprintf(&b, "%x ", uint32(s))
		}
		return b.String()
	case srp.TraceFailedToReceive:
		return "FAILED TO RECEIVE"
	case srp.TracePaused:
		return fmt.Sprintf("Process pause detected for %d ms, flushing membership messages.", t.Dur.Milliseconds())
	case srp.TraceJoinFlushed:
		what := "JOIN"
		if t.Leave {
			what = "LEAVE"
		}
		return fmt.Sprintf("Discarding %s message during flush, nodeid=%d", what, t.Node)
	default:
		return t.String()
	}
}

// nodeList is title and the ids, or nothing.
func nodeList(title string, nodes []wire.NodeID) string {
	if len(nodes) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(title)
	for _, n := range nodes {
		fmt.Fprintf(&b, " %d", uint32(n))
	}
	return b.String()
}
