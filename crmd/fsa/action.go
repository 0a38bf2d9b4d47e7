package fsa

import (
	"math/bits"
	"strings"
)

// Action is one thing to do. The order of the declarations is the order in
// which actions that are due together are done: first what is said about the
// input, then what leaving or entering a state brings, connections, timers,
// our own part in the cluster, the DC's part, calculating and executing, and
// the ways out last.
type Action uint8

const (
	LogError Action = iota
	LogWarn
	LogInfo
	Exit1 // at once, with an error

	ElectionTimerStop // leaving an election
	RecheckStop       // not idle any more
	RecordNodes       // join is complete: the nodes' list and states to the CIB
	CIBSecondary      // our CIB manager is not the one that orders updates
	ForgetDC          // who is DC is unknown
	EnterMember       // member again: what was kept for the case that we become DC goes
	EnterIntegrated   // all answered or time is over: say so
	EnterCalculate    // see that all have joined
	RecheckStart      // idle: calculate again after some time

	LRMReconnect
	StartUp
	CIBConnect
	ClusterConnect
	ReadConfig
	LRMConnect
	TEStart
	PEStart

	DCTimerStop
	IntegrateTimerStop
	IntegrateTimerStart
	FinalizeTimerStop
	FinalizeTimerStart

	Recover
	JoinAccepted  // joiner: the DC's answer
	JoinAsk       // joiner: take an offer
	AskShutdown   // tell all that we want to leave
	Vote          //
	CountVote     //
	LRMHandle     //
	Started       // all connections are there: open for clients
	JoinQuery     // is there a DC?
	DCTimerStart  //
	DCTakeover    //
	DCRelease     //
	JoinFinal     // quorum and DC to the CIB
	ElectionCheck // enough votes?
	ElectionStart //
	OfferAll      //
	OfferOne      //
	TakeRequest   // DC: a joiner's request
	TakeHistory   // DC: a joiner's confirmation
	Finalize      // DC: best CIB to all, then acceptances
	Announce      // tell a DC that we are here

	TEHalt
	TECancel
	PEInvoke
	TEInvoke

	DCReleased
	PEStop
	TEStop
	ShutdownBegin
	LRMDisconnect
	ClusterDisconnect
	CIBDisconnect
	StopIPC
	Exit0
	numActions
)

var actionNames = [numActions]string{
	"LogError", "LogWarn", "LogInfo", "Exit1",
	"ElectionTimerStop", "RecheckStop", "RecordNodes", "CIBSecondary", "ForgetDC", "EnterMember", "EnterIntegrated", "EnterCalculate", "RecheckStart",
	"LRMReconnect", "StartUp", "CIBConnect", "ClusterConnect", "ReadConfig", "LRMConnect", "TEStart", "PEStart",
	"DCTimerStop", "IntegrateTimerStop", "IntegrateTimerStart", "FinalizeTimerStop", "FinalizeTimerStart",
	"Recover", "JoinAccepted", "JoinAsk", "AskShutdown", "Vote", "CountVote", "LRMHandle", "Started", "JoinQuery", "DCTimerStart",
	"DCTakeover", "DCRelease", "JoinFinal", "ElectionCheck", "ElectionStart", "OfferAll", "OfferOne", "TakeRequest", "TakeHistory", "Finalize", "Announce",
	"TEHalt", "TECancel", "PEInvoke", "TEInvoke",
	"DCReleased", "PEStop", "TEStop", "ShutdownBegin", "LRMDisconnect", "ClusterDisconnect", "CIBDisconnect", "StopIPC", "Exit0",
}

func (a Action) String() string {
	if a < numActions {
		return actionNames[a]
	}
	return "Unknown"
}

// Set is a set of actions.
type Set uint64

func (a Action) set() Set { return 1 << a }

// Of returns the set of the given actions.
func Of(as ...Action) Set {
	var s Set
	for _, a := range as {
		s |= a.set()
	}
	return s
}

// Has says whether a is in s.
func (s Set) Has(a Action) bool { return s&a.set() != 0 }

// first returns the action of s that is done first; s must not be empty.
func (s Set) first() Action { return Action(bits.TrailingZeros64(uint64(s))) }

func (s Set) String() string {
	if s == 0 {
		return "-"
	}
	var out []string
	for s != 0 {
		a := s.first()
		out = append(out, a.String())
		s &^= a.set()
	}
	return strings.Join(out, " ")
}
