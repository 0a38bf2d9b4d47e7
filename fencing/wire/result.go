package wire

import (
	"strconv"
	"strings"
	"syscall"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Result is the outcome of an action or a request (pcmk__action_result_t).
type Result struct {
	Exit   int // of the agent, or a pcmk.Exit
	Status pcmk.ExecStatus
	Reason string
	Output string // standard output
	Stderr string // not in messages: it refines Errno
}

// Done is the result of success.
func Done() Result { return Result{} }

// Failure is a result that no agent gave.
func Failure(e pcmk.Exit, s pcmk.ExecStatus, reason string) Result {
	return Result{Exit: int(e), Status: s, Reason: reason}
}

// OK says whether the action was executed and succeeded.
func (r Result) OK() bool { return r.Status == pcmk.ExecDone && r.Exit == int(pcmk.ExitOK) }

// ProtocolError is the answer to a request that cannot be understood.
func ProtocolError() Result {
	return Failure(pcmk.ExitProtocol, pcmk.ExecInvalid, "Fencer API request missing required information (bug?)")
}

// RC maps the result to a return code (stonith__result2rc).
func (r Result) RC() pcmk.RC {
	if r.OK() {
		return pcmk.OK
	}
	switch r.Status {
	case pcmk.ExecPending:
		return rc(syscall.EINPROGRESS)
	case pcmk.ExecCancelled:
		return rc(syscall.ECANCELED)
	case pcmk.ExecTimeout:
		return rc(syscall.ETIME)
	case pcmk.ExecNotInstalled:
		return rc(syscall.ENOENT)
	case pcmk.ExecNotSupported:
		return rc(syscall.EOPNOTSUPP)
	case pcmk.ExecNotConnected:
		return rc(syscall.ENOTCONN)
	case pcmk.ExecNoFenceDevice:
		return rc(syscall.ENODEV)
	case pcmk.ExecNoSecrets:
		return rc(syscall.EACCES)
	case pcmk.ExecInvalid:
		if c := invalidRC(pcmk.Exit(r.Exit)); c != pcmk.OK {
			return c
		}
	}
	return textRC(r.Stderr)
}

// Return codes of registrations.
const (
	NoDevice = pcmk.RC(syscall.ENODEV)
	NoMemory = pcmk.RC(syscall.ENOMEM)
)

func rc(e syscall.Errno) pcmk.RC { return pcmk.RC(e) }

func invalidRC(exit pcmk.Exit) pcmk.RC {
	switch exit {
	case pcmk.ExitInvalidParam:
		return rc(syscall.EINVAL)
	case pcmk.ExitInsufficientPriv:
		return rc(syscall.EACCES)
	case pcmk.ExitProtocol:
		return rc(syscall.EPROTO)
	case pcmk.ExitExpired:
		return rc(syscall.EHOSTUNREACH)
	}
	return pcmk.OK
}

// textRC guesses from what an agent wrote to standard error.
func textRC(stderr string) pcmk.RC {
	if stderr == "" {
		return rc(syscall.ENODATA)
	}
	s := strings.ToLower(stderr)
	for _, t := range [...]string{"timed out", "timeout"} {
		if strings.Contains(s, t) {
			return rc(syscall.ETIME)
		}
	}
	for _, t := range [...]string{"unrecognised action", "unrecognized action", "unsupported action"} {
		if strings.Contains(s, t) {
			return rc(syscall.EOPNOTSUPP)
		}
	}
	return pcmk.RCError
}

// StatusOf maps a return code back (stonith__legacy2status).
func StatusOf(c pcmk.RC) pcmk.ExecStatus {
	if c == pcmk.OK {
		return pcmk.ExecDone
	}
	switch syscall.Errno(c) {
	case syscall.EACCES:
		return pcmk.ExecNoSecrets
	case syscall.ECANCELED:
		return pcmk.ExecCancelled
	case syscall.EHOSTUNREACH, syscall.EPROTO:
		return pcmk.ExecInvalid
	case syscall.EINPROGRESS:
		return pcmk.ExecPending
	case syscall.ENODEV:
		return pcmk.ExecNoFenceDevice
	case syscall.ENOENT:
		return pcmk.ExecNotInstalled
	case syscall.ENOTCONN:
		return pcmk.ExecNotConnected
	case syscall.EOPNOTSUPP, syscall.EPROTONOSUPPORT:
		return pcmk.ExecNotSupported
	case syscall.ETIME, syscall.ETIMEDOUT:
		return pcmk.ExecTimeout
	}
	return pcmk.ExecError
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
	setInt(n, "st_rc", r.RC().Legacy())
}

// resultOf reads a result; peers before 2.1.3 sent only the return code
// (stonith__xe_get_result).
func resultOf(n *xmltree.Node) Result {
	r := Result{Reason: n.Attr("exit-reason"), Output: n.Attr("st_output")}
	exit, ok1 := atoiOK(n.Attr("rc-code"))
	status, ok2 := atoiOK(n.Attr("op-status"))
	if ok1 && ok2 {
		r.Exit, r.Status = exit, pcmk.ExecStatus(status)
		return r
	}
	r.Exit = int(pcmk.ExitError)
	legacy, ok := atoiOK(n.Attr("st_rc"))
	if !ok {
		r.Status, r.Reason = pcmk.ExecError, "Fencer reply contained neither a full result nor a legacy return code (bug?)"
		return r
	}
	c := pcmk.OK
	if legacy < 0 {
		c = pcmk.RCFromLegacy(legacy)
	}
	if c == pcmk.OK || c == rc(syscall.EINPROGRESS) {
		r.Exit = int(pcmk.ExitOK)
	}
	r.Status = StatusOf(c)
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
