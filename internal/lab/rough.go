package lab

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Rough is how a bad cable treats packets. The zero value is a good one.
type Rough struct {
	Delay     time.Duration // of every packet, each way; from node to node it passes two cables
	Jitter    time.Duration // up to this much more, at random; order is kept
	Reorder   float64       // percent of packets that are held back by Hold, so that later ones pass them
	Hold      time.Duration // default 5 ms
	Duplicate float64       // percent of packets that come twice
}

const (
	defaultHold = 5 * time.Millisecond
	maxDelay    = 10 * time.Second
)

// ParseRough reads settings such as "delay=20ms jitter=5ms reorder=5% hold=10ms duplicate=1%".
func ParseRough(settings []string) (Rough, error) {
	var r Rough
	for _, s := range settings {
		key, val, _ := strings.Cut(s, "=")
		var err error
		switch key {
		case "delay":
			r.Delay, err = time.ParseDuration(val)
		case "jitter":
			r.Jitter, err = time.ParseDuration(val)
		case "hold":
			r.Hold, err = time.ParseDuration(val)
		case "reorder":
			r.Reorder, err = strconv.ParseFloat(strings.TrimSuffix(val, "%"), 64)
		case "duplicate":
			r.Duplicate, err = strconv.ParseFloat(strings.TrimSuffix(val, "%"), 64)
		default:
			return r, fmt.Errorf("lab: setting %q: want delay=20ms jitter=5ms reorder=5%% hold=10ms duplicate=1%%", s)
		}
		if err != nil {
			return r, fmt.Errorf("lab: setting %q: want a time such as 20ms, or a percentage: %w", s, err)
		}
	}
	return r, r.check()
}

func (r Rough) check() error {
	for _, d := range []time.Duration{r.Delay, r.Jitter, r.Hold} {
		if d < 0 || d > maxDelay {
			return fmt.Errorf("lab: a delay of %v: between 0 and %v are possible", d, maxDelay)
		}
	}
	for _, p := range []float64{r.Reorder, r.Duplicate} {
		if !(p >= 0 && p <= 100) {
			return fmt.Errorf("lab: %g %%: between 0 and 100 are possible", p)
		}
	}
	return nil
}

func (r Rough) String() string {
	return fmt.Sprintf("delay %v, jitter %v, %g %% held back by %v, %g %% twice", r.Delay, r.Jitter, r.Reorder, r.hold(), r.Duplicate)
}

func (r Rough) hold() time.Duration {
	if r.Hold == 0 {
		return defaultHold
	}
	return r.Hold
}

// roughCable decides when the packets of one direction arrive. Pure.
type roughCable struct {
	rough Rough
	rng   *rand.Rand
	last  time.Time // of the packets that keep their order
}

// arrivals are the times at which a packet sent now arrives: one, or two when it
// is duplicated.
func (c *roughCable) arrivals(now time.Time) (at [2]time.Time, n int) {
	at[0] = now.Add(c.rough.Delay)
	if c.rough.Jitter > 0 {
		at[0] = at[0].Add(time.Duration(c.rng.Int64N(int64(c.rough.Jitter))))
	}
	if at[0].Before(c.last) {
		at[0] = c.last
	}
	if c.chance(c.rough.Reorder) {
		at[0] = at[0].Add(c.rough.hold())
	} else {
		c.last = at[0]
	}
	if !c.chance(c.rough.Duplicate) {
		return at, 1
	}
	at[1] = at[0].Add(time.Duration(c.rng.Int64N(int64(c.rough.hold()) + 1)))
	return at, 2
}

func (c *roughCable) chance(percent float64) bool {
	return percent > 0 && c.rng.Float64()*100 < percent
}
