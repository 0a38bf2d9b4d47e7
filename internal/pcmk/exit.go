package pcmk

import "strconv"

// Exit is the exit status of a tool or daemon (results.h: enum crm_exit_e).
type Exit int

// Exit codes.
const (
	ExitOK               Exit = 0   // CRM_EX_OK
	ExitError            Exit = 1   // CRM_EX_ERROR
	ExitInvalidParam     Exit = 2   // CRM_EX_INVALID_PARAM
	ExitUnimplemented    Exit = 3   // CRM_EX_UNIMPLEMENT_FEATURE
	ExitInsufficientPriv Exit = 4   // CRM_EX_INSUFFICIENT_PRIV
	ExitNotInstalled     Exit = 5   // CRM_EX_NOT_INSTALLED
	ExitNotConfigured    Exit = 6   // CRM_EX_NOT_CONFIGURED
	ExitNotRunning       Exit = 7   // CRM_EX_NOT_RUNNING
	ExitPromoted         Exit = 8   // CRM_EX_PROMOTED
	ExitFailedPromoted   Exit = 9   // CRM_EX_FAILED_PROMOTED
	ExitUsage            Exit = 64  // CRM_EX_USAGE
	ExitDataErr          Exit = 65  // CRM_EX_DATAERR
	ExitNoInput          Exit = 66  // CRM_EX_NOINPUT
	ExitNoUser           Exit = 67  // CRM_EX_NOUSER
	ExitNoHost           Exit = 68  // CRM_EX_NOHOST
	ExitUnavailable      Exit = 69  // CRM_EX_UNAVAILABLE
	ExitSoftware         Exit = 70  // CRM_EX_SOFTWARE
	ExitOSErr            Exit = 71  // CRM_EX_OSERR
	ExitOSFile           Exit = 72  // CRM_EX_OSFILE
	ExitCantCreate       Exit = 73  // CRM_EX_CANTCREAT
	ExitIOErr            Exit = 74  // CRM_EX_IOERR
	ExitTempFail         Exit = 75  // CRM_EX_TEMPFAIL
	ExitProtocol         Exit = 76  // CRM_EX_PROTOCOL
	ExitNoPerm           Exit = 77  // CRM_EX_NOPERM
	ExitConfig           Exit = 78  // CRM_EX_CONFIG
	ExitFatal            Exit = 100 // CRM_EX_FATAL
	ExitPanic            Exit = 101 // CRM_EX_PANIC
	ExitDisconnect       Exit = 102 // CRM_EX_DISCONNECT
	ExitOld              Exit = 103 // CRM_EX_OLD
	ExitDigest           Exit = 104 // CRM_EX_DIGEST
	ExitNoSuch           Exit = 105 // CRM_EX_NOSUCH
	ExitQuorum           Exit = 106 // CRM_EX_QUORUM
	ExitUnsafe           Exit = 107 // CRM_EX_UNSAFE
	ExitExists           Exit = 108 // CRM_EX_EXISTS
	ExitMultiple         Exit = 109 // CRM_EX_MULTIPLE
	ExitExpired          Exit = 110 // CRM_EX_EXPIRED
	ExitNotYetInEffect   Exit = 111 // CRM_EX_NOT_YET_IN_EFFECT
	ExitIndeterminate    Exit = 112 // CRM_EX_INDETERMINATE
	ExitUnsatisfied      Exit = 113 // CRM_EX_UNSATISFIED
	ExitTimeout          Exit = 124 // CRM_EX_TIMEOUT
	ExitDegraded         Exit = 190 // CRM_EX_DEGRADED
	ExitDegradedPromoted Exit = 191 // CRM_EX_DEGRADED_PROMOTED
	ExitNone             Exit = 193 // CRM_EX_NONE
)

// exitInfo is one row of the table of exit codes.
type exitInfo struct {
	code       Exit
	name, text string
}

// exits returns the table (results.c: crm_exit_name, crm_exit_str).
func exits() []exitInfo {
	return []exitInfo{
		{ExitOK, "CRM_EX_OK", "OK"},
		{ExitError, "CRM_EX_ERROR", "Error occurred"},
		{ExitInvalidParam, "CRM_EX_INVALID_PARAM", "Invalid parameter"},
		{ExitUnimplemented, "CRM_EX_UNIMPLEMENT_FEATURE", "Unimplemented"},
		{ExitInsufficientPriv, "CRM_EX_INSUFFICIENT_PRIV", "Insufficient privileges"},
		{ExitNotInstalled, "CRM_EX_NOT_INSTALLED", "Not installed"},
		{ExitNotConfigured, "CRM_EX_NOT_CONFIGURED", "Not configured"},
		{ExitNotRunning, "CRM_EX_NOT_RUNNING", "Not running"},
		{ExitPromoted, "CRM_EX_PROMOTED", "Promoted"},
		{ExitFailedPromoted, "CRM_EX_FAILED_PROMOTED", "Failed in promoted role"},
		{ExitUsage, "CRM_EX_USAGE", "Incorrect usage"},
		{ExitDataErr, "CRM_EX_DATAERR", "Invalid data given"},
		{ExitNoInput, "CRM_EX_NOINPUT", "Input file not available"},
		{ExitNoUser, "CRM_EX_NOUSER", "User does not exist"},
		{ExitNoHost, "CRM_EX_NOHOST", "Host does not exist"},
		{ExitUnavailable, "CRM_EX_UNAVAILABLE", "Necessary service unavailable"},
		{ExitSoftware, "CRM_EX_SOFTWARE", "Internal software bug"},
		{ExitOSErr, "CRM_EX_OSERR", "Operating system error occurred"},
		{ExitOSFile, "CRM_EX_OSFILE", "System file not available"},
		{ExitCantCreate, "CRM_EX_CANTCREAT", "Cannot create output file"},
		{ExitIOErr, "CRM_EX_IOERR", "I/O error occurred"},
		{ExitTempFail, "CRM_EX_TEMPFAIL", "Temporary failure, try again"},
		{ExitProtocol, "CRM_EX_PROTOCOL", "Protocol violated"},
		{ExitNoPerm, "CRM_EX_NOPERM", "Insufficient privileges"},
		{ExitConfig, "CRM_EX_CONFIG", "Invalid configuration"},
		{ExitFatal, "CRM_EX_FATAL", "Fatal error occurred, will not respawn"},
		{ExitPanic, "CRM_EX_PANIC", "System panic required"},
		{ExitDisconnect, "CRM_EX_DISCONNECT", "Not connected"},
		{ExitOld, "CRM_EX_OLD", "Update was older than existing configuration"},
		{ExitDigest, "CRM_EX_DIGEST", "Digest mismatch"},
		{ExitNoSuch, "CRM_EX_NOSUCH", "No such object"},
		{ExitQuorum, "CRM_EX_QUORUM", "Quorum required"},
		{ExitUnsafe, "CRM_EX_UNSAFE", "Operation not safe"},
		{ExitExists, "CRM_EX_EXISTS", "Requested item already exists"},
		{ExitMultiple, "CRM_EX_MULTIPLE", "Multiple items match request"},
		{ExitExpired, "CRM_EX_EXPIRED", "Requested item has expired"},
		{ExitNotYetInEffect, "CRM_EX_NOT_YET_IN_EFFECT", "Requested item is not yet in effect"},
		{ExitIndeterminate, "CRM_EX_INDETERMINATE", "Could not determine status"},
		{ExitUnsatisfied, "CRM_EX_UNSATISFIED", "Not applicable under current conditions"},
		{ExitTimeout, "CRM_EX_TIMEOUT", "Timeout occurred"},
		{ExitDegraded, "CRM_EX_DEGRADED", "Service is active but might fail soon"},
		{ExitDegradedPromoted, "CRM_EX_DEGRADED_PROMOTED", "Service is promoted but might fail soon"},
		{ExitNone, "CRM_EX_NONE", "No exit status available"},
	}
}

// String is the text that tools show, such as "No such object".
func (e Exit) String() string {
	for _, x := range exits() {
		if x.code == e {
			return x.text
		}
	}
	switch {
	case e == 255:
		return "Error occurred"
	case e > 128 && e < 255:
		return "Interrupted by signal"
	}
	return "Unknown exit status"
}

// Name is the constant's name, such as "CRM_EX_NOSUCH".
func (e Exit) Name() string {
	for _, x := range exits() {
		if x.code == e {
			return x.name
		}
	}
	return "CRM_EX_UNKNOWN"
}

// Itoa is the number as text, for attributes of messages.
func (e Exit) Itoa() string { return strconv.Itoa(int(e)) }

// ExitCodes lists all exit codes in ascending order.
func ExitCodes() []Exit {
	var codes []Exit
	for _, x := range exits() {
		codes = append(codes, x.code)
	}
	return codes
}
