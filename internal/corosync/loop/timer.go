package loop

import "time"

// Timer is one pending call of After or a reusable one of NewTimer. Owned by the loop.
type Timer struct {
	loop *Loop
	at   time.Time
	fn   func()
	pos  int // index in the heap; -1: not pending
}

// After calls fn on the loop when d has passed since the current turn woke up.
func (l *Loop) After(d time.Duration, fn func()) *Timer {
	t := l.NewTimer(fn)
	t.Reset(l.now.Add(d))
	return t
}

// NewTimer makes a timer that is not armed; Reset arms it, any number of times,
// without allocation.
func (l *Loop) NewTimer(fn func()) *Timer { return &Timer{loop: l, fn: fn, pos: -1} }

// Reset arms the timer for at, replacing an earlier time.
func (t *Timer) Reset(at time.Time) {
	h := &t.loop.timers
	t.at = at
	if t.pos < 0 {
		t.pos = len(*h)
		*h = append(*h, t)
		h.up(t.pos)
		return
	}
	h.down(h.up(t.pos))
}

// Stop disarms the timer; false when it was not armed.
func (t *Timer) Stop() bool {
	if t.pos < 0 {
		return false
	}
	t.loop.timers.remove(t.pos)
	return true
}

// timeout is how long the loop may wait for events until a timer is due; negative: no timer.
func (l *Loop) timeout() time.Duration {
	if len(l.timers) == 0 {
		return -1
	}
	return max(time.Until(l.timers[0].at), 0)
}

// runTimers runs what is due now. A timer armed meanwhile waits for the next
// turn even when its time has come, so that timers cannot starve the sockets.
func (l *Loop) runTimers() {
	for budget := len(l.timers); budget > 0 && len(l.timers) > 0; budget-- {
		t := l.timers[0]
		if t.at.After(l.now) {
			return
		}
		l.timers.remove(0)
		t.fn()
	}
}

// timerHeap is a binary heap of armed timers, the earliest first.
type timerHeap []*Timer

func (h timerHeap) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i, j
}

func (h timerHeap) up(i int) int {
	for i > 0 {
		parent := (i - 1) / 2
		if !h[i].at.Before(h[parent].at) {
			break
		}
		h.swap(i, parent)
		i = parent
	}
	return i
}

func (h timerHeap) down(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(h); c++ {
			if h[c].at.Before(h[least].at) {
				least = c
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}

func (h *timerHeap) remove(i int) {
	last := len(*h) - 1
	gone := (*h)[i]
	h.swap(i, last)
	(*h)[last] = nil
	*h = (*h)[:last]
	if i < last {
		h.down(h.up(i))
	}
	gone.pos = -1
}
