package daemon

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Locked memory is never given back, so what counts is how far it grows. While
// little of it lives, collections are to be rare, since a token may have to wait for
// one; but garbage of a flood must not fill several times what lives then.
const (
	// gcPercent: the daemon's live heap is a few megabytes of buffers that stay;
	// a collection costs about a millisecond of a second core.
	gcPercent = 400
	// memoryAtEase is what the runtime may have in all before it collects sooner.
	memoryAtEase = 48 << 20
	// memoryLimit is the most that twice what lives may allow, when many large
	// messages wait for slow clients.
	memoryLimit = 512 << 20
)

// watched is collected each time, and says so.
type watched struct{ limit *int64 }

// tuneCollector sets the collector, now and after each collection.
func tuneCollector() {
	debug.SetGCPercent(gcPercent)
	limit := int64(memoryAtEase)
	debug.SetMemoryLimit(limit)
	watch(&watched{&limit})
}

func watch(w *watched) { runtime.SetFinalizer(w, afterCollection) }

// afterCollection lets the limit follow what lives: a limit below that would keep
// the collector running.
func afterCollection(w *watched) {
	live := [1]metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live[:])
	if limit := memoryFor(live[0].Value.Uint64()); limit > *w.limit || limit < *w.limit/2 {
		*w.limit = limit
		debug.SetMemoryLimit(limit)
	}
	watch(&watched{w.limit})
}

// memoryFor is the limit with so many bytes of heap alive.
func memoryFor(live uint64) int64 {
	return int64(min(max(2*live+memoryAtEase/2, memoryAtEase), memoryLimit))
}
