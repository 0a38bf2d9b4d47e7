package election

import (
	"fmt"
	"time"
)

// Level is a severity with the numbers of syslog; Trace is one below debug.
type Level uint8

// The levels that elections use.
const (
	LevelError   Level = 3
	LevelWarning Level = 4
	LevelNotice  Level = 5
	LevelInfo    Level = 6
	LevelDebug   Level = 7
	LevelTrace   Level = 8
)

// Event is what a Trace tells.
type Event uint8

// The events, each with the log line of election.c.
const (
	Disconnected Event = iota + 1 // asked to vote while this node is no member
	Started                       // a round began
	Waiting                       // votes are still missing
	Surplus                       // more votes than members
	WonByAll                      // everyone voted for this node
	WonByTimeout                  // nobody objected in time
	Passed                        // this node is better than the voter
	Dampened                      // it would be, but it lost a moment ago
	Gave                          // it lost
	Processed                     // counted or dropped without consequence
	NotOwner                      // a no-vote for somebody else's round
	NotCounted                    // a no-vote after the election was over
	Storm                         // too many wins in a short time
)

// Reason is why a vote went as it did.
type Reason uint8

// The reasons, in the order in which they are looked at.
const (
	NotEligible Reason = iota + 1
	NotMember
	Superseded
	PeerUnknown
	Recorded
	Version
	Uptime
	HostName
)

func (r Reason) String() string {
	return [...]string{"unknown", "Not eligible", "We are not part of the cluster", "Superseded",
		"Peer is not part of our cluster", "Recorded", "Version", "Uptime", "Host name"}[r]
}

// Trace is one thing that happened; the shell writes it as Text at Level.
type Trace struct {
	Event    Event
	Reason   Reason
	Msg      Message   // the message it is about, if any
	Round    int       // own round
	Missing  int       // Waiting: votes not seen
	Members  int       // Waiting, Surplus: active members
	Wins     int       // Storm
	LastLoss time.Time // Dampened
}

// Level is the severity that election.c gives the event.
func (t Trace) Level() Level {
	switch t.Event {
	case Disconnected:
		return LevelTrace
	case Started, Waiting, NotCounted:
		return LevelDebug
	case Surplus, NotOwner, Storm:
		return LevelWarning
	case Processed: // one step quieter than the reason itself
		switch t.Reason {
		case Superseded:
			return LevelTrace
		case PeerUnknown:
			return LevelNotice
		}
		return LevelDebug
	case Gave:
		if t.Reason == NotMember {
			return LevelError
		}
	}
	return LevelInfo
}

// Text is the log line; name is the election's, as in "election-attrd".
func (t Trace) Text(name string) string {
	m := t.Msg
	switch t.Event {
	case Disconnected:
		return fmt.Sprintf("Cannot vote in %s yet: local node not connected to cluster", name)
	case Started:
		return fmt.Sprintf("Started %s round %d", name, t.Round)
	case Waiting:
		return fmt.Sprintf("%s still waiting on %d of %d votes", name, t.Missing, t.Members)
	case Surplus:
		return "Received too many votes in " + name
	case WonByAll:
		return name + " won by local node"
	case WonByTimeout:
		return name + " timed out, declaring local node as winner"
	case Passed:
		return fmt.Sprintf("%s round %d (owner node ID %s) pass: %s from %s (%s)", name, m.Round, m.Owner, m.Op, m.From, t.Reason)
	case Dampened:
		return fmt.Sprintf("Ignoring %s round %d (owner node ID %s) pass vs %s because we lost less than %ds ago at %s",
			name, m.Round, m.Owner, m.From, lossDampen, t.LastLoss.Local().Format("15:04:05"))
	case Gave:
		return fmt.Sprintf("%s round %d (owner node ID %s) lost: %s from %s (%s)", name, m.Round, m.Owner, m.Op, m.From, t.Reason)
	case Processed:
		return fmt.Sprintf("Processed %s round %d %s (current round %d) from %s (%s)", name, m.Round, m.Op, t.Round, m.From, t.Reason)
	case NotOwner:
		return fmt.Sprintf("Cannot count %s round %d %s from %s because we are not election owner (%s)", name, m.Round, m.Op, m.From, m.Owner)
	case NotCounted:
		return fmt.Sprintf("Not counting %s round %d %s from %s because no election in progress", name, m.Round, m.Op, m.From)
	case Storm:
		return fmt.Sprintf("%s election storm detected: %d wins in %d seconds", name, t.Wins, stormInterval)
	}
	return fmt.Sprintf("%s: event %d", name, t.Event)
}
