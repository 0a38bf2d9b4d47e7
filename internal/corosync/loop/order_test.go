package loop

import (
	"testing"
	"time"
)

// TestOrder: how long the ring waits for its clients, turn after turn.
func TestOrder(t *testing.T) {
	type turn struct {
		at            time.Duration // since the ring was served last
		ring, clients bool
		want          bool // the ring is served
	}
	const us = time.Microsecond
	for name, turns := range map[string][]turn{
		"nobody else is there":           {{1 * us, true, false, true}},
		"nothing of the ring":            {{1 * us, false, true, false}, {300 * us, false, true, false}},
		"a client first":                 {{1 * us, true, true, false}, {2 * us, true, false, true}},
		"a client in full flow":          {{1 * us, false, true, false}, {2 * us, true, true, false}, {10 * us, true, false, false}, {21 * us, true, false, false}, {22 * us, true, false, true}},
		"grace begins anew":              {{1 * us, true, true, false}, {2 * us, true, true, false}, {20 * us, true, true, false}, {39 * us, true, false, false}, {40 * us, true, false, true}},
		"a client without end":           {{1 * us, true, true, false}, {100 * us, true, true, false}, {199 * us, true, true, false}, {200 * us, true, true, true}},
		"patience ends grace":            {{190 * us, true, true, false}, {195 * us, true, true, false}, {200 * us, true, false, true}},
		"the ring was idle":              {{5000 * us, true, true, true}},
		"flow is counted from the token": {{1 * us, true, true, false}, {2 * us, true, true, false}, {30 * us, true, false, true}, {1 * us, true, true, false}, {2 * us, true, false, true}},
	} {
		t.Run(name, func(t *testing.T) {
			var o order
			base := time.Now()
			o.ringServed(base)
			for i, turn := range turns {
				now := base.Add(turn.at)
				if got := o.ringNow(now, turn.ring, turn.clients); got != turn.want {
					t.Fatalf("turn %d (%+v): the ring is served: %v, want %v", i, turn, got, turn.want)
				}
				if turn.want {
					base = now
					o.ringServed(base)
				}
			}
		})
	}
}
