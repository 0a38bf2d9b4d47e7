package wire

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
)

// Keys protect the packets of one RMCP+ session.
type Keys struct {
	suite Suite
	k1    []byte
	aes   [16]byte
}

// ErrForged is returned for packets whose code or protection is not the session's.
var ErrForged = errors.New("ipmi: packet is not from this session")

// Seal writes a packet of the session with the protection of its suite. iv is
// fresh randomness.
func (k *Keys) Seal(dst []byte, session, seq uint32, iv [16]byte, t PayloadType, body []byte) []byte {
	dst = appendRMCP(dst)
	at := len(dst)
	flags := byte(0)
	if k.suite.Integrity != AlgNone {
		flags |= flagSigned
	}
	if k.suite.Crypt != AlgNone {
		flags |= flagEncrypted
		body = k.encrypt(iv, body)
	}
	dst = append(dst, byte(AuthRMCPP), byte(t)|flags)
	dst = binary.LittleEndian.AppendUint32(dst, session)
	dst = binary.LittleEndian.AppendUint32(dst, seq)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(body)))
	dst = append(dst, body...)
	if k.suite.Integrity == AlgNone {
		return dst
	}
	pad := byte(0)
	for ; (len(dst)-at+2)%4 != 0; pad++ {
		dst = append(dst, 0xff)
	}
	dst = append(dst, pad, nextHeader)
	return append(dst, k.suite.mac(k.k1, dst[at:])[:k.suite.codeLen()]...)
}

// Open checks a packet against the session's protection and returns its body.
// The packet's session id and sequence number are the caller's to check.
func (k *Keys) Open(p *Packet) ([]byte, error) {
	if !p.V20() || p.Signed != (k.suite.Integrity != AlgNone) || p.Encrypted != (k.suite.Crypt != AlgNone) {
		return nil, fmt.Errorf("%w: protection other than of %v", ErrForged, k.suite)
	}
	if p.Signed {
		n := k.suite.codeLen()
		t := len(p.trailer) - n
		if t < 2 || p.trailer[t-1] != nextHeader || int(p.trailer[t-2]) != t-2 {
			return nil, fmt.Errorf("%w: trailer of %d bytes", ErrForged, len(p.trailer))
		}
		signed := p.session[:len(p.session)-n]
		if !hmac.Equal(k.suite.mac(k.k1, signed)[:n], p.trailer[t:]) {
			return nil, fmt.Errorf("%w: code wrong", ErrForged)
		}
	}
	if !p.Encrypted {
		return p.Body, nil
	}
	return k.decrypt(p.Body)
}

func (k *Keys) block() cipher.Block {
	c, err := aes.NewCipher(k.aes[:])
	if err != nil {
		panic(err) // 16 bytes are a key
	}
	return c
}

func (k *Keys) encrypt(iv [16]byte, body []byte) []byte {
	out := make([]byte, 16, 16+len(body)+16)
	copy(out, iv[:])
	out = append(out, body...)
	pad := byte(0)
	for (len(out)+1)%16 != 0 {
		pad++
		out = append(out, pad)
	}
	out = append(out, pad)
	cipher.NewCBCEncrypter(k.block(), iv[:]).CryptBlocks(out[16:], out[16:])
	return out
}

func (k *Keys) decrypt(b []byte) ([]byte, error) {
	if len(b) < 32 || len(b)%16 != 0 || len(b) > MaxPacket {
		return nil, fmt.Errorf("%w: %d encrypted bytes", ErrForged, len(b))
	}
	out := make([]byte, len(b)-16)
	cipher.NewCBCDecrypter(k.block(), b[:16]).CryptBlocks(out, b[16:])
	// The pad's values are not checked: some BMCs get them wrong, and the code
	// has vouched for the packet (suites that encrypt are signed).
	pad := int(out[len(out)-1])
	if pad > 15 {
		return nil, fmt.Errorf("%w: pad of %d bytes", ErrForged, pad)
	}
	return out[:len(out)-1-pad], nil
}
