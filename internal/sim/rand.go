package sim

import (
	"math/rand/v2"
	"time"
)

// NewRand returns the generator of one stream of a seed. Streams of the same
// seed are independent: drawing more from one leaves the others as they were.
func NewRand(seed, stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(mix(seed), mix(stream^0x9e3779b97f4a7c15)))
}

// mix spreads neighbouring numbers over the whole range (SplitMix64's final
// step), so that seeds 1, 2, 3 … have nothing in common.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Between draws a duration from lo to hi, both included.
func Between(r *rand.Rand, lo, hi time.Duration) time.Duration {
	if hi <= lo {
		return lo
	}
	return lo + time.Duration(r.Int64N(int64(hi-lo)+1))
}

// Chance is true with probability p.
func Chance(r *rand.Rand, p float64) bool { return p > 0 && r.Float64() < p }

// Pick draws one of the values.
func Pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

// Hash is a running FNV-1a hash over words: two runs with equal hashes did the
// same in the same order.
type Hash uint64

// NewHash is the hash of nothing.
func NewHash() Hash { return 14695981039346656037 }

// Add takes one word in.
func (h *Hash) Add(word uint64) { *h = Hash((uint64(*h) ^ mix(word)) * 1099511628211) }
