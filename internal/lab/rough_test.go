package lab

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestParseRough(t *testing.T) {
	r, err := ParseRough([]string{"delay=20ms", "jitter=5ms", "reorder=5%", "hold=10ms", "duplicate=1.5"})
	if want := (Rough{20 * time.Millisecond, 5 * time.Millisecond, 5, 10 * time.Millisecond, 1.5}); err != nil || r != want {
		t.Errorf("%+v, %v", r, err)
	}
	for _, bad := range []string{"delay=1h", "delay=-1ms", "jitter=5", "reorder=101%", "duplicate=NaN", "loss=3", "delay"} {
		if _, err := ParseRough([]string{bad}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// TestRoughCable: what is not held back keeps its order, and the shares are right.
func TestRoughCable(t *testing.T) {
	c := roughCable{rough: Rough{Delay: 10 * time.Millisecond, Jitter: 3 * time.Millisecond, Reorder: 10, Duplicate: 5}, rng: rand.New(rand.NewPCG(1, 2))}
	start := time.Unix(0, 0)
	var now, newest time.Time
	const packets = 10000
	overtaken, twice := 0, 0
	for i := range packets {
		now = start.Add(time.Duration(i) * time.Millisecond)
		at, n := c.arrivals(now)
		if d := at[0].Sub(now); d < c.rough.Delay || d > c.rough.Delay+c.rough.Jitter+c.rough.hold() {
			t.Fatalf("packet %d takes %v", i, d)
		}
		if at[0].Before(newest) {
			overtaken++
		} else {
			newest = at[0]
		}
		if n == 2 {
			twice++
			if at[1].Before(at[0]) {
				t.Fatalf("packet %d: the copy comes first", i)
			}
		}
	}
	if overtaken < packets/20 || overtaken > packets/2 {
		t.Errorf("%d of %d overtaken", overtaken, packets)
	}
	if twice < packets*4/100 || twice > packets*6/100 {
		t.Errorf("%d of %d twice", twice, packets)
	}
	plain := roughCable{rough: Rough{Jitter: 3 * time.Millisecond}, rng: c.rng}
	newest = time.Time{}
	for i := range packets {
		at, n := plain.arrivals(start.Add(time.Duration(i) * time.Microsecond))
		if n != 1 || at[0].Before(newest) {
			t.Fatalf("jitter alone must keep the order: packet %d", i)
		}
		newest = at[0]
	}
}
