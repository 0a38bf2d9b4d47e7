package opqueue

import (
	"container/heap"
	"time"
)

// timers are the start delays and intervals, the next one first. An entry whose
// number is not its operation's any more is stale and is dropped when it comes up.
type timers struct {
	list timerHeap
	seq  uint64
}

type timer struct {
	at time.Time
	o  *op
	n  uint64
}

type timerHeap []timer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	return h[i].at.Before(h[j].at) || h[i].at.Equal(h[j].at) && h[i].n < h[j].n
}
func (h timerHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(x any)   { *h = append(*h, x.(timer)) }
func (h *timerHeap) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = timer{}
	*h = (*h)[:len(*h)-1]
	return last
}

// startTimer arms o's only timer.
func (q *Queue) startTimer(o *op, at time.Time) {
	q.timers.seq++
	o.timer = q.timers.seq
	heap.Push(&q.timers.list, timer{at, o, o.timer})
}

func (q *Queue) stopTimer(o *op) { o.timer, o.waiting, o.delayed = 0, false, false }

// prune drops stale entries at the front.
func (t *timers) prune() {
	for len(t.list) > 0 && t.list[0].o.timer != t.list[0].n {
		heap.Pop(&t.list)
	}
}

// due returns the operation whose timer has run out, nil when there is none.
func (t *timers) due(now time.Time) *op {
	t.prune()
	if len(t.list) == 0 || t.list[0].at.After(now) {
		return nil
	}
	return heap.Pop(&t.list).(timer).o
}

func (t *timers) next() time.Time {
	t.prune()
	if len(t.list) == 0 {
		return time.Time{}
	}
	return t.list[0].at
}
