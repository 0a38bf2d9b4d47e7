package srp

// Cause is why the ring entered GATHER. The numbers are upstream's: they are in
// its logs (totemsrp.c: enum gather_state_from).
type Cause uint8

// All causes.
const (
	CauseConsensusTimeout      Cause = 0  // somebody did not answer: blame him, ask again
	CauseMissing               Cause = 1  // unused, kept for the number
	CauseTokenLostOperational  Cause = 2  // no token for Config.Token
	CauseConsensusExpired      Cause = 3  // all agreed, but no commit token came
	CauseTokenLostCommit       Cause = 4  // the commit token was lost
	CauseTokenLostRecovery     Cause = 5  // the first tokens of the new ring were lost
	CauseFailedToReceive       Cause = 6  // this node cannot receive what the others can
	CauseForeignOperational    Cause = 7  // a message of another ring
	CauseForeignGather         Cause = 8  // the same, while gathering
	CauseMergeOperational      Cause = 9  // another ring announced itself
	CauseMergeGather           Cause = 10 // the same, while gathering
	CauseMergeDuringJoin       Cause = 11 // a join message told something new
	CauseJoinDuringOperational Cause = 12 // a join message told nothing new, but somebody gathers
	CauseJoinDuringCommit      Cause = 13
	CauseJoinDuringRecovery    Cause = 14
	CauseInterfaceChange       Cause = 15 // start, or the interface came up

	causes = 16
)

// String is the text that stands behind the number in the log.
func (c Cause) String() string {
	switch c {
	case CauseConsensusTimeout:
		return "consensus timeout"
	case CauseMissing:
		return "MISSING"
	case CauseTokenLostOperational:
		return "The token was lost in the OPERATIONAL state."
	case CauseConsensusExpired:
		return "The consensus timeout expired."
	case CauseTokenLostCommit:
		return "The token was lost in the COMMIT state."
	case CauseTokenLostRecovery:
		return "The token was lost in the RECOVERY state."
	case CauseFailedToReceive:
		return "failed to receive"
	case CauseForeignOperational:
		return "foreign message in operational state"
	case CauseForeignGather:
		return "foreign message in gather state"
	case CauseMergeOperational:
		return "merge during operational state"
	case CauseMergeGather:
		return "merge during gather state"
	case CauseMergeDuringJoin:
		return "merge during join"
	case CauseJoinDuringOperational:
		return "join during operational state"
	case CauseJoinDuringCommit:
		return "join during commit state"
	case CauseJoinDuringRecovery:
		return "join during recovery"
	case CauseInterfaceChange:
		return "interface change"
	}
	return "UNKNOWN"
}
