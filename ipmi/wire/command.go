package wire

import (
	"encoding/binary"
	"fmt"
)

// Cmd is a command number within its NetFn (appendix G).
type Cmd uint8

// Commands of NetFnApp and NetFnChassis.
const (
	CmdGetDeviceID      Cmd = 0x01 // app
	CmdGetAuthCap       Cmd = 0x38 // app
	CmdGetChallenge     Cmd = 0x39 // app
	CmdActivate         Cmd = 0x3a // app
	CmdSetPrivilege     Cmd = 0x3b // app
	CmdCloseSession     Cmd = 0x3c // app
	CmdGetCipherSuites  Cmd = 0x54 // app
	CmdGetChassisStatus Cmd = 0x01 // chassis
	CmdChassisControl   Cmd = 0x02 // chassis
)

// Privilege is a level of rights (§6.8).
type Privilege uint8

// The privilege levels.
const (
	Callback      Privilege = 1
	User          Privilege = 2
	Operator      Privilege = 3
	Administrator Privilege = 4
)

func (p Privilege) String() string {
	switch p {
	case Callback:
		return "callback"
	case User:
		return "user"
	case Operator:
		return "operator"
	case Administrator:
		return "administrator"
	}
	return fmt.Sprintf("level %d", uint8(p))
}

// ThisChannel is the channel number for the channel a request comes by (§6.3).
const ThisChannel = 0x0e

func short(what string, b []byte, want int) error {
	return fmt.Errorf("ipmi: %s of %d bytes, want at least %d", what, len(b), want)
}

// AuthCapRequest asks how a session can be opened (§22.13).
type AuthCapRequest struct {
	Extended  bool // ask for 2.0 as well
	Channel   uint8
	Privilege Privilege
}

// Append writes the request's data.
func (r AuthCapRequest) Append(dst []byte) []byte {
	c := r.Channel & 0x0f
	if r.Extended {
		c |= 0x80
	}
	return append(dst, c, byte(r.Privilege)&0x0f)
}

// ParseAuthCapRequest reads the request's data.
func ParseAuthCapRequest(b []byte) (AuthCapRequest, error) {
	if len(b) < 2 {
		return AuthCapRequest{}, short("request for authentication capabilities", b, 2)
	}
	return AuthCapRequest{b[0]&0x80 != 0, b[0] & 0x0f, Privilege(b[1] & 0x0f)}, nil
}

// AuthCap is the answer to AuthCapRequest, behind the completion code.
type AuthCap struct {
	Channel     uint8
	Types       uint8 // bit per AuthType
	Extended    bool  // V15 and V20 mean something
	KgSet       bool  // the BMC has a key of its own for two-key login
	NoPerMsg    bool  // packets of an active session need no authentication code
	NoUserLevel bool
	NamedUsers  bool
	NullUsers   bool
	Anonymous   bool
	V15, V20    bool
}

// Has tells whether the BMC takes an authentication type.
func (c AuthCap) Has(a AuthType) bool { return c.Types&(1<<a) != 0 }

const authCapSize = 8

// ParseAuthCap reads an answer.
func ParseAuthCap(b []byte) (AuthCap, error) {
	if len(b) < authCapSize {
		return AuthCap{}, short("authentication capabilities", b, authCapSize)
	}
	return AuthCap{
		Channel: b[0], Types: b[1] & 0x3f, Extended: b[1]&0x80 != 0,
		KgSet: b[2]&0x20 != 0, NoPerMsg: b[2]&0x10 != 0, NoUserLevel: b[2]&0x08 != 0,
		NamedUsers: b[2]&4 != 0, NullUsers: b[2]&2 != 0, Anonymous: b[2]&1 != 0,
		V15: b[3]&1 != 0, V20: b[3]&2 != 0,
	}, nil
}

func bit(set bool, mask byte) byte {
	if set {
		return mask
	}
	return 0
}

// Append writes an answer.
func (c AuthCap) Append(dst []byte) []byte {
	return append(dst, c.Channel, c.Types&0x3f|bit(c.Extended, 0x80),
		bit(c.KgSet, 0x20)|bit(c.NoPerMsg, 0x10)|bit(c.NoUserLevel, 8)|bit(c.NamedUsers, 4)|bit(c.NullUsers, 2)|bit(c.Anonymous, 1),
		bit(c.V15, 1)|bit(c.V20, 2), 0, 0, 0, 0)
}

// NameSize is the longest user name.
const NameSize = 16

// ChallengeRequest starts a 1.5 session (§22.16).
type ChallengeRequest struct {
	Auth AuthType
	Name [NameSize]byte
}

// Append writes the request's data.
func (r ChallengeRequest) Append(dst []byte) []byte {
	return append(append(dst, byte(r.Auth)), r.Name[:]...)
}

// ParseChallengeRequest reads the request's data.
func ParseChallengeRequest(b []byte) (r ChallengeRequest, err error) {
	if len(b) < 1+NameSize {
		return r, short("request for a challenge", b, 1+NameSize)
	}
	r.Auth = AuthType(b[0] & 0x0f)
	copy(r.Name[:], b[1:])
	return r, nil
}

// Challenge is the answer to ChallengeRequest.
type Challenge struct {
	Session   uint32 // until the session is activated
	Challenge [16]byte
}

// Append writes an answer.
func (c Challenge) Append(dst []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, c.Session), c.Challenge[:]...)
}

// ParseChallenge reads an answer.
func ParseChallenge(b []byte) (c Challenge, err error) {
	if len(b) < 20 {
		return c, short("challenge", b, 20)
	}
	c.Session = binary.LittleEndian.Uint32(b)
	copy(c.Challenge[:], b[4:])
	return c, nil
}

// ActivateRequest proves the password of a 1.5 session (§22.17).
type ActivateRequest struct {
	Auth      AuthType
	Privilege Privilege
	Challenge [16]byte
	Outbound  uint32 // first sequence number that the BMC shall use
}

// Append writes the request's data.
func (r ActivateRequest) Append(dst []byte) []byte {
	dst = append(append(dst, byte(r.Auth), byte(r.Privilege)), r.Challenge[:]...)
	return binary.LittleEndian.AppendUint32(dst, r.Outbound)
}

// ParseActivateRequest reads the request's data.
func ParseActivateRequest(b []byte) (r ActivateRequest, err error) {
	if len(b) < 22 {
		return r, short("request to activate a session", b, 22)
	}
	r.Auth, r.Privilege = AuthType(b[0]&0x0f), Privilege(b[1]&0x0f)
	copy(r.Challenge[:], b[2:])
	r.Outbound = binary.LittleEndian.Uint32(b[18:])
	return r, nil
}

// Activated is the answer to ActivateRequest.
type Activated struct {
	Auth      AuthType // of the packets that follow
	Session   uint32
	Inbound   uint32 // first sequence number that the BMC expects
	Privilege Privilege
}

// Append writes an answer.
func (a Activated) Append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(append(dst, byte(a.Auth)), a.Session)
	return append(binary.LittleEndian.AppendUint32(dst, a.Inbound), byte(a.Privilege))
}

// ParseActivated reads an answer.
func ParseActivated(b []byte) (Activated, error) {
	if len(b) < 10 {
		return Activated{}, short("answer to activate session", b, 10)
	}
	return Activated{AuthType(b[0] & 0x0f), binary.LittleEndian.Uint32(b[1:]), binary.LittleEndian.Uint32(b[5:]), Privilege(b[9] & 0x0f)}, nil
}

// Control is what Chassis Control does (§28.3).
type Control uint8

// The controls.
const (
	ControlOff   Control = 0
	ControlOn    Control = 1
	ControlCycle Control = 2
	ControlReset Control = 3
	ControlDiag  Control = 4
	ControlSoft  Control = 5
)

func (c Control) String() string {
	switch c {
	case ControlOff:
		return "off"
	case ControlOn:
		return "on"
	case ControlCycle:
		return "cycle"
	case ControlReset:
		return "reset"
	case ControlDiag:
		return "diag"
	case ControlSoft:
		return "soft"
	}
	return fmt.Sprintf("control %d", uint8(c))
}

// ChassisStatus is the answer to Get Chassis Status (§28.2).
type ChassisStatus struct {
	On            bool
	Overload      bool
	Interlock     bool
	MainFault     bool
	ControlFault  bool
	RestorePolicy uint8 // 0 stays off, 1 as before, 2 powers up, 3 unknown
	LastEvent     uint8 // why the power went off last, as in the specification
	Misc          uint8 // intrusion, lock-out, drive and fan fault
}

// Append writes an answer.
func (s ChassisStatus) Append(dst []byte) []byte {
	return append(dst,
		bit(s.On, 1)|bit(s.Overload, 2)|bit(s.Interlock, 4)|bit(s.MainFault, 8)|bit(s.ControlFault, 0x10)|s.RestorePolicy&3<<5,
		s.LastEvent, s.Misc)
}

// ParseChassisStatus reads an answer.
func ParseChassisStatus(b []byte) (ChassisStatus, error) {
	if len(b) < 3 {
		return ChassisStatus{}, short("chassis status", b, 3)
	}
	return ChassisStatus{
		On: b[0]&1 != 0, Overload: b[0]&2 != 0, Interlock: b[0]&4 != 0, MainFault: b[0]&8 != 0,
		ControlFault: b[0]&0x10 != 0, RestorePolicy: b[0] >> 5 & 3, LastEvent: b[1], Misc: b[2],
	}, nil
}
