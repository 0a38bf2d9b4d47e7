package wire

import (
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Status says how far the attempt to execute something came
// (results.h: enum pcmk_exec_status).
type Status int

// The statuses.
const (
	ExecUnknown       Status = -2
	ExecPending       Status = -1
	ExecDone          Status = 0
	ExecCancelled     Status = 1
	ExecTimeout       Status = 2
	ExecNotSupported  Status = 3
	ExecError         Status = 4
	ExecErrorHard     Status = 5
	ExecErrorFatal    Status = 6
	ExecNotInstalled  Status = 7
	ExecNotConnected  Status = 8
	ExecInvalid       Status = 9
	ExecNoFenceDevice Status = 10
	ExecNoSecrets     Status = 11
)

// String is pcmk_exec_status_str.
func (s Status) String() string {
	names := [...]string{
		"complete", "Cancelled", "Timed Out", "NOT SUPPORTED", "Error", "Hard error", "Fatal error", "Not installed",
		"Internal communication failure", "Cannot execute now", "No fence device", "CIB secrets unavailable",
	}
	switch {
	case s == ExecPending:
		return "pending"
	case s >= 0 && int(s) < len(names):
		return names[s]
	}
	return "UNKNOWN!"
}

// Exit statuses that fencing results carry (results.h: enum crm_exit_e).
const (
	ExitOK               = 0
	ExitError            = 1
	ExitInvalidParam     = 2
	ExitInsufficientPriv = 4
	ExitProtocol         = 76
	ExitIndeterminate    = 112
	ExitExpired          = 110
)

// Errno is a legacy return code without its sign, as st_rc carries it negated.
type Errno int

// The codes that fencing uses: those of Linux, and Pacemaker's generic one.
const (
	ErrOK           Errno = 0
	ENOENT          Errno = 2
	EACCES          Errno = 13
	ENODEV          Errno = 19
	EINVAL          Errno = 22
	ENODATA         Errno = 61
	ETIME           Errno = 62
	ECOMM           Errno = 70
	EPROTO          Errno = 71
	EOPNOTSUPP      Errno = 95
	EPROTONOSUPPORT Errno = 93
	ENOTCONN        Errno = 107
	ETIMEDOUT       Errno = 110
	EHOSTUNREACH    Errno = 113
	EINPROGRESS     Errno = 115
	ECANCELED       Errno = 125
	EGeneric        Errno = 201 // pcmk_err_generic
)

// Result is the outcome of an action or a request (pcmk__action_result_t).
type Result struct {
	Exit   int
	Status Status
	Reason string
	Output string // standard output
	Stderr string // not in messages: it refines Errno
}

// Done is the result of success.
func Done() Result { return Result{} }

// OK says whether the action was executed and succeeded.
func (r Result) OK() bool { return r.Status == ExecDone && r.Exit == ExitOK }

// ProtocolError is the answer to a request that cannot be understood.
func ProtocolError() Result {
	return Result{Exit: ExitProtocol, Status: ExecInvalid, Reason: "Fencer API request missing required information (bug?)"}
}

// Errno maps the result to a return code (stonith__result2rc).
func (r Result) Errno() Errno {
	if r.OK() {
		return ErrOK
	}
	switch r.Status {
	case ExecPending:
		return EINPROGRESS
	case ExecCancelled:
		return ECANCELED
	case ExecTimeout:
		return ETIME
	case ExecNotInstalled:
		return ENOENT
	case ExecNotSupported:
		return EOPNOTSUPP
	case ExecNotConnected:
		return ENOTCONN
	case ExecNoFenceDevice:
		return ENODEV
	case ExecNoSecrets:
		return EACCES
	case ExecInvalid:
		if e := invalidErrno(r.Exit); e != ErrOK {
			return e
		}
	}
	return errnoOfText(r.Stderr)
}

func invalidErrno(exit int) Errno {
	switch exit {
	case ExitInvalidParam:
		return EINVAL
	case ExitInsufficientPriv:
		return EACCES
	case ExitProtocol:
		return EPROTO
	case ExitExpired:
		return EHOSTUNREACH
	}
	return ErrOK
}

// errnoOfText guesses from what an agent wrote to standard error.
func errnoOfText(stderr string) Errno {
	if stderr == "" {
		return ENODATA
	}
	s := strings.ToLower(stderr)
	for _, t := range [...]string{"timed out", "timeout"} {
		if strings.Contains(s, t) {
			return ETIME
		}
	}
	for _, t := range [...]string{"unrecognised action", "unrecognized action", "unsupported action"} {
		if strings.Contains(s, t) {
			return EOPNOTSUPP
		}
	}
	return EGeneric
}

// StatusOf maps a return code back (stonith__legacy2status).
func StatusOf(e Errno) Status {
	switch e {
	case ErrOK:
		return ExecDone
	case EACCES:
		return ExecNoSecrets
	case ECANCELED:
		return ExecCancelled
	case EHOSTUNREACH, EPROTO:
		return ExecInvalid
	case EINPROGRESS:
		return ExecPending
	case ENODEV:
		return ExecNoFenceDevice
	case ENOENT:
		return ExecNotInstalled
	case ENOTCONN:
		return ExecNotConnected
	case EOPNOTSUPP, EPROTONOSUPPORT:
		return ExecNotSupported
	case ETIME, ETIMEDOUT:
		return ExecTimeout
	}
	return ExecError
}

// Text says what the status means, with the reason in parentheses if there is one.
func (r Result) Text() string {
	if r.Reason == "" {
		return r.Status.String()
	}
	return r.Status.String() + " (" + r.Reason + ")"
}

// Set writes the result into an element (stonith__xe_set_result).
func (r Result) Set(n *xmltree.Node) {
	setInt(n, "op-status", int(r.Status))
	setInt(n, "rc-code", r.Exit)
	setIf(n, "exit-reason", r.Reason)
	setIf(n, "st_output", r.Output)
	setInt(n, "st_rc", -int(r.Errno()))
}

// resultOf reads a result; peers before 2.1.3 sent only the return code
// (stonith__xe_get_result).
func resultOf(n *xmltree.Node) Result {
	r := Result{Reason: n.Attr("exit-reason"), Output: n.Attr("st_output")}
	exit, ok1 := atoiOK(n.Attr("rc-code"))
	status, ok2 := atoiOK(n.Attr("op-status"))
	if ok1 && ok2 {
		r.Exit, r.Status = exit, Status(status)
		return r
	}
	r.Exit = ExitError
	rc, ok := atoiOK(n.Attr("st_rc"))
	if !ok {
		r.Status, r.Reason = ExecError, "Fencer reply contained neither a full result nor a legacy return code (bug?)"
		return r
	}
	e := Errno(-rc)
	if rc >= 0 {
		e = ErrOK
	}
	if e == ErrOK || e == EINPROGRESS {
		r.Exit = ExitOK
	}
	r.Status = StatusOf(e)
	return r
}

func setInt(n *xmltree.Node, name string, v int) { n.Set(name, strconv.Itoa(v)) }

// setIf sets an attribute unless the value is empty.
func setIf(n *xmltree.Node, name, v string) {
	if v != "" {
		n.Set(name, v)
	}
}

func atoiOK(s string) (int, bool) {
	v, err := strconv.Atoi(s)
	return v, err == nil
}

// atoi reads a number, 0 for none.
func atoi(s string) int {
	v, _ := atoiOK(s)
	return v
}
