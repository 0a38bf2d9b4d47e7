package election

import "strconv"

// State is how the election stands for this node. The numbers travel between
// attribute managers as attr_writer (election_internal.h: enum election_result).
type State uint8

// The states; Start asks the caller to vote.
const (
	Start State = iota
	InProgress
	Lost
	Won
	Error
)

func (s State) String() string {
	names := [...]string{"start", "in progress", "lost", "won", "error"}
	if int(s) < len(names) {
		return names[s]
	}
	return "state " + strconv.Itoa(int(s))
}

// Op is what a message of an election says.
type Op uint8

// A Vote offers a candidate, a NoVote gives way to one.
const (
	Vote Op = iota + 1
	NoVote
)

func (o Op) String() string {
	switch o {
	case Vote:
		return "vote"
	case NoVote:
		return "no-vote"
	}
	return "op " + strconv.Itoa(int(o))
}

// ParseOp reads the task of a message; false when it is none of an election.
func ParseOp(task string) (Op, bool) {
	switch task {
	case "vote":
		return Vote, true
	case "no-vote":
		return NoVote, true
	}
	return 0, false
}
