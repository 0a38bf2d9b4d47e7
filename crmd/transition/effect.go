package transition

import (
	"fmt"
	"time"
)

// Input is an event that Step takes.
type Input interface{ input() }

// The inputs.
type (
	// Start makes the engine active, with a new transition wanted. UUID counts the first
	// time only: it marks all transition keys of this process as DC.
	Start struct{ UUID string }
	// Stop makes it inactive.
	Stop struct{}
	// Load begins to execute a graph.
	Load struct {
		Graph *Graph
		Ref   string // of the request to the policy engine
	}
	// Abort ends the transition as soon as what runs has ended, or asks for a new one
	// when none runs.
	Abort struct {
		Priority int
		Next     Next
		Text     string
		Cause    *Cause // what changed, nil when nothing in particular
		Source   string // who aborts, for the log
	}
	// AbortLater aborts unless something else does before.
	AbortLater struct {
		After time.Duration
		Abort Abort
	}
	// Results are results of operations that came directly, not through the CIB.
	Results struct{ Results []Result }
	// Missed is the history of all nodes after a time in which no change of it was told.
	Missed struct{ Results []Result }
	// Undelivered says that an action could not be sent.
	Undelivered struct{ Action *Action }
	// NodeDown says that nothing more comes from a node.
	NodeDown struct{ ID, Name string }
	// FencerLost says that the connection to the fencer broke.
	FencerLost struct{}
	// Tick says that time passed.
	Tick struct{}
)

func (Start) input()       {}
func (Stop) input()        {}
func (Load) input()        {}
func (Abort) input()       {}
func (AbortLater) input()  {}
func (Diff) input()        {}
func (Results) input()     {}
func (Missed) input()      {}
func (Undelivered) input() {}
func (NodeDown) input()    {}
func (FencerLost) input()  {}
func (FenceResult) input() {}
func (FenceNotice) input() {}
func (Tick) input()        {}

// Effect is something to be done outside.
type Effect interface{ effect() }

// The effects.
type (
	// Log is a line for the log.
	Log struct {
		Level Level
		Text  string
	}
	// Invoke sends an operation to an executor: directly when it is this node's, in a
	// message lrm_invoke to the controller of To otherwise. The action's XML goes with
	// the attribute transition-key set to Key.
	Invoke struct {
		Action *Action
		To     string
		Local  bool
		Key    string
	}
	// Command sends an action to the controller of To, the task being the action's.
	Command struct {
		Action *Action
		To     string
		Key    string
	}
	// ExpectDown notes that a node is about to leave as wanted.
	ExpectDown struct{ Node string }
	// Maintenance tells all other controllers which nodes are in maintenance mode, and
	// the connections to remote nodes here.
	Maintenance struct{ Action *Action }
	// PseudoDone tells the connections to remote nodes here of a pseudo action.
	PseudoDone struct{ Action *Action }
	// Fence asks the fencer. Its answer comes back as FenceResult with the key.
	Fence struct {
		Target, How    string
		Timeout, Delay time.Duration
		Suicide        bool // the target may be this node
		Key            string
	}
	// RecordLost writes a failure of an action whose result never came to the CIB.
	RecordLost struct {
		Action *Action
		Key    string
		Reason string
	}
	// Failed counts a failure of a resource on a node: the attributes fail-count-… and
	// last-failure-… of the operation.
	Failed struct {
		NodeID   string
		Rsc      string
		Task     string
		Interval uint32
		Count    string // new value, empty to leave the count alone
		At       int64  // when, in seconds
	}
	// Unfenced notes on a node what it was unfenced with, and when.
	Unfenced struct {
		Target, NodeID            string
		DigestsAll, DigestsSecure string
		At                        int64
	}
	// NodeFenced writes down that a node is gone for certain: its state becomes down and
	// all below it is deleted.
	NodeFenced struct{ Name, ID string }
	// PeerDown says that a node was fenced: its join is over.
	PeerDown struct{ Name string }
	// RemoteFenced fails the connection to a remote node that was fenced.
	RemoteFenced struct{ Name string }
	// SelfFenced says that this node is told to be fenced although it runs.
	SelfFenced struct{ By, Origin string }
	// Alert tells the alert agents of fencing.
	Alert struct{ Notice FenceNotice }
	// Finished says that a transition has ended, and what is to follow.
	Finished struct {
		Graph int
		Next  Next
	}
	// Outdated asks for a new transition: something changed and none is under execution.
	Outdated struct{}
	// Unwanted says that an answer of the policy engine that is on its way is out of date.
	Unwanted struct{}
)

func (Log) effect()          {}
func (Invoke) effect()       {}
func (Command) effect()      {}
func (ExpectDown) effect()   {}
func (Maintenance) effect()  {}
func (PseudoDone) effect()   {}
func (Fence) effect()        {}
func (RecordLost) effect()   {}
func (Failed) effect()       {}
func (Unfenced) effect()     {}
func (NodeFenced) effect()   {}
func (PeerDown) effect()     {}
func (RemoteFenced) effect() {}
func (SelfFenced) effect()   {}
func (Alert) effect()        {}
func (Finished) effect()     {}
func (Outdated) effect()     {}
func (Unwanted) effect()     {}

// Level is how much a line of the log matters, in the numbers of syslog.
type Level uint8

// The levels.
const (
	Crit    Level = 2
	Err     Level = 3
	Warning Level = 4
	Notice  Level = 5
	Info    Level = 6
	Debug   Level = 7
)

func (e *Engine) emit(x Effect)             { e.out = append(e.out, x) }
func (e *Engine) note(l Level, text string) { e.emit(Log{l, text}) }

func (e *Engine) notef(l Level, format string, args ...any) { e.note(l, fmt.Sprintf(format, args...)) }
