package srp

import "time"

// pauseState notices that the process was not scheduled for a while: then the
// membership messages that wait in the sockets are old, and acting on them would
// make the node see itself leave and join (totemsrp.c: pause_flush).
type pauseState struct {
	stamp time.Time     // when the clock was looked at last
	found time.Duration // a pause that timerPause saw
	until time.Time     // how long found counts
}

// pauseWindow is how long after the end of a pause a waiting join message is
// taken for a stale one; a join is repeated in that time.
const pauseWindow = 50 * time.Millisecond

// pauseTimer runs every fifth of the token timeout.
func (r *Ring) pauseTimer() {
	if d := r.now.Sub(r.pause.stamp); d > r.cfg.Token/2 {
		r.pause.found, r.pause.until = d, r.now.Add(pauseWindow)
	}
	r.pause.stamp = r.now
	r.timers.arm(timerPause, r.now, r.cfg.Token/5)
}

// paused reports whether a join message came right after a pause. It asks for
// everything that waits to be dropped.
func (r *Ring) paused() bool {
	d := r.now.Sub(r.pause.stamp)
	if d <= r.cfg.Token/2 {
		if r.pause.found == 0 || r.now.After(r.pause.until) {
			return false
		}
		d = r.pause.found
	}
	r.pause = pauseState{stamp: r.now}
	r.out.DropQueued = true
	r.trace(Trace{Kind: TracePaused, Dur: d})
	return true
}
