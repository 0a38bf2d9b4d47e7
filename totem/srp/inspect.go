package srp

import "time"

// Timers is how many timers a ring has, for those who look on (the simulator
// counts which event met which state).
const Timers = int(timerCount)

// TimerName names timer i.
func TimerName(i int) string {
	return [...]string{
		timerPause: "pause", timerToken: "token loss", timerWarning: "token warning", timerRetransmit: "retransmit", timerHold: "hold",
		timerMerge: "merge", timerJoin: "join", timerJoinSend: "delayed join", timerConsensus: "consensus", timerHeartbeat: "heartbeat",
	}[i]
}

// TimersDue is the set of timers, by bit, that an EvTimer at now would fire.
func (r *Ring) TimersDue(now time.Time) uint32 {
	due := uint32(0)
	for i, at := range r.timers.at {
		if !at.IsZero() && !at.After(now) {
			due |= 1 << i
		}
	}
	return due
}
