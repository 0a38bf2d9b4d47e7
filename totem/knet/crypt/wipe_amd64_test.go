package crypt

import (
	"errors"
	"testing"

	"github.com/pacesync/pacesync/internal/testneed"
)

// TestCVE_2026_15811_RoundKeys looks into the round keys of a slot that is replaced.
func TestCVE_2026_15811_RoundKeys(t *testing.T) {
	k := keysWith(t, Config{"aes256", "sha256", key(256)})
	c, ok := k.slots[1].cipher.(*aesChains)
	if !ok {
		testneed.Missing(t, "this processor has no AES instructions")
	}
	if c.rounds != 14 || c.enc == (roundKeys{}) || c.dec == (roundKeys{}) {
		t.Fatal("there were no keys to look at")
	}
	if err := errors.Join(k.Use(0), k.Set(1, Config{"aes128", "sha256", key(256)})); err != nil {
		t.Fatal(err)
	}
	if *c != (aesChains{}) {
		t.Error("the round keys outlive the slot")
	}
}
