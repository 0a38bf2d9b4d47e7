package session

import (
	"fmt"

	"github.com/pacesync/pacesync/ipmi/wire"
)

// Kind is a class of failure that an operator acts on in its own way. Errors of
// sessions match their kind: errors.Is(err, session.ErrPassword).
type Kind string

// The kinds. Their texts say what to do.
const (
	ErrNoAnswer  Kind = "no answer: check address, port, network and that IPMI over LAN is enabled"
	ErrUser      Kind = "wrong user: check the user name and that the user is enabled on the BMC's LAN channel"
	ErrPassword  Kind = "wrong password"
	ErrKey       Kind = "wrong BMC key: check hexadecimal_kg"
	ErrPrivilege Kind = "privilege not granted: raise the user's level on the BMC or lower privlvl"
	ErrCipher    Kind = "cipher suite not supported by the BMC: set another with cipher"
	ErrMethod    Kind = "log-in method not supported by the BMC: check lanplus and auth"
	ErrBusy      Kind = "BMC busy"
	ErrRefused   Kind = "command refused"
	ErrExpired   Kind = "session expired"
	ErrBadAnswer Kind = "answer not understood"
)

func (k Kind) Error() string { return string(k) }

// Error is a failure of a session.
type Error struct {
	Kind       Kind
	Step       string          // what was being done: "RAKP message 1", "chassis control off"
	Detail     string          // what was seen
	Completion wire.Completion // of ErrRefused
}

func (e *Error) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("%s: %s", e.Step, e.Kind)
	}
	return fmt.Sprintf("%s: %s (%s)", e.Step, e.Kind, e.Detail)
}

// Is matches the kind.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == e.Kind
}
