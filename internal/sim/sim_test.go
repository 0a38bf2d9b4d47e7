package sim

import (
	"slices"
	"testing"
	"time"
)

func TestQueueOrder(t *testing.T) {
	r := NewRand(1, 0)
	var q Queue[int]
	type item struct {
		at time.Duration
		n  int
	}
	var want []item
	for round := range 200 {
		for i := range r.IntN(20) {
			at := time.Duration(r.IntN(30))
			q.Put(at, round*100+i)
			want = append(want, item{at, round*100 + i})
		}
		slices.SortStableFunc(want, func(a, b item) int { return int(a.at - b.at) })
		for range r.IntN(15) {
			next, ok := q.Next()
			if ok != (len(want) > 0) {
				t.Fatalf("Next says %v with %d waiting", ok, len(want))
			}
			if !ok {
				break
			}
			at, n := q.Pop()
			if at != next || at != want[0].at || n != want[0].n {
				t.Fatalf("got %v %d, want %v %d", at, n, want[0].at, want[0].n)
			}
			want = want[1:]
		}
		if q.Len() != len(want) {
			t.Fatalf("%d waiting, want %d", q.Len(), len(want))
		}
	}
}

func TestQueueDoesNotAllocate(t *testing.T) {
	var q Queue[[4]int64]
	for i := range 1000 {
		q.Put(time.Duration(i%17), [4]int64{})
	}
	if n := testing.AllocsPerRun(1000, func() {
		at, ev := q.Pop()
		q.Put(at+5, ev)
	}); n != 0 {
		t.Errorf("%v allocations for one event", n)
	}
}

func TestStreamsAreIndependent(t *testing.T) {
	a, b := NewRand(7, 1), NewRand(7, 1)
	for range 100 {
		if a.Uint64() != b.Uint64() {
			t.Fatal("the same stream differs")
		}
	}
	if NewRand(7, 1).Uint64() == NewRand(7, 2).Uint64() || NewRand(7, 1).Uint64() == NewRand(8, 1).Uint64() {
		t.Error("two streams start alike")
	}
}

func TestShrink(t *testing.T) {
	items := make([]int, 100)
	for i := range items {
		items[i] = i
	}
	calls := 0
	got := Shrink(items, 1000, func(s []int) bool {
		calls++
		return slices.Contains(s, 13) && slices.Contains(s, 77) && slices.Contains(s, 78)
	})
	if !slices.Equal(got, []int{13, 77, 78}) {
		t.Errorf("shrunk to %v", got)
	}
	if calls > 200 {
		t.Errorf("%d calls", calls)
	}
	if got := Shrink(items, 1000, func([]int) bool { return true }); len(got) != 0 {
		t.Errorf("what always fails shrinks to nothing, not %v", got)
	}
	if got := Shrink(items, 3, func(s []int) bool { return len(s) > 10 }); len(got) < 11 {
		t.Errorf("stopped at %d items that do not fail", len(got))
	}
}
