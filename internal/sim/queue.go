// Package sim holds what every simulation of this project needs: an event
// queue in virtual time, seeded randomness that is the same on every machine,
// and the shrinking of a failing schedule.
//
// Callers: totem/totemtest and later simulators. Nothing here knows what it
// simulates. It has no upstream.
package sim

import "time"

// Queue orders events by virtual time; events of the same time come out in the
// order they were put in, so a run is the same every time. The zero Queue is
// empty and ready. Owned by one goroutine.
type Queue[T any] struct {
	heap []entry[T]
	put  uint64
}

type entry[T any] struct {
	at  time.Duration
	put uint64
	ev  T
}

func (a *entry[T]) before(b *entry[T]) bool {
	return a.at < b.at || a.at == b.at && a.put < b.put
}

// Len is how many events wait.
func (q *Queue[T]) Len() int { return len(q.heap) }

// Reset empties the queue and keeps its memory.
func (q *Queue[T]) Reset() {
	clear(q.heap)
	q.heap, q.put = q.heap[:0], 0
}

// Put adds an event at a time.
func (q *Queue[T]) Put(at time.Duration, ev T) {
	q.put++
	q.heap = append(q.heap, entry[T]{at, q.put, ev})
	i := len(q.heap) - 1
	for i > 0 {
		up := (i - 1) / fanout
		if !q.heap[i].before(&q.heap[up]) {
			break
		}
		q.heap[i], q.heap[up] = q.heap[up], q.heap[i]
		i = up
	}
}

// fanout is the width of the heap: four children share a cache line's worth of
// times, which is faster than two.
const fanout = 4

// Next is the time of the first event; false when there is none.
func (q *Queue[T]) Next() (time.Duration, bool) {
	if len(q.heap) == 0 {
		return 0, false
	}
	return q.heap[0].at, true
}

// Pop takes the first event out. The queue must not be empty.
func (q *Queue[T]) Pop() (time.Duration, T) {
	first := q.heap[0]
	last := len(q.heap) - 1
	moved := q.heap[last]
	q.heap[last] = entry[T]{}
	q.heap = q.heap[:last]
	if last > 0 {
		q.sink(moved)
	}
	return first.at, first.ev
}

// sink puts e at the free root and lets it down to its place.
func (q *Queue[T]) sink(e entry[T]) {
	i, n := 0, len(q.heap)
	for {
		least := -1
		for c := fanout*i + 1; c <= fanout*i+fanout && c < n; c++ {
			if least < 0 || q.heap[c].before(&q.heap[least]) {
				least = c
			}
		}
		if least < 0 || !q.heap[least].before(&e) {
			break
		}
		q.heap[i] = q.heap[least]
		i = least
	}
	q.heap[i] = e
}
