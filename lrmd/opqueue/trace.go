package opqueue

import "github.com/pacesync/pacesync/internal/pcmk"

// TraceKind says what a Trace is about.
type TraceKind uint8

// Kinds of traces.
const (
	TraceRegistered   TraceKind = iota // Rsc
	TraceDuplicateRsc                  // Rsc
	TraceUnknownRsc                    // Rsc: to be unregistered, not there
	TraceNoRsc                         // Rsc, Count
	TraceMerged                        // Rsc, Action, Interval
	TraceExecute                       // Rsc, Action, CallID
	TraceRepeat                        // Rsc, Action, Interval
	TraceFollow                        // Rsc, Action, Elapsed, Left, Delay, Pending, RC
	TraceGiveUp                        // Rsc, Action, Elapsed, Left, RC
)

// Trace is something worth a line in the log; the daemon words it.
type Trace struct {
	Kind                 TraceKind
	Rsc, Action          string
	Interval             uint32
	CallID, Count        int
	Elapsed, Left, Delay int // ms
	RC                   pcmk.OCF
	Pending              bool
}

func (q *Queue) trace(t Trace) { q.out.Trace = append(q.out.Trace, t) }
