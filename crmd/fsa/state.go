package fsa

// State is a state of the controller. The names of String are what tools show
// (crmadmin -S) and logs are searched for.
type State uint8

const (
	stay             State = iota // in the table: no change
	Starting                      // connecting to the others of this node
	Pending                       // waiting for a DC, or for it to accept us
	NotDC                         // member, another node is DC
	Election                      // voting
	Integration                   // DC: asking the nodes for what they have
	FinalizeJoin                  // DC: telling them that they are members
	PolicyEngine                  // DC: the scheduler calculates
	TransitionEngine              // DC: its transition is executed
	Idle                          // DC: nothing to do
	ReleaseDC                     // giving up to be DC
	Recovery                      // something broke: fast way out
	Halt                          // frozen until an election
	Stopping                      // leaving
	Terminate                     // exiting
	numStates
)

// States returns all states, in the order of a node's life.
func States() []State {
	var out []State
	for s := Starting; s < numStates; s++ {
		out = append(out, s)
	}
	return out
}

func (s State) String() string {
	switch s {
	case Starting:
		return "S_STARTING"
	case Pending:
		return "S_PENDING"
	case NotDC:
		return "S_NOT_DC"
	case Election:
		return "S_ELECTION"
	case Integration:
		return "S_INTEGRATION"
	case FinalizeJoin:
		return "S_FINALIZE_JOIN"
	case PolicyEngine:
		return "S_POLICY_ENGINE"
	case TransitionEngine:
		return "S_TRANSITION_ENGINE"
	case Idle:
		return "S_IDLE"
	case ReleaseDC:
		return "S_RELEASE_DC"
	case Recovery:
		return "S_RECOVERY"
	case Halt:
		return "S_HALT"
	case Stopping:
		return "S_STOPPING"
	case Terminate:
		return "S_TERMINATE"
	}
	return "S_ILLEGAL"
}

// Input is something that happened, as the state machine sees it.
type Input uint8

const (
	Null           Input = iota // nothing; carries actions that were left over
	CIBOp                       // never expected
	CIBUpdate                   // never expected
	DCTimeout                   // no word from a DC
	Elect                       // somebody wants an election (I_ELECTION)
	PECalc                      // the cluster's state is to be calculated again
	Release                     // we lost the election and were DC (I_RELEASE_DC)
	ElectionDC                  // we won the election
	Error                       // something broke
	Fail                        // an action failed
	Integrated                  // all nodes answered our offer
	Finalized                   // all nodes confirmed
	NodeJoin                    // a node appeared
	Joined                      // the DC accepted us (I_NOT_DC)
	Recovered                   //
	ReleaseFail                 //
	ReleaseSuccess              // we are DC no more
	Restart                     //
	TESuccess                   // transition executed
	Router                      // a message to pass on
	Shutdown                    // this node's controller shall stop
	Stop                        // the DC lets us go
	TerminateNow                // exit (I_TERMINATE)
	Startup                     //
	PESuccess                   // the scheduler answered
	JoinOffer                   // a DC offers membership
	JoinRequest                 // a node accepts our offer
	JoinResult                  // joiner: accepted or not; DC: a node's history
	WaitForEvent                // stalled actions come back
	DCHeartbeat                 //
	LRMEvent                    //
	BePending                   // wait for a DC (I_PENDING)
	HaltNow                     // freeze (I_HALT)
	numInputs
)

// Inputs returns all inputs.
func Inputs() []Input {
	var out []Input
	for i := Null; i < numInputs; i++ {
		out = append(out, i)
	}
	return out
}

func (i Input) String() string {
	if i >= numInputs {
		return "I_ILLEGAL"
	}
	return [numInputs]string{
		"I_NULL", "I_CIB_OP", "I_CIB_UPDATE", "I_DC_TIMEOUT", "I_ELECTION", "I_PE_CALC", "I_RELEASE_DC", "I_ELECTION_DC",
		"I_ERROR", "I_FAIL", "I_INTEGRATED", "I_FINALIZED", "I_NODE_JOIN", "I_NOT_DC", "I_RECOVERED", "I_RELEASE_FAIL",
		"I_RELEASE_SUCCESS", "I_RESTART", "I_TE_SUCCESS", "I_ROUTER", "I_SHUTDOWN", "I_STOP", "I_TERMINATE", "I_STARTUP",
		"I_PE_SUCCESS", "I_JOIN_OFFER", "I_JOIN_REQUEST", "I_JOIN_RESULT", "I_WAIT_FOR_EVENT", "I_DC_HEARTBEAT", "I_LRM_EVENT",
		"I_PENDING", "I_HALT",
	}[i]
}

// Cause says what raised an input.
type Cause uint8

const (
	CauseUnknown  Cause = iota
	CauseStartup        // the process began
	CauseIPC            // a message of a client or daemon here
	CauseHA             // a message of the cluster
	CauseStatus         // membership
	CauseLRM            // executor
	CauseTimer          // time
	CauseShutdown       // a signal
	CauseInternal       // the state machine itself
)

func (c Cause) String() string {
	switch c {
	case CauseStartup:
		return "C_STARTUP"
	case CauseIPC:
		return "C_IPC_MESSAGE"
	case CauseHA:
		return "C_HA_MESSAGE"
	case CauseStatus:
		return "C_CRMD_STATUS_CALLBACK"
	case CauseLRM:
		return "C_LRM_OP_CALLBACK"
	case CauseTimer:
		return "C_TIMER_POPPED"
	case CauseShutdown:
		return "C_SHUTDOWN"
	case CauseInternal:
		return "C_FSA_INTERNAL"
	}
	return "C_UNKNOWN"
}
