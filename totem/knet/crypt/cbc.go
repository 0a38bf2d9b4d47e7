package crypt

import (
	"crypto/aes"
	"crypto/cipher"
)

// chains encrypts and decrypts AES-CBC chains. A chain is a buffer that starts with
// the IV and goes on with whole blocks, which are changed in place.
type chains interface {
	// encrypt encrypts each chain behind its IV. The chains need not be of one length.
	encrypt(chains [][]byte)
	// decrypt decrypts the chain behind its IV.
	decrypt(chain []byte)
	// wipe clears the key as far as it can be reached.
	wipe()
}

// stdChains does it with crypto/aes and crypto/cipher: everywhere, one block after
// the other. The standard library keeps the round keys, so wipe cannot clear them:
// dropping the object is all that can be done.
type stdChains struct {
	enc, dec resettable
}

// resettable is what crypto/cipher's CBC modes of AES are: crypto/tls too starts
// them anew for each record in this way.
type resettable interface {
	cipher.BlockMode
	SetIV(iv []byte)
}

func newStdChains(key []byte) *stdChains {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("crypt: " + err.Error()) // the length comes from Config.keySize
	}
	iv := make([]byte, blockSize)
	return &stdChains{
		enc: cipher.NewCBCEncrypter(block, iv).(resettable),
		dec: cipher.NewCBCDecrypter(block, iv).(resettable),
	}
}

func (c *stdChains) encrypt(chains [][]byte) {
	for _, chain := range chains {
		c.enc.SetIV(chain[:blockSize])
		c.enc.CryptBlocks(chain[blockSize:], chain[blockSize:])
	}
}

func (c *stdChains) decrypt(chain []byte) {
	c.dec.SetIV(chain[:blockSize])
	c.dec.CryptBlocks(chain[blockSize:], chain[blockSize:])
}

func (c *stdChains) wipe() { *c = stdChains{} }
