package crypt

import (
	"encoding/binary"
	"math/bits"
)

// width is how many chains encrypt8 takes.
const width = 8

// newChains takes the AES instructions of the processor if it has them.
func newChains(key []byte) chains {
	if !hasAES() {
		return newStdChains(key)
	}
	return newAESChains(key)
}

// aesChains uses the processor's AES instructions on eight blocks at a time. One
// chain cannot be encrypted faster than block after block, and most of that time the
// processor waits for the round before. So chains that are given together, such as
// the fragments of one message, are encrypted side by side, and of one chain that is
// decrypted eight blocks are. It expands the key itself, so that it can be wiped.
type aesChains struct {
	rounds   int
	enc, dec roundKeys
}

// roundKeys are the keys of up to 14 rounds and the one before them.
type roundKeys [15][blockSize / 4]uint32

// newAESChains expands the key (FIPS 197, sections 5.2 and 5.3.5).
func newAESChains(key []byte) *aesChains {
	words := len(key) / 4
	c := &aesChains{rounds: words + 6}
	var w [len(c.enc) * 4]uint32
	for i := range words {
		w[i] = binary.LittleEndian.Uint32(key[4*i:])
	}
	rcon := uint32(1)
	for i := words; i < 4*(c.rounds+1); i++ {
		t := w[i-1]
		switch {
		case i%words == 0:
			t = subWord(bits.RotateLeft32(t, -8)) ^ rcon
			if rcon <<= 1; rcon > 0xff {
				rcon ^= 0x11b
			}
		case words > 6 && i%words == 4:
			t = subWord(t)
		}
		w[i] = w[i-words] ^ t
	}
	for i, word := range w {
		c.enc[i/4][i%4] = word
	}
	clear(w[:])
	for i := range c.rounds + 1 {
		c.dec[i] = c.enc[c.rounds-i]
		if i != 0 && i != c.rounds {
			inverseMixColumns(&c.dec[i])
		}
	}
	return c
}

// encrypt keeps up to eight chains under way: each time one ends, the next takes its
// place.
func (c *aesChains) encrypt(chains [][]byte) {
	var lanes [width][]byte // each starts with the block before the next one
	n := 0
	for len(chains) > 0 || n > 0 {
		for n < width && len(chains) > 0 {
			lanes[n] = chains[0]
			chains = chains[1:]
			n++
		}
		blocks := len(lanes[0])/blockSize - 1
		for _, lane := range lanes[1:n] {
			blocks = min(blocks, len(lane)/blockSize-1)
		}
		c.run(lanes[:n], blocks)
		left := 0
		for _, lane := range lanes[:n] {
			if rest := lane[blocks*blockSize:]; len(rest) > blockSize {
				lanes[left] = rest
				left++
			}
		}
		n = left
	}
}

// run encrypts the next blocks of each of up to eight lanes. Where a routine takes
// more lanes than there are, the first one is given several times: they all read
// the same, then write the same.
func (c *aesChains) run(lanes [][]byte, blocks int) {
	if blocks == 0 {
		return
	}
	var at [width]*byte
	for i := range at {
		if i < len(lanes) {
			at[i] = &lanes[i][0]
		} else {
			at[i] = at[0]
		}
	}
	switch {
	case len(lanes) == 1:
		encrypt1(&c.enc, c.rounds, at[0], blocks)
	case len(lanes) <= 4:
		encrypt4(&c.enc, c.rounds, &at, blocks)
	default:
		encrypt8(&c.enc, c.rounds, &at, blocks)
	}
}

func (c *aesChains) decrypt(chain []byte) {
	if blocks := len(chain)/blockSize - 1; blocks > 0 {
		decrypt(&c.dec, c.rounds, &chain[0], blocks)
	}
}

func (c *aesChains) wipe() { *c = aesChains{} }

// hasAES tells whether the processor has the AES instructions.
func hasAES() bool

// subWord is SubWord of FIPS 197.
func subWord(w uint32) uint32

// inverseMixColumns makes a round key of encryption one of decryption.
//
//go:noescape
func inverseMixColumns(key *[blockSize / 4]uint32)

// encrypt1 encrypts blocks in place. At chain stands the IV, behind it the blocks.
//
//go:noescape
func encrypt1(keys *roundKeys, rounds int, chain *byte, blocks int)

// encrypt4 does what encrypt1 does with the first four chains, side by side.
//
//go:noescape
func encrypt4(keys *roundKeys, rounds int, chains *[width]*byte, blocks int)

// encrypt8 does what encrypt1 does with eight chains, side by side.
//
//go:noescape
func encrypt8(keys *roundKeys, rounds int, chains *[width]*byte, blocks int)

// decrypt decrypts blocks in place. At chain stands the IV, behind it the blocks.
//
//go:noescape
func decrypt(keys *roundKeys, rounds int, chain *byte, blocks int)
