package wire

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
)

// Algorithm numbers of §13.28.
const (
	AlgNone         = 0
	AuthSHA1        = 1
	AuthSHA256      = 3
	IntegritySHA1   = 1 // HMAC-SHA1-96
	IntegritySHA256 = 4 // HMAC-SHA256-128
	CryptAES        = 1 // AES-CBC-128
)

// Suite is a cipher suite (§22.15.2).
type Suite struct {
	ID                     int // -1: not one of ours
	Auth, Integrity, Crypt uint8
}

// suites are the cipher suites spoken here. 0 authenticates nobody; 6 to 14
// rest on MD5, 4, 5, 9, 10, 13, 14, 18, 19 encrypt with RC4.
var suites = [...]Suite{
	{1, AuthSHA1, AlgNone, AlgNone},
	{2, AuthSHA1, IntegritySHA1, AlgNone},
	{3, AuthSHA1, IntegritySHA1, CryptAES},
	{15, AuthSHA256, AlgNone, AlgNone},
	{16, AuthSHA256, IntegritySHA256, AlgNone},
	{17, AuthSHA256, IntegritySHA256, CryptAES},
}

// SuiteByID finds a suite by its number.
func SuiteByID(id int) (Suite, bool) {
	for _, s := range suites {
		if s.ID == id {
			return s, true
		}
	}
	return Suite{ID: -1}, false
}

// SuiteOf finds a suite by its algorithms.
func SuiteOf(auth, integrity, crypt uint8) Suite {
	for _, s := range suites {
		if s.Auth == auth && s.Integrity == integrity && s.Crypt == crypt {
			return s
		}
	}
	return Suite{-1, auth, integrity, crypt}
}

func (s Suite) String() string {
	if s.ID < 0 {
		return fmt.Sprintf("algorithms %d/%d/%d", s.Auth, s.Integrity, s.Crypt)
	}
	return fmt.Sprintf("suite %d", s.ID)
}

// AppendRecord writes the suite as Get Channel Cipher Suites lists it (§22.15.1).
func (s Suite) AppendRecord(dst []byte) []byte {
	return append(dst, 0xc0, byte(s.ID), s.Auth, 0x40|s.Integrity, 0x80|s.Crypt)
}

func (s Suite) hash() func() hash.Hash {
	if s.Auth == AuthSHA256 {
		return sha256.New
	}
	return sha1.New
}

// mac is the HMAC of the concatenation of parts.
func (s Suite) mac(key []byte, parts ...[]byte) []byte {
	m := hmac.New(s.hash(), key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}

// codeLen is the length of the truncated code at the end of signed packets and in RAKP4.
func (s Suite) codeLen() int {
	if s.Auth == AuthSHA256 {
		return 16
	}
	return 12
}

// Login is all that the RAKP codes are computed from.
type Login struct {
	Suite        Suite
	Console, BMC uint32 // session ids
	Rm, Rc       [16]byte
	GUID         [16]byte
	Role         uint8
	Name         string
	Password     []byte // Kuid
	Kg           []byte // empty: the password (one-key login)
}

func le32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

func (l *Login) user() []byte { return append([]byte{l.Role, byte(len(l.Name))}, l.Name...) }

// Code2 is the code of RAKP message 2 (§13.31).
func (l *Login) Code2() []byte {
	return l.Suite.mac(l.Password, le32(l.Console), le32(l.BMC), l.Rm[:], l.Rc[:], l.GUID[:], l.user())
}

// Code3 is the code of RAKP message 3 (§13.31).
func (l *Login) Code3() []byte {
	return l.Suite.mac(l.Password, l.Rc[:], le32(l.Console), l.user())
}

// Code4 is the code of RAKP message 4 (§13.31).
func (l *Login) Code4() []byte {
	return l.Suite.mac(l.sik(), l.Rm[:], le32(l.BMC), l.GUID[:])[:l.Suite.codeLen()]
}

// sik is the session integrity key (§13.31).
func (l *Login) sik() []byte {
	kg := l.Kg
	if len(kg) == 0 {
		kg = l.Password
	}
	return l.Suite.mac(kg, l.Rm[:], l.Rc[:], l.user())
}

// Keys derives the keys of the session (§13.32). The constants have 20 bytes
// for every hash.
func (l *Login) Keys() *Keys {
	sik := l.sik()
	k := &Keys{suite: l.Suite, k1: l.Suite.mac(sik, constant(1))}
	copy(k.aes[:], l.Suite.mac(sik, constant(2)))
	return k
}

func constant(n byte) []byte {
	b := make([]byte, 20)
	for i := range b {
		b[i] = n
	}
	return b
}

// Secret15 is a 1.5 password, padded with zeros.
type Secret15 [codeSize]byte

// Code15 is the authentication code of a 1.5 packet (§22.17.1).
func (s *Secret15) Code15(a AuthType, session, seq uint32, body []byte) (code [codeSize]byte) {
	switch a {
	case AuthPassword:
		return *s
	case AuthMD5:
		m := md5.New()
		m.Write(s[:])
		m.Write(le32(session))
		m.Write(body)
		m.Write(le32(seq))
		m.Write(s[:])
		m.Sum(code[:0])
	}
	return code
}

// Valid checks the code of a 1.5 packet in constant time.
func (s *Secret15) Valid(p *Packet) bool {
	if p.Auth == AuthNone {
		return true
	}
	if p.Auth != AuthMD5 && p.Auth != AuthPassword {
		return false
	}
	code := s.Code15(p.Auth, p.Session, p.Seq, p.Body)
	return hmac.Equal(code[:], p.Code[:])
}

// Append15 writes a 1.5 packet. s may be nil for AuthNone. The body has at
// most 255 bytes.
func Append15(dst []byte, a AuthType, session, seq uint32, s *Secret15, body []byte) []byte {
	dst = append(appendRMCP(dst), byte(a))
	dst = binary.LittleEndian.AppendUint32(dst, seq)
	dst = binary.LittleEndian.AppendUint32(dst, session)
	if a != AuthNone {
		code := s.Code15(a, session, seq, body)
		dst = append(dst, code[:]...)
	}
	return append(append(dst, byte(len(body))), body...)
}
