package crypt

import (
	"bytes"
	"crypto/subtle"
	"errors"
)

// Why a packet was not opened. None of them tells a sender anything: knet drops
// such packets without an answer.
var (
	ErrSize    = errors.New("sealed packet has a size that none can have")
	ErrDigest  = errors.New("digest does not match: check crypto key and configuration")
	ErrPadding = errors.New("digest matches, but the padding is wrong: the cipher differs")
)

// suite is a cipher and a hash with their keys: what a slot holds.
type suite struct {
	cipher   chains // nil: hash only
	mac      *mac
	overhead Overhead
	look     [2 * blockSize]byte // a block and the one before it, for peek
}

func newSuite(cfg Config) (*suite, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	newHash, _ := cfg.newHash()
	s := &suite{mac: newMAC(newHash, cfg.Key)}
	s.overhead.Hash = s.mac.hash.Size()
	if size, _ := cfg.keySize(); size > 0 {
		s.cipher = newChains(cfg.Key[:size])
		s.overhead.Salt, s.overhead.Block = blockSize, blockSize
	}
	return s, nil
}

// pad appends the padding of PKCS#7 to a packet that follows its salt.
func pad(packet []byte) []byte {
	n := blockSize - len(packet)%blockSize
	for range n {
		packet = append(packet, byte(n))
	}
	return packet
}

// open checks and decrypts a packet in place and gives the part of it that is plain.
// A packet that is refused stays as it was. With look, a packet that does not start
// as one of knet's does counts as refused, see Keys.Open.
func (s *suite) open(packet []byte, look bool) ([]byte, error) {
	n := len(packet) - s.overhead.Hash
	if n <= 0 || n > maxPacket {
		return nil, ErrSize
	}
	if s.cipher != nil && (n < 2*blockSize || n%blockSize != 0) {
		return nil, ErrSize
	}
	body := packet[:n:n]
	if subtle.ConstantTimeCompare(s.mac.compute(body), packet[n:]) != 1 {
		return nil, ErrDigest
	}
	if s.cipher == nil {
		if look && !startsAsKnet(body) {
			return nil, ErrPadding
		}
		return body, nil
	}
	if look && !startsAsKnet(s.peek(body[:2*blockSize])) {
		return nil, ErrPadding
	}
	last := s.peek(body[n-2*blockSize:])
	padding := int(last[blockSize-1])
	if !padded(last, padding) {
		return nil, ErrPadding
	}
	s.cipher.decrypt(body)
	return body[blockSize : n-padding], nil
}

// peek decrypts one block, which follows the one before it, without a change to the
// packet. What it gives is valid until the next call.
func (s *suite) peek(two []byte) []byte {
	copy(s.look[:], two)
	s.cipher.decrypt(s.look[:])
	return s.look[blockSize:]
}

// padded tells whether the last block ends as PKCS#7 asks for. The time it takes may
// tell: whoever gets here had the key of the HMAC.
func padded(last []byte, padding int) bool {
	if padding < 1 || padding > blockSize {
		return false
	}
	tail := last[blockSize-padding:]
	return bytes.Count(tail, tail[padding-1:]) == padding
}

// startsAsKnet tells whether it may be the front of a packet: version 1 and a type
// that exists (onwire.h: KNET_HEADER_VERSION, KNET_HEADER_TYPE_*).
func startsAsKnet(b []byte) bool {
	return len(b) >= 2 && b[0] == 1 && (b[1] == 0 || b[1] >= 0x81 && b[1] <= 0x84)
}

// wipe clears the keys.
func (s *suite) wipe() {
	s.mac.wipe()
	if s.cipher != nil {
		s.cipher.wipe()
	}
	clear(s.look[:])
}
