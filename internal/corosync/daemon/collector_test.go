package daemon

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestMemoryFor(t *testing.T) {
	for live, want := range map[uint64]int64{0: memoryAtEase, 10 << 20: memoryAtEase, 30 << 20: 84 << 20, 1 << 40: memoryLimit} {
		if got := memoryFor(live); got != want {
			t.Errorf("%d bytes live: %d, want %d", live, got, want)
		}
	}
}

// TestCollectorFollows: with more alive than the runtime may have at ease the limit grows,
// and it comes back when that is gone.
func TestCollectorFollows(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	tuneCollector()
	limit := func() int64 {
		for range 5 { // a finalizer runs some time after the collection
			runtime.GC()
			runtime.Gosched()
		}
		return debug.SetMemoryLimit(-1)
	}
	if got := limit(); got != memoryAtEase {
		t.Errorf("at the beginning %d, want %d", got, memoryAtEase)
	}
	held := make([]byte, 100<<20)
	if got := limit(); got < 200<<20 {
		t.Errorf("with %d bytes held: %d", len(held), got)
	}
	runtime.KeepAlive(held)
	held = nil
	if got := limit(); got != memoryAtEase {
		t.Errorf("when they are gone: %d, want %d", got, memoryAtEase)
	}
}
