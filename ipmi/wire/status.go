package wire

import "fmt"

// Completion is the first byte of an answer's data (§5.2).
type Completion uint8

// Generic completion codes. Codes from 0x80 to 0xbe mean what their command says.
const (
	Done           Completion = 0x00
	Busy           Completion = 0xc0
	InvalidCommand Completion = 0xc1
	InvalidLUN     Completion = 0xc2
	TimedOut       Completion = 0xc3
	OutOfSpace     Completion = 0xc4
	InvalidLength  Completion = 0xc7
	InvalidField   Completion = 0xcc
	NoDuplicate    Completion = 0xcf
	FirmwareUpdate Completion = 0xd1
	Initialising   Completion = 0xd2
	Unreachable    Completion = 0xd3
	NoPrivilege    Completion = 0xd4
	WrongState     Completion = 0xd5
	Disabled       Completion = 0xd6
	Unspecified    Completion = 0xff
)

func (c Completion) String() string {
	text := ""
	switch c {
	case Done:
		text = "done"
	case Busy:
		text = "busy"
	case InvalidCommand:
		text = "command not known"
	case InvalidLUN:
		text = "command not known for this unit"
	case TimedOut:
		text = "timed out inside the BMC"
	case OutOfSpace:
		text = "out of space"
	case InvalidLength:
		text = "length of the request not accepted"
	case InvalidField:
		text = "value in the request not accepted"
	case NoDuplicate:
		text = "duplicate request"
	case FirmwareUpdate:
		text = "firmware update under way"
	case Initialising:
		text = "still initialising"
	case Unreachable:
		text = "destination unavailable"
	case NoPrivilege:
		text = "privilege not sufficient"
	case WrongState:
		text = "not possible in the present state"
	case Disabled:
		text = "disabled"
	case Unspecified:
		text = "unspecified error"
	default:
		return fmt.Sprintf("code %#02x", uint8(c))
	}
	return fmt.Sprintf("%s (%#02x)", text, uint8(c))
}

// Status is the result in the answers of session setup (§13.24).
type Status uint8

// The statuses that mean something to a fencing operator, and those our BMC gives.
const (
	StatusOK           Status = 0x00
	StatusResources    Status = 0x01
	StatusBadSession   Status = 0x02
	StatusBadPayload   Status = 0x03
	StatusBadAuth      Status = 0x04
	StatusBadIntegrity Status = 0x05
	StatusNoAuth       Status = 0x06
	StatusNoIntegrity  Status = 0x07
	StatusInactive     Status = 0x08
	StatusBadRole      Status = 0x09
	StatusRole         Status = 0x0a
	StatusRoleBusy     Status = 0x0b
	StatusNameLength   Status = 0x0c
	StatusName         Status = 0x0d
	StatusGUID         Status = 0x0e
	StatusCheckValue   Status = 0x0f
	StatusBadCrypt     Status = 0x10
	StatusNoSuite      Status = 0x11
	StatusIllegal      Status = 0x12
)

func (s Status) String() string {
	text := ""
	switch s {
	case StatusOK:
		text = "no error"
	case StatusResources:
		text = "no session free"
	case StatusBadSession:
		text = "session id not known"
	case StatusBadPayload:
		text = "payload type not accepted"
	case StatusBadAuth, StatusNoAuth:
		text = "authentication algorithm not supported"
	case StatusBadIntegrity, StatusNoIntegrity:
		text = "integrity algorithm not supported"
	case StatusInactive:
		text = "session not active"
	case StatusBadRole:
		text = "role not accepted"
	case StatusRole:
		text = "privilege level not allowed"
	case StatusRoleBusy:
		text = "no session free at this privilege level"
	case StatusNameLength:
		text = "length of the user name not accepted"
	case StatusName:
		text = "user name not accepted"
	case StatusGUID:
		text = "GUID not accepted"
	case StatusCheckValue:
		text = "integrity check value wrong"
	case StatusBadCrypt:
		text = "confidentiality algorithm not supported"
	case StatusNoSuite:
		text = "no matching cipher suite"
	case StatusIllegal:
		text = "illegal parameter"
	default:
		return fmt.Sprintf("status %#02x", uint8(s))
	}
	return fmt.Sprintf("%s (%#02x)", text, uint8(s))
}
