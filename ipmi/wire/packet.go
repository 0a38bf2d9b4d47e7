package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Sizes of the formats in the package comment.
const (
	rmcpSize   = 4
	codeSize   = 16                // 1.5 authentication code
	head15     = 1 + 4 + 4 + 1     // without the code
	head20     = 1 + 1 + 4 + 4 + 2 // without OEM numbers, which we never use
	MaxPacket  = 1024              // more than any packet of ours and of the commands we read
	rmcpVer    = 0x06
	rmcpNoAck  = 0xff
	classASF   = 0x06
	classIPMI  = 0x07
	nextHeader = 0x07
)

// AuthType is how the packets of a session are authenticated (§13.6).
type AuthType uint8

// The authentication types. MD2 is not offered: nothing of this century needs it.
const (
	AuthNone     AuthType = 0
	AuthMD2      AuthType = 1
	AuthMD5      AuthType = 2
	AuthPassword AuthType = 4
	AuthRMCPP    AuthType = 6
)

func (a AuthType) String() string {
	switch a {
	case AuthNone:
		return "none"
	case AuthMD2:
		return "md2"
	case AuthMD5:
		return "md5"
	case AuthPassword:
		return "password"
	case AuthRMCPP:
		return "RMCP+"
	}
	return fmt.Sprintf("type %d", uint8(a))
}

// PayloadType is what an RMCP+ packet carries (§13.27.3).
type PayloadType uint8

// The payload types of session setup and of commands.
const (
	PayloadIPMI     PayloadType = 0x00
	PayloadOpenReq  PayloadType = 0x10
	PayloadOpenResp PayloadType = 0x11
	PayloadRAKP1    PayloadType = 0x12
	PayloadRAKP2    PayloadType = 0x13
	PayloadRAKP3    PayloadType = 0x14
	PayloadRAKP4    PayloadType = 0x15
	payloadMask                 = 0x3f
	flagEncrypted               = 0x80
	flagSigned                  = 0x40
)

// Packet is one parsed session packet. Its slices alias the datagram.
type Packet struct {
	Auth              AuthType
	Payload           PayloadType // PayloadIPMI for 1.5
	Encrypted, Signed bool        // 2.0: as the header claims; Keys.Open checks
	Session, Seq      uint32
	Code              [codeSize]byte // 1.5: authentication code
	Body              []byte
	session           []byte // 2.0: everything behind the RMCP header
	trailer           []byte // 2.0: what follows the body
}

// V20 tells RMCP+ packets from 1.5 ones.
func (p *Packet) V20() bool { return p.Auth == AuthRMCPP }

// ErrNotIPMI is returned for RMCP packets of other classes.
var ErrNotIPMI = errors.New("ipmi: no IPMI packet")

// Parse reads the headers of a datagram. Nothing is authenticated yet.
func Parse(b []byte) (Packet, error) {
	if len(b) < rmcpSize+head15 {
		return Packet{}, fmt.Errorf("ipmi: packet of %d bytes, want at least %d", len(b), rmcpSize+head15)
	}
	if b[0] != rmcpVer || b[3] != classIPMI {
		return Packet{}, fmt.Errorf("%w: version %#x, class %#x", ErrNotIPMI, b[0], b[3])
	}
	s := b[rmcpSize:]
	if AuthType(s[0]) == AuthRMCPP {
		return parse20(s)
	}
	return parse15(s)
}

func parse15(s []byte) (Packet, error) {
	p := Packet{Auth: AuthType(s[0] & 0x0f), Seq: binary.LittleEndian.Uint32(s[1:]), Session: binary.LittleEndian.Uint32(s[5:])}
	rest := s[9:]
	if p.Auth != AuthNone {
		if len(rest) < codeSize+1 {
			return Packet{}, fmt.Errorf("ipmi: 1.5 packet of %d bytes ends in its authentication code", len(s))
		}
		copy(p.Code[:], rest)
		rest = rest[codeSize:]
	}
	n := int(rest[0])
	if n > len(rest)-1 {
		return Packet{}, fmt.Errorf("ipmi: 1.5 packet says %d bytes, carries %d", n, len(rest)-1)
	}
	p.Body = rest[1 : 1+n] // more may follow: the legacy pad of §13.6
	return p, nil
}

func parse20(s []byte) (Packet, error) {
	if len(s) < head20 {
		return Packet{}, fmt.Errorf("ipmi: RMCP+ packet of %d bytes, want at least %d", len(s), head20)
	}
	p := Packet{
		Auth: AuthRMCPP, Payload: PayloadType(s[1] & payloadMask),
		Encrypted: s[1]&flagEncrypted != 0, Signed: s[1]&flagSigned != 0,
		Session: binary.LittleEndian.Uint32(s[2:]), Seq: binary.LittleEndian.Uint32(s[6:]), session: s,
	}
	n := int(binary.LittleEndian.Uint16(s[10:]))
	if n > len(s)-head20 {
		return Packet{}, fmt.Errorf("ipmi: RMCP+ packet says %d bytes, carries %d", n, len(s)-head20)
	}
	p.Body, p.trailer = s[head20:head20+n], s[head20+n:]
	return p, nil
}

// appendRMCP starts a packet.
func appendRMCP(dst []byte) []byte { return append(dst, rmcpVer, 0, rmcpNoAck, classIPMI) }

// AppendPlain writes an RMCP+ packet outside of any session: session setup.
func AppendPlain(dst []byte, t PayloadType, body []byte) []byte {
	dst = append(appendRMCP(dst), byte(AuthRMCPP), byte(t), 0, 0, 0, 0, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(body)))
	return append(dst, body...)
}

// Ping is an ASF presence ping (§13.2.3), asked before a session by some programs.
type Ping struct{ Tag uint8 }

// asfIANA is the enterprise number of ASF, in network order as §13.2.3 has it.
const asfIANA = 4542

// ParsePing reads a presence ping.
func ParsePing(b []byte) (Ping, error) {
	if len(b) < 12 || b[0] != rmcpVer || b[3] != classASF || binary.BigEndian.Uint32(b[4:]) != asfIANA || b[8] != 0x80 {
		return Ping{}, errors.New("ipmi: no presence ping")
	}
	return Ping{b[9]}, nil
}

// AppendPing writes a presence ping.
func AppendPing(dst []byte, p Ping) []byte {
	dst = append(dst, rmcpVer, 0, rmcpNoAck, classASF)
	dst = binary.BigEndian.AppendUint32(dst, asfIANA)
	return append(dst, 0x80, p.Tag, 0, 0)
}

// AppendPong writes the answer to a presence ping: IPMI is spoken here (§13.2.4).
func AppendPong(dst []byte, p Ping) []byte {
	dst = append(dst, rmcpVer, 0, rmcpNoAck, classASF)
	dst = binary.BigEndian.AppendUint32(dst, asfIANA)
	dst = append(dst, 0x40, p.Tag, 0, 16)
	dst = binary.BigEndian.AppendUint32(dst, asfIANA)
	return append(dst, 0, 0, 0, 0, 0x81, 0, 0, 0, 0, 0, 0, 0)
}
