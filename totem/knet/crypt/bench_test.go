package crypt

import (
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"github.com/pacesync/pacesync/internal/testbench"
)

// benchKeys are Keys as a daemon has them: the salts are the system's.
func benchKeys(b *testing.B, cfg Config) *Keys {
	k := New(rand.Reader)
	if err := errors.Join(k.Set(1, cfg), k.Use(1)); err != nil {
		b.Fatal(err)
	}
	return k
}

// benchSuites are what the benchmarks measure: the usual suite, and its halves.
var benchSuites = []Config{
	{"aes256", "sha256", key(256)}, {"none", "sha256", key(256)}, {"aes128", "sha1", key(256)},
}

// BenchmarkSeal seals packets, count at a time.
func BenchmarkSeal(b *testing.B) {
	for _, cfg := range benchSuites {
		for _, c := range []struct{ size, count int }{{64, 1}, {1400, 1}, {1400, 2}, {1400, 4}, {1400, 8}, {1400, 46}, {65000, 1}} {
			b.Run(fmt.Sprintf("%s-%s/%dx%d", cfg.Cipher, cfg.Hash, c.count, c.size), func(b *testing.B) {
				k := benchKeys(b, cfg)
				batch := make([][]byte, c.count)
				for i := range batch {
					batch[i] = make([]byte, 0, k.Sealed(c.size))
				}
				testbench.CPURate(b, c.size*c.count, func() {
					for i := range batch {
						batch[i] = batch[i][:k.Salt()+c.size]
					}
					if err := k.Seal(batch); err != nil {
						b.Fatal(err)
					}
				})
			})
		}
	}
}

// BenchmarkOpen opens packets. The copy that it needs is a small part of the time.
func BenchmarkOpen(b *testing.B) {
	for _, cfg := range benchSuites {
		for _, size := range []int{64, 1400, 65000} {
			b.Run(fmt.Sprintf("%s-%s/%d", cfg.Cipher, cfg.Hash, size), func(b *testing.B) {
				k := benchKeys(b, cfg)
				sealed := seal(b, k, make([]byte, size))
				buf := make([]byte, len(sealed))
				testbench.CPURate(b, size, func() {
					copy(buf, sealed)
					if _, err := k.Open(buf); err != nil {
						b.Fatal(err)
					}
				})
			})
		}
	}
}
