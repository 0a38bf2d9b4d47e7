package srp

import "time"

// timerID names one deadline of the ring.
type timerID uint8

// The deadlines. doc.go has the table of what arms and what cancels each.
const (
	timerPause      timerID = iota // look at the clock often, to notice a pause of the process
	timerToken                     // the token is lost
	timerWarning                   // the token is late
	timerRetransmit                // send our last token again
	timerHold                      // the held token has been held long enough
	timerMerge                     // look for other rings
	timerJoin                      // repeat the join message
	timerJoinSend                  // a join message delayed by Config.SendJoin
	timerConsensus                 // somebody does not answer
	timerHeartbeat                 // like timerToken, sooner
	timerCount
)

// timers holds the deadlines; a zero time is not armed.
type timers struct {
	at [timerCount]time.Time
}

func (t *timers) arm(id timerID, now time.Time, d time.Duration) { t.at[id] = now.Add(d) }
func (t *timers) cancel(ids ...timerID) {
	for _, id := range ids {
		t.at[id] = time.Time{}
	}
}
func (t *timers) armed(id timerID) bool { return !t.at[id].IsZero() }

// next is the earliest deadline and its timer; zero if none is armed.
func (t *timers) next() (timerID, time.Time) {
	var first time.Time
	var which timerID
	for id, at := range t.at {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			which, first = timerID(id), at
		}
	}
	return which, first
}
