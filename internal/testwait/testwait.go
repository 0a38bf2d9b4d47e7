// Package testwait is how tests wait: for a condition, with a deadline, never
// for a fixed time.
package testwait

import (
	"testing"
	"time"
)

// For returns once cond is true. When that has not come within limit the test
// fails, naming what it waited for.
func For(t testing.TB, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for pause := time.Millisecond; !cond(); pause = min(2*pause, 50*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain: %s", limit, what)
		}
		time.Sleep(pause)
	}
}
