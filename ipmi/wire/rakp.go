package wire

import (
	"encoding/binary"
	"fmt"
)

// OpenRequest proposes algorithms for a session (§13.17).
type OpenRequest struct {
	Tag       uint8
	Privilege Privilege // 0 asks for the highest that the algorithms allow
	Console   uint32    // session id that the BMC shall write into its packets
	Suite     Suite
}

const openRequestSize = 32

// appendAlgorithm writes one of the three algorithm payloads.
func appendAlgorithm(dst []byte, kind, alg uint8) []byte {
	return append(dst, kind, 0, 0, 8, alg, 0, 0, 0)
}

// parseAlgorithms reads the three algorithm payloads, in any order. A length
// of zero means "any" (§13.17); it is taken as the algorithm "none" given.
func parseAlgorithms(b []byte) (s Suite, err error) {
	for ; len(b) >= 8; b = b[8:] {
		if b[3] != 8 && b[3] != 0 {
			return s, fmt.Errorf("ipmi: algorithm payload of %d bytes, want 8", b[3])
		}
		switch alg := b[4] & 0x3f; b[0] {
		case 0:
			s.Auth = alg
		case 1:
			s.Integrity = alg
		case 2:
			s.Crypt = alg
		default:
			return s, fmt.Errorf("ipmi: algorithm payload of type %d", b[0])
		}
	}
	return SuiteOf(s.Auth, s.Integrity, s.Crypt), nil
}

func appendAlgorithms(dst []byte, s Suite) []byte {
	dst = appendAlgorithm(dst, 0, s.Auth)
	dst = appendAlgorithm(dst, 1, s.Integrity)
	return appendAlgorithm(dst, 2, s.Crypt)
}

// Append writes the payload.
func (r OpenRequest) Append(dst []byte) []byte {
	dst = append(dst, r.Tag, byte(r.Privilege), 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, r.Console)
	return appendAlgorithms(dst, r.Suite)
}

// ParseOpenRequest reads the payload.
func ParseOpenRequest(b []byte) (r OpenRequest, err error) {
	if len(b) < openRequestSize {
		return r, short("open session request", b, openRequestSize)
	}
	r.Tag, r.Privilege, r.Console = b[0], Privilege(b[1]&0x0f), binary.LittleEndian.Uint32(b[4:])
	r.Suite, err = parseAlgorithms(b[8:openRequestSize])
	return r, err
}

// OpenResponse answers OpenRequest (§13.18). With a status other than
// StatusOK the fields behind Console may be missing.
type OpenResponse struct {
	Tag       uint8
	Status    Status
	Privilege Privilege
	Console   uint32
	BMC       uint32 // session id for packets to the BMC
	Suite     Suite  // what the BMC chose
}

const openResponseSize = 36

// Append writes the payload.
func (r OpenResponse) Append(dst []byte) []byte {
	dst = append(dst, r.Tag, byte(r.Status), byte(r.Privilege), 0)
	dst = binary.LittleEndian.AppendUint32(dst, r.Console)
	if r.Status != StatusOK {
		return dst
	}
	dst = binary.LittleEndian.AppendUint32(dst, r.BMC)
	return appendAlgorithms(dst, r.Suite)
}

// ParseOpenResponse reads the payload.
func ParseOpenResponse(b []byte) (r OpenResponse, err error) {
	if len(b) < 2 {
		return r, short("open session response", b, 2)
	}
	r.Tag, r.Status = b[0], Status(b[1])
	if r.Status != StatusOK {
		if len(b) >= 8 {
			r.Privilege, r.Console = Privilege(b[2]), binary.LittleEndian.Uint32(b[4:])
		}
		return r, nil
	}
	if len(b) < openResponseSize {
		return r, short("open session response", b, openResponseSize)
	}
	r.Privilege, r.Console, r.BMC = Privilege(b[2]), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	r.Suite, err = parseAlgorithms(b[12:openResponseSize])
	return r, err
}

// nameOnly in a role makes the BMC look up the user by name alone (§13.20).
const nameOnly = 0x10

// RAKP1 names the user (§13.20).
type RAKP1 struct {
	Tag    uint8
	BMC    uint32
	Random [16]byte // of the console
	Role   uint8    // privilege and nameOnly
	Name   string
}

// Role is the role byte for a privilege, the user looked up by name alone.
func Role(p Privilege) uint8 { return uint8(p) | nameOnly }

const rakp1Size = 28

// Append writes the payload.
func (r RAKP1) Append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(append(dst, r.Tag, 0, 0, 0), r.BMC)
	dst = append(dst, r.Random[:]...)
	dst = append(dst, r.Role, 0, 0, byte(len(r.Name)))
	return append(dst, r.Name...)
}

// ParseRAKP1 reads the payload.
func ParseRAKP1(b []byte) (r RAKP1, err error) {
	if len(b) < rakp1Size {
		return r, short("RAKP message 1", b, rakp1Size)
	}
	n := int(b[27])
	if n > NameSize || n > len(b)-rakp1Size {
		return r, fmt.Errorf("ipmi: RAKP message 1: user name of %d bytes, %d follow, %d allowed", n, len(b)-rakp1Size, NameSize)
	}
	r.Tag, r.BMC, r.Role, r.Name = b[0], binary.LittleEndian.Uint32(b[4:]), b[24], string(b[rakp1Size:rakp1Size+n])
	copy(r.Random[:], b[8:])
	return r, nil
}

// RAKP2 is the BMC's proof that it knows the password (§13.21).
type RAKP2 struct {
	Tag     uint8
	Status  Status
	Console uint32
	Random  [16]byte // of the BMC
	GUID    [16]byte
	Code    []byte
}

const rakp2Size = 40

// Append writes the payload.
func (r RAKP2) Append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(append(dst, r.Tag, byte(r.Status), 0, 0), r.Console)
	if r.Status != StatusOK {
		return dst
	}
	dst = append(append(dst, r.Random[:]...), r.GUID[:]...)
	return append(dst, r.Code...)
}

// ParseRAKP2 reads the payload. Code aliases b.
func ParseRAKP2(b []byte) (r RAKP2, err error) {
	if r.Tag, r.Status, r.Console, err = rakpHead("RAKP message 2", b); err != nil || r.Status != StatusOK {
		return r, err
	}
	if len(b) < rakp2Size {
		return r, short("RAKP message 2", b, rakp2Size)
	}
	copy(r.Random[:], b[8:])
	copy(r.GUID[:], b[24:])
	r.Code = b[rakp2Size:]
	return r, nil
}

// rakpHead reads what messages 2, 3 and 4 start with.
func rakpHead(what string, b []byte) (uint8, Status, uint32, error) {
	if len(b) < 8 {
		return 0, 0, 0, short(what, b, 8)
	}
	return b[0], Status(b[1]), binary.LittleEndian.Uint32(b[4:]), nil
}

// RAKP3 is the console's proof (§13.22). Code is empty with a status other than StatusOK.
type RAKP3 struct {
	Tag    uint8
	Status Status
	BMC    uint32
	Code   []byte
}

// Append writes the payload.
func (r RAKP3) Append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(append(dst, r.Tag, byte(r.Status), 0, 0), r.BMC)
	return append(dst, r.Code...)
}

// ParseRAKP3 reads the payload. Code aliases b.
func ParseRAKP3(b []byte) (r RAKP3, err error) {
	if r.Tag, r.Status, r.BMC, err = rakpHead("RAKP message 3", b); err == nil {
		r.Code = b[8:]
	}
	return r, err
}

// RAKP4 ends the set-up: both sides hold the same keys (§13.23).
type RAKP4 struct {
	Tag     uint8
	Status  Status
	Console uint32
	Code    []byte
}

// Append writes the payload.
func (r RAKP4) Append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(append(dst, r.Tag, byte(r.Status), 0, 0), r.Console)
	return append(dst, r.Code...)
}

// ParseRAKP4 reads the payload. Code aliases b.
func ParseRAKP4(b []byte) (r RAKP4, err error) {
	if r.Tag, r.Status, r.Console, err = rakpHead("RAKP message 4", b); err == nil {
		r.Code = b[8:]
	}
	return r, err
}
