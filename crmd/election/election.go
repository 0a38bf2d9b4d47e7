// Package election decides which of the nodes does a job that only one may do:
// the controllers elect their DC, the attribute managers their writer.
//
// A candidate sends its vote to all. Who is better answers with a vote of its
// own, who is not answers with a no-vote. A candidate that every active member,
// itself included, gave way to has won, and so has one whom nobody contradicted
// in time. It replaces lib/cluster/election.c; crmd/election/wire holds the form
// of the messages, the controller and internal/attrd are the callers.
package election

import (
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/rules"
)

const (
	stormInterval = 2 // seconds: STORM_INTERVAL, also how long a read age is kept
	lossDampen    = 2 // seconds: LOSS_DAMPEN
)

// Config says who takes part.
type Config struct {
	Self       string        // name of this node
	FeatureSet string        // of this node: the lower one wins, so that an upgrade moves the job last
	Timeout    time.Duration // how long a candidate waits for the last voter
}

// Moment is when something happens. CPU is the user time that this process has
// used (getrusage): elections call it age and the greater one wins.
type Moment struct {
	Now time.Time
	CPU time.Duration
}

// Peer is a known node of the cluster. Active: a member whose daemon is in the group.
type Peer struct {
	Name   string
	Active bool
}

// View is the membership as it stands, this node included. ID is the node id of
// this node, empty while it is not known.
type View struct {
	ID    string
	Peers []Peer
}

func (v View) active(name string) bool {
	for _, p := range v.Peers {
		if strings.EqualFold(p.Name, name) {
			return p.Active
		}
	}
	return false
}

func (v View) count() int {
	n := 0
	for _, p := range v.Peers {
		if p.Active {
			n++
		}
	}
	return n
}

// Message is a vote or a no-vote. From is set by who receives it.
type Message struct {
	Op      Op
	From    string
	To      string // only in what is sent: empty for all
	Version string // feature set of the sender
	Owner   string // node id of the candidate
	Round   int    // the candidate's counter
	Age     time.Duration
}

// Output is what a step leads to: send Send, then tell the owner that it Won.
type Output struct {
	Send  []Message
	Won   bool
	Trace []Trace
}

// Election is one node's part in an election. All methods must be called from
// one goroutine; it does no I/O and reads no clock.
type Election struct {
	cfg   Config
	state State
	round int             // how often this node has voted
	voted map[string]bool // who gave way in the current round

	timeout  time.Duration
	deadline time.Time // zero: no timer runs

	age        time.Duration // as last read, kept while votes come in quick succession
	ageExpires int64

	wins        int // within the storm interval
	winsExpires int64
	lastLoss    int64 // seconds; 0 for never
	lastLossAt  time.Time

	out Output
}

// New returns an election nobody has voted in yet.
func New(cfg Config) *Election { return &Election{cfg: cfg, timeout: cfg.Timeout} }

// State is how the election stands.
func (e *Election) State() State { return e.state }

// Deadline is when Expire has something to do; zero when nothing is armed.
func (e *Election) Deadline() time.Time { return e.deadline }

// Take empties the output.
func (e *Election) Take() Output {
	out := e.out
	e.out = Output{}
	return out
}

// Vote offers this node as candidate and begins a new round (election_vote).
func (e *Election) Vote(at Moment, view View) {
	if !view.active(e.cfg.Self) {
		e.trace(Trace{Event: Disconnected})
		return
	}
	e.Reset()
	e.state = InProgress
	e.round++
	e.out.Send = append(e.out.Send, Message{Op: Vote, From: e.cfg.Self, Version: e.cfg.FeatureSet,
		Owner: view.ID, Round: e.round, Age: e.ownAge(at)})
	e.trace(Trace{Event: Started, Round: e.round})
	e.deadline = at.Now.Add(e.timeout)
}

// Count takes a vote or no-vote into account and returns how the election stands
// then (election_count_vote). Start asks for Vote, InProgress for Check. Lost is
// the answer both to losing now and to having lost before.
func (e *Election) Count(at Moment, view View, m Message, eligible bool) State {
	reason, verdict := e.judge(at, view, m, eligible)
	if verdict == refuse {
		return e.refuse(m, view)
	}
	e.watchStorm(at.Now.Unix(), verdict, len(view.Peers))
	switch verdict {
	case done:
		e.trace(Trace{Event: Processed, Reason: reason, Msg: m, Round: e.round})
		return e.state
	case pass:
		// A node that lost a moment ago does not start over: the one it lost to should win again.
		if e.lastLoss == 0 || at.Now.Unix()-e.lastLoss > lossDampen {
			e.trace(Trace{Event: Passed, Reason: reason, Msg: m, Round: e.round})
			e.lastLoss = 0
			e.StopTimer()
			e.state = Start
			return e.state
		}
		e.trace(Trace{Event: Dampened, Reason: reason, Msg: m, Round: e.round, LastLoss: e.lastLossAt})
	}
	e.lastLoss, e.lastLossAt = at.Now.Unix(), at.Now
	e.trace(Trace{Event: Gave, Reason: reason, Msg: m, Round: e.round})
	e.Reset()
	e.out.Send = append(e.out.Send, Message{Op: NoVote, From: e.cfg.Self, To: m.From, Version: e.cfg.FeatureSet,
		Owner: m.Owner, Round: m.Round})
	e.state = Lost
	return e.state
}

type verdict uint8

const (
	lose verdict = iota
	pass
	done
	refuse // a no-vote that cannot be counted
)

// judge compares a message with this node, the first rule that applies decides.
func (e *Election) judge(at Moment, view View, m Message, eligible bool) (Reason, verdict) {
	owner := view.ID != "" && view.ID == m.Owner
	switch {
	case !eligible:
		return NotEligible, lose
	case !view.active(e.cfg.Self):
		return NotMember, lose
	case owner && m.Round != e.round:
		return Superseded, done
	case !view.active(m.From):
		return PeerUnknown, done
	case m.Op == NoVote || m.From == e.cfg.Self:
		if !owner || e.state != InProgress {
			return 0, refuse
		}
		if e.voted == nil {
			e.voted = map[string]bool{}
		}
		e.voted[m.From] = true
		return Recorded, done
	}
	age := e.ownAge(at)
	switch version := rules.CompareVersions(m.Version, e.cfg.FeatureSet); {
	case version < 0:
		return Version, lose
	case version > 0:
		return Version, pass
	case age < m.Age:
		return Uptime, lose
	case age > m.Age:
		return Uptime, pass
	case strings.ToLower(e.cfg.Self) > strings.ToLower(m.From):
		return HostName, lose
	}
	return HostName, pass
}

// refuse tells why a no-vote is not counted.
func (e *Election) refuse(m Message, view View) State {
	if view.ID == "" || view.ID != m.Owner {
		e.trace(Trace{Event: NotOwner, Msg: m, Round: e.round})
		return Error
	}
	e.trace(Trace{Event: NotCounted, Msg: m, Round: e.round})
	return e.state
}

// watchStorm counts wins. N nodes that vote each other down need N*(N-1) rounds;
// more than N*N in the interval is a storm.
func (e *Election) watchStorm(now int64, v verdict, known int) {
	if e.winsExpires < now {
		e.wins, e.winsExpires = 0, now+stormInterval
		return
	}
	if v != pass {
		return
	}
	e.wins++
	if peers := 1 + known; e.wins > peers*peers {
		e.trace(Trace{Event: Storm, Wins: e.wins})
		e.wins, e.winsExpires = 0, now+stormInterval
	}
}

// Check says whether every active member has given way, and if so the election
// is won (election_check). It is due when Count returned InProgress and when a
// voter left.
func (e *Election) Check(view View) bool {
	if e.voted == nil {
		return false
	}
	members := view.count()
	if len(e.voted) < members {
		e.trace(Trace{Event: Waiting, Missing: members - len(e.voted), Members: members})
		return false
	}
	if len(e.voted) > members {
		e.trace(Trace{Event: Surplus, Members: members})
	}
	e.trace(Trace{Event: WonByAll})
	e.win()
	return true
}

// Expire ends the wait for voters at the deadline: nobody contradicted, so this node wins.
func (e *Election) Expire(now time.Time) {
	if e.deadline.IsZero() || now.Before(e.deadline) {
		return
	}
	e.trace(Trace{Event: WonByTimeout})
	e.win()
}

func (e *Election) win() {
	e.state = Won
	e.out.Won = true
	e.Reset()
}

// Forget drops the vote of a node that is gone (election_remove).
func (e *Election) Forget(peer string) { delete(e.voted, peer) }

// Reset stops the timer and drops all votes; the state stays (election_reset).
func (e *Election) Reset() {
	e.StopTimer()
	e.voted = nil
}

// StopTimer lets the round go on without end (election_timeout_stop).
func (e *Election) StopTimer() { e.deadline = time.Time{} }

// SetTimeout changes how long a candidate waits; a running timer starts anew
// (election_timeout_set_period).
func (e *Election) SetTimeout(now time.Time, d time.Duration) {
	e.timeout = d
	if !e.deadline.IsZero() {
		e.deadline = now.Add(d)
	}
}

// ClearDampening lets this node vote at once although it lost a moment ago: for
// when the one it lost to is gone (election_clear_dampening).
func (e *Election) ClearDampening() { e.lastLoss = 0 }

// ownAge is the age of this process, read at most once while accesses follow each
// other within the interval, so that the votes of one round compare alike (get_uptime).
// The original keeps microseconds.
func (e *Election) ownAge(at Moment) time.Duration {
	if e.ageExpires < at.Now.Unix() {
		e.age = at.CPU.Truncate(time.Microsecond)
	}
	e.ageExpires = at.Now.Unix() + stormInterval
	return e.age
}

func (e *Election) trace(t Trace) { e.out.Trace = append(e.out.Trace, t) }
