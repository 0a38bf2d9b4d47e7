package crypt

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
)

const (
	// MinKey and MaxKey limit the length of a key (libknet.h: KNET_MIN_KEY_LEN,
	// KNET_MAX_KEY_LEN).
	MinKey = 128
	MaxKey = 4096

	// blockSize is AES's; the salt is one block.
	blockSize = 16
	// maxPacket is the longest packet without its HMAC that Open looks at
	// (libknet.h: KNET_MAX_PACKET_SIZE).
	maxPacket = 65536
	// maxHash is the longest HMAC, sha512's.
	maxHash = 64
)

// Config is what one slot is set to: the words of corosync.conf (crypto_cipher,
// crypto_hash) and the whole key file.
type Config struct {
	Cipher string // none, aes128, aes192 or aes256
	Hash   string // none, md5, sha1, sha256, sha384 or sha512
	Key    []byte
}

// Enabled tells whether packets are protected at all.
func (c Config) Enabled() bool { return c.Cipher != "none" || c.Hash != "none" }

// Check tells what is wrong with the configuration (crypto.c:
// knet_handle_crypto_set_config, nsscrypto_init).
func (c Config) Check() error {
	if !c.Enabled() {
		return nil
	}
	if _, err := c.keySize(); err != nil {
		return err
	}
	newHash, err := c.newHash()
	if err != nil {
		return err
	}
	if newHash == nil {
		return fmt.Errorf("crypto cipher %s needs a hash: set crypto_hash to md5, sha1, sha256, sha384 or sha512", c.Cipher)
	}
	switch n := len(c.Key); {
	case n < MinKey:
		return fmt.Errorf("private key is too short: %d bytes, at least %d are needed (make one with corosync-keygen)", n, MinKey)
	case n > MaxKey:
		return fmt.Errorf("private key is too long: %d bytes, at most %d are allowed (make one with corosync-keygen)", n, MaxKey)
	}
	return nil
}

// keySize is the length of the AES key; 0: no cipher.
func (c Config) keySize() (int, error) {
	switch c.Cipher {
	case "none":
		return 0, nil
	case "aes128":
		return 16, nil
	case "aes192":
		return 24, nil
	case "aes256":
		return 32, nil
	}
	return 0, fmt.Errorf("unknown crypto cipher %q: none, aes128, aes192 and aes256 exist", c.Cipher)
}

// newHash makes the hash of the HMAC; nil: none.
func (c Config) newHash() (func() hash.Hash, error) {
	switch c.Hash {
	case "none":
		return nil, nil
	case "md5":
		return md5.New, nil
	case "sha1":
		return sha1.New, nil
	case "sha256":
		return sha256.New, nil
	case "sha384":
		return sha512.New384, nil
	case "sha512":
		return sha512.New, nil
	}
	return nil, fmt.Errorf("unknown crypto hash %q: none, md5, sha1, sha256, sha384 and sha512 exist", c.Hash)
}
