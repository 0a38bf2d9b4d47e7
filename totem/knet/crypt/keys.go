package crypt

import (
	"errors"
	"fmt"
	"io"
)

// Slots is how many configurations a handle knows at one time (internals.h:
// KNET_MAX_CRYPTO_INSTANCES). They are numbered from 1.
const Slots = 2

// ErrNoKey: there is no slot to seal or open with.
var ErrNoKey = errors.New("crypto is not configured")

// saltPool is how many bytes of salt are read at a time: a read costs a system call.
const saltPool = 64 * blockSize

// Keys are the slots of one node. Packets are sealed with the slot in use. They are
// opened with the slot in use, then with the other: so a cluster changes its key
// while it runs, by setting the other slot on all nodes, using it on all nodes,
// then clearing the old one (corosync's CRYPTO_RECONFIG_PHASE_ACTIVATE and _CLEANUP).
//
// A key that is cleared or replaced is wiped (CVE-2026-15811): the round keys of AES
// where this package expands them itself (amd64), the states of the HMAC everywhere.
// What is out of reach: copies in registers and on stacks, crypto/aes's round keys on
// other machines, and the key that the caller gave, which is the caller's to wipe.
type Keys struct {
	random io.Reader
	slots  [Slots + 1]*suite // 0 is always nil: nothing is sealed
	inUse  int
	other  bool   // a packet was opened with the slot that is not in use
	salts  []byte // not yet given out: the end of pool
	pool   [saltPool]byte
}

// New makes Keys with empty slots, slot 0 in use: packets go as they are. The salts
// are read from random, crypto/rand.Reader in a daemon.
func New(random io.Reader) *Keys { return &Keys{random: random} }

// Set sets a slot that is not in use, and wipes what it held. A configuration that
// protects nothing clears the slot. Nothing changes on an error (crypto.c:
// knet_handle_crypto_set_config).
func (k *Keys) Set(slot int, cfg Config) error {
	if slot < 1 || slot > Slots {
		return fmt.Errorf("crypto slot %d does not exist: there are 1 and %d", slot, Slots)
	}
	if slot == k.inUse {
		return fmt.Errorf("crypto slot %d is in use: use another one first", slot)
	}
	var next *suite
	if cfg.Enabled() {
		var err error
		if next, err = newSuite(cfg); err != nil {
			return fmt.Errorf("crypto slot %d: %w", slot, err)
		}
	}
	if old := k.slots[slot]; old != nil {
		old.wipe()
	}
	k.slots[slot], k.other = next, false
	return nil
}

// Clear empties a slot that is not in use and wipes its keys.
func (k *Keys) Clear(slot int) error { return k.Set(slot, Config{Cipher: "none", Hash: "none"}) }

// Use says which slot seals; 0: packets go as they are. The overhead changes with it
// (crypto.c: crypto_use_config).
func (k *Keys) Use(slot int) error {
	if slot < 0 || slot > Slots {
		return fmt.Errorf("crypto slot %d does not exist: there are 0 to %d", slot, Slots)
	}
	if slot != 0 && k.slots[slot] == nil {
		return fmt.Errorf("crypto slot %d is empty: set it first", slot)
	}
	k.inUse, k.other = slot, false
	return nil
}

// Overtaken tells that somebody seals with the slot that is not in use here, since
// the last Set or Use.
func (k *Keys) Overtaken() bool { return k.other }

// InUse is the slot that seals; 0: none.
func (k *Keys) InUse() int { return k.inUse }

// Configured tells whether any slot is set: then a packet that comes has to be
// tried with Open, also when slot 0 is in use.
func (k *Keys) Configured() bool {
	for _, s := range k.slots {
		if s != nil {
			return true
		}
	}
	return false
}

// Overhead is what sealing costs with the slot in use.
func (k *Keys) Overhead() Overhead {
	if s := k.slots[k.inUse]; s != nil {
		return s.overhead
	}
	return Overhead{}
}

// Salt is the room that a packet needs before it for Seal.
func (k *Keys) Salt() int { return k.Overhead().Salt }

// Sealed is the length of a sealed packet of n bytes.
func (k *Keys) Sealed(n int) int { return k.Overhead().Sealed(n) }

// Plain is the length of the longest packet that fits n bytes when it is sealed.
func (k *Keys) Plain(n int) int { return k.Overhead().Plain(n) }

// Seal seals packets in place with the slot in use. Each element starts with Salt
// bytes of room, then the packet; it becomes the sealed packet. With a capacity of
// Sealed(n) nothing is allocated. Packets given together are encrypted
// together, which is faster than one by one. With slot 0 they stay as they are. On
// an error of the reader of salts, all stay as they were.
func (k *Keys) Seal(packets [][]byte) error {
	s := k.slots[k.inUse]
	if s == nil {
		return nil
	}
	if s.cipher != nil {
		if err := k.salt(packets); err != nil {
			return err
		}
		for i, p := range packets {
			packets[i] = pad(p)
		}
		s.cipher.encrypt(packets)
	}
	for i, p := range packets {
		packets[i] = append(p, s.mac.compute(p)...)
	}
	return nil
}

// salt puts a fresh salt in front of every packet. No salt is used twice.
func (k *Keys) salt(packets [][]byte) error {
	for _, p := range packets {
		if len(k.salts) == 0 {
			if _, err := io.ReadFull(k.random, k.pool[:]); err != nil {
				return fmt.Errorf("no random bytes for the salt of a packet: %w", err)
			}
			k.salts = k.pool[:]
		}
		copy(p[:blockSize], k.salts)
		clear(k.salts[:blockSize])
		k.salts = k.salts[blockSize:]
	}
	return nil
}

// Open checks and decrypts one packet in place, with the slot in use, then with the
// other (crypto.c: crypto_authenticate_and_decrypt). It gives the part of the buffer
// that is plain. A packet that no slot opens stays as it was.
//
// While both slots are set and their configurations share key and hash, as when only
// the cipher changes, the digest of a packet matches in both. So it also looks at the
// front of the packet then: libknet doesn't, and loses such packets until both ends
// have changed.
func (k *Keys) Open(packet []byte) ([]byte, error) {
	look := k.slots[1] != nil && k.slots[2] != nil
	err := ErrNoKey
	if s := k.slots[k.inUse]; s != nil {
		var plain []byte
		if plain, err = s.open(packet, look); err == nil {
			return plain, nil
		}
	}
	for i, s := range k.slots {
		if s == nil || i == k.inUse {
			continue
		}
		plain, other := s.open(packet, look)
		if other == nil {
			k.other = true
			return plain, nil
		}
		if k.inUse == 0 {
			err = other
		}
	}
	return nil, err
}
