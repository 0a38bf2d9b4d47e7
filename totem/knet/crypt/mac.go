package crypt

import (
	"encoding"
	"hash"
)

// mac computes HMACs (RFC 2104) with one key. The two blocks of key are hashed once,
// when it is made; for each packet the hash starts from their saved states. It keeps
// those itself, rather than in crypto/hmac, so that wipe can clear them.
type mac struct {
	hash         hash.Hash
	state        encoding.BinaryUnmarshaler // hash again
	inner, outer []byte                     // the states after the block of key
	sum          [maxHash]byte
}

func newMAC(newHash func() hash.Hash, key []byte) *mac {
	h := newHash()
	m := &mac{hash: h, state: h.(encoding.BinaryUnmarshaler)}
	block := make([]byte, h.BlockSize())
	if len(key) > len(block) {
		h.Write(key)
		h.Sum(block[:0])
	} else {
		copy(block, key)
	}
	m.inner = m.start(block, 0x36)
	m.outer = m.start(block, 0x36^0x5c)
	clear(block)
	h.Reset()
	return m
}

// start is the state of the hash after block XOR pad, which stays in block.
func (m *mac) start(block []byte, pad byte) []byte {
	for i := range block {
		block[i] ^= pad
	}
	m.hash.Reset()
	m.hash.Write(block)
	state, err := m.hash.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		panic("crypt: the standard library's hashes can be saved: " + err.Error())
	}
	return state
}

// compute gives the HMAC of data, valid until the next call.
func (m *mac) compute(data []byte) []byte {
	m.load(m.inner)
	m.hash.Write(data)
	inner := m.hash.Sum(m.sum[:0])
	m.load(m.outer)
	m.hash.Write(inner)
	return m.hash.Sum(m.sum[:0])
}

func (m *mac) load(state []byte) {
	if err := m.state.UnmarshalBinary(state); err != nil {
		panic("crypt: a saved state can be loaded: " + err.Error())
	}
}

// wipe clears what the key could be used by.
func (m *mac) wipe() {
	clear(m.inner)
	clear(m.outer)
	clear(m.sum[:])
	m.hash.Reset()
}
