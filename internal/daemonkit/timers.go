package daemonkit

import (
	"cmp"
	"slices"
	"time"
)

// Alarm wakes a loop at a core's deadline. It is owned by the loop.
type Alarm struct {
	C     <-chan time.Time
	timer *time.Timer
	at    time.Time
}

// NewAlarm makes an alarm that is not set.
func NewAlarm() *Alarm {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &Alarm{C: t.C, timer: t}
}

// Set makes C fire at that time, once, instead of what was set before; the zero
// time: never. After C has fired it has to be set again, also to the same time.
func (a *Alarm) Set(at time.Time) {
	switch {
	case at.IsZero():
		a.timer.Stop()
	case at.Equal(a.at) && time.Now().Before(at):
		return // armed already, or about to fire
	default:
		a.timer.Reset(max(time.Until(at), 0))
	}
	a.at = at
}

// Timers is a set of named deadlines for a loop or a core: it reads no clock.
// The zero value is ready.
type Timers[K comparable] struct{ list []timer[K] }

type timer[K comparable] struct {
	key K
	at  time.Time
}

// Set arms a timer, replacing an earlier time of the same key.
func (t *Timers[K]) Set(key K, at time.Time) {
	t.Stop(key)
	i, _ := slices.BinarySearchFunc(t.list, at, func(x timer[K], at time.Time) int {
		return cmp.Or(x.at.Compare(at), -1) // after those of the same time
	})
	t.list = slices.Insert(t.list, i, timer[K]{key, at})
}

// Stop disarms a timer; false when it was not armed.
func (t *Timers[K]) Stop(key K) bool {
	i := slices.IndexFunc(t.list, func(x timer[K]) bool { return x.key == key })
	if i < 0 {
		return false
	}
	t.list = slices.Delete(t.list, i, i+1)
	return true
}

// Armed returns when a timer is due.
func (t *Timers[K]) Armed(key K) (time.Time, bool) {
	for _, x := range t.list {
		if x.key == key {
			return x.at, true
		}
	}
	return time.Time{}, false
}

// Deadline is the earliest time, zero without timers.
func (t *Timers[K]) Deadline() time.Time {
	if len(t.list) == 0 {
		return time.Time{}
	}
	return t.list[0].at
}

// Due disarms and returns what is due, the earliest first.
func (t *Timers[K]) Due(now time.Time) []K {
	var keys []K
	n := 0
	for ; n < len(t.list) && !t.list[n].at.After(now); n++ {
		keys = append(keys, t.list[n].key)
	}
	t.list = slices.Delete(t.list, 0, n)
	return keys
}
