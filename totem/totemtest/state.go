package totemtest

// State is a node's protocol state as faults and coverage name it; the numbers
// of the four are upstream's (totemsrp.c: enum memb_state).
type State uint8

// The states.
const (
	AnyState State = iota
	Operational
	Gather
	Commit
	Recovery
	states
)

var stateNames = [states]string{"any", "OPERATIONAL", "GATHER", "COMMIT", "RECOVERY"}

// String is the name used in traces.
func (s State) String() string { return stateNames[s] }
