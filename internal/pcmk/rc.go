package pcmk

import (
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/libc"
)

// RC is a function result: 0 good, positive an errno, -1001 and below
// Pacemaker's own (results.h: enum pcmk_rc_e). It is an error; a nil error and
// OK are the same thing: use RC.Err to turn one into the other.
type RC int

// Results. OK is no error.
const (
	OK                  RC = 0
	RCError             RC = -1001 // pcmk_rc_error
	RCUnknownFormat     RC = -1002 // pcmk_rc_unknown_format
	RCBadNvpair         RC = -1003 // pcmk_rc_bad_nvpair
	RCAlready           RC = -1004 // pcmk_rc_already
	RCNodeUnknown       RC = -1005 // pcmk_rc_node_unknown
	RCMultiple          RC = -1006 // pcmk_rc_multiple
	RCCIBCorrupt        RC = -1007 // pcmk_rc_cib_corrupt
	RCCIBSave           RC = -1008 // pcmk_rc_cib_save
	RCCIBBackup         RC = -1009 // pcmk_rc_cib_backup
	RCCIBModified       RC = -1010 // pcmk_rc_cib_modified
	RCDiffResync        RC = -1011 // pcmk_rc_diff_resync
	RCDiffFailed        RC = -1012 // pcmk_rc_diff_failed
	RCOldData           RC = -1013 // pcmk_rc_old_data
	RCTransformFailed   RC = -1014 // pcmk_rc_transform_failed
	RCSchemaUnchanged   RC = -1015 // pcmk_rc_schema_unchanged
	RCSchemaValidation  RC = -1016 // pcmk_rc_schema_validation
	RCNoQuorum          RC = -1017 // pcmk_rc_no_quorum
	RCIPCUnauthorized   RC = -1018 // pcmk_rc_ipc_unauthorized
	RCIPCUnresponsive   RC = -1019 // pcmk_rc_ipc_unresponsive
	RCIPCPidOnly        RC = -1020 // pcmk_rc_ipc_pid_only
	RCOpUnsatisfied     RC = -1021 // pcmk_rc_op_unsatisfied
	RCUndetermined      RC = -1022 // pcmk_rc_undetermined
	RCBeforeRange       RC = -1023 // pcmk_rc_before_range
	RCWithinRange       RC = -1024 // pcmk_rc_within_range
	RCAfterRange        RC = -1025 // pcmk_rc_after_range
	RCNoOutput          RC = -1026 // pcmk_rc_no_output
	RCNoInput           RC = -1027 // pcmk_rc_no_input
	RCUnderflow         RC = -1028 // pcmk_rc_underflow
	RCDotError          RC = -1029 // pcmk_rc_dot_error
	RCGraphError        RC = -1030 // pcmk_rc_graph_error
	RCInvalidTransition RC = -1031 // pcmk_rc_invalid_transition
	RCUnpackError       RC = -1032 // pcmk_rc_unpack_error
	RCDuplicateID       RC = -1033 // pcmk_rc_duplicate_id
)

// rcInfo is one row of the table of Pacemaker's own results, in descending
// order from -1001; legacy is the number below 0 of older interfaces.
type rcInfo struct {
	name, text string
	legacy     int
}

const firstRC = -1001

// lastErrno is the last error that the original can name.
const lastErrno = RC(unix.EHWPOISON)

// rcs returns the table (results.c: pcmk__rcs).
func rcs() []rcInfo {
	return []rcInfo{
		{"pcmk_rc_error", "Error", -201},
		{"pcmk_rc_unknown_format", "Unknown output format", -217},
		{"pcmk_rc_bad_nvpair", "Bad name/value pair given", -216},
		{"pcmk_rc_already", "Already in requested state", -215},
		{"pcmk_rc_node_unknown", "Node not found", -214},
		{"pcmk_rc_multiple", "Resource active on multiple nodes", -213},
		{"pcmk_rc_cib_corrupt", "Could not parse on-disk configuration", -212},
		{"pcmk_rc_cib_save", "Could not save new configuration to disk", -210},
		{"pcmk_rc_cib_backup", "Could not archive previous configuration", -209},
		{"pcmk_rc_cib_modified", "On-disk configuration was manually modified", -208},
		{"pcmk_rc_diff_resync", "Application of update diff failed, requesting full refresh", -207},
		{"pcmk_rc_diff_failed", "Application of update diff failed", -206},
		{"pcmk_rc_old_data", "Update was older than existing configuration", -205},
		{"pcmk_rc_transform_failed", "Schema transform failed", -204},
		{"pcmk_rc_schema_unchanged", "Schema is already the latest available", -211},
		{"pcmk_rc_schema_validation", "Update does not conform to the configured schema", -203},
		{"pcmk_rc_no_quorum", "Operation requires quorum", -202},
		{"pcmk_rc_ipc_unauthorized", "IPC server is blocked by unauthorized process", -201},
		{"pcmk_rc_ipc_unresponsive", "IPC server is unresponsive", -201},
		{"pcmk_rc_ipc_pid_only", "IPC server process is active but not accepting connections", -201},
		{"pcmk_rc_op_unsatisfied", "Not applicable under current conditions", -201},
		{"pcmk_rc_undetermined", "Result undetermined", -201},
		{"pcmk_rc_before_range", "Result occurs before given range", -201},
		{"pcmk_rc_within_range", "Result occurs within given range", -201},
		{"pcmk_rc_after_range", "Result occurs after given range", -201},
		{"pcmk_rc_no_output", "Output message produced no output", -201},
		{"pcmk_rc_no_input", "Input file not available", -201},
		{"pcmk_rc_underflow", "Value too small to be stored in data type", -201},
		{"pcmk_rc_dot_error", "Error writing dot(1) file", -201},
		{"pcmk_rc_graph_error", "Error writing graph file", -201},
		{"pcmk_rc_invalid_transition", "Cluster simulation produced invalid transition", -201},
		{"pcmk_rc_unpack_error", "Unable to parse CIB XML", -201},
		{"pcmk_rc_duplicate_id", "Two or more XML elements have the same ID", -201},
	}
}

func (rc RC) info() (rcInfo, bool) {
	if i := firstRC - int(rc); i >= 0 && i < len(rcs()) {
		return rcs()[i], true
	}
	return rcInfo{}, false
}

// Error is the text that users see (results.c: pcmk_rc_str).
func (rc RC) Error() string {
	if x, ok := rc.info(); ok {
		return x.text
	}
	switch {
	case rc == OK:
		return "OK"
	case rc < 0:
		return "Error"
	}
	return libc.Strerror(syscall.Errno(rc))
}

// Err is nil for OK, else rc.
func (rc RC) Err() error {
	if rc == OK {
		return nil
	}
	return rc
}

// Is makes errors.Is(rc, syscall.ENOENT) work.
func (rc RC) Is(target error) bool {
	errno, ok := target.(syscall.Errno)
	return ok && rc > 0 && syscall.Errno(rc) == errno
}

// Legacy is the number of older interfaces: 0, -errno or -201 and below
// (results.c: pcmk_rc2legacy). CIB, fencing and executor replies carry it.
func (rc RC) Legacy() int {
	if rc >= 0 {
		return -int(rc)
	}
	if x, ok := rc.info(); ok {
		return x.legacy
	}
	return -201
}

// RCFromLegacy undoes Legacy; the sign does not matter (results.c:
// pcmk_legacy2rc).
func RCFromLegacy(n int) RC {
	if n < 0 {
		n = -n
	}
	if n == 0 {
		return OK
	}
	for i, x := range rcs() {
		if x.legacy == -n {
			return RC(firstRC - i)
		}
	}
	return RC(n)
}

// Exit is the nearest exit status (results.c: pcmk_rc2exitc).
func (rc RC) Exit() Exit {
	switch rc {
	case OK:
		return ExitOK
	case RCNoQuorum:
		return ExitQuorum
	case RCOldData:
		return ExitOld
	case RCSchemaValidation, RCTransformFailed, RCUnpackError:
		return ExitConfig
	case RCBadNvpair:
		return ExitInvalidParam
	case RC(syscall.EACCES):
		return ExitInsufficientPriv
	case RC(syscall.EBADF), RC(syscall.EINVAL), RC(syscall.EFAULT), RC(syscall.ENOSYS), RC(syscall.EOVERFLOW), RCUnderflow:
		return ExitSoftware
	case RC(syscall.EBADMSG), RC(syscall.EMSGSIZE), RC(syscall.ENOMSG), RC(syscall.ENOPROTOOPT), RC(syscall.EPROTO), RC(syscall.EPROTONOSUPPORT), RC(syscall.EPROTOTYPE):
		return ExitProtocol
	case RC(syscall.ECOMM), RC(syscall.ENOMEM):
		return ExitOSErr
	case RC(syscall.ECONNABORTED), RC(syscall.ECONNREFUSED), RC(syscall.ECONNRESET), RC(syscall.ENOTCONN):
		return ExitDisconnect
	case RC(syscall.EEXIST), RCAlready:
		return ExitExists
	case RC(syscall.EIO), RCNoOutput, RCDotError, RCGraphError:
		return ExitIOErr
	case RC(syscall.ENOTSUP):
		return ExitUnimplemented
	case RC(syscall.ENOTUNIQ), RCMultiple:
		return ExitMultiple
	case RC(syscall.ENODEV), RC(syscall.ENOENT), RC(syscall.ENXIO), RCNodeUnknown, RCUnknownFormat:
		return ExitNoSuch
	case RC(syscall.ETIME), RC(syscall.ETIMEDOUT):
		return ExitTimeout
	case RC(syscall.EAGAIN), RC(syscall.EBUSY):
		return ExitUnsatisfied
	case RCBeforeRange:
		return ExitNotYetInEffect
	case RCAfterRange:
		return ExitExpired
	case RCUndetermined:
		return ExitIndeterminate
	case RCOpUnsatisfied:
		return ExitUnsatisfied
	case RCWithinRange:
		return ExitOK
	case RCNoInput:
		return ExitNoInput
	case RCDuplicateID:
		return ExitMultiple
	}
	return ExitError
}

// OCF is the nearest result of an agent (results.c: pcmk_rc2ocf).
func (rc RC) OCF() OCF {
	switch rc {
	case OK:
		return OCFOK
	case RCBadNvpair:
		return OCFInvalidParam
	case RC(syscall.EACCES):
		return OCFInsufficientPriv
	case RC(syscall.ENOTSUP):
		return OCFUnimplemented
	}
	return OCFError
}

// Name is the constant's name, such as "pcmk_rc_no_quorum" or "ENOENT"
// (results.c: pcmk_rc_name).
func (rc RC) Name() string {
	if x, ok := rc.info(); ok {
		return x.name
	}
	switch rc { // numbers with two names
	case OK:
		return "pcmk_rc_ok"
	case RC(unix.EDEADLOCK):
		return "EDEADLOCK"
	case RC(unix.EOPNOTSUPP):
		return "EOPNOTSUPP"
	case RC(unix.EUCLEAN):
		return "EUCLEAN"
	case RC(unix.ELNRNG), RC(unix.ENOCSI), RC(unix.ENOANO), RC(unix.EBFONT), RC(unix.EADV), RC(unix.ESRMNT), RC(unix.EDOTDOT), RC(unix.ETOOMANYREFS),
		RC(unix.ENOTNAM), RC(unix.ENAVAIL), RC(unix.EOWNERDEAD), RC(unix.ENOTRECOVERABLE), RC(unix.ERFKILL), RC(unix.EHWPOISON):
		return "Unknown" // to the original
	}
	if name := unix.ErrnoName(syscall.Errno(rc)); rc > 0 && rc <= lastErrno && name != "" {
		return name
	}
	return "Unknown"
}

// RCs lists Pacemaker's own results, from the first down.
func RCs() []RC {
	list := make([]RC, len(rcs()))
	for i := range list {
		list[i] = RC(firstRC - i)
	}
	return list
}

// LegacyName is the name of a result of older interfaces, whose sign does not matter
// (results.c: pcmk_errorname).
func LegacyName(n int) string {
	rc := RCFromLegacy(n)
	switch {
	case rc == RCError:
		return "pcmk_err_generic"
	case rc == RCSchemaUnchanged:
		return "Unknown" // it has none
	case rc < 0:
		return "pcmk_err_" + strings.TrimPrefix(rc.Name(), "pcmk_rc_")
	}
	return rc.Name()
}
