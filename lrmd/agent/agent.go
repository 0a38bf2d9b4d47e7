// Package agent is what the ways of running an agent have in common: the action
// asked for, its result, and how the end of a child process becomes one. The
// ways themselves are the packages below: ocf, lsb, systemd, stonith; service
// picks the right one.
//
// It replaces the class-independent half of lib/services/services.c and
// services_linux.c.
package agent

import (
	"errors"
	"strconv"
	"syscall"

	"github.com/pacesync/pacesync/internal/libc"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/lrmd/agent/child"
	"github.com/pacesync/pacesync/lrmd/wire"
)

// Action is one thing to have an agent do. Immutable.
type Action struct {
	Rsc        string
	Class      string
	Provider   string
	Type       string
	Name       string // start, stop, monitor, …
	Interval   uint32 // ms
	Timeout    int    // ms
	Params     wire.Params
	LeaveGroup bool
}

// Key names the action in logs (pcmk__op_key).
func (a Action) Key() string {
	return a.Rsc + "_" + a.Name + "_" + strconv.FormatUint(uint64(a.Interval), 10)
}

// Result is how an action ended.
type Result struct {
	RC     pcmk.OCF // the agent's status, as OCF's
	Status pcmk.ExecStatus
	Reason string
	Stdout string
	Stderr string
	PID    int
	Exit   int            // the agent's own status
	Signal syscall.Signal // that ended it
	Class  string         // of the agent that ran: class service becomes lsb or systemd
	// Final: there is no such agent; nothing was run and repeating is pointless.
	Final bool
}

// Run is an action being done.
type Run interface {
	// Do does it and returns the result. It is called once.
	Do() Result
	// Kill ends it early; Do returns soon. It may be called at any time.
	Kill()
}

// FromErrno is the result when the system refuses to run name
// (services_linux.c: services__handle_exec_error).
func FromErrno(name string, err error) Result {
	var no syscall.Errno
	if !errors.As(err, &no) {
		return Result{RC: pcmk.OCFError, Status: pcmk.ExecError, Reason: err.Error()}
	}
	switch no {
	case syscall.ENOENT, syscall.EISDIR, syscall.ENOTDIR, syscall.EINVAL, syscall.ENOEXEC:
		return Result{RC: pcmk.OCFNotInstalled, Status: pcmk.ExecNotInstalled, Reason: name + ": " + libc.Strerror(no)}
	case syscall.EACCES, syscall.EPERM:
		return Result{RC: pcmk.OCFInsufficientPriv, Status: pcmk.ExecError, Reason: name + ": " + libc.Strerror(no)}
	}
	return Result{RC: pcmk.OCFError, Status: pcmk.ExecError, Reason: libc.Strerror(no)}
}

// FromExit is the result of a child that ran, kind being "Resource agent" and
// the like, and toOCF the meaning of its status (services_linux.c:
// async_action_complete).
func FromExit(kind string, timeout int, x child.Exit, toOCF func(int) pcmk.OCF) Result {
	r := Result{PID: x.PID, Exit: x.Code, Signal: x.Signal, Stdout: x.Stdout, Stderr: x.Stderr}
	switch {
	case x.Signal == 0:
		r.RC, r.Status = toOCF(x.Code), pcmk.ExecDone
	case x.TimedOut:
		r.RC, r.Status = pcmk.OCFError, pcmk.ExecTimeout
		r.Reason = kind + " did not complete within " + iso8601.ReadableMS(int64(timeout))
	case x.Killed:
		r.RC, r.Status = pcmk.OCFOK, pcmk.ExecCancelled
	default:
		r.RC, r.Status = pcmk.OCFError, pcmk.ExecError
		r.Reason = kind + " interrupted by " + SignalName(x.Signal) + " signal"
	}
	return r
}

// SignalName is what strsignal(3) says of the signals that end agents.
func SignalName(s syscall.Signal) string {
	switch s {
	case syscall.SIGHUP:
		return "Hangup"
	case syscall.SIGINT:
		return "Interrupt"
	case syscall.SIGQUIT:
		return "Quit"
	case syscall.SIGILL:
		return "Illegal instruction"
	case syscall.SIGTRAP:
		return "Trace/breakpoint trap"
	case syscall.SIGABRT:
		return "Aborted"
	case syscall.SIGBUS:
		return "Bus error"
	case syscall.SIGFPE:
		return "Floating point exception"
	case syscall.SIGKILL:
		return "Killed"
	case syscall.SIGUSR1:
		return "User defined signal 1"
	case syscall.SIGSEGV:
		return "Segmentation fault"
	case syscall.SIGUSR2:
		return "User defined signal 2"
	case syscall.SIGPIPE:
		return "Broken pipe"
	case syscall.SIGALRM:
		return "Alarm clock"
	case syscall.SIGTERM:
		return "Terminated"
	case syscall.SIGCHLD:
		return "Child exited"
	case syscall.SIGXCPU:
		return "CPU time limit exceeded"
	case syscall.SIGXFSZ:
		return "File size limit exceeded"
	case syscall.SIGSYS:
		return "Bad system call"
	}
	return "Unknown signal " + strconv.Itoa(int(s))
}
